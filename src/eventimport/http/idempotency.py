"""The header `Idempotency-Key`: as clients write it, as OpenAPI documents it, and what it does.

After the IETF's draft "The Idempotency-Key HTTP Header Field", which wants a quoted string of
RFC 9651. Most clients write the key without quotes; both forms are accepted.
"""

import re
from collections.abc import Awaitable, Mapping
from typing import Annotated, Any, Final

from fastapi import Depends, Header, Request
from fastapi.responses import Response

from eventimport.errors import ProblemError, refuse
from eventimport.file_requests import HEADER, RepeatedRequestError, Reply, RequestIdentity
from eventimport.http.openapi import problems

REPLAYED: Final = "Idempotency-Replayed"
MAX_LENGTH: Final = 255

_PRINTABLE: Final = re.compile(rf"[\x20-\x7e]{{1,{MAX_LENGTH}}}")
_QUOTED: Final = re.compile(r'"((?:[\x20-\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"')
_ESCAPED: Final = re.compile(r"\\(.)")

_DESCRIPTION: Final = (
    "A new random word for each new request. If you get no response, repeat the request with the"
    " same key. It runs once, and you get the same response."
    f" 1 to {MAX_LENGTH} printable ASCII characters, in double quotes or not."
)

REPLAYED_HEADER: Final[dict[str, Any]] = {
    "headers": {
        REPLAYED: {
            "description": "`true` if this repeats the response to an earlier request.",
            "schema": {"type": "string", "enum": ["true"]},
        }
    }
}
"""For a route's `responses`: the header that its success may have."""

REFUSALS: Final = problems(422)
"""For a route's `responses`: a key that was used for another request."""


def parse_key(text: str) -> str:
    """The key in a header's value. Raises ValueError if the value is not a key."""
    key = text.strip(" \t")
    if len(key) > 2 * MAX_LENGTH + 2:
        raise ValueError(f"expected 1 to {MAX_LENGTH} printable ASCII characters")
    if key.startswith('"'):
        quoted = _QUOTED.fullmatch(key)
        if quoted is None:
            raise ValueError(
                "a key with a double quote at its beginning must be a complete quoted string"
            )
        key = _ESCAPED.sub(r"\1", quoted[1])
    if not _PRINTABLE.fullmatch(key):
        raise ValueError(f"expected 1 to {MAX_LENGTH} printable ASCII characters")
    return key


async def get_key(
    request: Request,
    _documented: Annotated[
        str | None,
        Header(
            alias=HEADER,
            description=_DESCRIPTION,
            json_schema_extra={"minLength": 1, "maxLength": MAX_LENGTH},
        ),
    ] = None,
) -> str | None:
    """The request's key, or None if it has none. Raises 400."""
    given = request.headers.getlist(HEADER)
    if len(given) > 1:
        raise _refuse("The request has this header more than once.")
    try:
        return parse_key(given[0]) if given else None
    except ValueError as error:
        raise _refuse(f"Invalid value: {error}.") from None


IdempotencyKeyDep = Annotated[str | None, Depends(get_key)]


def _refuse(detail: str) -> ProblemError:
    source = {"header": HEADER}
    return refuse(400, "invalid-idempotency-key", "Invalid idempotency key", detail, source=source)


def identity_of(request: Request, key: str | None, options: Mapping[str, Any]) -> RequestIdentity:
    """What distinguishes the request from others; `options` are its query parameters."""
    declared = request.headers.get("content-length", "")
    return RequestIdentity(
        key=key,
        route=f"{request.method} {request.url.path}",
        options=options,
        declared=int(declared) if declared.isdecimal() else None,
    )


async def response_to(work: Awaitable[Reply]) -> Response:
    """The response to a request: its reply, or that of the earlier request that it repeats."""
    headers: Mapping[str, str] = {}
    try:
        reply = await work
    except RepeatedRequestError as repeated:
        reply = repeated.reply
        headers = {REPLAYED: "true"}
    return Response(
        reply.body, reply.status, {**reply.headers, **headers}, media_type="application/json"
    )
