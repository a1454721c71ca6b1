"""The OpenAPI document: what an error looks like, which route gives which, and clean names."""

import json
import re
from typing import Any, Final

from fastapi import FastAPI
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict, Field

from eventimport.http.problems import MEDIA_TYPE, phrase

# Swagger UI shows a file picker for a list only if its items say both.
FILE_SCHEMA = {
    "type": "string",
    "format": "binary",
    "contentMediaType": "application/octet-stream",
}
REF = "#/components/schemas/"
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


class ErrorObject(BaseModel):
    """One JSON:API error object."""

    model_config = ConfigDict(extra="forbid")

    status: str = Field(description="The HTTP status, as text.", examples=["422"])
    code: str = Field(description="A stable word for programs to compare.")
    title: str = Field(description="A short title, the same for each error with this code.")
    detail: str = Field(description="What happened this time.")
    source: dict[str, str] | None = Field(
        None,
        description="The place of the error: a JSON `pointer`, a query `parameter` or a `header`.",
    )
    meta: dict[str, Any] | None = Field(None, description="More values for programs.")


class Version(BaseModel):
    """The version of JSON:API."""

    version: str = Field("1.1", description="Always 1.1.")


class ErrorsTotal(BaseModel):
    """The number of errors."""

    total: int


class ErrorDocument(BaseModel):
    """The response of every route to an invalid request: all errors at once."""

    errors: list[ErrorObject] = Field(description="The first 20 errors.")
    jsonapi: Version
    meta: ErrorsTotal | None = Field(None, description="Only if there are more errors.")


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
        for operation in operations:
            _complete(operation)
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        for unused in ("HTTPValidationError", "ValidationError"):
            schemas.pop(unused, None)
        for model in (ErrorObject, Version, ErrorsTotal, ErrorDocument):
            schema = model.model_json_schema(ref_template=REF + "{model}")
            schema.pop("$defs", None)
            schemas[model.__name__] = schema
        app.openapi_schema = _named(document)
    return app.openapi_schema or {}


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
        "content": {MEDIA_TYPE: {"schema": {"$ref": REF + ErrorDocument.__name__}}},
    }
    if status == 401:
        response["headers"] = {
            "WWW-Authenticate": {"description": "`Bearer`.", "schema": {"type": "string"}}
        }
    if status in {429, 503}:
        response["headers"] = RETRY_AFTER_HEADER
    return response
