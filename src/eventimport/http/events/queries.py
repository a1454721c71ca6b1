"""What a client may ask of the events API in the query: inclusion, fields, order, page, filters."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ConfigDict, Field, create_model

from eventimport.conference.kinds import Kind
from eventimport.database.event_filters import Filter
from eventimport.database.event_graph import Edge
from eventimport.database.event_queries import Order
from eventimport.errors import ProblemError, refuse
from eventimport.http import reference_api
from eventimport.http.events.filters import DESCRIBED, MAX_FILTER, named_in, read_filters
from eventimport.http.events.schema import BY_NAME, TYPES, ResourceType, kebab
from eventimport.http.jsonapi import PageQuery

MAX_PATHS: Final = 30
MAX_DEPTH: Final = 2
NO_NUL: Final = r"^[^\x00]*$"

Includes = dict[str, tuple[Edge, "Includes"]]
"""The relationships to be included, and from each of their targets again."""


class ResourceQuery(BaseModel):
    """What any answer with resources may be asked for."""

    include: str | None = Field(None, max_length=1000)

    def fieldsets(self) -> dict[Kind, frozenset[str]]:
        """The fields that were asked for, of each type that was named. Raises 400."""
        found = {}
        for resource in TYPES.values():
            given = getattr(self, f"fields_{resource.kind}", None)
            if given is not None:
                # Each resource has its id.
                names = frozenset(map(kebab, _names(given))) - {"id"}
                known = {
                    **resource.attributes,
                    **resource.edges,
                    **dict.fromkeys(resource.accounts),
                }
                unknown = names - known.keys()
                if unknown:
                    what = (
                        f"Unknown field {min(unknown)!r} of the type {resource.type!r}."
                        f" Fields: id, {', '.join(known)}."
                    )
                    raise bad_parameter(f"fields[{resource.type}]", what)
                found[resource.kind] = names
        return found

    def includes(self, resource: ResourceType) -> tuple[Includes, list[dict[str, Any]]]:
        """The tree of the relationships to be included, and warnings of those that only the
        reference server has. Raises 400."""
        tree: Includes = {}
        warnings = []
        paths = list(_names(self.include or ""))
        if len(paths) > MAX_PATHS:
            raise bad_parameter("include", f"Too many paths: the limit is {MAX_PATHS}.")
        for path in dict.fromkeys(paths):
            unknown = _grow(tree, resource, path)
            if unknown is not None:
                what = f"{path!r} is not included: this service has no {unknown!r}."
                source = {"parameter": "include"}
                warnings.append(reference_api.warning("not-included", what, source))
        return tree, warnings


class RelatedQuery(ResourceQuery):
    """What the resource that a relationship to one leads to may be asked for."""

    @classmethod
    def accepts(cls, parameter: str) -> bool:
        """Whether a parameter that no field names is ignored: existing clients ask for the page of
        any relationship."""
        return parameter in {"page[number]", "page[size]", "sort"}


def _grow(tree: Includes, resource: ResourceType, path: str) -> str | None:
    """Add a path to the tree. Returns the name in it that only the reference server has."""
    branch, here = tree, resource
    for number, step in enumerate(map(kebab, path.split(".")), 1):
        edge = here.edges.get(step)
        if edge is None:
            if step in reference_api.RELATIONSHIPS:
                return step
            known = ", ".join(here.edges)
            what = f"Unknown relationship {step!r} of the type {here.type!r}."
            raise bad_parameter("include", f"{what} Relationships: {known}.")
        if number > MAX_DEPTH:
            what = f"{path!r} has more than {MAX_DEPTH} steps, which is the limit."
            raise bad_parameter("include", what)
        _, branch = branch.setdefault(step, (edge, {}))
        here = TYPES[edge.target]
    return None


class CollectionQuery(ResourceQuery, PageQuery):
    """What a list may be asked for besides: a page, an order, and conditions."""

    # For `filter[…]`, which `filters` reads.
    model_config = ConfigDict(extra="allow")

    sort: str | None = Field(None, max_length=1000)
    filter: str | None = Field(
        None,
        max_length=MAX_FILTER,
        description=f"{DESCRIBED} `filter[title]=Opening` is short for `eq`, for any attribute;"
        " `filter[track]=5` names the id of a related resource.",
    )

    def order(self, resource: ResourceType) -> list[Order]:
        """What to sort by. Raises 400."""
        return [_order(resource, name) for name in _names(self.sort or "")]

    def filters(self, resource: ResourceType, max_conditions: int) -> tuple[Filter, ...]:
        """The conditions that each resource of the list must meet. Raises 400."""
        given = self.model_extra or {}
        named = {name: value for each, value in given.items() if (name := named_in(each))}
        return read_filters(self.filter, named, resource, max_conditions)

    @classmethod
    def accepts(cls, parameter: str) -> bool:
        """Whether a parameter that no field names has a meaning: any attribute can be filtered
        by."""
        return named_in(parameter) is not None


def _order(resource: ResourceType, term: str) -> Order:
    name = kebab(term.removeprefix("-").replace("__", "."))
    first, dot, rest = name.partition(".")
    edge = resource.edges.get(first) if dot else None
    if edge is not None and not edge.many:
        attribute = TYPES[edge.target].searchable.get(rest)
    else:
        edge, attribute = None, resource.searchable.get(name)
    if attribute is None:
        names = [*resource.searchable]
        names += [f"{one}.…" for one, each in resource.edges.items() if not each.many]
        what = f"Sorting by {term.removeprefix('-')!r} is not supported."
        raise bad_parameter("sort", f"{what} Names: {', '.join(names)}.")
    return Order(attribute.column, descending=term[0] == "-", edge=edge)


class LinkageQuery(PageQuery):
    """What a list of ids may be asked for: a page."""


class EventFilter(CollectionQuery):
    """Which events a client wants."""

    name: str | None = Field(
        None,
        alias="filter[name]",
        max_length=200,
        pattern=NO_NUL,
        description="Only events whose name contains this text, ignoring case.",
    )
    state: str | None = Field(
        None,
        alias="filter[state]",
        max_length=100,
        pattern=NO_NUL,
        description="Only events in this state, such as `published`.",
    )


def bad_parameter(name: str, what: str) -> ProblemError:
    """The answer to a parameter that says what cannot be."""
    return refuse(400, "invalid-parameter", "Invalid parameter", what, source={"parameter": name})


def _names(text: str) -> Iterator[str]:
    return (name for name in text.split(",") if name)


QueryT = TypeVar("QueryT", bound=ResourceQuery)


def query_of(resource: ResourceType, base: type[QueryT]) -> type[QueryT]:
    """The query of routes that answer with resources of this type: `base`, with the parameters that
    depend on the type. A client may name the fields of each type that can be included."""
    fields: dict[str, Any] = {"include": (str | None, _described_include(resource))}
    if issubclass(base, CollectionQuery):
        fields["sort"] = (str | None, _described_sort(resource))
    for name in _reachable(resource):
        fields[f"fields_{BY_NAME[name].kind}"] = (
            str | None,
            Field(
                None,
                alias=f"fields[{name}]",
                max_length=2000,
                description=f"Comma-separated fields to return of each {name}. The response lacks"
                " the others, even those that its schema requires.",
            ),
        )
    return create_model(f"{resource.title}{base.__name__}", __base__=base, **fields)


def _described_include(resource: ResourceType) -> Any:
    names = ", ".join(f"`{name}`" for name in resource.edges)
    what = (
        f"Comma-separated relationships: {names}, and those of their targets, as in"
        f" `{_example(resource)}`."
    )
    return Field(None, max_length=1000, description=what)


def _example(resource: ResourceType) -> str:
    name, edge = next(reversed(list(resource.edges.items())))
    return f"{name}.{next(iter(TYPES[edge.target].edges))}"


def _described_sort(resource: ResourceType) -> Any:
    names: Sequence[str] = list(resource.searchable)
    what = (
        f"Comma-separated attributes; a `-` before one sorts in descending order: {names[0]}, …."
        " Also those of a relationship to one resource, such as `track.name` of sessions."
    )
    return Field(None, max_length=1000, description=what, examples=[f"-{names[0]}"])


def _reachable(resource: ResourceType) -> Mapping[str, None]:
    found = {resource.type: None}
    for _ in range(MAX_DEPTH):
        for name in list(found):
            found |= {TYPES[edge.target].type: None for edge in BY_NAME[name].edges.values()}
    return found
