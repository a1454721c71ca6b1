"""Redis, PostgreSQL and S3 going away while imports are accepted and run."""

import asyncio
import tempfile
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import pytest
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from redis import Redis
from tests.faults.conferences import MOVED
from tests.faults.service import Service, running_service
from tests.faults.workers import PATIENCE, WorkerProcess, Workers
from tests.stored_files import keys_in
from werkzeug.serving import make_server

from eventimport.database import migrations
from eventimport.database.models import ImportStatus
from eventimport.embedded import EmbeddedServer, start_postgres, start_valkey
from eventimport.embedded.server import free_port

Start = Callable[[], EmbeddedServer]


class Restarted:
    """A server of the test's own that goes away, and comes back at the same address."""

    def __init__(self, start: Start) -> None:
        self._start = start
        self._server = start()
        self.url = self._server.url

    async def leave(self) -> None:
        await asyncio.to_thread(self._server.stop)

    async def come_back(self) -> None:
        self._server = await asyncio.to_thread(self._start)
        assert self._server.url == self.url


@asynccontextmanager
async def own_server(start: Start) -> AsyncIterator[Restarted]:
    server = await asyncio.to_thread(Restarted, start)
    try:
        yield server
    finally:
        await server.leave()


@pytest.fixture
async def valkey(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Restarted]:
    port = free_port()
    monkeypatch.setattr("eventimport.embedded.valkey.free_port", lambda: port)
    async with own_server(lambda: start_valkey(tmp_path / "valkey", durable=False)) as server:
        yield server


@pytest.fixture
async def postgres(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Restarted]:
    port = free_port()
    monkeypatch.setattr("eventimport.embedded.postgres.free_port", lambda: port)
    # Not in tmp_path: as root the server runs as nobody, whom pytest keeps out of its folders.
    with tempfile.TemporaryDirectory(prefix="eventimport-faults-") as name:
        folder = Path(name)
        async with own_server(lambda: start_postgres(folder, durable=False)) as server:
            await asyncio.to_thread(migrations.upgrade, server.url)
            yield server


async def all_succeed(
    service: Service, jobs: dict[UUID, int], worker: WorkerProcess | None = None
) -> None:
    """All imports succeed, by this worker if one is given."""
    for job_id in jobs:
        job = await service.ended(job_id)
        assert job.status == ImportStatus.SUCCESS, (job.errors, service.told())
    assert worker is None or worker.code is None, "it is the same worker"
    assert await service.violations(jobs) == []


async def test_a_queue_that_is_wiped(service: Service, redis_url: str) -> None:
    jobs = {await service.accept(number): number for number in range(3)}
    with Redis.from_url(redis_url) as redis:
        assert redis.dbsize()
        redis.flushdb()
    await service.worker()
    await all_succeed(service, jobs)


async def test_redis_away_while_posting_and_while_running(
    workers: Workers, tmp_path: Path, database_url: str, valkey: Restarted
) -> None:
    async with running_service(workers, tmp_path, database_url, valkey.url) as service:
        jobs = {await service.accept(number): number for number in range(4)}
        worker = await service.worker(WORKER_JOBS="1")
        await service.until(next(iter(jobs)), lambda job: job.status != ImportStatus.PENDING)
        await valkey.leave()
        late = await service.accept(4)
        await valkey.come_back()
        await all_succeed(service, {**jobs, late: 4}, worker)


async def test_a_postgres_that_is_restarted(
    workers: Workers, tmp_path: Path, redis_url: str, postgres: Restarted
) -> None:
    async with running_service(workers, tmp_path, postgres.url, redis_url) as service:
        jobs = {await service.accept(number): number for number in range(4)}
        worker = await service.worker(WORKER_JOBS="2")
        await service.until(next(iter(jobs)), lambda job: job.status != ImportStatus.PENDING)
        await postgres.leave()
        await postgres.come_back()
        await all_succeed(service, jobs, worker)


TRY_AGAIN: Final = "503 Slow Down"
"""The SDK repeats the request several times, after pauses."""
FULL: Final = "507 Insufficient Storage"
"""The SDK does not repeat the request."""


class FaultyS3:
    """S3 that answers with an error to the `away` methods, and counts such answers."""

    def __init__(self) -> None:
        self.away: frozenset[str] = frozenset()
        self.error = TRY_AGAIN
        self.refused = threading.Semaphore(0)
        self._inner = DomainDispatcherApplication(create_backend_app)
        self._server = make_server("127.0.0.1", 0, self._answer, threaded=True)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.port}"

    def _answer(self, environ: dict[str, Any], start_response: Any) -> Any:
        if environ["REQUEST_METHOD"] in self.away:
            environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            self.refused.release()
            start_response(self.error, [("Content-Type", "application/xml")])
            code = self.error.partition(" ")[2].replace(" ", "")
            return [f"<Error><Code>{code}</Code><Message>Later</Message></Error>".encode()]
        return self._inner(environ, start_response)

    async def refuses(self, count: int) -> None:
        """Wait until it has answered so to this many more requests. Raises TimeoutError."""
        for _ in range(count):
            if not await asyncio.to_thread(self.refused.acquire, timeout=PATIENCE):
                raise TimeoutError("no request was made")

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


ALL_METHODS = frozenset({"GET", "HEAD", "PUT", "POST", "DELETE"})
BUCKET = "bucket"


@pytest.fixture
def s3() -> Iterator[FaultyS3]:
    server = FaultyS3()
    yield server
    server.stop()


@pytest.fixture
async def bucket_service(
    workers: Workers, tmp_path: Path, database_url: str, redis_url: str, s3: FaultyS3
) -> AsyncIterator[Service]:
    """The service over S3."""
    settings = {
        "STORAGE_PLACE": "s3",
        "S3_BUCKET": BUCKET,
        "S3_ENDPOINT_URL": s3.url,
        "S3_ACCESS_KEY": "test",
        "S3_SECRET_KEY": "test",
        "S3_PATH_STYLE": "true",
    }
    async with running_service(workers, tmp_path, database_url, redis_url, **settings) as service:
        client = await service.resources.storages.active._connected()  # type: ignore[attr-defined]
        # What moto holds is the process's, not the server's.
        await client.create_bucket(Bucket=BUCKET)
        for key in await keys_in(service.resources.storages.active):
            await service.resources.storages.active.delete(key)
        yield service


async def test_s3_that_answers_503_for_a_while(bucket_service: Service, s3: FaultyS3) -> None:
    jobs = {await bucket_service.accept(number): number for number in range(2)}
    s3.away = ALL_METHODS
    await bucket_service.worker()
    await s3.refuses(3)
    s3.away = frozenset({"PUT", "POST"})
    await s3.refuses(3)
    s3.away = frozenset()
    await all_succeed(bucket_service, jobs)


async def test_an_archive_out_of_reach_is_a_failure_that_says_so(
    bucket_service: Service, s3: FaultyS3
) -> None:
    job_id = await bucket_service.accept()
    s3.away, s3.error = ALL_METHODS, FULL
    await bucket_service.worker(STORAGE_PATIENCE="0.5")
    job = await bucket_service.ended(job_id)
    s3.away = frozenset()
    assert job.status == ImportStatus.FAILURE
    assert [error["code"] for error in job.errors or []] == ["storage-unavailable"]
    assert await bucket_service.violations({}) == []


async def test_media_that_cannot_be_stored_are_left_out(
    bucket_service: Service, s3: FaultyS3
) -> None:
    job_id = await bucket_service.accept()
    s3.away, s3.error = frozenset({"PUT", "POST"}), FULL
    await bucket_service.worker(STORAGE_PATIENCE="0.5")
    job = await bucket_service.ended(job_id)
    s3.away = frozenset()
    assert (job.status, job.errors) == (ImportStatus.SUCCESS, None)
    assert job.event_id is not None
    assert job.report is not None
    assert job.report["media"]["outcomes"] == {"MISSING": 1, "NOT_STORED": MOVED}
    assert job.failures == 0
