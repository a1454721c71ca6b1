"""Media files: how records name them, and which files of the source these names mean."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, Literal, Protocol
from urllib.parse import unquote

from eventimport.conference.values import folded

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
How = Literal["exact", "spelling", "several", "code-page", "base-name"]


@dataclass(frozen=True, slots=True)
class MediaSource:
    """What a value is: a `path`, a `link` to be fetched, a `data:` URI, or a path on a
    `computer`; `text` is what to look up or to fetch."""

    sort: Sort
    text: str


def read_source(value: str) -> MediaSource:  # noqa: PLR0911 - one for each sort
    """Find out what a value is, apart from what surrounds it."""
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


class Unreadable(Protocol):
    """Why a file of the source cannot be read: a finding's code, and its message, whole
    sentences."""

    @property
    def code(self) -> str: ...
    @property
    def message(self) -> str: ...


@dataclass(frozen=True, slots=True)
class FoundFile:
    """What a path leads to: the file's path in the zip, and its entry's name. `how` says what had
    to be disregarded: case or the Unicode form (`spelling`; `several` if more than one file is
    spelled so), the encoding of the name, or the folders before the last (`base-name`)."""

    path: str
    entry: str
    how: How


@dataclass(frozen=True)
class MediaIndex:
    """The files of an archive that are not documents. `files` leads from a path in the zip to the
    entry's name; `aliases` from other spellings to such a path; `left_out` says why a file cannot
    be read; `root` is the folder of the documents, ending in a slash, or empty."""

    files: Mapping[str, str] = field(default_factory=dict)
    root: str = ""
    aliases: Mapping[str, str] = field(default_factory=dict)
    left_out: Mapping[str, Unreadable] = field(default_factory=dict)

    def find(self, path: str) -> FoundFile | None:
        """The file of a path with slashes, as a record gives it: from the documents' folder, the
        zip's root, or the folder of the documents' folder, in this order."""
        places = list(self.places(path))
        for place in places:
            if place in self.files:
                return FoundFile(place, self.files[place], "exact")
        for place in places:
            if place in self.aliases:
                known = self.aliases[place]
                how: How = "exact" if folded(known) == folded(place) else "code-page"
                return FoundFile(known, self.files[known], how)
        for place in places:
            alike = self._folded.get(folded(place))
            if alike:
                how = "spelling" if len(alike) == 1 else "several"
                return FoundFile(alike[0], self.files[alike[0]], how)
        return self._by_base_name(path)

    def refusal(self, path: str) -> Unreadable | None:
        """Why the file of a path is left out; None if the zip does not have the file."""
        for place in self.places(path):
            if place in self.left_out:
                return self.left_out[place]
        return None

    def places(self, path: str) -> Iterator[str]:
        """The paths in the zip that a record's path may mean. One that leads out of the zip is
        looked up as it is written: among what is left out there may be an entry of that name."""
        parent = self.root.rstrip("/").rpartition("/")[0]
        for base in dict.fromkeys((self.root, "", parent and parent + "/")):
            yield resolved(base + path)

    @cached_property
    def _folded(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for path in self.files:
            found.setdefault(folded(path), []).append(path)
        return found

    @cached_property
    def _by_base(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for path in self.files:
            found.setdefault(folded(path.rpartition("/")[2]), []).append(path)
        return found

    def _by_base_name(self, path: str) -> FoundFile | None:
        folder, _, base = path.rpartition("/")
        found = self._by_base.get(folded(base), [])
        if len(found) != 1:
            return None
        last = found[0].rpartition("/")[0].rpartition("/")[2]
        if folded(last) != folded(folder.rpartition("/")[2]):
            return None
        return FoundFile(found[0], self.files[found[0]], "base-name")


def resolved(path: str) -> str:
    """The path without `..`, but for those at its beginning that lead out of the archive."""
    parts: list[str] = []
    for part in path.split("/"):
        if part == ".." and parts and parts[-1] != "..":
            parts.pop()
        elif part not in {"", "."}:
            parts.append(part)
    return "/".join(parts)
