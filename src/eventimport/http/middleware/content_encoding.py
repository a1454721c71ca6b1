"""Compressed request bodies: the service doesn't unpack them, and says so."""

from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from eventimport.errors import refuse
from eventimport.http.problems import ProblemResponse

NONE: Final = {b"", b"identity"}
MAX_NAME: Final = 50


class ContentEncoding:
    """Pure ASGI middleware that answers 415 to a request whose body is compressed."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request."""
        given = [
            value.strip().lower()
            for name, value in scope.get("headers", ())
            if name == b"content-encoding"
        ]
        if scope["type"] != "http" or set(given) <= NONE:
            await self._app(scope, receive, send)
            return
        coding = b", ".join(given)[:MAX_NAME].decode("latin-1")
        refusal = refuse(
            415,
            "unsupported-content-encoding",
            "Unsupported content encoding",
            f"The body has Content-Encoding {coding!r}. Send it uncompressed; a zip archive is"
            " compressed already.",
            source={"header": "Content-Encoding"},
            headers={"Accept-Encoding": "identity"},
        )
        await ProblemResponse(refusal)(scope, receive, send)
