"""Fetching what an archive links to, without becoming somebody's way into our network.

An archive is a stranger's text, and a link in it may name any host: a metadata service, a
database's port, the loopback. So a host name is looked up once, all its addresses are checked,
and the connection is made to an address that was checked: a second lookup, which might answer
differently, never happens. The name stays in the Host header, in SNI and in what TLS verifies.
"""

import asyncio
import ssl
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Awaitable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self, TypeVar, cast

import httpcore
import httpx

from eventimport.media.addresses import AddressPolicy
from eventimport.media.fetch_errors import FetchError, FetchOutcome
from eventimport.media.network import CheckedBackend, Resolve, resolve_name

T = TypeVar("T")

__all__ = ["FetchError", "FetchLimits", "FetchOutcome", "Fetched", "Fetcher"]

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
    the other side, over all redirects, and not the time that the chunks' consumer takes.

    `allow_list` names hosts, addresses and CIDR networks that may be connected to although they
    are not public, on any port. Raises ValueError for an entry that is none of these.
    """

    enabled: bool = True
    max_bytes: int = 256 * 1024 * 1024
    max_redirects: int = 5
    connect_timeout: float = 10.0
    read_timeout: float = 30.0
    total_timeout: float = 300.0
    allow_list: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        AddressPolicy.of(self.allow_list)


@dataclass(frozen=True, slots=True)
class Fetched:
    """What was found. `url` is the last one after redirects; `content_type` the bare media type in
    lower case, empty where none was told; `size` in bytes as announced.

    `chunks` can be read once, and raises FetchError: all bytes have come only when it ends.
    """

    url: str
    content_type: str
    size: int | None
    chunks: AsyncIterator[bytes]


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
    async def open(self, url: str) -> AsyncIterator[Fetched]:
        """Ask for the URL, follow redirects, and give the answer's body as a stream.

        Raises FetchError, here or from the chunks: REFUSED where the link may not be followed,
        TOO_LARGE where more than `max_bytes` come or are announced, UNREACHABLE for the rest.
        """
        if not self._limits.enabled:
            raise FetchError("REFUSED", "fetching of linked media is switched off")
        waiting = _Waiting(self._limits.total_timeout)
        target = _parse(url)
        for _ in range(self._limits.max_redirects + 1):
            response = await waiting.for_(self._request(target))
            try:
                location = _location(response)
                if location is None:
                    async with aclosing(self._chunks(response, waiting)) as chunks:
                        yield self._fetched(target, response, chunks)
                    return
            finally:
                await response.aclose()
            target = _parse(location, base=target)
        raise FetchError("REFUSED", f"more than {self._limits.max_redirects} redirects")

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
            raise FetchError("UNREACHABLE", f"the server answered with status {response.status}")
        if headers.get("content-encoding", "identity").strip().lower() not in {"", "identity"}:
            raise FetchError("REFUSED", "the server compresses what was asked for as it is")
        size = _length(headers)
        if size is not None and size > self._limits.max_bytes:
            raise self._too_large()
        content_type = headers.get("content-type", "").partition(";")[0].strip().lower()
        return Fetched(str(url), content_type, size, chunks)

    async def _chunks(
        self, response: httpcore.Response, waiting: "_Waiting"
    ) -> AsyncGenerator[bytes]:
        received = 0
        body = aiter(cast("AsyncIterable[bytes]", response.stream))
        while (chunk := await waiting.for_(anext(body, None))) is not None:
            received += len(chunk)
            if received > self._limits.max_bytes:
                raise self._too_large()
            yield chunk

    def _too_large(self) -> FetchError:
        return FetchError("TOO_LARGE", f"more than {self._limits.max_bytes} bytes")


class _Waiting:
    """The time that may still be spent waiting for the other side."""

    def __init__(self, seconds: float) -> None:
        self._total = seconds
        self._left = seconds

    async def for_(self, step: Awaitable[T]) -> T:
        """Await one step of the exchange; whatever goes wrong in it is a FetchError."""
        loop = asyncio.get_running_loop()
        started = loop.time()
        try:
            async with asyncio.timeout(max(0.0, self._left)):
                return await step
        except TimeoutError:
            raise FetchError("UNREACHABLE", f"it took longer than {self._total:g} s") from None
        except httpcore.TimeoutException as error:
            raise FetchError("UNREACHABLE", "the server took too long to answer") from error
        except (httpcore.NetworkError, ssl.SSLError) as error:
            raise FetchError("UNREACHABLE", f"the connection failed: {error}") from error
        except (httpcore.ProtocolError, httpcore.UnsupportedProtocol) as error:
            raise FetchError("UNREACHABLE", f"the server's answer is no HTTP: {error}") from error
        finally:
            self._left -= loop.time() - started


def _parse(url: str, base: httpx.URL | None = None) -> httpx.URL:
    try:
        parsed = httpx.URL(url) if base is None else base.join(url)
    except (httpx.InvalidURL, ValueError) as error:
        raise FetchError("REFUSED", f"the link is no URL: {error}") from None
    if parsed.scheme not in {"http", "https"}:
        raise FetchError("REFUSED", "only http and https links are fetched")
    if not parsed.host:
        raise FetchError("REFUSED", "the link names no host")
    if parsed.port is not None and not 0 < parsed.port < 65536:
        raise FetchError("REFUSED", "the link names a port that there is not")
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
