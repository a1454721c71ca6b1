"""Fetching a file to import from the URL that a client names, in place of an upload."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from eventimport.errors import ProblemError, refuse
from eventimport.imports.accept import RETRY_AFTER
from eventimport.media.fetch import FetchError
from eventimport.resources import Resources

_POINTER = {"pointer": "/url"}


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file that is being fetched: its name, if the server or the URL says one, and its bytes."""

    name: str | None
    chunks: AsyncIterator[bytes]


@asynccontextmanager
async def fetch_file(resources: Resources, url: str) -> AsyncIterator[RemoteFile]:
    """Fetch a file to import, under the rules for linked media files: only from public hosts, and
    from FETCH_ALLOWED_HOSTS.

    Raises 503 if too many files are being fetched. Here or from the chunks, raises 413 if the file
    is too large, and 422 if it cannot be fetched.
    """
    if resources.url_imports.locked():
        raise refuse(
            503,
            "too-many-fetches",
            "Too many fetches",
            f"The service fetches {resources.settings.url_imports_at_once:,} files at the same time"
            " already. The limit is set by URL_IMPORTS_AT_ONCE. Try again later, or upload the"
            " file.",
            headers=RETRY_AFTER,
        )
    async with resources.url_imports:
        try:
            async with resources.source_fetcher.open(url) as found:
                name = found.name or PurePosixPath(unquote(urlsplit(found.url).path)).name
                yield RemoteFile(name or None, found.chunks)
        except FetchError as error:
            raise _not_fetched(error) from None


def _not_fetched(error: FetchError) -> ProblemError:
    detail = f"The file cannot be fetched: {error.detail}."
    if error.outcome == "TOO_LARGE":
        return refuse(413, "limit-exceeded", "File too large", detail, source=_POINTER)
    return refuse(422, "not-fetched", "File not fetched", detail, source=_POINTER)
