"""Reading events and their parts, as far as the viewer may see them.

Ids come first, then the rows in pieces: rows are read only while the byte budget lasts.
"""

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from enum import StrEnum
from typing import Any, Final, Literal

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Select,
    any_,
    exists,
    func,
    select,
)
from sqlalchemy import Row as RowOf
from sqlalchemy import literal as sql_literal
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.ext.asyncio import AsyncConnection

from eventimport.conference.kinds import Kind
from eventimport.conference.zones import find_zone, zone
from eventimport.database.event_filters import Filter, met
from eventimport.database.event_graph import LINKS, NODES, Edge, Node, row_size
from eventimport.database.models import EventRole, User
from eventimport.database.visibility import (
    OWNER,
    Viewer,
    editable,
    event_visible,
    owned,
    part_visible,
    published,
    readable,
)
from eventimport.errors import EventImportError

Row = Mapping[Any, Any]
"""A row's columns, and `EDITABLE`."""

EDITABLE: Final = "may_be_edited"
"""Whether the viewer may change the row, and see its private columns."""

OWNED: Final = "is_owned"
"""Whether the viewer may publish and delete the row's event; only in rows that `find` returns."""

READABLE: Final = "is_member"
"""Whether the viewer is a member of the row's event; only in rows that `find` returns."""

LINK_BYTES: Final = 50
"""The size of a resource identifier."""

BATCH: Final = 500
"""Rows per statement, so that the event loop is free between two."""

_EVENTS: Final = NODES[Kind.EVENT].table
_SIZE, _BEFORE = "size_of_row", "size_before_row"


class TooLargeError(EventImportError):
    """An answer would have more bytes than it may."""


@dataclass(frozen=True, slots=True)
class Order:
    """A column by which a list is sorted; nulls come last. With an `edge`, it is a column of the
    row that this edge to one leads to."""

    column: str
    descending: bool = False
    edge: Edge | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One page of a list: of the rows that the viewer may see and that meet all filters."""

    viewer: Viewer
    order: Sequence[Order] = ()
    filters: Sequence[Filter] = ()
    limit: int
    offset: int


Find = Callable[[AsyncConnection, Wanted], Awaitable[tuple[list[int], int]]]
"""Finds the ids of the wanted rows, and how many there are on all pages."""


@dataclass(slots=True)
class ByteBudget:
    """How many bytes an answer may still have, as estimated before it is written."""

    max_bytes: int
    spent: int = 0

    @property
    def left(self) -> int:
        """What is left; negative if too much was spent."""
        return self.max_bytes - self.spent

    def check(self) -> None:
        """Raises TooLargeError if too much was spent."""
        if self.left < 0:
            raise TooLargeError


def is_one(node: Node, key: int | str) -> ColumnElement[bool]:
    """Whether the row at hand has this id, or, for events, this identifier."""
    column = node.table.c.id if isinstance(key, int) else node.table.c.identifier
    return column == key


def key_columns(node: Node) -> list[ColumnElement[Any]]:
    """The columns that lead to other rows, and those that say which row this is."""
    names = {"id", "event_id", "version", *(edge.column for edge in node.edges)}
    return [column for column in node.table.c if column.name in names]


async def find(
    connection: AsyncConnection,
    node: Node,
    key: int | str,
    viewer: Viewer,
    *,
    lock: Literal["change", "delete"] | None = None,
    keys_only: bool = False,
) -> Row | None:
    """The row that the viewer may see, or None. `lock` holds it, and its event, until the end of
    the transaction; the event comes first, so that two who change it never wait for each other.
    With `keys_only`, only the columns of `key_columns`."""
    columns = _as_seen(node, key_columns(node) if keys_only else node.table.c, viewer)
    rights = (
        editable(viewer, _EVENTS.c.id).label(EDITABLE),
        owned(viewer, _EVENTS.c.id).label(OWNED),
        readable(viewer, _EVENTS.c.id).label(READABLE),
    )
    statement = select(*columns, *rights).where(is_one(node, key), event_visible(viewer))
    tables = [_EVENTS]
    if node.kind is not Kind.EVENT:
        statement = statement.join(_EVENTS, _EVENTS.c.id == node.table.c.event_id)
        statement = statement.where(part_visible(node.kind, viewer))
        tables.append(node.table)
    if lock is not None:
        statement = statement.with_for_update(of=tables, key_share=lock == "change")
    return (await connection.execute(statement)).mappings().one_or_none()


async def find_event_ids(
    connection: AsyncConnection,
    wanted: Wanted,
    *,
    member: int | None = None,
    upcoming: bool = False,
    name: str | None = None,
    state: str | None = None,
) -> tuple[list[int], int]:
    """The wanted events, and how many there are on all pages: of those whose name contains `name`,
    in any case, and whose state is `state`; with a `member`, only of those in which this user has a
    role; if they are to be `upcoming`, only of published ones that have not started."""
    statement = select(_EVENTS.c.id).where(event_visible(wanted.viewer))
    if upcoming:
        statement = statement.where(published(), _EVENTS.c.starts_at > func.now())
    if member is not None:
        role = exists().where(EventRole.event_id == _EVENTS.c.id, EventRole.user_id == member)
        statement = statement.where(role)
    if name:
        statement = statement.where(_EVENTS.c.name.icontains(name, autoescape=True))
    if state:
        statement = statement.where(_EVENTS.c.state == state.lower())
    return await _page(connection, statement, Kind.EVENT, wanted)


async def find_related_ids(
    connection: AsyncConnection, wanted: Wanted, edge: Edge, owner: Row
) -> tuple[list[int], int]:
    """The wanted rows that the edge leads to from a visible row, and how many there are on all
    pages. All of them belong to the owner's event."""
    target = NODES[edge.target].table
    statement = select(target.c.id).where(part_visible(edge.target, wanted.viewer))
    if edge.column is not None:
        statement = statement.where(target.c.id == owner[edge.column])
    elif edge.back is not None:
        statement = statement.where(target.c[edge.back] == owner["id"])
    else:
        own, other = link_columns(edge)
        statement = statement.join(LINKS, LINKS.c[other] == target.c.id)
        statement = statement.where(LINKS.c[own] == owner["id"])
    return await _page(connection, statement, edge.target, wanted)


async def find_own_ids(
    connection: AsyncConnection, wanted: Wanted, *, kind: Kind, user_id: int
) -> tuple[list[int], int]:
    """The wanted speakers that have the user's e-mail address, or the sessions that they speak at,
    and how many there are on all pages. None if the user has not confirmed the address: it may be
    that of another person."""
    target, speakers = NODES[kind].table, NODES[Kind.SPEAKER].table.alias("own_speakers")
    own = (
        select(speakers.c.id)
        .join(User, func.lower(User.email) == func.lower(speakers.c.email))
        .where(User.id == user_id, User.is_confirmed)
    )
    if kind is Kind.SESSION:
        own = select(LINKS.c.session_id).where(LINKS.c.speaker_id.in_(own))
    statement = (
        select(target.c.id)
        .join(_EVENTS, _EVENTS.c.id == target.c.event_id)
        .where(
            target.c.id.in_(own), event_visible(wanted.viewer), part_visible(kind, wanted.viewer)
        )
    )
    return await _page(connection, statement, kind, wanted)


async def find_one_related_id(
    connection: AsyncConnection, edge: Edge, owner: Row, viewer: Viewer
) -> int | None:
    """The row that a to-one edge leads to, if the viewer may see it."""
    if edge.column is not None:
        found: int | None = owner[edge.column]
        return found
    target = NODES[edge.target].table
    statement = select(target.c.id).where(
        target.c[edge.back or ""] == owner["id"], part_visible(edge.target, viewer)
    )
    return await connection.scalar(statement.order_by(target.c.id).limit(1))


def _terms(kind: Kind, order: Sequence[Order], viewer: Viewer) -> list[ColumnElement[Any]]:
    """What a list of rows of this kind is sorted by, for ORDER BY."""
    terms: list[ColumnElement[Any]] = []
    for each in order:
        by: ColumnElement[Any] = NODES[kind].table.c[each.column if each.edge is None else "id"]
        if each.edge is not None:
            by = _of_one(each.edge, each.column, viewer)
        terms.append(by.desc().nulls_last() if each.descending else by.asc())
    return terms


def _of_one(edge: Edge, column: str, viewer: Viewer) -> ColumnElement[Any]:
    """A column of the row that an edge to one leads to, null if the viewer may not see it."""
    source, target = NODES[edge.source].table, NODES[edge.target].table
    found = select(target.c[column]).where(part_visible(edge.target, viewer))
    if edge.column is not None:
        found = found.where(target.c.id == source.c[edge.column])
    else:
        found = found.where(target.c[edge.back or ""] == source.c.id).order_by(target.c.id)
    return found.limit(1).correlate(source).scalar_subquery()


async def find_owner(connection: AsyncConnection, event_id: int) -> RowOf[*tuple[Any, ...]] | None:
    """The account that owns the event: its id, e-mail address, `is_admin`, `is_confirmed` and
    creation time."""
    statement = (
        select(User.id, User.email, User.is_admin, User.is_confirmed, User.created_at)
        .join(EventRole, EventRole.user_id == User.id)
        .where(EventRole.event_id == event_id, EventRole.role == OWNER)
        .order_by(User.id)
        .limit(1)
    )
    return (await connection.execute(statement)).one_or_none()


class SessionValues(StrEnum):
    """Values of an event's sessions that can be listed."""

    DATES = "dates"
    LANGUAGES = "languages"
    STATES = "states"


async def find_session_values(
    connection: AsyncConnection, event_id: int, values: SessionValues, viewer: Viewer
) -> list[str]:
    """These values of the sessions that the viewer may see, each once, in order. Dates are local to
    the event's time zone."""
    sessions = NODES[Kind.SESSION].table
    column: ColumnElement[Any] = {
        SessionValues.DATES: sessions.c.starts_at,
        SessionValues.LANGUAGES: sessions.c.language,
        SessionValues.STATES: sessions.c.state,
    }[values]
    statement = (
        select(column.label("found"), _EVENTS.c.timezone)
        .join(_EVENTS, _EVENTS.c.id == sessions.c.event_id)
        .where(_EVENTS.c.id == event_id, column.is_not(None), part_visible(Kind.SESSION, viewer))
        .distinct()
    )
    rows = (await connection.execute(statement)).all()
    if values is not SessionValues.DATES:
        return sorted({row.found for row in rows if row.found})
    found = find_zone(rows[0].timezone) if rows else None
    local = zone(found.name) if found is not None else UTC
    return sorted({row.found.astimezone(local).date().isoformat() for row in rows})


async def _page(
    connection: AsyncConnection, statement: Select[tuple[int]], kind: Kind, wanted: Wanted
) -> tuple[list[int], int]:
    if wanted.filters:
        statement = statement.where(met(kind, wanted.filters, wanted.viewer))
    terms = _terms(kind, wanted.order, wanted.viewer)
    # The id decides where all else is the same.
    ordered = statement.order_by(*terms, NODES[kind].table.c.id)
    found = await connection.execute(ordered.limit(wanted.limit).offset(wanted.offset))
    counted = select(func.count()).select_from(statement.subquery())
    return [row.id for row in found], await connection.scalar(counted) or 0


async def follow(
    connection: AsyncConnection,
    edge: Edge,
    owners: Iterable[Row],
    viewer: Viewer,
    budget: ByteBudget,
) -> dict[int, list[int]]:
    """The ids of what the edge leads to, by the id of the row that it leads from, as far as the
    viewer may see it. Raises TooLargeError."""
    if edge.column is not None:
        # The column is null where the viewer may not see what it names.
        return {row["id"]: [row[edge.column]] for row in owners if row[edge.column] is not None}
    target = NODES[edge.target].table
    own = target.c[edge.back] if edge.back is not None else LINKS.c[link_columns(edge)[0]]
    pairs = select(own.label("owner_id"), target.c.id)
    if edge.back is None:
        pairs = pairs.join(LINKS, LINKS.c[link_columns(edge)[1]] == target.c.id)
    pairs = pairs.where(_among(own, [row["id"] for row in owners]))
    pairs = pairs.where(part_visible(edge.target, viewer))
    some = pairs.limit(max(budget.left, 0) // LINK_BYTES + 1).subquery()
    ids = func.array_agg(aggregate_order_by(some.c.id, some.c.id)).label("ids")
    found = await connection.execute(select(some.c.owner_id, ids).group_by(some.c.owner_id))
    linked = {row.owner_id: row.ids for row in found}
    budget.spent += LINK_BYTES * sum(map(len, linked.values()))
    budget.check()
    return linked


async def read_rows(
    connection: AsyncConnection,
    node: Node,
    ids: Sequence[int],
    viewer: Viewer,
    budget: ByteBudget,
    *,
    columns: Collection[str] | None = None,
) -> list[Row]:
    """These rows, in this order; those that are gone by now are left out. `columns` are the only
    ones wanted besides the keys. Stops where the budget is spent: the caller checks that."""
    table = node.table
    wanted = [column for column in table.c if columns is None or column.name in columns]
    read = list({column.name: column for column in (*key_columns(node), *wanted)}.values())
    seen = _as_seen(node, read, viewer)
    event_id = table.c.id if node.kind is Kind.EVENT else table.c.event_id
    rows: dict[int, Row] = {}
    for start in range(0, len(ids), BATCH):
        size = row_size(read)
        before = func.sum(size).over(order_by=table.c.id) - size
        inner = (
            select(*seen, size.label(_SIZE), before.label(_BEFORE))
            .add_columns(editable(viewer, event_id).label(EDITABLE))
            .where(_among(table.c.id, ids[start : start + BATCH]), part_visible(node.kind, viewer))
            .subquery()
        )
        statement = select(inner).where(inner.c[_BEFORE] <= budget.left)
        found = (await connection.execute(statement)).mappings().all()
        rows |= {row["id"]: row for row in found}
        budget.spent += sum(row[_SIZE] for row in found)
        if budget.left < 0:
            break
    return [rows[row_id] for row_id in ids if row_id in rows]


def _as_seen(
    node: Node, columns: Iterable[ColumnElement[Any]], viewer: Viewer
) -> list[ColumnElement[Any]]:
    """The columns, null where they name a row that the viewer may not see."""
    targets = {edge.column: edge.target for edge in node.edges if edge.column is not None}
    seen: list[ColumnElement[Any]] = []
    for column in columns:
        kind = targets.get(column.name)
        if kind is None or kind is Kind.EVENT:
            seen.append(column)
            continue
        target = NODES[kind].table.c
        named = select(target.id).where(target.id == column, part_visible(kind, viewer))
        seen.append(named.scalar_subquery().label(column.name))
    return seen


def _among(column: ColumnElement[Any], ids: Collection[int]) -> ColumnElement[bool]:
    # One parameter for all ids: PostgreSQL accepts at most 32,767 parameters.
    return column == any_(sql_literal(list(ids), ARRAY(BigInteger)))


def link_columns(edge: Edge) -> tuple[str, str]:
    """The columns of `session_speakers` for the edge's source and its target."""
    return f"{edge.source}_id", f"{edge.target}_id"
