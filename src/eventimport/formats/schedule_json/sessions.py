"""An event of a schedule.json → a session, in the spellings of all its producers."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from eventimport.formats.schedule_json.parts import RawEvent
from eventimport.formats.schedules.json_values import EMPTY, address_of, said, text_of
from eventimport.formats.schedules.media_fields import MediaFields
from eventimport.formats.schedules.persons import PersonReader
from eventimport.formats.schedules.schedule import Session
from eventimport.formats.schedules.slots import Slot, slot_by_day_rules

_FIELDS: Final = {
    "title": "title",
    "subtitle": "subtitle",
    "language": "language",
    "abstract": "short_abstract",
    "description": "long_abstract",
}
_SLOT: Final = {
    "date": "date",
    "start": "start",
    "start_time": "start",
    "duration": "duration",
    "end": "end",
    "end_time": "end",
}
_PERSONS: Final = ("persons", "participants", "speakers")
_REFERENCE_KEYS: Final = ("guid", "id", "slug")
_ATTACHMENT_KEYS: Final = frozenset({"url", "href", "type"})
_SORTS: Final = ("slide", "audio", "video")
"""Types of attachments that say which field takes them."""

_TITLES: Final = ("audio", "video")

_STATES: Final = frozenset(
    {"draft", "submitted", "accepted", "rejected", "confirmed", "canceled", "withdrawn"}
)
"""States of the second schema that a session has here."""


@dataclass(slots=True)
class Listed:
    """The rooms or the tracks that a document lists, by what events call them."""

    language: str | None
    records: dict[str, dict[str, Any]] = field(default_factory=dict)
    _names: dict[tuple[str, str], str] = field(default_factory=dict)

    @classmethod
    def of(cls, raw: Iterable[dict[str, Any]], language: str | None) -> "Listed":
        """Those of a document's list that have a name. Of two with one name, the ids of both lead
        to it."""
        listed = cls(language)
        for each in raw:
            name = text_of(each.get("name"), language)
            if name is None:
                continue
            listed.records.setdefault(name, each)
            for key in _REFERENCE_KEYS:
                if text := text_of(each.get(key)):
                    listed._names.setdefault((key, text), name)
        return listed

    def find(self, value: Any) -> tuple[str | None, Any]:
        """The name of what an event refers to, and what the event says of it besides."""
        if not isinstance(value, dict):
            text = text_of(value)
            if text is None:
                return None, value
            if text in self.records or not self._names:
                return text, None
            by_key = (self._names.get((key, text)) for key in _REFERENCE_KEYS)
            return next(filter(None, by_key), text), None
        for key in _REFERENCE_KEYS:
            text = text_of(value.get(key))
            if text and (name := self._names.get((key, text))):
                known = self.records[name]
                rest = {
                    key: each
                    for key, each in value.items()
                    if each not in EMPTY and each != known.get(key)
                }
                return name, rest
        translated = text_of(value, self.language)
        if translated is not None and value.keys().isdisjoint({"name", *_REFERENCE_KEYS}):
            return translated, value
        name = text_of(value.get("name"), self.language) or text_of(value.get("slug"))
        rest = {key: each for key, each in value.items() if each not in EMPTY and each != name}
        return name, rest


@dataclass(slots=True)
class SessionReader:
    """Reads the events of one document. `days_first` is that of `slot_by_day_rules`."""

    rooms: Listed
    tracks: Listed
    persons: PersonReader
    media: MediaFields
    language: str | None = None
    days_first: bool = False

    def read(self, event: RawEvent) -> Session:
        """Read an event. What no field takes is in the session's `extra`."""
        extra = said(event.value)
        session = Session(fields={}, slot=Slot(), extra=extra, line=event.line)
        for key, name in _FIELDS.items():
            value = extra.get(key)
            if isinstance(value, (str, dict)) or type(value) is int:
                session.fields[name] = extra.pop(key)
        session.guid = self._take_text(extra, "guid")
        session.id = self._take_text(extra, "id")
        session.slot = self._slot(event, extra)
        self._read_room(session, event.room)
        if "track" in extra:
            session.track, rest = self.tracks.find(extra.pop("track"))
            self._keep_rest(session, "track", rest)
        self._read_type(session)
        for key in _PERSONS:
            if key in extra:
                self._read_persons(session, key)
        self._read_state(session)
        self._read_media(session)
        return session

    def _slot(self, event: RawEvent, extra: dict[str, Any]) -> Slot:
        says: dict[str, str | None] = dict.fromkeys(_SLOT.values())
        for key, name in _SLOT.items():
            if says[name] is None:
                says[name] = self._take_text(extra, key)
        day = event.day.says if event.day is not None else {}
        conference_day = text_of(day.get("date")) or text_of(day.get("day_start"))
        return slot_by_day_rules(
            date=says["date"],
            day=conference_day,
            start=says["start"],
            duration=says["duration"],
            end=says["end"],
            days_first=self.days_first,
        )

    def _read_room(self, session: Session, around: str | None) -> None:
        """Set the room: the one that the event stands in counts."""
        given = session.extra.pop("room", None)
        name, rest = self.rooms.find(given)
        session.room = (around or "").strip() or name
        if name is not None and name.split() != (session.room or "").split():
            rest = given
        self._keep_rest(session, "room", rest)

    def _read_type(self, session: Session) -> None:
        given = session.extra.pop("type", None)
        session.session_type = text_of(given, self.language)
        if session.session_type is None and isinstance(given, dict):
            session.session_type = text_of(given.get("name"), self.language)
        if session.session_type is None or isinstance(given, dict):
            self._keep_rest(session, "type", given)

    def _read_persons(self, session: Session, key: str) -> None:
        """Read the persons in their order; those without a name are kept as they are."""
        given = session.extra.pop(key)
        unnamed = []
        roles = {}
        for raw in given if isinstance(given, list) else [given]:
            person = self.persons.read(raw)
            if person is None:
                unnamed += [raw] if raw not in EMPTY else []
                continue
            session.persons.append(person)
            role = text_of(person.extra.pop("role", None), self.language)
            if role is not None and person.key is not None:
                # It is that of the person in this session.
                roles[person.key] = role
        self._keep_rest(session, key, unnamed)
        self._keep_rest(session, "roles", roles)

    def _read_state(self, session: Session) -> None:
        """Set the state. A session that is delayed is still in the programme."""
        given = session.extra.get("state")
        state = given.strip().casefold() if isinstance(given, str) else ""
        if state in _STATES:
            session.fields["state"] = state
        elif state == "deleted":
            session.fields["deleted_at"] = state
        else:
            return
        del session.extra["state"]

    def _read_media(self, session: Session) -> None:
        fields, extra = session.fields, session.extra
        attachments = extra.pop("attachments", [])
        kept = []
        for each in attachments if isinstance(attachments, list) else [attachments]:
            address = address_of(each)
            says = each if isinstance(each, dict) else {}
            sort = text_of(says.get("type")) or text_of(says.get("title")) or ""
            is_taken = address is not None and self.media.take_attachment(
                fields, extra, address, sort
            )
            is_implied = sort.casefold().startswith(_SORTS) or "type" not in says
            # The schema has no type for audio and video: the title says it.
            keys = says.keys() - {"title" if says.get("title") in _TITLES else ""}
            if each not in EMPTY and not (is_taken and is_implied and keys <= _ATTACHMENT_KEYS):
                kept.append(each)
        self._keep_rest(session, "attachments", kept)
        for key in ("recording", "video_download_url"):
            if key in extra:
                self.media.read_recording(fields, extra, key, extra.pop(key))

    def _take_text(self, extra: dict[str, Any], key: str) -> str | None:
        """Take a text, or a number, out of what is kept."""
        if key not in extra:
            return None
        value = extra[key]
        if isinstance(value, (dict, list)) or (text := text_of(value)) is None:
            return None
        del extra[key]
        return text

    def _keep_rest(self, session: Session, key: str, value: Any) -> None:
        if value not in EMPTY:
            session.extra[key] = value
