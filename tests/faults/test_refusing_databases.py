"""PostgreSQL answers, but refuses what it is asked: its disk is full, or it has no connection left.
Imports wait, and clients are asked to try again."""

import asyncio
import secrets
import signal
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import Any, Final
from uuid import UUID

import asyncpg
import httpx
import pytest
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import AsyncEngine
from tests.conftest import execute, lend_engine, renamed
from tests.faults.api_requests import IMPORT, UPLOAD, ZIP, answers, settings_of
from tests.faults.kill_points import JOB, RECORDS, KillPoint
from tests.faults.service import Service
from tests.faults.workers import PATIENCE, WorkerProcess

from eventimport.database.engine import DatabaseConfig
from eventimport.database.models import Base, ImportStatus

CONNECTIONS: Final = 14
CLIENTS: Final = 25
IMPORTS: Final = 6
REFUSALS: Final = 3
PAUSE_SECONDS: Final = 0.1
DISK: Final = 53100
DISK_FULL: Final = f"""
    CREATE FUNCTION disk_full() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN
        IF NOT pg_try_advisory_xact_lock_shared({DISK}) THEN
            RAISE EXCEPTION 'No space left on device' USING ERRCODE = '53100';
        END IF;
        RETURN NULL;
    END$$
"""

# A worker that is stopped here is not taken for dead, and the first failure would be the last.
STRICT: Final = {"HEARTBEAT_TIMEOUT": "3600", "MAX_ATTEMPTS": "1"}

POINTS = [
    KillPoint(JOB + "lease_import", "after", number=signal.SIGSTOP),
    KillPoint(JOB + "write_plan", "before", number=signal.SIGSTOP),
    KillPoint(JOB + "move_media", "before", number=signal.SIGSTOP),
    KillPoint(RECORDS + "settle_moved", "before", 2, number=signal.SIGSTOP),
    KillPoint(JOB + "succeed", "before", number=signal.SIGSTOP),
]

Fault = Callable[[Service, str], Awaitable[AsyncExitStack]]


@pytest.fixture
async def role_url(database_url: str) -> AsyncIterator[str]:
    """The database, for a role that is no superuser and has few connections. While another session
    holds the lock `DISK`, every change fails as it does on a full disk."""
    name, key = f"limited_{secrets.token_hex(4)}", secrets.token_hex(8)
    url = make_url(database_url)
    admin = renamed(database_url, url.database or "")
    grant = f"GRANT ALL ON ALL {{}} IN SCHEMA public TO {name}"
    await execute(
        admin,
        f"CREATE ROLE {name} LOGIN PASSWORD '{key}' CONNECTION LIMIT {CONNECTIONS}",
        grant.format("TABLES"),
        grant.format("SEQUENCES"),
        DISK_FULL,
        *(
            f'CREATE TRIGGER disk_full BEFORE INSERT OR UPDATE OR DELETE ON "{table}"'
            " FOR EACH STATEMENT EXECUTE FUNCTION disk_full()"
            for table in Base.metadata.tables
        ),
    )
    try:
        limited = url.set(drivername="postgresql", username=name, password=key)
        yield limited.render_as_string(hide_password=False)
    finally:
        sessions = f"FROM pg_stat_activity WHERE usename = '{name}'"
        await execute(
            admin,
            f"SELECT pg_terminate_backend(pid, 10000) {sessions}",
            "DROP FUNCTION disk_full() CASCADE",
            f"DROP OWNED BY {name}",
            f"DROP ROLE {name}",
        )


async def until(condition: Callable[[], bool], what: Callable[[], str]) -> None:
    """Wait until the condition is fulfilled. Raises TimeoutError."""
    try:
        async with asyncio.timeout(PATIENCE):
            while not condition():  # noqa: ASYNC110 - a log, and what others count
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise TimeoutError(what()) from None


async def no_connections(service: Service, role_url: str) -> AsyncExitStack:
    """End the role's connections, and take all that it may have, until the stack is closed."""
    name = make_url(role_url).username
    end = text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = :name")
    async with service.resources.engine.begin() as connection:
        await connection.execute(end, {"name": name})
    stack = AsyncExitStack()
    held = 0
    async with asyncio.timeout(PATIENCE):
        while held < CONNECTIONS:
            try:
                connection = await asyncpg.connect(role_url)
            except asyncpg.TooManyConnectionsError:
                await asyncio.sleep(0.05)
                continue
            stack.push_async_callback(connection.close)
            held += 1
    return stack


async def full_disk(service: Service, _role_url: str) -> AsyncExitStack:
    """Refuse every change of every table, until the stack is closed.

    No transaction holds the lock: PostgreSQL ends those that are idle.
    """
    stack = AsyncExitStack()
    connection = await asyncpg.connect(service.environment["DATABASE_URL"])
    stack.push_async_callback(connection.close)
    await connection.execute(f"SELECT pg_advisory_lock({DISK})")
    stack.push_async_callback(connection.execute, f"SELECT pg_advisory_unlock({DISK})")
    return stack


FAULTS: dict[str, tuple[Fault, str]] = {
    "no connections": (no_connections, "SQLSTATE 53300"),
    "disk full": (full_disk, "SQLSTATE 53100"),
}


async def refused(worker: WorkerProcess, reason: str) -> None:
    """Wait until the worker has been refused several times."""
    await until(lambda: worker.told().count(reason) >= REFUSALS, worker.told)


@pytest.mark.parametrize("point", POINTS, ids=str)
@pytest.mark.parametrize("fault", FAULTS)
async def test_an_import_outlasts_it(
    role_url: str, service: Service, point: KillPoint, fault: str
) -> None:
    begin, reason = FAULTS[fault]
    job_id = await service.accept()
    worker = await service.worker(point, DATABASE_URL=role_url, **STRICT)
    await worker.stopped()
    async with await begin(service, role_url):
        worker.send(signal.SIGCONT)
        await refused(worker, reason)
    job = await service.ended(job_id)
    assert (job.status, job.failures) == (ImportStatus.SUCCESS, 0), worker.told()
    assert job.report is not None
    assert "NOT_STORED" not in job.report["media"]["outcomes"]
    assert await worker.end() == 0, worker.told()
    assert await service.violations({job_id: 1}) == []


@asynccontextmanager
async def polling(client: httpx.AsyncClient, job_ids: list[UUID]) -> AsyncIterator[list[list[int]]]:
    """Many clients that ask for the imports' state; yields the statuses that each has got.

    What the application does not expect is raised here.
    """
    statuses: list[list[int]] = [[] for _ in range(CLIENTS)]
    over = asyncio.Event()

    async def poll(number: int) -> None:
        while not over.is_set():
            answer = await client.get(f"/v1/tasks/{job_ids[number % len(job_ids)]}")
            assert answer.status_code == 200 or (
                answer.status_code == 503 and int(answer.headers["Retry-After"]) > 0
            ), answer.text
            statuses[number].append(answer.status_code)
            # A client that asks all the time leaves the worker no processor.
            await asyncio.sleep(PAUSE_SECONDS)

    async with asyncio.TaskGroup() as group:
        for number in range(CLIENTS):
            group.create_task(poll(number))
        try:
            yield statuses
        finally:
            over.set()


@pytest.fixture
def hasty_pools(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who waits for a connection in vain learns of it after a second, and not after ten."""

    def create(config: DatabaseConfig, **options: Any) -> AsyncEngine:
        return lend_engine(replace(config, pool_timeout=1.0), **options)

    for module in ("eventimport.resources", "eventimport.database.engine"):
        monkeypatch.setattr(f"{module}.create_engine", create)


@pytest.mark.usefixtures("hasty_pools")
@pytest.mark.parametrize("fault", FAULTS)
async def test_clients_and_imports_with_few_connections(
    role_url: str, service: Service, redis_url: str, fault: str
) -> None:
    begin, reason = FAULTS[fault]
    jobs = {await service.accept(number): number for number in range(IMPORTS)}
    settings = settings_of(role_url, redis_url, service.environment["LOCAL_STORAGE_PATH"])
    settings = settings.model_copy(update={"requests_per_minute": 0})
    application = answers(settings, service.user_id)
    async with (
        await begin(service, role_url) as lasting,
        application as client,
        client,
        polling(client, list(jobs)) as statuses,
    ):
        worker = await service.worker(None, DATABASE_URL=role_url, **STRICT)
        await refused(worker, reason)
        for url, field in ((IMPORT, "file"), (UPLOAD, "files")):
            answer = await client.post(url, files={field: ("a.zip", ZIP)})
            assert answer.status_code == 503, answer.text
            assert int(answer.headers["Retry-After"]) > 0
        expected = 503 if fault == "no connections" else 200
        await until(lambda: all(expected in one for one in statuses), lambda: str(statuses))
        await lasting.aclose()
        for job_id in jobs:
            job = await service.ended(job_id)
            assert (job.status, job.failures) == (ImportStatus.SUCCESS, 0), worker.told()
        seen = [len(one) for one in statuses]
        await until(
            lambda: all(200 in one[before:] for one, before in zip(statuses, seen, strict=True)),
            lambda: str([Counter(one) for one in statuses]),
        )
    assert await worker.end() == 0, worker.told()
    assert await service.violations(jobs) == []
