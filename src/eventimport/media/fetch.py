"""Fetching what an archive links to, without opening a way into our network.

An archive is a stranger's text, and a link in it may name any host: a metadata service, a
database's port, the loopback. So a host name is looked up once, all its addresses are checked,
and the connection is made to an address that was checked: a second lookup, which might answer
differently, never happens. The name stays in the Host header, in SNI and in what TLS verifies.
"""

import asyncio
import logging
import math
import re
import socket
import ssl
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from ipaddress import ip_address
from types import TracebackType
from typing import Final, Self, TypeVar, cast
from urllib.parse import unquote

import httpcore
import httpx

from eventimport.errors import size_in_words
from eventimport.media.network import (
    UNREACHABLE_HOST,
    AddressPolicy,
    CheckedBackend,
    FetchError,
    FetchOutcome,
    Resolve,
    resolve_name,
)

T = TypeVar("T")

__all__ = ["FetchError", "FetchLimits", "FetchOutcome", "Fetched", "Fetcher", "Visit"]

_LONGEST_HEADER: Final = 2_000
_EXTENDED_NAME: Final = re.compile(r"\bfilename\*\s*=\s*([\w-]+)'[\w-]*'([^;\s]+)", re.IGNORECASE)
_PLAIN_NAME: Final = re.compile(
    r'\bfilename\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^";\s]+))', re.IGNORECASE
)

logger = logging.getLogger(__name__)

REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_HEADERS: Final = (
    (b"Accept", b"*/*"),
    # What is counted must be what is stored, and nothing may inflate behind the limit.
    (b"Accept-Encoding", b"identity"),
    (b"User-Agent", b"eventimport"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchLimits:
    """Bounds of one fetch. Times are in seconds; `total_timeout` counts the time spent waiting for
    the other side, over all redirects, and not the time that the chunks' consumer takes. After
    `slow_after` seconds of waiting for a body, `min_rate` bytes a second must have come.

    `allow_list` names hosts, addresses and CIDR networks that may be connected to although they
    are not public, on any port. Raises ValueError for an entry that is none of these. `disabled` is
    why nothing is fetched if it is not `enabled`, and `size_setting` what sets `max_bytes`.
    """

    enabled: bool = True
    disabled: str = "linked media files are not fetched (FETCH_MEDIA is false)"
    max_bytes: int = 256 * 1024 * 1024
    size_setting: str = "MAX_MEDIA_BYTES"
    max_redirects: int = 5
    connect_timeout: float = 10.0
    read_timeout: float = 15.0
    total_timeout: float = 300.0
    min_rate: int = 1024
    slow_after: float = 10.0
    allow_list: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        AddressPolicy.of(self.allow_list)


@dataclass(frozen=True, slots=True)
class Fetched:
    """What was found. `url` is the last one after redirects; `content_type` the bare media type in
    lower case, empty if the server says none; `size` in bytes as announced; `name` is the file's
    name as the server says it.

    `chunks` can be read once, and raises FetchError: all bytes have come only when it ends.
    """

    url: str
    content_type: str
    size: int | None
    chunks: AsyncIterator[bytes]
    name: str = ""


Visit = Callable[[str], AbstractAsyncContextManager[None]]
"""Host name → a context around one request to it and the reading of the answer; may raise
FetchError, to forbid the request, and sees the FetchErrors of the request."""


def _unbounded(_host: str) -> AbstractAsyncContextManager[None]:
    return nullcontext()


class Fetcher:
    """Fetches over HTTP and HTTPS, directly: no proxy of the environment is asked.

    One serves any number of fetches at once; close it at the end, or use it as a context manager.
    """

    def __init__(
        self,
        limits: FetchLimits,
        *,
        resolve: Resolve = resolve_name,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self._limits = limits
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=ssl_context or httpx.create_ssl_context(trust_env=False),
            max_connections=None,
            max_keepalive_connections=8,
            keepalive_expiry=5.0,
            network_backend=CheckedBackend(AddressPolicy.of(limits.allow_list), resolve),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections that are kept for further fetches."""
        await self._pool.aclose()

    @asynccontextmanager
    async def open(
        self, url: str, *, visit: Visit = _unbounded, deadline: float = math.inf
    ) -> AsyncIterator[Fetched]:
        """Request the URL, follow redirects, and return the body as a stream.

        `visit` is entered for each request; `deadline` is a time of the event loop. Raises
        FetchError, here or from the chunks: REFUSED if the link may not be followed, TOO_LARGE if
        the body has more than `max_bytes`, UNREACHABLE for the rest.
        """
        if not self._limits.enabled:
            raise FetchError("REFUSED", self._limits.disabled)
        waiting = _Waiting(self._limits.total_timeout, deadline)
        target = _parse(url)
        for _ in range(self._limits.max_redirects + 1):
            async with visit(target.host):
                response = await self._respond(target, waiting)
                try:
                    location = _location(response)
                    if location is None:
                        async with aclosing(self._chunks(response, waiting)) as chunks:
                            yield self._fetched(target, response, chunks)
                        return
                finally:
                    await response.aclose()
            target = _parse(location, base=target)
        raise FetchError(
            "REFUSED",
            f"the link has more than {self._limits.max_redirects} redirects. The"
            " limit is set by FETCH_REDIRECTS",
        )

    async def _respond(self, target: httpx.URL, waiting: "_Waiting") -> httpcore.Response:
        """The head of the answer. Why a host *name* does not answer is for our log only."""
        limits = self._limits
        try:
            return await waiting.for_(
                self._request(target), at_most=limits.connect_timeout + limits.read_timeout
            )
        except FetchError as error:
            if _is_address(target.host):
                raise
            logger.info("nothing was fetched from %s: %s", target.host, error.detail)
            raise FetchError("UNREACHABLE", UNREACHABLE_HOST, host_failed=True) from None

    async def _request(self, url: httpx.URL) -> httpcore.Response:
        limits = self._limits
        request = httpcore.Request(
            "GET",
            httpcore.URL(
                scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
            ),
            headers=[(b"Host", url.netloc), *_HEADERS],
            extensions={
                "timeout": {
                    "connect": limits.connect_timeout,
                    "read": limits.read_timeout,
                    "write": limits.read_timeout,
                }
            },
        )
        return await self._pool.handle_async_request(request)

    def _fetched(
        self, url: httpx.URL, response: httpcore.Response, chunks: AsyncIterator[bytes]
    ) -> Fetched:
        headers = httpx.Headers(response.headers)
        if response.status != 200:
            raise FetchError(
                "UNREACHABLE",
                f"the server answered with status {response.status}",
                host_failed=response.status == 429 or response.status >= 500,
                retry_after=_retry_after(response.status, headers),
            )
        if headers.get("content-encoding", "identity").strip().lower() not in {"", "identity"}:
            raise FetchError("REFUSED", "the server ignored `Accept-Encoding: identity`")
        size = _length(headers)
        if size is not None and size > self._limits.max_bytes:
            raise self._too_large()
        content_type = headers.get("content-type", "").partition(";")[0].strip().lower()
        name = name_in_header(headers.get("content-disposition", ""))
        return Fetched(str(url), content_type, size, chunks, name)

    async def _chunks(
        self, response: httpcore.Response, waiting: "_Waiting"
    ) -> AsyncGenerator[bytes]:
        received = 0
        before = waiting.spent
        body = aiter(cast("AsyncIterable[bytes]", response.stream))
        while (chunk := await waiting.for_(anext(body, None))) is not None:
            received += len(chunk)
            if received > self._limits.max_bytes:
                raise self._too_large()
            if (
                waiting.spent - before > self._limits.slow_after
                and received < (waiting.spent - before) * self._limits.min_rate
            ):
                raise FetchError(
                    "UNREACHABLE",
                    "the server sends less than"
                    f" {size_in_words(self._limits.min_rate)} a second. The limit"
                    " is set by FETCH_MIN_BYTES_PER_SECOND",
                    host_failed=True,
                )
            yield chunk

    def _too_large(self) -> FetchError:
        return FetchError(
            "TOO_LARGE",
            f"the file is larger than {size_in_words(self._limits.max_bytes)}. The"
            f" limit is set by {self._limits.size_setting}",
        )


class _Waiting:
    """The time that may still be spent waiting for the other side; `spent` is in seconds."""

    def __init__(self, seconds: float, deadline: float) -> None:
        self._total = seconds
        self._deadline = deadline
        self.spent = 0.0

    async def for_(self, step: Awaitable[T], *, at_most: float = math.inf) -> T:
        """Await one step of the exchange; whatever goes wrong in it is a FetchError."""
        loop = asyncio.get_running_loop()
        started = loop.time()
        left = min(self._total - self.spent, self._deadline - started, at_most)
        try:
            async with asyncio.timeout(max(0.0, left)):
                return await step
        except TimeoutError:
            detail = (
                "the server did not answer in time"
                if left == at_most
                else (
                    f"the fetch exceeded {self._total:g} seconds. The limit is set by FETCH_TIMEOUT"
                )
            )
            raise _failed(detail) from None
        except httpcore.TimeoutException as error:
            raise _failed("the server did not answer in time") from error
        except (httpcore.NetworkError, ssl.SSLError) as error:
            raise _failed(f"the connection failed: {error}") from error
        except (httpcore.ProtocolError, httpcore.UnsupportedProtocol) as error:
            raise _failed(f"the server's answer is not valid HTTP: {error}") from error
        finally:
            self.spent += loop.time() - started


def _failed(detail: str) -> FetchError:
    return FetchError("UNREACHABLE", detail, host_failed=True)


def _is_address(host: str) -> bool:
    """Whether the link names an address, in any spelling: `127.0.0.1`, `0x7f.1`, `::1`."""
    try:
        if ":" in host:
            ip_address(host)
        else:
            socket.inet_aton(host)
    except (OSError, ValueError):
        return False
    return True


def _retry_after(status: int, headers: httpx.Headers) -> float | None:
    """How many seconds the server asks to wait, in either of the header's two forms."""
    value = headers.get("retry-after", "").strip()
    if status not in {429, 503} or not value or len(value) > 64:
        return None
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())


def host_of(url: str) -> str:
    """The host that a link names; empty if it is not a link that can be fetched."""
    try:
        return _parse(url).host
    except FetchError:
        return ""


def _parse(url: str, base: httpx.URL | None = None) -> httpx.URL:
    try:
        parsed = httpx.URL(url) if base is None else base.join(url)
    except (httpx.InvalidURL, ValueError) as error:
        raise FetchError("REFUSED", f"the link is not a valid URL: {error}") from None
    if parsed.scheme not in {"http", "https"}:
        raise FetchError("REFUSED", "only http and https links are fetched")
    if not parsed.host:
        raise FetchError("REFUSED", "the link has no host name")
    if parsed.port is not None and not 0 < parsed.port < 65536:
        raise FetchError("REFUSED", "the link has an invalid port")
    if parsed.userinfo:
        raise FetchError("REFUSED", "links with a user name or a password are not fetched")
    return parsed


def _location(response: httpcore.Response) -> str | None:
    if response.status not in REDIRECTS:
        return None
    location: str | None = httpx.Headers(response.headers).get("location")
    return location


def _length(headers: httpx.Headers) -> int | None:
    value = headers.get("content-length", "")
    return int(value) if value.isascii() and value.isdigit() and len(value) < 20 else None


def name_in_header(content_disposition: str) -> str:
    """The file name in a Content-Disposition header; empty if there is none."""
    header = content_disposition[:_LONGEST_HEADER]
    extended = _EXTENDED_NAME.search(header)
    if extended is not None:
        try:
            return unquote(extended[2], encoding=extended[1], errors="strict")
        except (LookupError, UnicodeDecodeError):
            pass
    plain = _PLAIN_NAME.search(header)
    if plain is None:
        return ""
    return re.sub(r"\\(.)", r"\1", plain[1]) if plain[1] is not None else plain[2]
