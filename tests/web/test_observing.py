"""What those who run the service see of it: readiness, metrics, traces."""

import errno
import re
import time
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from pydantic import SecretStr
from redis.asyncio import Redis
from redis.exceptions import AuthenticationError, ResponseError
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from eventimport.database.engine import NEEDS_POOLER
from eventimport.database.models import ImportJob, User
from eventimport.http import readiness
from eventimport.http.readiness import CHECKS
from eventimport.imports.run import run_import
from eventimport.main import create_app
from eventimport.observability import tracing
from eventimport.observability.tracing_export import Redaction
from eventimport.queue import worker_key
from eventimport.settings import Settings, load_settings
from eventimport.storage.local import disk_error

TASK_URL = re.compile(r"/v1/tasks/([0-9a-f-]{36})")


async def post_archive(client: httpx.AsyncClient, archive: bytes) -> str:
    """Import it, and give the job's id."""
    answer = await client.post("/v1/events/import/json", files={"file": ("a.zip", archive)})
    found = TASK_URL.fullmatch(answer.json()["task_url"])
    assert found
    return found[1]


def samples(text: str) -> dict[str, float]:
    """A metrics document's samples: name and labels → value."""
    lines = [line.rpartition(" ") for line in text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in lines}


@pytest.fixture
async def live_worker(settings: Settings, redis_url: str) -> None:
    """A worker that has told the queue that it is alive."""
    async with Redis.from_url(redis_url) as redis:
        await redis.set(worker_key(settings.queue_name, "host:1"), "well")


async def test_ready(client: httpx.AsyncClient, live_worker: None) -> None:
    answer = await client.get("/readyz")

    assert answer.status_code == 200
    checks = dict.fromkeys(CHECKS, "ok")
    assert answer.json() == {"status": "ok", "checks": checks, "confirmation": "off"}


async def test_without_a_worker_it_is_not_ready(client: httpx.AsyncClient) -> None:
    answer = await client.get("/readyz")

    assert answer.status_code == 503
    assert answer.headers["retry-after"]
    (error,) = answer.json()["errors"]
    assert error["code"] == "not-ready"
    assert error["meta"]["checks"] == dict.fromkeys(CHECKS, "ok") | {"worker": "failed"}
    assert "eventimport worker" in error["meta"]["reasons"]["worker"]


async def test_whatever_is_away_is_named_and_nothing_else(
    start_service: Any, settings: Settings
) -> None:
    address = "user:hunter2@127.0.0.1:1"
    service = await start_service(
        database_url=SecretStr(f"postgresql://{address}/nothing"),
        redis_url=SecretStr(f"redis://{address}/0"),
    )

    answer = await (await service.client()).get("/readyz")

    assert answer.status_code == 503
    checks = answer.json()["errors"][0]["meta"]["checks"]
    assert (checks["database"], checks["queue"]) == ("failed", "failed")
    assert (checks["backlog"], checks["clocks"]) == ("unknown", "unknown")
    assert "hunter2" not in answer.text
    assert "127.0.0.1" not in answer.text


async def test_each_failing_check_says_what_to_change(
    start_service: Any,
    live_worker: None,
    archive: bytes,
    user: User,
    *,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The disk, the backlog and the clocks, each in one line of the log however often it fails."""
    service = await start_service(min_free_disk_bytes=1 << 60, max_queue_wait=60.0)
    client = await service.client(user)
    await post_archive(client, archive)
    async with service.resources.engine.begin() as connection:
        await connection.execute(text("UPDATE tasks SET created_at = now() - interval '1 hour'"))
    monkeypatch.setattr(readiness, "wall_clock", lambda: time.time() + 3600)

    for _ in range(3):
        answer = await client.get("/readyz")

    (error,) = answer.json()["errors"]
    reasons = error["meta"]["reasons"]
    assert error["meta"]["checks"] == dict.fromkeys(CHECKS, "ok") | dict.fromkeys(reasons, "failed")
    assert "MIN_FREE_DISK_BYTES" in reasons["disk"]
    assert "MAX_QUEUE_WAIT" in reasons["backlog"]
    assert "MAX_CLOCK_DIFFERENCE" in reasons["clocks"]
    lines = [line for line in caplog.messages if line.startswith("not ready")]
    assert [line.split(": ")[1] for line in lines] == ["disk", "backlog", "clocks"]
    told = samples((await client.get("/metrics")).text)
    assert told['eventimport_check_ok{check="clocks"}'] == 0
    assert told['eventimport_check_ok{check="database"}'] == 1
    assert told['eventimport_clock_difference_seconds{server="database"}'] > 3500
    assert told['eventimport_clock_difference_seconds{server="redis"}'] > 3500
    assert told["eventimport_workers"] == 1

    monkeypatch.undo()
    await run_import(service.resources, (await first_task(service)))
    caplog.set_level("INFO")
    assert list((await client.get("/readyz")).json()["errors"][0]["meta"]["reasons"]) == ["disk"]
    assert {"ready again: clocks", "ready again: backlog"} <= set(caplog.messages)


async def first_task(service: Any) -> UUID:
    """The id of the only task."""
    async with service.resources.reader.connect() as connection:
        found = await connection.scalar(text("SELECT id FROM tasks"))
    assert isinstance(found, UUID)
    return found


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ClientError({"Error": {"Code": "InvalidAccessKeyId"}}, "GetObject"), "S3_ACCESS_KEY"),
        (ClientError({"Error": {"Code": "NoSuchBucket"}}, "GetObject"), "S3_BUCKET"),
        (ClientError({"Error": {"Code": "AccessDenied"}}, "GetObject"), "AccessDenied"),
        (ClientError({"Error": {"Code": "BadDigest"}}, "GetObject"), "BadDigest"),
        (EndpointConnectionError(endpoint_url="http://10.0.0.7:9000"), "S3_ENDPOINT_URL"),
    ],
)
async def test_a_failing_bucket_is_explained(
    start_service: Any, live_worker: None, error: Exception, words: str
) -> None:
    service = await start_service(storage_place="s3", s3_bucket="archives", s3_region="eu-west-1")
    client: Any = await service.resources.storages.active._connected()

    async def fail(**_: Any) -> None:
        raise error

    client.get_object = fail

    answer = await (await service.client()).get("/readyz")

    (problem,) = answer.json()["errors"]
    assert problem["meta"]["checks"]["storage"] == "failed"
    assert words in problem["meta"]["reasons"]["storage"]
    assert "10.0.0.7" not in answer.text


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ResponseError("MISCONF Redis is configured to save RDB snapshots"), "disk"),
        (ResponseError("OOM command not allowed when used memory > 'maxmemory'."), "maxmemory"),
        (AuthenticationError("WRONGPASS invalid username-password pair"), "REDIS_URL"),
        (disk_error(OSError(errno.ENOSPC, "No space left on device")), "ENOSPC. The disk is full"),
        (disk_error(OSError(errno.EACCES, "denied", "/data/secret")), "LOCAL_STORAGE_PATH"),
        (DBAPIError("x", None, asyncpg.CannotConnectNowError(NEEDS_POOLER)), "DATABASE_POOLER"),
        (DBAPIError("SELECT 1", None, asyncpg.DiskFullError("no")), "disk of PostgreSQL is full"),
        (DBAPIError("x", None, asyncpg.TooManyConnectionsError("no")), "DATABASE_POOL_SIZE"),
        (DBAPIError("x", None, asyncpg.InvalidPasswordError("for ada")), "DATABASE_URL"),
        (DBAPIError("x", None, asyncpg.CannotConnectNowError("at db:5432")), "57P03"),
        (DBAPIError("x", None, asyncpg.UndefinedFunctionError("of ada")), "42883"),
        (PoolTimeoutError("QueuePool limit"), "DATABASE_POOL_SIZE"),
        (RuntimeError("a secret"), "RuntimeError."),
    ],
)
def test_reasons_name_codes_and_settings_but_no_values(error: Exception, words: str) -> None:
    reason = readiness.reason_of(error)

    assert words in reason
    assert not any(value in reason for value in ("ada", "db:5432", "secret", "/data"))


async def test_metrics_of_requests_and_imports(
    service: Any, user_client: httpx.AsyncClient, archive: bytes
) -> None:
    done, broken = (
        await post_archive(user_client, archive),
        await post_archive(user_client, b"PK\x03\x04"),
    )
    await post_archive(user_client, archive)
    for job_id in (done, broken):
        await run_import(service.resources, UUID(job_id))
    await user_client.get(f"/v1/tasks/{done}")
    await user_client.get("/v1/nothing")

    answer = await user_client.get("/metrics")

    assert answer.headers["content-type"].startswith("text/plain")
    told = samples(answer.text)
    assert not [name for name in told if "_created" in name]
    assert told["process_resident_memory_bytes"] > 0
    requests = "eventimport_http_requests_total"
    importing = 'method="POST",route="/v1/events/import/{source_type}"'
    assert told[f'{requests}{{{importing},status="202"}}'] == 3
    assert told[f'{requests}{{method="GET",route="/v1/tasks/{{task_id}}",status="200"}}'] == 1
    assert told[f'{requests}{{method="GET",route="other",status="404"}}'] == 1
    assert told[f"eventimport_http_request_seconds_count{{{importing}}}"] == 3
    assert told["eventimport_database_up"] == 1
    assert told['eventimport_imports{stage="done",status="SUCCESS"}'] == 1
    assert told['eventimport_imports{stage="reading",status="FAILURE"}'] == 1
    assert told['eventimport_imports{stage="waiting",status="PENDING"}'] == 1
    assert told["eventimport_waiting_imports"] == 1
    assert told["eventimport_oldest_waiting_import_seconds"] > 0
    assert told['eventimport_waiting_tasks{kind="import"}'] == 1
    assert told["eventimport_oldest_waiting_task_seconds"] > 0
    for stage, imports in {"reading": 2, "planning": 1, "writing": 1, "media": 1}.items():
        assert told[f'eventimport_stage_seconds_count{{stage="{stage}"}}'] == imports
        assert told[f'eventimport_stage_seconds_sum{{stage="{stage}"}}'] >= 0
    assert told['eventimport_stored_bytes{kind="archive"}'] == 2 * len(archive) + 4


async def test_metrics_while_the_database_is_away(start_service: Any) -> None:
    url = SecretStr("postgresql://nobody@127.0.0.1:1/nothing")
    client = await (await start_service(database_url=url)).client()
    await client.get("/healthz")

    told = samples((await client.get("/metrics")).text)

    assert told["eventimport_database_up"] == 0
    assert told['eventimport_http_requests_total{method="GET",route="/healthz",status="200"}'] == 1


async def test_no_stranger_makes_a_label(client: httpx.AsyncClient) -> None:
    for path in ("/a", "/b", "/v1/tasks/1", "/v1/tasks/2"):
        await client.request("BREW", path)

    told = samples((await client.get("/metrics")).text)

    brewed = [name for name in told if name.startswith("eventimport_http_requests_total")]
    assert all('method="other"' in name for name in brewed)
    assert len(brewed) == 2


@pytest.mark.parametrize(
    "name", ["Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP", "Via"]
)
async def test_what_a_proxy_forwards_is_not_from_this_machine(
    client: httpx.AsyncClient, name: str
) -> None:
    assert (await client.get("/metrics")).status_code == 200
    assert (await client.get("/metrics", headers={name: "127.0.0.1"})).status_code == 403


@pytest.mark.parametrize(
    ("changes", "client_host", "authorization", "status"),
    [
        ({}, "127.0.0.1", None, 200),
        ({}, "::1", None, 200),
        ({}, "192.0.2.7", None, 403),
        ({}, "unknown", None, 403),
        ({"metrics_token": SecretStr("swordfish")}, "192.0.2.7", "Bearer swordfish", 200),
        ({"metrics_token": SecretStr("swordfish")}, "127.0.0.1", None, 401),
        ({"metrics_token": SecretStr("swordfish")}, "127.0.0.1", "Bearer haddock", 401),
        ({"metrics_token": SecretStr("swordfish")}, "127.0.0.1", "Bearer swordfisch", 401),
        ({"metrics_enabled": False}, "127.0.0.1", None, 404),
    ],
)
async def test_who_may_read_metrics(
    start_service: Any,
    changes: dict[str, Any],
    client_host: str,
    authorization: str | None,
    status: int,
) -> None:
    service = await start_service(**changes)
    transport = httpx.ASGITransport(service.answer, client=(client_host, 1))
    headers = {"Authorization": authorization} if authorization else {}

    async with httpx.AsyncClient(
        transport=transport, base_url="http://service.example", headers=headers
    ) as client:
        answer = await client.get("/metrics")

    assert answer.status_code == status


@pytest.fixture
def spans() -> InMemorySpanExporter:
    """Where the spans of a test end up."""
    return InMemorySpanExporter()


async def test_a_job_is_in_the_trace_of_its_request(
    settings: Settings, user: User, archive: bytes, spans: InMemorySpanExporter
) -> None:
    provider = TracerProvider()
    provider.add_span_processor(Redaction())
    provider.add_span_processor(SimpleSpanProcessor(spans))
    app = create_app(settings, provider)
    trace_id = "0af7651916cd43dd8448eb211c80319c"
    async with app.router.lifespan_context(app) as state:
        assert state is not None
        resources = state["resources"]

        async def answer(scope: Any, receive: Any, send: Any) -> None:
            await app({**scope, "state": dict(state)}, receive, send)

        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(answer), base_url="http://service.example"
        ) as client:
            client.headers["Authorization"] = f"Bearer {resources.tokens.issue(user.id)}"
            client.headers["traceparent"] = f"00-{trace_id}-b7ad6b7169203331-01"
            job_id = await post_archive(client, archive)
            await client.get("/events/nothing?preview=eyJ.secret.token")
        await run_import(resources, UUID(job_id))

    by_name = {span.name: span for span in spans.get_finished_spans()}
    request, job = by_name["POST /v1/events/import/{source_type}"], by_name["import"]
    assert request.context is not None
    assert job.context is not None
    assert f"{request.context.trace_id:032x}" == f"{job.context.trace_id:032x}" == trace_id
    assert job.parent is not None
    assert job.parent.span_id == request.context.span_id
    assert job.attributes is not None
    assert job.attributes["task.id"] == job_id
    assert float(str(job.attributes["stage.reading.seconds"])) >= 0
    assert "secret" not in "".join(span.to_json() for span in spans.get_finished_spans())


async def test_without_an_endpoint_nothing_is_traced(
    service: Any, user_client: httpx.AsyncClient, archive: bytes
) -> None:
    job_id = await post_archive(user_client, archive)

    async with service.resources.sessions() as session:
        job = await session.get(ImportJob, job_id)

    assert job.trace_parent is None


def test_an_endpoint_without_the_extra_is_told_at_the_start(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tracing, "EXPORTER_MODULES", ("no_such_package.exporter",))
    given = settings.model_dump(include={"database_url", "redis_url", "secret_key"})

    with pytest.raises(SystemExit):
        load_settings(**given, otel_exporter_otlp_endpoint="http://collector.example:4318")

    assert "pip install eventimport[otel]" in capsys.readouterr().err
