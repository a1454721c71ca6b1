"""What an event is made of, as a graph: a node for each kind of row, and the edges between them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Table, Text, cast, func, literal
from sqlalchemy.dialects.postgresql import JSONB

from eventimport.conference.kinds import LEVELS, Kind
from eventimport.database.models import Base

FRAME_BYTES: Final = 1_000
"""About what a row needs in an answer besides its texts: names, numbers, times and links."""

LINKS: Final = Base.metadata.tables["session_speakers"]


@dataclass(frozen=True, slots=True)
class Edge:
    """`name` leads from the rows of `source` to rows of `target`.

    Either `column` of the source's own row holds the target's id, or `back` of the target's row
    holds the source's, or, with neither, `session_speakers` links the two. `many`: the source may
    have any number of targets.
    """

    name: str
    source: Kind
    target: Kind
    column: str | None = None
    back: str | None = None
    many: bool = False

    @property
    def linked(self) -> bool:
        """Whether the rows are linked through `session_speakers`."""
        return self.column is None and self.back is None


@dataclass(frozen=True, slots=True)
class Node:
    """The rows of one kind."""

    kind: Kind
    edges: tuple[Edge, ...]

    @property
    def table(self) -> Table:
        """Where the rows are."""
        return Base.metadata.tables[LEVELS[self.kind].table]

    def edge(self, name: str) -> Edge | None:
        """The edge of that name."""
        return next((edge for edge in self.edges if edge.name == name), None)


_PARTS: Final = (
    ("social_links", Kind.SOCIAL_LINK),
    ("custom_forms", Kind.CUSTOM_FORM),
    ("microlocations", Kind.MICROLOCATION),
    ("sponsors", Kind.SPONSOR),
    ("speakers", Kind.SPEAKER),
    ("tracks", Kind.TRACK),
    ("session_types", Kind.SESSION_TYPE),
    ("sessions", Kind.SESSION),
)
_SINGLE_PARTS: Final = (
    ("event_copyright", Kind.EVENT_COPYRIGHT),
    ("speakers_call", Kind.SPEAKERS_CALL),
)


def _edges(kind: Kind) -> tuple[Edge, ...]:
    if kind is Kind.EVENT:
        lists = [Edge(name, kind, part, back="event_id", many=True) for name, part in _PARTS]
        return (*lists, *(Edge(name, kind, part, back="event_id") for name, part in _SINGLE_PARTS))
    event = Edge("event", kind, Kind.EVENT, column="event_id")
    if kind is Kind.SESSION:
        to_one = (Kind.TRACK, Kind.MICROLOCATION, Kind.SESSION_TYPE)
        ones = (Edge(target.value, kind, target, column=f"{target}_id") for target in to_one)
        return (event, *ones, Edge("speakers", kind, Kind.SPEAKER, many=True))
    if kind is Kind.SPEAKER:
        return (event, Edge("sessions", kind, Kind.SESSION, many=True))
    if kind in (Kind.TRACK, Kind.MICROLOCATION, Kind.SESSION_TYPE):
        return (event, Edge("sessions", kind, Kind.SESSION, back=f"{kind}_id", many=True))
    return (event,)


NODES: Final[Mapping[Kind, Node]] = {kind: Node(kind, _edges(kind)) for kind in Kind}


def row_size(columns: Iterable[ColumnElement[Any]]) -> ColumnElement[int]:
    """About how many bytes the columns of the row at hand have in an answer."""
    total: ColumnElement[Any] = literal(FRAME_BYTES)
    for column in columns:
        if isinstance(column.type, Text):
            total = total + func.coalesce(func.octet_length(column), 0)
        elif isinstance(column.type, JSONB):
            total = total + func.coalesce(func.octet_length(cast(column, Text)), 0)
    return total
