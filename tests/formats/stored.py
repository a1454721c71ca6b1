"""Sources as stored events, without a database: what a writer gets, and what it wrote."""

import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tests.memory_conference import MemoryConference, as_stored

from eventimport.conference.conference import Conference
from eventimport.conference.kinds import IMPORT_ORDER, LINK_TABLE, Kind
from eventimport.conference.plan import PlannedMedia, make_plan, provisional_ids
from eventimport.conference.report import Report
from eventimport.formats.format import Format, ReadOptions, WriteOptions
from eventimport.formats.limits import ArchiveLimits
from eventimport.formats.openevent.reader import read
from eventimport.formats.source import Source

BASE = "https://events.example"
OPTIONS = WriteOptions(
    event_url=f"{BASE}/events/abcd1234",
    base_url=BASE,
    version="1.0",
    now=datetime(2027, 3, 5, 12, 30, tzinfo=UTC),
)


class InvalidSourceError(Exception):
    """No event can be made of the source."""


@dataclass
class Stored:
    """A stored event, its media files by URL, and the report of its import."""

    conference: MemoryConference
    files: dict[str, bytes]
    report: Report = field(default_factory=Report)

    def open_media(self, url: str) -> Iterator[bytes] | None:
        """The chunks of a stored file."""
        return iter([self.files[url]]) if url in self.files else None

    def written(self, each: Format, options: WriteOptions = OPTIONS) -> tuple[bytes, Report]:
        """The event in a format, and what the format could not say."""
        sink, report = Unseekable(), Report(max_bytes=2**40, max_places=2**40)
        each.writer(self.conference, self.open_media, sink, options, report)
        return sink.getvalue(), report


class Unseekable(io.BytesIO):
    """A sink as exports have it."""

    def seekable(self) -> bool:
        return False

    def seek(self, *_: Any) -> int:
        raise io.UnsupportedOperation

    def tell(self) -> int:
        raise io.UnsupportedOperation


def stored(data: bytes, each: Format | None = None) -> Stored:
    """The event that a source makes, in Open Event if no format is given. Raises
    InvalidSourceError."""
    report = Report(max_bytes=2**40, max_places=2**40)
    reader = read if each is None else each.reader
    with Source.open(io.BytesIO(data), ArchiveLimits(), report) as source:
        conference = reader(source, ReadOptions(), report)
        if report.errors:
            raise InvalidSourceError
        plan = make_plan(conference, provisional_ids(conference.counts()), "abcd1234", report)
        files = _store(conference, plan.media, source)
    if report.errors:
        raise InvalidSourceError
    (links,) = (set(table.rows) for table in plan.tables if table.table == LINK_TABLE)
    return Stored(as_stored(conference, links), files, report)


def _store(conference: Conference, media: list[PlannedMedia], source: Source) -> dict[str, bytes]:
    """Set the URLs of the files that the source holds, as an import does."""
    kinds = {level.table: level.kind for level in IMPORT_ORDER}
    rows = {
        (kind, record.new_id): record
        for kind, found in conference.records.items()
        for record in found
    }
    files = {}
    for item in media:
        if item.entry is None:
            continue
        name = item.entry.rpartition("/")[2]
        url = f"{BASE}/media/events/1/{item.table}/{item.row_id}/{item.field}/{name}"
        rows[kinds[item.table], item.row_id].values[item.field] = url
        files[url] = b"".join(source.read(item.entry))
    return files


def facts(event: Stored) -> dict[str, Any]:
    """All that a stored event says, with the bytes of its files for their URLs, and the positions
    of records for their ids."""
    places = {
        (kind, record.new_id): index
        for kind in Kind
        for index, record in enumerate(event.conference.records(kind))
    }
    columns = {f"{kind}_id": kind for kind in Kind}
    found: dict[str, Any] = {}
    for kind in Kind:
        found[kind] = [
            {
                "source id": record.key,
                "extra": record.extra,
                "values": {
                    name: event.files.get(value, value) if isinstance(value, str) else value
                    for name, value in record.values.items()
                },
                "linked": {
                    column: places[columns[column], number]
                    for column, number in record.foreign_keys.items()
                },
                "references": record.references,
            }
            for record in event.conference.records(kind)
        ]
    found["links"] = sorted(
        (places[Kind.SESSION, session], places[Kind.SPEAKER, speaker])
        for session, speaker in event.conference.links()
    )
    return found
