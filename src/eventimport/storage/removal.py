"""Taking back what was stored for a request or a job that failed."""

import asyncio
import logging
from collections.abc import Sequence

from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from eventimport.storage.protocol import Storage, StorageError

_logger = logging.getLogger(__name__)
_removals: set[asyncio.Task[None]] = set()


async def take_back(storage: Storage, keys: Sequence[str]) -> None:
    """Delete these objects; what cannot be deleted is logged, and nothing is raised for it.

    Goes on when the caller is cancelled, as a request is whose client has gone.
    """
    if not keys:
        return
    removal = asyncio.create_task(_remove(storage, tuple(keys)))
    _removals.add(removal)
    removal.add_done_callback(_removals.discard)
    await asyncio.shield(removal)


async def _remove(storage: Storage, keys: Sequence[str]) -> None:
    for key in keys:
        try:
            async for attempt in AsyncRetrying(
                retry=retry_if_exception(_is_retryable),
                stop=stop_after_attempt(3),
                wait=wait_random_exponential(multiplier=0.1, max=1),
                reraise=True,
            ):
                with attempt:
                    await storage.delete(key)
        except StorageError:
            _logger.exception("an object that nothing refers to could not be deleted: %s", key)


def _is_retryable(error: BaseException) -> bool:
    return isinstance(error, StorageError) and error.retryable
