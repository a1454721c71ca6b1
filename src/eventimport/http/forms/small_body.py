"""Routes that read a whole JSON body into memory: a small one, in time, with few values."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, ClassVar

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.requests import ClientDisconnect
from starlette.types import Message

from eventimport.errors import refuse
from eventimport.http.forms.json_shape import TooComplexError, check_shape
from eventimport.resources import Resources

KIB = 1024


class SmallBodyRoute(APIRoute):
    """For an `APIRouter`'s `route_class`: reads the body before anything else, and refuses one that
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
                            f"The body is larger than {allowed:,} bytes (MAX_BODY_BYTES).",
                        )
        except TimeoutError:
            raise refuse(
                408,
                "body-timed-out",
                "Request timed out",
                f"The body did not arrive within {settings.receive_timeout:g} seconds"
                " (RECEIVE_TIMEOUT).",
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
