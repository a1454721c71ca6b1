"""What a client may change: the bodies of PATCH, made from the schema, and each field's rules."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from itertools import islice
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
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    WithJsonSchema,
    WrapValidator,
    create_model,
)

from eventimport.conference import rich_text, values
from eventimport.conference.kinds import SHAPES, Kind
from eventimport.conference.rich_text import TextLimits
from eventimport.conference.times import parse_time
from eventimport.conference.zones import find_zone
from eventimport.errors import ProblemError, refuse
from eventimport.http.events.documents import IDENTIFIERS, optional_members
from eventimport.http.events.queries import NO_NUL
from eventimport.http.events.schema import EXTRA, TYPES, Attribute, ResourceType
from eventimport.http.problems import BODY, validation_problems

MAX_TEXT: Final = 200_000
MAX_LINKS: Final = 1_000
MAX_ERRORS: Final = 20
MAX_SHOWN_NAME: Final = 100

Text = Annotated[str, Strict(), Field(max_length=MAX_TEXT, pattern=NO_NUL)]


def _time(value: Any) -> datetime:
    time = parse_time(value)
    if time is None:
        raise ValueError(
            "Expected a date and time in ISO 8601 format, such as 2027-05-20T09:00:00Z."
        )
    if time.tzinfo is None:
        raise ValueError("The time has no UTC offset. Add Z, or an offset such as +08:00.")
    return time.astimezone(UTC)


def _zone(value: str) -> str:
    found = find_zone(value)
    if found is None or found.doubt:
        raise ValueError(
            "Unknown time zone. Expected an IANA name such as Asia/Singapore, or an"
            " offset such as +08:00."
        )
    return found.name


def _rich(value: str, info: ValidationInfo[TextLimits]) -> str:
    found = rich_text.clean(value, info.context)
    if found.over_limit:
        raise ValueError(f"Too much markup: {found.over_limit}. Remove some of it.")
    return found.text


def _link(value: str) -> str:
    if not values.is_safe_link(value):
        raise ValueError("Expected an http, https, mailto or tel link.")
    return value


def _remote(value: str) -> str:
    if not values.is_remote(value):
        raise ValueError(
            "Expected an http or https URL. To get a URL for a file, upload it"
            " with POST /v1/upload/file."
        )
    return value


def _not_blank(value: str) -> str:
    if not value.strip():
        raise ValueError("The value must not be empty.")
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
        Field(
            max_length=100,
            description="What the source says, such as `draft`. It does not decide who sees the"
            " event: publish the event with `POST /v1/events/{id}/publish`.",
        ),
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
                "Type mismatch",
                f"Expected type {expected!r}, got {value[:50]!r}.",
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
    made = create_model(name, __doc__="The resources to link with.", data=(data, ...))
    return cast("type[BaseModel]", made)


def _attributes(resource: ResourceType) -> Any:
    return optional_members(
        f"{resource.title}Changes",
        "The attributes to change. You can send back unchanged attributes,"
        " including read-only ones.",
        {name: _rule(resource.kind, a) for name, a in resource.attributes.items() if a.writable},
    )


def is_changeable(resource: ResourceType, name: str) -> bool:
    """Whether a PATCH of a resource may change this relationship."""
    return resource.kind is Kind.SESSION and name != "event"


def _relationships(resource: ResourceType) -> Any:
    members = {}
    for name, edge in resource.edges.items():
        data = linkage_type(edge.target, many=edge.many)
        key = f"{TYPES[edge.target].title}Target{'List' if edge.many else ''}"
        members[name] = optional_members(
            key,
            "Without `data` nothing changes.",
            {"data": data, "links": dict[str, Any] | None, "meta": dict[str, Any] | None},
        )
    return optional_members(
        f"{resource.title}RelationshipChanges",
        "The relationships to change. Only a session's relationships can be"
        " changed, except its event. You can send back the others unchanged.",
        members,
    )


_ATTRIBUTES: Final = {kind: _attributes(TYPES[kind]) for kind in Kind}
_RELATIONSHIPS: Final = {kind: _relationships(TYPES[kind]) for kind in Kind}
_VALID_ATTRIBUTES: Final = {kind: TypeAdapter(made) for kind, made in _ATTRIBUTES.items()}


def _any_object(value: Any, check: Callable[[Any], Any]) -> Any:
    return value if isinstance(value, dict) else check(value)


def _patch(resource: ResourceType) -> type[BaseModel]:
    attributes: Any = Annotated[_ATTRIBUTES[resource.kind], WrapValidator(_any_object)]
    fields: dict[str, Any] = {
        "type": (
            Annotated[Literal[resource.type], BeforeValidator(_same_type(resource.type))],
            ...,
        ),
        "id": (Annotated[str, Strict(), Field(max_length=100)], ...),
        # Checked by `changes_of`, once it is known which of them would change anything.
        "attributes": (attributes, Field(default_factory=dict)),
        "relationships": (_RELATIONSHIPS[resource.kind], Field(default_factory=dict)),
    }
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

DERIVED: Final[Mapping[tuple[Kind, str], tuple[str, ...]]] = {
    (Kind.EVENT, "original_image_url"): (
        *("large_image_url", "thumbnail_image_url", "icon_image_url"),
    ),
    (Kind.SPEAKER, "photo_url"): (*("thumbnail_image_url", "small_image_url", "icon_image_url"),),
}
"""The columns with an image's smaller sizes, by the column of the image."""


def changes_of(
    resource: ResourceType,
    given: Mapping[str, Any],
    current: Mapping[str, Any],
    texts: TextLimits,
) -> dict[str, Any]:
    """The attributes of a body that differ from the current ones, by column. `texts` limits the
    markup of rich texts.

    A changed image clears its smaller sizes, unless the body changes these as well. Raises 422 for
    a value that is not valid, and for a read-only attribute that would change.
    """
    changed = {
        name: value
        for name, value in given.items()
        if name in current and not _is_same(value, current[name])
    }
    # Of very many unknown names, only those that the answer lists are looked at.
    changed |= dict(islice(((n, v) for n, v in given.items() if n not in current), MAX_ERRORS))
    try:
        valid = _VALID_ATTRIBUTES[resource.kind].validate_python(changed, context=texts)
    except ValidationError as error:
        found = [_placed(resource, each) for each in error.errors(include_url=False)[:MAX_ERRORS]]
        raise ProblemError(tuple(validation_problems(found))) from None
    changes = {resource.attributes[name].column: value for name, value in valid.items()}
    for (kind, image), sizes in DERIVED.items():
        if kind is resource.kind and image in changes:
            changes = dict.fromkeys(sizes) | changes
    return changes


def _is_same(value: Any, current: Any) -> bool:
    # In Python, True equals 1, and 1.0 equals 1; in JSON only the latter two are one number.
    return bool(value == current) and isinstance(value, bool) == isinstance(current, bool)


def _placed(resource: ResourceType, error: Mapping[str, Any]) -> dict[str, Any]:
    """A validator's error, at its place in the body."""
    name = error["loc"][0]
    first = str(name)[:MAX_SHOWN_NAME]
    placed = {**error, "loc": (BODY, "data", "attributes", first, *error["loc"][1:])}
    if error["type"] == "extra_forbidden":
        known = name in resource.attributes
        placed["msg"] = (
            "This attribute is read-only. Leave it out, or send it unchanged."
            if known
            else f"Unknown attribute of {resource.type}."
        )
    return placed


def with_originals(
    resource: ResourceType,
    given: Mapping[str, Any],
    row: Mapping[str, Any],
    values: dict[str, Any],
    texts: TextLimits,
) -> dict[str, Any]:
    """The changes of a row, with the texts as the client sent them in `extra`, if markup was
    removed from them. The original of an earlier text goes with that text."""
    kept = dict(row[EXTRA])
    for name, attribute in resource.attributes.items():
        column = attribute.column
        if column in values and column in SHAPES[resource.kind].rich:
            kept.pop(column, None)
            if isinstance(given[name], str) and rich_text.clean(given[name], texts).removed:
                kept[column] = given[name]
    return values if kept == row[EXTRA] else {**values, EXTRA: kept}
