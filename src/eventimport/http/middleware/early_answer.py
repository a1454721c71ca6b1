"""An answer that is given before the body has arrived must still reach the client.

A server that answers and closes while the client is sending makes the client's system drop the
answer, for many clients. So the whole answer is sent, then what still comes is read and thrown
away, up to a limit, and only then is the answer finished.
"""

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_DRAINED_BYTES = 64 * 1024 * 1024
MAX_DRAIN_SECONDS = 2.0


class EarlyAnswer:
    """Pure ASGI middleware that reads on after an early answer."""

    def __init__(
        self,
        app: ASGIApp,
        max_bytes: int = MAX_DRAINED_BYTES,
        max_seconds: float = MAX_DRAIN_SECONDS,
    ) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._max_seconds = max_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request; a request without a body costs nothing but this test."""
        if scope["type"] != "http" or not _has_body(scope):
            await self._app(scope, receive, send)
            return
        # A client that expects `100 Continue` sends nothing before the application asks for it.
        nothing_comes = _waits(scope)

        async def watched_receive() -> Message:
            nonlocal nothing_comes
            nothing_comes = False
            message = await receive()
            nothing_comes = not message.get("more_body", False)
            return message

        async def drained_send(message: Message) -> None:
            is_last = message["type"] == "http.response.body" and not message.get("more_body")
            if not is_last or nothing_comes:
                await send(message)
                return
            await send({**message, "more_body": True})
            await self._drain(watched_receive)
            await send({"type": "http.response.body", "body": b""})

        await self._app(scope, watched_receive, drained_send)

    async def _drain(self, receive: Receive) -> None:
        drained = 0
        try:
            async with asyncio.timeout(self._max_seconds):
                while drained < self._max_bytes:
                    message = await receive()
                    drained += len(message.get("body", b""))
                    if not message.get("more_body", False):
                        return
        except TimeoutError:
            return


def _has_body(scope: Scope) -> bool:
    names = dict(scope["headers"])
    return names.get(b"content-length", b"0") != b"0" or b"transfer-encoding" in names


def _waits(scope: Scope) -> bool:
    return any(name == b"expect" for name, _ in scope["headers"])
