"""The media of an import, as an attempt at it reads and settles them."""

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Table,
    Text,
    case,
    cast,
    func,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, aggregate_order_by
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from eventimport.database.models import (
    Base,
    Event,
    MediaItem,
    MediaOutcome,
    ObjectPurpose,
    Task,
)
from eventimport.database.objects import (
    Use,
    forget_objects,
    give_up_objects,
    record_objects,
    use_objects,
)
from eventimport.database.tasks import Claim, Lease, StaleAttemptError, current
from eventimport.storage.stored_file import Field, Moved, PlannedFile, PlannedItem

LISTED: Final = 100
"""Media files that a report lists, first those that were not stored. It counts all."""

logger = logging.getLogger(__name__)

CHANGED: Final = "the field was changed during the import and keeps its new value"

LONGEST_LISTED = 200
"""Characters of a text in the report's list."""


class FileRecords:
    """The rows of files that were stored in vain."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def give_up(self, storage: str, keys: Collection[str]) -> Collection[str]:
        """Mark those of the files for deletion that no row uses; returns their keys. None are
        returned if the database is unavailable: then they are left to the clean-up."""
        try:
            async with self._engine.begin() as connection:
                return [one.key for one in await give_up_objects(connection, storage, keys)]
        except (SQLAlchemyError, OSError, TimeoutError):
            logger.warning("the clean-up deletes the %d remaining files", len(keys), exc_info=True)
            return ()

    async def forget(self, storage: str, keys: Collection[str]) -> None:
        """Record that files that were given up are deleted."""
        try:
            async with self._engine.begin() as connection:
                gone = await give_up_objects(connection, storage, keys)
                await forget_objects(connection, [one.id for one in gone])
        except (SQLAlchemyError, OSError, TimeoutError):
            logger.warning("the clean-up deletes the %d remaining rows", len(keys), exc_info=True)


class TaskFileRecords(FileRecords):
    """The rows of files that an attempt at a task stores."""

    def __init__(self, engine: AsyncEngine, claimed: Claim) -> None:
        super().__init__(engine)
        self._claimed = claimed

    async def empty_fields(
        self, table: str, row_ids: Collection[int], fields: Collection[str]
    ) -> Collection[str]:
        """Those of the fields in which at least one of the rows holds nothing."""
        columns = _table(table).c
        statement = select(*(func.bool_or(columns[name].is_(None)) for name in fields)).where(
            columns.id == func.any(cast(list(row_ids), ARRAY(BigInteger)))
        )
        async with self._engine.connect() as connection:
            row = (await connection.execute(statement)).one()
        return [name for name, empty in zip(fields, row, strict=True) if empty]

    async def reserve(self, storage: str, keys: Collection[str]) -> None:
        """Record the files that are going to be stored under these keys."""
        async with self._engine.begin() as connection:
            await self.hold(connection)
            await record_objects(
                connection, storage, keys, ObjectPurpose.MEDIA, user_id=self._claimed.user_id
            )

    async def hold(self, connection: AsyncConnection) -> None:
        """Keep the task from being claimed anew until the transaction ends."""
        claimed = self._claimed
        statement = select(Task.id).where(current(claimed)).with_for_update(read=True)
        if (await connection.execute(statement)).one_or_none() is None:
            raise StaleAttemptError(f"attempt {claimed.attempt} of task {claimed.task_id} is over")


class ImportMediaRecords(TaskFileRecords):
    """What `media.transfer` asks of the database, over one connection of the engine per call.

    `reserve` and `settle` hold the job's row against being claimed anew until they have committed,
    and raise StaleAttemptError, having changed nothing, when it was.
    """

    def __init__(self, engine: AsyncEngine, lease: Lease) -> None:
        super().__init__(engine, lease)
        self._lease = lease

    async def planned(
        self, limit: int, *, last: Collection[tuple[str, str]]
    ) -> Sequence[PlannedFile]:
        """The next files that are not settled; those that a (table, field) of `last` refers to,
        last. A link counts without its fragment, which is never sent."""
        item = (
            select(
                MediaItem.__table__,
                case(
                    (MediaItem.origin == "remote", func.split_part(MediaItem.source, "#", 1)),
                    else_=func.coalesce(MediaItem.entry, MediaItem.source),
                ).label("file"),
                (MediaItem.media_type == "image").label("is_image"),
                tuple_(MediaItem.table_name, MediaItem.field).in_(last).label("last"),
            )
            .where(self._own(), MediaItem.outcome == MediaOutcome.PLANNED)
            .subquery()
            .c
        )
        comes_last = func.bool_or(item.last)
        statement = (
            select(
                func.min(item.event_id).label("event_id"),
                func.min(item.source).label("source"),
                item.origin,
                item.is_image,
                func.min(item.entry).label("entry"),
                comes_last.label("last"),
                *(
                    func.array_agg(aggregate_order_by(item[name], item.id)).label(name)
                    for name in PlannedItem.__slots__
                ),
            )
            .group_by(item.origin, item.is_image, item.file)
            .order_by(comes_last, func.min(item.id))
            .limit(limit)
        )
        async with self._engine.connect() as connection:
            rows = (await connection.execute(statement)).mappings()
            return [
                PlannedFile(
                    event_id=row["event_id"],
                    source=row["source"],
                    origin=row["origin"],
                    is_image=row["is_image"],
                    entry=row["entry"],
                    items=tuple(
                        map(PlannedItem, row["id"], row["table_name"], row["row_id"], row["field"])
                    ),
                    last=row["last"],
                )
                for row in rows
            ]

    async def counts(self) -> Mapping[str, int]:
        """How many items there are of each outcome."""
        async with self._engine.connect() as connection:
            return await _counts(connection, self._lease.job_id)

    async def report(self) -> dict[str, Any]:
        """What the import's report says of its media."""
        async with self._engine.connect() as connection:
            return await read_media_report(connection, self._lease.job_id)

    async def stored_bytes(self) -> int:
        """The size of all files that the import has stored; a shared one counts once."""
        files = (
            select(func.max(MediaItem.size).label("size"))
            .where(self._own(), MediaItem.outcome == MediaOutcome.MOVED)
            .group_by(MediaItem.url)
            .subquery()
        )
        async with self._engine.connect() as connection:
            return int(await connection.scalar(select(func.sum(files.c.size))) or 0)

    async def settle(self, ids: Collection[int], outcome: str, detail: str) -> None:
        """Record why the file of these items is not moved."""
        async with self._engine.begin() as connection:
            await self.hold(connection)
            await connection.execute(
                update(MediaItem)
                .where(_among(ids), MediaItem.outcome == MediaOutcome.PLANNED)
                .values(outcome=MediaOutcome(outcome).value, detail=detail)
            )

    async def settle_moved(self, event_id: int, ids: Collection[int], moved: Moved) -> bool:
        """Record that the file of these items is moved: their fields hold its URL from now on, and
        other fields of their rows those of its sizes, if they are empty. The files are linked with
        the rows.

        A field that holds something else by now than what the archive said keeps it, and its item
        is recorded as refused. False, and nothing is changed, if no field takes the URL."""
        statement = (
            update(MediaItem)
            .where(_among(ids), MediaItem.outcome == MediaOutcome.PLANNED)
            .values(
                outcome=MediaOutcome.MOVED.value,
                url=moved.file.url,
                size=moved.file.size,
                detail=moved.detail,
                moved_at=func.now(),
            )
            .returning(
                MediaItem.id,
                MediaItem.table_name,
                MediaItem.field,
                MediaItem.row_id,
                MediaItem.source,
            )
        )
        async with self._engine.connect() as connection, connection.begin() as transaction:
            await self.hold(connection)
            await hold_event(connection, event_id)
            refused: list[int] = []
            uses: list[Use] = []
            items = (await connection.execute(statement)).all()
            for place, group in _by_field(items).items():
                taken = await _set_urls(connection, place, group, moved)
                uses += uses_of(event_id, place, taken, moved)
                refused += [item.id for item in group if item.row_id not in taken]
            if not uses:
                await transaction.rollback()
                return False
            await use_objects(connection, moved.storage, uses)
            if refused:
                await connection.execute(
                    update(MediaItem)
                    .where(MediaItem.id.in_(refused))
                    .values(
                        outcome=MediaOutcome.REFUSED.value,
                        detail=CHANGED,
                        url=None,
                        size=None,
                        moved_at=None,
                    )
                )
        return True

    def _own(self) -> ColumnElement[bool]:
        return MediaItem.import_job_id == self._lease.job_id


async def leave_media(connection: AsyncConnection, job_id: UUID, why: str) -> dict[str, Any]:
    """Settle what is still planned of an import's media as not stored; the caller has locked the
    import's task. Returns what the report says of all of them."""
    await connection.execute(
        update(MediaItem)
        .where(MediaItem.import_job_id == job_id, MediaItem.outcome == MediaOutcome.PLANNED)
        .values(outcome=MediaOutcome.NOT_STORED.value, detail=why)
    )
    return await read_media_report(connection, job_id)


async def read_media_report(connection: AsyncConnection, job_id: UUID) -> dict[str, Any]:
    """What an import's report says of its media."""
    counts = await _counts(connection, job_id)
    columns = (
        MediaItem.table_name.label("table"),
        MediaItem.row_id.cast(Text).label("row_id"),
        MediaItem.field,
        func.left(MediaItem.source, LONGEST_LISTED).label("source"),
        MediaItem.origin,
        MediaItem.outcome,
        func.left(MediaItem.url, LONGEST_LISTED).label("url"),
        func.left(MediaItem.detail, LONGEST_LISTED).label("detail"),
    )
    listed = (
        select(*columns)
        .where(MediaItem.import_job_id == job_id)
        .order_by(MediaItem.outcome == MediaOutcome.MOVED, MediaItem.id)
        .limit(LISTED)
    )
    return {
        "total": sum(counts.values()),
        "outcomes": dict(sorted(counts.items())),
        "items": [dict(row) for row in (await connection.execute(listed)).mappings()],
    }


async def _counts(connection: AsyncConnection, job_id: UUID) -> dict[str, int]:
    statement = (
        select(MediaItem.outcome, func.count())
        .where(MediaItem.import_job_id == job_id)
        .group_by(MediaItem.outcome)
    )
    return {row[0]: row[1] for row in await connection.execute(statement)}


def _table(name: str) -> Table:
    return Base.metadata.tables[name]


def _among(ids: Collection[int]) -> ColumnElement[bool]:
    return MediaItem.id == func.any(cast(list(ids), ARRAY(BigInteger)))


async def hold_event(connection: AsyncConnection, event_id: int) -> None:
    """Lock the event first, as each change over the API does, so that no two can deadlock."""
    statement = select(Event.id).where(Event.id == event_id).with_for_update(key_share=True)
    await connection.execute(statement)


def _by_field(items: Iterable[Any]) -> Mapping[tuple[str, str], list[Any]]:
    groups: dict[tuple[str, str], list[Any]] = {}
    for item in items:
        groups.setdefault((item.table_name, item.field), []).append(item)
    return groups


def uses_of(event_id: int, place: Field, rows: Collection[int], moved: Moved) -> list[Use]:
    """The uses of a file, and of its sizes, by these rows of the field's table."""
    table, own_field = place
    made = moved.made.get(place, {})
    files = [
        (own_field, moved.file.key, moved.file.size),
        *((own_field, key, size) for key, size in moved.private.items()),
        *((field, file.key, file.size) for field, file in made.items()),
    ]
    return [
        Use(
            key=key,
            size=size,
            event_id=event_id,
            table_name=table,
            row_id=row_id,
            field=field,
        )
        for row_id in rows
        for field, key, size in files
    ]


async def _set_urls(
    connection: AsyncConnection, place: Field, items: Sequence[Any], moved: Moved
) -> Collection[int]:
    """The rows that took the URLs. It counts as a change of the row, as any other."""
    table_name, field = place
    table = _table(table_name)
    column = table.c[field]
    sources = (
        func.unnest(
            cast([item.row_id for item in items], ARRAY(BigInteger)),
            cast([item.source for item in items], ARRAY(Text)),
        )
        .table_valued("row_id", "source")
        .render_derived()
    )
    made = moved.made.get(place, {})
    sizes = {name: func.coalesce(table.c[name], size.url) for name, size in made.items()}
    statement = (
        update(table)
        .where(
            table.c.id == sources.c.row_id,
            or_(column.is_(None), column == sources.c.source),
        )
        .values({field: moved.file.url, "version": table.c.version + 1, **sizes})
        .returning(table.c.id)
    )
    return set(await connection.scalars(statement))
