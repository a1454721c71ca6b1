"""A document of Sessionize's API, read as a stream, as the parts that it is made of.

The view “All” is an object of lists. The others are lists: “Sessions” of groups, “Schedule grid”
of days with rooms, and “Speakers” of persons. All are read by their keys, so that one reader is
enough. Each session and each person is one bounded value.
"""

import json
from collections import deque
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, Final

from eventimport.formats.bounded_json.document import JsonDocument
from eventimport.formats.bounded_json.outline import outline
from eventimport.formats.format import EVERY, Progress
from eventimport.formats.schedules.document import other_document, whole
from eventimport.formats.schedules.json_values import said

_VIEW_ALL: Final = frozenset({"sessions", "speakers", "rooms", "categories", "questions"})
_GROUP: Final = frozenset({"groupId", "groupName", "sessions"})
_GRID: Final = frozenset({"date", "rooms", "rooms..sessions"})
_PERSON: Final = frozenset({"firstName", "lastName", "fullName"})
_OWN: Final = ("isServiceSession", "isPlenumSession", "startsAt", "roomId", "questionAnswers")
"""Keys of sessions and persons that other programs do not write."""


@dataclass(frozen=True, slots=True)
class RawSession:
    """A session as the document has it, the line where it begins, and what it stands in: the name
    of a group, or a room."""

    value: dict[str, Any]
    line: int
    group: str | None = None
    room: str | None = None


@dataclass(slots=True)
class Parts:
    """The parts of one document. `says` is what it says besides."""

    sessions: deque[RawSession] = field(default_factory=deque)
    speakers: list[dict[str, Any]] = field(default_factory=list)
    rooms: list[dict[str, Any]] = field(default_factory=list)
    categories: list[dict[str, Any]] = field(default_factory=list)
    questions: list[dict[str, Any]] = field(default_factory=list)
    says: dict[str, Any] = field(default_factory=dict)


def begins_as_sessionize(beginning: bytes) -> bool:
    """Whether a document that begins so comes from Sessionize."""
    keys = outline(beginning, depth=3)
    if keys:
        found = keys & _VIEW_ALL
        return bool(found) and any(f"{name}..{own}" in keys for name in found for own in _OWN)
    keys = {key.removeprefix(".") for key in outline(beginning, mark="[", depth=4)}
    return (
        len(keys & _GROUP) > 1
        or keys >= _GRID
        or (len(keys & _PERSON) > 1 and not keys.isdisjoint({"tagLine", "profilePicture"}))
    )


def read_parts(document: JsonDocument, progress: Progress) -> Parts:
    """Read a document. What is wrong with single values is reported.

    Raises ArchiveError, its finding in the report too, if the document is not JSON, beyond a limit
    or of another program.
    """
    reader = _PartsReader(document, progress)
    with whole(document) as mark:
        if mark == "{":
            reader.read_all()
        elif mark == "[":
            reader.read_items()
        elif mark:
            document.value()
    parts = reader.parts
    if not (parts.sessions or parts.speakers):
        message = "The file has neither sessions nor speakers of Sessionize"
        raise other_document(document, "no-sessions", message, parts.says)
    return parts


class _PartsReader:
    def __init__(self, document: JsonDocument, progress: Progress) -> None:
        self.parts = Parts()
        self._document = document
        self._progress = progress
        self._known: set[bytes] = set()

    def read_all(self) -> None:
        """Read the view “All”."""
        parts = self.parts
        lists = {
            "speakers": parts.speakers,
            "rooms": parts.rooms,
            "categories": parts.categories,
            "questions": parts.questions,
        }
        for key, mark in self._document.members():
            if mark == "[" and key == "sessions":
                self._read_sessions()
            elif mark == "[" and key in lists:
                self._read_records(lists[key])
            else:
                self._keep(parts.says, key)

    def read_items(self) -> None:
        """Read a list of groups, of days, or of persons."""
        document = self._document
        for _ in document.objects():
            item: dict[str, Any] = {}
            for key, mark in document.members():
                if mark == "[" and key == "sessions":
                    self._read_sessions_of(item)
                elif mark == "[" and key == "rooms":
                    self._read_rooms()
                elif mark == "[" and key == "timeSlots":
                    # It has the same sessions again, by their starts.
                    for _ in document.elements():
                        pass
                else:
                    self._keep(item, key)
            if not _PERSON.isdisjoint(item):
                self.parts.speakers.append(item)
        document.count(None)

    def _read_sessions_of(self, item: dict[str, Any]) -> None:
        """Read the sessions of a group, or those of a person, which are ids with names."""
        if _PERSON.isdisjoint(item):
            group = item.get("groupName")
            self._read_sessions(group=group if isinstance(group, str) else None)
            return
        item["sessions"] = named = []
        for _, value in self._document.elements():
            if (checked := self._document.member("session", value)) is not None:
                named.append(checked)

    def _read_rooms(self) -> None:
        document = self._document
        for _ in document.objects():
            room: dict[str, Any] = {}
            for key, mark in document.members():
                if mark == "[" and key == "sessions":
                    name = room.get("name")
                    self._read_sessions(room=name if isinstance(name, str) else None)
                else:
                    self._keep(room, key)
            content = _digest(room)
            if content not in self._known:
                self._known.add(content)
                self.parts.rooms.append(room)

    def _read_sessions(self, *, group: str | None = None, room: str | None = None) -> None:
        """Read sessions. A session that stands in several groups or rooms is read once."""
        document, sessions = self._document, self.parts.sessions
        for _, value in document.elements(len(sessions)):
            record = document.record(value)
            if record is None:
                continue
            if group is not None or room is not None:
                content = _digest(record)
                if content in self._known:
                    continue
                self._known.add(content)
            line, _ = document.stream.location(document.reader.start)
            sessions.append(RawSession(record, line, group, room))
            if len(sessions) % EVERY == 0:
                self._progress("Reading the sessions", len(sessions), 0)
        document.count(None)

    def _read_records(self, found: list[dict[str, Any]]) -> None:
        document = self._document
        for _, value in document.elements(len(found)):
            record = document.record(value)
            if record:
                found.append(record)
        document.count(None)

    def _keep(self, says: dict[str, Any], key: str) -> None:
        """Read a value, and keep it by its key."""
        says.update(said(self._document.record({key: self._document.value()}) or {}))


def _digest(record: dict[str, Any]) -> bytes:
    """A digest of all that a session or a room says, to find it again."""
    content = json.dumps(record, sort_keys=True).encode("utf-8", "surrogatepass")
    return blake2b(content, digest_size=16).digest()
