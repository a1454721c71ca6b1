"""Headers that every answer bears, whatever route or error it comes from."""

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-site",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
"""Defaults: a route that sets one of these itself keeps its own."""

HTTPS_ALONE = {"Strict-Transport-Security": "max-age=31536000"}
"""For a service that clients reach by https: for a year, they are not to try http. It says nothing
of subdomains, which may be somebody else's."""

PRIVATE = "private, no-cache"
"""For answers to a client that is signed in: no cache may give them to another one."""


class SecurityHeaders:
    """Pure ASGI middleware: it looks at one message per answer and at no body."""

    def __init__(self, app: ASGIApp, *, https: bool = False) -> None:
        self._app = app
        self._headers = SECURITY_HEADERS | (HTTPS_ALONE if https else {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Add the headers to the start of each HTTP answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        is_signed_in = any(name == b"authorization" for name, _ in scope["headers"])

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
                if is_signed_in:
                    headers.setdefault("Cache-Control", PRIVATE)
            await send(message)

        await self._app(scope, receive, send_with_headers)
