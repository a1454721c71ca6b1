"""Where media come from: the archive's entries, and links. Both as a stream within limits."""

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from concurrent.futures import Executor
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Final, Literal

from eventimport.conference.data_urls import DataUrlError, decode_data_url
from eventimport.errors import EventImportError
from eventimport.media.fetch import FetchError
from eventimport.media.import_fetches import ImportFetches

Outcome = Literal["MOVED", "MISSING", "UNREACHABLE", "REFUSED", "TOO_LARGE", "NOT_AN_IMAGE"]

OpenEntry = Callable[[str], Iterator[bytes]]
"""An entry's name → its bytes in chunks of at most 1 MiB. Blocks; called in one thread only."""

_SLICE: Final = 1024 * 1024
_PAGES: Final = frozenset({"text/html", "application/xhtml+xml"})
_PAGE: Final = re.compile(rb"(?:\xef\xbb\xbf)?\s*<(?:!doctype\s+html|html[\s>])", re.IGNORECASE)


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
