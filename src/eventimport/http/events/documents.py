"""The documents of the events API as types, made from the schema, so that OpenAPI knows them.

Answers are written by the serializer and are not validated; tests hold them to these types.
"""

from collections.abc import Mapping
from functools import reduce
from operator import or_
from typing import Annotated, Any, Final, Literal, cast

from pydantic import BaseModel, ConfigDict, Field, create_model
from typing_extensions import TypedDict

from eventimport.conference.kinds import Kind
from eventimport.http.events.schema import TYPES, ResourceType
from eventimport.http.jsonapi import PageLinks, PageMeta, SelfLink
from eventimport.http.openapi import Version

_FORBID: Final = ConfigDict(extra="forbid")


class RelationshipLinks(BaseModel):
    """`self` is the URL of the relationship, with the ids; `related` is the URL of the
    resources."""

    model_config = _FORBID

    self: str
    related: str


def optional_members(
    name: str, doc: str, fields: Mapping[str, Any], *, config: ConfigDict = _FORBID
) -> Any:
    """A type of JSON objects with some of the fields. No field has a default."""
    made: Any = cast("Any", TypedDict)(name, dict(fields), total=False)
    made.__doc__ = doc
    made.__pydantic_config__ = config
    return made


def _model(name: str, doc: str, **fields: Any) -> type[BaseModel]:
    made = create_model(name, __config__=_FORBID, __doc__=doc, **fields)
    return cast("type[BaseModel]", made)


def _identifier(kind: Kind) -> type[BaseModel]:
    resource = TYPES[kind]
    return _model(
        f"{resource.title}Identifier",
        f"Names one {resource.type}.",
        type=(Literal[resource.type], ...),
        id=(str, ...),
    )


IDENTIFIERS: Final = {kind: _identifier(kind) for kind in Kind}
_TO_ONE_LINKAGE: Final = {
    kind: _model(
        f"{TYPES[kind].title}Linkage",
        f"Which {TYPES[kind].type} the resource is linked with, if any.",
        data=(IDENTIFIERS[kind] | None, ...),
        links=(RelationshipLinks, ...),
        jsonapi=(Version, Version()),
    )
    for kind in Kind
}
_TO_MANY_LINKAGE: Final = {
    kind: _model(
        f"{TYPES[kind].title}LinkageList",
        f"One page of the ids of each {TYPES[kind].type} that the resource is linked with.",
        data=(list[IDENTIFIERS[kind]], ...),  # type: ignore[valid-type]  # made from the schema
        meta=(PageMeta, ...),
        links=(
            _model(
                "LinkagePageLinks",
                PageLinks.__doc__ or "",
                related=(str, ...),
                **{name: (field.annotation, ...) for name, field in PageLinks.model_fields.items()},
            ),
            ...,
        ),
        jsonapi=(Version, Version()),
    )
    for kind in Kind
}


def linkage(kind: Kind, *, many: bool) -> type[BaseModel]:
    """The document of a relationship to resources of this kind."""
    return (_TO_MANY_LINKAGE if many else _TO_ONE_LINKAGE)[kind]


def _relationship(kind: Kind, *, many: bool) -> Any:
    resource = TYPES[kind]
    identifier: Any = IDENTIFIERS[kind]
    name = f"{resource.title}Relationship{'List' if many else ''}"
    data: Any = list[identifier] if many else identifier | None
    return optional_members(
        name,
        "`data` of a list is left out unless `include` names the relationship.",
        {
            "data": data,
            "links": RelationshipLinks,
        },
    )


_RELATIONSHIPS: Final = {
    (kind, many): _relationship(kind, many=many) for kind in Kind for many in (False, True)
}


_ACCOUNT: Final = optional_members(
    "AccountRelationship",
    "An account. Only those who may change the resource see which.",
    {"links": RelationshipLinks},
)


def _resource(resource: ResourceType) -> type[BaseModel]:
    attributes = optional_members(
        f"{resource.title}Attributes",
        "The requested attributes that the client may see.",
        {
            name: attribute.plain_type | None if attribute.nullable else attribute.plain_type
            for name, attribute in resource.attributes.items()
        },
    )
    relationships = optional_members(
        f"{resource.title}Relationships",
        "The requested relationships.",
        {name: _RELATIONSHIPS[edge.target, edge.many] for name, edge in resource.edges.items()}
        | dict.fromkeys(resource.accounts, _ACCOUNT),
    )
    return _model(
        f"{resource.title}Resource",
        f"One {resource.type}.",
        type=(Literal[resource.type], ...),
        id=(str, ...),
        attributes=(attributes, ...),
        relationships=(relationships, ...),
        links=(SelfLink, ...),
    )


RESOURCES: Final = {kind: _resource(TYPES[kind]) for kind in Kind}
_Included: Any = Annotated[reduce(or_, RESOURCES.values()), Field(discriminator="type")]
_INCLUDED: Final[tuple[Any, Any]] = (
    list[_Included],
    Field(default_factory=list, description="Present only if the request has `include`."),
)


class IgnoredPart(BaseModel):
    """Something in the request that was ignored, because only the reference server has it."""

    model_config = _FORBID

    code: str = Field(description="A stable word for programs to compare.")
    detail: str
    source: dict[str, str] = Field(description="A query `parameter`, or a JSON `pointer`.")


_WARNINGS: Final[tuple[Any, Any]] = (
    list[IgnoredPart] | None,
    Field(None, description="Present only if something in the request was ignored."),
)
_META: Final[tuple[Any, Any]] = (
    _model("Meta", "What is to be said about the response.", warnings=_WARNINGS) | None,
    Field(None, description="Present only if something in the request was ignored."),
)


class WriteFinding(BaseModel):
    """What was read differently from how it was written, or is odd about it. The codes and messages
    are those of an import."""

    model_config = _FORBID

    severity: Literal["warning", "repair"]
    code: str = Field(description="A stable word for programs to compare.")
    message: str
    value: Any = Field(None, description="The value that was sent, or the beginning of it.")
    source: dict[str, str] | None = Field(None, description="A JSON `pointer` into the request.")


class ChangeMeta(BaseModel):
    """What came of a change besides the resource. Only what there is to say is present."""

    model_config = _FORBID

    tasks: list[str] | None = Field(
        None, description="The URL of the task that makes the image's sizes."
    )
    findings: list[WriteFinding] | None = Field(
        None, description="What was repaired, and what is accepted, but odd."
    )
    warnings: list[IgnoredPart] | None = Field(None, description="What was ignored.")


def _changed_document(kind: Kind) -> type[BaseModel]:
    resource = TYPES[kind]
    return _model(
        f"Changed{resource.title}Document",
        f"One {resource.type}, as it is after the change.",
        data=(RESOURCES[kind], ...),
        included=_INCLUDED,
        meta=(
            ChangeMeta | None,
            Field(None, description="Present only if there is something to say."),
        ),
        links=(SelfLink, ...),
        jsonapi=(Version, Version()),
    )


def _document(kind: Kind, *, nullable: bool) -> type[BaseModel]:
    resource = TYPES[kind]
    data: Any = RESOURCES[kind]
    return _model(
        f"{resource.title}{'OrNull' if nullable else ''}Document",
        f"One {resource.type}, or null if there is none." if nullable else f"One {resource.type}.",
        data=(data | None if nullable else data, ...),
        included=_INCLUDED,
        meta=_META,
        links=(SelfLink, ...),
        jsonapi=(Version, Version()),
    )


_LIST_META: Final = _model(
    "ListMeta",
    PageMeta.__doc__ or "",
    **{name: (field.annotation, ...) for name, field in PageMeta.model_fields.items()},
    warnings=_WARNINGS,
)


def _collection(kind: Kind) -> type[BaseModel]:
    resource = TYPES[kind]
    data: Any = RESOURCES[kind]
    return _model(
        f"{resource.title}Collection",
        f"One page of resources of the type {resource.type}.",
        data=(list[data], ...),
        included=_INCLUDED,
        meta=(_LIST_META, ...),
        links=(PageLinks, ...),
        jsonapi=(Version, Version()),
    )


DOCUMENTS: Final = {kind: _document(kind, nullable=False) for kind in Kind}
CHANGED_DOCUMENTS: Final = {kind: _changed_document(kind) for kind in Kind}
NULLABLE_DOCUMENTS: Final = {kind: _document(kind, nullable=True) for kind in Kind}
COLLECTIONS: Final = {kind: _collection(kind) for kind in Kind}
