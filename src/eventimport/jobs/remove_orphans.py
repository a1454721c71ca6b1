"""Removing stored objects that nothing refers to any more."""

import logging
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import islice
from typing import Final

from sqlalchemy.ext.asyncio import AsyncEngine

from eventimport.database.orphans import Orphan, orphans_among
from eventimport.storage.claim import CLAIM_KEY, claim
from eventimport.storage.owners import OWNED_PREFIXES, Owner, owner_of
from eventimport.storage.protocol import Storage, StorageError
from eventimport.storage.remover import Remover

BATCH: Final = 500
"""So many objects are asked about at once: what is listed is never held as a whole."""

REMOVED_AT_ONCE: Final = 50
"""So many are asked about once more, and then removed."""

STALE_UPLOAD: Final = "unfinished_upload"
FAILED: Final = "failed"

logger = logging.getLogger(__name__)


async def remove_orphans(
    storage: Storage, reader: AsyncEngine, installation: str, before: datetime
) -> Counter[str]:
    """Remove, from a storage that is this installation's, the objects from before that time which
    nothing refers to, and what uploads that died then have left; how many of each kind there were.
    A storage that fails is logged. Raises what the database's absence raises."""
    search = _Search(storage, reader, before)
    try:
        if await claim(storage, installation):
            await search.run()
        else:
            logger.error(
                "nothing is removed from %s: another installation has it, says its object %s",
                storage.name,
                CLAIM_KEY,
            )
    except StorageError:
        logger.warning("the clean-up of %s has to wait", storage.name, exc_info=True)
        search.counts[FAILED] += 1
    return search.counts


class _Search:
    """For the orphans of one storage; `counts` is what was removed."""

    def __init__(self, storage: Storage, reader: AsyncEngine, before: datetime) -> None:
        self._storage = storage
        self._reader = reader
        self._before = before
        self._remover = Remover(storage)
        self.counts: Counter[str] = Counter()

    async def run(self) -> None:
        """Raises StorageError where the storage does not even list what it has."""
        await self._remove_stale()
        try:
            for prefix in OWNED_PREFIXES:
                await self._search(prefix)
        finally:
            self.counts[FAILED] += self._remover.failed

    async def _remove_stale(self) -> None:
        age = (datetime.now(UTC) - self._before).total_seconds()
        try:
            self.counts[STALE_UPLOAD] += await self._storage.remove_stale(age)
        except StorageError as error:
            # A bucket's policy may forbid it; a lifecycle rule does the same then.
            logger.warning("unfinished uploads stay in %s: %s", self._storage.name, error)

    async def _search(self, prefix: str) -> None:
        batch: dict[str, Owner] = {}
        async for stored in self._storage.keys(prefix):
            owner = owner_of(stored.key)
            if owner is not None and stored.modified_at < self._before:
                batch[stored.key] = owner
            if len(batch) >= BATCH:
                await self._remove(batch)
                batch = {}
            if self._remover.has_given_up:
                return
        await self._remove(batch)

    async def _remove(self, batch: Mapping[str, Owner]) -> None:
        found = iter(await self._orphans(batch))
        while some := list(islice(found, REMOVED_AT_ONCE)):
            # What was true when a long list was begun need not be true at its end.
            certain = await self._orphans({key: batch[key] for key in some})
            gone = await self._remover.remove(certain)
            self.counts.update(str(certain[key]) for key in gone)

    async def _orphans(self, objects: Mapping[str, Owner]) -> dict[str, Orphan]:
        if not objects:
            return {}
        async with self._reader.connect() as connection:
            return await orphans_among(connection, objects)
