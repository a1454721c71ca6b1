"""Removing what is not needed any more: archives of finished imports, objects that nothing refers
to, and rows of which nobody will ask.

Every step may be cut off anywhere and simply begins anew in the next round: an object is deleted
before its row says so, and deleting what is gone is no error. While a storage is spoken to, nothing
in the database is locked.
"""

import asyncio
import logging
from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy.exc import SQLAlchemyError

from eventimport.database.idempotency import delete_expired_keys
from eventimport.database.kept_archives import KeptArchive, archives_to_remove, forget_archives
from eventimport.database.outbox import delete_old_mails
from eventimport.database.rounds import CLEAN_UP, add_counts, take_round
from eventimport.database.service_settings import read_installation
from eventimport.jobs.remove_orphans import FAILED, remove_orphans
from eventimport.resources import Resources, open_resources
from eventimport.settings import Settings
from eventimport.storage.remover import Remover

BATCH: Final = 500
PAUSE: Final = 60.0
"""Seconds until what could not be done, because a server was away, is tried again."""

ARCHIVE: Final = "expired_archive"
MAIL: Final = "old_mail"
IDEMPOTENCY_KEY: Final = "expired_idempotency_key"

logger = logging.getLogger(__name__)


async def clean_up(resources: Resources, *, now: datetime | None = None) -> dict[str, int]:
    """One round, whoever else runs one; `now` is for tests. Returns how many objects and rows were
    removed, by why, and as `failed` how many objects were not, which the next round tries again.
    Raises what the database's absence raises."""
    settings = resources.settings
    now = now or datetime.now(UTC)
    counts = await _remove_archives(resources, now - settings.archive_retention)
    async with resources.engine.begin() as connection:
        installation = await read_installation(connection)
    for storage in resources.storages:
        counts += await remove_orphans(
            storage, resources.reader, installation, now - settings.orphan_age
        )
    async with resources.engine.begin() as connection:
        counts[MAIL] += await delete_old_mails(connection, settings.mail_retention)
    async with resources.engine.begin() as connection:
        lifetime = settings.idempotency_key_lifetime
        counts[IDEMPOTENCY_KEY] += await delete_expired_keys(connection, lifetime)
    removed = dict(sorted((+counts).items()))
    if removed:
        async with resources.engine.begin() as connection:
            await add_counts(connection, CLEAN_UP, removed, _interval(settings))
    told = ", ".join(f"{name} {count}" for name, count in removed.items())
    logger.info("clean-up: %s", told or "there was nothing to remove")
    return removed


async def _remove_archives(resources: Resources, finished_before: datetime) -> Counter[str]:
    counts: Counter[str] = Counter()
    removers = {storage.name: Remover(storage) for storage in resources.storages}
    unknown: set[str] = set()
    last: UUID | None = None
    while True:
        async with resources.reader.connect() as connection:
            batch = await archives_to_remove(
                connection, finished_before=finished_before, after=last, limit=BATCH
            )
        if not batch:
            break
        last = batch[-1].job_id
        unknown |= {kept.storage for kept in batch} - removers.keys()
        gone = await _remove_batch(batch, removers)
        if gone:
            async with resources.engine.begin() as connection:
                await forget_archives(connection, gone)
            counts[ARCHIVE] += len(gone)
    counts[FAILED] += sum(remover.failed for remover in removers.values())
    for name in sorted(unknown):
        logger.warning("old archives lie in %r, which is not configured here", name)
    return counts


async def _remove_batch(batch: Sequence[KeptArchive], removers: dict[str, Remover]) -> list[UUID]:
    """The jobs whose archives are gone."""
    by_storage: dict[str, dict[str, UUID]] = defaultdict(dict)
    for kept in batch:
        by_storage[kept.storage][kept.key] = kept.job_id
    gone: list[UUID] = []
    for name, jobs in by_storage.items():
        if name in removers:
            gone += [jobs[key] for key in await removers[name].remove(jobs)]
    return gone


async def keep_cleaning_up(resources: Resources) -> None:
    """Run the rounds that no other worker has taken, until cancelled. A server that is away is
    waited for."""
    while True:
        pause = PAUSE
        try:
            async with resources.engine.begin() as connection:
                pause = await take_round(connection, CLEAN_UP, _interval(resources.settings))
            if not pause:
                await clean_up(resources)
        except (SQLAlchemyError, OSError, TimeoutError):
            logger.warning("the clean-up has to wait", exc_info=True)
        except Exception:
            # Without it the storage would fill up, and nobody would notice before it is full.
            logger.exception("the clean-up failed for a reason that is ours")
        await asyncio.sleep(pause)


async def clean_up_once(settings: Settings) -> dict[str, int]:
    """One round now, by a process that does nothing else."""
    async with open_resources(settings) as resources:
        return await clean_up(resources)


def _interval(settings: Settings) -> timedelta:
    return timedelta(seconds=settings.clean_up_interval)
