"""Relationships in requests: what their bodies may name, and linking a row with that."""

from enum import Enum, auto
from typing import Annotated, Any, Final, cast

from pydantic import BaseModel, Field, create_model
from sqlalchemy.ext.asyncio import AsyncConnection

from eventimport.conference.kinds import Kind
from eventimport.database.event_changes import (
    add_links,
    add_pointers,
    remove_links,
    remove_pointers,
    replace_links,
    replace_pointers,
    strangers,
)
from eventimport.database.event_graph import Edge
from eventimport.database.event_queries import LINK_BYTES, ByteBudget, Row, TooLargeError, follow
from eventimport.database.visibility import Viewer
from eventimport.errors import Problem, ProblemError, refuse
from eventimport.http.events.documents import IDENTIFIERS
from eventimport.http.events.requests import parse_id
from eventimport.http.events.schema import TYPES, kebab

MAX_LINKS: Final = 1_000


class Linking(Enum):
    """What to do with the resources that a request names."""

    REPLACE = auto()
    ADD = auto()
    REMOVE = auto()


def linkage_type(kind: Kind, *, many: bool) -> Any:
    """The data of a relationship to resources of this kind."""
    target: Any = IDENTIFIERS[kind]
    return Annotated[list[target], Field(max_length=MAX_LINKS)] if many else target | None


def linkage_body(kind: Kind, *, many: bool) -> type[BaseModel]:
    """The body of a request to a relationship."""
    name = f"{TYPES[kind].title}LinkageChange{'List' if many else ''}"
    data: Any = linkage_type(kind, many=many)
    made = create_model(name, __doc__="The resources to link with.", data=(data, ...))
    return cast("type[BaseModel]", made)


def is_changeable(edge: Edge) -> bool:
    """Whether the targets of the edge can be changed. A resource never leaves its event."""
    return Kind.EVENT not in {edge.source, edge.target}


async def is_linked_so(connection: AsyncConnection, edge: Edge, row: Row, data: Any) -> bool:
    """Whether the row is linked with what `data` names, and nothing else."""
    given = data if isinstance(data, list) else [data] if data is not None else []
    enough = ByteBudget(MAX_LINKS * LINK_BYTES)
    try:
        linked = await follow(connection, edge, [row], Viewer(is_admin=True), enough)
    except TooLargeError:
        return False
    return {each.id for each in given} == set(map(str, linked.get(row["id"], ())))


def cannot_move(edge: Edge, pointer: str) -> ProblemError:
    """The answer to a request that would move a resource to another event."""
    what = "A resource cannot move to another event."
    if edge.source is Kind.EVENT:
        what += f" Make and delete {kebab(edge.name)} instead."
    return refuse(403, "forbidden", "Not allowed", what, source={"pointer": pointer})


_LINKED: Final = {
    Linking.REPLACE: replace_links,
    Linking.ADD: add_links,
    Linking.REMOVE: remove_links,
}
_POINTED: Final = {
    Linking.REPLACE: replace_pointers,
    Linking.ADD: add_pointers,
    Linking.REMOVE: remove_pointers,
}
"""For edges whose targets' own rows say what they are linked with."""


async def relink(
    connection: AsyncConnection,
    edge: Edge,
    row: Row,
    data: Any,
    *,
    how: Linking,
    pointer: str,
) -> dict[str, Any] | None:
    """Link the row with what `data`, valid linkage, names. Returns what is to be written to the
    row itself, or None if nothing has changed. Raises 404 for what is not in the row's event, 403
    for another event."""
    if edge.target is Kind.EVENT:
        _check_event(row, data, pointer)
        return None
    if edge.source is Kind.EVENT:
        raise cannot_move(edge, pointer)
    given = data if isinstance(data, list) else [data] if data is not None else []
    ids = [parse_id(target.id) for target in given]
    known = {number for number in ids if number is not None}
    # What is taken away need not be there.
    if ids and how is not Linking.REMOVE:
        unknown = await strangers(connection, edge, row["event_id"], known)
        _refuse_strangers(edge, ids, unknown, pointer)
    if edge.column is not None:
        target_id = ids[0] if ids else None
        return {edge.column: target_id} if row[edge.column] != target_id else None
    act = (_LINKED if edge.linked else _POINTED)[how]
    return {} if await act(connection, edge, row["id"], known) else None


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
