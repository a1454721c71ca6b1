"""Conferences that are written in a format and read back, and what may differ then."""

import io
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from tests.memory_conference import MemoryConference, as_stored

from eventimport.conference.conference import Conference, Record
from eventimport.conference.kinds import LINK_TABLE, Kind
from eventimport.conference.plan import make_plan, provisional_ids
from eventimport.conference.report import Report
from eventimport.conference.stored import StoredConference
from eventimport.formats import detect, format_named
from eventimport.formats.format import ReadOptions, WriteOptions
from eventimport.formats.limits import ArchiveError, ArchiveLimits
from eventimport.formats.schedules.flavours import plain_of
from eventimport.formats.schedules.identities import (
    given_guid,
    given_id,
    valid_guid,
    valid_number,
)
from eventimport.formats.schedules.losses import Keeps
from eventimport.formats.schedules.stored_programme import is_shown
from eventimport.formats.schedules.written_values import hex_color, one_line
from eventimport.formats.source import Source

OPTIONS = WriteOptions(
    event_url="https://events.example.org/events/ab12cd34",
    base_url="https://events.example.org",
    version="1.2.3",
    now=datetime(2027, 5, 1, 12, tzinfo=UTC),
)
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
SCHEDULES = ("schedule-xml", "schedule-json", "ical", "xcal")


def read(
    data: bytes, timezone: str | None = None, **options: Any
) -> tuple[Conference | None, Report]:
    """Read a source in the format that its content shows. None if that is not possible."""
    report = Report()
    try:
        with Source.open(io.BytesIO(data), ArchiveLimits(), report) as source:
            found = detect(source)
            if found is None:
                return None, report
            conference = found.reader(source, ReadOptions(timezone=timezone, **options), report)
    except ArchiveError:
        return None, report
    return (None if report.errors else conference), report


def stored(conference: Conference) -> MemoryConference:
    """A conference that was read, as it is once it is stored."""
    kept = replace(conference, records={k: [*v] for k, v in conference.records.items()})
    plan = make_plan(conference, provisional_ids(kept.counts()), "ab12cd34", Report())
    links = next(table.rows for table in plan.tables if table.table == LINK_TABLE)
    return as_stored(kept, [(int(row[0]), int(row[1])) for row in links])


def written(name: str, conference: StoredConference) -> tuple[bytes, Report]:
    """A conference in a format, and the report of its losses."""
    report, sink = Report(), io.BytesIO()
    format_named(name).writer(conference, lambda _: None, sink, OPTIONS, report)
    return sink.getvalue(), report


def named(conference: StoredConference, kind: Kind) -> dict[int, str]:
    """The names of a kind's records, by their ids."""
    return {
        record.new_id: one_line(record.values.get("name", ""))
        for record in conference.records(kind)
    }


def sessions(conference: StoredConference) -> Iterator[tuple[Record, dict[str, Any]]]:
    """Each session of the programme, and the names of what it refers to."""
    names = {kind: named(conference, kind) for kind in Kind if kind is not Kind.SESSION}
    speakers: dict[int, list[str]] = {}
    for session, speaker in conference.links():
        speakers.setdefault(session, []).append(names[Kind.SPEAKER][speaker])
    for record in conference.records(Kind.SESSION):
        if not is_shown(record) or "starts_at" not in record.values:
            continue
        keys = record.foreign_keys
        yield (
            record,
            {
                "room": names[Kind.MICROLOCATION].get(keys.get("microlocation_id", 0), ""),
                "track": names[Kind.TRACK].get(keys.get("track_id", 0), ""),
                "type": names[Kind.SESSION_TYPE].get(keys.get("session_type_id", 0), ""),
                "speakers": sorted(filter(None, speakers.get(record.new_id, []))),
            },
        )


def comparable(conference: StoredConference, keeps: Keeps, codes: set[str]) -> dict[str, Any]:
    """What must come back out of a format, but for what its report, by `codes`, calls lost."""
    fields = keeps.fields
    found: dict[str, Any] = {"name": one_line(conference.event.values["name"])}
    if "time-zone" not in codes:
        found["timezone"] = conference.event.values["timezone"]
    if "color" in fields[Kind.TRACK]:
        # The first of those with one name.
        found["colors"] = {
            one_line(record.values["name"]): hex_color(record.values.get("color"))
            for record in reversed([*_by_position(conference, Kind.TRACK)])
            if one_line(record.values["name"])
        }
        rooms = _by_position(conference, Kind.MICROLOCATION)
        found["rooms"] = list(
            dict.fromkeys(filter(None, (one_line(each.values["name"]) for each in rooms)))
        )
    found["sessions"] = sorted(
        (
            sorted(_session(record, refers, keeps, codes).items())
            for record, refers in sessions(conference)
        ),
        key=repr,
    )
    if "control-characters" not in codes:
        return found
    legal: dict[str, Any] = _without_control_characters(found)
    for name in ("colors", "rooms"):
        if name in legal:
            named_ones = legal[name]
            legal[name] = (
                {key: value for key, value in named_ones.items() if key}
                if isinstance(named_ones, dict)
                else list(dict.fromkeys(filter(None, named_ones)))
            )
    return legal


def _without_control_characters(value: Any) -> Any:
    if isinstance(value, str):
        return one_line(_CONTROL.sub("", value))
    if isinstance(value, dict):
        strip = _without_control_characters
        return {strip(key): strip(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(map(_without_control_characters, value))
    return value


def _by_position(conference: StoredConference, kind: Kind) -> list[Record]:
    def order(record: Record) -> tuple[bool, int, int]:
        position = record.values.get("position")
        return position is None, position or 0, record.new_id

    return sorted(conference.records(kind), key=order)


def _session(
    record: Record, refers: dict[str, Any], keeps: Keeps, codes: set[str]
) -> dict[str, Any]:
    kept = keeps.fields[Kind.SESSION]
    values = record.values
    starts = values["starts_at"].replace(microsecond=0)
    ends = values.get("ends_at")
    said: dict[str, Any] = {
        "title": one_line(values["title"]),
        "room": refers["room"],
        "track": refers["track"],
        "speakers": sorted({*refers["speakers"]}) if "same-name" in codes else refers["speakers"],
        "starts": starts,
    }
    if not codes & {"no-end", "ends-before-start", "long-session", "seconds"}:
        said["ends"] = ends and ends.replace(microsecond=0)
    if Kind.SESSION_TYPE in keeps.fields and "same-type" not in codes:
        said["type"] = refers["type"]
    if "subtitle" in kept:
        said["subtitle"] = one_line(values.get("subtitle", ""))
    if "language" not in codes:
        said["language"] = values.get("language")
    if not codes & {"control-characters", "two-texts"}:
        texts = [values.get(name) or "" for name in ("short_abstract", "long_abstract")]
        if "short_abstract" not in kept:
            texts = [_text(next(filter(None, reversed(texts)), ""))]
        said["texts"] = [_text(text) for text in texts]
    return said


def identities(conference: StoredConference) -> tuple[set[str], set[int]]:
    """The valid guids and ids that the sessions of the programme came with."""
    shown = [record for record, _ in sessions(conference)]
    guids = {valid_guid(given_guid(each.key, each.extra)) for each in shown}
    ids = {valid_number(given_id(each.key, each.extra)) for each in shown}
    return {each.lower() for each in guids if each}, {each for each in ids if each}


def _text(text: str) -> str:
    """A text without what its markup is made of: a paragraph may have tags or not."""
    return " ".join(plain_of(text).split())
