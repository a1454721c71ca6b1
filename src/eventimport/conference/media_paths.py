"""What records name their media files by: paths in the archive in many spellings, and links."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import unquote

Sort = Literal["path", "link", "data", "computer"]

MAX_PATH: Final = 4_000
"""Characters of a path; longer texts are not looked up."""

_DRIVE: Final = re.compile(r"[A-Za-z]:[\\/]")
_SHARE: Final = re.compile(r"\\\\[\w.\-]+\\")
_HOST: Final = re.compile(
    r"//[\w\-]+(?:\.[\w\-]+)+(?::\d{1,5})?/|//\[[0-9a-f:]+\]|//localhost\b", re.IGNORECASE
)
_WWW: Final = re.compile(r"www\.[\w\-]+(?:\.[\w\-]+)+(?::\d{1,5})?/", re.IGNORECASE)
_SCHEME: Final = re.compile(r"https?:/*(?=[^/\s])", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class MediaSource:
    """What a value is: a `path`, a `link` to be fetched, a `data:` URI, or a path on a
    `computer`; `text` is what to look up or to fetch."""

    sort: Sort
    text: str


def read_source(value: str) -> MediaSource:  # noqa: PLR0911 - one for each sort
    """Tell what a value is, whatever is around it."""
    text = value.strip()
    beginning = text[:300]
    if beginning[:5].lower() == "data:":
        return MediaSource("data", text)
    if beginning[:5].lower() == "file:" or _DRIVE.match(beginning) or _SHARE.match(beginning):
        return MediaSource("computer", text)
    if beginning[:8].lower().startswith(("http://", "https://")):
        return MediaSource("link", text)
    if _HOST.match(beginning):
        return MediaSource("link", f"https:{text}")
    if _WWW.match(beginning):
        return MediaSource("link", f"https://{text}")
    if scheme := _SCHEME.match(beginning):
        name = scheme[0].partition(":")[0].lower()
        return MediaSource("link", f"{name}://{text[scheme.end() :]}")
    return MediaSource("path", text)


def spellings(text: str) -> Iterator[str]:
    """The paths that a text may mean, the likeliest first: without its backslashes, what follows
    `?` or `#`, and what a URL encodes, once or twice."""
    if len(text) > MAX_PATH:
        return
    path = text.replace("\\", "/")
    bare = re.split(r"[?#]", path, maxsplit=1)[0].rstrip()
    seen: set[str] = set()
    for start in (path, bare):
        once = unquote(start)
        for candidate in (start, once, unquote(once), once.replace("+", " ")):
            if candidate.strip("/. ") and candidate not in seen:
                seen.add(candidate)
                yield candidate
