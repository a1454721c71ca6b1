"""Where media files come from: the archive's entries, and links. Both as a stream within limits.

An archive comes from a stranger. Limits for the fetches of an import keep it from having us send
thousands of requests to a host, and from occupying a worker with hosts that never answer.
"""

import asyncio
import logging
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from concurrent.futures import Executor
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Final, Literal

from eventimport.conference.data_urls import DataUrlError, decode_data_url
from eventimport.errors import EventImportError
from eventimport.media.fetch import Fetched, Fetcher
from eventimport.media.network import LOOK_UPS, FetchError, LookUps

RETRIES: Final = 2
"""How often a link is tried again after the host asked to wait."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportFetchLimits:
    """Bounds of all fetches of one import. Each redirect counts as a request.

    `total_timeout` is in seconds, from the first fetch on. After `failures_in_a_row` of a host
    nothing more is fetched from it.
    """

    max_requests: int = 4_000
    max_requests_per_host: int = 2_000
    at_once: int = 8
    at_once_per_host: int = 4
    failures_in_a_row: int = 5
    total_timeout: float = 300.0


@dataclass(slots=True)
class _Host:
    """What an import knows of one host."""

    free: asyncio.Semaphore
    requests: int = 0
    failures: int = 0
    given_up: FetchError | None = None
    not_before: float = 0.0
    left: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(slots=True)
class ImportFetches:
    """Fetches for one run of one import, within its limits."""

    fetcher: Fetcher
    limits: ImportFetchLimits
    _hosts: dict[str, _Host] = field(default_factory=dict)
    _look_ups: LookUps = field(default_factory=dict)
    _requests: int = 0
    _deadline: float | None = None
    _free: asyncio.Semaphore = field(init=False)

    def __post_init__(self) -> None:
        self._free = asyncio.Semaphore(self.limits.at_once)

    @asynccontextmanager
    async def open(self, url: str) -> AsyncIterator[Fetched]:
        """Fetch a link, waiting for its turn and for as long as its host asks to.

        Raises FetchError, here or from the chunks, as the fetcher does; also if a limit is
        exceeded or the host was given up.
        """
        loop = asyncio.get_running_loop()
        if self._deadline is None:
            self._deadline = loop.time() + self.limits.total_timeout
        LOOK_UPS.set(self._look_ups)
        opened = False
        for retry in range(RETRIES + 1):
            try:
                async with self.fetcher.open(
                    url, visit=self._visit, deadline=self._deadline
                ) as fetched:
                    opened = True
                    yield fetched
                    return
            except FetchError as error:
                if self._expired():
                    raise self._too_long() from error
                if opened or error.retry_after is None or retry == RETRIES:
                    raise

    @asynccontextmanager
    async def _visit(self, name: str) -> AsyncIterator[None]:
        """Around each request to a host, redirects included, and the reading of its answer."""
        host = self._hosts.get(name)
        if host is None:
            free = asyncio.Semaphore(self.limits.at_once_per_host)
            host = self._hosts[name] = _Host(free)
        async with host.free:
            await self._turn_of(host)
            async with self._free:
                self._count(host)
                try:
                    yield
                except FetchError as error:
                    self._failed(name, host, error)
                    raise
                host.failures = 0

    async def _turn_of(self, host: _Host) -> None:
        """Wait until the host accepts requests again. Raises FetchError if that is too late."""
        loop = asyncio.get_running_loop()
        while (wait := host.not_before - loop.time()) > 0 and not host.left.is_set():
            if self._deadline is not None and host.not_before > self._deadline:
                raise FetchError(
                    "UNREACHABLE",
                    f"the host asks to wait {wait:.0f} seconds, which is longer"
                    " than the time limit of the import (FETCH_TOTAL_TIMEOUT)",
                )
            with suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await host.left.wait()

    def refusal(self, name: str) -> FetchError | None:
        """Why nothing more will be fetched from a host; None if something may."""
        host = self._hosts.get(name)
        return None if host is None else self._refusal(host)

    def _count(self, host: _Host) -> None:
        refusal = self._refusal(host)
        if refusal is not None:
            raise refusal
        self._requests += 1
        host.requests += 1

    def _refusal(self, host: _Host) -> FetchError | None:
        if host.given_up is not None:
            return FetchError(host.given_up.outcome, host.given_up.detail)
        if self._expired():
            return self._too_long()
        if self._requests >= self.limits.max_requests:
            return FetchError(
                "REFUSED",
                f"the import has sent {self.limits.max_requests:,} requests for linked media"
                " files. The limit is set by MAX_FETCHES_PER_IMPORT",
            )
        if host.requests >= self.limits.max_requests_per_host:
            return FetchError(
                "REFUSED",
                f"the import has sent {self.limits.max_requests_per_host:,} requests to this"
                " host. The limit is set by MAX_FETCHES_PER_HOST",
            )
        return None

    def _failed(self, name: str, host: _Host, error: FetchError) -> None:
        if not error.host_failed:
            host.failures = 0
            return
        if error.retry_after is not None:
            host.not_before = max(
                host.not_before, asyncio.get_running_loop().time() + error.retry_after
            )
        host.failures += 1
        if host.failures >= self.limits.failures_in_a_row and host.given_up is None:
            host.given_up = error
            host.left.set()
            logger.warning(
                "%s failed %d times in a row; nothing more is fetched from it", name, host.failures
            )

    def _expired(self) -> bool:
        return self._deadline is not None and (asyncio.get_running_loop().time() >= self._deadline)

    def _too_long(self) -> FetchError:
        return FetchError(
            "UNREACHABLE",
            "the import has spent"
            f" {self.limits.total_timeout:g} seconds on linked media files. The limit is set by"
            " FETCH_TOTAL_TIMEOUT",
        )


Outcome = Literal["MOVED", "MISSING", "UNREACHABLE", "REFUSED", "TOO_LARGE", "NOT_AN_IMAGE"]

OpenEntry = Callable[[str], Iterator[bytes]]
"""An entry's name → its bytes in chunks of at most 1 MiB. Blocks; called in one thread only."""

_SLICE: Final = 1024 * 1024
_PAGES: Final = frozenset({"text/html", "application/xhtml+xml"})
_PAGE: Final = re.compile(rb"(?:\xef\xbb\xbf)?\s*<(?:!doctype\s+html|html[\s>])", re.IGNORECASE)


def no_entry(name: str) -> Iterator[bytes]:
    """Opens the entries without an archive: raises KeyError."""
    raise KeyError(name)


class NotMovedError(EventImportError):
    """The file is not moved, for a reason of its own; `outcome` says which."""

    def __init__(self, outcome: Outcome, detail: str) -> None:
        super().__init__(detail)
        self.outcome: Outcome = outcome
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Source:
    """An open media file. `content_type` and `name` are what the server says, empty for an
    entry."""

    content_type: str
    chunks: AsyncGenerator[bytes]
    name: str = ""


class Sources:
    """Opens media. `open_entry` runs in `reader`, which has one thread: neither a zip file nor the
    counting of what is inflated is made for two."""

    def __init__(self, open_entry: OpenEntry, fetches: ImportFetches, reader: Executor) -> None:
        self._open_entry = open_entry
        self._fetches = fetches
        self._reader = reader

    @asynccontextmanager
    async def entry(self, name: str, max_bytes: int) -> AsyncIterator[Source]:
        """An entry of the archive. Raises NotMovedError, here or from the chunks."""
        async with (
            aclosing(self._entry_chunks(name)) as chunks,
            aclosing(_limited(chunks, max_bytes)) as limited,
        ):
            yield Source("", limited)

    @asynccontextmanager
    async def link(self, url: str, max_bytes: int) -> AsyncIterator[Source]:
        """What a link leads to. Raises NotMovedError, here or from the chunks."""
        try:
            async with (
                self._fetches.open(url) as fetched,
                aclosing(_limited(fetched.chunks, max_bytes)) as limited,
            ):
                yield Source(fetched.content_type, limited, fetched.name)
        except FetchError as error:
            raise NotMovedError(error.outcome, error.detail) from error

    @asynccontextmanager
    async def inline(self, url: str, max_bytes: int) -> AsyncIterator[Source]:
        """What a `data:` URL contains. Raises NotMovedError, here or from the chunks."""
        loop = asyncio.get_running_loop()
        try:
            content_type, content = await loop.run_in_executor(self._reader, decode_data_url, url)
        except DataUrlError as error:
            raise NotMovedError("REFUSED", f"the data URL cannot be read: {error}") from error
        async with (
            aclosing(_slices(content)) as chunks,
            aclosing(_limited(chunks, max_bytes)) as limited,
        ):
            yield Source(content_type, limited)

    async def _entry_chunks(self, name: str) -> AsyncGenerator[bytes]:
        loop = asyncio.get_running_loop()
        try:
            chunks = await loop.run_in_executor(self._reader, self._open_entry, name)
        except KeyError:
            raise NotMovedError("MISSING", "the archive does not contain this file") from None
        except EventImportError as error:
            raise NotMovedError("REFUSED", str(error)) from error
        try:
            while (
                chunk := await loop.run_in_executor(self._reader, next, chunks, None)
            ) is not None:
                yield chunk
        except EventImportError as error:
            raise NotMovedError("REFUSED", str(error)) from error
        finally:
            close = getattr(chunks, "close", None)
            if close is not None:
                await loop.run_in_executor(self._reader, close)


async def _slices(content: bytes) -> AsyncGenerator[bytes]:
    for start in range(0, len(content), _SLICE):
        yield content[start : start + _SLICE]


async def _limited(chunks: AsyncIterator[bytes], max_bytes: int) -> AsyncGenerator[bytes]:
    received = 0
    async for chunk in chunks:
        received += len(chunk)
        if received > max_bytes:
            raise NotMovedError("TOO_LARGE", f"more than {max_bytes} bytes")
        yield chunk


async def without_pages(source: Source) -> AsyncGenerator[bytes]:
    """The source's chunks. Raises NotMovedError where it is a web page: a link to a talk's video is
    as often one to the page that plays it, and a copy of that page would play nothing."""
    refused = source.content_type in _PAGES
    first = True
    async for chunk in source.chunks:
        if refused or (first and _PAGE.match(chunk)):
            raise NotMovedError("REFUSED", "the link leads to a web page, not to a file")
        first = False
        yield chunk
