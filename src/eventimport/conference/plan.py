"""Records → the plan of an import: every row, link and media file, before the first is written."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Final, Literal, Protocol
from urllib.parse import unquote

from eventimport.conference.conference import Conference, Record, place_of
from eventimport.conference.kinds import IMPORT_ORDER, LEVELS, LINK_TABLE, SHAPES, Kind, MediaType
from eventimport.conference.linking import Linker
from eventimport.conference.media import FoundFile, MediaIndex, MediaSource, read_source, spellings
from eventimport.conference.programme import check_programme
from eventimport.conference.report import Check, Place, Report, go_on, shortened, shown

Origin = Literal["archive", "remote", "inline"]
_ORIGINS: Final[dict[str, Origin]] = {"link": "remote", "data": "inline"}

LISTED_MEDIA: Final = 100
"""Media files that a report lists. It counts all."""

_to_json: Final = json.JSONEncoder(ensure_ascii=False).encode


Row = tuple[Any, ...]


class Rows(Protocol):
    """Rows, which may be made anew each time that they are iterated over."""

    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[Row]: ...


@dataclass(frozen=True, slots=True)
class TableRows:
    """Rows of one table, values in the order of `columns`. Times are in UTC; JSON is text."""

    table: str
    columns: tuple[str, ...]
    rows: Rows


@dataclass(frozen=True, slots=True)
class RecordRows:
    """A row for each record of a kind, made when it is asked for: while the database is busy with
    the rows before it. `of_event` is the event's id, or, in its own row, its identifier; `keys` are
    the columns of foreign keys."""

    records: list[Record]
    of_event: int | str
    fields: tuple[str, ...]
    keys: tuple[str, ...]
    defaults: Mapping[str, Any]

    def __len__(self) -> int:
        return len(self.records)

    def __iter__(self) -> Iterator[Row]:
        fields, keys, of_event = self.fields, self.keys, self.of_event
        defaults = self.defaults.items()
        for record in self.records:
            given = record.values
            for name, default in defaults:
                given.setdefault(name, default)
            yield (
                record.new_id,
                of_event,
                record.key,
                _to_json(record.extra) if record.extra else "{}",
                *map(given.get, fields),
                *map(record.foreign_keys.get, keys),
            )


@dataclass(frozen=True, slots=True)
class PlannedMedia:
    """A file to be moved to storage: `source` is what the record says; `entry` is the entry's name
    in the archive, or None if the file is remote, missing, or in `source` itself as a `data:` URL
    (`inline`). Its URL goes to `field` of the row
    `row_id` of `table`."""

    table: str
    row_id: int
    field: str
    source: str
    origin: Origin
    media_type: MediaType
    entry: str | None
    place: Place

    @property
    def missing(self) -> bool:
        """Whether the archive names the file but does not hold it."""
        return self.origin == "archive" and self.entry is None

    def as_dict(self) -> dict[str, Any]:
        """The media file as the report lists it."""
        return {
            "table": self.table,
            "row_id": str(self.row_id),
            "field": self.field,
            "source": shortened(self.source),
            "origin": self.origin,
            "outcome": "MISSING" if self.missing else "PLANNED",
        }


@dataclass(slots=True)
class Plan:
    """What an import writes, in the order that foreign keys need."""

    event_id: int
    identifier: str
    event_name: str
    tables: list[TableRows] = field(default_factory=list)
    media: list[PlannedMedia] = field(default_factory=list)
    first_import: dict[str, Any] | None = None

    @property
    def counts(self) -> dict[str, int]:
        """Rows per table."""
        return {table.table: len(table.rows) for table in self.tables}

    def clear(self) -> None:
        """Let go of the records, some at a time: freed all at once, a large event's would hold
        every other thread for as long as that takes."""
        for table in self.tables:
            if isinstance(table.rows, RecordRows):
                while table.rows.records:
                    del table.rows.records[-1_000:]

    def media_report(self) -> dict[str, Any]:
        """How many media come from where, and the first of them one by one."""
        return {
            "archive": sum(1 for item in self.media if item.origin == "archive"),
            "missing": sum(1 for item in self.media if item.missing),
            "remote": sum(1 for item in self.media if item.origin == "remote"),
            "items": [item.as_dict() for item in self.media[:LISTED_MEDIA]],
        }


def provisional_ids(counts: Mapping[str, int]) -> dict[str, list[int]]:
    """Ids for a plan that is never written: that of a dry run."""
    numbers = count(1)
    return {table: [next(numbers) for _ in range(number)] for table, number in counts.items()}


def make_plan(
    conference: Conference,
    ids: Mapping[str, Sequence[int]],
    identifier: str,
    report: Report,
    *,
    check: Check = go_on,
) -> Plan:
    """Plan the import of a conference. `ids` holds, for each table, as many new ids, in ascending
    order, as `conference.counts()` says; `identifier` is the event's new one. The rows
    are made of the conference's records when they are iterated over; all that there is to find is
    found before."""
    for level in IMPORT_ORDER:
        records = conference.records[level.kind]
        for record, new_id in zip(records, ids[level.table], strict=True):
            record.new_id = new_id
    links = Linker(conference, report, check).link()
    check_programme(conference, links, report, check)
    media = _MediaPlanner(conference.files, report)
    event = conference.event
    plan = Plan(event.new_id, identifier, event.values.get("name", ""))
    plan.first_import = conference.first_import
    for level in IMPORT_ORDER:
        records = conference.records[level.kind]
        for record in records:
            check()
            media.plan(level.kind, record, conference.entries[level.kind])
        plan.tables.append(_rows(level.kind, records, event.new_id, identifier))
    media.tell_unused()
    plan.tables.append(TableRows(LINK_TABLE, ("session_id", "speaker_id"), sorted(links)))
    plan.media = media.planned
    return plan


def _rows(kind: Kind, records: list[Record], event_id: int, identifier: str) -> TableRows:
    level = LEVELS[kind]
    fields = SHAPES[kind].fields
    keys = tuple(ref.column for ref in level.references if not ref.many)
    second = "identifier" if kind is Kind.EVENT else "event_id"
    of_event = identifier if kind is Kind.EVENT else event_id
    columns = ("id", second, "source_id", "extra", *fields, *keys)
    return TableRows(
        level.table, columns, RecordRows(records, of_event, fields, keys, level.defaults)
    )


class _MediaPlanner:
    """Plans the media of one event; `index` finds the archive's files."""

    def __init__(self, index: MediaIndex, report: Report) -> None:
        self.planned: list[PlannedMedia] = []
        self._index = index
        self._report = report
        self._used: set[str] = set()

    def plan(self, kind: Kind, record: Record, entry: str) -> None:
        """Plan the media that a record names. Its fields hold, from now on, what the row is to hold
        until a file has its URL: nothing, or the link."""
        for name, media_type in SHAPES[kind].media.items():
            source = record.values.get(name)
            if source is None:
                continue
            place = place_of(record, entry, name)
            read = read_source(source)
            origin = _ORIGINS.get(read.sort, "archive")
            found = self._find(read, source, place) if origin == "archive" else None
            if read.sort == "link":
                record.values[name] = read.text
                if read.text != source:
                    message = "The link has no `https://`. It was added."
                    self._report.repair("media-link", message, place, source)
            else:
                del record.values[name]
            self.planned.append(
                PlannedMedia(
                    LEVELS[kind].table,
                    record.new_id,
                    name,
                    source if origin == "archive" else read.text,
                    origin,
                    media_type,
                    found,
                    place,
                )
            )

    def tell_unused(self) -> None:
        """Report the entries that no record names: they are not taken over."""
        for path, name in self._index.files.items():
            if path not in self._used:
                message = "No record names this file. It was not imported."
                self._report.warning("unused-entry", message, Place(name))

    def _find(self, read: MediaSource, source: str, place: Place) -> str | None:
        if read.sort == "computer":
            what = "`file:` link" if source.strip()[:5].lower() == "file:" else "Windows path"
            message = (
                f"The value is a {what}, which names a file on a computer. The archive"
                " does not contain that file, and the event does not show it."
            )
            self._report.warning("media-missing", message, place, source)
            return None
        path = read.text.replace("\\", "/")
        by_base: tuple[FoundFile, str] | None = None
        for candidate in spellings(read.text):
            found = self._index.find(candidate)
            if found is not None and found.how == "base-name":
                by_base = by_base or (found, candidate)
            elif found is not None:
                return self._use(found, candidate, source, place)
        if by_base is not None:
            return self._use(*by_base, source, place)
        refusal = self._index.refusal(path)
        if refusal is None:
            message = "The archive does not contain this file. The event does not show it."
            self._report.warning("media-missing", message, place, source)
        elif refusal.code == "unsafe-name":
            self._report.error(refusal.code, refusal.message, place, source)
        else:
            message = f"The file is in the archive, but it cannot be read. {refusal.message}"
            self._report.warning("media-unreadable", message, place, source)
        return None

    def _use(self, found: FoundFile, candidate: str, source: str, place: Place) -> str:
        self._used.add(found.path)
        self._report_spelling(found, place, source)
        if found.how == "exact" and candidate not in (source, unquote(source)):
            message = f"The path was read as “{shown(found.path)}”."
            self._report.repair("media-spelling", message, place, source)
        return found.entry

    def _report_spelling(self, found: FoundFile, place: Place, source: str) -> None:
        spelled = f"“{shown(found.path)}”"
        if found.how == "spelling":
            message = f"The file is named {spelled} in the archive. It is used."
            self._report.repair("media-spelling", message, place, source)
        elif found.how == "several":
            message = (
                "Several files have this name, apart from case or Unicode form."
                f" {spelled} was used."
            )
            self._report.warning("media-spelling", message, place, source)
        elif found.how == "base-name":
            message = (
                f"The archive does not contain a file with this path. {spelled},"
                " the only file with this name, was used."
            )
            self._report.warning("media-spelling", message, place, source)
