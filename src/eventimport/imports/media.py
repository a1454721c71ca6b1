"""The media files of an import: moved once the event is committed; or before, when a strict import
stores them and a dry run checks them."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterable, AsyncIterator, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Self
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from eventimport.conference.plan import Plan, PlannedMedia, RecordRows
from eventimport.conference.report import Report
from eventimport.database.findings import add_finding
from eventimport.database.media_records import FileRecords, ImportMediaRecords, uses_of
from eventimport.database.models import ObjectPurpose
from eventimport.database.objects import Use, record_objects
from eventimport.database.tasks import Lease
from eventimport.formats.source import Source
from eventimport.imports.attempt import Attempt, TaskAttempt
from eventimport.media.images import ImageSizes
from eventimport.media.sources import OpenEntry, no_entry
from eventimport.media.transfer import MediaTransfer, TransferConfig
from eventimport.resources import Resources
from eventimport.storage.local import local_copy
from eventimport.storage.protocol import ObjectNotFoundError, Storage, StoredObject
from eventimport.storage.stored_file import Moved, PlannedFile, PlannedItem
from eventimport.stored_objects import take_back


@dataclass(frozen=True, slots=True)
class Archived:
    """Where an import's archive is stored. The key is None once the archive is deleted."""

    storage: str | None
    key: str | None

    @classmethod
    def of(cls, lease: Lease) -> Self:
        """The archive of an import that runs."""
        return cls(lease.archive_storage, lease.archive_key)


async def move_media(
    resources: Resources, attempt: TaskAttempt, job_id: UUID, archive: Archived
) -> dict[str, Any]:
    """Move what is still planned of an import's media; return what the report says of all of them.
    The archive is opened only if a file of it is to be moved.

    Raises StaleAttemptError, and StorageError once storage has failed for too long: what is moved
    by then stays so, and the next attempt goes on with the rest.
    """
    records = ImportMediaRecords(resources.engine, attempt.claimed, job_id)
    if (await records.counts()).get("PLANNED"):
        storage = await resources.active_storage()
        async with AsyncExitStack() as stack:
            open_entry: OpenEntry = no_entry
            if await records.needs_archive():
                opening = archive_of(resources, attempt, archive)
                open_entry = (await stack.enter_async_context(opening)).read
            await MediaTransfer(
                records,
                storage,
                resources.fetcher,
                resources.images,
                resources.settings.transfer,
                show=attempt.show,
            ).run(open_entry)
    return await records.report()


@asynccontextmanager
async def archive_of(
    resources: Resources, attempt: TaskAttempt, archive: Archived
) -> AsyncIterator[Source]:
    """An import's archive, opened once more. Raises StorageError."""
    if archive.key is None or archive.storage is None:
        raise ObjectNotFoundError("the archive was deleted")
    archived = resources.storages.get(archive.storage)
    limits = resources.settings.archive_limits
    async with local_copy(archived, archive.key) as path:
        with path.open("rb") as file:
            # Its findings were reported when the archive was read for the first time.
            opened = await attempt.in_thread(
                lambda: Source.open(file, limits, Report(), attempt.check)
            )
            with opened as source:
                yield source


@dataclass(slots=True)
class EarlyItem:
    """A planned file with what became of it; its id is its position in the plan."""

    id: int
    planned: PlannedMedia
    outcome: str = "PLANNED"
    detail: str | None = None
    url: str | None = None
    size: int | None = None


@dataclass(frozen=True, slots=True)
class EarlyMedia:
    """What became of the plan's media, and the files that were stored, with their uses."""

    items: Sequence[EarlyItem]
    storage: str
    keys: Sequence[str]
    uses: Sequence[Use]


class EarlyRecords(FileRecords):
    """The records of a transfer, kept in memory and in the plan: its rows get the URLs. Only the
    files have rows in the database already.

    With `only_check`, it plans the archive's images only, and changes no row: other files were read
    with the archive, and nothing is fetched.
    """

    def __init__(self, engine: AsyncEngine, user_id: int, plan: Plan, *, only_check: bool) -> None:
        super().__init__(engine)
        self._user_id = user_id
        self.keys: list[str] = []
        self.uses: list[Use] = []
        self.items = [
            EarlyItem(number, planned, "MISSING" if planned.missing else "PLANNED")
            for number, planned in enumerate(plan.media)
        ]
        self._event_id = plan.event_id
        self._only_check = only_check
        self._rows = {
            (table.table, record.new_id): record
            for table in plan.tables
            if isinstance(table.rows, RecordRows)
            for record in table.rows.records
        }

    async def planned(
        self, limit: int, *, last: Collection[tuple[str, str]]
    ) -> Sequence[PlannedFile]:
        """All files that are not settled; those that a field of `last` refers to, last."""
        del limit
        files: dict[tuple[str, bool, str], list[EarlyItem]] = {}
        for item in self.items:
            planned = item.planned
            is_image = planned.media_type == "image"
            if item.outcome != "PLANNED" or (
                self._only_check and (planned.origin == "remote" or not is_image)
            ):
                continue
            name = planned.entry or planned.source
            if planned.origin == "remote":
                name = planned.source.partition("#")[0]
            files.setdefault((planned.origin, is_image, name), []).append(item)
        found = [self._file(items, last) for items in files.values()]
        return sorted(found, key=lambda file: file.last)

    def _file(self, items: Sequence[EarlyItem], last: Collection[tuple[str, str]]) -> PlannedFile:
        first = items[0].planned
        return PlannedFile(
            event_id=self._event_id,
            source=first.source,
            origin=first.origin,
            is_image=first.media_type == "image",
            entry=first.entry,
            items=tuple(
                PlannedItem(item.id, item.planned.table, item.planned.row_id, item.planned.field)
                for item in items
            ),
            last=any((item.planned.table, item.planned.field) in last for item in items),
        )

    async def counts(self) -> Mapping[str, int]:
        """How many items there are of each outcome."""
        return Counter(item.outcome for item in self.items)

    async def stored_bytes(self) -> int:
        """Nothing is stored before the one run of a transfer."""
        return 0

    async def empty_fields(
        self, table: str, row_ids: Collection[int], fields: Collection[str]
    ) -> Mapping[int, Collection[str]]:
        """For each row, those of the fields in which it will hold nothing."""
        return {
            row_id: [name for name in fields if self._rows[table, row_id].values.get(name) is None]
            for row_id in row_ids
        }

    async def reserve(self, storage: str, keys: Collection[str]) -> None:
        """Record the files that are going to be stored; a check stores none."""
        if not self._only_check:
            self.keys += keys
            async with self._engine.begin() as connection:
                await record_objects(
                    connection, storage, keys, ObjectPurpose.MEDIA, user_id=self._user_id
                )

    async def settle(self, ids: Collection[int], outcome: str, detail: str) -> None:
        """Remember why the file of these items is not stored."""
        for item_id in ids:
            self.items[item_id].outcome, self.items[item_id].detail = outcome, detail

    async def settle_moved(self, files: Sequence[tuple[PlannedFile, Moved]]) -> Collection[str]:
        """Write the URLs to the rows of the plan. Returns the keys that no row took."""
        before = len(self.uses)
        for file, moved in files:
            for planned in file.items:
                item = self.items[planned.id]
                item.outcome, item.detail = "MOVED", moved.detail
                item.url, item.size = moved.file.url, moved.file.size
                if not self._only_check:
                    self._use(file.event_id, planned, moved)
        if self._only_check:
            return ()
        used = {use.key for use in self.uses[before:]}
        return {key for _, moved in files for key in moved.keys} - used

    def _use(self, event_id: int, item: PlannedItem, moved: Moved) -> None:
        place = item.table_name, item.field
        values = self._rows[item.table_name, item.row_id].values
        values[item.field] = moved.file.url
        made = moved.made.get(place, {})
        fields = [name for name in made if values.get(name) is None]
        values |= {name: made[name].url for name in fields}
        self.uses += uses_of(event_id, place, item.row_id, moved, fields)

    def report(self, report: Report) -> None:
        """Add a finding for each file that was not stored, or that is odd."""
        for item in self.items:
            planned = item.planned
            if (item.outcome in {"MOVED", "PLANNED"} and item.detail is None) or planned.missing:
                continue
            add_finding(
                report,
                planned.place,
                source=planned.source,
                origin=planned.origin,
                media_type=planned.media_type,
                outcome=item.outcome,
                detail=item.detail,
            )


class _NoStorage:
    """Counts the bytes that are put, and keeps none of them: the `Storage` of a dry run."""

    name = "none"

    async def put(
        self, key: str, chunks: AsyncIterable[bytes], *, content_type: str
    ) -> StoredObject:
        """Read all chunks, so that what is wrong with them is found."""
        size = 0
        async for chunk in chunks:
            size += len(chunk)
        return StoredObject(key, size, content_type, datetime.now(UTC))

    def open(self, key: str) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """Raises ObjectNotFoundError."""
        raise ObjectNotFoundError(key)

    async def stat(self, key: str) -> StoredObject | None:  # noqa: ARG002 - holds no object
        """None: no object is kept."""
        return None

    async def delete(self, key: str) -> None:
        """Do nothing: no object is kept."""

    async def delete_unfinished(self, key: str) -> None:
        """Do nothing: no object is kept."""

    def public_url(self, key: str) -> str:
        """The key: no URL leads to it."""
        return key

    async def close(self) -> None:
        """Do nothing: there is no connection."""


async def check_early(resources: Resources, attempt: Attempt, plan: Plan, report: Report) -> None:
    """Decode the archive's images, and report those that an import would not store."""
    lease = attempt.lease
    records = EarlyRecords(resources.engine, lease.user_id, plan, only_check=True)
    if await records.planned(1, last=()):
        no_sizes = ImageSizes(event={}, speaker={}, upload={})
        config = replace(resources.settings.transfer, image_sizes=no_sizes)
        await _transfer(resources, attempt, records, _NoStorage(), config)
    await attempt.in_thread(lambda: records.report(report))


async def store_early(
    resources: Resources, attempt: Attempt, plan: Plan, report: Report
) -> EarlyMedia:
    """Store the plan's media, linked ones too, while there is no event yet; its rows have the URLs
    then. Each file that is not stored is a finding in the report.

    Deletes what it has stored if it raises: StorageError if the storage fails for too long."""
    lease = attempt.lease
    records = EarlyRecords(resources.engine, lease.user_id, plan, only_check=False)
    storage = await resources.active_storage()
    media = EarlyMedia(records.items, storage.name, records.keys, records.uses)
    async with taken_back_on_failure(resources, media):
        if await records.planned(1, last=()):
            await _transfer(resources, attempt, records, storage, resources.settings.transfer)
        await attempt.in_thread(lambda: records.report(report))
    return media


@asynccontextmanager
async def taken_back_on_failure(resources: Resources, media: EarlyMedia) -> AsyncIterator[None]:
    """Delete the files if the body raises, unless they are used: their event may be committed
    although the database did not confirm it."""
    try:
        yield
    except BaseException:
        taking_back = take_back(resources.engine, resources.storages, media.storage, media.keys)
        await asyncio.shield(asyncio.ensure_future(taking_back))
        raise


async def _transfer(
    resources: Resources,
    attempt: Attempt,
    records: EarlyRecords,
    storage: Storage,
    config: TransferConfig,
) -> None:
    async with archive_of(resources, attempt, Archived.of(attempt.lease)) as archive:
        await MediaTransfer(
            records,
            storage,
            resources.fetcher,
            resources.images,
            config,
            show=attempt.show,
        ).run(archive.read)
