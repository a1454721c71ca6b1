"""The body of a request, bounded in bytes, time and values: read whole, or chunk by chunk."""

import asyncio
import re
from collections.abc import Callable, Coroutine
from typing import Any, ClassVar, Final

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.requests import ClientDisconnect
from starlette.types import Message

from eventimport.errors import ProblemError, refuse, size_in_words
from eventimport.resources import Resources

KIB: Final = 1024
# Possessive, so that a string that does not end is looked at once.
_TOKEN: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+"|["\[\]{},]', re.DOTALL)


def too_large(problem: str, limit: str, allowed: int, pointer: str | None = None) -> ProblemError:
    """The error for an upload that exceeds a limit: a setting, or a fixed limit in lower case.
    `pointer` leads to what is too large, if it is not the whole body."""
    advice = f" The limit is set by {limit}." if limit.isupper() else ""
    return refuse(
        413,
        "limit-exceeded",
        "Upload too large",
        f"{problem}.{advice}",
        source=None if pointer is None else {"pointer": pointer},
        meta={"limit": limit, "allowed": allowed},
    )


class Body:
    """A request's body; more than `max_bytes` raise `refusal`.

    A body that is declared too large is refused when this is made, before any of it is read.
    """

    def __init__(
        self,
        request: Request,
        *,
        max_bytes: int,
        refusal: ProblemError,
        chunk_timeout_seconds: float,
    ) -> None:
        self._receive = request.receive
        self._too_large = refusal
        self._left = max_bytes
        self._timeout = chunk_timeout_seconds
        self.received_all = False
        declared = request.headers.get("content-length", "")
        # Python converts no number of more than 4,300 digits.
        if declared.isdecimal() and (len(declared) > 18 or int(declared) > max_bytes):
            raise self._too_large

    async def next_chunk(self) -> bytes:
        """The next bytes, possibly none. Afterwards, `received_all` says whether they are the last.

        Raises ClientDisconnect when the client has gone, and refuses one that sends nothing for
        too long (408) or more than the limit (413).
        """
        try:
            async with asyncio.timeout(self._timeout):
                message = await self._receive()
        except TimeoutError:
            raise refuse(
                408,
                "upload-stalled",
                "Upload stalled",
                f"The client sent nothing for {self._timeout:g} seconds. The limit is set by"
                " RECEIVE_TIMEOUT. Send the upload again.",
                headers={"Connection": "close"},
            ) from None
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        chunk: bytes = message.get("body", b"")
        self._left -= len(chunk)
        if self._left < 0:
            raise self._too_large
        self.received_all = not message.get("more_body", False)
        return chunk

    async def read(self) -> bytes:
        """All that is left of the body."""
        chunks = []
        while not self.received_all:
            chunks.append(await self.next_chunk())
        return b"".join(chunks)


class SmallBodyRoute(APIRoute):
    """For a router's `route_class`: reads the body before anything else, and refuses one that
    is too large (413), too slow (408) or too complex (400).

    `max_bytes` is a limit below MAX_BODY_BYTES, or None.
    """

    max_bytes: ClassVar[int | None] = 64 * KIB

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The route's handler, given a request whose body has arrived."""
        handle = super().get_route_handler()
        if self.body_field is None:
            return handle

        async def handle_small(request: Request) -> Response:
            body = await self._read(request)

            async def receive() -> Message:
                nonlocal body
                if body is None:
                    return await request.receive()
                message = {"type": "http.request", "body": body, "more_body": False}
                body = None
                return message

            return await handle(Request(request.scope, receive))

        return handle_small

    async def _read(self, request: Request) -> bytes | None:
        """The whole body."""
        resources: Resources = request.state.resources
        settings = resources.settings
        allowed = min(self.max_bytes or settings.max_body_bytes, settings.max_body_bytes)
        received = bytearray()
        more = True
        try:
            async with asyncio.timeout(settings.receive_timeout):
                while more:
                    message = await request.receive()
                    if message["type"] == "http.disconnect":
                        raise ClientDisconnect
                    received += message.get("body", b"")
                    more = message.get("more_body", False)
                    if len(received) > allowed:
                        raise refuse(
                            413,
                            "content-too-large",
                            "Body too large",
                            f"The body is larger than {size_in_words(allowed)}."
                            " The limit is set by MAX_BODY_BYTES.",
                        )
        except TimeoutError:
            raise refuse(
                408,
                "body-timed-out",
                "Request timed out",
                f"The body did not arrive within {settings.receive_timeout:g}"
                " seconds. The limit is set by RECEIVE_TIMEOUT.",
                headers={"Connection": "close"},
            ) from None
        body = bytes(received)
        try:
            check_shape(
                body, max_values=settings.max_body_values, max_depth=settings.max_json_depth
            )
        except TooComplexError as error:
            raise refuse(
                400,
                "body-too-complex",
                "Body too complex",
                f"The JSON body {error} (MAX_BODY_VALUES, MAX_JSON_DEPTH).",
            ) from None
        return body


class TooComplexError(ValueError):
    """A JSON text with too many values, or with values nested too deeply."""


def check_shape(text: bytes, *, max_values: int, max_depth: int) -> None:
    """Count the values and the levels of a JSON text. Raises TooComplexError as soon as there are
    too many. What is not JSON passes: the decoder says what is wrong with it."""
    depth = values = 0
    for match in _TOKEN.finditer(text):
        token = match[0]
        if token == b'"':
            return
        if token in b"[{":
            depth += 1
            if depth > max_depth:
                raise TooComplexError(f"is nested more than {max_depth} levels deep")
        elif token in b"]}":
            depth -= 1
        values += token in b"[{,"
        if values > max_values:
            raise TooComplexError(f"has more than {max_values:,} values")
