"""Files that are stored for a request, and the deletion of files that nothing uses.

Both go by the rows of `database.objects`: what a process that died has left behind is found there.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterable, AsyncIterator, Collection
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from eventimport.database.models import ObjectPurpose
from eventimport.database.objects import (
    Unlinked,
    Use,
    forget_objects,
    give_up_objects,
    record_objects,
    record_upload,
    set_size,
    use_objects,
)
from eventimport.storage.factory import StorageSet
from eventimport.storage.protocol import Storage, StorageError

AT_ONCE: Final = 8
ENOUGH: Final = 10
"""After this many failures in a row the storage fails, not its objects."""

RESERVED_AT_ONCE: Final = 16 * 1024 * 1024
"""Bytes of a quota that an upload reserves ahead of what it has received."""

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Deleted:
    """How many files were deleted, by purpose, and how many could not be."""

    counts: Counter[str] = field(default_factory=Counter)
    failed: int = 0


class Deleter:
    """Deletes files that are marked for deletion, and then their rows.

    Goes on after a file that can't be deleted, and gives a storage up after several of them in a
    row: the clean-up tries again. Logs the first failure of each storage.
    """

    def __init__(self, engine: AsyncEngine, storages: StorageSet) -> None:
        self._engine = engine
        self._storages = storages
        self._in_a_row: Counter[str] = Counter()
        self.deleted = Deleted()

    def gave_up(self, storage: str) -> bool:
        """Whether nothing more is deleted from the storage."""
        return self._in_a_row[storage] >= ENOUGH

    async def delete(self, objects: Collection[Unlinked]) -> None:
        """Delete the files. Raises what the database raises, and nothing that a storage does."""
        waiting = iter([one for one in objects if one.storage in self._storages.names])
        gone: list[Unlinked] = []

        async def work() -> None:
            for one in waiting:
                if await self._delete(one):
                    gone.append(one)  # noqa: PERF401 - several tasks share the iterator

        async with asyncio.TaskGroup() as group:
            for _ in range(min(AT_ONCE, len(objects))):
                group.create_task(work())
        if gone:
            async with self._engine.begin() as connection:
                await forget_objects(connection, [one.id for one in gone])
            self.deleted.counts.update(one.purpose for one in gone)

    async def _delete(self, one: Unlinked) -> bool:
        if self.gave_up(one.storage):
            return False
        storage = self._storages.get(one.storage)
        try:
            if not one.completed:
                await storage.delete_unfinished(one.key)
            await storage.delete(one.key)
        except StorageError as error:
            if not self._in_a_row[one.storage]:
                logger.warning(
                    "%s can't be deleted from %s; the clean-up tries again: %s",
                    one.key,
                    one.storage,
                    error,
                )
            self._in_a_row[one.storage] += 1
            self.deleted.failed += 1
            return False
        self._in_a_row[one.storage] = 0
        return True


async def delete_objects(
    engine: AsyncEngine, storages: StorageSet, objects: Collection[Unlinked]
) -> None:
    """Delete files whose marking is committed. Raises nothing: what can't be deleted now is left to
    the clean-up."""
    try:
        await Deleter(engine, storages).delete(objects)
    except (SQLAlchemyError, OSError, TimeoutError):
        logger.warning("%d files are left to the clean-up", len(objects), exc_info=True)


async def take_back(
    engine: AsyncEngine, storages: StorageSet, storage: str, keys: Collection[str]
) -> None:
    """Delete files unless something uses them by now. Raises nothing: what can't be deleted now is
    left to the clean-up."""
    if not keys:
        return
    try:
        async with engine.begin() as connection:
            objects = await give_up_objects(connection, storage, keys)
    except (SQLAlchemyError, OSError, TimeoutError):
        logger.warning("%d files are left to the clean-up", len(keys), exc_info=True)
        return
    await delete_objects(engine, storages, objects)


class NewObjects:
    """The files that one request stores: all of them are used in the end, or none stays.

    `declared` is how many bytes the request brings at most, if the client has said so; `quota` how
    many all uploads of the user may hold.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        storages: StorageSet,
        storage: Storage,
        user_id: int,
        *,
        quota: int,
        declared: int | None,
    ) -> None:
        self._engine = engine
        self._storages = storages
        self._storage = storage
        self._user_id = user_id
        self._quota = quota
        self._declared = declared
        self._keys: list[str] = []
        self._stored: dict[str, int] = {}
        self._unsettled: tuple[str, int] | None = None

    async def store_archive(
        self, key: str, chunks: AsyncIterable[bytes], *, content_type: str
    ) -> int:
        """Store the archive of an import; its size in bytes."""
        self._keys.append(key)
        async with self._engine.begin() as connection:
            await record_objects(
                connection,
                self._storage.name,
                [key],
                ObjectPurpose.ARCHIVE,
                user_id=self._user_id,
            )
        return await self._store(key, chunks, content_type)

    async def store_upload(
        self, key: str, chunks: AsyncIterator[bytes], *, content_type: str
    ) -> int:
        """Store a file that the user keeps; its size in bytes. Raises UploadQuotaError once the
        user's uploads, together with what others of them are receiving, exceed the quota."""
        self._keys.append(key)
        reserved = await self._reserve(key, 0)
        return await self._store(key, self._metered(key, chunks, reserved), content_type)

    async def use(self, connection: AsyncConnection, **used_by: object) -> None:
        """Link all files, in the caller's transaction. Raises ObjectLostError."""
        await use_objects(
            connection,
            self._storage.name,
            [Use(key=key, size=size, **used_by) for key, size in self._stored.items()],  # type: ignore[arg-type]
        )

    async def take_back(self) -> None:
        """Delete the files, unless the transaction that uses them was committed after all."""
        await take_back(self._engine, self._storages, self._storage.name, self._keys)

    async def _store(self, key: str, chunks: AsyncIterable[bytes], content_type: str) -> int:
        stored = await self._storage.put(key, chunks, content_type=content_type)
        self._stored[key] = stored.size
        return stored.size

    async def _metered(
        self, key: str, chunks: AsyncIterable[bytes], reserved: int
    ) -> AsyncIterator[bytes]:
        received = 0
        async for chunk in chunks:
            received += len(chunk)
            if received > reserved:
                reserved = await self._reserve(key, received)
            yield chunk
        self._unsettled = (key, received) if received < reserved else None

    async def _reserve(self, key: str, received: int) -> int:
        wanted = received + RESERVED_AT_ONCE
        if self._declared is not None:
            wanted = min(wanted, self._declared - sum(self._stored.values()))
        async with self._engine.begin() as connection:
            if self._unsettled is not None:
                done, size = self._unsettled
                await set_size(connection, self._storage.name, done, size)
                self._unsettled = None
            return await record_upload(
                connection,
                self._storage.name,
                key,
                self._user_id,
                needed=received,
                wanted=max(wanted, received),
                quota=self._quota,
            )
