"""A backend that fails on purpose, for tests of everything that stores."""

from collections.abc import AsyncIterable, AsyncIterator
from contextlib import AbstractAsyncContextManager

from eventimport.storage.protocol import Storage, StorageError, StoredObject


class FaultyStorage:
    """Another backend whose `fail_at`-th write fails, counted from 1 over all objects.

    Each chunk is one write, and the object's completion is one more. `writes` tells how many there
    were: with `fail_at` None a test learns from it how many faults there are to try.
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
