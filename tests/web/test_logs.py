"""The logs: structured, found by request, task and user, and without a word of personal data."""

import io
import json
import logging
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI
from pydantic import BaseModel, EmailStr
from sqlalchemy.exc import DBAPIError
from starlette.exceptions import HTTPException

from eventimport.database.models import User
from eventimport.imports.run import run_import
from eventimport.observability import logs
from eventimport.observability.logs import LogConfig
from eventimport.observability.redaction import redact, traceback_of
from eventimport.storage.protocol import StorageError

EMAIL = "grace.hopper@navy.example"
PASSWORD = "correct horse battery staple"
SPEAKER = "Ada Lovelace-Byron"
SPEAKER_EMAIL = "ada.private@engine.example"
FILE_NAME = "portrait-of-grace.png"
PREVIEW = "preview-token-of-somebody"

Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """What is logged, from all that there is to log on."""
    root = logging.getLogger()
    before = root.handlers[:], root.level
    stream = io.StringIO()
    logs.configure(LogConfig(level="debug", format="json"), stream)
    yield stream
    root.handlers[:], level = before
    root.setLevel(level)
    logs.forget()


@pytest.fixture
def lines(stream: io.StringIO) -> Lines:
    """The logged lines, so far."""
    return lambda: [json.loads(line) for line in stream.getvalue().splitlines()]


def conference_zip(pack: Callable[..., bytes], **speaker: Any) -> bytes:
    """An archive with one speaker."""
    record = {"id": 1, "name": SPEAKER, "email": SPEAKER_EMAIL, "photo": f"/images/{FILE_NAME}"}
    return pack(speakers=[{**record, **speaker}])


@pytest.fixture
def pack() -> Callable[..., bytes]:
    """Makes archives of documents."""

    def make(**documents: Any) -> bytes:
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w") as file:
            file.writestr("event", json.dumps({"id": 1, "name": "Conference"}))
            for name, document in documents.items():
                text = document if isinstance(document, str) else json.dumps(document)
                file.writestr(name, text)
        return content.getvalue()

    return make


async def test_a_whole_import_leaves_no_personal_data_in_the_logs(
    service: Any, stream: io.StringIO, pack: Callable[..., bytes]
) -> None:
    client = await service.client(raises=False)
    account = {"email": EMAIL, "password": PASSWORD}
    await client.post("/v1/users", json=account)
    await client.post("/v1/users", json=account)
    await client.post("/v1/users", json={**account, "email": f"{EMAIL}, no address"})
    await client.post("/v1/auth/session", json={**account, "password": PASSWORD + "!"})
    token = (await client.post("/v1/auth/session", json=account)).json()["access_token"]
    client.headers["Authorization"] = f"JWT {token}"
    archives = (
        conference_zip(pack),
        conference_zip(
            pack, email=7, photo=f"https://{EMAIL}@no.example/{FILE_NAME}?key={PREVIEW}"
        ),
        pack(speakers=json.dumps([{"name": SPEAKER}])[:-3]),
    )
    for archive in archives:
        answer = await client.post("/v1/events/import/json", files={"file": (FILE_NAME, archive)})
        task_url = answer.json()["task_url"]
        await run_import(service.resources, UUID(task_url.split("/")[3]))
        await client.get(task_url)
    await client.post("/v1/upload/file", files={"file": (FILE_NAME, b"picture")})
    await client.get(f"/events/nothing?preview={PREVIEW}")
    await client.get(f"/{EMAIL}/{FILE_NAME}")

    logged = stream.getvalue()

    assert "SUCCESS" not in logged  # states are told to clients, not to the log
    assert logged.count('"event": "request"') >= 12
    for secret in (EMAIL, PASSWORD, token, SPEAKER, SPEAKER_EMAIL, FILE_NAME, PREVIEW):
        assert secret not in logged
    assert service.resources.settings.secret_key.get_secret_value() not in logged


async def test_what_fails_unexpectedly_is_logged_without_its_message(
    service: Any, user: User, lines: Lines
) -> None:
    async def fail() -> None:
        raise ValueError(f"{SPEAKER} <{SPEAKER_EMAIL}> has no microphone")

    app: FastAPI = service.app
    app.add_api_route("/fail", fail)
    client = await service.client(user, raises=False)
    request_id = "a-request-of-the-tests"

    answer = await client.get("/fail", headers={"X-Request-ID": request_id})
    # uvicorn does this, in the request's task, with what the application raises.
    error = ValueError(f"{SPEAKER} <{SPEAKER_EMAIL}> has no microphone")
    logging.getLogger("uvicorn.error").error("Exception in ASGI application", exc_info=error)

    assert answer.status_code == 500
    assert answer.headers["x-request-id"] == request_id
    *_, request, raised = lines()
    assert (request["event"], request["status"], request["route"]) == ("request", 500, "/fail")
    assert request["request_id"] == raised["request_id"] == request_id
    assert raised["level"] == "error"
    assert "builtins.ValueError" in raised["exception"]
    assert "Ada" not in json.dumps(raised)


async def test_lines_name_the_request_the_task_and_the_user(
    service: Any, user: User, user_client: httpx.AsyncClient, archive: bytes, lines: Lines
) -> None:
    answer = await user_client.post("/v1/events/import/json", files={"file": ("a.zip", archive)})
    task_id = answer.json()["task_url"].split("/")[3]
    (request,) = (line for line in lines() if line["event"] == "request")

    # A worker is another process: it knows of the request what the row says.
    logs.forget()
    await run_import(service.resources, UUID(task_id))

    assert request["request_id"] == answer.headers["x-request-id"]
    assert (request["task_id"], request["user_id"]) == (task_id, user.id)
    assert request["method"] == "POST"
    assert request["route"] == "/v1/events/import/{source_type}"
    assert request["status"] == 202
    assert request["bytes"] == len(answer.content)
    assert request["seconds"] > 0
    done = lines()[-1]
    assert done["event"] == f"import {task_id} is done"
    assert (done["task_id"], done["user_id"]) == (task_id, user.id)
    assert done["request_id"] == request["request_id"]
    assert set(done["stages"]) == {"reading", "planning", "writing", "media"}
    assert done["timestamp"].endswith("Z")


async def test_one_request_does_not_speak_for_another(
    client: httpx.AsyncClient, user_client: httpx.AsyncClient, lines: Lines
) -> None:
    await user_client.get("/v1/import-jobs")
    await client.get("/v1/import-jobs")

    first, second = (line for line in lines() if line["event"] == "request")

    assert "user_id" in first
    assert "user_id" not in second
    assert first["request_id"] != second["request_id"]


class Person(BaseModel):
    email: EmailStr


def raised(make: Callable[[], Any]) -> BaseException:
    try:
        make()
    except Exception as error:  # noqa: BLE001
        return error
    raise AssertionError


def fail_with(error: Exception, cause: Exception | None = None) -> Callable[[], None]:
    def fail() -> None:
        raise error from cause

    return fail


class DriverError(Exception):
    sqlstate = "23505"


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (raised(lambda: Person(email=SPEAKER)), "ValidationError"),
        (raised(lambda: json.loads(f'["{SPEAKER}')), "JSONDecodeError"),
        (raised(lambda: dict[str, int]()[SPEAKER]), "KeyError"),
        (raised(fail_with(HTTPException(400, SPEAKER))), "HTTPException"),
        (raised(fail_with(FileNotFoundError(2, "No such file", SPEAKER))), "No such file"),
        (raised(fail_with(DriverError(f"Key (name)=({SPEAKER}) exists"))), "SQLSTATE 23505"),
        (
            raised(fail_with(RuntimeError("outer"), DriverError(SPEAKER))),
            "SQLSTATE 23505",
        ),
        (
            raised(fail_with(DBAPIError("SELECT 1", {}, DriverError(SPEAKER)))),
            "DBAPIError",
        ),
        (
            ExceptionGroup("two", [KeyError(SPEAKER), StorageError("the disk is full")]),
            "the disk is full",
        ),
        (raised(lambda: None + 1), "unsupported operand"),  # type: ignore[operator]
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_exceptions_are_told_without_data(error: BaseException, told: str) -> None:
    text = traceback_of(error)

    assert told in text
    assert SPEAKER not in text


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("postgresql://user:hunter2@db.example/x", "postgresql://[credentials]@db.example/x"),
        ("mail to ada@engine.example failed", "mail to [e-mail] failed"),
        ("Authorization: Bearer abc.def", "Authorization: Bearer [token]"),
        ("got eyJhbGciOiJIUzI1NiJ9.eyJzdWIi.c2ln", "got [token]"),
        ("GET https://x.example/a?key=1&b=2 failed", "GET https://x.example/a?[query] failed"),
        (
            "no object 'events/7/speakers/3/photo_url/ab12/grace.png'",
            "no object 'events/7/speakers/3/photo_url/ab12/[file]'",
        ),
        ("uploads/7/ab12/grace.png is gone", "uploads/7/ab12/[file] is gone"),
        (
            "import 123e4567-e89b-12d3-a456-426614174000 is done: 3/4",
            "import 123e4567-e89b-12d3-a456-426614174000 is done: 3/4",
        ),
    ],
)
def test_what_is_taken_out_of_a_message(text: str, kept: str) -> None:
    assert redact(text) == kept


def test_a_lost_exception_of_a_task_is_told_without_the_task(lines: Lines) -> None:
    shown = f"Task exception was never retrieved\nfuture: <Task exception=KeyError('{SPEAKER}')>"

    logging.getLogger("asyncio").error(shown)

    assert lines()[-1]["event"] == "Task exception was never retrieved"


def test_logs_are_for_people_on_a_terminal(stream: io.StringIO, tmp_path: Path) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    logs.configure(LogConfig(), terminal)

    logging.getLogger("eventimport").info("hello", extra={"status": 200, "secret": "swordfish"})

    shown = terminal.getvalue()
    assert "hello" in shown
    assert "200" in shown
    assert not shown.startswith("{")
    assert "swordfish" not in shown


@pytest.mark.parametrize("format", ["json", "console"])
def test_no_foreign_text_drives_a_terminal(format: Literal["json", "console"]) -> None:  # noqa: A002 - as the setting is called
    told = io.StringIO()
    logs.configure(LogConfig(format=format), told)

    logging.getLogger("eventimport").info("%s", "\x1b[2J\x9b31m\u202eevil")

    assert "evil" in told.getvalue()
    assert not {"\x1b", "\x9b", "\u202e"} & set(told.getvalue())


def test_only_errors_have_a_stack_trace(stream: io.StringIO, lines: Lines) -> None:
    """A warning about an unavailable server comes every few seconds: it has one short line."""

    def fail() -> None:
        try:
            raise ConnectionRefusedError(111, "Connection refused", "db.example:5432")
        except OSError as error:
            raise DBAPIError("SELECT 1", {"email": EMAIL}, error) from error

    logger = logging.getLogger("eventimport.example")
    for log in (logger.warning, logger.exception):
        try:
            fail()
        except DBAPIError:
            log("the database is unavailable", exc_info=True)

    short, long = lines()
    assert "exception" not in short
    assert short["reason"] == (
        "sqlalchemy.exc.DBAPIError, caused by builtins.ConnectionRefusedError: Connection refused"
    )
    assert "in fail" in long["exception"]
    assert EMAIL not in stream.getvalue()


def test_lines_of_arq_are_plain_text(stream: io.StringIO, lines: Lines) -> None:
    logger = logging.getLogger("arq.worker")
    logger.warning("%6.2fs ! %s max retries %d exceeded", 1.5, "a:wake_up", 5)
    logger.warning("%6.2fs \N{CIRCLED DIVISION SLASH} %s aborted", 1.5, "a:wake_up")
    logger.warning("%6.2fs \N{RIGHTWARDS ARROW WITH HOOK} %s retrying", 1.5, "a:wake_up")

    assert [line["event"] for line in lines()] == [
        "1.50s a:wake_up max retries 5 exceeded",
        "1.50s a:wake_up aborted",
        "1.50s a:wake_up retrying",
    ]
