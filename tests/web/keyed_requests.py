"""Requests under an idempotency key, as a client sends them, as a server hands them on half-way,
and what is left of them."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import event, select, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.types import Message

from eventimport.database.models import IdempotencyKey, ImportJob, ObjectRecord, User

BOUNDARY = "frontier"
PLAIN_HEADERS = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
HEADER = "Idempotency-Key"
REPLAYED = "idempotency-replayed"


def keyed(key: str = "a key") -> dict[str, str]:
    """The header of a request."""
    return {HEADER: key}


def form(content: bytes, name: str = "file", filename: str = "a.zip") -> bytes:
    """A form of one file, whose boundary is `BOUNDARY`."""
    disposition = f'form-data; name="{name}"; filename="{filename}"'
    head = f"--{BOUNDARY}\r\nContent-Disposition: {disposition}\r\n\r\n"
    return head.encode() + content + f"\r\n--{BOUNDARY}--\r\n".encode()


def code_of(response: httpx.Response) -> tuple[int, str]:
    """Status and code of a refusal."""
    (error,) = response.json()["errors"]
    return response.status_code, error["code"]


def assert_replayed(answer: httpx.Response, first: httpx.Response) -> None:
    """That it is the same answer once more, and says so."""
    assert REPLAYED not in first.headers
    assert answer.headers[REPLAYED] == "true"
    assert (answer.status_code, answer.content) == (first.status_code, first.content)
    for name in ("content-type", "location", "retry-after"):
        assert answer.headers.get(name) == first.headers.get(name)
    # Clients write a new boundary each time.
    assert answer.request.headers["content-type"] != first.request.headers["content-type"] or (
        "multipart" not in first.request.headers["content-type"]
    )


@dataclass(frozen=True)
class Left:
    """What requests have left behind."""

    engine: AsyncEngine
    root: Path

    def files(self) -> list[str]:
        """All files of the local storage, unfinished ones included."""
        return [str(path.relative_to(self.root)) for path in self.root.rglob("*") if path.is_file()]

    async def jobs(self) -> list[str]:
        """The ids of all import jobs."""
        async with self.engine.connect() as connection:
            return [str(found) for found in await connection.scalars(select(ImportJob.id))]

    async def keys(self) -> list[str]:
        """All keys, whatever became of them."""
        async with self.engine.connect() as connection:
            return list(await connection.scalars(select(IdempotencyKey.key)))

    async def objects(self) -> list[str]:
        """The keys of all files that rows name."""
        async with self.engine.connect() as connection:
            return list(await connection.scalars(select(ObjectRecord.key)))

    async def nothing(self) -> bool:
        """Whether there is nothing at all."""
        left = [self.files(), await self.jobs(), await self.keys(), await self.objects()]
        return not any(left)

    async def change_keys(self, **values: Any) -> None:
        """Have time pass for the keys."""
        async with self.engine.begin() as connection:
            await connection.execute(update(IdempotencyKey).values(**values))


class HalfWay:
    """A request whose body stops half-way until it is let go, or its client leaves."""

    def __init__(self, service: Any, user: User, url: str, body: bytes, key: str = "a key") -> None:
        path, _, query = url.partition("?")
        token = service.resources.tokens.issue(user.id)
        headers = {
            "host": "service.example",
            "authorization": f"JWT {token}",
            "transfer-encoding": "chunked",
            HEADER.lower(): key,
            "content-type": PLAIN_HEADERS["Content-Type"],
        }
        scope = {
            "type": "http",
            "method": "POST",
            "path": path,
            "query_string": query.encode(),
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        }
        self._halves = [body[: len(body) // 2], body[len(body) // 2 :]]
        self._reached = asyncio.Event()
        self._go_on = asyncio.Event()
        self._client_has_left = False
        self.status: int | None = None
        self.content = b""
        self.task = asyncio.create_task(service.answer(scope, self._receive, self._send))

    async def reached(self) -> None:
        """Return once the first half is read."""
        await asyncio.wait(
            [self.task, asyncio.create_task(self._reached.wait())],
            return_when=asyncio.FIRST_COMPLETED,
        )
        assert self._reached.is_set(), self.content

    async def finish(self) -> int:
        """Send the rest; the answer's status."""
        self._go_on.set()
        await self.task
        assert self.status is not None
        return self.status

    async def leave(self) -> None:
        """Have the client go away."""
        self._client_has_left = True
        self._go_on.set()
        await self.task

    async def _receive(self) -> Message:
        if len(self._halves) == 1:
            self._reached.set()
            await self._go_on.wait()
        if self._client_has_left or not self._halves:
            return {"type": "http.disconnect"}
        half = self._halves.pop(0)
        return {"type": "http.request", "body": half, "more_body": bool(self._halves)}

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        self.content += message.get("body", b"")


@contextmanager
def commit_is_not_told(engine: AsyncEngine, *, is_made: bool) -> Iterator[None]:
    """Lose the connection at the commit that records an answer, or adds an import: just after it,
    or just before."""
    recording: set[int] = set()

    def watch(connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if statement.startswith(("INSERT INTO idempotency_keys", "INSERT INTO import_jobs")):
            recording.add(id(connection))

    def lose(connection: Any) -> None:
        if id(connection) in recording:
            recording.clear()
            if is_made:
                connection.connection.dbapi_connection.commit()
            raise OperationalError("COMMIT", {}, ConnectionResetError("gone"))

    event.listen(engine.sync_engine, "after_cursor_execute", watch)
    event.listen(engine.sync_engine, "commit", lose)
    try:
        yield
    finally:
        event.remove(engine.sync_engine, "commit", lose)
        event.remove(engine.sync_engine, "after_cursor_execute", watch)
