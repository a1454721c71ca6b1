"""Writes a conference as an Open Event archive, without any loss.

The documents have no extension and stand at the zip's root, as the readers of the format expect
them. Each record is written as it is read, and each media file once, after the documents.
"""

import hashlib
import json
import re
import struct
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, tzinfo
from typing import IO, Any, BinaryIO, Final
from urllib.parse import unquote, urlsplit

from eventimport.conference.conference import Record, Reference
from eventimport.conference.kinds import DELETED, LEVELS, SHAPES, Kind, MediaType
from eventimport.conference.report import Place, Report
from eventimport.conference.stored import StoredConference
from eventimport.formats.background_zip import PIECE, BackgroundZip
from eventimport.formats.format import OpenMedia, WriteOptions
from eventimport.formats.openevent.dialect import DOCUMENTS
from eventimport.formats.openevent.export import (
    COLUMNS,
    EXTRA,
    GENERATOR,
    LAYOUT,
    NESTED,
    NEW_ID,
    REFERRED_TO,
    SESSIONS_OF,
    SHARED_IDS,
    SOURCE_ID,
    key_of,
)

FOLDERS: Final[dict[MediaType, str]] = {
    "image": "images",
    "audio": "audio",
    "video": "videos",
    "document": "slides",
}
"""The folders of media files."""

_COMPRESSED: Final = re.compile(
    r"\.(?:jpe?g|png|gif|webp|avif|mp[34]|m4[av]|webm|og[gva]|opus|flac|zip|pptx|docx|odp|pdf)$",
    re.IGNORECASE,
)
"""Names of files that deflate does not make smaller."""

_KEYS: Final = {
    kind: {column: key for key, column in columns.items()} for kind, columns in COLUMNS.items()
}
"""The keys of columns."""

_CONVERTED: Final = {
    kind: frozenset({*shape.times, *shape.media, "level", DELETED})
    for kind, shape in SHAPES.items()
}
"""Columns whose values are written in another way."""

_WITHOUT_VALUES: Final = {
    kind: {key: None for key, column in columns.items() if column != DELETED}
    for kind, columns in COLUMNS.items()
}
"""Keys that are there in any case: site generators read media and texts without asking whether they
exist."""

_SESSION_REFERENCES: Final = [
    (key_of(ref.field), ref.field, ref.column, ref.many) for ref in LEVELS[Kind.SESSION].references
]

_EARLIEST: Final = (1980, 1, 1, 0, 0, 0)
"""The first moment that a zip can say."""

_KNOWN_REFERENCES: Final = 5_000
"""How many references are kept to be written again."""

_NOT_IN_NAMES: Final = re.compile(r"[^\w.]+")
_LONGEST_NAME: Final = 80
_LONGEST_NUMBER: Final = 15
_LINK: Final = struct.Struct(">QI")

_encode: Final = json.JSONEncoder(ensure_ascii=False, separators=(", ", ": ")).encode


def write(
    conference: StoredConference,
    open_media: OpenMedia,
    sink: BinaryIO,
    options: WriteOptions,
    report: Report,
) -> None:
    """Write the archive. Reports only media files that are no longer in storage."""
    with (
        BackgroundZip(sink) as archive,
        tempfile.TemporaryFile("w+", encoding="utf-8") as media,
    ):
        _Writer(conference, open_media, archive, media, report).write(options)


class _Writer:
    def __init__(
        self,
        conference: StoredConference,
        open_media: OpenMedia,
        archive: BackgroundZip,
        media: IO[str],
        report: Report,
    ) -> None:
        self._conference = conference
        self._open_media = open_media
        self._zip = archive
        self._moment = _EARLIEST
        self._media = media
        self._listed: set[bytes] = set()
        self._report = report
        self._ids = {kind: _Ids(conference.keys(kind)) for kind in REFERRED_TO}
        self._no_ids = _Ids(())
        self._references: dict[tuple[Kind, int], dict[str, Any]] = {}
        self._spoken: list[bytes] = []
        """For each link, the speaker's id, and the place of the session in `_session_ids`."""
        self._session_ids: list[Any] = []

    def write(self, options: WriteOptions) -> None:
        self._moment = max(options.now.astimezone(UTC).timetuple()[:6], _EARLIEST)
        self._write_json(
            "meta",
            {
                "generator": GENERATOR,
                "version": options.version,
                "layout": LAYOUT,
                "url": options.event_url,
                "exported-at": options.now.isoformat(),
                **({"first-import": options.first_import} if options.first_import else {}),
            },
        )
        self._write_event()
        # The speakers come last: by then it is known which sessions they have.
        kinds = sorted(DOCUMENTS, key=lambda kind: kind is Kind.SPEAKER)
        for kind in kinds:
            if kind is not Kind.EVENT and kind not in NESTED:
                self._write_list(DOCUMENTS[kind], kind)
        self._write_media()

    def _write_json(self, name: str, content: Any) -> None:
        self._begin(name)
        self._zip.write(_encode(content).encode())

    def _begin(self, name: str, *, is_large: bool = False) -> None:
        info = zipfile.ZipInfo(name, self._moment)
        info.external_attr = 0o644 << 16
        stored = _COMPRESSED.search(name) is not None
        info.compress_type = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
        self._zip.begin(info, is_large=is_large)

    def _write_event(self) -> None:
        conference = self._conference
        event = self._record(Kind.EVENT, conference.event)
        for kind, key in NESTED.items():
            found = [self._record(kind, record) for record in conference.records(kind)]
            if kind is Kind.SOCIAL_LINK:
                event[key] = found
            elif found:
                event[key] = found[0]
        self._write_json("event", event)

    def _write_list(self, document: str, kind: Kind) -> None:
        if kind is Kind.SESSION:
            written = self._with_links()
        elif kind is Kind.SPEAKER:
            written = self._with_sessions()
        else:
            written = (self._record(kind, record) for record in self._conference.records(kind))
        before = "[\n"
        self._begin(document)
        lines: list[str] = []
        size = 0
        for content in written:
            line = before + _encode(content)
            before = ",\n"
            lines.append(line)
            size += len(line)
            if size > PIECE:
                self._zip.write("".join(lines).encode())
                lines, size = [], 0
        lines.append("[]\n" if before == "[\n" else "\n]\n")
        self._zip.write("".join(lines).encode())

    def _with_links(self) -> Iterator[dict[str, Any]]:
        links = self._conference.links()
        link = next(links, None)
        for session in self._conference.records(Kind.SESSION):
            speakers: list[int] = []
            while link is not None and link[0] <= session.new_id:
                if link[0] == session.new_id:
                    speakers.append(link[1])
                link = next(links, None)
            content = self._session(session, speakers)
            for speaker in speakers:
                self._spoken.append(_LINK.pack(speaker, len(self._session_ids)))
            if speakers:
                self._session_ids.append(content["id"])
            yield content

    def _with_sessions(self) -> Iterator[dict[str, Any]]:
        links = map(_LINK.unpack, sorted(self._spoken))
        link = next(links, None)
        for speaker in self._conference.records(Kind.SPEAKER):
            content = self._record(Kind.SPEAKER, speaker)
            found = []
            while link is not None and link[0] <= speaker.new_id:
                if link[0] == speaker.new_id:
                    found.append({"id": self._session_ids[link[1]]})
                link = next(links, None)
            content[SESSIONS_OF] = found
            yield content

    def _session(self, session: Record, speakers: list[int]) -> dict[str, Any]:
        content = self._record(Kind.SESSION, session)
        keys = session.foreign_keys
        for key, field, column, many in _SESSION_REFERENCES:
            given = session.references.get(field, ())
            if many:
                pairs = zip(given, speakers, strict=True)
                content[key] = [self._reference(one, new_id) for one, new_id in pairs]
            else:
                # An empty object, because clients of the format read `name` of whatever is there.
                content[key] = self._reference(given[0], keys.get(column, 0)) if given else {}
        return content

    def _reference(self, reference: Reference, new_id: int) -> dict[str, Any]:
        # Many sessions refer to the same record.
        known = self._references.get((reference.kind, new_id))
        if known is None:
            written_id = self._ids[reference.kind].written(reference.key, new_id)
            known = {"id": written_id, LEVELS[reference.kind].label: reference.label}
            if len(self._references) < _KNOWN_REFERENCES:
                self._references[reference.kind, new_id] = known
        return known

    def _record(self, kind: Kind, record: Record) -> dict[str, Any]:
        ids = self._ids.get(kind, self._no_ids)
        content: dict[str, Any] = {"id": ids.written(record.key, record.new_id)}
        if kind is SHARED_IDS:
            content["id"] = None if record.key is None else _number(record.key)
        elif not ids.is_own(record.key):
            content[SOURCE_ID] = record.key
        content |= _WITHOUT_VALUES[kind]
        columns, converted = _KEYS[kind], _CONVERTED[kind]
        for column, value in record.values.items():
            if column in converted:
                content[columns[column]] = self._converted(kind, column, value)
            else:
                content[columns[column]] = value
        if record.extra:
            content[EXTRA] = record.extra
        return content

    def _converted(self, kind: Kind, column: str, value: Any) -> Any:
        media_type = SHAPES[kind].media.get(column)
        if media_type is not None and value is not None:
            return self._path(value, media_type)
        if isinstance(value, datetime):
            return _local(value, self._conference.zone)
        # A text, by which existing clients group sponsors.
        return str(value) if isinstance(value, int) else value

    def _path(self, url: str, media_type: MediaType) -> str:
        """The path of a file that the archive gets, or the URL itself if it is a link."""
        if self._open_media(url) is None:
            return url
        folder = FOLDERS[media_type]
        digest = hashlib.blake2b(f"{folder} {url}".encode(), digest_size=8)
        path = f"{folder}/{digest.hexdigest()}-{_name_in(url)}"
        if digest.digest() not in self._listed:
            self._listed.add(digest.digest())
            self._media.write(json.dumps([path, url]) + "\n")
        return f"/{path}"

    def _write_media(self) -> None:
        self._media.seek(0)
        for line in self._media:
            path, url = json.loads(line)
            chunks = self._open_media(url)
            first = next(chunks, b"") if chunks is not None else None
            if chunks is None or first is None:
                message = "The file is no longer in storage. It is missing in the export."
                self._report.warning("media-missing", message, Place(path), url)
                continue
            self._begin(path, is_large=True)
            self._zip.write(first)
            for chunk in chunks:
                self._zip.write(chunk)


class _Ids:
    """The ids that the records of a kind get. A source id that several records have, or none, is
    replaced."""

    def __init__(self, keys: Iterable[str | None]) -> None:
        seen: set[str] = set()
        self._shared: set[str] = set()
        self._taken: set[str] = set()
        for key in keys:
            if key is None:
                continue
            if key in seen:
                self._shared.add(key)
            seen.add(key)
            if key.startswith(NEW_ID):
                self._taken.add(key)

    def is_own(self, key: str | None) -> bool:
        """Whether a record with this source id keeps it."""
        return key is not None and key not in self._shared

    def written(self, key: str | None, new_id: int) -> str | int:
        """The id of a record, and in references to it."""
        if key is not None and key not in self._shared:
            return _number(key)
        made = f"{NEW_ID}{new_id}"
        while made in self._taken:
            made = f"{NEW_ID}{made}"
        return made


def _number(key: str) -> str | int:
    """A source id as a number, if it is one: most clients of the format expect that."""
    if len(key) <= _LONGEST_NUMBER and key.isascii() and key.isdigit():
        number = int(key)
        return number if str(number) == key else key
    return key


def _local(time: datetime, zone: tzinfo) -> str:
    try:
        return time.astimezone(zone).isoformat()
    except OverflowError:
        return time.isoformat()


def _name_in(url: str) -> str:
    """The file name in a URL, without characters that are special in paths."""
    try:
        last = unquote(urlsplit(url).path.rpartition("/")[2])
    except ValueError:
        last = ""
    return _NOT_IN_NAMES.sub("-", last)[-_LONGEST_NAME:].strip("-") or "file"
