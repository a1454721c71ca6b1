"""Routes that read a whole body into memory, and therefore take small ones alone."""

from collections.abc import Callable, Coroutine
from typing import Any, ClassVar

from fastapi import HTTPException, Request, Response
from fastapi.routing import APIRoute
from starlette.types import Message

KIB = 1024


class SmallBodyRoute(APIRoute):
    """For an `APIRouter`'s `route_class`: refuses with 413 a body of more than `max_bytes`, the
    rest of it unread."""

    max_bytes: ClassVar[int] = 64 * KIB

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The route's handler, given a request that counts what it receives."""
        handle = super().get_route_handler()

        async def handle_small(request: Request) -> Response:
            received = 0

            async def receive() -> Message:
                nonlocal received
                message = await request.receive()
                received += len(message.get("body", b""))
                if received > self.max_bytes:
                    # FastAPI lets this one exception through while it reads a body.
                    raise HTTPException(413, f"At most {self.max_bytes:,} bytes are taken here.")
                return message

            return await handle(Request(request.scope, receive))

        return handle_small
