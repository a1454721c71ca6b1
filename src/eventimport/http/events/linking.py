"""Changing what a resource is linked with."""

from enum import Enum, auto
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from eventimport.conference.kinds import Kind
from eventimport.database.event_changes import add_links, remove_links, replace_links, strangers
from eventimport.database.event_graph import Edge
from eventimport.database.event_queries import Row
from eventimport.errors import Problem, ProblemError, refuse
from eventimport.http.events.access import parse_id
from eventimport.http.events.schema import TYPES


class Linking(Enum):
    """What to do with the resources that a request names."""

    REPLACE = auto()
    ADD = auto()
    REMOVE = auto()


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
