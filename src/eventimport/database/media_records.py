"""The media of an import, as an attempt at it reads and settles them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Row,
    Table,
    Text,
    cast,
    func,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from eventimport.database.leases import Lease, StaleAttemptError
from eventimport.database.models import Base, ImportJob, ImportStatus, MediaItem, MediaOutcome


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedItem:
    """A row of `media_items` whose outcome is `PLANNED`."""

    id: int
    event_id: int
    table_name: str
    row_id: int
    field: str
    source: str
    origin: str
    media_type: str
    entry: str | None
    object_key: str | None


class ImportMediaRecords:
    """What `media.transfer` asks of the database, over one connection of the engine per call.

    `reserve` and `settle` hold the job's row against being claimed anew until they have committed,
    and raise StaleAttemptError, having changed nothing, when it was.
    """

    def __init__(self, engine: AsyncEngine, lease: Lease) -> None:
        self._engine = engine
        self._lease = lease

    async def planned(
        self, limit: int, *, last: Collection[tuple[str, str]]
    ) -> Sequence[PlannedItem]:
        """The next items that are not settled; those of the (table, field) pairs `last` last."""
        columns = (MediaItem.__table__.c[name] for name in PlannedItem.__slots__)
        statement = (
            select(*columns)
            .where(self._own(), MediaItem.outcome == MediaOutcome.PLANNED)
            .order_by(tuple_(MediaItem.table_name, MediaItem.field).in_(last), MediaItem.id)
            .limit(limit)
        )
        async with self._engine.connect() as connection:
            rows = (await connection.execute(statement)).mappings()
            return [PlannedItem(**row) for row in rows]

    async def counts(self) -> Mapping[str, int]:
        """How many items there are of each outcome."""
        statement = (
            select(MediaItem.outcome, func.count()).where(self._own()).group_by(MediaItem.outcome)
        )
        async with self._engine.connect() as connection:
            return {row[0]: row[1] for row in await connection.execute(statement)}

    async def listed(self, limit: int) -> list[dict[str, str | None]]:
        """The items as the report lists them, those that were not moved first."""
        columns = (
            MediaItem.table_name.label("table"),
            MediaItem.row_id.cast(Text).label("row_id"),
            MediaItem.field,
            MediaItem.source,
            MediaItem.origin,
            MediaItem.outcome,
            MediaItem.url,
            MediaItem.detail,
        )
        statement = (
            select(*columns)
            .where(self._own())
            .order_by(MediaItem.outcome == MediaOutcome.MOVED, MediaItem.id)
            .limit(limit)
        )
        async with self._engine.connect() as connection:
            return [dict(row) for row in (await connection.execute(statement)).mappings()]

    async def empty_fields(
        self, table: str, row_id: int, fields: Collection[str]
    ) -> Collection[str]:
        """Those of the fields in which the row holds nothing; none where there is no such row."""
        columns = _table(table).c
        statement = select(*(columns[name] for name in fields)).where(columns.id == row_id)
        async with self._engine.connect() as connection:
            row = (await connection.execute(statement)).mappings().one_or_none()
        return [name for name, value in row.items() if value is None] if row is not None else []

    async def reserve(self, item_id: int, key: str) -> None:
        """Write to the item the key of the object that is going to be stored."""
        async with self._engine.begin() as connection:
            await self._hold(connection)
            await connection.execute(
                update(MediaItem).where(MediaItem.id == item_id).values(object_key=key)
            )

    async def settle(
        self,
        item_id: int,
        outcome: str,
        *,
        detail: str | None = None,
        url: str | None = None,
        size: int | None = None,
        made: Mapping[str, str] | None = None,
    ) -> bool:
        """Record the outcome. With `url`, the item's field holds it from now on, and each field of
        `made` its own URL, where it is empty. False, and nothing is changed, where the item's field
        holds something else by now than what the archive said, or the item is gone."""
        values = {"outcome": MediaOutcome(outcome).value, "detail": detail, "url": url}
        statement = (
            update(MediaItem)
            .where(MediaItem.id == item_id, MediaItem.outcome == MediaOutcome.PLANNED)
            .values(
                **values,
                size=size,
                object_key=MediaItem.object_key if url is not None else None,
                moved_at=func.now() if url is not None else None,
            )
            .returning(MediaItem.table_name, MediaItem.row_id, MediaItem.field, MediaItem.source)
        )
        async with self._engine.connect() as connection, connection.begin() as transaction:
            await self._hold(connection)
            item = (await connection.execute(statement)).one_or_none()
            if item is None:
                return False
            if url is not None and not await _set_field(connection, item, url, made or {}):
                await transaction.rollback()
                return False
        return True

    def _own(self) -> ColumnElement[bool]:
        return MediaItem.import_job_id == self._lease.job_id

    async def _hold(self, connection: AsyncConnection) -> None:
        lease = self._lease
        statement = (
            select(ImportJob.id)
            .where(
                ImportJob.id == lease.job_id,
                ImportJob.attempt == lease.attempt,
                ImportJob.status == ImportStatus.STARTED,
            )
            .with_for_update(read=True)
        )
        if (await connection.execute(statement)).one_or_none() is None:
            raise StaleAttemptError(f"attempt {lease.attempt} of import {lease.job_id} is over")


def with_media(media: dict[str, Any]) -> ColumnElement[Any]:
    """The job's report, saying this of the media beside what it said before."""
    return func.jsonb_set(
        ImportJob.report,
        cast(["media"], ARRAY(Text)),
        ImportJob.report["media"].concat(cast(media, JSONB)),
    )


def _table(name: str) -> Table:
    return Base.metadata.tables[name]


async def _set_field(
    connection: AsyncConnection,
    item: Row[str, int, str, str],
    url: str,
    made: Mapping[str, str],
) -> bool:
    """Whether the row took the URL. It counts as a change of the row, as any other."""
    table_name, row_id, field, source = item
    table = _table(table_name)
    column = table.c[field]
    sizes = {name: func.coalesce(table.c[name], made_url) for name, made_url in made.items()}
    statement = (
        update(table)
        .where(table.c.id == row_id, or_(column.is_(None), column == source))
        .values({field: url, "version": table.c.version + 1, **sizes})
    )
    result = await connection.execute(statement.returning(table.c.id))
    return result.one_or_none() is not None
