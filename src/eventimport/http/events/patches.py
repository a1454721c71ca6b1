"""What a client may write: the bodies of PATCH and POST, made from the schema."""

from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass
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
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    WithJsonSchema,
    WrapValidator,
    create_model,
    with_config,
)
from typing_extensions import TypedDict

from eventimport.conference import values
from eventimport.conference.kinds import SHAPES, Kind
from eventimport.conference.report import UNSTORABLE
from eventimport.conference.rich_text import TextLimits
from eventimport.errors import Problem, refuse
from eventimport.http.events.documents import optional_members
from eventimport.http.events.linkage import linkage_type
from eventimport.http.events.queries import NO_NUL
from eventimport.http.events.schema import TYPES, Attribute, ResourceType
from eventimport.http.problems import BODY, validation_problems
from eventimport.settings import Settings

MAX_ERRORS: Final = 20
MAX_SHOWN_NAME: Final = 100
MAX_NUMBER: Final = 2**63
MAX_TIME: Final = 40

Text = Annotated[str, Strict(), Field(pattern=NO_NUL)]


@dataclass(frozen=True, slots=True)
class WriteLimits:
    """The limits of what a client writes: `length` of a text in characters (MAX_TEXT_LENGTH), and
    those of its markup."""

    length: int
    markup: TextLimits


def write_limits(settings: Settings) -> WriteLimits:
    """The limits that the settings say."""
    return WriteLimits(settings.max_text_length, settings.archive_limits.texts)


def _any(value: Any, info: ValidationInfo[WriteLimits]) -> Any:
    """What JSON can say and a row can hold. What it means is decided by `conference.edits`."""
    if isinstance(value, str):
        if UNSTORABLE.search(value):
            raise ValueError("The text has a null character or half of a surrogate pair.")
        if len(value) > info.context.length:
            raise ValueError(
                f"The text has more than {info.context.length:,} characters."
                " The limit is set by MAX_TEXT_LENGTH."
            )
    elif isinstance(value, (int, float)) and not abs(value) < MAX_NUMBER:
        raise ValueError("The number is too large.")
    elif isinstance(value, dict):
        for each in value.items():
            _any(list(each), info)
    elif isinstance(value, list):
        for each in value:
            _any(each, info)
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


def _written(schema: Mapping[str, Any]) -> Any:
    return Annotated[Any, AfterValidator(_any), WithJsonSchema(dict(schema))]


RULES: Final[Mapping[str, Any]] = {"email": EmailStr}
"""Rules of columns that mean the same wherever they are."""

EVENT_RULES: Final[Mapping[str, Any]] = {
    "name": Annotated[Text, AfterValidator(_not_blank), AfterValidator(_any)],
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

SCHEMAS: Final[Mapping[Any, Mapping[str, Any]]] = {
    bool: {"type": "boolean"},
    int: {"type": "integer", "minimum": -(2**31), "maximum": 2**31 - 1},
    float: {"type": "number"},
    datetime: {
        "type": "string",
        "format": "date-time",
        "description": "Local to the event's time zone if it has no UTC offset.",
    },
    str: {"type": "string", "pattern": NO_NUL},
}
"""How the values of columns are documented, by their types."""

EXACT_SCHEMAS: Final[Mapping[str, Mapping[str, Any]]] = {
    "latitude": {"type": "number", "minimum": -90, "maximum": 90},
    "longitude": {"type": "number", "minimum": -180, "maximum": 180},
    "length": {"type": "string", "description": "Hours and minutes, as in `01:30`."},
    "timezone": {"type": "string", "description": "An IANA name, or an offset from UTC."},
}
"""How the values of some columns are documented, by their names."""


def _rule(kind: Kind, attribute: Attribute) -> Any:
    shape, column = SHAPES[kind], attribute.column
    if kind is Kind.EVENT and column in EVENT_RULES:
        rule = EVENT_RULES[column]
    elif column in RULES:
        rule = RULES[column]
    elif column in shape.media:
        rule = Annotated[Text, AfterValidator(_remote), AfterValidator(_any)]
    else:
        schema = EXACT_SCHEMAS.get(column) or SCHEMAS[attribute.plain_type]
        if attribute.nullable:
            schema = {"anyOf": [dict(schema), {"type": "null"}]}
            return _written(schema)
        return Annotated[_written(schema), AfterValidator(_not_null)]
    if not attribute.nullable:
        return rule
    may_be_empty = column in RULES or column in shape.media
    return Annotated[rule | None, BeforeValidator(_none_if_empty)] if may_be_empty else rule | None


def _none_if_empty(value: Any) -> Any:
    # Forms send an empty text for what a person has removed, and imports read it so.
    return None if value == "" else value


def _not_null(value: Any) -> Any:
    if value is None:
        raise ValueError("The value must not be null.")
    return value


def _same_type(resource: ResourceType) -> Callable[[Any], Any]:
    expected = resource.type

    def check(value: Any) -> Any:
        if isinstance(value, str) and not resource.is_named(value):
            raise refuse(
                409,
                "type-mismatch",
                "Type mismatch",
                f"Expected type {expected!r}, got {value[:50]!r}.",
                source={"pointer": "/data/type"},
            )
        return expected if isinstance(value, str) else value

    return check


@with_config(ConfigDict(extra="allow"))
class SentBack(TypedDict):
    """Links or meta as the service returned them. They are ignored, so that clients can send back
    whole resources."""


def _attributes(resource: ResourceType, name: str, doc: str, required: Container[str] = ()) -> Any:
    rules = {n: _rule(resource.kind, a) for n, a in resource.attributes.items() if a.writable}
    return optional_members(f"{resource.title}{name}", doc, rules, required=required)


def _changes(resource: ResourceType) -> Any:
    doc = "The attributes to change. You can send back unchanged ones, including read-only ones."
    return _attributes(resource, "Changes", doc)


def _relationships(resource: ResourceType) -> Any:
    members = {}
    for name, edge in resource.edges.items():
        data = linkage_type(edge.target, many=edge.many)
        key = f"{TYPES[edge.target].title}Target{'List' if edge.many else ''}"
        members[name] = optional_members(
            key,
            "Without `data` nothing changes.",
            {"data": data, "links": SentBack | None, "meta": SentBack | None},
        )
    return optional_members(
        f"{resource.title}RelationshipChanges",
        "The relationships to change. A resource stays in its event. You can send back"
        " relationships unchanged. Those that only the reference server has are ignored.",
        members,
        # Others are rejected once it is known that the reference server has none of the name.
        config=ConfigDict(extra="allow"),
    )


_ATTRIBUTES: Final = {kind: _changes(TYPES[kind]) for kind in Kind}
_RELATIONSHIPS: Final = {kind: _relationships(TYPES[kind]) for kind in Kind}
_VALID_ATTRIBUTES: Final = {kind: TypeAdapter(made) for kind, made in _ATTRIBUTES.items()}


def _any_object(value: Any, check: Callable[[Any], Any]) -> Any:
    return value if isinstance(value, dict) else check(value)


def _members(resource: ResourceType) -> dict[str, Any]:
    attributes: Any = Annotated[_ATTRIBUTES[resource.kind], WrapValidator(_any_object)]
    return {
        "type": (
            Annotated[Literal[resource.type], BeforeValidator(_same_type(resource))],
            ...,
        ),
        "id": (Annotated[str, Strict(), Field(max_length=100)], ...),
        # Checked by `changes_of`, once it is known which of them would change anything.
        "attributes": (attributes, Field(default_factory=dict)),
        "relationships": (_RELATIONSHIPS[resource.kind], Field(default_factory=dict)),
        "links": (SentBack | None, None),
        "meta": (SentBack | None, None),
    }


def _document(
    resource: ResourceType, name: str, members: dict[str, Any], doc: str, data_doc: str
) -> type[BaseModel]:
    data = create_model(
        f"{resource.title}{name}Data",
        __config__=ConfigDict(extra="forbid"),
        __doc__=data_doc,
        **members,
    )
    made = create_model(f"{resource.title}{name}", __doc__=doc, data=(data, ...))
    return cast("type[BaseModel]", made)


def _patch(resource: ResourceType) -> type[BaseModel]:
    return _document(
        resource,
        "Patch",
        _members(resource),
        f"A document that changes one {resource.type}.",
        f"The changes of one {resource.type}.",
    )


def _creation(resource: ResourceType) -> type[BaseModel]:
    members = _members(resource)
    members["id"] = (None, Field(None, description="The service chooses the id."))
    if resource.kind is Kind.EVENT:
        doc = "The attributes of the new event. It needs a name."
        attributes: Any = _attributes(resource, "CreationAttributes", doc, {"name"})
        # Checked by `changes_of`, as above.
        members["attributes"] = (Annotated[attributes, WrapValidator(_any_object)], ...)
    return _document(
        resource,
        "Creation",
        members,
        f"A document that makes one {resource.type}.",
        f"A new {resource.type}.",
    )


PATCHES: Final = {kind: _patch(TYPES[kind]) for kind in Kind}
CREATIONS: Final = {kind: _creation(TYPES[kind]) for kind in Kind}


def changes_of(
    resource: ResourceType,
    given: Mapping[str, Any],
    current: Mapping[str, Any],
    limits: WriteLimits,
) -> tuple[dict[str, Any], list[Problem]]:
    """The attributes of a body that differ from the current ones, by column; and problems of values
    that are not valid, and of read-only attributes that would change."""
    changed = {
        name: value
        for name, value in given.items()
        if name in current and not is_same(value, current[name])
    }
    # Of very many unknown names, only those that the answer lists are looked at.
    # pydantic says nothing of a name that UTF-8 cannot hold.
    unknown = ((UNSTORABLE.sub("\ufffd", n), v) for n, v in given.items() if n not in current)
    changed |= dict(islice(unknown, MAX_ERRORS))
    validate = _VALID_ATTRIBUTES[resource.kind].validate_python
    problems: list[Problem] = []
    try:
        valid = validate(changed, context=limits)
    except ValidationError as error:
        errors = error.errors(include_url=False)
        placed = [_placed(resource, each) for each in errors[:MAX_ERRORS]]
        problems = validation_problems(placed)
        wrong = {each["loc"][0] for each in errors}
        valid = validate({n: v for n, v in changed.items() if n not in wrong}, context=limits)
    return {resource.attributes[name].column: value for name, value in valid.items()}, problems


def is_same(value: Any, current: Any) -> bool:
    """Whether a client sends back what is stored."""
    # In Python, True equals 1, and 1.0 equals 1; in JSON only the latter two are one number.
    if bool(value == current) and isinstance(value, bool) == isinstance(current, bool):
        return True
    return _milliseconds(value) is not None and _milliseconds(value) == _milliseconds(current)


def _milliseconds(value: Any) -> datetime | None:
    """A time as JavaScript has it: clients write back no more of a time than they can hold."""
    if not isinstance(value, str) or len(value) > MAX_TIME:
        return None
    try:
        time = datetime.fromisoformat(value)
        if time.tzinfo is None:
            return None
        return time.astimezone(UTC).replace(microsecond=time.microsecond // 1000 * 1000)
    except (OverflowError, ValueError):
        return None


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
