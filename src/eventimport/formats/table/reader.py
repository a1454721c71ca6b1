"""Tables of sessions and of speakers → a conference.

A row is a session or a speaker; headers say what the columns are. A column whose header is not
known is kept in `extra`.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import Any, Final

from eventimport.conference.conference import Conference
from eventimport.conference.kinds import SHAPES, Kind
from eventimport.conference.report import Place, Report, shortened
from eventimport.errors import size_in_words
from eventimport.formats.format import EVERY, ReadOptions
from eventimport.formats.limits import ArchiveError, document_too_large, report_errors
from eventimport.formats.schedules.flavours import Flavour
from eventimport.formats.schedules.media_fields import MediaFields
from eventimport.formats.schedules.schedule import (
    IDENTIFIERS,
    Person,
    Schedule,
    Session,
    too_many_records,
)
from eventimport.formats.source import Source
from eventimport.formats.table.headers import SPEAKER, SPEAKERS, Header, find_header, is_group
from eventimport.formats.table.moments import Order, slot_of
from eventimport.formats.table.persons import People, ids_in
from eventimport.formats.table.sheets import SNIFFED, Cell, Row, Sheet

_TIMES: Final = ("date", "starts_at", "end_date", "ends_at", "duration")
_OF_PRETALX: Final = ("Proposal ", "Einreichungsstatus", "Einreichungsart", "Einreichungs-IDs")
"""What the headers of columns begin with that only pretalx writes."""

_SESSION_FIELDS: Final = frozenset(SHAPES[Kind.SESSION].fields)
_SPEAKER_FIELDS: Final = frozenset(SHAPES[Kind.SPEAKER].fields)
_LISTED: Final = 20
_MOST_PARTS: Final = 20
"""Parts of a title between commas. In longer titles, lists of titles are not looked for."""

_MOST_NAMESAKES: Final = 100
"""Sessions with one title that a speaker may name by it."""


@dataclass(slots=True)
class _Table:
    """A table whose header was found, and all rows below it."""

    sheet: Sheet
    header: Header
    above: list[Row] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)


@dataclass(slots=True)
class _Waiting:
    """A session whose speakers are not known yet: the cells that name one of them, and those that
    name any number of them, or their ids."""

    session: Session
    single: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)


def read_sheets(
    sheets: Iterable[Sheet], source: Source, options: ReadOptions, report: Report, entry: str
) -> Conference:
    """Make a conference of tables. Raises ArchiveError, its finding in the report too, if none of
    them is one of sessions or speakers, or a limit is exceeded."""
    with report_errors(report):
        return _ConferenceReader(source, options, report, entry).read(sheets)


class _ConferenceReader:
    def __init__(self, source: Source, options: ReadOptions, report: Report, entry: str) -> None:
        self._source = source
        self._options = options
        self._report = report
        self._entry = entry
        self._limits = source.limits
        self._files = source.index
        self._media = MediaFields(report, entry)
        self._people = People()
        self._waiting: list[_Waiting] = []
        self._by_row: dict[tuple[str, str, str, str], _Waiting] = {}
        self._by_title: dict[str, list[_Waiting]] = {}
        self._rows = self._cells = self._characters = 0
        self._schedule = Schedule.of(source, options, report, entry)
        self._schedule.is_administrative = IDENTIFIERS.__contains__

    def read(self, sheets: Iterable[Sheet]) -> Conference:
        tables = self._tables(sheets)
        schedule = self._schedule
        is_of_pretalx = any(
            name.startswith(_OF_PRETALX) for table in tables for name in table.header.names
        )
        schedule.flavour = Flavour.MARKDOWN if is_of_pretalx else Flavour.PLAIN
        for table in tables:
            self._keep_above(table)
            if table.header.kind is Kind.SESSION:
                self._read_sessions(table)
        has_speakers = any(each.single or each.names or each.ids for each in self._waiting)
        for table in tables:
            if table.header.kind is Kind.SPEAKER:
                self._read_speakers(table, links=not has_speakers)
        for waiting in self._waiting:
            self._name_speakers(waiting)
            self._media.resolve(self._files)
            schedule.add(waiting.session)
        return schedule.finish()

    def _tables(self, sheets: Iterable[Sheet]) -> list[_Table]:
        tables: list[_Table] = []
        unknown: list[tuple[Sheet, list[Row]]] = []
        for sheet in sheets:
            first: list[Row] = []
            rows = self._counted(sheet)
            for row in rows:
                first.append(row)
                if len(first) == SNIFFED:
                    break
            header = find_header(row.cells for row in first)
            if header is None:
                unknown.append((sheet, first))
                continue
            table = _Table(sheet, header, first[: header.index], first[header.index + 1 :])
            table.rows += rows
            tables.append(table)
        if not tables:
            raise ArchiveError("no-table", _explanation(unknown), Place(self._entry))
        for sheet, first in unknown:
            if any(not row.is_empty for row in first):
                name = sheet.name or sheet.entry
                message = (
                    f"“{shortened(name)}” is a table of neither sessions nor speakers, by its "
                    "headers. It was left out."
                )
                self._report.warning("unknown-table", message, Place(sheet.entry))
        return tables

    def _counted(self, sheet: Sheet) -> Iterator[Row]:
        for row in sheet.rows:
            self._source.check()
            self._rows += 1
            self._cells += len(row.cells)
            if self._rows > self._limits.max_records + SNIFFED:
                raise too_many_records(self._limits, self._entry)
            if self._cells > self._limits.max_values:
                message = (
                    f"The tables have more than {self._limits.max_values:,} cells. The limit is "
                    "set by MAX_VALUES."
                )
                raise ArchiveError("too-many-values", message, Place(self._entry, line=row.line))
            if sheet.name is not None:
                self._bound_texts(row)
            if self._rows % EVERY == 0:
                self._options.progress("Reading the table", self._rows, 0)
            yield row

    def _bound_texts(self, row: Row) -> None:
        """Bound what the cells of a workbook say: a file holds a text once that many cells have."""
        count = sum(len(cell) for cell in row.cells if isinstance(cell, str))
        self._characters += count
        if count > self._limits.max_record_bytes:
            size = size_in_words(self._limits.max_record_bytes)
            message = f"A row is larger than {size}. The limit is set by MAX_RECORD_BYTES."
            raise ArchiveError("record-too-long", message, Place(self._entry, line=row.line))
        if self._characters > self._limits.max_document_bytes:
            raise document_too_large(self._limits, self._entry)

    def _keep_above(self, table: _Table) -> None:
        """What stands above the header is about the event: its first text is the name."""
        texts = [
            str(cell)
            for row in table.above
            for cell in row.cells
            if cell not in (None, "") and not is_group(cell)
        ]
        if not texts:
            return
        if "name" not in self._schedule.event and self._options.name is None:
            name = self._schedule.event["name"] = texts.pop(0)
            message = f"“{shortened(name)}”, which stands above the table, is the event's name now."
            self._report.warning("name-above", message, Place(table.sheet.entry, line=1))
        if texts:
            self._schedule.event_extra.setdefault("above_tables", []).extend(texts)

    def _read_sessions(self, table: _Table) -> None:
        header = table.header
        places = {name: header.fields.index(name) for name in _TIMES if name in header.fields}
        order = Order(_cell(row, place) for row in table.rows for place in places.values())
        last: date | None = None
        index = 0
        for row in table.rows:
            if row.is_empty:
                continue
            fields, extra = self._said(row, header)
            times = {name: fields.pop(name, None) for name in _TIMES}
            who = [_texts(fields, name) for name in (SPEAKER, SPEAKERS, "speaker_ids")]
            if "title" not in fields:
                self._report_untitled(table, row, index)
                continue
            slot, last = slot_of(
                day=times["date"],
                start=times["starts_at"],
                end_day=times["end_date"],
                end=times["ends_at"],
                duration=times["duration"],
                order=order,
                last_day=last,
            )
            session = Session(fields={}, slot=slot, extra=extra, line=row.line)
            session.id = _text(fields.pop("id", None))
            for name, attribute in (("room", "room"), ("track", "track"), ("type", "session_type")):
                setattr(session, attribute, _text(fields.pop(name, None)))
            self._set_fields(session.fields, extra, fields, _SESSION_FIELDS)
            self._add(_Waiting(session, *who), table)
            index += 1

    def _add(self, waiting: _Waiting, table: _Table) -> None:
        """Add a session, or only the speakers of a row that has the session above again."""
        session = waiting.session
        title = str(session.fields["title"])
        key = (session.id or "", title, str(session.slot.starts), session.room or "")
        known = self._by_row.get(key)
        if known is not None and _is_same(known.session, session):
            known.single += waiting.single
            known.names += waiting.names
            known.ids += waiting.ids
            message = "Rows of the same session were read as one session with all their speakers."
            place = Place(table.sheet.entry, line=session.line, title=title)
            self._report.repair("repeated-session", message, place)
            return
        self._by_row.setdefault(key, waiting)
        self._waiting.append(waiting)
        for name in {_simple(title), _simple(session.id or title)}:
            self._by_title.setdefault(name, []).append(waiting)

    def _report_untitled(self, table: _Table, row: Row, index: int) -> None:
        texts = [str(cell) for cell in row.cells if cell not in (None, "")]
        message = "The row has no title, so it is not a session. It was left out."
        place = Place(table.sheet.entry, index, line=row.line)
        self._report.warning("row-without-title", message, place, texts[:_LISTED])
        self._schedule.event_extra.setdefault("rows_without_title", []).append(texts)

    def _read_speakers(self, table: _Table, *, links: bool) -> None:
        for index, row in enumerate(row for row in table.rows if not row.is_empty):
            fields, extra = self._said(row, table.header)
            name = _text(fields.pop("name", None))
            parts = [_text(fields.pop(key, None)) for key in ("first_name", "last_name")]
            joined = " ".join(filter(None, parts))
            if name is None or joined.split() == name.split():
                name = name or joined
            else:
                extra |= {
                    key: part
                    for key, part in zip(("first_name", "last_name"), parts, strict=True)
                    if part
                }
            if not name:
                texts = [str(cell) for cell in row.cells if cell not in (None, "")]
                message = "The row has no name, so it is not a speaker. It was left out."
                place = Place(table.sheet.entry, index, line=row.line)
                self._report.warning("row-without-name", message, place, len(texts))
                continue
            person = Person(name=name, id=_text(fields.pop("id", None)), extra=extra)
            sessions = _text(fields.pop("sessions", None))
            self._set_fields(person.fields, extra, fields, _SPEAKER_FIELDS)
            self._media.resolve(self._files)
            if sessions is not None:
                self._link_titles(person, sessions, links=links)
            self._people.add(person)
            self._schedule.list_person(person)

    def _link_titles(self, person: Person, cell: str, *, links: bool) -> None:
        """Link a speaker to the sessions whose titles the cell names; if sessions name their
        speakers, that counts. A cell that was not understood is kept."""
        found = self._titled(cell)
        if found is None:
            person.extra["sessions"] = cell
        elif links:
            for waiting in found:
                waiting.single.append(person.name)

    def _titled(self, cell: str) -> list[_Waiting] | None:
        """The sessions whose titles a cell has, line by line or with commas between them; titles
        may hold commas. None if a part of it is not a title, or is that of very many sessions."""
        found: list[_Waiting] = []
        for line in filter(None, map(str.strip, cell.splitlines())):
            parts = _simple(line).split(", ")
            start = 0
            while start < len(parts):
                for count in range(min(_MOST_PARTS, len(parts) - start), 0, -1):
                    known = self._by_title.get(", ".join(parts[start : start + count]), ())
                    if 0 < len(known) <= _MOST_NAMESAKES:
                        found += known
                        start += count
                        break
                else:
                    return None
        return found

    def _name_speakers(self, waiting: _Waiting) -> None:
        session = waiting.session
        names = list(
            dict.fromkeys(
                [
                    *waiting.single,
                    *(name for cell in waiting.names for name in self._people.named_in(cell)),
                ]
            )
        )
        ids = list(dict.fromkeys(each for cell in waiting.ids for each in ids_in(cell)))
        persons = self._people.of_ids(ids) if ids else None
        if persons is not None and (len(persons) == len(names) or not names):
            session.persons = persons
            return
        session.persons = [self._people.find(name) for name in names]
        if ids:
            session.extra["speaker_ids"] = ids

    def _said(self, row: Row, header: Header) -> tuple[dict[str, Any], dict[str, Any]]:
        """What the cells of a row say: by field, and what no field takes by the column's name."""
        fields: dict[str, Any] = {}
        extra: dict[str, Any] = {}
        for place, cell in enumerate(row.cells):
            if cell is None or (isinstance(cell, str) and not cell.strip()):
                continue
            field = header.fields[place] if place < len(header.fields) else None
            name = header.names[place] if place < len(header.names) else ""
            if field in {SPEAKER, SPEAKERS}:
                fields.setdefault(field, []).append(str(cell))
            elif field is not None:
                fields[field] = cell
            else:
                key = name or f"column {place + 1}"
                extra[key if key not in extra else f"{key} ({place + 1})"] = _plain(cell)
        return fields, extra

    def _set_fields(
        self,
        known: dict[str, Any],
        extra: dict[str, Any],
        given: dict[str, Any],
        fields: frozenset[str],
    ) -> None:
        kind = Kind.SESSION if fields is _SESSION_FIELDS else Kind.SPEAKER
        for name, cell in given.items():
            value = _plain(cell)
            if name not in fields:
                extra[name] = value
            elif name in SHAPES[kind].media and isinstance(value, str):
                self._media.add(known, extra, name, name, value)
            elif name == "state" and isinstance(value, str):
                known[name] = value.strip().casefold()
            else:
                known[name] = value


def _is_same(one: Session, other: Session) -> bool:
    """Whether two rows say the same of a session, apart from its speakers."""
    return (
        one.fields == other.fields
        and one.extra == other.extra
        and (one.slot.starts, one.slot.ends, one.slot.length)
        == (other.slot.starts, other.slot.ends, other.slot.length)
        and (one.track, one.session_type) == (other.track, other.session_type)
    )


def _explanation(unknown: list[tuple[Sheet, list[Row]]]) -> str:
    message = (
        "The file has no table of sessions or speakers: no row has the header of a title, or of a "
        "name, and of one more known column."
    )
    headers = next((row.cells for _, first in unknown for row in first if not row.is_empty), [])
    names = ", ".join(
        f"“{shortened(str(cell))}”" for cell in headers[:_LISTED] if cell not in (None, "")
    )
    return f"{message} The first row has: {names}." if names else message


def _cell(row: Row, place: int) -> Cell:
    return row.cells[place] if place < len(row.cells) else None


def _plain(cell: Cell) -> Any:
    """A cell as JSON has it."""
    if isinstance(cell, (datetime, date, time)):
        return cell.isoformat()
    if isinstance(cell, float) and cell == int(cell):
        return int(cell)
    return cell if isinstance(cell, (str, int, float, bool)) or cell is None else str(cell)


def _text(cell: Any) -> str | None:
    value = _plain(cell)
    return (str(value).strip() or None) if value is not None else None


def _texts(fields: dict[str, Any], name: str) -> list[str]:
    value = fields.pop(name, None)
    return [*map(str, value)] if isinstance(value, list) else [] if value is None else [str(value)]


def _simple(text: Any) -> str:
    return " ".join(str(text).split()).casefold()
