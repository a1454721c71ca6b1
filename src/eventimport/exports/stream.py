"""Between the thread in which a format is written and the event loop in which storages work."""

import asyncio
import concurrent.futures
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from io import RawIOBase
from typing import Any, Final, TypeVar

from eventimport.imports.attempt import AttemptStoppedError
from eventimport.storage.local import LocalStorage
from eventimport.storage.protocol import ObjectNotFoundError, Storage

CHUNK: Final = 256 * 1024
AHEAD: Final = 4
"""Chunks that wait for the storage."""

LOOK_SECONDS: Final = 0.5
"""A waiting thread looks so often whether it should stop."""

_T = TypeVar("_T")
_END: Final = b""


class Loop:
    """Runs coroutines for a thread. `stopped` ends the thread while it waits."""

    def __init__(self, stopped: threading.Event) -> None:
        self._loop = asyncio.get_running_loop()
        self.stopped = stopped

    def run(self, work: Coroutine[Any, Any, _T]) -> _T:
        """The result of a coroutine. Raises AttemptStoppedError if the thread must end."""
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        while True:
            try:
                return future.result(LOOK_SECONDS)
            except concurrent.futures.TimeoutError:
                if future.done() or not self.stopped.is_set():
                    continue
                future.cancel()
                raise AttemptStoppedError from None


class Sink(RawIOBase):
    """A file that a thread writes to. What it writes is read as `chunks` in the event loop, and
    never more than a few of them are in memory."""

    def __init__(self, loop: Loop) -> None:
        super().__init__()
        self._queue: asyncio.Queue[bytes | BaseException] = asyncio.Queue(AHEAD)
        self._buffer = bytearray()
        self._thread_loop = loop
        self.size = 0

    def writable(self) -> bool:
        """It only is."""
        return True

    def write(self, content: Any) -> int:
        """Take bytes, and wait while the storage is slower."""
        size = len(content)
        self._buffer += content
        self.size += size
        if len(self._buffer) >= CHUNK:
            self._send()
        return size

    def finish(self) -> None:
        """Send what is left, and end the chunks."""
        if self._buffer:
            self._send()
        self._thread_loop.run(self._queue.put(_END))

    async def fail(self, error: BaseException) -> None:
        """Have the reader of the chunks raise this error."""
        await self._queue.put(error)

    async def chunks(self) -> AsyncIterator[bytes]:
        """What is written, until the end."""
        while chunk := await self._queue.get():
            if isinstance(chunk, BaseException):
                raise chunk
            yield chunk

    def _send(self) -> None:
        chunk = bytes(self._buffer)
        self._buffer.clear()
        self._thread_loop.run(self._queue.put(chunk))


def read_in_thread(loop: Loop, storage: Storage, key: str) -> Iterator[bytes]:
    """The chunks of a stored file, for a thread. Empty if the file is no longer there."""
    if isinstance(storage, LocalStorage):
        try:
            path = loop.run(storage.path(key))
            with path.open("rb") as file:
                while chunk := file.read(CHUNK):
                    yield chunk
        except (ObjectNotFoundError, FileNotFoundError):
            return
        return
    opened = storage.open(key)
    try:
        chunks = loop.run(_enter(opened.__aenter__))
    except ObjectNotFoundError:
        return
    try:
        while chunk := loop.run(_next(chunks)):
            yield chunk
    finally:
        loop.run(_leave(opened))


async def _enter(enter: Callable[[], Coroutine[Any, Any, _T]]) -> _T:
    return await enter()


async def _next(chunks: AsyncIterator[bytes]) -> bytes:
    return await anext(chunks, b"")


async def _leave(opened: Any) -> None:
    await opened.__aexit__(None, None, None)
