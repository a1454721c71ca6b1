"""Media files of sessions and persons: which field takes which, and where relative ones are.

A relative address is a file of the zip, or is resolved against the document's own `base_url`. If
neither is possible, it is kept as text.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

from eventimport.conference.media import MediaIndex
from eventimport.conference.report import Place, Report
from eventimport.conference.values import is_data, is_remote
from eventimport.conference.web_links import web_url

SLIDES: Final = frozenset({".pdf", ".odp", ".ppt", ".pptx", ".pps", ".ppsx", ".key", ".sxi"})
AUDIO: Final = frozenset({".mp3", ".ogg", ".oga", ".opus", ".m4a", ".flac", ".wav", ".aac"})
VIDEO: Final = frozenset({".mp4", ".webm", ".mkv", ".ogv", ".mov", ".m4v", ".avi"})

_NOTHING: Final = "missing.png"
"""The file name that Paperclip uses for a missing image."""


@dataclass(slots=True)
class _Waiting:
    """A field whose value is relative: `name` is the key in `extra` if it cannot be resolved."""

    fields: dict[str, Any]
    extra: dict[str, Any]
    field: str
    name: str
    value: str


@dataclass(slots=True)
class MediaFields:
    """Fills the media fields of one document. `base` is its `base_url`; it is needed only when
    `resolve` is called, after the whole document is read."""

    report: Report
    entry: str
    base: str | None = None
    _waiting: list[_Waiting] = field(default_factory=list)

    def add(
        self, fields: dict[str, Any], extra: dict[str, Any], field: str, name: str, value: str
    ) -> None:
        """Set a media field, now or once relative addresses can be resolved."""
        value = value.strip()
        if PurePosixPath(urlsplit_path(value)).name == _NOTHING:
            message = "“missing.png” was read as “no file”."
            self.report.repair("no-file", message, Place(self.entry, field=name), value)
            keep(extra, name, value)
        elif is_remote(value) or is_data(value):
            fields[field] = value
        elif value:
            self._waiting.append(_Waiting(fields, extra, field, name, value))

    def take_attachment(
        self, fields: dict[str, Any], extra: dict[str, Any], address: str, sort: str
    ) -> bool:
        """Take an attachment if it is the first slides, audio or video of a session."""
        name = _field_of(address, sort.strip().casefold())
        if name is None or self._is_taken(fields, name):
            return False
        self.add(fields, extra, name, "attachment", address)
        return True

    def read_recording(
        self, fields: dict[str, Any], extra: dict[str, Any], name: str, value: Any
    ) -> None:
        """Take the address of a session's recording; keep what else is said of it."""
        if isinstance(value, dict):
            said = {key: text for key, text in value.items() if text not in ("", None)}
            address = said.get("url")
            if isinstance(address, str) and _field_of(address, "") == "video_url":
                self._take(fields, extra, "video_url", address)
                del said["url"]
            if said:
                extra[name] = said
        elif isinstance(value, str) and not self._is_taken(fields, "video_url"):
            self._take(fields, extra, "video_url", value)
        elif value:
            keep(extra, name, value)

    def resolve(self, files: MediaIndex) -> None:
        """Settle the relative addresses."""
        for each in self._waiting:
            if files.find(each.value) is not None:
                each.fields[each.field] = each.value
                continue
            found = _absolute(web_url(self.base), each.value)
            if found is not None:
                each.fields[each.field] = found
                message = f"The address was read as “{found}”."
                place = Place(self.entry, field=each.name)
                self.report.repair("relative-address", message, place, each.value)
            else:
                keep(each.extra, each.name, each.value)
                message = (
                    "The address is relative, but the file does not say to what; it is kept in "
                    "`extra`."
                )
                place = Place(self.entry, field=each.name)
                self.report.warning("relative-address", message, place, each.value)
        self._waiting.clear()

    def _take(self, fields: dict[str, Any], extra: dict[str, Any], field: str, value: str) -> None:
        if self._is_taken(fields, field) and fields.get(field) != value:
            keep(extra, field, value)
        else:
            self.add(fields, extra, field, field, value)

    def _is_taken(self, fields: dict[str, Any], name: str) -> bool:
        return name in fields or any(
            each.fields is fields and each.field == name for each in self._last_waiting()
        )

    def _last_waiting(self) -> Iterator[_Waiting]:
        """Those of the session that is being read are the last ones."""
        return reversed(self._waiting[-10:])


def _absolute(base: str | None, address: str) -> str | None:
    """A relative address as a URL. A name such as “talk.pdf” is not taken for that of a host."""
    if address.casefold().startswith(("www.", "//")):
        return web_url(address)
    try:
        return web_url(urljoin(base, address)) if base else None
    except ValueError:
        return None


def keep(extra: dict[str, Any], name: str, value: Any) -> None:
    """Put a value under a name, in a list if the name has one already."""
    if name not in extra:
        extra[name] = value
    elif isinstance(extra[name], list):
        extra[name].append(value)
    else:
        extra[name] = [extra[name], value]


def urlsplit_path(address: str) -> str:
    """The path of an address; empty if it is not one."""
    try:
        return urlsplit(address).path
    except ValueError:
        return ""


def _field_of(href: str, sort: str) -> str | None:
    """The session's field that an attachment belongs to."""
    suffix = PurePosixPath(urlsplit_path(href)).suffix.lower()
    if not href:
        return None
    if sort.startswith("audio") or suffix in AUDIO:
        return "audio_url"
    if sort.startswith("video") or suffix in VIDEO:
        return "video_url"
    if sort.startswith("slide") or suffix in SLIDES:
        return "slides_url"
    return None
