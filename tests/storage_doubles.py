"""Storages for tests: one in memory, and one that fails on purpose."""

from collections.abc import AsyncIterable, AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from urllib.parse import quote

from eventimport.storage.config import MIB
from eventimport.storage.keys import check_key, check_public
from eventimport.storage.protocol import (
    ObjectNotFoundError,
    Storage,
    StorageError,
    StoredObject,
)


class MemoryStorage:
    """A `Storage` that holds everything in memory."""

    def __init__(self, base_url: str = "") -> None:
        self._base_url = base_url.rstrip("/")
        self._objects: dict[str, tuple[StoredObject, bytes]] = {}

    @property
    def name(self) -> str:
        """Always `memory`."""
        return "memory"

    async def put(
        self, key: str, chunks: AsyncIterable[bytes], *, content_type: str
    ) -> StoredObject:
        """Store the chunks once the last has come."""
        check_key(key)
        content = b"".join([chunk async for chunk in chunks])
        stored = StoredObject(key, len(content), content_type, datetime.now(UTC))
        self._objects[key] = (stored, content)
        return stored

    @asynccontextmanager
    async def open(self, key: str) -> AsyncIterator[AsyncIterator[bytes]]:
        """Read the object's chunks."""
        try:
            _, content = self._objects[check_key(key)]
        except KeyError:
            raise ObjectNotFoundError(key) from None
        yield _slices(content)

    async def stat(self, key: str) -> StoredObject | None:
        """The object's facts."""
        found = self._objects.get(check_key(key))
        return found[0] if found else None

    async def delete(self, key: str) -> None:
        """Forget the object."""
        self._objects.pop(check_key(key), None)

    async def delete_unfinished(self, key: str) -> None:
        """Nothing outlives the process."""

    def public_url(self, key: str) -> str:
        """A URL like a local backend's; nothing serves it."""
        return f"{self._base_url}/media/{quote(check_public(key))}"

    async def close(self) -> None:
        """Nothing to give back."""


class FaultyStorage:
    """Another backend whose `fail_at`-th write fails, counted from 1 over all objects.

    Each chunk is one write, and the object's completion is one more. `writes` counts them: with
    `fail_at` None a test learns from it how many faults there are to try.
    """

    def __init__(self, inner: Storage, *, fail_at: int | None = None) -> None:
        self._inner = inner
        self.fail_at = fail_at
        self.writes = 0

    @property
    def name(self) -> str:
        """The inner backend's."""
        return self._inner.name

    async def put(
        self, key: str, chunks: AsyncIterable[bytes], *, content_type: str
    ) -> StoredObject:
        """Store the chunks, unless one of these writes is the one that fails."""
        return await self._inner.put(key, self._counted(chunks), content_type=content_type)

    def open(self, key: str) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """The inner backend's."""
        return self._inner.open(key)

    async def stat(self, key: str) -> StoredObject | None:
        """The inner backend's."""
        return await self._inner.stat(key)

    async def delete(self, key: str) -> None:
        """The inner backend's."""
        await self._inner.delete(key)

    async def delete_unfinished(self, key: str) -> None:
        """The inner backend's."""
        await self._inner.delete_unfinished(key)

    def public_url(self, key: str) -> str:
        """The inner backend's."""
        return self._inner.public_url(key)

    async def close(self) -> None:
        """Close the inner backend."""
        await self._inner.close()

    async def _counted(self, chunks: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
        async for chunk in chunks:
            self._write()
            yield chunk
        self._write()

    def _write(self) -> None:
        self.writes += 1
        if self.writes == self.fail_at:
            raise StorageError(f"write {self.writes} failed on purpose")


async def _slices(content: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(content), MIB):
        yield content[start : start + MIB]
