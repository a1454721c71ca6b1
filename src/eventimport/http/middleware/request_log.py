"""One line of log per request, and the number by which all lines of it are found."""

import logging
import re
import time
from typing import Any, Final
from uuid import uuid4

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from eventimport.observability import logs

HEADER: Final = "X-Request-ID"
REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{8,64}")
QUIET_ROUTES: Final = {"/healthz", "/readyz", "/metrics"}
"""Asked every few seconds, by machines."""
CLIENT_GONE: Final = 499
"""nginx's status for a client that has closed the connection before it was answered."""

logger = logging.getLogger("eventimport.access")


class RequestLog:
    """Pure ASGI middleware. Takes the request's id from X-Request-ID, where it is a sane one, and
    gives it back in the answer; logs and counts each request once its answer is sent."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request. What it binds to the log is not taken back: each request is a task,
        and whoever logs what it has raised does so after this has ended."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(Headers(scope=scope).get(HEADER))
        logs.forget()
        logs.bind(request_id=request_id)
        started = time.perf_counter()
        status = CLIENT_GONE
        size = 0

        async def watched_send(message: Message) -> None:
            nonlocal status, size
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[HEADER] = request_id
            elif message["type"] == "http.response.body":
                size += len(message.get("body", b""))
            await send(message)

        try:
            await self._app(scope, receive, watched_send)
        finally:
            _tell(scope, status, time.perf_counter() - started, size)


def _tell(scope: Scope, status: int, seconds: float, size: int) -> None:
    route: str | None = getattr(scope.get("route"), "path", None)
    resources: Any = scope.get("state", {}).get("resources")
    if resources is not None:
        resources.metrics.count(scope["method"], route, status, seconds)
    logger.log(
        logging.DEBUG if route in QUIET_ROUTES and status < 400 else logging.INFO,
        "request",
        extra={
            "method": scope["method"],
            "route": route,
            "status": status,
            "seconds": round(seconds, 4),
            "bytes": size,
        },
    )


def _request_id(given: str | None) -> str:
    return given if given and REQUEST_ID.fullmatch(given) else uuid4().hex
