"""Waiting for a body: each chunk may take its time, none may take longer, and no timer remains."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest
from starlette.requests import Request
from starlette.types import Message

from eventimport.errors import ProblemError, refuse
from eventimport.http.forms.body import Body

LIMIT = 60.0


@dataclass
class Client:
    """Sends what it is told to, over a loop whose clock the test sets."""

    loop: asyncio.AbstractEventLoop
    now: float
    coming: asyncio.Queue[Message] = field(default_factory=asyncio.Queue)

    def body(self) -> Body:
        """The body that the client sends."""
        request = Request({"type": "http", "method": "POST", "headers": []}, self.coming.get)
        refusal = refuse(413, "too-large", "Too large", "Too large")
        return Body(request, max_bytes=1000, refusal=refusal, chunk_timeout_seconds=LIMIT)

    def send(self, content: bytes, *, more: bool = True) -> None:
        """Have a chunk arrive."""
        self.coming.put_nowait({"type": "http.request", "body": content, "more_body": more})

    async def waited_for(self, body: Body) -> asyncio.Task[bytes]:
        """Somebody who has begun to wait for the next chunk."""
        waiting = asyncio.create_task(body.next_chunk())
        await self.wait(0)
        return waiting

    async def wait(self, seconds: float) -> None:
        """Let so much time pass, and all run that is due."""
        self.now += seconds
        for _ in range(5):
            await asyncio.sleep(0)


@pytest.fixture
async def client(monkeypatch: pytest.MonkeyPatch) -> Client:
    """A client, and the clock that it waits by."""
    made = Client(loop := asyncio.get_running_loop(), loop.time())
    monkeypatch.setattr(loop, "time", lambda: made.now)
    return made


async def test_a_slow_client_may_take_long_in_all(client: Client) -> None:
    body = client.body()
    received = b""
    for _ in range(10):
        waiting = await client.waited_for(body)
        await client.wait(0.9 * LIMIT)
        assert not waiting.done()
        client.send(b"x")
        received += await waiting
    assert received == b"x" * 10


async def test_time_between_two_waits_does_not_count(client: Client) -> None:
    body = client.body()
    for _ in range(3):
        client.send(b"x")
        assert await body.next_chunk() == b"x"
        await client.wait(10 * LIMIT)
    waiting = await client.waited_for(body)
    await client.wait(0.9 * LIMIT)
    assert not waiting.done()
    client.send(b"y")
    assert await waiting == b"y"


async def test_a_silent_client_is_told_once_the_limit_is_over(client: Client) -> None:
    body = client.body()
    client.send(b"x")
    await body.next_chunk()
    waiting = await client.waited_for(body)
    await client.wait(0.9 * LIMIT)
    assert not waiting.done()
    await client.wait(0.2 * LIMIT)
    with pytest.raises(ProblemError, match="RECEIVE_TIMEOUT"):
        await waiting
    assert not waiting.cancelled()


async def test_to_be_cancelled_is_something_else(client: Client) -> None:
    waiting = await client.waited_for(client.body())
    await client.wait(0.5 * LIMIT)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_no_timer_remains_after_the_last_chunk(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    timers: list[asyncio.TimerHandle] = []
    real = client.loop.call_at

    def call_at(*args: Any, **kwargs: Any) -> asyncio.TimerHandle:
        timers.append(real(*args, **kwargs))
        return timers[-1]

    monkeypatch.setattr(client.loop, "call_at", call_at)
    body = client.body()
    for more in (True, True, False):
        client.send(b"x", more=more)
        await body.next_chunk()
    assert timers
    assert all(timer.cancelled() for timer in timers)
