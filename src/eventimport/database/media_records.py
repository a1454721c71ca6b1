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
    and_,
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
from sqlalchemy.sql.dml import ReturningUpdate

from eventimport.database.event_versions import count_change
from eventimport.database.models import (
    Base,
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
from eventimport.database.tasks import Claim, StaleAttemptError, current
from eventimport.storage.stored_file import Field, Moved, PlannedFile, PlannedItem

LISTED: Final = 100
"""Media files that a report lists, first those that were not stored. It counts all."""

logger = logging.getLogger(__name__)

CHANGED: Final = "the field was changed meanwhile and keeps its new value"

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
    ) -> Mapping[int, Collection[str]]:
        """For each row, those of the fields in which it holds nothing."""
        columns = _table(table).c
        statement = select(columns.id, *(columns[name].is_(None) for name in fields)).where(
            columns.id == func.any(cast(list(row_ids), ARRAY(BigInteger)))
        )
        async with self._engine.connect() as connection:
            rows = (await connection.execute(statement)).all()
        return {
            row_id: [name for name, is_empty in zip(fields, empty, strict=True) if is_empty]
            for row_id, *empty in rows
        }

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
    """What `media.transfer` asks of the database, over one connection of the engine per call. The
    import is that of the claimed task, unless `job_id` names another one.

    `reserve` and `settle` hold the task's row against being claimed anew until they have committed,
    and raise StaleAttemptError, having changed nothing, when it was.
    """

    def __init__(self, engine: AsyncEngine, claimed: Claim, job_id: UUID | None = None) -> None:
        super().__init__(engine, claimed)
        self._job_id = job_id or claimed.task_id

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
            return await count_outcomes(connection, self._job_id)

    async def needs_archive(self) -> bool:
        """Whether a file of the archive is still to be moved."""
        planned = select(MediaItem.id).where(
            self._own(),
            MediaItem.outcome == MediaOutcome.PLANNED,
            MediaItem.origin == "archive",
        )
        async with self._engine.connect() as connection:
            return bool(await connection.scalar(select(planned.exists())))

    async def report(self) -> dict[str, Any]:
        """What the import's report says of its media."""
        async with self._engine.connect() as connection:
            return await read_media_report(connection, self._job_id)

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

    async def settle_moved(self, files: Sequence[tuple[PlannedFile, Moved]]) -> Collection[str]:
        """Record that files are moved: their fields hold the URLs from now on, and other fields of
        their rows those of the sizes, if they are empty. The files are linked with the rows.

        A field that holds something else by now than what the archive said keeps it, and its item
        is recorded as refused. Returns the keys that no field took."""
        event_id, storage = files[0][0].event_id, files[0][1].storage
        moved_by_id = {item.id: moved for file, moved in files for item in file.items}
        uses: list[Use] = []
        async with self._engine.begin() as connection:
            await self.hold(connection)
            await count_change(connection, event_id)
            refused: list[int] = []
            items = (await connection.execute(_moved_items(moved_by_id))).all()
            for place, group in _by_field(items).items():
                taken = await _set_urls(
                    connection, place, [(item, moved_by_id[item.id]) for item in group]
                )
                for item in group:
                    if item.row_id in taken:
                        moved, fields = moved_by_id[item.id], taken[item.row_id]
                        uses += uses_of(event_id, place, item.row_id, moved, fields)
                    else:
                        refused.append(item.id)
            await use_objects(connection, storage, uses)
            if refused:
                await connection.execute(
                    update(MediaItem)
                    .where(_among(refused))
                    .values(
                        outcome=MediaOutcome.REFUSED.value,
                        detail=CHANGED,
                        url=None,
                        size=None,
                        moved_at=None,
                    )
                )
        return {key for _, moved in files for key in moved.keys} - {use.key for use in uses}

    def _own(self) -> ColumnElement[bool]:
        return MediaItem.import_job_id == self._job_id


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
    counts = await count_outcomes(connection, job_id)
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


async def count_outcomes(connection: AsyncConnection, job_id: UUID) -> dict[str, int]:
    """How many media items of an import there are of each outcome."""
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


def _by_field(items: Iterable[Any]) -> Mapping[tuple[str, str], list[Any]]:
    groups: dict[tuple[str, str], list[Any]] = {}
    for item in items:
        groups.setdefault((item.table_name, item.field), []).append(item)
    return groups


def uses_of(
    event_id: int, place: Field, row_id: int, moved: Moved, fields: Collection[str]
) -> list[Use]:
    """The uses of a file by a row of the field's table, and of its sizes by those other fields."""
    table, own_field = place
    made = moved.made.get(place, {})
    files = [
        (own_field, moved.file.key, moved.file.size),
        *((own_field, key, size) for key, size in moved.private.items()),
        *((field, made[field].key, made[field].size) for field in fields),
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
        for field, key, size in files
    ]


def _moved_items(moved_by_id: Mapping[int, Moved]) -> ReturningUpdate[int, str, str, int, str, str]:
    moved = moved_by_id.values()
    files = (
        func.unnest(
            cast(list(moved_by_id), ARRAY(BigInteger)),
            cast([one.file.url for one in moved], ARRAY(Text)),
            cast([one.file.size for one in moved], ARRAY(BigInteger)),
            cast([one.detail for one in moved], ARRAY(Text)),
        )
        .table_valued("id", "url", "size", "detail")
        .render_derived()
        .c
    )
    return (
        update(MediaItem)
        .where(MediaItem.id == files.id, MediaItem.outcome == MediaOutcome.PLANNED)
        .values(
            outcome=MediaOutcome.MOVED.value,
            url=files.url,
            size=files.size,
            detail=files.detail,
            moved_at=func.now(),
        )
        .returning(
            MediaItem.id,
            MediaItem.table_name,
            MediaItem.field,
            MediaItem.row_id,
            MediaItem.source,
            MediaItem.origin,
        )
    )


async def _set_urls(
    connection: AsyncConnection, place: Field, items: Sequence[tuple[Any, Moved]]
) -> Mapping[int, Collection[str]]:
    """The rows that took the URLs, and which of their fields took that of a size. It counts as a
    change of the row, as any other."""
    table_name, field = place
    table = _table(table_name)
    column = table.c[field]
    made = {item.row_id: moved.made.get(place, {}) for item, moved in items}
    names = sorted({name for sizes in made.values() for name in sizes})
    urls = [
        [sizes[name].url if name in sizes else None for sizes in made.values()] for name in names
    ]
    files = (
        func.unnest(
            cast([item.row_id for item, _ in items], ARRAY(BigInteger)),
            cast([item.source for item, _ in items], ARRAY(Text)),
            cast([item.origin for item, _ in items], ARRAY(Text)),
            cast([moved.file.url for _, moved in items], ARRAY(Text)),
            *(cast(values, ARRAY(Text)) for values in urls),
        )
        .table_valued("row_id", "source", "origin", "url", *names)
        .render_derived()
        .c
    )
    sizes = {name: func.coalesce(table.c[name], files[name]) for name in names}
    statement = (
        update(table)
        .where(
            table.c.id == files.row_id,
            # A link stays in its field until its file is stored, unless a user has removed it.
            or_(column == files.source, and_(column.is_(None), files.origin != "remote")),
        )
        .values({field: files.url, "version": table.c.version + 1, **sizes})
        .returning(table.c.id, *(table.c[name] for name in names))
    )
    return {
        row_id: [
            name
            for name, url in zip(names, values, strict=True)
            if name in made[row_id] and made[row_id][name].url == url
        ]
        for row_id, *values in await connection.execute(statement)
    }
