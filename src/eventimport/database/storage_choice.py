"""Which storage takes new objects: the admin's choice, as every process comes to know it."""

import asyncio
import logging
import time
from typing import Final

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from eventimport.database.service_settings import read_storage_place

FRESH_SECONDS: Final = 1.0
"""For so long a process relies on what it read."""

_logger = logging.getLogger(__name__)


class StorageChoice:
    """The choice as the database has it, read again when it is asked for after `fresh_seconds`.

    While the database is away, the last known choice holds.
    """

    def __init__(self, reader: AsyncEngine, *, fresh_seconds: float = FRESH_SECONDS) -> None:
        self._reader = reader
        self._fresh_seconds = fresh_seconds
        self._name: str | None = None
        self._read_at = float("-inf")
        self._reading = asyncio.Lock()

    async def current(self) -> str | None:
        """The chosen storage's name; None where no admin has chosen, as far as one knows."""
        if self._is_stale():
            async with self._reading:
                # Who has waited for another's read need not read again.
                if self._is_stale():
                    await self._read()
        return self._name

    def set(self, name: str) -> None:
        """Take down what this process has just written."""
        self._name = name
        self._read_at = time.monotonic()

    def _is_stale(self) -> bool:
        return time.monotonic() - self._read_at >= self._fresh_seconds

    async def _read(self) -> None:
        try:
            async with self._reader.connect() as connection:
                self._name = await read_storage_place(connection)
        except (SQLAlchemyError, OSError, TimeoutError):
            _logger.warning("which storage is active cannot be read now", exc_info=True)
        self._read_at = time.monotonic()
