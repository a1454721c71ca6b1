"""What nobody expected, answered inside of the middleware that adds headers to every answer."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from eventimport.http.problems import internal_error


class LastResort:
    """Pure ASGI middleware: answers 500 where nothing was answered yet, and lets the exception go
    on to the server, which logs it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def watched_send(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, watched_send)
        except Exception:
            if not started:
                await internal_error()(scope, receive, send)
            raise
