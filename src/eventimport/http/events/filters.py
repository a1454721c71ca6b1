"""`filter=[{"name", "op", "val"}]`: what flask-rest-jsonapi's clients ask lists for.

    [{"name": "title", "op": "ilike", "val": "%python%"}]
    [{"or": [{"name": "state", "op": "eq", "val": "accepted"},
             {"not": {"name": "track", "op": "has",
                      "val": {"name": "name", "op": "eq", "val": "Web"}}}]}]

A name is an attribute or a relationship, in kebab-case or snake_case; `track.name` and
`track__name` are short for a condition about a relationship. The operators and their values are
those that the library documents. Private attributes cannot be filtered by.

`filter[title]=Opening` is short for the condition that the attribute has this value, and
`filter[track]=5` for the condition that the relationship leads to this id.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time
from typing import Annotated, Any, Final

from pydantic import Field, TypeAdapter, ValidationError

from eventimport.auth import MAX_USER_ID
from eventimport.conference.kinds import Integer, Kind
from eventimport.conference.report import UNSTORABLE
from eventimport.conference.times import read_time
from eventimport.database.event_filters import (
    OPERATORS,
    Comparison,
    Constant,
    Filter,
    Group,
    Related,
)
from eventimport.database.event_graph import Edge
from eventimport.errors import ProblemError, refuse
from eventimport.http import reference_api
from eventimport.http.events.schema import TYPES, Attribute, ResourceType, kebab

PARAMETER: Final = "filter"
MAX_LISTED: Final = 100
"""Values of one `in_`."""

MAX_WILDCARDS: Final = 20
"""In one pattern: each may let PostgreSQL look through the text once more."""

SHORT: Final = 60
MAX_SHOWN: Final = 100

SPELLINGS: Final = {
    **{name: name for name in OPERATORS},
    "in": "in_",
    "is": "is_",
    "is_not": "isnot",
    "not_in": "notin_",
    "notin": "notin_",
    "==": "eq",
    "equals": "eq",
    "!=": "ne",
    ">": "gt",
    ">=": "ge",
    "<": "lt",
    "<=": "le",
}
PATTERNS: Final = frozenset({"ilike", "like", "notilike", "notlike"})
ONLY_TEXT: Final = PATTERNS | {"contains", "endswith", "startswith"}
LISTS: Final = frozenset({"between", "in_", "notin_"})
RELATIONS: Final = {"any": True, "has": False}
"""The operators of relationships, and whether they are for relationships to many."""

MAX_FILTER: Final = 4000
DESCRIBED: Final = (
    "Conditions as JSON, which all must be met:"
    ' `[{"name": "name", "op": "ilike", "val": "%python%"}]`. Combine them with `and`, `or` and'
    " `not`. `any` and `has` are the operators of relationships. The other operators are"
    " `eq`, `ne`, `gt`, `ge`, `lt`, `le`, `like`, `ilike`, `notlike`, `notilike`, `in_`,"
    " `notin_`, `is_`, `isnot`, `between`, `startswith`, `endswith` and `contains`."
)
FILTER: Final[Any] = Field(None, max_length=MAX_FILTER, description=DESCRIBED)
EXAMPLE: Final = '[{"name": "title", "op": "ilike", "val": "%python%"}]'

_NUMBERS: Final[dict[Any, TypeAdapter[Any]]] = {
    "id": TypeAdapter(Annotated[int, Field(ge=0, le=MAX_USER_ID)]),
    int: TypeAdapter(Integer),
    float: TypeAdapter(Annotated[float, Field(allow_inf_nan=False)]),
}


@dataclass(frozen=True, slots=True)
class Filterable:
    """What else lists can be filtered by: `searchable` has the attributes by their names."""

    type: str
    searchable: Mapping[str, Attribute]
    edges: Mapping[str, Edge] = field(default_factory=dict)
    kind: None = None


def filterable(type_name: str, columns: Mapping[str, tuple[str, type]]) -> Filterable:
    """What a list can be filtered by: for each name, its column and the type of its values."""
    attributes = {
        name: Attribute(name, column, values, nullable=True, writable=False, private=False)
        for name, (column, values) in columns.items()
    }
    return Filterable(type_name, attributes)


_Listed = ResourceType | Filterable


def refused(what: str, parameter: str = PARAMETER) -> ProblemError:
    """The answer to a filter that cannot be used."""
    return refuse(
        400, "invalid-parameter", "Invalid parameter", what, source={"parameter": parameter}
    )


def named_in(parameter: str) -> str | None:
    """The name in `filter[name]`; None if the parameter is another one."""
    found = re.fullmatch(r"filter\[([^\[\]]+)\]", parameter)
    return found and found[1]


def read_filters(
    text: str | None,
    named: Mapping[str, str],
    resource: _Listed,
    max_conditions: int,
) -> tuple[Filter, ...]:
    """The conditions of a `filter`, and of `filter[name]` by its names; a resource must meet all.
    Raises 400."""
    reader = _Reader(max_conditions)
    found = list(reader.read_all(_listed(text) if text else (), resource, ()))
    for name, value in named.items():
        try:
            found += reader.read_all([_equal(name, value, resource)], resource, ())
        except ProblemError as error:
            raise refused(error.problems[0].detail, f"filter[{name}]"[:MAX_SHOWN]) from None
    return tuple(found)


def _equal(name: str, value: str, resource: _Listed) -> dict[str, Any]:
    """`filter[title]=Opening` and `filter[track]=5` as conditions."""
    edge = resource.edges.get(kebab(name))
    if edge is None or kebab(name) in resource.searchable:
        return {"name": name, "op": "eq", "val": value}
    target = {"name": "id", "op": "eq", "val": value}
    return {"name": name, "op": "any" if edge.many else "has", "val": target}


def _listed(text: str) -> list[Any]:
    try:
        given = json.loads(text)
    except (ValueError, RecursionError):
        raise refused(f"The filter is not valid JSON. Expected a list such as {EXAMPLE}.") from None
    if isinstance(given, dict):
        given = [given]
    if not isinstance(given, list):
        raise refused(f"Expected a list of conditions, such as {EXAMPLE}.")
    return given


class _Reader:
    """Reads conditions, and counts them."""

    def __init__(self, max_conditions: int) -> None:
        self._left = self._max = max_conditions

    def read_all(
        self, given: Sequence[Any], resource: _Listed, way: tuple[Kind | None, ...]
    ) -> tuple[Filter, ...]:
        return tuple(self._read(each, resource, way) for each in given)

    def _read(self, given: Any, resource: _Listed, way: tuple[Kind | None, ...]) -> Filter:
        self._left -= 1
        if self._left < 0:
            raise refused(
                f"The filter has more than {self._max:,} conditions."
                " The limit is set by MAX_FILTER_CONDITIONS."
            )
        if not isinstance(given, dict):
            raise refused(f"Expected a condition such as {EXAMPLE[1:-1]}, got {_shown(given)}.")
        for how in ("and", "or"):
            if given.keys() == {how}:
                inner = given[how]
                if not isinstance(inner, list) or not inner:
                    raise refused(f"Expected a list of conditions for {how!r}.")
                return Group(how, self.read_all(inner, resource, way))
        if given.keys() == {"not"}:
            return Group("not", (self._read(given["not"], resource, way),))
        name = given.get("name")
        if not isinstance(name, str):
            raise refused("A condition needs `name`, `op` and `val`, or `and`, `or` or `not`.")
        return self._read_named(name.replace("__", "."), given, resource, way)

    def _read_named(
        self, name: str, given: dict[str, Any], resource: _Listed, way: tuple[Kind | None, ...]
    ) -> Filter:
        first, dot, rest = name.partition(".")
        edge = resource.edges.get(kebab(first))
        attribute = resource.searchable.get(kebab(name))
        if edge is not None and (dot or attribute is None):
            target = TYPES[edge.target]
            further = (*way, resource.kind)
            if edge.target in further:
                raise refused(f"The condition about {first!r} leads back to {target.type!r}.")
            if dot:
                inner: Filter = self._read_named(rest, given, target, further)
                return Related(edge, inner)
            return self._read_related(first, given, edge, further)
        if attribute is None and edge is None and kebab(first) in reference_api.RELATIONSHIPS:
            return Constant(is_met=False)
        if attribute is None and kebab(name) in reference_api.ATTRIBUTES:
            return _compared_with_nothing(kebab(name), given)
        if attribute is None:
            names = ", ".join([*resource.searchable, *resource.edges])
            raise refused(
                f"Filtering by {_shown(name)} is not supported."
                f" Names of the type {resource.type!r}: {names}."
            )
        operator = SPELLINGS.get(str(given.get("op", "eq")))
        if operator is None:
            raise refused(
                f"Unknown operator {_shown(given.get('op'))} for {name!r}."
                f" Operators: {', '.join(sorted(OPERATORS))}."
            )
        if operator in ONLY_TEXT and attribute.plain_type is not str:
            raise refused(f"{operator!r} compares texts, and {name!r} is not a text.")
        if "field" in given:
            other = resource.searchable.get(kebab(str(given["field"])))
            if other is None or other.plain_type is not attribute.plain_type or operator in LISTS:
                raise refused(f"{name!r} cannot be compared with {_shown(given['field'])}.")
            return Comparison(attribute.column, operator, other=other.column)
        return _compared(name, attribute.column, attribute.plain_type, operator, given.get("val"))

    def _read_related(
        self, name: str, given: dict[str, Any], edge: Any, way: tuple[Kind | None, ...]
    ) -> Filter:
        operator = given.get("op")
        many = RELATIONS.get(operator) if isinstance(operator, str) else None
        if many is None or many is not edge.many:
            wanted = "any" if edge.many else "has"
            raise refused(f"The operator of the relationship {name!r} is {wanted!r}.")
        return Related(edge, self._read(given.get("val"), TYPES[edge.target], way))


def _compared_with_nothing(name: str, given: dict[str, Any]) -> Filter:
    """A condition about an attribute that only the reference server has: as if it were null, or
    false if its name says that it is a flag."""
    value, operator = given.get("val"), SPELLINGS.get(str(given.get("op", "eq")))
    is_flag = name.startswith(("can-", "has-", "is-", "show-"))
    is_empty = value is None or (is_flag and value is False)
    if is_empty:
        return Constant(operator in {"eq", "is_"})
    return Constant(operator in {"isnot", "ne"})


def _compared(name: str, column: str, wanted: Any, operator: str, value: Any) -> Filter:
    if operator in LISTS:
        if not isinstance(value, list) or not value or len(value) > MAX_LISTED:
            raise refused(f"{operator!r} of {name!r} needs a list of 1 to {MAX_LISTED} values.")
        if operator == "between" and len(value) != 2:
            raise refused(f"'between' of {name!r} needs a list of 2 values.")
        return Comparison(column, operator, [_read_value(name, wanted, each) for each in value])
    if value is None:
        if operator not in {"eq", "is_", "isnot", "ne"}:
            raise refused(f"{operator!r} of {name!r} needs a value.")
        return Comparison(column, "is_" if operator in {"eq", "is_"} else "isnot")
    read = _read_value(name, wanted, value)
    if operator in PATTERNS and sum(map(read.count, "%_")) > MAX_WILDCARDS:
        raise refused(f"The pattern for {name!r} has more than {MAX_WILDCARDS} wildcards.")
    return Comparison(column, operator, read)


def _read_value(name: str, wanted: Any, value: Any) -> Any:
    """The value as the column holds it. Raises 400."""
    if wanted is datetime:
        found = read_time(value)
        if found.day is not None:
            return datetime.combine(found.day, time(), UTC)
        if found.time is None:
            raise refused(
                f"Expected a date and time for {name!r}, such as 2027-05-20T09:00:00Z,"
                f" got {_shown(value)}."
            )
        return found.time if found.time.tzinfo else found.time.replace(tzinfo=UTC)
    if wanted is bool:
        flag = {"true": True, "false": False, "1": True, "0": False}.get(str(value).lower())
        if flag is None:
            raise refused(f"Expected true or false for {name!r}, got {_shown(value)}.")
        return flag
    if wanted is str:
        if not isinstance(value, (str, int, float)) or isinstance(value, bool):
            raise refused(f"Expected a text for {name!r}, got {_shown(value)}.")
        if UNSTORABLE.search(str(value)):
            what = "has a null character or half of a surrogate pair"
            raise refused(f"The text for {name!r} {what}.")
        return str(value)
    return _read_number(name, wanted, value)


def _read_number(name: str, wanted: Any, value: Any) -> Any:
    try:
        return _NUMBERS["id" if name == "id" else wanted].validate_python(value)
    except ValidationError:
        what = "a number" if wanted is float else "a whole number"
        raise refused(f"Expected {what} for {name!r}, got {_shown(value)}.") from None


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= SHORT else f"{text[:SHORT]}…"
