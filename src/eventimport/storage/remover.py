"""Deleting many objects of a backend that may fail at any of them."""

import asyncio
import logging
from collections.abc import Iterable
from typing import Final

from eventimport.storage.protocol import Storage, StorageError

AT_ONCE: Final = 8
ENOUGH: Final = 10
"""After so many failures in a row it is the backend that fails, not its objects."""

_logger = logging.getLogger(__name__)


class Remover:
    """Deletes objects, and goes on after those that can't be deleted, which `failed` counts. The
    first of them is logged, for all."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._in_a_row = 0
        self.failed = 0

    @property
    def has_given_up(self) -> bool:
        """Whether nothing is deleted any more, because nothing can be."""
        return self._in_a_row >= ENOUGH

    async def remove(self, keys: Iterable[str]) -> list[str]:
        """Delete the objects, a few at a time; gives back the keys of those that are gone. Never
        raises what the backend does."""
        waiting = iter(keys)
        gone: list[str] = []

        async def work() -> None:
            for key in waiting:
                if self.has_given_up:
                    return
                try:
                    await self._storage.delete(key)
                except StorageError as error:
                    self._fail(key, error)
                else:
                    self._in_a_row = 0
                    gone.append(key)

        async with asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(work())
        return gone

    def _fail(self, key: str, error: Exception) -> None:
        if not self.failed:
            _logger.warning(
                "%s can't be deleted from %s, and maybe others: %s", key, self._storage.name, error
            )
        self.failed += 1
        self._in_a_row += 1
