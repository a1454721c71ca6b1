"""The resource types as data: which path each has, and which attributes.

The attributes are the fields of the archive's records (`conference.kinds`), so that what a field
is stands in one place; here stands only what the wire adds to them.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, Final, get_args

from typing_extensions import get_type_hints

from eventimport.conference.kinds import LEVELS, Kind
from eventimport.database.event_graph import NODES, Edge, Node
from eventimport.database.visibility import PRIVATE_COLUMNS

PREFIX: Final = "/v1"
EXTRA: Final = "extra"
MAX_NAME: Final = 100
IRREGULAR: Final = {Kind.EVENT_COPYRIGHT: "event-copyright"}
"""Paths that are not the type's plural, because existing clients know them so."""

RENAMED: Final = {
    (Kind.EVENT, "type"): "event-type",
    (Kind.SPONSOR, "type"): "sponsor-type",
    (Kind.CUSTOM_FORM, "type"): "field-type",
}
"""JSON:API lets no attribute have the name `type`. The resource's `meta` has it under that name."""

READ_ONLY: Final = {
    Kind.SESSION: frozenset(
        {"average_rating", "rating_count", "favourite_count", "created_at", "last_modified_at"}
    )
}
"""Fields that only an import writes, or the service itself."""


def kebab(name: str) -> str:
    """A column's, an edge's or a kind's name as it is on the wire."""
    return name.replace("_", "-")


@dataclass(frozen=True)
class Attribute:
    """`name` is the wire's, `column` the table's. One that is not `writable` cannot be patched;
    only the event's owner and admins can see one that is `private`."""

    name: str
    column: str
    type: Any
    nullable: bool
    writable: bool
    private: bool

    @property
    def plain_type(self) -> Any:
        """The Python type, without what the core's annotations say besides."""
        return (get_args(self.type) or (self.type,))[0] if self.column != EXTRA else self.type


@dataclass(frozen=True)
class ResourceType:
    """A kind of resource: `type` is its JSON:API type, `path` leads to single ones."""

    kind: Kind

    @property
    def type(self) -> str:
        """`session-type`, for example."""
        return kebab(self.kind)

    @property
    def words(self) -> str:
        """The type as a part of the names of operations."""
        return str(self.kind)

    def words_of(self, edge: Edge) -> str:
        """An edge as a part of the names of operations: `session_track`, `type_of_session`."""
        own = edge.name.removeprefix(f"{self.words}_")
        if own == edge.name:
            return f"{self.words}_{edge.name}"
        return f"{own}_of_{self.words}"

    @property
    def tag(self) -> str:
        """The group of operations in the API documentation."""
        return self.path.removeprefix(f"{PREFIX}/")

    @property
    def title(self) -> str:
        """The type as a part of the names of schemas."""
        return "".join(word.capitalize() for word in self.kind.split("_"))

    @property
    def path(self) -> str:
        """`/v1/session-types`, for example."""
        return f"{PREFIX}/{IRREGULAR.get(self.kind, self.type + 's')}"

    @property
    def other_paths(self) -> tuple[str, ...]:
        """Other paths of the same resources, which existing clients know, too."""
        return (f"{PREFIX}/{self.type}s",) if self.kind in IRREGULAR else ()

    @property
    def node(self) -> Node:
        """The rows."""
        return NODES[self.kind]

    @property
    def edges(self) -> Mapping[str, Edge]:
        """The relationships, by their names on the wire."""
        return {kebab(edge.name): edge for edge in self.node.edges}

    @property
    def accounts(self) -> tuple[str, ...]:
        """Relationships to accounts: documents only have their links."""
        return ("owner",) if self.kind is Kind.EVENT else ()

    @cached_property
    def attributes(self) -> Mapping[str, Attribute]:
        """The attributes, by their names on the wire."""
        fields: dict[str, Any] = dict(get_type_hints(LEVELS[self.kind].record, include_extras=True))
        writable = frozenset(fields) - READ_ONLY.get(self.kind, frozenset())
        fields["source_id"] = str
        if self.kind is Kind.EVENT:
            times = ("published_at", "taken_down_at", "created_at", "updated_at")
            fields = {"identifier": str, **fields, **dict.fromkeys(times, datetime)}
            fields["taken_down_reason"] = str
            fields["schedule_version"] = int
        fields[EXTRA] = dict[str, Any]
        private = PRIVATE_COLUMNS.get(self.kind, frozenset()) | {EXTRA}
        columns = self.node.table.c
        names = {column: RENAMED.get((self.kind, column), kebab(column)) for column in fields}
        return {
            names[name]: Attribute(
                names[name],
                name,
                hint,
                nullable=bool(columns[name].nullable),
                writable=name in writable,
                private=name in private,
            )
            for name, hint in fields.items()
        }

    @cached_property
    def meta(self) -> Mapping[str, Attribute]:
        """What the `meta` of a resource repeats, by the names there."""
        return {
            column: self.attributes[name]
            for (kind, column), name in RENAMED.items()
            if kind is self.kind
        }

    @cached_property
    def searchable(self) -> Mapping[str, Attribute]:
        """The attributes by which lists can be sorted and filtered, by all names that queries may
        use: those on the wire, and those in the archive."""
        found = {name: each for name, each in self.attributes.items() if not each.private}
        found["id"] = Attribute("id", "id", int, nullable=False, writable=False, private=False)
        return {**found, **self.meta}

    def is_named(self, name: str) -> bool:
        """Whether a client may mean this type: many write `sessions`, `sessionTypes` or
        `session_type`."""
        spelled = re.sub(r"(?<=[a-z])(?=[A-Z])", "-", name[:MAX_NAME]).lower().replace("_", "-")
        return spelled in {self.type, f"{self.type}s"}

    def self_link(self, row_id: int) -> str:
        """Where the resource of this id is."""
        return f"{self.path}/{row_id}"


TYPES: Final[Mapping[Kind, ResourceType]] = {kind: ResourceType(kind) for kind in Kind}
EVENT: Final = TYPES[Kind.EVENT]
BY_NAME: Final = {resource.type: resource for resource in TYPES.values()}
