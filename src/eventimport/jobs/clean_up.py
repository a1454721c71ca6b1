"""Removing what is no longer needed: archives of finished imports, expired exports, files that
nothing uses, and rows that are no longer needed.

The rows of `stored_objects` say what is deleted; no storage is ever listed. Every step may be cut
off anywhere, and begins again in the next round: a file is marked, deleted, and then its row is.
While a storage works, nothing in the database is locked.
"""

import asyncio
import logging
from collections import Counter
from datetime import timedelta
from typing import Final

from sqlalchemy.exc import SQLAlchemyError

from eventimport.database.account_links import delete_expired_links
from eventimport.database.audit import delete_old_acts
from eventimport.database.deletion import remove_deleted_events, remove_deleted_parts
from eventimport.database.idempotency import delete_expired_keys
from eventimport.database.members import delete_expired_invitations
from eventimport.database.objects import (
    storages_of_unlinked,
    take_unlinked,
    unlink_expired_archives,
    unlink_expired_exports,
    unlink_lost_rows,
)
from eventimport.database.outbox import delete_old_mails
from eventimport.database.periodic_jobs import CLEAN_UP, add_counts, take_round
from eventimport.database.sign_ins import delete_expired_sign_ins
from eventimport.database.withdrawal import files_to_move, settle_all_files
from eventimport.resources import Resources, open_resources
from eventimport.settings import Settings
from eventimport.stored_objects import Deleter, move_files

BATCH: Final = 500
EVENTS_AT_ONCE: Final = 10
PAUSE: Final = 60.0
"""Seconds until a round is tried again that a server's absence has prevented."""

FAILED: Final = "failed"
MAIL: Final = "old_mail"
DELETED_EVENT: Final = "deleted_event"
DELETED_PART: Final = "deleted_part"
AUDIT: Final = "old_audit_entry"
SIGN_IN: Final = "expired_sign_in"
LINK: Final = "expired_link"
IDEMPOTENCY_KEY: Final = "expired_idempotency_key"

logger = logging.getLogger(__name__)


async def clean_up(resources: Resources) -> dict[str, int]:
    """Run one round, whichever worker runs another one. Returns how many files and rows were
    removed, by kind, and as `failed` how many files were not, which the next round tries again.
    Raises what the database's absence raises."""
    settings = resources.settings
    removed_rows = await _remove_deleted(resources)
    await _unlink(resources)
    counts = removed_rows + await _delete_unlinked(resources)
    counts[FAILED] += await _move_withdrawn(resources)
    async with resources.engine.begin() as connection:
        counts[MAIL] += await delete_old_mails(connection, settings.mail_retention)
    async with resources.engine.begin() as connection:
        lifetime = settings.idempotency_key_lifetime
        counts[IDEMPOTENCY_KEY] += await delete_expired_keys(connection, lifetime)
    async with resources.engine.begin() as connection:
        counts[AUDIT] += await delete_old_acts(connection, settings.audit_retention)
    async with resources.engine.begin() as connection:
        counts[SIGN_IN] += await delete_expired_sign_ins(connection)
        counts[LINK] += await delete_expired_links(connection)
        counts[LINK] += await delete_expired_invitations(connection)
    removed = dict(sorted((+counts).items()))
    if removed:
        async with resources.engine.begin() as connection:
            await add_counts(connection, CLEAN_UP, removed, _interval(settings))
    listed = ", ".join(f"{name} {count}" for name, count in removed.items())
    logger.info("clean-up: %s", listed or "nothing to remove")
    return removed


async def _unlink(resources: Resources) -> None:
    retention = resources.settings.archive_retention
    more = True
    while more:
        async with resources.engine.begin() as connection:
            more = await unlink_expired_archives(connection, retention, limit=BATCH) == BATCH
    more = True
    while more:
        async with resources.engine.begin() as connection:
            more = await unlink_expired_exports(connection, limit=BATCH) == BATCH
    async with resources.engine.begin() as connection:
        await unlink_lost_rows(connection)


async def _remove_deleted(resources: Resources) -> Counter[str]:
    """Remove events, and parts of events, that can no longer be restored. Their files are marked:
    the next step deletes them."""
    retention = resources.settings.deleted_retention
    counts: Counter[str] = Counter()
    more = True
    while more:
        async with resources.engine.begin() as connection:
            removed, _ = await remove_deleted_events(connection, retention, limit=EVENTS_AT_ONCE)
        counts[DELETED_EVENT] += removed
        more = removed == EVENTS_AT_ONCE
    async with resources.engine.begin() as connection:
        counts[DELETED_PART] += await remove_deleted_parts(connection, retention)
    return counts


async def _move_withdrawn(resources: Resources) -> int:
    """Move the files that are still public though they are withdrawn, and those that are to be
    public again. Returns how many could not be moved."""
    async with resources.engine.begin() as connection:
        await settle_all_files(connection)
    failed, last = 0, 0
    while True:
        async with resources.reader.connect() as connection:
            names = resources.storages.names
            files = await files_to_move(connection, names, after=last, limit=BATCH)
        if not files:
            return failed
        failed += await move_files(resources.engine, resources.storages, files)
        last = files[-1].id


async def _delete_unlinked(resources: Resources) -> Counter[str]:
    age = resources.settings.orphan_age
    async with resources.reader.connect() as connection:
        unknown = await storages_of_unlinked(connection, age) - set(resources.storages.names)
    for name in sorted(unknown):
        logger.warning(
            "unused files in %r are not deleted, because this storage is not configured", name
        )
    deleter = Deleter(resources.engine, resources.storages)
    last: int | None = 0
    while last is not None:
        working = [name for name in resources.storages.names if not deleter.gave_up(name)]
        async with resources.engine.begin() as connection:
            objects, last = await take_unlinked(connection, working, age, after=last, limit=BATCH)
        await deleter.delete(objects)
    return deleter.deleted.counts + Counter({FAILED: deleter.deleted.failed})


async def keep_cleaning_up(resources: Resources) -> None:
    """Run the rounds that no other worker has taken, until cancelled. A server that is unavailable
    is waited for."""
    while True:
        pause = PAUSE
        try:
            async with resources.engine.begin() as connection:
                pause = await take_round(connection, CLEAN_UP, _interval(resources.settings))
            if not pause:
                await clean_up(resources)
        except (SQLAlchemyError, OSError, TimeoutError):
            logger.warning("the clean-up cannot run for now", exc_info=True)
        except Exception:
            # Without it the storage would fill up, unnoticed until it is full.
            logger.exception("the clean-up failed unexpectedly")
        await asyncio.sleep(pause)


async def clean_up_once(settings: Settings) -> dict[str, int]:
    """One round now, by a process that does nothing else."""
    async with open_resources(settings) as resources:
        return await clean_up(resources)


def _interval(settings: Settings) -> timedelta:
    return timedelta(seconds=settings.clean_up_interval)
