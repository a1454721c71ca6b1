"""What all routes of the events API share."""

from collections.abc import Callable
from typing import Annotated, Any, ClassVar, Final

from fastapi import APIRouter, Body, Query
from pydantic import BaseModel

from eventimport.http.events.access import key_type
from eventimport.http.events.negotiation import ACCEPT
from eventimport.http.events.schema import ResourceType
from eventimport.http.forms.small_body import SmallBodyRoute
from eventimport.http.jsonapi import JSONAPIResponse
from eventimport.http.openapi import problems
from eventimport.http.problems import MEDIA_TYPE

Endpoint = Callable[..., Any]

OPEN: Final[dict[str, Any]] = {"security": [{}]}
"""For `openapi_extra`: a token is not required, for what is public."""

ETAG: Final[dict[str, Any]] = {
    "headers": {
        "ETag": {
            "description": "The version, for `If-Match`. Left out if the request has `include`.",
            "schema": {"type": "string"},
        }
    }
}


class DocumentRoute(SmallBodyRoute):
    """Accepts a document of up to MAX_BODY_BYTES."""

    max_bytes: ClassVar[int | None] = None


def create_router() -> APIRouter:
    """A router for resources in JSON:API's media type."""
    return APIRouter(
        tags=["events"],
        default_response_class=JSONAPIResponse,
        route_class=DocumentRoute,
        dependencies=[ACCEPT],
        responses=problems(406),
    )


def annotate(
    endpoint: Endpoint,
    resource: ResourceType | None = None,
    *,
    query: type[BaseModel] | None = None,
    body: type[BaseModel] | None = None,
) -> Endpoint:
    """Tell FastAPI the types that are made from the schema: a type checker only sees their bases.

    `resource` is what the path names.
    """
    annotations = endpoint.__annotations__
    if resource is not None:
        annotations["resource_id"] = key_type(resource)
    if query is not None:
        annotations["query"] = Annotated[query, Query()]
    if body is not None:
        annotations["body"] = Annotated[body, Body(media_type=MEDIA_TYPE)]
    return endpoint
