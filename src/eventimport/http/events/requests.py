"""What all routes of the events API share: media types, preconditions, paths and access."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, ClassVar, Final, Literal

from fastapi import Body, Depends, Header, Path, Query, Request
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncConnection

from eventimport.auth import MAX_USER_ID
from eventimport.conference.kinds import Kind
from eventimport.conference.report import UNSTORABLE, shortened
from eventimport.database.event_graph import Edge
from eventimport.database.event_queries import (
    EDITABLE,
    OWNED,
    READABLE,
    Find,
    Row,
    Wanted,
    find,
    find_related_ids,
)
from eventimport.database.visibility import Viewer
from eventimport.errors import ProblemError, refuse
from eventimport.http.dependencies import Account
from eventimport.http.events.schema import ResourceType
from eventimport.http.forms.body import SmallBodyRoute
from eventimport.http.headers import split
from eventimport.http.jsonapi import JSONAPIResponse
from eventimport.http.openapi import problems
from eventimport.http.problems import MEDIA_TYPE
from eventimport.http.routing import Router

MAX_HEADER: Final = 1000
MAX_ID: Final = MAX_USER_ID
"""The largest bigint; a larger number names nothing, and PostgreSQL would reject it."""

EVENT_KEY = Annotated[
    str, Path(pattern=r"^[A-Za-z0-9_-]{1,64}$", description="The event's id, or its identifier.")
]
_ROW_ID = Annotated[int, Path(ge=1, le=MAX_ID)]
HEADERS: Final = {"Cache-Control": "private, no-cache", "Vary": "Authorization, Accept"}

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


def check_accept(request: Request) -> None:
    """Refuse with 406 a client that accepts JSON:API only in forms that we don't write: each time
    with a parameter other than `profile`."""
    asked = [
        parameters
        for media_type, parameters in map(_parse, split(request.headers.get("accept", ""), ","))
        if media_type == MEDIA_TYPE
    ]
    # What follows q is not a parameter of the media type.
    if asked and all(set(_before_q(names)) - {"profile"} for names in asked):
        raise refuse(
            406,
            "not-acceptable",
            "Not acceptable",
            f"Send {MEDIA_TYPE} without parameters other than profile. JSON:API"
            " extensions are not supported.",
            source={"header": "Accept"},
        )


_BODY_TYPES: Final = {MEDIA_TYPE: {"profile"}, "application/json": {"charset"}}
"""The media types of a body, and their parameters. Some clients cannot send the first."""


def check_content_type(request: Request) -> None:
    """Refuse with 415 a body that is neither JSON:API nor JSON, or in a form that we don't know."""
    media_type, parameters = _parse(request.headers.get("content-type", ""))
    allowed = _BODY_TYPES.get(media_type)
    if allowed is None or set(parameters) - allowed:
        raise refuse(
            415,
            "unsupported-media-type",
            "Unsupported media type",
            f"Send the body as {MEDIA_TYPE}, without parameters other than profile,"
            " or as application/json.",
            source={"header": "Content-Type"},
        )


def _parse(text: str) -> tuple[str, list[str]]:
    media_type, *parameters = split(text, ";") or [""]
    return media_type.lower(), [part.partition("=")[0].strip().lower() for part in parameters]


def _before_q(names: list[str]) -> list[str]:
    return names[: names.index("q")] if "q" in names else names


ACCEPT = Depends(check_accept)
CONTENT_TYPE = Depends(check_content_type)


class DocumentRoute(SmallBodyRoute):
    """Accepts a document of up to MAX_BODY_BYTES."""

    max_bytes: ClassVar[int | None] = None


def create_router(tags: Sequence[str] = ("events",)) -> Router:
    """A router for resources in JSON:API's media type. Without `tags`, each route has its own."""
    return Router(
        tags=list(tags),
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
    """Give FastAPI the types that are made from the schema: a type checker only sees their bases.

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


def etag(row: Row) -> str:
    """The resource's entity tag. Those who see what is private get another one. That of an event
    changes with its parts, because two of its attributes do."""
    parts = f".{row['revision']}" if "revision" in row else ""
    return f'"{row["version"]}{parts}{"" if row[EDITABLE] else "-public"}"'


def _check_if_match(header: str | None, row: Row) -> None:
    """Refuse with 412 a change of another version than the one that the client has seen. Compared
    strongly, as `If-Match` wants it. Changes of an event's parts don't make the event another."""
    if header is None:
        return
    given = {tag.partition(".")[0].removesuffix('"') for tag in split(header, ",")}
    if not {"*", f'"{row["version"]}'} & given:
        raise changed_meanwhile()


def changed_meanwhile() -> Exception:
    """The answer to a change of what has changed since the client read it."""
    return refuse(
        412,
        "changed-meanwhile",
        "Resource changed",
        "The resource has changed since you read it. Read it again, and repeat your change.",
        source={"header": "If-Match"},
    )


IfMatchDep = Annotated[
    str | None,
    Header(
        max_length=MAX_HEADER,
        description="The `ETag` of the version that you read. If another client has changed"
        " the resource since, the response is a 412. Without this header, the"
        " current version is changed.",
    ),
]
IfNoneMatchDep = Annotated[
    str | None,
    Header(
        max_length=MAX_HEADER,
        description="The `ETag` of the version that you have. The response is a 304 if it is"
        " still current.",
    ),
]


def key_type(resource: ResourceType) -> Any:
    """What the path names a resource of this type by."""
    return EVENT_KEY if resource.kind is Kind.EVENT else _ROW_ID


def parse_id(text: str) -> int | None:
    """The number of an id that a document names; None where it can be no id."""
    if not (text.isascii() and text.isdecimal()) or len(text) > 19:
        return None
    return int(text) if 1 <= int(text) <= MAX_ID else None


def viewer_of(account: Account | None) -> Viewer:
    """The account, as queries know it."""
    return Viewer() if account is None else Viewer(account.id, account.is_admin)


async def find_visible(
    connection: AsyncConnection,
    resource: ResourceType,
    key: int | str,
    account: Account | None,
    *,
    keys_only: bool = False,
) -> Row:
    """The row, if the account may see it; with `keys_only`, only what leads to other rows. Raises
    404, whether it exists or not."""
    return await _find(connection, resource, key, account, lock=None, keys_only=keys_only)


def related_to(resource: ResourceType, key: int | str, account: Account | None, edge: Edge) -> Find:
    """What finds the rows that the edge leads to from a row. It raises 404 if the account may not
    see the row."""

    async def find_related(connection: AsyncConnection, wanted: Wanted) -> tuple[list[int], int]:
        owner = await find_visible(connection, resource, key, account, keys_only=True)
        return await find_related_ids(connection, wanted, edge, owner)

    return find_related


async def find_to_change(
    connection: AsyncConnection,
    resource: ResourceType,
    key: int | str,
    account: Account,
    *,
    if_match: str | None = None,
    lock: Literal["change", "delete"] = "change",
    by_owner: bool = False,
    of_deleted: bool = False,
    as_member: bool = False,
    source: Mapping[str, str] | None = None,
) -> Row:
    """The row, held until the transaction's end, if the account may change it, or, `by_owner`, if
    it owns the event, or, `as_member`, if it is a member. `of_deleted` finds an event that was
    deleted. Raises 404 if the account may not see the row, 403 if it may not change it, and 412 if
    `if_match` names another version. The first two have the `source`, if the body names the row."""
    row = await _find(
        connection, resource, key, account, lock=lock, of_deleted=of_deleted, source=source
    )
    if not row[READABLE if as_member else OWNED if by_owner else EDITABLE]:
        editors = "" if by_owner else ", its editors"
        what = f"Only the event's owner{editors} and admins can do this."
        raise refuse(403, "forbidden", "Not allowed", what, source=source)
    _check_if_match(if_match, row)
    return row


async def _find(
    connection: AsyncConnection,
    resource: ResourceType,
    key: int | str,
    account: Account | None,
    *,
    lock: Literal["change", "delete"] | None,
    keys_only: bool = False,
    of_deleted: bool = False,
    source: Mapping[str, str] | None = None,
) -> Row:
    if isinstance(key, str) and key.isdecimal():
        parsed: int | str | None = parse_id(key)
    elif isinstance(key, str) and UNSTORABLE.search(key):
        # A body may name an event by any text; PostgreSQL accepts no null characters.
        parsed = None
    else:
        parsed = key
    row = None
    if parsed is not None:
        viewer = replace(viewer_of(account), of_deleted=of_deleted)
        row = await find(connection, resource.node, parsed, viewer, lock=lock, keys_only=keys_only)
    if row is None:
        raise not_found(resource, key, source)
    return row


def not_found(
    resource: ResourceType, key: int | str, source: Mapping[str, str] | None = None
) -> ProblemError:
    """The answer to a key of a resource that does not exist or that the client may not see."""
    what = f"Unknown {resource.type} {shortened(str(key))}."
    return refuse(404, "not-found", "Not Found", what, source=source)
