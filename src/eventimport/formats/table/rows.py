"""Sessions and speakers as rows of a table: one record a row, with names in place of ids.

Rich texts are plain here. Times are local to the event, in ISO 8601 with their offset.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from eventimport.conference.conference import Record
from eventimport.conference.kinds import DELETED, SHAPES, Kind
from eventimport.conference.report import Report
from eventimport.conference.stored import StoredConference
from eventimport.formats.schedules.flavours import plain_of
from eventimport.formats.schedules.losses import Keeps, Losses
from eventimport.formats.schedules.written_values import in_offset, iso

Value = str | int | float | bool | None

BETWEEN: Final = ", "
"""What stands between the names of several speakers or sessions."""

_REFERENCES: Final = {"track": Kind.TRACK, "room": Kind.MICROLOCATION, "type": Kind.SESSION_TYPE}
_COLUMNS_OF: Final = {"track": "track_id", "room": "microlocation_id", "type": "session_type_id"}
_FIRST: Final[Mapping[Kind, tuple[str, ...]]] = {
    Kind.SESSION: (
        "title",
        "subtitle",
        "starts_at",
        "ends_at",
        "room",
        "track",
        "type",
        "speakers",
    ),
    Kind.SPEAKER: ("name", "sessions"),
}
"""The first columns. All other fields of the kind follow."""

_NAMED: Final = frozenset({"name"})

FIELDS: Final = {
    Kind.EVENT: frozenset[str](),
    Kind.SESSION: frozenset(SHAPES[Kind.SESSION].fields),
    Kind.SPEAKER: frozenset(SHAPES[Kind.SPEAKER].fields),
    Kind.TRACK: _NAMED,
    Kind.MICROLOCATION: _NAMED,
    Kind.SESSION_TYPE: _NAMED,
}
"""What both tables together have a place for."""


def keeps(title: str, *kinds: Kind) -> Keeps:
    """What a file with the tables of these kinds keeps. Names of what sessions refer to are in the
    table of the sessions."""
    fields = (
        dict(FIELDS)
        if Kind.SESSION in kinds
        else {kind: FIELDS[kind] for kind in (Kind.EVENT, Kind.SPEAKER)}
    )
    if Kind.SPEAKER not in kinds:
        fields[Kind.SPEAKER] = _NAMED
    return Keeps(title=title, fields=fields)


def columns(kind: Kind) -> list[str]:
    """The names of the columns of a kind's table."""
    first = _FIRST[kind]
    return [*first, *(each for each in SHAPES[kind].fields if each not in (*first, DELETED))]


def note_losses(conference: StoredConference, kept: Keeps, report: Report) -> Losses:
    """Count what a file leaves out of the event and of all records."""
    losses = Losses(kept, report)
    for kind in kept.fields:
        for record in conference.records(kind):
            losses.note(kind, record)
    return losses


def rows(conference: StoredConference, kind: Kind) -> Iterator[list[Value]]:
    """The rows of a kind's table, in the order of the ids. What is deleted is left out."""
    return _sessions(conference) if kind is Kind.SESSION else _speakers(conference)


def _sessions(conference: StoredConference) -> Iterator[list[Value]]:
    names = {kind: _names(conference, kind) for kind in (*_REFERENCES.values(), Kind.SPEAKER)}
    links = conference.links()
    link = next(links, None)
    for record in conference.records(Kind.SESSION):
        speakers = []
        while link is not None and link[0] <= record.new_id:
            if link[0] == record.new_id:
                speakers.append(names[Kind.SPEAKER].get(link[1], ""))
            link = next(links, None)
        said: dict[str, Value] = {
            name: names[kind].get(record.foreign_keys.get(_COLUMNS_OF[name], 0))
            for name, kind in _REFERENCES.items()
        }
        said["speakers"] = BETWEEN.join(filter(None, speakers))
        if DELETED not in record.values:
            yield _row(conference, Kind.SESSION, record, said)


def _speakers(conference: StoredConference) -> Iterator[list[Value]]:
    titles = {
        record.new_id: record.values.get("title", "")
        for record in conference.records(Kind.SESSION)
        if DELETED not in record.values
    }
    sessions: dict[int, list[str]] = {}
    for session, speaker in conference.links():
        if session in titles:
            sessions.setdefault(speaker, []).append(titles[session])
    for record in conference.records(Kind.SPEAKER):
        if DELETED not in record.values:
            said: dict[str, Value] = {"sessions": BETWEEN.join(sessions.get(record.new_id, []))}
            yield _row(conference, Kind.SPEAKER, record, said)


def _names(conference: StoredConference, kind: Kind) -> dict[int, str]:
    return {record.new_id: record.values.get("name", "") for record in conference.records(kind)}


def _row(
    conference: StoredConference, kind: Kind, record: Record, said: dict[str, Value]
) -> list[Value]:
    rich = SHAPES[kind].rich
    row: list[Value] = []
    for name in columns(kind):
        value: Any = said[name] if name in said else record.values.get(name)
        if isinstance(value, datetime):
            value = iso(in_offset(value, conference.zone))
        elif name in rich and isinstance(value, str):
            value = plain_of(value)
        row.append(value)
    return row
