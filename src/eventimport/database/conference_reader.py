"""Reads a stored event as the conference that it is: one kind of record after the other.

Rows come in the order of their ids, which is the order that they had in the source. They come in
batches, so that the memory does not depend on the event's size: the next batch begins after the
last id. Each batch is one statement, bounded in rows and in bytes.

Statements on one `snapshot` see the event as it is when the first of them runs, whatever is
imported or edited meanwhile. PostgreSQL ends a transaction that is idle for too long
(`DatabaseConfig.idle_timeout`). If what follows is slow, such as fetching media files, write the
records to a file first, and leave the snapshot.
"""

from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC
from typing import Any, Final

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Row,
    Select,
    any_,
    func,
    literal,
    select,
    true,
)
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from eventimport.conference.conference import Conference, Record, Reference
from eventimport.conference.kinds import IMPORT_ORDER, LEVELS, SHAPES, Kind
from eventimport.conference.zones import find_zone, zone
from eventimport.database.event_graph import LINKS, NODES, row_size

AnyRow = Row[*tuple[Any, ...]]

_SIZE, _BEFORE = "size_of_row", "size_before_row"


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchLimits:
    """A batch ends after `max_rows` rows, or after the row with which it exceeds `max_bytes`."""

    max_rows: int = 500
    max_bytes: int = 4 * 1024 * 1024


_BATCH: Final = BatchLimits()


def _everything(_kind: Kind) -> ColumnElement[bool]:
    return true()


def record_columns(kind: Kind) -> list[ColumnElement[Any]]:
    """The columns of a record: its source id, `extra`, its fields, and what it refers to."""
    columns = NODES[kind].table.c
    keys = (ref.column for ref in LEVELS[kind].references if not ref.many)
    return [columns[name] for name in ("source_id", "extra", *SHAPES[kind].fields, *keys)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which rows and columns of each kind are read. By default all rows, with all columns of a
    record. The id is read in any case."""

    rows: Callable[[Kind], ColumnElement[bool]] = _everything
    columns: Callable[[Kind], Sequence[ColumnElement[Any]]] = record_columns


_ALL: Final = Selection()


@asynccontextmanager
async def snapshot(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """A connection in a read-only transaction, whose statements all see the same state."""
    async with engine.connect() as connection:
        await connection.execution_options(
            isolation_level="REPEATABLE READ", postgresql_readonly=True
        )
        async with connection.begin():
            yield connection


async def read_rows(
    connection: AsyncConnection,
    event_id: int,
    kind: Kind,
    selection: Selection = _ALL,
    *,
    limits: BatchLimits | None = _BATCH,
) -> AsyncIterator[AnyRow]:
    """The event's rows of a kind, in the order of their ids. Without `limits` they are read by one
    statement: the caller knows how large they are."""
    async for batch in _batches(connection, event_id, kind, selection, limits):
        for row in batch:
            yield row


async def read_records(
    connection: AsyncConnection,
    event_id: int,
    kind: Kind,
    selection: Selection = _ALL,
    *,
    limits: BatchLimits = _BATCH,
    with_references: bool = True,
) -> AsyncIterator[Record]:
    """The event's records of a kind, as an import plans them. See `read_batches`."""
    batches = read_batches(
        connection, event_id, kind, selection, limits=limits, with_references=with_references
    )
    async for records in batches:
        for record in records:
            yield record


async def read_batches(
    connection: AsyncConnection,
    event_id: int,
    kind: Kind,
    selection: Selection = _ALL,
    *,
    limits: BatchLimits = _BATCH,
    with_references: bool = True,
) -> AsyncIterator[Iterator[Record]]:
    """The event's records of a kind, those of each statement together. Another thread may make them
    while the next statement runs.

    `new_id` is the row's id, and `foreign_keys` hold the ids of other rows: source ids may be
    missing, and several records may share one. The `references` of a session name its track, room,
    type and speakers by source id and name. Other kinds have none: each link is said once. What the
    selection leaves out is not referred to. Without references, which cost a statement each for
    every batch, `foreign_keys` are all that the row has.
    """
    before = 0
    async for batch in _batches(connection, event_id, kind, selection, limits):
        linked = None
        if with_references:
            linked = await _linked(connection, kind, batch, selection)
        yield _records(kind, batch, before, linked)
        before += len(batch)


def _records(
    kind: Kind,
    batch: Sequence[AnyRow],
    before: int,
    linked: dict[int, dict[str, list[Reference]]] | None,
) -> Iterator[Record]:
    """The records of rows. There are `before` rows in earlier batches."""
    # The columns of all rows are the same: their places are looked up once.
    places = {name: place for place, name in enumerate(batch[0]._fields)}
    values = [(name, places[name]) for name in SHAPES[kind].fields if name in places]
    owns = [
        (ref.column, ref.field, places[ref.column])
        for ref in LEVELS[kind].references
        if not ref.many and ref.column in places
    ]
    at_id, at_key, at_extra = places["id"], places.get("source_id"), places.get("extra")
    for index, row in enumerate(batch, before):
        references = linked.get(row[at_id], {}) if linked is not None else {}
        yield Record(
            index=index,
            key=None if at_key is None else row[at_key],
            values={name: value for name, at in values if (value := row[at]) is not None},
            extra={} if at_extra is None else row[at_extra] or {},
            references={name: tuple(found) for name, found in references.items()},
            new_id=row[at_id],
            foreign_keys={
                column: row[at]
                for column, field, at in owns
                if (row[at] if linked is None else field in references)
            },
        )


async def read_links(
    connection: AsyncConnection,
    event_id: int,
    selection: Selection = _ALL,
    *,
    limits: BatchLimits | None = _BATCH,
) -> AsyncIterator[tuple[int, int]]:
    """The ids of the event's sessions, each with the id of one of its speakers, in ascending order:
    they can be read beside the sessions."""
    sessions, speakers = NODES[Kind.SESSION].table, NODES[Kind.SPEAKER].table
    session_id, speaker_id = LINKS.c.session_id, LINKS.c.speaker_id
    statement = (
        select(session_id, speaker_id)
        .join(sessions, sessions.c.id == session_id)
        .join(speakers, speakers.c.id == speaker_id)
        .where(part_of(Kind.SESSION, event_id))
        .where(selection.rows(Kind.SESSION), selection.rows(Kind.SPEAKER))
        .order_by(session_id, speaker_id)
    )
    if limits is None:
        for row in await connection.execute(statement):
            yield row.session_id, row.speaker_id
        return
    last: tuple[int, int] | None = (-1, -1)
    while last is not None:
        after = func.row(session_id, speaker_id) > func.row(*last)
        found = await connection.execute(statement.where(after).limit(limits.max_rows))
        pairs = [(row.session_id, row.speaker_id) for row in found]
        last = pairs[-1] if pairs else None
        for pair in pairs:
            yield pair


async def read_conference(
    connection: AsyncConnection, event_id: int, *, limits: BatchLimits = _BATCH
) -> tuple[Conference, set[tuple[int, int]]] | None:
    """The whole event in memory, and its links (session id, speaker id), as an import plans both.
    None if the event is unknown."""
    conference = Conference()
    for level in IMPORT_ORDER:
        records = read_records(connection, event_id, level.kind, limits=limits)
        conference.records[level.kind] = [record async for record in records]
        conference.entries[level.kind] = level.table
    if not conference.records[Kind.EVENT]:
        return None
    found = find_zone(conference.event.values["timezone"])
    conference.zone = zone(found.name) if found is not None else UTC
    links = {link async for link in read_links(connection, event_id, limits=limits)}
    return conference, links


def part_of(kind: Kind, event_id: int) -> ColumnElement[bool]:
    """Whether the row of this kind at hand is the event, or belongs to it."""
    columns = NODES[kind].table.c
    return (columns.id if kind is Kind.EVENT else columns.event_id) == event_id


async def _batches(
    connection: AsyncConnection,
    event_id: int,
    kind: Kind,
    selection: Selection,
    limits: BatchLimits | None,
) -> AsyncIterator[Sequence[AnyRow]]:
    table = NODES[kind].table
    columns = selection.columns(kind)
    statement = (
        select(table.c.id, *columns)
        .where(part_of(kind, event_id), selection.rows(kind))
        .order_by(table.c.id)
    )
    if limits is None:
        yield (await connection.execute(statement)).all()
        return
    last = -1
    while batch := await _next_batch(
        connection, statement.where(table.c.id > last), columns, limits
    ):
        last = batch[-1].id
        yield batch


async def _linked(
    connection: AsyncConnection, kind: Kind, rows: Sequence[AnyRow], selection: Selection
) -> dict[int, dict[str, list[Reference]]]:
    """What sessions refer to, by the session's id and the reference's field: one statement for each
    of the fields that were read."""
    linked: dict[int, dict[str, list[Reference]]] = defaultdict(lambda: defaultdict(list))
    if kind is not Kind.SESSION or not rows:
        return linked
    sessions = NODES[kind].table
    ids = [row.id for row in rows]
    for ref in LEVELS[kind].references:
        target = NODES[ref.kind].table
        label = target.c[LEVELS[ref.kind].label]
        if ref.many:
            pairs = select(LINKS.c.session_id, target.c.source_id, label).join(
                target, target.c.id == LINKS.c.speaker_id
            )
            own = LINKS.c.session_id
        elif ref.column in rows[0]._mapping:
            pairs = select(sessions.c.id, target.c.source_id, label).join(
                target, target.c.id == sessions.c[ref.column]
            )
            own = sessions.c.id
        else:
            continue
        chosen = own == any_(literal(ids, ARRAY(BigInteger)))
        statement = pairs.where(chosen, selection.rows(ref.kind)).order_by(own, target.c.id)
        for session_id, key, name in await connection.execute(statement):
            linked[session_id][ref.field].append(Reference(ref.kind, key, name))
    return linked


async def _next_batch(
    connection: AsyncConnection,
    statement: Select[*tuple[Any, ...]],
    columns: Iterable[ColumnElement[Any]],
    limits: BatchLimits,
) -> Sequence[AnyRow]:
    size = row_size(columns)
    sized = statement.add_columns(size.label(_SIZE)).limit(limits.max_rows).subquery()
    before = func.sum(sized.c[_SIZE]).over(order_by=sized.c.id) - sized.c[_SIZE]
    summed = select(sized, before.label(_BEFORE)).subquery()
    read = [column for column in summed.c if column.name not in (_SIZE, _BEFORE)]
    bounded = select(*read).where(summed.c[_BEFORE] <= limits.max_bytes).order_by(summed.c.id)
    return (await connection.execute(bounded)).all()
