"""The documents of the events API as types, made from the schema, so that OpenAPI knows them.

Answers are written by the serializer and are not validated; tests hold them to these types.
"""

from collections.abc import Callable, Container, Mapping
from functools import reduce
from operator import or_
from typing import Annotated, Any, Final, Literal, NotRequired, Required, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, create_model, with_config
from typing_extensions import TypedDict

from eventimport.conference.kinds import Kind
from eventimport.database.event_graph import Edge
from eventimport.http.events.schema import EXTRA, TYPES, Attribute, ResourceType
from eventimport.http.jsonapi import PageLinks, PageMeta, SelfLink
from eventimport.http.openapi import ErrorSource, IgnoredPart, JsonapiVersion
from eventimport.http.reports import FORBID, Code, Quote


class RelationshipLinks(BaseModel):
    """`self` is the URL of the relationship, with the ids; `related` is the URL of the
    resources."""

    model_config = FORBID

    self: str
    related: str


def optional_members(
    name: str,
    doc: str,
    fields: Mapping[str, Any],
    *,
    required: Container[str] = (),
    config: ConfigDict = FORBID,
) -> Any:
    """A type of JSON objects with some of the fields, and all `required` ones. No field has a
    default."""
    hints = {key: Required[hint] if key in required else hint for key, hint in fields.items()}
    made: Any = cast("Any", TypedDict)(name, hints, total=False)
    made.__doc__ = doc
    made.__pydantic_config__ = config
    return made


def own_name(resource: ResourceType) -> Callable[[Any], Any]:
    """Reads the name of the type as clients spell it."""

    def read(value: Any) -> Any:
        return resource.type if isinstance(value, str) and resource.is_named(value) else value

    return read


def _model(name: str, doc: str, **fields: Any) -> type[BaseModel]:
    made = create_model(name, __config__=FORBID, __doc__=doc, **fields)
    return cast("type[BaseModel]", made)


def _identifier(kind: Kind) -> type[BaseModel]:
    resource = TYPES[kind]
    name: Any = Annotated[Literal[resource.type], BeforeValidator(own_name(resource))]
    made = create_model(
        f"{resource.title}Identifier",
        __doc__=f"Names one {resource.type}.",
        # Some clients send the whole resource.
        __config__=ConfigDict(extra="ignore"),
        type=(name, ...),
        id=(str, ...),
    )
    return cast("type[BaseModel]", made)


IDENTIFIERS: Final = {kind: _identifier(kind) for kind in Kind}
_TO_ONE_LINKAGE: Final = {
    kind: _model(
        f"{TYPES[kind].title}Linkage",
        f"Which {TYPES[kind].type} the resource is linked with, if any.",
        data=(IDENTIFIERS[kind] | None, ...),
        links=(RelationshipLinks, ...),
        jsonapi=(JsonapiVersion, ...),
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
        jsonapi=(JsonapiVersion, ...),
    )
    for kind in Kind
}


def linkage(kind: Kind, *, many: bool) -> type[BaseModel]:
    """The document of a relationship to resources of this kind."""
    return (_TO_MANY_LINKAGE if many else _TO_ONE_LINKAGE)[kind]


def _relationship(edge: Edge) -> Any:
    resource = TYPES[edge.target]
    identifier: Any = IDENTIFIERS[edge.target]
    name = f"{resource.title}Relationship{'List' if edge.many else ''}"
    data: Any = list[identifier] if edge.many else identifier | None
    members = {"data": data, "links": RelationshipLinks}
    if edge.column is not None:
        doc = f"Which {resource.type} the resource is linked with, if any."
        return optional_members(name, doc, members, required=set(members))
    doc = "`data` is left out unless `include` names the relationship."
    return optional_members(name, doc, members, required={"links"})


_RELATIONSHIPS: Final = {
    (edge.target, edge.many): _relationship(edge)
    for resource in TYPES.values()
    for edge in resource.edges.values()
}


_ACCOUNT: Final = optional_members(
    "AccountRelationship",
    "An account. Only those who may change the resource see which.",
    {"links": RelationshipLinks},
    required={"links"},
)


@with_config(ConfigDict(extra="allow"))
class Extra(TypedDict):
    """Values of the source that no attribute has, under the source's names."""


def _type_of(attribute: Attribute) -> Any:
    kept: Any = Extra if attribute.column == EXTRA else attribute.plain_type
    return kept | None if attribute.nullable else kept


def _resource(resource: ResourceType) -> type[BaseModel]:
    attributes = optional_members(
        f"{resource.title}Attributes",
        "The attributes that the client may see. All required ones are present, unless the request"
        f" has `fields[{resource.type}]`: then only those that it names.",
        {name: _type_of(attribute) for name, attribute in resource.attributes.items()},
        required={name for name, each in resource.attributes.items() if not each.private},
    )
    relationships = optional_members(
        f"{resource.title}Relationships",
        f"All relationships, unless the request has `fields[{resource.type}]`: then only those that"
        " it names.",
        {name: _RELATIONSHIPS[edge.target, edge.many] for name, edge in resource.edges.items()}
        | dict.fromkeys(resource.accounts, _ACCOUNT),
        required={*resource.edges, *resource.accounts},
    )
    return _model(
        f"{resource.title}Resource",
        f"One {resource.type}.",
        type=(Literal[resource.type], ...),
        id=(str, ...),
        attributes=(attributes, ...),
        relationships=(relationships, ...),
        links=(SelfLink, ...),
        **_resource_meta(resource),
    )


def _resource_meta(resource: ResourceType) -> dict[str, Any]:
    if not resource.meta:
        return {}
    meta = optional_members(
        f"{resource.title}Meta",
        "Attributes under names that JSON:API reserves. Present unless the request has"
        f" `fields[{resource.type}]` without them.",
        {name: _type_of(attribute) for name, attribute in resource.meta.items()},
        required=set(resource.meta),
    )
    return {"meta": (meta, ...)}


RESOURCES: Final = {kind: _resource(TYPES[kind]) for kind in Kind}
_Included: Any = Annotated[reduce(or_, RESOURCES.values()), Field(discriminator="type")]
_INCLUDED: Final[tuple[Any, Any]] = (
    list[_Included],
    Field(default_factory=list, description="Present only if the request has `include`."),
)


_WARNINGS: Final[tuple[Any, Any]] = (
    list[IgnoredPart],
    Field(
        default_factory=list,
        description="Present only if something in the request was ignored.",
    ),
)
_META: Final[tuple[Any, Any]] = (
    _model("Meta", "What was ignored of the request.", warnings=(list[IgnoredPart], ...)),
    Field(
        default_factory=dict, description="Present only if something in the request was ignored."
    ),
)


@with_config(FORBID)
class WriteFinding(TypedDict):
    """What was read differently from how it was written, or is odd about it. The codes and messages
    are those of an import."""

    severity: Literal["warning", "repair"]
    code: Code
    message: str
    value: NotRequired[Quote]
    source: NotRequired[ErrorSource]


@with_config(FORBID)
class ChangeMeta(TypedDict, total=False):
    """What came of a change besides the resource. Only what there is to say is present."""

    tasks: Annotated[
        list[str], Field(description="The URL of the task that makes the image's sizes.")
    ]
    findings: Annotated[
        list[WriteFinding],
        Field(description="What was repaired, and what is accepted, but odd."),
    ]
    warnings: Annotated[list[IgnoredPart], Field(description="What was ignored.")]


def _changed_document(kind: Kind) -> type[BaseModel]:
    resource = TYPES[kind]
    return _model(
        f"Changed{resource.title}Document",
        f"One {resource.type}, as it is after the change.",
        data=(RESOURCES[kind], ...),
        included=_INCLUDED,
        meta=(
            ChangeMeta,
            Field(default_factory=dict, description="Present only if there is something to say."),
        ),
        links=(SelfLink, ...),
        jsonapi=(JsonapiVersion, ...),
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
        jsonapi=(JsonapiVersion, ...),
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
        jsonapi=(JsonapiVersion, ...),
    )


DOCUMENTS: Final = {kind: _document(kind, nullable=False) for kind in Kind}
CHANGED_DOCUMENTS: Final = {kind: _changed_document(kind) for kind in Kind}
NULLABLE_DOCUMENTS: Final = {kind: _document(kind, nullable=True) for kind in Kind}
COLLECTIONS: Final = {kind: _collection(kind) for kind in Kind}
