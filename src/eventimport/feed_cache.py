"""Rendered feeds that a process keeps: plain and compressed, until newer ones need the space.

Large feeds are in temporary files. Each feed is rendered once, however many clients wait for it.
"""

import asyncio
import gzip
import os
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable
from dataclasses import dataclass, field
from tempfile import TemporaryFile
from typing import BinaryIO, Final, cast

IN_MEMORY: Final = 1024 * 1024
"""A larger feed is kept in a file, in bytes."""

CHUNK: Final = 256 * 1024
AT_ONCE: Final = 2
"""Feeds that are rendered at the same time; further ones wait."""


class Held:
    """A temporary file, which goes away with the last one who reads it."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def read(self, position: int) -> bytes:
        """A chunk from this position on. Threads may read at the same time."""
        return os.pread(self._file.fileno(), CHUNK, position)

    def __del__(self) -> None:
        """Delete the file."""
        self._file.close()


@dataclass(frozen=True, slots=True)
class Content:
    """The bytes of a feed: all of them, or a file that holds them."""

    size: int
    data: bytes | None = None
    file: Held | None = None

    async def chunks(self) -> AsyncIterator[bytes]:
        """The bytes in chunks."""
        if self.file is None:
            yield self.data or b""
            return
        position = 0
        while position < self.size:
            chunk = await asyncio.to_thread(self.file.read, position)
            position += len(chunk)
            yield chunk


@dataclass(frozen=True, slots=True)
class Feed:
    """A rendered feed. `sessions` is how many it has."""

    sessions: int
    plain: Content
    compressed: Content

    @property
    def size(self) -> int:
        """The bytes that it takes up."""
        return self.plain.size + self.compressed.size


Render = Callable[[], Awaitable[Feed | None]]


@dataclass(slots=True)
class FeedCache:
    """Keeps at most `max_bytes` of feeds, besides the last one."""

    max_bytes: int
    rendered: int = 0
    """How many feeds were rendered."""
    _kept: OrderedDict[Hashable, Feed] = field(default_factory=OrderedDict)
    _waiting: dict[Hashable, asyncio.Task[Feed | None]] = field(default_factory=dict)
    _at_once: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))

    async def get(self, key: Hashable, render: Render) -> Feed | None:
        """The feed of this key, rendered unless it is kept. None if there is nothing to render."""
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        waiting = self._waiting.get(key)
        if waiting is None:
            waiting = self._waiting[key] = asyncio.create_task(self._make(key, render))
        # A client that goes away does not stop what others wait for.
        return await asyncio.shield(waiting)

    async def close(self) -> None:
        """Wait for what is rendered, and forget all feeds."""
        await asyncio.gather(*self._waiting.values(), return_exceptions=True)
        self._kept.clear()

    async def _make(self, key: Hashable, render: Render) -> Feed | None:
        try:
            async with self._at_once:
                feed = await render()
            self.rendered += 1
            if feed is not None:
                self._keep(key, feed)
            return feed
        finally:
            del self._waiting[key]

    def _keep(self, key: Hashable, feed: Feed) -> None:
        self._kept[key] = feed
        total = sum(each.size for each in self._kept.values())
        while total > self.max_bytes and len(self._kept) > 1:
            _, oldest = self._kept.popitem(last=False)
            total -= oldest.size


def feed_of(write: Callable[[BinaryIO], int]) -> Feed:
    """A feed, plain and compressed. `write` returns how many sessions it has written."""
    plain, packed = _temporary(), _temporary()
    sessions = write(plain)
    plain.seek(0)
    with gzip.GzipFile("", "wb", 6, packed, mtime=0) as file:
        while chunk := plain.read(CHUNK):
            file.write(chunk)
    return Feed(sessions, _content(plain), _content(packed))


def _temporary() -> BinaryIO:
    # It stays open as long as the feed is kept, and goes away with it.
    return cast("BinaryIO", TemporaryFile())


def _content(file: BinaryIO) -> Content:
    size = file.seek(0, os.SEEK_END)
    if size > IN_MEMORY:
        file.flush()
        return Content(size, file=Held(file))
    file.seek(0)
    with file:
        return Content(size, file.read())
