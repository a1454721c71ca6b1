"""What an admin has set while the service runs: which storage stores new objects."""

import asyncio
import logging
import time
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from eventimport.database.models import ServiceSetting

STORAGE_PLACE: Final = "storage-place"

FRESH_SECONDS: Final = 1.0
"""How long a process relies on the choice that it has read."""

_logger = logging.getLogger(__name__)


async def read_storage_place(connection: AsyncConnection) -> str | None:
    """The name of the storage that stores new objects; None if no admin has chosen one."""
    value = await connection.scalar(
        select(ServiceSetting.value).where(ServiceSetting.key == STORAGE_PLACE)
    )
    return value if isinstance(value, str) else None


async def write_storage_place(connection: AsyncConnection, name: str) -> None:
    """Store new objects in this storage from now on."""
    statement = insert(ServiceSetting).values(key=STORAGE_PLACE, value=name)
    await connection.execute(
        statement.on_conflict_do_update(
            index_elements=[ServiceSetting.key],
            set_={"value": statement.excluded.value, "updated_at": func.now()},
        )
    )


class StorageChoice:
    """The admin's choice, as this process knows it: read again after `fresh_seconds`.

    While the database is unavailable, the last known choice holds.
    """

    def __init__(self, reader: AsyncEngine, *, fresh_seconds: float = FRESH_SECONDS) -> None:
        self._reader = reader
        self._fresh_seconds = fresh_seconds
        self._name: str | None = None
        self._read_at = float("-inf")
        self._reading = asyncio.Lock()

    async def current(self) -> str | None:
        """The name of the chosen storage; None if no choice of an admin is known."""
        if self._is_stale():
            async with self._reading:
                # A caller that waited for another's read need not read again.
                if self._is_stale():
                    await self._read()
        return self._name

    def set(self, name: str) -> None:
        """Remember the choice that this process has just written."""
        self._name = name
        self._read_at = time.monotonic()

    def _is_stale(self) -> bool:
        return time.monotonic() - self._read_at >= self._fresh_seconds

    async def _read(self) -> None:
        try:
            async with self._reader.connect() as connection:
                self._name = await read_storage_place(connection)
        except (SQLAlchemyError, OSError, TimeoutError):
            _logger.warning(
                "the active storage could not be read; the last known one is used", exc_info=True
            )
        self._read_at = time.monotonic()
