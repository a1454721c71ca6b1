"""Media types and preconditions, as JSON:API and HTTP say."""

from typing import Annotated, Final

from fastapi import Depends, Header, Request

from eventimport.database.event_queries import EDITABLE, Row
from eventimport.errors import refuse
from eventimport.http.forms.header_values import split
from eventimport.http.problems import MEDIA_TYPE

MAX_HEADER: Final = 1000


def check_accept(request: Request) -> None:
    """Refuse with 406 a client that accepts JSON:API only in forms that we don't write: each time
    with a parameter other than `profile`."""
    asked = [
        parameters
        for media_type, parameters in map(_parse, split(request.headers.get("accept", ""), ","))
        if media_type == MEDIA_TYPE
    ]
    # What follows q is no parameter of the media type.
    if asked and all(set(_before_q(names)) - {"profile"} for names in asked):
        raise refuse(
            406,
            "not-acceptable",
            "Not acceptable",
            f"{MEDIA_TYPE} is written without parameters, but for profile; no extension is known.",
            source={"header": "Accept"},
        )


def check_content_type(request: Request) -> None:
    """Refuse with 415 a body that is not JSON:API, or in a form of it that we don't know."""
    media_type, parameters = _parse(request.headers.get("content-type", ""))
    if media_type != MEDIA_TYPE or set(parameters) - {"profile"}:
        raise refuse(
            415,
            "unsupported-media-type",
            "Unsupported media type",
            f"The body has to come as {MEDIA_TYPE}, without parameters, but for profile.",
            source={"header": "Content-Type"},
        )


def _parse(text: str) -> tuple[str, list[str]]:
    media_type, *parameters = split(text, ";") or [""]
    return media_type.lower(), [part.partition("=")[0].strip().lower() for part in parameters]


def _before_q(names: list[str]) -> list[str]:
    return names[: names.index("q")] if "q" in names else names


def etag(row: Row) -> str:
    """The resource's entity tag. Those who see what is private get another one."""
    return f'"{row["version"]}{"" if row[EDITABLE] else "-public"}"'


def matches(header: str, tag: str) -> bool:
    """Whether the list of tags names this one; compared weakly, as `If-None-Match` wants it."""
    return any(given in ("*", tag, f"W/{tag}") for given in split(header, ","))


def check_if_match(header: str | None, row: Row) -> None:
    """Refuse with 412 a change of another version than the one that the client has seen. Compared
    strongly, as `If-Match` wants it."""
    if header is not None and not {"*", etag(row)} & set(split(header, ",")):
        raise changed_meanwhile()


def changed_meanwhile() -> Exception:
    """The answer to a change of what has changed since the client read it."""
    return refuse(
        412,
        "changed-meanwhile",
        "It has changed since you read it",
        "Somebody changed this in the meantime. Read it again, and repeat the change.",
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
ACCEPT = Depends(check_accept)
CONTENT_TYPE = Depends(check_content_type)
