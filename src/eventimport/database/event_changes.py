"""Changing events and their parts; each function works in the caller's transaction."""

from collections.abc import Collection, Mapping
from typing import Any, Final

from sqlalchemy import ColumnElement, delete, func, select, true, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from eventimport.conference.kinds import Kind
from eventimport.database.event_graph import LINKS, NODES, Edge, Node
from eventimport.database.event_queries import EDITABLE, Row, link_columns
from eventimport.database.event_versions import count_change, counted
from eventimport.database.models import OPEN_STATUSES, EventRole, ImportJob
from eventimport.database.objects import Unlinked, unlink_event
from eventimport.database.visibility import OWNER, PRIVATE_COLUMNS, published, shown

_PUBLICATION: Final = frozenset({"published_at", "deleted_at"})
"""Columns of an event whose change shows it to visitors, or hides it."""

_WAS, _IS = "was_shown", "is_shown"


async def change(
    connection: AsyncConnection,
    node: Node,
    row: Row,
    values: Mapping[str, Any],
    *,
    relinked: bool = False,
) -> Row | None:
    """Write the values, and count the row's version and those of the event up; `relinked` says that
    the row's links have changed. The caller holds the event. Returns the changed row, or None if
    its version has changed meanwhile or it was deleted."""
    private = PRIVATE_COLUMNS.get(node.kind, frozenset()) | {"extra"}
    is_visible = relinked or bool(values.keys() - private)
    if "deleted_at" in values:
        values = {**values, "deleted_here": values["deleted_at"] is not None}
    if node.kind is Kind.EVENT:
        shows = true() if _PUBLICATION & values.keys() else published()
        values = {**values, **counted(shows if is_visible else None)}
    columns = node.table.c
    this = (
        select(columns.id, shown(node.kind).label(_WAS)).where(columns.id == row["id"]).subquery()
    )
    statement = (
        update(node.table)
        .where(columns.id == this.c.id, columns.version == row["version"])
        .values({**values, **_touched(node)})
        .returning(*columns, this.c[_WAS], shown(node.kind).label(_IS))
    )
    found = (await connection.execute(statement)).mappings().one_or_none()
    if found is None:
        return None
    changed = dict(found)
    was_shown, is_shown = changed.pop(_WAS), changed.pop(_IS)
    if node.kind is not Kind.EVENT:
        # Links of a hidden session decide whether its speakers are shown.
        is_visible = relinked or (is_visible and (was_shown or is_shown))
        await count_change(connection, row["event_id"], is_visible=is_visible)
    return {**changed, EDITABLE: row[EDITABLE]}


def _touched(node: Node) -> dict[str, Any]:
    """The columns of a row that say that it has changed."""
    columns = node.table.c
    touched: dict[str, Any] = {"version": columns.version + 1}
    if "last_modified_at" in columns:
        touched["last_modified_at"] = func.now()
    return touched


async def event_of(connection: AsyncConnection, event_id: int) -> Row:
    """What of an event decides how its parts are read: its time zone and its times."""
    columns = NODES[Kind.EVENT].table.c
    statement = select(columns.timezone, columns.starts_at, columns.ends_at)
    return (await connection.execute(statement.where(columns.id == event_id))).mappings().one()


async def create_event(
    connection: AsyncConnection, identifier: str, values: Mapping[str, Any], user_id: int
) -> Row:
    """Make an event that the user owns. Returns its row."""
    table = NODES[Kind.EVENT].table
    statement = insert(table).values({**values, "identifier": identifier}).returning(*table.c)
    made = (await connection.execute(statement)).mappings().one()
    role = {"event_id": made["id"], "user_id": user_id, "role": OWNER}
    await connection.execute(insert(EventRole).values(role))
    return {**made, EDITABLE: True}


async def create_part(
    connection: AsyncConnection, node: Node, event_id: int, values: Mapping[str, Any]
) -> Row | None:
    """Make a part of an event, which the caller holds, and return its row. None if the event has
    its only part of this kind already. A deleted one gives way."""
    table = node.table
    times = {"created_at", "last_modified_at"} & set(table.c.keys())
    values = {**values, **dict.fromkeys(times, func.now())}
    if table.c.event_id.unique:
        gone = delete(table).where(table.c.event_id == event_id, table.c.deleted_at.is_not(None))
        await connection.execute(gone)
    statement = insert(table).values({**values, "event_id": event_id}).on_conflict_do_nothing()
    # Without links, a speaker is shown.
    is_shown = true() if node.kind is Kind.SPEAKER else shown(node.kind)
    returning = statement.returning(*table.c, is_shown.label(_IS))
    found = (await connection.execute(returning)).mappings().one_or_none()
    if found is None:
        return None
    made = dict(found)
    await count_change(connection, event_id, is_visible=made.pop(_IS))
    return {**made, EDITABLE: True}


async def strangers(
    connection: AsyncConnection, edge: Edge, event_id: int, ids: Collection[int]
) -> set[int]:
    """The ids that belong to no row of the edge's target in this event."""
    table = NODES[edge.target].table
    statement = select(table.c.id).where(table.c.id.in_(ids), table.c.event_id == event_id)
    return set(ids) - set((await connection.scalars(statement)).all())


async def add_links(
    connection: AsyncConnection, edge: Edge, owner_id: int, ids: Collection[int]
) -> int:
    """Link the owner with these rows; a link that is there stays. Returns how many were added."""
    own, other = link_columns(edge)
    rows = [{own: owner_id, other: target} for target in set(ids)]
    if not rows:
        return 0
    added = await connection.execute(insert(LINKS).values(rows).on_conflict_do_nothing())
    return added.rowcount


async def remove_links(
    connection: AsyncConnection, edge: Edge, owner_id: int, ids: Collection[int]
) -> int:
    """Remove the links between the owner and these rows. Returns how many there were."""
    own, other = link_columns(edge)
    statement = delete(LINKS).where(LINKS.c[own] == owner_id, LINKS.c[other].in_(ids))
    return (await connection.execute(statement)).rowcount


async def replace_links(
    connection: AsyncConnection, edge: Edge, owner_id: int, ids: Collection[int]
) -> int:
    """Link the owner with these rows and no others. Returns how many links have changed."""
    own, other = link_columns(edge)
    statement = delete(LINKS).where(LINKS.c[own] == owner_id, LINKS.c[other].not_in(ids))
    removed = (await connection.execute(statement)).rowcount
    return removed + await add_links(connection, edge, owner_id, ids)


async def add_pointers(
    connection: AsyncConnection, edge: Edge, owner_id: int, ids: Collection[int]
) -> int:
    """Have these rows of the edge's target name the owner. Returns how many have changed."""
    columns = NODES[edge.target].table.c
    pointer = columns[edge.back or ""]
    others = columns.id.in_(ids), pointer.is_distinct_from(owner_id)
    return await _point(connection, edge, owner_id, *others)


async def remove_pointers(
    connection: AsyncConnection, edge: Edge, owner_id: int, ids: Collection[int]
) -> int:
    """Have these rows of the edge's target name no row, if they name the owner. Returns how many
    have changed."""
    columns = NODES[edge.target].table.c
    named = columns.id.in_(ids), columns[edge.back or ""] == owner_id
    return await _point(connection, edge, None, *named)


async def replace_pointers(
    connection: AsyncConnection, edge: Edge, owner_id: int, ids: Collection[int]
) -> int:
    """Have these rows of the edge's target name the owner, and no others. Returns how many have
    changed."""
    columns = NODES[edge.target].table.c
    others = columns.id.not_in(ids), columns[edge.back or ""] == owner_id
    removed = await _point(connection, edge, None, *others)
    return removed + await add_pointers(connection, edge, owner_id, ids)


async def _point(
    connection: AsyncConnection, edge: Edge, owner_id: int | None, *which: ColumnElement[bool]
) -> int:
    table = NODES[edge.target].table
    values = {edge.back or "": owner_id, **_touched(NODES[edge.target])}
    return (await connection.execute(update(table).where(*which).values(values))).rowcount


async def is_being_imported(connection: AsyncConnection, event_id: int) -> bool:
    """Whether an import of this event still runs, for example moves its media."""
    running = select(ImportJob.id).where(
        ImportJob.event_id == event_id, ImportJob.status.in_(OPEN_STATUSES)
    )
    return bool(await connection.scalar(select(running.exists())))


async def delete_event(connection: AsyncConnection, event_id: int) -> list[Unlinked]:
    """Delete the event and all that belongs to it. Returns its files that nothing else uses, which
    are to be deleted after the commit."""
    events = NODES[Kind.EVENT].table
    unlinked = await unlink_event(connection, event_id)
    await connection.execute(delete(events).where(events.c.id == event_id))
    return unlinked
