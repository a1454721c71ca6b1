"""The deletion of stored files that nothing uses, and the withdrawal of files that are not served.

It goes by the rows of `database.objects`, where it also finds what a dead process has left behind.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from eventimport.database.objects import Unlinked, forget_objects, give_up_objects
from eventimport.database.withdrawal import MovingFile, files_moved
from eventimport.storage.factory import StorageSet
from eventimport.storage.keys import withdrawn_key
from eventimport.storage.protocol import ObjectNotFoundError, StorageError, move_object

AT_ONCE: Final = 8
ENOUGH: Final = 10
"""After this many failures in a row the storage fails, not its objects."""

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
            if one.withdrawn:
                await storage.delete(withdrawn_key(one.key))
        except StorageError as error:
            if not self._in_a_row[one.storage]:
                logger.warning(
                    "%s cannot be deleted from %s; the clean-up tries again: %s",
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
        logger.warning("the clean-up deletes the %d remaining files", len(objects), exc_info=True)


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
        logger.warning("the clean-up deletes the %d remaining files", len(keys), exc_info=True)
        return
    await delete_objects(engine, storages, objects)


async def move_files(
    engine: AsyncEngine, storages: StorageSet, files: Collection[MovingFile]
) -> int:
    """Move files whose marking is committed to where they belong; returns how many could not be
    moved. Raises nothing: the clean-up moves these."""
    if not files:
        return 0
    waiting = iter([file for file in files if file.storage in storages.names])
    moved: list[MovingFile] = []

    async def work() -> None:
        for file in waiting:
            if await _move(storages, file):
                moved.append(file)  # noqa: PERF401 - several tasks share the iterator

    async with asyncio.TaskGroup() as group:
        for _ in range(min(AT_ONCE, len(files))):
            group.create_task(work())
    try:
        async with engine.begin() as connection:
            await files_moved(connection, moved)
    except (SQLAlchemyError, OSError, TimeoutError):
        logger.warning("the clean-up moves %d files again", len(moved), exc_info=True)
    return len(files) - len(moved)


async def _move(storages: StorageSet, file: MovingFile) -> bool:
    storage = storages.get(file.storage)
    keys = file.key, withdrawn_key(file.key)
    source, target = keys if file.is_withdrawn else reversed(keys)
    try:
        await move_object(storage, source, target)
    except ObjectNotFoundError:
        return True  # It is there already, or gone.
    except StorageError as error:
        logger.warning("%s cannot be moved; the clean-up tries again: %s", file.key, error)
        return False
    return True
