"""Objects in a dictionary: for tests, and for trying the service out."""

from collections.abc import AsyncIterable, AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from urllib.parse import quote

from eventimport.storage.config import MIB, MemoryConfig
from eventimport.storage.keys import check_key, check_public
from eventimport.storage.protocol import ObjectNotFoundError, StoredObject


class MemoryStorage:
    """A `Storage` that holds everything in memory."""

    def __init__(self, config: MemoryConfig | None = None) -> None:
        self._base_url = (config or MemoryConfig()).base_url.rstrip("/")
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


async def _slices(content: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(content), MIB):
        yield content[start : start + MIB]
