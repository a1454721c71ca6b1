"""Checks that a backend stores, reads and deletes."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Final

from eventimport.storage.protocol import Storage, StorageError

PROBE_SECONDS: Final = 20.0


async def probe(storage: Storage, key: str, *, timeout: float = PROBE_SECONDS) -> None:
    """Write an object, read it, and delete it. Raises StorageError, naming the step that failed,
    after at most `timeout` seconds; then the object may still be there.
    """
    content = secrets.token_bytes(64)
    step = ""
    try:
        async with asyncio.timeout(timeout):
            try:
                step = "write"
                await storage.put(key, _chunks(content), content_type="application/octet-stream")
                step = "read"
                await _check_content(storage, key, content)
            finally:
                with suppress(StorageError):
                    await storage.delete(key)
            step = "delete"
            await storage.delete(key)
            await _check_deleted(storage, key)
    except StorageError as error:
        raise StorageError(
            f"{step}: {error.args[0]}",
            retryable=error.retryable,
            code=error.code,
            advice=error.advice,
        ) from error
    except TimeoutError:
        raise StorageError(f"{step}: no answer within {timeout:g} seconds") from None


async def _chunks(content: bytes) -> AsyncIterator[bytes]:
    yield content


async def _check_content(storage: Storage, key: str, content: bytes) -> None:
    async with storage.open(key) as stored:
        found = b"".join([chunk async for chunk in stored])
    if found != content:
        raise StorageError("the content differs from what was written")


async def _check_deleted(storage: Storage, key: str) -> None:
    if await storage.stat(key) is not None:
        raise StorageError("the object was not deleted")
