"""Sessionize's JSON → a conference.

Neither the event's name nor its time zone is in it: the user has to say them. What a category means
is known by its title only, which the organiser has chosen.
"""

import re
from dataclasses import dataclass, field
from typing import Any, Final

from eventimport.conference.conference import Conference
from eventimport.conference.report import Place, Report, shortened, title_of
from eventimport.formats.format import ReadOptions
from eventimport.formats.limits import report_errors
from eventimport.formats.schedules.document import has_document, open_json
from eventimport.formats.schedules.json_values import (
    EMPTY,
    as_list,
    by_number,
    keep_said,
    said,
    text_of,
)
from eventimport.formats.schedules.media_fields import MediaFields
from eventimport.formats.schedules.persons import PersonReader
from eventimport.formats.schedules.schedule import IDENTIFIERS, Person, Schedule, Session
from eventimport.formats.schedules.slots import slot_by_day_rules
from eventimport.formats.sessionize.parts import (
    Parts,
    RawSession,
    begins_as_sessionize,
    read_parts,
)
from eventimport.formats.source import Source

TITLE: Final = "Sessionize JSON"
SERVICE: Final = "Service"
"""The type of sessions such as lunch."""

_ROLES: Final = {
    "track": re.compile(r"\b(?:tracks?|topics?|themes?|thema|themen)\b", re.IGNORECASE),
    "level": re.compile(r"\b(?:levels?|niveau)\b", re.IGNORECASE),
    "language": re.compile(r"\b(?:languages?|sprachen?|langue|idioma)\b", re.IGNORECASE),
    "type": re.compile(r"\b(?:types?|formats?)\b", re.IGNORECASE),
}
"""What a category is, by words of its title. The first that matches counts."""

_STATES: Final = {"accepted": "accepted", "declined": "rejected"}
_WAITING: Final = "submitted"
"""The state of a session that is neither accepted nor declined yet."""

_WEBSITES: Final = frozenset({"blog", "company_website", "company website", "website"})
_QUESTION_TYPES: Final = {
    "short_text": "text",
    "long_text": "paragraph",
    "number": "number",
    "web_address": "url",
    "email": "email",
    "checkbox": "checkbox",
}
_ADMINISTRATIVE: Final = IDENTIFIERS | {
    *("isServiceSession", "isPlenumSession", "isInformed", "isConfirmed", "sort", "groupName"),
}


def has_sessions(source: Source) -> bool:
    """Whether the source is a document of Sessionize's API, or a zip with one."""
    return has_document(source, begins_as_sessionize)


def read(source: Source, options: ReadOptions, report: Report) -> Conference:
    """Read a document of Sessionize's API. Raises ArchiveError, its finding in the report too, if
    it is not JSON, beyond a limit or of another program."""
    document, entry = open_json(source, begins_as_sessionize, report, format_title=TITLE)
    parts = read_parts(document, options.progress)
    with report_errors(report):
        return _ConferenceReader(source, options, report, entry, parts).read()


@dataclass(slots=True)
class _Category:
    """A category: its title, and its role in `_ROLES` if it has one."""

    title: str
    role: str | None


@dataclass(slots=True)
class _Chosen:
    """What a session or a person has of the categories: the names of items by role, and all others
    by the category's title."""

    by_role: dict[str, list[str]] = field(default_factory=dict)
    others: dict[str, list[str]] = field(default_factory=dict)

    def add(self, category: _Category, name: str) -> None:
        """Add an item of a category."""
        if category.role is not None:
            self.by_role.setdefault(category.role, []).append(name)
        else:
            self.others.setdefault(category.title, []).append(name)


@dataclass(slots=True)
class _Named:
    """A session as persons name it: its title, if they say it, and who they are."""

    title: str | None = None
    speakers: list[Person] = field(default_factory=list)


class _ConferenceReader:
    def __init__(
        self, source: Source, options: ReadOptions, report: Report, entry: str, parts: Parts
    ) -> None:
        self._report = report
        self._entry = entry
        self._parts = parts
        self._files = source.index
        self._media = MediaFields(report, entry)
        self._rooms: dict[str, str] = {}
        self._items: dict[str, tuple[_Category, str]] = {}
        self._roles: dict[str, str] = {}
        self._questions: dict[str, str] = {}
        self._asked: dict[str, str] = {}
        self._people: dict[str, Person] = {}
        self._named: dict[str, _Named] = {}
        self._persons = PersonReader(self._media, options.language, (), websites=_WEBSITES)
        self._schedule = Schedule.of(source, options, report, entry)
        self._schedule.is_administrative = _ADMINISTRATIVE.__contains__

    def read(self) -> Conference:
        parts, schedule = self._parts, self._schedule
        schedule.event_extra.update(parts.says)
        self._list_rooms()
        self._list_categories()
        for question in parts.questions:
            if key := text_of(question.get("id")):
                self._questions[key] = text_of(question.get("question")) or key
        self._list_speakers()
        if not parts.sessions:
            self._derive_sessions()
        while parts.sessions:
            # One by one, so that no session is held twice.
            session = self._session(parts.sessions.popleft())
            self._media.resolve(self._files)
            schedule.add(session)
        self._report_missing_sessions()
        self._list_questions()
        self._media.resolve(self._files)
        return schedule.finish()

    def _list_rooms(self) -> None:
        unnamed = []
        for room in sorted(self._parts.rooms, key=by_number("sort")):
            says = said(room)
            name = text_of(says.pop("name", None))
            if name is None:
                unnamed.append(room)
                continue
            if key := text_of(says.get("id")):
                self._rooms.setdefault(key, name)
            self._schedule.list_room(name, extra=says)
        if unnamed:
            self._schedule.event_extra["rooms"] = unnamed

    def _list_categories(self) -> None:
        """Note the items of the categories; the tracks are listed, also those without a session."""
        for raw in sorted(self._parts.categories, key=by_number("sort")):
            category = self._category(raw, is_of_sessions=raw.get("type") != "speaker")
            items = raw.get("items")
            for item in items if isinstance(items, list) else ():
                key = text_of(item.get("id")) if isinstance(item, dict) else None
                name = text_of(item.get("name")) if isinstance(item, dict) else None
                if key is None or name is None:
                    continue
                self._items[key] = category, name
                if category.role == "track":
                    self._schedule.list_track(name, extra={"id": key})
        if self._parts.categories:
            self._schedule.event_extra["categories"] = self._parts.categories

    def _category(self, raw: dict[str, Any], *, is_of_sessions: bool) -> _Category:
        title = text_of(raw.get("title")) or text_of(raw.get("name")) or "categories"
        role = next((role for role, words in _ROLES.items() if words.search(title)), None)
        if role is None or not is_of_sessions:
            return _Category(title, None)
        if role not in self._roles:
            self._roles[role] = title
            message = (
                f"The category “{shortened(title)}” was read as the {role} of sessions, "
                "because of its title."
            )
            self._report.warning("category-by-title", message, Place(self._entry, title=title))
        return _Category(title, role if self._roles[role] == title else None)

    def _list_speakers(self) -> None:
        unnamed = []
        for raw in self._parts.speakers:
            person = self._person(raw)
            if person is None:
                unnamed.append(raw)
                continue
            self._media.resolve(self._files)
            if person.guid is not None:
                self._people[person.guid] = person
            self._schedule.list_person(person)
        if unnamed:
            self._schedule.event_extra["speakers"] = unnamed

    def _person(self, raw: dict[str, Any]) -> Person | None:
        says = said(raw)
        parts = [text_of(says.get(key)) for key in ("firstName", "lastName")]
        joined = " ".join(filter(None, parts))
        name = text_of(says.pop("fullName", None)) or joined or text_of(says.get("name"))
        if name is None:
            return None
        if joined.split() == name.split():
            says.pop("firstName", None)
            says.pop("lastName", None)
        chosen = self._chosen(says, is_of_sessions=False)
        answers = self._answers(says, "speaker")
        sessions = says.pop("sessions", None)
        says |= {
            "name": name,
            "guid": says.pop("id", None),
            "photo": says.pop("profilePicture", None),
        }
        person = self._persons.read(says)
        if person is None:
            return None
        for key, value in (("tagLine", "position"), ("isTopSpeaker", "is_featured")):
            if isinstance(person.extra.get(key), (str, bool)):
                person.fields[value] = person.extra.pop(key)
        keep_said(person.extra, "categories", chosen.others)
        keep_said(person.extra, "answers", answers)
        self._note_sessions(person, sessions)
        return person

    def _note_sessions(self, person: Person, sessions: Any) -> None:
        for each in sessions if isinstance(sessions, list) else ():
            key = text_of(each.get("id")) if isinstance(each, dict) else text_of(each)
            if key is not None:
                title = text_of(each.get("name")) if isinstance(each, dict) else None
                self._named.setdefault(key, _Named(title)).speakers.append(person)

    def _derive_sessions(self) -> None:
        """Make sessions of what persons name: in the view “Speakers”, they stand nowhere else."""
        for key, named in self._named.items():
            if named.title is not None:
                ids = [person.guid or person.name for person in named.speakers]
                value = {"id": key, "title": named.title, "speakers": ids}
                self._parts.sessions.append(RawSession(value, 0))
        if self._parts.sessions:
            message = (
                f"The file has no list of sessions. {len(self._parts.sessions)} were created from "
                "the speakers; they have no times."
            )
            self._report.warning("sessions-derived", message, Place(self._entry))

    def _session(self, raw: RawSession) -> Session:
        """Read a session. What no field takes is in its `extra`."""
        extra = said(raw.value)
        session = Session(
            fields={},
            slot=slot_by_day_rules(
                date=text_of(extra.pop("startsAt", None)),
                day=None,
                start=None,
                duration=None,
                end=text_of(extra.pop("endsAt", None)),
            ),
            extra=extra,
            line=raw.line or None,
        )
        for key, name in (("title", "title"), ("description", "long_abstract")):
            if isinstance(extra.get(key), str):
                session.fields[name] = extra.pop(key)
        session.id = text_of(extra.pop("id", None))
        self._read_room(session, raw.room)
        if extra.get("isPlenumSession") is True:
            message = "The session is for all rooms, but it has one room here."
            self._report.warning("all-rooms", message, self._place(session, "room"))
        self._read_chosen(session)
        self._read_persons(session)
        self._read_state(session)
        if isinstance(recording := extra.get("recordingUrl"), str) and self._media.take_attachment(
            session.fields, extra, recording, "video"
        ):
            del extra["recordingUrl"]
        keep_said(extra, "answers", self._answers(extra, "session"))
        if raw.group is not None:
            extra["groupName"] = raw.group
        return session

    def _read_room(self, session: Session, around: str | None) -> None:
        extra = session.extra
        key, name = text_of(extra.get("roomId")), text_of(extra.get("room"))
        known = self._rooms.get(key) if key is not None else None
        session.room = known or name or around
        if session.room == name:
            extra.pop("room", None)
        if known is not None or (key is not None and session.room is not None):
            del extra["roomId"]
        elif key is not None:
            self._report_unknown(session, "room", key)

    def _read_chosen(self, session: Session) -> None:
        extra = session.extra
        chosen = self._chosen(extra, is_of_sessions=True)
        for role, names in chosen.by_role.items():
            if role == "track":
                session.track = names[0]
            elif role == "type":
                session.session_type = names[0]
            else:
                session.fields[role] = names[0]
            if names[1:]:
                # A session has one of each.
                chosen.others[self._roles[role]] = names[1:]
        if session.session_type is None and extra.get("isServiceSession") is True:
            session.session_type = SERVICE
            del extra["isServiceSession"]
        keep_said(extra, "categories", chosen.others)

    def _chosen(self, says: dict[str, Any], *, is_of_sessions: bool) -> _Chosen:
        """Take the items of categories out of what a session or a person says."""
        chosen = _Chosen()
        unknown = []
        for key in as_list(says.pop("categoryItems", None)):
            found = self._items.get(text_of(key) or "")
            if found is None:
                unknown.append(key)
                continue
            chosen.add(*found)
        for raw in as_list(says.pop("categories", None)):
            if not isinstance(raw, dict):
                unknown.append(raw)
                continue
            category = self._category(raw, is_of_sessions=is_of_sessions)
            for item in as_list(raw.get("categoryItems")):
                name = text_of(item.get("name") if isinstance(item, dict) else item)
                if name is not None:
                    chosen.add(category, name)
        if unknown:
            says["categoryItems"] = unknown
        return chosen

    def _read_persons(self, session: Session) -> None:
        """Read the persons in their order; ids of persons who are not in the file are kept."""
        missing = []
        named = self._named.pop(session.id or "", _Named())
        for raw in as_list(session.extra.pop("speakers", None)):
            person = self._person_of(raw)
            if person is None:
                missing.append(raw)
                self._report_unknown(session, "speaker", text_of(raw) or "")
                continue
            session.persons.append(person)
        here = {person.identity for person in session.persons}
        others = [person.name for person in named.speakers if person.identity not in here]
        if others:
            keep_said(session.extra, "named_by", others)
            message = (
                "Speakers name the session, but the session does not name them. They are not "
                "linked, and their names are kept in `extra`."
            )
            self._report.warning("one-sided-link", message, self._place(session), others)
        keep_said(session.extra, "speakers", missing)

    def _person_of(self, raw: Any) -> Person | None:
        if isinstance(raw, dict):
            key, name = text_of(raw.get("id")), text_of(raw.get("name"))
        else:
            key, name = text_of(raw), None
        known = self._people.get(key or "")
        if known is not None:
            # What else is known of the person is listed already.
            return Person(name=known.name, guid=known.guid)
        return Person(name=name, guid=key) if name is not None else None

    def _read_state(self, session: Session) -> None:
        status = text_of(session.extra.get("status"))
        if status is None:
            return
        state = _STATES.get(status.casefold())
        if state == "accepted" and session.extra.get("isConfirmed") is True:
            state = "confirmed"
        if state is not None:
            del session.extra["status"]
        session.fields["state"] = state or _WAITING

    def _answers(self, says: dict[str, Any], form: str) -> dict[str, Any]:
        """Take the answers out of what a session or a person says, by their questions."""
        answers: dict[str, Any] = {}
        kept = []
        for raw in as_list(says.pop("questionAnswers", None)):
            if not isinstance(raw, dict):
                kept.append(raw)
                continue
            key = text_of(raw.get("questionId")) or text_of(raw.get("id"))
            question = text_of(raw.get("question")) or self._questions.get(key or "") or key
            answer = raw.get("answerValue", raw.get("answer"))
            if question is None:
                kept.append(raw)
            elif answer not in EMPTY:
                answers[question] = answer
            if key is not None:
                self._asked.setdefault(key, form)
        keep_said(says, "questionAnswers", kept)
        return answers

    def _list_questions(self) -> None:
        """List the questions that were answered as fields of the form where they were; keep the
        others."""
        unanswered = []
        for raw in self._parts.questions:
            form = self._asked.get(text_of(raw.get("id")) or "")
            if form is None or text_of(raw.get("question")) is None:
                unanswered.append(raw)
                continue
            says = said(raw)
            sort = text_of(says.get("questionType")) or ""
            fields = {
                "form": form,
                "field_identifier": text_of(says.pop("id")),
                "name": says.pop("question"),
                "type": _QUESTION_TYPES.get(sort.casefold(), sort),
                "position": says.pop("sort", None),
                "is_included": True,
            }
            self._schedule.forms.append((fields, says))
        if unanswered:
            self._schedule.event_extra["questions"] = unanswered

    def _report_missing_sessions(self) -> None:
        for key, named in self._named.items():
            for person in named.speakers:
                message = (
                    f"The speaker names the session with the id “{shortened(key)}”, which is not "
                    "in the file. It is not linked."
                )
                place = Place(self._entry, field="sessions", title=person.name)
                self._report.warning("dangling-reference", message, place, key)

    def _report_unknown(self, session: Session, what: str, key: str) -> None:
        message = (
            f"The session names the {what} with the id “{shortened(key)}”, which is not in the "
            "file. It is not linked; the id is kept in `extra`."
        )
        self._report.warning("dangling-reference", message, self._place(session, what), key)

    def _place(self, session: Session, field: str | None = None) -> Place:
        title = title_of(session.fields)
        return Place(self._entry, len(self._schedule), None, field, session.line, title=title)
