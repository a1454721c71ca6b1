"""The second half of an import: its event is there, and now its media move to storage."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from eventimport.conference.report import Report
from eventimport.database.media_records import ImportMediaRecords
from eventimport.formats.source import Source
from eventimport.imports.attempt import Attempt
from eventimport.media.transfer import MediaTransfer
from eventimport.resources import Resources
from eventimport.storage.local import local_copy


async def move_media(resources: Resources, attempt: Attempt) -> dict[str, Any]:
    """Move what is still planned of the import's media; return what the report says of all of them.

    Raises StaleAttemptError, and StorageError once storage has failed for too long: what is moved
    by then stays so, and the next attempt goes on with the rest.
    """
    lease = attempt.lease
    records = ImportMediaRecords(resources.engine, lease)
    if (await records.counts()).get("PLANNED"):
        storage = await resources.active_storage()
        async with archive_of(resources, attempt) as archive:
            await MediaTransfer(
                records,
                storage,
                resources.fetcher,
                resources.images,
                resources.settings.transfer,
                tell=attempt.tell,
            ).run(archive.read)
    return await records.report()


@asynccontextmanager
async def archive_of(resources: Resources, attempt: Attempt) -> AsyncIterator[Source]:
    """The import's archive, opened once more. Raises StorageError."""
    lease = attempt.lease
    archived = resources.storages.get(lease.archive_storage)
    limits = resources.settings.archive_limits
    async with local_copy(archived, lease.archive_key) as path:
        with path.open("rb") as file:
            # Its findings were reported when the archive was read for the first time.
            opened = await attempt.in_thread(
                lambda: Source.open(file, limits, Report(), attempt.check)
            )
            with opened as source:
                yield source
