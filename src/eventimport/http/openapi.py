"""The OpenAPI document: what an error looks like, which route gives which, and clean names."""

import json
import re
from typing import Annotated, Any, Final, Literal, NotRequired

from fastapi import FastAPI
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, with_config
from typing_extensions import TypedDict

from eventimport.conference.report import Severity
from eventimport.http.examples import ERRORS, REF, add_examples
from eventimport.http.problems import MEDIA_TYPE, phrase
from eventimport.http.reports import FORBID, Code, FindingPlace, Place, Quote

# Swagger UI shows a file picker for a list only if its items say both.
FILE_SCHEMA = {
    "type": "string",
    "format": "binary",
    "contentMediaType": "application/octet-stream",
}
FILE_CONTENT = {
    media_type: {"schema": {"type": "string", "format": "binary"}}
    for media_type in ("application/octet-stream", "*/*")
}
"""Of a response that is a file of any type. Some generators only know the first."""

_GENERIC: Final = re.compile(r"Resource_(\w+)_")

SIGN_IN_AGAIN = (
    "The token is invalid or has expired. Sign in again, or leave the Authorization header out to"
    " read what is public."
)
POLLED_HEADERS = {
    "Location": {"description": "The URL of the task.", "schema": {"type": "string"}},
    "Retry-After": {
        "description": "Seconds to wait before you poll the task.",
        "schema": {"type": "integer"},
    },
}
"""Of a response that has started a task."""

LOCATION_HEADER = {
    "Location": {"description": "The URL of the resource.", "schema": {"type": "string"}}
}
RETRY_AFTER_HEADER = {
    "Retry-After": {
        "description": "Seconds to wait before you repeat the request.",
        "schema": {"type": "integer"},
    }
}


ALL_SENT: Final = ConfigDict(json_schema_serialization_defaults_required=True)
"""Of models that responses have with all members: those with a default are required, too."""


@with_config(FORBID)
class ErrorSource(TypedDict, total=False):
    """What in the request an error or a warning is about."""

    pointer: Annotated[str, Field(description="A JSON pointer into the body.")]
    parameter: Annotated[str, Field(description="A query parameter.")]
    header: Annotated[str, Field(description="A header.")]


@with_config(FORBID)
class IgnoredPart(TypedDict):
    """Something in the request that was ignored, or that does less here than on the reference
    server."""

    code: Code
    detail: str
    source: ErrorSource


@with_config(FORBID)
class ErrorMeta(Place, total=False):
    """More values for programs. Errors of an import have the members of a finding."""

    severity: Severity
    value: Quote
    count: Annotated[int, Field(description="How often the import found this.")]
    places: Annotated[list[FindingPlace], Field(description="The first places.")]
    scopes: Annotated[list[str], Field(description="Of `insufficient-scope`: one of these.")]
    limit: Annotated[str, Field(description="The setting that sets an exceeded limit.")]
    allowed: Annotated[int, Field(description="The limit.")]
    left: Annotated[int, Field(description="What the limit leaves you, in bytes.")]
    checks: Annotated[dict[str, str], Field(description="Of `not-ready`: the result per check.")]
    reasons: Annotated[dict[str, str], Field(description="Of `not-ready`: why checks failed.")]
    confirmation: Annotated[str, Field(description="Of `not-ready`: as of a ready service.")]


@with_config(FORBID)
class ErrorObject(TypedDict):
    """One JSON:API error object."""

    status: Annotated[str, Field(description="The HTTP status, as text.")]
    code: Code
    title: Annotated[
        str, Field(description="A short title, the same for each error with this code.")
    ]
    detail: Annotated[str, Field(description="What happened this time.")]
    source: NotRequired[ErrorSource]
    meta: NotRequired[ErrorMeta]


class JsonapiVersion(BaseModel):
    """The version of JSON:API."""

    model_config = ALL_SENT

    version: Literal["1.1"] = "1.1"


@with_config(FORBID)
class ErrorsTotal(TypedDict):
    """The number of errors. The document has only the first."""

    total: int


@with_config(FORBID)
class ErrorDocument(TypedDict):
    """The response of every route to an invalid request: all errors at once."""

    errors: Annotated[list[ErrorObject], Field(description="The first 20 errors.")]
    jsonapi: JsonapiVersion
    meta: NotRequired[ErrorsTotal]


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """For a route's `responses`: the errors that it gives, besides those that any route may."""
    return {status: _problem(status) for status in statuses}


def operation_id(route: APIRoute) -> str:
    """The name of the route's function: short; FastAPI warns where two are the same."""
    return route.name


def describe(app: FastAPI) -> dict[str, Any]:
    """The application's OpenAPI document, made once."""
    if app.openapi_schema is None:
        document = FastAPI.openapi(app)
        operations = [
            operation
            for path in document["paths"].values()
            for operation in path.values()
            if isinstance(operation, dict)
        ]
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        for operation in operations:
            _complete(operation)
            _name_body(operation, schemas)
        for unused in ("HTTPValidationError", "ValidationError"):
            schemas.pop(unused, None)
        schemas |= _error_schemas()
        document = _named(document)
        add_examples(document)
        app.openapi_schema = document
    return app.openapi_schema or {}


def _error_schemas() -> dict[str, Any]:
    """The schemas of an errors document, which no route names."""
    document = TypeAdapter(ErrorDocument).json_schema(
        ref_template=REF + "{model}", mode="serialization"
    )
    return {**document.pop("$defs"), ErrorDocument.__name__: document}


def _named(document: dict[str, Any]) -> dict[str, Any]:
    """The document with names of schemas that read well: those of generic classes are
    `Resource_UserAttributes_`, and become `UserResource`."""
    names = {
        name: f"{match[1].removesuffix('Attributes')}Resource"
        for name in document["components"]["schemas"]
        if (match := _GENERIC.fullmatch(name))
    }
    text = json.dumps(document)
    for name, better in names.items():
        text = text.replace(f'"{REF}{name}"', f'"{REF}{better}"')
        text = text.replace(f'"{name}": {{', f'"{better}": {{')
    named: dict[str, Any] = json.loads(text)
    for better in names.values():
        named["components"]["schemas"][better]["title"] = better
    return named


def _name_body(operation: dict[str, Any], schemas: dict[str, Any]) -> None:
    """Give the operation's bodies a name of their own, the title that the route has given them.
    Else generators make one of the operation's name, the media type and the title."""
    for content in operation.get("requestBody", {}).get("content", {}).values():
        schema = content["schema"]
        if schema.get("type") == "object":
            schemas[schema["title"]] = schema
            content["schema"] = {"$ref": REF + schema["title"]}


def _complete(operation: dict[str, Any]) -> None:
    for parameter in operation.get("parameters", ()):
        parameter["schema"] = _sendable(parameter["schema"])
    responses: dict[str, Any] = operation["responses"]
    if REF + "HTTPValidationError" in str(responses.get("422")):
        del responses["422"]
    if any(place["in"] == "query" for place in operation.get("parameters", ())):
        responses.setdefault("400", _problem(400))
        responses.setdefault("414", _problem(414))
    if any(place["in"] == "path" for place in operation.get("parameters", ())):
        responses.setdefault("404", _problem(404))
    if operation.get("security"):
        responses.setdefault("401", _problem(401))
        responses.setdefault("403", _problem(403))
        responses.setdefault("429", _problem(429))
        if {} in operation["security"]:
            responses["401"]["description"] = SIGN_IN_AGAIN
    for response in responses.values():
        for content in response.get("content", {}).values():
            # FastAPI describes each event of a stream with a keyword of OpenAPI 3.2.
            content.pop("itemSchema", None)
    responses.setdefault("503", _problem(503))
    operation["responses"] = dict(sorted(responses.items()))


def _sendable(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of a parameter without null: an optional parameter is left out. Generated clients
    would accept null, and fail when they send it as a header."""
    kept: list[dict[str, Any]] = [
        each for each in schema.get("anyOf", ()) if each != {"type": "null"}
    ]
    if not kept:
        return schema
    rest = {key: value for key, value in schema.items() if key != "anyOf"}
    if len(kept) > 1:
        return {"anyOf": kept} | rest
    return kept[0] if "$ref" in kept[0] else kept[0] | rest


def _problem(status: int) -> dict[str, Any]:
    response: dict[str, Any] = {
        "description": phrase(status),
        "content": {MEDIA_TYPE: {"schema": dict(ERRORS)}},
    }
    if status == 401:
        response["headers"] = {
            "WWW-Authenticate": {"description": "`Bearer`.", "schema": {"type": "string"}}
        }
    if status in {429, 503}:
        response["headers"] = RETRY_AFTER_HEADER
    return response
