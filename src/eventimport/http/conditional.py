"""Conditional GET: a 304 that carries what its 200 would."""

from fastapi import Response

CONTENT_HEADERS = {b"content-length", b"content-type", b"content-disposition", b"content-range"}
"""Headers about the content, which a 304 doesn't have."""


def names(header: str | None, etag: str) -> bool:
    """Whether an `If-None-Match` header names this entity tag; compared weakly, as HTTP asks."""
    tags = [tag.strip().removeprefix("W/") for tag in (header or "").split(",")]
    return "*" in tags or etag in tags


def not_modified(response: Response) -> Response:
    """The 304 in place of a 200, with all of the 200's headers but those about the content.

    A browser replaces the headers of its stored copy by those of the 304. A header that is missing
    here is set by `SecurityHeaders`, and a page under the default policy loses styles and images.
    """
    answer = Response(status_code=304)
    answer.raw_headers = [
        (name, value) for name, value in response.raw_headers if name not in CONTENT_HEADERS
    ]
    return answer
