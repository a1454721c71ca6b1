"""The body of a request, chunk by chunk, from clients that stall, vanish or never stop."""

import asyncio

from starlette.requests import ClientDisconnect, Request
from starlette.types import Message, Receive

from eventimport.errors import ProblemError, refuse


def too_large(what: str, limit: str, allowed: int) -> ProblemError:
    """The answer to what goes beyond a limit; `limit` is its name in `UploadLimits`."""
    return refuse(
        413,
        "limit-exceeded",
        "The upload is too large",
        f"Too many {what}: at most {allowed:,} are taken ({limit}).",
        meta={"limit": limit, "allowed": allowed},
    )


class _Patience:
    """Waits, no longer than so many seconds at a time.

    `asyncio.timeout` would set a timer for each chunk. Here one timer looks, now and then, how long
    the wait that is going on has lasted.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._timer: asyncio.TimerHandle | None = None
        self._waiting: asyncio.Task[object] | None = None
        self._since = 0.0
        self._over = False

    async def receive(self, receive: Receive) -> Message:
        """The next message. Raises TimeoutError."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a coroutine runs in a task
        loop = asyncio.get_running_loop()
        self._since = loop.time()
        self._waiting = task
        if self._timer is None:
            self._timer = loop.call_at(self._since + self._seconds, self._look, loop)
        cancelling = task.cancelling()
        try:
            return await receive()
        except asyncio.CancelledError:
            if self._over and task.uncancel() <= cancelling:
                raise TimeoutError from None
            raise
        finally:
            self._waiting = None

    def end(self) -> None:
        """Nothing more is waited for."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        if self._waiting is None:
            return
        until = self._since + self._seconds
        if loop.time() < until:
            self._timer = loop.call_at(until, self._look, loop)
        else:
            self._over = True
            self._waiting.cancel()


class Body:
    """A request's body; more than `max_bytes` raise `refusal`.

    A body that is declared too large is refused when this is made, before any of it is read.
    """

    def __init__(
        self,
        request: Request,
        *,
        max_bytes: int,
        refusal: ProblemError,
        chunk_timeout_seconds: float,
    ) -> None:
        self._receive = request.receive
        self._too_large = refusal
        self._left = max_bytes
        self._timeout = chunk_timeout_seconds
        self._patience = _Patience(chunk_timeout_seconds)
        self.received_all = False
        declared = request.headers.get("content-length", "")
        # Python converts no number of more than 4,300 digits.
        if declared.isdecimal() and (len(declared) > 18 or int(declared) > max_bytes):
            raise self._too_large

    async def next_chunk(self) -> bytes:
        """The next bytes, possibly none; `received_all` tells afterwards whether they are the last.

        Raises ClientDisconnect when the client has gone, and refuses one that sends nothing for
        too long (408) or more than the limit (413).
        """
        try:
            message = await self._patience.receive(self._receive)
        except TimeoutError:
            raise refuse(
                408,
                "upload-stalled",
                "The client stopped sending",
                f"Nothing was received for {self._timeout:g} seconds (chunk_timeout_seconds).",
                headers={"Connection": "close"},
            ) from None
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        chunk: bytes = message.get("body", b"")
        self._left -= len(chunk)
        if self._left < 0:
            raise self._too_large
        self.received_all = not message.get("more_body", False)
        if self.received_all:
            self._patience.end()
        return chunk

    async def read(self) -> bytes:
        """All that is left of the body."""
        chunks = []
        while not self.received_all:
            chunks.append(await self.next_chunk())
        return b"".join(chunks)
