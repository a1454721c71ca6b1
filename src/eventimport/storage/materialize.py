"""An object as a file with random access, for readers that seek: a zip's directory is its end."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from eventimport.storage.local import LocalStorage
from eventimport.storage.protocol import Storage


@asynccontextmanager
async def local_copy(storage: Storage, key: str) -> AsyncIterator[Path]:
    """The path of a file with the object's content, to be read only, gone afterwards.

    On local disk it is the object itself: nothing is copied. Raises ObjectNotFoundError and
    StorageError.
    """
    if isinstance(storage, LocalStorage):
        yield await storage.path(key)
        return
    with tempfile.NamedTemporaryFile(prefix="eventimport-") as file:
        async with storage.open(key) as chunks:
            async for chunk in chunks:
                await asyncio.to_thread(file.write, chunk)
        await asyncio.to_thread(file.flush)
        yield Path(file.name)
