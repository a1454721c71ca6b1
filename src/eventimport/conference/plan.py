"""Records → the plan of an import: every row, link and medium, before the first is written."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Final, Protocol

from eventimport.conference.kinds import IMPORT_ORDER, LEVELS, LINK_TABLE, SHAPES, Kind
from eventimport.conference.linking import Linker
from eventimport.conference.media_index import MediaIndex
from eventimport.conference.media_plan import MediaPlanner, PlannedMedia
from eventimport.conference.programme import check_programme
from eventimport.conference.report import Check, Report, go_on
from eventimport.formats.openevent.reader import Conference
from eventimport.formats.openevent.record_reader import SourceRecord

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

    records: list[SourceRecord]
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


@dataclass(slots=True)
class Plan:
    """What an import writes, in the order that foreign keys need."""

    event_id: int
    identifier: str
    event_name: str
    tables: list[TableRows] = field(default_factory=list)
    media: list[PlannedMedia] = field(default_factory=list)

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
    files: MediaIndex,
    report: Report,
    *,
    check: Check = go_on,
) -> Plan:
    """Plan the import of a conference. `ids` holds, for each table, as many new ids, in ascending
    order, as `conference.counts()` says; `identifier` is the event's new one; `files` are
    the archive's. The rows are made of the conference's records when
    they are iterated over; all that there is to find is found before."""
    for level in IMPORT_ORDER:
        records = conference.records[level.kind]
        for record, new_id in zip(records, ids[level.table], strict=True):
            record.new_id = new_id
    links = Linker(conference, report, check).link()
    check_programme(conference, links, report, check)
    media = MediaPlanner(files, report)
    event = conference.event
    plan = Plan(event.new_id, identifier, event.values.get("name", ""))
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


def _rows(kind: Kind, records: list[SourceRecord], event_id: int, identifier: str) -> TableRows:
    level = LEVELS[kind]
    fields = SHAPES[kind].fields
    keys = tuple(ref.column for ref in level.references if not ref.many)
    second = "identifier" if kind is Kind.EVENT else "event_id"
    of_event = identifier if kind is Kind.EVENT else event_id
    columns = ("id", second, "source_id", "extra", *fields, *keys)
    return TableRows(
        level.table, columns, RecordRows(records, of_event, fields, keys, level.defaults)
    )
