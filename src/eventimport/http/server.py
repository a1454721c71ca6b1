"""How uvicorn serves the application, with limits on connections that it does not have itself."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Final, cast

import uvicorn
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

from eventimport.errors import ProblemError, document, refuse, size_in_words
from eventimport.settings import Settings

GRACE_SECONDS: Final = 10
BACKLOG: Final = 1024

MAX_PIPELINED: Final = 16
"""Requests that wait on one connection for the answer to an earlier one."""
TRACE: Final = frozenset({b"traceparent", b"tracestate", b"baggage"})
MAX_TRACE_BYTES: Final = 512
"""OpenTelemetry reads longer ones, too, in quadratic time; the request goes on without them."""
LINGER_SECONDS: Final = 2.0
"""How long a refused client may go on sending. A connection that is closed before everything has
been read loses the answer on its way to many clients."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerLimits:
    """Sizes are in bytes, times in seconds."""

    max_header_bytes: int = 16 * 1024
    max_url_bytes: int = 8 * 1024
    header_timeout: float = 10.0
    send_timeout: float = 30.0
    max_connections: int = 800


def server_config(
    application: str | Callable[..., Any], settings: Settings, **options: Any
) -> uvicorn.Config:
    """uvicorn's configuration, with the limits and the trusted proxies of the settings. `options`
    are uvicorn's own, such as `host` and `port`."""
    return uvicorn.Config(
        application,
        **{
            "loop": "uvloop",
            "http": protocol_class(server_limits(settings)),
            "ws": "none",
            "lifespan": "on",
            # uvicorn trusts the headers of every proxy on this machine unless it is given a list.
            "proxy_headers": bool(settings.trusted_proxies),
            "forwarded_allow_ips": list(settings.trusted_proxies),
            # The application logs its requests itself, and configures all logs.
            "log_config": None,
            "access_log": False,
            "server_header": False,
            "backlog": BACKLOG,
            "timeout_graceful_shutdown": GRACE_SECONDS,
            **options,
        },
    )


def server_limits(settings: Settings) -> ServerLimits:
    """The limits of connections that the settings say."""
    return ServerLimits(
        max_header_bytes=settings.max_header_bytes,
        max_url_bytes=settings.max_url_bytes,
        header_timeout=settings.header_timeout,
        send_timeout=settings.send_timeout,
        max_connections=settings.max_connections,
    )


def protocol_class(limits: ServerLimits) -> type["LimitedProtocol"]:
    """The protocol with these limits, for uvicorn's `http`."""
    made = type("LimitedProtocol", (LimitedProtocol,), {"limits": limits})
    return cast("type[LimitedProtocol]", made)


class LimitedProtocol(HttpToolsProtocol):
    """Refuses oversized and unfinished requests, and cuts off clients that read no response.

    A refused connection gets an errors document and is closed. A client that does not read is
    aborted: closing would wait until it has read everything.
    """

    limits: ClassVar[ServerLimits] = ServerLimits()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._head_bytes = 0
        self._unread_bytes = 0
        self._made_progress = False
        self._message_is_open = False
        self._head_is_open = True
        self._refusal: ProblemError | None = None
        self._receive_timer: asyncio.TimerHandle | None = None
        self._send_timer: asyncio.TimerHandle | None = None
        self._unsent_bytes: int | None = None

    # The connection.
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Accept the connection, unless the process has enough of them."""
        super().connection_made(transport)
        # At 0, the transport reports every write that the client has not read yet.
        transport.set_write_buffer_limits(high=0)
        if len(self.connections) > self.limits.max_connections:
            self._refusal = refuse(
                503,
                "too-many-connections",
                "Too many connections",
                f"At most {self.limits.max_connections:,} connections can be open. The limit is set"
                " by MAX_CONNECTIONS. Try again later.",
                headers={"Retry-After": "5"},
            )
            self.transport.write(_answer(self._refusal))
            self.transport.close()
            return
        self._expect_more()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop all timers."""
        self._stop_expecting()
        if self._send_timer is not None:
            self._send_timer.cancel()
            self._send_timer = None
        super().connection_lost(exc)

    # Receiving.
    def data_received(self, data: bytes) -> None:
        """Parse what has arrived, within the limits."""
        if self._refusal is not None or self.transport.is_closing():
            return
        self._made_progress = False
        self._unread_bytes += len(data)
        super().data_received(data)
        if self._made_progress:
            self._unread_bytes = 0
        elif self._unread_bytes > self.limits.max_header_bytes and not self._is_refused():
            # The parser keeps an unfinished header without a word about it.
            self._refusal = self._too_large()
            self.send_400_response("")
        if self._head_is_open and not self.transport.is_closing():
            self._expect_more()

    def on_message_begin(self) -> None:
        """Begin to count the bytes of the request's head."""
        super().on_message_begin()
        self._message_is_open = self._head_is_open = True
        self._head_bytes = 0

    def on_url(self, url: bytes) -> None:
        """Refuse a URL that is too long."""
        super().on_url(url)
        if len(self.url) > self.limits.max_url_bytes:
            raise self._refused(
                refuse(
                    414,
                    "url-too-long",
                    "URL too long",
                    "The URL is longer than"
                    f" {size_in_words(self.limits.max_url_bytes)}. The limit is"
                    " set by MAX_URL_BYTES.",
                )
            )

    def on_header(self, name: bytes, value: bytes) -> None:
        """Count a header, or a trailer after a body."""
        self._head_bytes += len(name) + len(value) + 4
        if self._head_bytes > self.limits.max_header_bytes:
            raise self._refused(self._too_large())
        if self._head_is_open and (len(value) <= MAX_TRACE_BYTES or name.lower() not in TRACE):
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Hand the request to the application, unless too many wait on this connection."""
        self._head_is_open = False
        self._made_progress = True
        self._stop_expecting()
        if len(self.pipeline) >= MAX_PIPELINED:
            detail = (
                f"More than {MAX_PIPELINED} requests wait on this connection. Read the"
                " responses first."
            )
            raise self._refused(refuse(400, "too-many-requests", "Too many requests", detail))
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Note that the body goes on."""
        self._made_progress = True
        unread = cast("bytes | bytearray", self.cycle.body)
        if not unread:
            # Python adds a chunk to empty bytes without copying it. uvicorn's bytearray is copied
            # twice: when the chunk comes, and when it is read.
            self.cycle.body = b""  # type: ignore[assignment]
        elif isinstance(unread, bytes):
            # More comes before the first chunk is read, perhaps byte by byte.
            self.cycle.body = bytearray(unread)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Note that the request is over."""
        self._made_progress = True
        self._message_is_open = False
        self._head_is_open = True
        self._stop_expecting()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Give a client that is still sending its body a last chance to finish."""
        super().on_response_complete()
        if self._message_is_open and not self.transport.is_closing():
            self._expect_more()

    def send_400_response(self, msg: str) -> None:
        """Answer with an errors document and close the connection; the request goes no further."""
        refusal = self._refusal or refuse(
            400, "invalid-request", "Invalid request", msg or "The request is not valid HTTP."
        )
        self._refusal = refusal
        self._stop_expecting()
        if self._is_answering():
            # An answer is under way, or due first: another one would be taken for a part of it.
            self.transport.abort()
            return
        self.transport.write(_answer(refusal))
        if not self.transport.can_write_eof():
            self.transport.close()
            return
        self.transport.write_eof()
        self.flow.resume_reading()
        self._receive_timer = self.loop.call_later(LINGER_SECONDS, self.transport.abort)

    def _is_answering(self) -> bool:
        cycle = cast("RequestResponseCycle | None", self.cycle)
        return cycle is not None and not cycle.response_complete

    def _is_refused(self) -> bool:
        return self._refusal is not None or self.transport.is_closing()

    def _refused(self, refusal: ProblemError) -> ProblemError:
        self._refusal = refusal
        return refusal

    def _too_large(self) -> ProblemError:
        return refuse(
            431,
            "headers-too-large",
            "Headers too large",
            "The headers are larger than"
            f" {size_in_words(self.limits.max_header_bytes)}. The limit is set by"
            " MAX_HEADER_BYTES.",
        )

    def _expect_more(self) -> None:
        """Give the client until the timeout to finish what it has begun to send."""
        if self._receive_timer is None and (self._message_is_open or not self._is_answering()):
            self._receive_timer = self.loop.call_later(
                self.limits.header_timeout, self._receive_timed_out
            )

    def _stop_expecting(self) -> None:
        if self._receive_timer is not None:
            self._receive_timer.cancel()
            self._receive_timer = None

    def _receive_timed_out(self) -> None:
        self._receive_timer = None
        if self._is_refused():
            return
        if self.flow.read_paused:
            self._expect_more()
            return
        if not self._head_is_open or not self._unread_bytes:
            # It has its answer, or has asked for nothing.
            self.transport.abort()
            return
        self._refusal = refuse(
            408,
            "headers-timed-out",
            "Request timed out",
            f"The headers did not arrive within {self.limits.header_timeout:g}"
            " seconds. The limit is set by HEADER_TIMEOUT.",
        )
        self.send_400_response("")

    # Sending.
    def pause_writing(self) -> None:
        """Wait for the client to read: no longer than the timeout without progress."""
        super().pause_writing()
        if self._send_timer is None:
            self._watch_sending()

    def _watch_sending(self) -> None:
        self._unsent_bytes = self.transport.get_write_buffer_size()
        self._send_timer = self.loop.call_later(self.limits.send_timeout, self._check_sending)

    def resume_writing(self) -> None:
        """All is sent. The timer stays: it is for the next write, too."""
        super().resume_writing()
        self._unsent_bytes = None

    def _check_sending(self) -> None:
        self._send_timer = None
        if not self.flow.write_paused:
            return
        unsent = self.transport.get_write_buffer_size()
        if self._unsent_bytes is not None and unsent >= self._unsent_bytes:
            self.logger.info(
                "a client read nothing for %g seconds (SEND_TIMEOUT); its connection was closed",
                self.limits.send_timeout,
            )
            self.transport.abort()
            return
        self._watch_sending()


def _answer(refusal: ProblemError) -> bytes:
    body = json.dumps(document(refusal.problems), separators=(",", ":")).encode()
    headers = {
        "Content-Type": "application/vnd.api+json",
        "Content-Length": str(len(body)),
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        "Connection": "close",
        **refusal.headers,
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return STATUS_LINE[refusal.status] + head.encode() + b"\r\n" + body
