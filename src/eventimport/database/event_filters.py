"""Conditions by which lists are filtered, and their SQL."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from sqlalchemy import ColumnElement, and_, literal, not_, or_, select
from sqlalchemy.sql.base import ReadOnlyColumnCollection

from eventimport.conference.kinds import Kind
from eventimport.database.event_graph import LINKS, NODES, Edge
from eventimport.database.visibility import Viewer, part_visible


@dataclass(frozen=True, slots=True)
class Comparison:
    """Compares a column with a value by one of the `OPERATORS`; with several values for `in_`,
    `notin_` and `between`; with another column of the row if `other` names it."""

    column: str
    operator: str
    value: Any = None
    other: str | None = None


@dataclass(frozen=True, slots=True)
class Related:
    """Whether a row that the edge leads to, and that the viewer may see, meets the condition."""

    edge: Edge
    condition: "Filter"


@dataclass(frozen=True, slots=True)
class Group:
    """All of the conditions (`and`), at least one of them (`or`), or none of them (`not`)."""

    how: Literal["and", "or", "not"]
    conditions: tuple["Filter", ...]


@dataclass(frozen=True, slots=True)
class Constant:
    """A condition that each row meets, or none."""

    is_met: bool


Columns = Mapping[str, Any] | ReadOnlyColumnCollection[str, Any]
Filter = Comparison | Related | Group | Constant


def _pattern(text: str) -> str:
    # PostgreSQL reads a backslash as an escape, and fails for a pattern that ends with one.
    return str(text).replace("\\", "\\\\")


OPERATORS: Final[Mapping[str, Callable[[Any, Any], ColumnElement[bool]]]] = {
    "between": lambda column, value: column.between(value[0], value[1]),
    "contains": lambda column, value: column.contains(value, autoescape=True),
    "endswith": lambda column, value: column.endswith(value, autoescape=True),
    "eq": lambda column, value: column == value,
    "ge": lambda column, value: column >= value,
    "gt": lambda column, value: column > value,
    "ilike": lambda column, value: column.ilike(_pattern(value)),
    "in_": lambda column, value: column.in_(value),
    "is_": lambda column, value: column.is_not_distinct_from(value),
    "isnot": lambda column, value: column.is_distinct_from(value),
    "le": lambda column, value: column <= value,
    "like": lambda column, value: column.like(_pattern(value)),
    "lt": lambda column, value: column < value,
    "ne": lambda column, value: column != value,
    "notilike": lambda column, value: column.not_ilike(_pattern(value)),
    "notin_": lambda column, value: column.not_in(value),
    "notlike": lambda column, value: column.not_like(_pattern(value)),
    "startswith": lambda column, value: column.startswith(value, autoescape=True),
}


def met(kind: Kind, filters: Sequence[Filter], viewer: Viewer) -> ColumnElement[bool]:
    """Whether the row of this kind at hand meets all filters."""
    return met_by(NODES[kind].table.c, filters, viewer)


def met_by(columns: Columns, filters: Sequence[Filter], viewer: Viewer) -> ColumnElement[bool]:
    """Whether these columns of the row at hand meet all filters."""
    return and_(literal(value=True), *(_condition(columns, each, viewer) for each in filters))


def _condition(columns: Columns, given: Filter, viewer: Viewer) -> ColumnElement[bool]:
    if isinstance(given, Constant):
        return literal(given.is_met)
    if isinstance(given, Comparison):
        compare = OPERATORS[given.operator]
        other = given.value if given.other is None else columns[given.other]
        met: ColumnElement[bool] = compare(columns[given.column], other)
        return met
    if isinstance(given, Group):
        conditions = [_condition(columns, each, viewer) for each in given.conditions]
        if given.how == "or":
            return or_(*conditions)
        return and_(*conditions) if given.how == "and" else not_(or_(*conditions))
    return _related(given, viewer)


def _related(given: Related, viewer: Viewer) -> ColumnElement[bool]:
    edge = given.edge
    source, target = NODES[edge.source].table, NODES[edge.target].table
    found = select(target.c.id).where(
        part_visible(edge.target, viewer), _condition(target.c, given.condition, viewer)
    )
    if edge.column is not None:
        found = found.where(target.c.id == source.c[edge.column])
    elif edge.back is not None:
        found = found.where(target.c[edge.back] == source.c.id)
    else:
        links = LINKS.alias()
        found = found.join(links, links.c[f"{edge.target}_id"] == target.c.id)
        found = found.where(links.c[f"{edge.source}_id"] == source.c.id)
    return found.correlate(source).exists()
