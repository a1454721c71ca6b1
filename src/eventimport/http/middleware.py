"""What every request and its answer pass through, from the outermost to the innermost.

All of it is pure ASGI middleware: no body is held in memory.
"""

import asyncio
import logging
import re
import time
from collections.abc import Set as AbstractSet
from typing import Any, Final
from uuid import uuid4

from fastapi import FastAPI, Request, Response
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from eventimport import file_requests
from eventimport.errors import ProblemError, refuse, size_in_words
from eventimport.http import idempotency
from eventimport.http.problems import ProblemResponse, internal_error
from eventimport.observability import logs
from eventimport.settings import Settings

REQUEST_ID_HEADER: Final = "X-Request-ID"
REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{8,64}")
PROBED: Final = {"/healthz", "/readyz", "/metrics"}
"""Requested every few seconds, by machines that know only an address."""
CLIENT_GONE: Final = 499
"""nginx's status for a client that has closed the connection before it was answered."""

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

HTTPS_ONLY = {"Strict-Transport-Security": "max-age=31536000"}
"""For a service that clients reach by https: for a year, they must not try http. Subdomains, which
may belong to others, are not included."""

PRIVATE = "private, no-cache"
"""For answers to a client that is signed in: a shared cache must not keep them."""

MAX_DRAINED_BYTES: Final = 64 * 1024 * 1024
MAX_DRAIN_SECONDS: Final = 2.0

ANY_HOST: Final = "*"
UNCOMPRESSED: Final = {b"", b"identity"}
MAX_CODING: Final = 50

ROUTING: Final = ("route", "endpoint", "path_params")
"""What routing writes into the scope, and logs and metrics read there."""

logger = logging.getLogger("eventimport.access")


def add_middleware(app: FastAPI, settings: Settings) -> None:
    """Have every request pass through the classes below; the last one added comes first."""
    app.add_middleware(HeadRequests)
    app.add_middleware(ContentEncoding)
    app.add_middleware(HostCheck, names=settings.host_names)
    app.add_middleware(LastResort)
    app.add_middleware(EarlyAnswer)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=("GET", "POST", "PATCH", "PUT", "DELETE"),
            allow_headers=(
                "Authorization",
                "Cache-Control",
                "Content-Type",
                "If-Match",
                "If-None-Match",
                "Last-Event-ID",
                "X-CSRF-Token",
                "X-Requested-With",
                file_requests.HEADER,
                REQUEST_ID_HEADER,
            ),
            expose_headers=(
                "Location",
                "Retry-After",
                "ETag",
                idempotency.REPLAYED,
                REQUEST_ID_HEADER,
            ),
        )
    app.add_middleware(
        RequestLimits,
        max_header_bytes=settings.max_header_bytes,
        max_url_bytes=settings.max_url_bytes,
    )
    app.add_middleware(SecurityHeaders, https=settings.public_url.startswith("https:"))
    app.add_middleware(RequestLog)
    app.exception_handler(Exception)(_answer_outside)


async def _answer_outside(_request: Request, _error: Exception) -> Response:
    # Starlette calls this outside all middleware, for what goes wrong in the middleware itself.
    # `LastResort` answers all else.
    answer = internal_error()
    answer.headers.update(SECURITY_HEADERS)
    return answer


class RequestLog:
    """Logs and counts each request once it is answered. The request's id is that of its
    X-Request-ID, if that is a valid one, and is sent back in the same header."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request. What it binds to the log stays bound: each request is a task of its
        own, and what it raises is logged after this has ended."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(Headers(scope=scope).get(REQUEST_ID_HEADER))
        logs.forget()
        logs.bind(request_id=request_id)
        started = time.perf_counter()
        status = CLIENT_GONE
        size = 0

        async def watched_send(message: Message) -> None:
            nonlocal status, size
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[REQUEST_ID_HEADER] = request_id
            elif message["type"] == "http.response.body":
                size += len(message.get("body", b""))
            await send(message)

        try:
            await self._app(scope, receive, watched_send)
        finally:
            _log(scope, status, time.perf_counter() - started, size)


def _log(scope: Scope, status: int, seconds: float, size: int) -> None:
    route: str | None = getattr(scope.get("route"), "path", None)
    resources: Any = scope.get("state", {}).get("resources")
    if resources is not None:
        resources.metrics.count(scope["method"], route, status, seconds)
    logger.log(
        logging.DEBUG if route in PROBED and status < 400 else logging.INFO,
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


class SecurityHeaders:
    """Adds headers to every answer. It looks at one message per answer and at no body."""

    def __init__(self, app: ASGIApp, *, https: bool = False) -> None:
        self._app = app
        self._headers = SECURITY_HEADERS | (HTTPS_ONLY if https else {})

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


class RequestLimits:
    """Answers 414 and 431 to requests whose URL or headers are too large.

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
                f"The URL is longer than {size_in_words(self._max_url_bytes)}. The"
                " limit is set by MAX_URL_BYTES.",
            )
        if sum(len(name) + len(value) + 4 for name, value in scope["headers"]) > (
            self._max_header_bytes
        ):
            return refuse(
                431,
                "headers-too-large",
                "Headers too large",
                "The headers are larger than"
                f" {size_in_words(self._max_header_bytes)}. The limit is set by"
                " MAX_HEADER_BYTES.",
            )
        return None


class EarlyAnswer:
    """Reads on after an answer that was given before the body had arrived.

    If a server answers and closes while the client is sending, many clients' systems drop the
    answer. So the whole answer is sent, then what still comes is read and thrown away, up to a
    limit, and only then is the answer finished.
    """

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
        nothing_comes = _expects(scope)

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


def _expects(scope: Scope) -> bool:
    return any(name == b"expect" for name, _ in scope["headers"])


class LastResort:
    """Answers 500 to an unexpected exception, unless an answer has begun, and raises it again: the
    server logs it. The middleware further out adds its headers to this answer."""

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


class HostCheck:
    """Answers 400 unless the Host header has one of these names: against DNS rebinding and poisoned
    caches."""

    def __init__(self, app: ASGIApp, names: AbstractSet[str]) -> None:
        self._app = app
        self._names = names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request."""
        if (
            scope["type"] != "http"
            or ANY_HOST in self._names
            or scope["path"] in PROBED
            or _host_name(scope) in self._names
        ):
            await self._app(scope, receive, send)
            return
        refusal = refuse(
            400,
            "unknown-host",
            "Unknown host",
            "The Host header names a host that is not one of this service's (ALLOWED_HOSTS).",
            source={"header": "Host"},
        )
        await ProblemResponse(refusal)(scope, receive, send)


def _host_name(scope: Scope) -> str | None:
    """The one host that the request is for, without its port and in lower case."""
    hosts = [value for name, value in scope["headers"] if name == b"host"]
    if len(hosts) != 1:
        return None
    host: str = hosts[0].decode("latin-1").lower()
    name, colon, port = host.rpartition(":")
    return name if colon and (port.isdecimal() or not port) else host


class ContentEncoding:
    """Answers 415 to a request whose body is compressed: the service does not unpack bodies."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request."""
        given = [
            value.strip().lower()
            for name, value in scope.get("headers", ())
            if name == b"content-encoding"
        ]
        if scope["type"] != "http" or set(given) <= UNCOMPRESSED:
            await self._app(scope, receive, send)
            return
        coding = b", ".join(given)[:MAX_CODING].decode("latin-1")
        refusal = refuse(
            415,
            "unsupported-content-encoding",
            "Unsupported content encoding",
            f"The body has Content-Encoding {coding!r}. Send it without. A zip"
            " archive is already compressed.",
            source={"header": "Content-Encoding"},
            headers={"Accept-Encoding": "identity"},
        )
        await ProblemResponse(refusal)(scope, receive, send)


class HeadRequests:
    """Answers a HEAD that no route accepts like a GET, without the body.

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
