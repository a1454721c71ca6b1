"""A schedule.json, read as a stream, as the parts that it is made of.

The days hold rooms, which hold events, as this format calls sessions; the second schema has one
list of events. Lists of rooms, tracks and persons stand beside them. Programs put the conference
inside `schedule`, beside it, or in its place, so a list is read wherever it stands. Each event is
one bounded value.
"""

from collections import defaultdict, deque
from dataclasses import dataclass, field
from typing import Any, Final

from eventimport.formats.bounded_json.document import JsonDocument, storable_text
from eventimport.formats.bounded_json.outline import outline
from eventimport.formats.format import EVERY, Progress
from eventimport.formats.schedules.document import other_document, whole
from eventimport.formats.schedules.json_values import EMPTY

ROOT: Final = "root"
SCHEDULE: Final = "schedule"
CONFERENCE: Final = "conference"
LEVELS: Final = (CONFERENCE, SCHEDULE, ROOT)
"""The objects that say something of the event, the innermost first."""

_WITHIN: Final = {
    ROOT: {
        "schedule": SCHEDULE,
        "conference": CONFERENCE,
        # Other documents that frab writes: all sessions, and all persons.
        "conference_events": SCHEDULE,
        "schedule_speakers": SCHEDULE,
    },
    SCHEDULE: {"conference": CONFERENCE},
    CONFERENCE: {},
}
_PERSONS: Final = frozenset({"persons", "speakers", "participants"})


@dataclass(slots=True)
class Day:
    """What a day says of itself, without its sessions."""

    says: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RawEvent:
    """An event as the document has it, the line where it begins, and the day and the room that it
    stands in."""

    value: dict[str, Any]
    line: int
    day: Day | None = None
    room: str | None = None


@dataclass(slots=True)
class Parts:
    """The parts of one schedule. `says` are the other values by the object that they stand in;
    `repeated` are values of keys that an object has twice."""

    says: dict[str, dict[str, Any]] = field(default_factory=lambda: {name: {} for name in LEVELS})
    repeated: dict[str, list[Any]] = field(default_factory=lambda: defaultdict(list))
    days: list[Day] = field(default_factory=list)
    events: deque[RawEvent] = field(default_factory=deque)
    rooms: list[dict[str, Any]] = field(default_factory=list)
    tracks: list[dict[str, Any]] = field(default_factory=list)
    persons: list[dict[str, Any]] = field(default_factory=list)
    rooms_of_days: dict[str, None] = field(default_factory=dict)
    is_flat: bool = False
    """Whether the events stand in one list, as in the second schema."""


def begins_as_schedule(beginning: bytes) -> bool:
    """Whether a document that begins so is a schedule.json."""
    keys = outline(beginning)
    if keys & {"schedule.conference", "schedule.days", "schedule.events"}:
        return True
    if "conference" in keys and keys & {"conference.days", "conference.daysCount", "days"}:
        return True
    return bool(keys & {"conference_events.events", "schedule_speakers.speakers"})


def read_parts(document: JsonDocument, progress: Progress) -> Parts:
    """Read a document. What is wrong with single values is reported.

    Raises ArchiveError, its finding in the report too, if the document is not JSON, beyond a limit
    or another format.
    """
    reader = _PartsReader(document, progress)
    with whole(document) as mark:
        if mark == "{":
            reader.read_object(ROOT)
        elif mark:
            document.value()
    if reader.found <= {ROOT}:
        message = "The file is not schedule.json: it has neither “schedule” nor “conference”"
        raise other_document(document, "not-a-schedule", message, reader.parts.says[ROOT])
    return reader.parts


class _PartsReader:
    def __init__(self, document: JsonDocument, progress: Progress) -> None:
        self.parts = Parts()
        self.found: set[str] = set()
        self._document = document
        self._progress = progress

    def read_object(self, level: str) -> None:
        """Read the object that begins here, and those in it that a schedule is made of."""
        self.found.add(level)
        document = self._document
        for key, mark in document.members():
            inner = _WITHIN[level].get(key)
            if mark == "{" and inner is not None:
                self.read_object(inner)
            elif mark == "[" and key == "days":
                self._read_days()
            elif mark == "[" and key == "events":
                self.parts.is_flat = True
                self._read_events(None, None)
            elif mark == "[" and key in _PERSONS:
                self._read_named(self.parts.persons)
            elif mark == "[" and key == "rooms":
                self._read_named(self.parts.rooms)
            elif mark == "[" and key == "tracks":
                self._read_named(self.parts.tracks)
            else:
                self._keep(self.parts.says[level], key)

    def _keep(self, says: dict[str, Any], key: str) -> None:
        """Read a value, and keep it by its key."""
        document = self._document
        checked = document.record({key: document.value()})
        for name, value in (checked or {}).items():
            if value in EMPTY:
                continue
            if name in says:
                self.parts.repeated[name].append(value)
            else:
                says[name] = value

    def _read_days(self) -> None:
        document = self._document
        for _ in document.objects(len(self.parts.days)):
            day = Day()
            self.parts.days.append(day)
            for key, mark in document.members():
                if mark == "{" and key == "rooms":
                    self._read_rooms_of(day)
                elif mark == "[" and key == "events":
                    self._read_events(day, None)
                else:
                    self._keep(day.says, key)
        document.count(None)

    def _read_rooms_of(self, day: Day) -> None:
        others: dict[str, Any] = {}
        for key, mark in self._document.members():
            name = storable_text(key)
            self.parts.rooms_of_days.setdefault(name)
            if mark == "[":
                self._read_events(day, name)
            else:
                self._keep(others, name)
        if others:
            day.says["rooms"] = others

    def _read_events(self, day: Day | None, room: str | None) -> None:
        document, events = self._document, self.parts.events
        for _, value in document.elements(len(events)):
            record = document.record(value)
            if record is None:
                continue
            line, _ = document.stream.location(document.reader.start)
            events.append(RawEvent(record, line, day, room))
            if len(events) % EVERY == 0:
                self._progress("Reading the schedule", len(events), 0)
        document.count(None)

    def _read_named(self, found: list[dict[str, Any]]) -> None:
        """Read a list of rooms, tracks or persons; of some, only the names are given."""
        document = self._document
        for _, value in document.elements(len(found)):
            record = document.record({"name": value} if isinstance(value, str) else value)
            if record:
                found.append(record)
        document.count(None)
