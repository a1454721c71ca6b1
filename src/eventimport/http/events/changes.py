"""Changing a resource: attributes, links, and the sizes of a new image."""

from collections.abc import Mapping
from enum import Enum, auto
from typing import Any
from uuid import UUID

import anyio.to_thread
from sqlalchemy.ext.asyncio import AsyncConnection

from eventimport.conference.kinds import Kind
from eventimport.conference.rich_text import TextLimits
from eventimport.database.event_changes import (
    add_links,
    change,
    remove_links,
    replace_links,
    strangers,
)
from eventimport.database.event_graph import Edge
from eventimport.database.event_queries import LINK_BYTES, ByteBudget, Row, TooLargeError, follow
from eventimport.database.image_jobs import ImageOf, add_image_job, revoke_waiting
from eventimport.database.visibility import Viewer
from eventimport.errors import Problem, ProblemError, refuse
from eventimport.http.events.patches import (
    DERIVED,
    MAX_LINKS,
    changes_of,
    is_changeable,
    with_originals,
)
from eventimport.http.events.requests import changed_meanwhile, parse_id
from eventimport.http.events.schema import TYPES, ResourceType, kebab
from eventimport.http.events.serializer import attributes_of
from eventimport.observability import logs
from eventimport.observability.tracing import current_parent


class Linking(Enum):
    """What to do with the resources that a request names."""

    REPLACE = auto()
    ADD = auto()
    REMOVE = auto()


async def apply_patch(
    connection: AsyncConnection, resource: ResourceType, row: Row, data: Any, texts: TextLimits
) -> Row:
    """Change the row as `data`, the valid body of a PATCH, says, and return it as it is now.

    Raises 403, 404 or 422 for what cannot be changed so, 409 for another id, and 412 if the row has
    changed meanwhile.
    """
    if data.id != str(row["id"]):
        raise refuse(
            409,
            "id-mismatch",
            "Id mismatch",
            f"Expected id {str(row['id'])!r}, got {data.id[:50]!r}.",
            source={"pointer": "/data/id"},
        )
    # In a thread: checking a long text would hold the event loop.
    values = await anyio.to_thread.run_sync(_checked, resource, data.attributes, row, texts)
    _check_order(row, values)
    links_changed = False
    for name, given in data.relationships.items():
        edge = resource.edges[name]
        pointer = f"/data/relationships/{name}/data"
        if "data" not in given:
            continue
        if await _is_linked_so(connection, edge, row, given["data"]):
            continue
        if not is_changeable(resource, name):
            raise _read_only(edge)
        values |= await relink(
            connection, edge, row, given["data"], how=Linking.REPLACE, pointer=pointer
        )
        links_changed = links_changed or edge.linked
    if not values and not links_changed:
        return row
    return await write(connection, resource, row, values)


def _checked(
    resource: ResourceType, given: Mapping[str, Any], row: Row, texts: TextLimits
) -> dict[str, Any]:
    """The changes of a row that its new attributes ask for, by column. Raises 422."""
    values = changes_of(resource, given, attributes_of(resource, row), texts)
    return with_originals(resource, given, row, values, texts)


async def _is_linked_so(connection: AsyncConnection, edge: Edge, row: Row, data: Any) -> bool:
    """Whether the row is linked with what `data` names, and nothing else."""
    given = data if isinstance(data, list) else [data] if data is not None else []
    enough = ByteBudget(MAX_LINKS * LINK_BYTES)
    try:
        linked = await follow(connection, edge, [row], Viewer(is_admin=True), enough)
    except TooLargeError:
        return False
    return {each.id for each in given} == set(map(str, linked.get(row["id"], ())))


def _read_only(edge: Edge) -> ProblemError:
    name = kebab(edge.name)
    if edge.target is Kind.EVENT:
        pointer = {"pointer": f"/data/relationships/{name}/data"}
        what = "A resource cannot move to another event."
        return refuse(403, "forbidden", "Not allowed", what, source=pointer)
    what = f"{name!r} is read-only. Leave it out, or send it unchanged."
    pointer = {"pointer": f"/data/relationships/{name}"}
    return refuse(422, "invalid-value", "Invalid value", what, source=pointer)


def _check_order(row: Row, values: Mapping[str, Any]) -> None:
    times = {"starts_at", "ends_at"} & values.keys()
    if not times:
        return
    merged = {**row, **values}
    starts_at, ends_at = merged["starts_at"], merged["ends_at"]
    if starts_at is not None and ends_at is not None and ends_at < starts_at:
        raise refuse(
            422,
            "invalid-value",
            "Invalid value",
            "The end is before the start.",
            source={"pointer": f"/data/attributes/{kebab(min(times))}"},
        )


async def relink(
    connection: AsyncConnection,
    edge: Edge,
    row: Row,
    data: Any,
    *,
    how: Linking,
    pointer: str,
) -> dict[str, Any]:
    """Link the row with what `data`, valid linkage, names. Returns what is to be written to the
    row itself. Raises 404 for what is not in the row's event, 403 for another event."""
    if edge.target is Kind.EVENT:
        _check_event(row, data, pointer)
        return {}
    given = data if isinstance(data, list) else [data] if data is not None else []
    ids = [parse_id(target.id) for target in given]
    known = {number for number in ids if number is not None}
    # What is taken away need not be there.
    if ids and how is not Linking.REMOVE:
        unknown = await strangers(connection, edge, row["event_id"], known)
        _refuse_strangers(edge, ids, unknown, pointer)
    if edge.column is not None:
        return {edge.column: ids[0] if ids else None}
    act = {
        Linking.REPLACE: replace_links,
        Linking.ADD: add_links,
        Linking.REMOVE: remove_links,
    }[how]
    await act(connection, edge, row["id"], known)
    return {}


def _check_event(row: Row, data: Any, pointer: str) -> None:
    if data is None or data.id != str(row["event_id"]):
        raise refuse(
            403,
            "forbidden",
            "Not allowed",
            "A resource cannot move to another event.",
            source={"pointer": pointer},
        )


def _refuse_strangers(edge: Edge, ids: list[int | None], unknown: set[int], pointer: str) -> None:
    problems = [
        Problem(
            404,
            "related-not-found",
            "Unknown related resource",
            f"The event has no {TYPES[edge.target].type} with this id.",
            {"pointer": f"{pointer}/{index}" if edge.many else pointer},
        )
        for index, number in enumerate(ids)
        if number is None or number in unknown
    ]
    if problems:
        raise ProblemError(tuple(problems))


async def write(
    connection: AsyncConnection, resource: ResourceType, row: Row, values: Mapping[str, Any]
) -> Row:
    """Write these columns of the row, and return it. Raises 412 if it has changed meanwhile."""
    changed = await change(connection, resource.node, row, values)
    if changed is None:
        raise changed_meanwhile()
    return changed


async def begin_sizes(
    connection: AsyncConnection, resource: ResourceType, before: Row, row: Row, user_id: int
) -> list[UUID]:
    """Make a task for each image that a change of the row has replaced, if sizes of it are missing;
    the tasks of earlier images that wait for a worker are revoked."""
    tasks = []
    for (kind, field), sizes in DERIVED.items():
        if kind is not resource.kind or row[field] == before[field]:
            continue
        event_id = row["id"] if kind is Kind.EVENT else row["event_id"]
        table = resource.node.table.name
        await revoke_waiting(connection, event_id, table, row["id"])
        if row[field] is None or all(row[name] is not None for name in sizes):
            continue
        image = ImageOf(
            event_id=event_id, table=table, row_id=row["id"], field=field, url=row[field]
        )
        tasks.append(
            await add_image_job(
                connection,
                image,
                user_id=user_id,
                trace_parent=current_parent(),
                request_id=logs.request_id(),
            )
        )
    return tasks
