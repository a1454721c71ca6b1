"""Every limit names the setting that its reader can change, with its value and unit.

Each limit is exceeded in the code that enforces it. A new setting that is a limit fails the first
test until it has a case here.
"""

import asyncio
import io
import random
import re
import zipfile
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

import httpx
import pytest
from PIL import Image
from sqlalchemy.ext.asyncio import AsyncEngine
from tests.formats.planning import plan_of, zip_of
from tests.formats.zip_surgery import archive_bytes
from tests.http.conftest import Serve, serve
from tests.web.conftest import StartService, service, settings, start_service

from eventimport.database.task_watch import TaskWatcher
from eventimport.errors import ProblemError, size_in_words
from eventimport.formats.limits import ArchiveError
from eventimport.imports.endings import IMPORT_REASONS
from eventimport.settings import Settings, describe_settings

__all__ = ["serve", "service", "settings", "start_service"]

ROOT: Final = Path(__file__).resolve().parent
LIMIT: Final = re.compile(
    r"MAX_|.*_(?:TIMEOUT|PATIENCE|PER_MINUTE|PER_CLIENT|PER_HOST|PER_SECOND|REDIRECTS)$"
)
JSON: Final = {"Content-Type": "application/json"}
EVENT: Final = {"id": 1, "name": "Conference", "timezone": "UTC"}
NOISE: Final = random.Random(7).randbytes(5_000)


@dataclass(frozen=True)
class Bench:
    """What the cases need."""

    start_service: StartService
    serve: Serve
    settings: Settings
    make_user: Any

    async def client(self, **changes: Any) -> httpx.AsyncClient:
        """A signed-in client of a service with these settings."""
        service = await self.start_service(**changes)
        service.stop_clock()
        return await service.client(await self.make_user(email="ada@example.org"))


Drive = Callable[[Bench, Any], Awaitable[list[str]]]


@dataclass(frozen=True)
class Case:
    """A setting's value, the unit of the message, and what exceeds it: it returns the messages."""

    value: float
    drive: Drive

    def shown(self, setting: str) -> str:
        """The value as messages show it."""
        if "_BYTES" in setting:
            return size_in_words(int(self.value))
        if setting.endswith(("_TIMEOUT", "_PATIENCE")):
            return f"{self.value:g} seconds"
        return f"{self.value:,}"


def details(response: httpx.Response) -> list[str]:
    """The details of the response's errors."""
    return [error["detail"] for error in response.json()["errors"]]


def archive(setting: str, data: Callable[[], bytes], **others: int) -> Drive:
    """Reads an archive under a limit."""

    async def drive(bench: Bench, value: Any) -> list[str]:
        changes = {setting.lower(): value, **others}
        limits = bench.settings.model_copy(update=changes).archive_limits
        try:
            return [finding.message for finding in plan_of(data(), limits).report.findings]
        except ArchiveError as error:
            return [error.message]

    return drive


def sessions(*records: Any) -> Callable[[], bytes]:
    """An archive with these sessions."""
    return lambda: zip_of({"event": EVENT, "sessions": list(records)})


def session(**values: Any) -> dict[str, Any]:
    """A session."""
    return {"id": 1, "title": "Opening", **values}


def lzma() -> bytes:
    """An archive whose entries are compressed with LZMA."""
    return archive_bytes(("sessions", b"[" + b" " * 10_000 + b"]"), method=zipfile.ZIP_LZMA)


def request(setting: str, *calls: tuple[str, str, dict[str, Any]]) -> Drive:
    """Sends requests one after the other, and returns the errors of the last."""

    async def drive(bench: Bench, value: Any) -> list[str]:
        client = await bench.client(**{setting.lower(): value})
        for method, path, options in calls:
            response = await client.request(method, path, **options)
        return details(response)

    return drive


def files(*sizes: int, key: str = "files") -> dict[str, Any]:
    """A form with files of these sizes."""
    return {"files": [(key, (f"{n}.txt", bytes(size))) for n, size in enumerate(sizes)]}


def png(width: int, height: int) -> bytes:
    """An image."""
    buffer = io.BytesIO()
    Image.new("RGB", (width, height)).save(buffer, "PNG")
    return buffer.getvalue()


SIGN_IN: Final = ("POST", "/v1/auth/session", {"json": {"email": "x@example.org", "password": "x"}})
IMPORT: Final = ("POST", "/v1/events/import/json", {"files": {"file": zip_of({"event": EVENT})}})
LARGE: Final = {"files": {"file": archive_bytes(("noise.bin", NOISE))}}


async def silence(bench: Bench, value: Any) -> list[str]:
    """Uploads a file that never ends."""

    async def body() -> AsyncIterator[bytes]:
        yield b"--x\r\n"
        await asyncio.Event().wait()

    client = await bench.client(receive_timeout=value)
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    response = await client.post("/v1/upload/file", content=body(), headers=headers)
    return details(response)


async def hello(scope: Any, receive: Any, send: Any) -> None:
    """An application that says nothing but that it is there."""
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body"})


async def unfinished_headers(bench: Bench, value: Any) -> list[str]:
    """Sends headers that do not end."""
    server = bench.serve(hello, header_timeout=value)
    answer = b""
    # On a busy machine nothing may be sent in time. Such a connection is closed without an answer.
    while not answer:
        answer = await asyncio.to_thread(server.ask, b"GET / HTTP/1.1\r\nHost: localhost\r\n")
    return [answer.decode()]


async def one_connection_too_many(bench: Bench, value: Any) -> list[str]:
    """Opens one connection more than is allowed."""
    server = bench.serve(hello, max_connections=value)

    def connect() -> bytes:
        opened = [server.connect() for _ in range(value)]
        try:
            for client in opened:
                client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
                client.recv(100)
            return server.ask(b"")
        finally:
            for client in opened:
                client.close()

    return [(await asyncio.to_thread(connect)).decode()]


def streams(**limits: int) -> Drive:
    """Opens one event stream more than is allowed."""

    async def drive(bench: Bench, value: Any) -> list[str]:
        values: dict[str, Any] = {"max_streams": 9, "max_streams_per_user": 9, **limits}
        engine = cast("AsyncEngine", None)
        watch = TaskWatcher(engine, stream_lifetime=60, **values)
        try:
            with watch.stream(1), watch.stream(1):
                return []
        except ProblemError as error:
            return [problem.detail for problem in error.problems]

    return drive


def constant(problem: Any) -> Drive:
    """The error that an attempt ends with; `tests/jobs` exceed the limit itself."""

    async def drive(bench: Bench, value: Any) -> list[str]:
        return [problem.detail]

    return drive


A: Final = "<b>a</b>"
CASES: Final[dict[str, Case]] = {
    "MAX_HEADER_BYTES": Case(
        2048, request("MAX_HEADER_BYTES", ("GET", "/healthz", {"headers": {"X": "x" * 3000}}))
    ),
    "MAX_URL_BYTES": Case(1024, request("MAX_URL_BYTES", ("GET", "/healthz?" + "x" * 2000, {}))),
    "MAX_BODY_BYTES": Case(
        1024, request("MAX_BODY_BYTES", ("POST", "/v1/users", {"json": {"email": "x" * 2000}}))
    ),
    "MAX_BODY_VALUES": Case(
        3, request("MAX_BODY_VALUES", ("POST", "/v1/users", {"json": {"email": [1] * 9}}))
    ),
    "MAX_JSON_DEPTH": Case(4, archive("MAX_JSON_DEPTH", sessions(session(extra=[[[[[[1]]]]]])))),
    "HEADER_TIMEOUT": Case(0.2, unfinished_headers),
    "MAX_CONNECTIONS": Case(1, one_connection_too_many),
    "MAX_EVENT_STREAMS": Case(1, streams(max_streams=1)),
    "MAX_EVENT_STREAMS_PER_USER": Case(1, streams(max_streams_per_user=1)),
    "REQUESTS_PER_MINUTE": Case(
        1, request("REQUESTS_PER_MINUTE", *[("GET", "/v1/notifications", {})] * 4)
    ),
    "SIGN_INS_PER_MINUTE": Case(1, request("SIGN_INS_PER_MINUTE", *[SIGN_IN] * 4)),
    "SIGN_INS_PER_CLIENT": Case(1, request("SIGN_INS_PER_CLIENT", *[SIGN_IN] * 4)),
    "MAX_IMPORTS_PER_USER": Case(1, request("MAX_IMPORTS_PER_USER", IMPORT, IMPORT)),
    "MAX_WAITING_IMPORTS": Case(1, request("MAX_WAITING_IMPORTS", IMPORT, IMPORT)),
    "RECEIVE_TIMEOUT": Case(0.2, silence),
    "MAX_FILE_BYTES": Case(
        2048, request("MAX_FILE_BYTES", ("POST", "/v1/upload/file", files(3000, key="file")))
    ),
    "MAX_REQUEST_BYTES": Case(
        4096, request("MAX_REQUEST_BYTES", ("POST", "/v1/upload/files", files(2000, 2000, 2000)))
    ),
    "MAX_FILES": Case(2, request("MAX_FILES", ("POST", "/v1/upload/files", files(1, 1, 1)))),
    "MAX_IMAGE_BYTES": Case(
        1024,
        request("MAX_IMAGE_BYTES", ("POST", "/v1/upload/image", {"files": {"file": NOISE}})),
    ),
    "MAX_IMAGE_PIXELS": Case(
        2_000,
        request("MAX_IMAGE_PIXELS", ("POST", "/v1/upload/image", {"files": {"file": png(50, 50)}})),
    ),
    "MAX_UPLOADED_BYTES_PER_USER": Case(
        2048,
        request(
            "MAX_UPLOADED_BYTES_PER_USER", ("POST", "/v1/upload/file", files(3000, key="file"))
        ),
    ),
    "MAX_ARCHIVE_BYTES": Case(
        2048, request("MAX_ARCHIVE_BYTES", ("POST", "/v1/events/import/json", LARGE))
    ),
    "MAX_ARCHIVE_ENTRIES": Case(
        2, archive("MAX_ARCHIVE_ENTRIES", lambda: archive_bytes(("a", b""), ("b", b"")))
    ),
    "MAX_ENTRY_BYTES": Case(
        1024, archive("MAX_ENTRY_BYTES", sessions(session(long_abstract="x" * 3000)))
    ),
    "MAX_INFLATED_BYTES": Case(
        1024, archive("MAX_INFLATED_BYTES", sessions(session(long_abstract="x" * 3000)))
    ),
    "MAX_INFLATION_RATIO": Case(
        2,
        archive(
            "MAX_INFLATION_RATIO",
            sessions(session(long_abstract="x" * 3000)),
            inflation_ratio_from_bytes=1000,
        ),
    ),
    "MAX_LZMA_DICTIONARY_BYTES": Case(4096, archive("MAX_LZMA_DICTIONARY_BYTES", lzma)),
    "MAX_DOCUMENT_BYTES": Case(
        1024, archive("MAX_DOCUMENT_BYTES", sessions(session(long_abstract="x" * 3000)))
    ),
    "MAX_RECORD_BYTES": Case(
        1024, archive("MAX_RECORD_BYTES", sessions(session(long_abstract="x" * 3000)))
    ),
    "MAX_RECORDS": Case(2, archive("MAX_RECORDS", sessions(session(), session(), session()))),
    "MAX_RECORD_VALUES": Case(
        10, archive("MAX_RECORD_VALUES", sessions(session(extra=list(range(30)))))
    ),
    "MAX_VALUES": Case(10, archive("MAX_VALUES", sessions(*[session(id=n) for n in range(20)]))),
    "MAX_TEXT_LENGTH": Case(
        1000, archive("MAX_TEXT_LENGTH", sessions(session(long_abstract="x" * 3000)))
    ),
    "MAX_TEXT_TAGS": Case(10, archive("MAX_TEXT_TAGS", sessions(session(long_abstract=A * 20)))),
    "MAX_TEXT_DEPTH": Case(
        5,
        archive(
            "MAX_TEXT_DEPTH", sessions(session(long_abstract="<div>" * 9 + "a" + "</div>" * 9))
        ),
    ),
}

PROBLEMS: Final = {
    "IMPORT_TIMEOUT": IMPORT_REASONS.too_long,
    "STORAGE_PATIENCE": IMPORT_REASONS.storage_unavailable,
    "DATABASE_PATIENCE": IMPORT_REASONS.database_unavailable,
}
"""The errors of attempts that were ended. `tests/jobs` and `tests/faults` exceed these limits."""

ELSEWHERE: Final = {
    "MAX_EXPORTS_PER_USER": "web/test_exports.py",
    "MAX_FILTER_CONDITIONS": "web/test_existing_clients.py",
    "MAX_RESPONSE_BYTES": "web/events/test_sizes.py",
    "MAX_MEDIA_BYTES": "media/test_fetch.py",
    "MAX_STORED_BYTES_PER_IMPORT": "media/test_transfer.py",
    "MAX_FETCHES_PER_IMPORT": "media/test_import_fetches.py",
    "MAX_FETCHES_PER_HOST": "media/test_import_fetches.py",
    "FETCH_TOTAL_TIMEOUT": "media/test_import_fetches.py",
    "FETCH_TIMEOUT": "media/test_fetch.py",
    "FETCH_MIN_BYTES_PER_SECOND": "media/test_fetch.py",
    "FETCH_REDIRECTS": "media/test_fetch.py",
    "IMAGE_TIMEOUT": "media/test_image_processes.py",
    "MAX_ATTEMPTS": "notifications/test_endings.py",
    "MAX_PERSONAL_ACCESS_TOKENS": "web/test_tokens.py",
    "MAX_INSTANCES": "formats/test_ical.py",
    "MAX_QUEUE_WAIT": "web/test_observing.py",
    "MAX_CLOCK_DIFFERENCE": "web/test_observing.py",
}
"""Limits whose own tests, which need servers or child processes, check the name."""

NOT_REPORTED: Final = {
    "MAX_LIST_SIZE": "further resources are on the next page",
    "MAX_FINDINGS": "the report counts the findings that it leaves out",
    "MAX_REPORT_BYTES": "the report counts the findings that it leaves out",
    "MAX_RUNNING_PER_USER": "further tasks wait",
    "FETCHES_AT_ONCE_PER_HOST": "further fetches wait",
    "FETCH_FAILURES_PER_HOST": "the reason is the last failure",
    "SEND_TIMEOUT": "a client that reads nothing cannot be sent an error",
    "HEARTBEAT_TIMEOUT": "another worker resumes the import",
    "DATABASE_IDLE_TIMEOUT": "PostgreSQL enforces it, and the attempt is repeated",
    "READINESS_TIMEOUT": "/readyz reports the check as failed",
    "SMTP_TIMEOUT": "the mail is sent later",
    "MAIL_MAX_ATTEMPTS": "only the log has it",
}
"""Limits without a message, and what happens instead."""


def test_every_limit_has_a_case() -> None:
    limits = {s.variable for s in describe_settings() if LIMIT.match(s.variable)}
    limits |= {"MAIL_MAX_ATTEMPTS"}

    assert limits == CASES.keys() | PROBLEMS.keys() | ELSEWHERE.keys() | NOT_REPORTED.keys()


@pytest.fixture
def bench(start_service: StartService, serve: Serve, settings: Settings, make_user: Any) -> Bench:
    return Bench(start_service, serve, settings, make_user)


@pytest.mark.parametrize("setting", CASES)
async def test_a_limit_names_its_setting(setting: str, bench: Bench) -> None:
    case = CASES[setting]
    messages = await case.drive(bench, case.value)

    (message,) = [message for message in messages if setting in message]
    assert re.search(rf"(?<![\w.,]){re.escape(case.shown(setting))}(?![\w])", message), message
    assert not re.search(r"\bmax_[a-z_]+|[a-z]_seconds\b", message), message


@pytest.mark.parametrize("setting", PROBLEMS)
def test_an_ended_attempt_names_the_setting(setting: str) -> None:
    assert setting in PROBLEMS[setting].detail


@pytest.mark.parametrize("setting", ELSEWHERE)
def test_the_name_is_checked_elsewhere(setting: str) -> None:
    lines = (ROOT / ELSEWHERE[setting]).read_text().splitlines()

    assert any(setting in line and re.search(r"assert|match=|\(MAX|in \{", line) for line in lines)
