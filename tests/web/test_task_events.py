"""A task told as server-sent events."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack, asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import delete, event
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker
from starlette.types import Message
from tests.rows import change_imports

from eventimport.database.models import ImportJob, Task, User

PATIENCE = 60
"""Seconds for what must happen at all."""


class Stream:
    """An answer as it comes in, over the application's own interface: httpx would wait for all."""

    def __init__(self, service: Any, job_id: UUID, user: User) -> None:
        token = service.resources.tokens.issue(user.id)
        path = f"/v1/tasks/{job_id}/events"
        self._scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": [
                (b"host", b"service.example"),
                (b"authorization", f"Bearer {token}".encode()),
            ],
            "server": ("service", 80),
            "client": ("client", 1),
        }
        self._service = service
        self._messages: asyncio.Queue[Message] = asyncio.Queue()
        self._gone = asyncio.Event()
        self._asked = False

    @asynccontextmanager
    async def open(self) -> AsyncIterator["Stream"]:
        """Ask, and have the answer come in as long as the block lasts."""
        async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
            self.answering = group.create_task(self._answer())
            yield self
            self.go_away()

    async def _answer(self) -> None:
        await self._service.answer(self._scope, self._receive, self._messages.put)

    async def _receive(self) -> Message:
        if not self._asked:
            self._asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self._gone.wait()
        return {"type": "http.disconnect"}

    def go_away(self) -> None:
        """Close the connection."""
        self._gone.set()

    async def start(self) -> Message:
        """The first message, with status and headers."""
        return await self._messages.get()

    async def chunk(self) -> bytes:
        """The next bytes; none when the answer is over."""
        message = await self._messages.get()
        body: bytes = message["body"]
        assert body or not message.get("more_body")
        return body

    async def task(self) -> dict[str, Any]:
        """The task of the next event."""
        event = (await self.chunk()).decode()
        assert event.startswith("data: ")
        assert event.endswith("\n\n")
        told: dict[str, Any] = json.loads(event.removeprefix("data: "))
        return told


OpenStream = Callable[[UUID], Any]


@pytest.fixture
def add_job(
    session_factory: async_sessionmaker[AsyncSession], user: User
) -> Callable[..., Awaitable[UUID]]:
    """Writes an import job of `user` and gives back its id."""

    async def add(**values: Any) -> UUID:
        job = ImportJob(**{"id": uuid4(), "user_id": user.id, **values})
        async with session_factory.begin() as session:
            session.add(job)
        return job.id

    return add


@pytest.fixture
def change(engine: AsyncEngine) -> Callable[..., Awaitable[None]]:
    """Changes an import job."""

    async def change(job_id: UUID, **values: Any) -> None:
        await change_imports(engine, job_id, **values)

    return change


@pytest.fixture
def stream(service: Any, user: User) -> OpenStream:
    """Opens the events of a task as `user`."""
    return lambda job_id: Stream(service, job_id, user).open()


@pytest.fixture
def quick(service: Any) -> None:
    """The row is looked at all the time."""
    service.resources.task_watcher.interval = 0.01
    service.resources.task_watcher.look_seconds = 0.01


@pytest.fixture
def slow(service: Any) -> None:
    """The row is looked at once, and then not while the test lasts."""
    service.resources.task_watcher.interval = 10 * PATIENCE


@pytest.mark.usefixtures("quick")
async def test_every_change_is_told_until_the_end(
    user_client: httpx.AsyncClient, stream: OpenStream, add_job: Any, change: Any
) -> None:
    job_id = await add_job()
    url = f"/v1/tasks/{job_id}"
    async with stream(job_id) as events:
        start = await events.start()
        polled = [(await user_client.get(url)).json()]
        told = [await events.task()]
        for values in (
            {"status": "STARTED", "stage": "writing", "done": 1, "total": 2, "message": "sessions"},
            {"status": "FAILURE", "errors": [{"status": "422", "code": "c", "detail": "d"}]},
        ):
            await change(job_id, **values)
            polled.append((await user_client.get(url)).json())
            told.append(await events.task())
        end = await events.chunk()

    headers = dict(start["headers"])
    assert start["status"] == 200
    assert headers[b"content-type"].startswith(b"text/event-stream")
    assert headers[b"cache-control"] == b"no-cache"
    assert [task["state"] for task in told] == ["PENDING", "STARTED", "FAILURE"]
    assert told == polled
    assert end == b""


async def test_a_task_that_is_over_is_told_once(
    user_client: httpx.AsyncClient, add_job: Any
) -> None:
    job_id = await add_job(status="REVOKED")

    events = await user_client.get(f"/v1/tasks/{job_id}/events")
    task = await user_client.get(f"/v1/tasks/{job_id}")

    assert events.text.count("data: ") == 1
    assert json.loads(events.text.removeprefix("data: ")) == task.json()


async def test_a_task_that_is_not_ones_own_is_refused_with_a_status(
    service: Any, make_user: Any, add_job: Any
) -> None:
    job_id = await add_job()
    stranger = await service.client(await make_user())

    refusals = [
        await stranger.get(f"/v1/tasks/{job_id}/events"),
        await stranger.get(f"/v1/tasks/{uuid4()}/events"),
        await (await service.client()).get(f"/v1/tasks/{job_id}/events"),
    ]

    assert [refusal.status_code for refusal in refusals] == [404, 404, 401]
    assert {refusal.headers["content-type"] for refusal in refusals} == {"application/vnd.api+json"}


@pytest.mark.usefixtures("slow")
async def test_no_connection_to_the_database_is_held_meanwhile(
    service: Any, stream: OpenStream, add_job: Any
) -> None:
    async with stream(await add_job()) as events:
        await events.start()
        await events.task()
        held = service.resources.engine.pool.checkedout()

    assert held == 0


@pytest.mark.usefixtures("slow")
async def test_a_client_that_goes_away_ends_it(stream: OpenStream, add_job: Any) -> None:
    async with stream(await add_job()) as events:
        await events.start()
        await events.task()
        events.go_away()
        await events.answering


@pytest.mark.usefixtures("quick")
async def test_a_process_that_stops_ends_it(service: Any, stream: OpenStream, add_job: Any) -> None:
    async with stream(await add_job()) as events:
        await events.start()
        await events.task()
        service.resources.stopping.set()
        assert await events.chunk() == b""
        await events.answering


@pytest.mark.usefixtures("quick")
async def test_it_does_not_go_on_for_ever(service: Any, stream: OpenStream, add_job: Any) -> None:
    service.resources.task_watcher.stream_lifetime = 0
    async with stream(await add_job()) as events:
        await events.start()
        assert (await events.task())["state"] == "PENDING"
        assert await events.chunk() == b""
        await events.answering


@pytest.mark.usefixtures("quick")
async def test_a_task_that_vanishes_ends_it(
    stream: OpenStream,
    add_job: Any,
    session_factory: async_sessionmaker[AsyncSession],
    caplog: pytest.LogCaptureFixture,
) -> None:
    job_id = await add_job()
    async with stream(job_id) as events:
        await events.start()
        await events.task()
        async with session_factory.begin() as session:
            await session.execute(delete(Task).where(Task.id == job_id))
        assert await events.chunk() == b""
        await events.answering

    assert f"the event stream of task {job_id} ends early" in caplog.text


@pytest.mark.usefixtures("slow")
async def test_comments_keep_the_connection_alive(
    stream: OpenStream, add_job: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fastapi.routing._PING_INTERVAL", 0.01)
    async with stream(await add_job()) as events:
        await events.start()
        await events.task()
        assert (await events.chunk()).startswith(b":")


async def test_a_user_has_only_so_many_streams(
    start_service: Any, user: User, make_user: Any, add_job: Any
) -> None:
    service = await start_service(max_event_streams_per_user=1, max_event_streams=2)
    job_id = await add_job()
    path = f"/v1/tasks/{job_id}/events"
    client = await service.client(user)
    admins = [await make_user(is_admin=True) for _ in range(2)]
    async with Stream(service, job_id, user).open() as first:
        await first.start()
        one_too_many = await client.get(path)
        async with Stream(service, job_id, admins[0]).open() as second:
            await second.start()
            full = await (await service.client(admins[1])).get(path)
            second.go_away()
            await second.answering
        first.go_away()
        await first.answering
    async with Stream(service, job_id, user).open() as again:
        assert (await again.start())["status"] == 200

    for answer, setting in (
        (one_too_many, "MAX_EVENT_STREAMS_PER_USER"),
        (full, "MAX_EVENT_STREAMS"),
    ):
        assert answer.status_code == 429
        assert int(answer.headers["retry-after"]) > 0
        assert f"set by {setting}." in answer.json()["errors"][0]["detail"]


async def test_a_refused_stream_is_not_counted(start_service: Any, user: User) -> None:
    client = await (await start_service(max_event_streams_per_user=1)).client(user)

    answers = [await client.get(f"/v1/tasks/{uuid4()}/events") for _ in range(3)]

    assert [answer.status_code for answer in answers] == [404, 404, 404]


@pytest.mark.usefixtures("slow")
async def test_all_streams_are_read_by_one_statement(
    service: Any, user: User, add_job: Any
) -> None:
    watcher = service.resources.task_watcher
    statements: list[str] = []
    event.listen(
        service.resources.reader.sync_engine,
        "before_cursor_execute",
        lambda _c, _cursor, statement, *_: statements.append(statement),
    )
    job_ids = [await add_job() for _ in range(5)]
    with ExitStack() as stack:
        watches = [stack.enter_context(watcher.watch(job_id)) for job_id in job_ids]
        for watch in watches:
            async with asyncio.timeout(PATIENCE):
                await watch.changed.wait()

    assert len(statements) == 1
    assert watcher._loop is None
