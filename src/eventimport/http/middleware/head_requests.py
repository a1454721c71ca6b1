"""HEAD on every route that has GET."""

import asyncio
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

ROUTING: Final = ("route", "endpoint", "path_params")
"""What routing writes into the scope, and logs and metrics read there."""


class HeadRequests:
    """Pure ASGI middleware: a HEAD that no route accepts is answered as GET, without the body.

    Routes that know their headers without making the content have a HEAD of their own.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return
        is_refused = False

        async def send_if_accepted(message: Message) -> None:
            nonlocal is_refused
            if message["type"] == "http.response.start":
                is_refused = message["status"] == 405
            if not is_refused:
                await send(message)

        await self._app({**scope}, receive, send_if_accepted)
        if is_refused:
            await self._answer_as_get(scope, send)

    async def _answer_as_get(self, scope: Scope, send: Send) -> None:
        started, has_body = asyncio.Event(), False

        async def send_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                await send(message)
                await send({"type": "http.response.body", "body": b""})
                started.set()

        async def receive_nothing() -> Message:
            # Once the headers are sent, the client wants no more: that ends a stream of events.
            nonlocal has_body
            if not has_body:
                has_body = True
                return {"type": "http.request", "body": b"", "more_body": False}
            await started.wait()
            return {"type": "http.disconnect"}

        # A stream watches for the disconnect in this version, rather than for failing sends.
        asgi = {**scope.get("asgi", {}), "spec_version": "2.3"}
        as_get = {**scope, "method": "GET", "asgi": asgi}
        try:
            await self._app(as_get, receive_nothing, send_headers)
        finally:
            scope.update({name: as_get[name] for name in ROUTING if name in as_get})
