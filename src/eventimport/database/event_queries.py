"""Reading events and their parts, as far as the one who asks may see them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    exists,
    false,
    func,
    literal,
    or_,
    select,
    true,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from eventimport.database.event_graph import LINKS, NODES, Edge, Node
from eventimport.database.models import Event, EventRole
from eventimport.openevent.order import Kind

Row = Mapping[Any, Any]
"""A row's columns, and `EDITABLE`."""

EDITABLE: Final = "may_be_edited"
"""Whether the one who asks may change the row, and see what is private about it."""

OWNER: Final = "owner"
_EVENTS: Final = NODES[Kind.EVENT].table


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who asks; nobody in particular, without an id."""

    user_id: int | None = None
    is_admin: bool = False


def editable(viewer: Viewer) -> ColumnElement[bool]:
    """Whether the viewer owns the event at hand, or is an admin."""
    if viewer.is_admin:
        return true()
    if viewer.user_id is None:
        return false()
    return exists().where(
        EventRole.event_id == _EVENTS.c.id,
        EventRole.user_id == viewer.user_id,
        EventRole.role == OWNER,
    )


def visible(viewer: Viewer) -> ColumnElement[bool]:
    """Whether the viewer may see the event at hand: one that is published, or the viewer's own."""
    published = and_(Event.privacy == "public", Event.state != "draft")
    return or_(published, editable(viewer))


def is_one(node: Node, key: int | str) -> ColumnElement[bool]:
    """Whether the row at hand is the one of this id, or, for events, of this identifier."""
    column = node.table.c.id if isinstance(key, int) else node.table.c.identifier
    return column == key


async def find(
    connection: AsyncConnection,
    node: Node,
    key: int | str,
    viewer: Viewer,
    *,
    lock: Literal["change", "delete"] | None = None,
) -> Row | None:
    """The row that the viewer may see, or None. `lock` holds it, and its event, until the end of
    the transaction; the event comes first, so that two who change it never wait for each other."""
    statement = select(node.table, editable(viewer).label(EDITABLE)).where(
        is_one(node, key), visible(viewer)
    )
    tables = [_EVENTS]
    if node.kind is not Kind.EVENT:
        statement = statement.join(_EVENTS, _EVENTS.c.id == node.table.c.event_id)
        tables.append(node.table)
    if lock is not None:
        statement = statement.with_for_update(of=tables, key_share=lock == "change")
    return (await connection.execute(statement)).mappings().one_or_none()


async def find_events(
    connection: AsyncConnection,
    viewer: Viewer,
    chosen: Collection[ColumnElement[bool]],
    order: Sequence[ColumnElement[Any]],
    *,
    limit: int,
    offset: int,
) -> tuple[Sequence[Row], int]:
    """One page of the events that the viewer may see, of those chosen, and how many there are."""
    statement = select(_EVENTS, editable(viewer).label(EDITABLE)).where(visible(viewer), *chosen)
    return await _page(connection, statement, order, limit=limit, offset=offset)


async def find_related(
    connection: AsyncConnection,
    edge: Edge,
    owner: Row,
    order: Sequence[ColumnElement[Any]],
    *,
    limit: int,
    offset: int,
) -> tuple[Sequence[Row], int]:
    """One page of what the edge leads to from a row that is visible, and how many there are. All
    of it belongs to the owner's event."""
    target = NODES[edge.target].table
    statement = select(target, literal(owner[EDITABLE]).label(EDITABLE))
    if edge.column is not None:
        statement = statement.where(target.c.id == owner[edge.column])
    elif edge.back is not None:
        statement = statement.where(target.c[edge.back] == owner["id"])
    else:
        own, other = link_columns(edge)
        statement = statement.join(LINKS, LINKS.c[other] == target.c.id)
        statement = statement.where(LINKS.c[own] == owner["id"])
    return await _page(connection, statement, order, limit=limit, offset=offset)


async def _page(
    connection: AsyncConnection,
    statement: Select[*tuple[Any, ...]],
    order: Sequence[ColumnElement[Any]],
    *,
    limit: int,
    offset: int,
) -> tuple[Sequence[Row], int]:
    found = await connection.execute(statement.order_by(*order).limit(limit).offset(offset))
    rows = found.mappings().all()
    counted = select(func.count()).select_from(statement.order_by(None).subquery())
    return rows, await connection.scalar(counted) or 0


async def follow(
    connection: AsyncConnection, edge: Edge, owners: Sequence[Row], *, limit: int
) -> list[tuple[int, Row]]:
    """What the edge leads to from any of these rows, with the id of the row that it leads from;
    one statement, and at most `limit` answers."""
    target = NODES[edge.target].table
    by_id = {row["id"]: row for row in owners}
    if edge.column is not None:
        statement = select(target).where(target.c.id.in_({row[edge.column] for row in owners}))
    elif edge.back is not None:
        statement = select(target).where(target.c[edge.back].in_(by_id))
    else:
        own, other = link_columns(edge)
        statement = select(target, LINKS.c[own].label("owner_id"))
        statement = statement.join(LINKS, LINKS.c[other] == target.c.id)
        statement = statement.where(LINKS.c[own].in_(by_id))
    found = await connection.execute(statement.order_by(target.c.id).limit(limit))
    rows = found.mappings().all()
    if edge.column is not None:
        targets = {row["id"]: row for row in rows}
        pairs = [
            (owner["id"], targets[owner[edge.column]])
            for owner in owners
            if owner[edge.column] in targets
        ]
    else:
        pairs = [(row[edge.back or "owner_id"], row) for row in rows]
    # A part is its event's: who may edit the one may edit the other.
    return [(owner, {**row, EDITABLE: by_id[owner][EDITABLE]}) for owner, row in pairs]


def link_columns(edge: Edge) -> tuple[str, str]:
    """The columns of `session_speakers` for the edge's source and its target."""
    return f"{edge.source}_id", f"{edge.target}_id"
