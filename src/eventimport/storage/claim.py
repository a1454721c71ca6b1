"""Whose a storage is: the service that removes what its database does not know must be the one that
has stored it."""

from collections.abc import AsyncIterator
from typing import Final

from eventimport.storage.keys import PRIVATE_PREFIX
from eventimport.storage.protocol import ObjectNotFoundError, Storage

CLAIM_KEY: Final = f"{PRIVATE_PREFIX}installation"


async def claim(storage: Storage, installation: str) -> bool:
    """Whether the storage is this installation's: its object `private/installation` says so, which
    is written where there is none. Raises StorageError."""
    try:
        found = await _read(storage)
    except ObjectNotFoundError:
        await storage.put(CLAIM_KEY, _once(installation.encode()), content_type="text/plain")
        # Of two that have just written, the later one has it.
        found = await _read(storage)
    return found == installation.encode()


async def is_foreign(storage: Storage, installation: str | None) -> bool:
    """Whether the storage is another installation's than this one, which may have no name yet; one
    that is nobody's is not. Raises StorageError."""
    try:
        return await _read(storage) != (installation or "").encode()
    except ObjectNotFoundError:
        return False


async def _read(storage: Storage) -> bytes:
    async with storage.open(CLAIM_KEY) as chunks:
        return b"".join([chunk async for chunk in chunks]).strip()


async def _once(content: bytes) -> AsyncIterator[bytes]:
    yield content
