"""What a client may change: the bodies of PATCH, made from the schema, and each field's rules."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal, cast

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    EmailStr,
    Field,
    Strict,
    StrictBool,
    WithJsonSchema,
    create_model,
)

from eventimport.errors import refuse
from eventimport.openevent import rich_text, values
from eventimport.openevent.order import SHAPES, Kind
from eventimport.openevent.times import parse_time
from eventimport.openevent.zones import find_zone
from eventimport.routers.events.documents import IDENTIFIERS, optional_members
from eventimport.routers.events.queries import NO_NUL
from eventimport.routers.events.schema import TYPES, Attribute, ResourceType

MAX_TEXT: Final = 200_000
MAX_LINKS: Final = 1_000

Text = Annotated[str, Strict(), Field(max_length=MAX_TEXT, pattern=NO_NUL)]


def _time(value: Any) -> datetime:
    time = parse_time(value)
    if time is None:
        raise ValueError("an ISO 8601 date and time belongs here")
    if time.tzinfo is None:
        raise ValueError("a time needs an offset, such as Z or +08:00")
    return time.astimezone(UTC)


def _zone(value: str) -> str:
    found = find_zone(value)
    if found is None or found.doubt:
        raise ValueError("not an IANA time zone, such as Asia/Singapore, and not an offset")
    return found.name


def _rich(value: str) -> str:
    found = rich_text.clean(value)
    if found.over_limit:
        limits = rich_text.DEFAULT_LIMITS
        raise ValueError(
            f"a text may have {limits.max_tags} tags, and elements nested {limits.max_depth} deep"
        )
    return found.text


def _link(value: str) -> str:
    if not values.is_safe_link(value):
        raise ValueError("only http, https, mailto and tel links are taken")
    return value


def _remote(value: str) -> str:
    if not values.is_remote(value):
        raise ValueError("an http or https URL belongs here; POST /v1/upload/file gives one")
    return value


def _not_blank(value: str) -> str:
    if not value.strip():
        raise ValueError("it may not be empty")
    return value


def _lowered(value: Any) -> Any:
    return value.strip().lower() if isinstance(value, str) else value


Time = Annotated[
    datetime, BeforeValidator(_time), WithJsonSchema({"type": "string", "format": "date-time"})
]
RULES: Final[Mapping[str, Any]] = {
    "timezone": Annotated[Text, AfterValidator(_zone)],
    "length": Annotated[
        str,
        Strict(),
        Field(pattern=r"^[0-9]{2,3}:[0-5][0-9]$", max_length=6, description="`HH:MM`."),
    ],
    "email": EmailStr,
    "latitude": Annotated[float, Strict(), Field(ge=-90, le=90)],
    "longitude": Annotated[float, Strict(), Field(ge=-180, le=180)],
}
"""Rules of columns that mean the same wherever they are."""

EVENT_RULES: Final[Mapping[str, Any]] = {
    "name": Annotated[Text, AfterValidator(_not_blank)],
    "privacy": Annotated[Literal["public", "private"], BeforeValidator(_lowered)],
    "state": Annotated[
        Text,
        BeforeValidator(_lowered),
        AfterValidator(_not_blank),
        Field(max_length=100, description="`draft` hides the event; `published` shows it."),
    ],
}


def _rule(kind: Kind, attribute: Attribute) -> Any:
    shape, column = SHAPES[kind], attribute.column
    if kind is Kind.EVENT and column in EVENT_RULES:
        rule = EVENT_RULES[column]
    elif column in RULES:
        rule = RULES[column]
    elif column in shape.times:
        rule = Time
    elif column in shape.rich:
        rule = Annotated[Text, AfterValidator(_rich)]
    elif column in shape.links:
        rule = Annotated[Text, AfterValidator(_link)]
    elif column in shape.media:
        rule = Annotated[Text, AfterValidator(_remote)]
    elif attribute.plain_type is bool:
        rule = StrictBool
    elif attribute.plain_type is int:
        rule = Annotated[int, Strict(), Field(ge=-(2**31), le=2**31 - 1)]
    else:
        rule = Text
    return rule | None if attribute.nullable else rule


def _same_type(expected: str) -> Callable[[Any], Any]:
    def check(value: Any) -> Any:
        if isinstance(value, str) and value != expected:
            raise refuse(
                409,
                "type-mismatch",
                "The type does not match",
                f"Here are resources of the type {expected}, not {value[:50]!r}.",
                source={"pointer": "/data/type"},
            )
        return value

    return check


def linkage_type(kind: Kind, *, many: bool) -> Any:
    """The data of a relationship to resources of this kind."""
    target: Any = IDENTIFIERS[kind]
    return Annotated[list[target], Field(max_length=MAX_LINKS)] if many else target | None


def linkage_body(kind: Kind, *, many: bool) -> type[BaseModel]:
    """The body of a request to a relationship."""
    name = f"{TYPES[kind].title}LinkageChange{'List' if many else ''}"
    data: Any = linkage_type(kind, many=many)
    made = create_model(name, __doc__="What to link with.", data=(data, ...))
    return cast("type[BaseModel]", made)


def _patch(resource: ResourceType) -> type[BaseModel]:
    attributes = optional_members(
        f"{resource.title}Changes",
        "Those that are to change.",
        {name: _rule(resource.kind, a) for name, a in resource.attributes.items() if a.writable},
    )
    fields: dict[str, Any] = {
        "type": (
            Annotated[Literal[resource.type], BeforeValidator(_same_type(resource.type))],
            ...,
        ),
        "id": (Annotated[str, Strict(), Field(max_length=100)], ...),
        "attributes": (attributes, Field(default_factory=dict)),
    }
    if resource.kind is not Kind.EVENT:
        relationships = {}
        for name, edge in resource.edges.items():
            if name == "event" or resource.kind is Kind.SESSION:
                data = linkage_type(edge.target, many=edge.many)
                key = f"{TYPES[edge.target].title}Target{'List' if edge.many else ''}"
                relationships[name] = create_model(key, data=(data, ...))
        members = optional_members(
            f"{resource.title}RelationshipChanges",
            "Those that are to change. A resource cannot move to another event.",
            relationships,
        )
        fields["relationships"] = (members, Field(default_factory=dict))
    # Clients send back the links and the meta that they were given.
    fields["links"] = (dict[str, Any] | None, None)
    fields["meta"] = (dict[str, Any] | None, None)
    data = create_model(
        f"{resource.title}PatchData",
        __config__=ConfigDict(extra="forbid"),
        __doc__=f"The changes of one {resource.type}.",
        **fields,
    )
    made = create_model(
        f"{resource.title}Patch",
        __doc__=f"A document that changes one {resource.type}.",
        data=(data, ...),
    )
    return cast("type[BaseModel]", made)


PATCHES: Final = {kind: _patch(TYPES[kind]) for kind in Kind}


def changes_of(resource: ResourceType, given: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes of a valid body, by column."""
    return {resource.attributes[name].column: value for name, value in given.items()}
