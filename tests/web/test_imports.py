"""Posting an archive: what is accepted, what is refused, and that nothing is left of the latter."""

import asyncio
import itertools
import uuid
from collections.abc import AsyncIterable, AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from arq.connections import ArqRedis
from pydantic import SecretStr
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker
from starlette.types import Message

from eventimport.database.models import ImportJob, User
from eventimport.file_requests import FileRequest
from eventimport.formats import IMPORTABLE, format_named, names_of
from eventimport.queue import create_redis, deserialize_job
from eventimport.settings import Settings
from eventimport.storage.protocol import StorageError

URL = "/v1/events/import/json"
BOUNDARY = "frontier"
FORM = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}


def form(*parts: tuple[str, bytes], end: bytes = b"--frontier--\r\n") -> bytes:
    """A multipart body; each part is the rest of its Content-Disposition and its content."""
    body = b"".join(
        f"--{BOUNDARY}\r\nContent-Disposition: form-data; {disposition}\r\n\r\n".encode()
        + content
        + b"\r\n"
        for disposition, content in parts
    )
    return body + end


@dataclass(frozen=True)
class Traces:
    """What a request may leave behind."""

    factory: async_sessionmaker[AsyncSession]
    root: Path
    redis: ArqRedis

    async def jobs(self) -> list[ImportJob]:
        """All import jobs."""
        async with self.factory() as session:
            return list((await session.scalars(select(ImportJob))).all())

    def files(self) -> list[str]:
        """All files of the storage, unfinished ones included."""
        return [str(path.relative_to(self.root)) for path in self.root.rglob("*") if path.is_file()]

    async def queued(self) -> list[tuple[str, list[Any]]]:
        """Function and arguments of each job in the queue."""
        return [(job.function, list(job.args)) for job in await self.redis.queued_jobs()]

    async def none(self) -> bool:
        """Whether there are none at all."""
        return not (self.files() or await self.jobs() or await self.queued())


@pytest.fixture
async def traces(
    settings: Settings, session_factory: async_sessionmaker[AsyncSession]
) -> AsyncIterator[Traces]:
    """What the application with these settings has left behind."""
    redis = create_redis(settings.queue)
    yield Traces(session_factory, settings.local_storage_path, redis)
    await redis.aclose()


async def test_an_archive_is_stored_then_noted_then_enqueued(
    user: User, user_client: httpx.AsyncClient, archive: bytes, traces: Traces
) -> None:
    response = await user_client.post(URL, files={"file": ("FOSSASIA 2016.zip", archive)})

    assert response.status_code == 202
    task_url = response.json()["task_url"]
    job_id = task_url.split("/")[3]
    assert task_url == f"/v1/tasks/{uuid.UUID(job_id)}"
    assert response.headers["location"] == task_url
    assert response.headers["retry-after"] == "1"
    (job,) = await traces.jobs()
    assert str(job.id) == job_id
    assert job.user_id == user.id
    assert (job.status, job.attempt, job.strict, job.dry_run) == ("PENDING", 0, False, False)
    assert job.file_name == "FOSSASIA 2016.zip"
    assert (job.archive_storage, job.archive_size) == ("local", len(archive))
    assert job.archive_key == f"private/imports/{job_id}/source"
    assert traces.files() == [job.archive_key]
    assert (traces.root / job.archive_key).read_bytes() == archive
    assert await traces.queued() == [("wake_up", [])]


async def test_the_queue_holds_json(
    user_client: httpx.AsyncClient, archive: bytes, traces: Traces
) -> None:
    await user_client.post(URL, files={"file": archive})

    (key,) = await traces.redis.keys("arq:job:*")
    data = await traces.redis.get(key)
    assert data.startswith(b"{")
    assert deserialize_job(data)["f"] == "wake_up"


async def test_options_are_noted(
    user_client: httpx.AsyncClient,
    archive: bytes,
    traces: Traces,
) -> None:
    await user_client.post(URL, params={"strict": "true"}, files={"file": archive})
    await user_client.post(URL, params={"dry_run": "true"}, files={"file": archive})

    options = {(job.strict, job.dry_run) for job in await traces.jobs()}
    assert options == {(True, False), (False, True)}


async def test_other_parts_are_passed_over(
    user_client: httpx.AsyncClient,
    archive: bytes,
    traces: Traces,
) -> None:
    body = form(
        ('name="comment"', b"hello"),
        ('name="file"; filename="a.zip"', archive),
        ('name="submit"', b"Import"),
    )

    response = await user_client.post(URL, content=body, headers=FORM)

    assert response.status_code == 202
    assert [job.archive_size for job in await traces.jobs()] == [len(archive)]


NO_CHOICE = ('name="file"; filename=""', b"")


@pytest.mark.parametrize("head", ['name="file"', 'name="file"; filename=""'])
@pytest.mark.parametrize("others", [[], [NO_CHOICE], [NO_CHOICE, NO_CHOICE]])
async def test_an_archive_without_a_file_name(
    user_client: httpx.AsyncClient,
    archive: bytes,
    traces: Traces,
    head: str,
    others: list[tuple[str, bytes]],
) -> None:
    """Larger than a field may be; and forms have file inputs where no file was chosen."""
    large = archive + bytes(100_000)
    for parts in ([(head, large), *others], [*others, (head, large)]):
        response = await user_client.post(URL, content=form(*parts), headers=FORM)
        assert response.status_code == 202, response.text

    assert [job.archive_size for job in await traces.jobs()] == [len(large)] * 2


async def test_an_input_without_a_file_beside_the_archive(
    user_client: httpx.AsyncClient, archive: bytes, traces: Traces
) -> None:
    body = form(NO_CHOICE, ('name="file"; filename="a.zip"', archive), NO_CHOICE)

    response = await user_client.post(URL, content=body, headers=FORM)

    assert response.status_code == 202
    assert [job.archive_size for job in await traces.jobs()] == [len(archive)]


async def test_lines_that_end_with_lf_are_explained(
    user_client: httpx.AsyncClient, archive: bytes, traces: Traces
) -> None:
    body = form(('name="file"; filename="a.zip"', archive)).replace(b"\r\n", b"\n")

    response = await user_client.post(URL, content=body, headers=FORM)

    (error,) = response.json()["errors"]
    assert (response.status_code, error["code"]) == (400, "malformed-form")
    assert "CRLF" in error["detail"]
    assert await traces.none()


ZIP = b"PK\x05\x06" + bytes(18)
FILE = 'name="file"; filename="a.zip"'
REFUSED = {
    "no part": (form(), 400, "no-file"),
    "another part": (form(('name="archive"; filename="a.zip"', ZIP)), 400, "no-file"),
    "a field, not a file": (form(('name="file"', b"a.zip")), 400, "no-file"),
    "an input without a file": (form(('name="file"; filename=""', b"")), 400, "no-file"),
    "an empty file": (form((FILE, b"")), 400, "empty-file"),
    "not a zip": (form((FILE, b"%PDF-1.7 and so on")), 415, "not-a-zip"),
    "shorter than a signature": (form((FILE, b"PK")), 415, "not-a-zip"),
    "two files": (form((FILE, ZIP), (FILE, ZIP)), None, None),
    "too large": (form((FILE, ZIP + bytes(4096))), 413, None),
    "truncated in the file": (form((FILE, ZIP), end=b"")[:-10], 400, None),
    "truncated after the file": (form((FILE, ZIP), end=b"--front"), 400, None),
    "garbage": (b"no form at all", 400, None),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_what_is_refused_leaves_nothing_behind(
    start_service: Any,
    user: User,
    traces: Traces,
    case: str,
) -> None:
    body, status, code = REFUSED[case]
    service = await start_service(max_archive_bytes=1024)
    client = await service.client(user)

    response = await client.post(URL, content=body, headers=FORM)

    assert response.status_code == status if status else response.status_code in {400, 413}
    (error,) = response.json()["errors"]
    assert error["code"] == code or code is None
    assert await traces.none()


@pytest.mark.parametrize(
    "headers",
    [{"Content-Type": "application/zip"}, {"Content-Type": "application/json"}, {}],
)
async def test_what_is_no_form_is_refused(
    user_client: httpx.AsyncClient, archive: bytes, headers: dict[str, str]
) -> None:
    response = await user_client.post(URL, content=archive, headers=headers)

    assert response.status_code == 415


def scope_of_upload(token: str) -> dict[str, Any]:
    """A request as a server hands it on, for tests that are the server."""
    return {
        "type": "http",
        "method": "POST",
        "path": URL,
        "query_string": b"",
        "headers": [
            (b"host", b"service.example"),
            (b"authorization", f"JWT {token}".encode()),
            (b"content-type", FORM["Content-Type"].encode()),
            (b"transfer-encoding", b"chunked"),
        ],
    }


@pytest.mark.parametrize("ending", ["disconnect", "cancel"])
async def test_a_client_that_goes_away_leaves_nothing_behind(
    service: Any, user: User, traces: Traces, ending: str
) -> None:
    begun = [form((FILE, ZIP), end=b"")[:-2], bytes(1024 * 1024)]
    half_way = asyncio.Event()

    async def receive() -> Message:
        if begun:
            return {"type": "http.request", "body": begun.pop(0), "more_body": True}
        half_way.set()
        if ending == "cancel":
            await asyncio.Event().wait()
        return {"type": "http.disconnect"}

    async def send(_message: Message) -> None:
        return

    token = service.resources.tokens.issue(user.id)
    request = asyncio.create_task(service.answer(scope_of_upload(token), receive, send))
    await half_way.wait()
    if ending == "cancel":
        request.cancel()
        with pytest.raises(asyncio.CancelledError):
            await request
    else:
        await request

    assert await traces.none()


async def test_too_large_is_refused_before_the_rest_is_read(
    start_service: Any, user: User, traces: Traces
) -> None:
    service = await start_service(max_archive_bytes=64 * 1024)
    token = service.resources.tokens.issue(user.id)
    received: list[int] = []
    answers: list[tuple[int, int]] = []
    chunks = itertools.chain([form((FILE, ZIP), end=b"")[:-2]], itertools.repeat(bytes(16 * 1024)))

    async def receive() -> Message:
        chunk = next(chunks)
        received.append(len(chunk))
        return {"type": "http.request", "body": chunk, "more_body": True}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            answers.append((message["status"], sum(received)))

    await service.answer(scope_of_upload(token), receive, send)

    ((status, received_before),) = answers
    assert status == 413
    assert received_before < 128 * 1024
    assert await traces.none()


async def test_a_declared_size_is_refused_at_once(start_service: Any, user: User) -> None:
    service = await start_service(max_archive_bytes=1024)
    client = await service.client(user)
    asked = False

    async def body() -> AsyncIterator[bytes]:
        nonlocal asked
        asked = True
        yield b""

    headers = {**FORM, "Content-Length": str(2**40), "Expect": "100-continue"}
    response = await client.post(URL, content=body(), headers=headers)

    assert response.status_code == 413
    assert not asked


@pytest.mark.parametrize("source_type", ["csv", "JSON", "json ", "AUTO"])
async def test_an_unknown_format_is_not_found_and_the_known_ones_are_listed(
    user_client: httpx.AsyncClient, archive: bytes, traces: Traces, source_type: str
) -> None:
    response = await user_client.post(f"/v1/events/import/{source_type}", files={"file": archive})

    assert response.status_code == 404
    (error,) = response.json()["errors"]
    assert error["code"] == "unknown-source-type"
    assert all(name in error["detail"] for name in (source_type, *names_of(IMPORTABLE)))
    assert await traces.none()


@pytest.mark.parametrize("name", names_of(IMPORTABLE))
async def test_a_format_is_known_by_its_name_and_its_aliases(
    user_client: httpx.AsyncClient, archive: bytes, traces: Traces, name: str
) -> None:
    url = f"/v1/events/import/{name}"
    response = await user_client.post(url, files={"file": ("a.zip", archive)})

    assert response.status_code == 202
    (job,) = await traces.jobs()
    assert name in format_named(job.format).names
    assert job.format in {each.name for each in IMPORTABLE}


async def test_the_api_documents_the_formats(user_client: httpx.AsyncClient) -> None:
    described = (await user_client.get("/openapi.json")).json()
    operation = described["paths"]["/v1/events/import/{source_type}"]["post"]
    (parameter,) = (each for each in operation["parameters"] if each["in"] == "path")

    assert parameter["schema"]["enum"] == [*names_of(IMPORTABLE), "auto"]


async def test_the_api_documents_the_options(user_client: httpx.AsyncClient) -> None:
    described = (await user_client.get("/openapi.json")).json()
    operation = described["paths"]["/v1/events/import/{source_type}"]["post"]
    options = {each["name"]: each for each in operation["parameters"] if each["in"] == "query"}

    assert set(options) == {
        *("strict", "dry_run", "publish", "confirm"),
        *("timezone", "name", "language"),
    }
    assert all(each["description"] for each in options.values())
    assert options["timezone"]["schema"]["examples"]
    # Swagger UI would send an `example` unless it is deleted.
    assert all("example" not in {*each, *each["schema"]} for each in options.values())


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({}, {}),
        ({"timezone": "Europe/Berlin"}, {"timezone": "Europe/Berlin"}),
        ({"timezone": "europe/berlin"}, {"timezone": "Europe/Berlin"}),
        ({"timezone": "+05:30"}, {"timezone": "+05:30"}),
        ({"name": " Süd ⚡ "}, {"name": "Süd ⚡"}),
        ({"language": "pt_BR", "name": "A"}, {"language": "pt-BR", "name": "A"}),
    ],
)
async def test_what_the_user_says_about_the_event_is_noted(
    user_client: httpx.AsyncClient,
    archive: bytes,
    traces: Traces,
    given: dict[str, str],
    kept: dict[str, str],
) -> None:
    response = await user_client.post(URL, params=given, files={"file": archive})

    assert response.status_code == 202
    (job,) = await traces.jobs()
    assert job.options == kept
    shown = await user_client.get(f"/v1/import-jobs/{job.id}")
    assert shown.json()["data"]["attributes"]["options"] == kept


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("timezone", ""),
        ("timezone", "Mars/Olympus"),
        ("timezone", "Europe/Berlin2"),
        ("timezone", "x" * 101),
        ("timezone", "(+03:00) Berlin"),
        ("name", " "),
        ("name", "a\x00b"),
        ("name", "x" * 256),
        ("language", ""),
        ("language", "German, mostly"),
        ("language", "x" * 36),
    ],
)
async def test_an_invalid_option_is_named(
    user_client: httpx.AsyncClient, archive: bytes, traces: Traces, option: str, value: str
) -> None:
    response = await user_client.post(URL, params={option: value}, files={"file": archive})

    assert response.status_code == 400
    (error,) = response.json()["errors"]
    assert error["source"] == {"parameter": option}
    assert error["code"] == "invalid-parameter"
    assert await traces.none()


VCALENDAR = b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nEND:VCALENDAR\r\n"


async def test_a_file_in_another_format_is_named_with_its_route(
    user_client: httpx.AsyncClient, traces: Traces
) -> None:
    response = await user_client.post(URL, files={"file": ("event.zip", VCALENDAR)})

    assert response.status_code == 415
    (error,) = response.json()["errors"]
    assert error["code"] == "other-format"
    assert "/v1/events/import/ical" in error["detail"]
    assert await traces.none()


@pytest.mark.parametrize("name", ["ical", "auto"])
@pytest.mark.parametrize("head", ['name="file"', 'name="file"; filename="calendar"'])
async def test_a_document_without_a_file_name_is_a_file(
    user_client: httpx.AsyncClient, traces: Traces, name: str, head: str
) -> None:
    body = form((head, VCALENDAR))

    response = await user_client.post(f"/v1/events/import/{name}", content=body, headers=FORM)

    assert response.status_code == 202
    (job,) = await traces.jobs()
    assert (job.format, job.archive_size) == (name, len(VCALENDAR))


@pytest.mark.parametrize(
    ("name", "data", "content_type"),
    [
        ("auto", ZIP, "application/zip"),
        ("ical", ZIP, "application/zip"),
        ("auto", VCALENDAR, "text/calendar"),
        ("ical", VCALENDAR, "text/calendar"),
        ("auto", b"%PDF-1.7", "application/octet-stream"),
        ("openevent", b'{"event": {"name": "A"}}', "application/json"),
        ("schedule-xml", b"<schedule>", "application/xml"),
    ],
)
async def test_a_file_is_stored_as_what_it_is(  # noqa: PLR0917 - fixtures
    service: Any,
    user: User,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    data: bytes,
    content_type: str,
) -> None:
    stored = []
    original = FileRequest.store_archive

    async def store(self: Any, *arguments: Any, content_type: str) -> int:
        stored.append(content_type)
        return await original(self, *arguments, content_type=content_type)

    monkeypatch.setattr(FileRequest, "store_archive", store)
    client = await service.client(user)

    response = await client.post(f"/v1/events/import/{name}", files={"file": ("a", data)})

    assert response.status_code == 202, response.text
    assert stored == [content_type]


async def test_auto_is_noted_until_the_format_is_detected(
    user_client: httpx.AsyncClient, archive: bytes, traces: Traces
) -> None:
    for data in (archive, b"%PDF-1.7"):
        response = await user_client.post(
            "/v1/events/import/auto", files={"file": ("schedule.xml", data)}
        )
        assert response.status_code == 202

    assert [job.format for job in await traces.jobs()] == ["auto", "auto"]


@pytest.mark.parametrize("query", ["stict=true", "strict=maybe", "dry_run="])
async def test_the_query_is_taken_strictly(
    user_client: httpx.AsyncClient,
    archive: bytes,
    traces: Traces,
    query: str,
) -> None:
    response = await user_client.post(f"{URL}?{query}", files={"file": archive})

    assert response.status_code == 400
    (error,) = response.json()["errors"]
    assert error["source"] == {"parameter": query.split("=", maxsplit=1)[0]}
    assert await traces.jobs() == []


async def test_file_names_are_kept_without_what_nobody_can_print(
    user_client: httpx.AsyncClient,
    archive: bytes,
    traces: Traces,
) -> None:
    name = "Zeugnis\x00 für\x1b Köln " + "x" * 4000 + ".zip"
    body = form((f'name="file"; filename="{name}"', archive))

    response = await user_client.post(URL, content=body, headers=FORM)

    assert response.status_code == 202
    (job,) = await traces.jobs()
    assert job.file_name is not None
    assert job.file_name.startswith("Zeugnis für Köln ")
    assert len(job.file_name) == 255


async def test_without_redis_the_import_is_accepted_all_the_same(
    start_service: Any, user: User, archive: bytes, traces: Traces
) -> None:
    redis_url = SecretStr("redis://127.0.0.1:1/0")
    service = await start_service(redis_url=redis_url)
    client = await service.client(user)

    response = await client.post(URL, files={"file": archive})

    assert response.status_code == 202
    (job,) = await traces.jobs()
    assert job.status == "PENDING"
    assert traces.files() == [job.archive_key]


async def test_a_database_that_fails_leaves_no_object_behind(
    service: Any,
    user: User,
    archive: bytes,
    engine: AsyncEngine,
    traces: Traces,
) -> None:
    client = await service.client(user, raises=False)
    refuse_rows = (
        "CREATE FUNCTION refuse_row() RETURNS trigger LANGUAGE plpgsql AS"
        " $$BEGIN RAISE EXCEPTION 'no'; END$$",
        "CREATE TRIGGER refuse_row BEFORE INSERT ON import_jobs EXECUTE FUNCTION refuse_row()",
    )
    async with engine.begin() as connection:
        for statement in refuse_rows:
            await connection.execute(text(statement))
    try:
        response = await client.post(URL, files={"file": archive})
    finally:
        async with engine.begin() as connection:
            await connection.execute(text("DROP FUNCTION refuse_row CASCADE"))

    assert response.status_code == 500
    assert response.json()["errors"][0]["code"] == "internal-error"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert await traces.none()


async def test_a_storage_that_fails_is_told(
    service: Any,
    user_client: httpx.AsyncClient,
    archive: bytes,
    traces: Traces,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def put(_key: str, _chunks: AsyncIterable[bytes], *, content_type: str) -> None:
        raise StorageError("the disk is full")

    monkeypatch.setattr(service.resources.storages.active, "put", put)

    response = await user_client.post(URL, files={"file": archive})

    assert response.status_code == 503
    assert "retry-after" in response.headers
    assert "disk" not in response.text
    assert await traces.jobs() == []
