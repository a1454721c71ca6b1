"""Requests whose URL or headers are too large, refused before any part of them is read."""

from starlette.types import ASGIApp, Receive, Scope, Send

from eventimport.errors import ProblemError, refuse
from eventimport.http.problems import ProblemResponse


class RequestLimits:
    """Pure ASGI middleware that answers 414 and 431.

    `eventimport serve` refuses such a request while it arrives. This holds for every other server,
    too, so that no parser behind it sees more.
    """

    def __init__(self, app: ASGIApp, *, max_header_bytes: int, max_url_bytes: int) -> None:
        self._app = app
        self._max_header_bytes = max_header_bytes
        self._max_url_bytes = max_url_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request."""
        refusal = self._refusal(scope) if scope["type"] == "http" else None
        if refusal is None:
            await self._app(scope, receive, send)
        else:
            await ProblemResponse(refusal)(scope, receive, send)

    def _refusal(self, scope: Scope) -> ProblemError | None:
        path = scope.get("raw_path") or scope["path"].encode()
        if len(path) + len(scope["query_string"]) > self._max_url_bytes:
            return refuse(
                414,
                "url-too-long",
                "URL too long",
                f"The URL is longer than {self._max_url_bytes:,} bytes (MAX_URL_BYTES).",
            )
        if sum(len(name) + len(value) + 4 for name, value in scope["headers"]) > (
            self._max_header_bytes
        ):
            return refuse(
                431,
                "headers-too-large",
                "Headers too large",
                f"The headers are larger than {self._max_header_bytes:,} bytes (MAX_HEADER_BYTES).",
            )
        return None
