"""pretalx's JSON → a conference.

A submission that is given n times has n slots: it becomes n sessions. What the program keeps for
organisers, such as notes, stays in `extra`, which is private.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any, Final

from eventimport.conference.conference import Conference
from eventimport.conference.report import Place, Report, shortened, title_of
from eventimport.formats.bounded_json.document import JsonCounts
from eventimport.formats.bounded_zip.archive import Entry
from eventimport.formats.format import ReadOptions
from eventimport.formats.limits import ArchiveError, report_errors
from eventimport.formats.pretalx.parts import (
    ANSWER,
    EVENT,
    QUESTION,
    RESOURCE,
    ROOM,
    SLOT,
    SPEAKER,
    SUBMISSION,
    TAG,
    TALK,
    TRACK,
    TYPE,
    VERSION,
    Tables,
    begins_as_pretalx,
    read_document,
    sorts_in,
)
from eventimport.formats.schedules.document import has_document, json_document
from eventimport.formats.schedules.flavours import Flavour
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
from eventimport.formats.schedules.slots import Slot, slot_by_day_rules
from eventimport.formats.source import Source

TITLE: Final = "pretalx JSON"
BREAK: Final = "Break"
"""The type of sessions such as lunch."""

_BLOCKER: Final = "blocker"
"""A slot that only organisers see."""

_FIELDS: Final = {
    "title": "title",
    "abstract": "short_abstract",
    "description": "long_abstract",
    "content_locale": "language",
    "created": "submitted_at",
}
_EVENT_FIELDS: Final = {
    "name": "name",
    "date_from": "starts_at",
    "date_to": "ends_at",
    "event_start": "starts_at",
    "event_end": "ends_at",
    "email": "email",
    "custom_domain": "external_event_url",
}
_STATES: Final = frozenset(
    {"draft", "submitted", "accepted", "rejected", "confirmed", "canceled", "withdrawn"}
)
_FORMS: Final = {"submission": "session", "speaker": "speaker"}
_QUESTION_TYPES: Final = {
    "string": "text",
    "text": "paragraph",
    "boolean": "checkbox",
    "choices": "select",
}
_SLOT_KEYS: Final = frozenset(
    {"id", "room", "room_id", "start", "end", "submission", "schedule", "duration", "is_visible"}
)
_IMPLIED: Final = ("", "slides", "video", "audio")
"""Descriptions of resources that say what the fields for them say."""

_ADMINISTRATIVE: Final = IDENTIFIERS | {
    *("submission_type_id", "track_id", "tag_ids", "slot_count", "schedule_id", "updated"),
    *("submissions", "avatar_source", "avatar_license", "access_code", "review_code"),
    *("primary_color", "locale", "locales", "content_locales", "is_public", "slot"),
}


def has_submissions(source: Source) -> bool:
    """Whether the source is a document of pretalx's API or widget, or a zip with some."""
    return has_document(source, begins_as_pretalx)


def read(source: Source, options: ReadOptions, report: Report) -> Conference:
    """Read documents of pretalx's API or widget. Raises ArchiveError, its finding in the report
    too, if there are none, or one is not JSON or beyond a limit."""
    tables, entry = _read_tables(source, options, report)
    with report_errors(report):
        return _ConferenceReader(source, options, report, entry, tables).read()


def _read_tables(source: Source, options: ReadOptions, report: Report) -> tuple[Tables, str]:
    tables, counts = Tables(), JsonCounts()
    names: list[str | None] = [None]
    if source.is_zip:
        documents = _documents(source)
        known = {name for each in documents for name in (each.name, each.path)}
        report.is_document = known.__contains__
        paths = [each.path for each in documents]
        outermost = min(paths, key=lambda path: path.count("/"), default="")
        folder, slash, _ = outermost.rpartition("/")
        source.choose_documents(documents, report, root=folder + slash)
        names = [each.name for each in documents]
    for name in names:
        document = json_document(source, name, name or TITLE, report, counts)
        is_widget = TALK in sorts_in(source.beginning(name))
        read_document(document, tables, options.progress, is_widget=is_widget)
    if not (tables.of(SUBMISSION) or tables.of(SPEAKER) or tables.of(SLOT)):
        message = (
            "The source has no submissions, speakers or slots of pretalx. Export the pages of "
            "/api/events/EVENT/submissions/, speakers/, slots/ and rooms/, or the widget's JSON."
        )
        raise ArchiveError("no-submissions", message).reported(report)
    return tables, names[0] if len(names) == 1 and names[0] else TITLE


def _documents(source: Source) -> list[Entry]:
    return [
        entry
        for entry in source.entries
        if entry.refusal is None and sorts_in(source.beginning(entry.name))
    ]


class _ConferenceReader:
    def __init__(
        self, source: Source, options: ReadOptions, report: Report, entry: str, tables: Tables
    ) -> None:
        self._report = report
        self._entry = entry
        self._tables = tables
        self._limits = source.limits
        self._repeated = self._links = 0
        self._files = source.index
        self._media = MediaFields(report, entry)
        self._schedule = Schedule.of(source, options, report, entry)
        self._schedule.is_administrative = _ADMINISTRATIVE.__contains__
        self._schedule.flavour = Flavour.MARKDOWN
        self._event = self._read_event(options)
        self._language = options.language or text_of(self._event.pop("locale", None))
        self._schedule.language = self._language
        self._persons = PersonReader(self._media, self._language, ())
        self._slots: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self._breaks: list[dict[str, Any]] = []
        self._answers: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self._speakers: dict[str, Person] = {}
        self._named_by: dict[str, list[str]] = defaultdict(list)
        self._asked: dict[str, str] = {}
        self._used: set[int] = set()
        """Answers and resources that a session or a person has."""

    def read(self) -> Conference:
        tables, schedule = self._tables, self._schedule
        self._report_missing_pages()
        self._set_event()
        self._sort_slots()
        self._sort_answers()
        for room in sorted(tables.of(ROOM).values(), key=by_number("position")):
            self._list_room(room)
        for track in sorted(tables.of(TRACK).values(), key=by_number("position")):
            self._list_track(track)
        self._list_speakers()
        for code, submission in tables.of(SUBMISSION).items():
            for session in self._sessions(code, submission):
                self._media.resolve(self._files)
                schedule.add(session)
        for slot in self._breaks:
            schedule.add(self._break(slot))
        self._list_questions()
        self._keep_others()
        self._media.resolve(self._files)
        return schedule.finish()

    def _report_missing_pages(self) -> None:
        for sort, count in self._tables.counts.items():
            found = self._tables.pages[sort]
            if found < count:
                what = sort.replace("_", " ")
                message = (
                    f"The source has {found:,} of {count:,} {what}s: pages are missing. Put all "
                    "pages into one zip, and import it."
                )
                self._report.warning("missing-pages", message, Place(self._entry), found)
        for entry, count in self._tables.unknown.items():
            message = f"Records that an event has no place for were left out ({count:,})."
            self._report.warning("unknown-records", message, Place(entry), count)

    def _read_event(self, options: ReadOptions) -> dict[str, Any]:
        """What the sources say of the event."""
        events = self._tables.of(EVENT)
        if len(events) > 1 and options.name is None:
            message = (
                f"The source has {len(events):,} events; which one the sessions are of is unknown. "
                "None of them was read. Pass `name` and `timezone`."
            )
            self._report.warning("several-events", message, Place(self._entry), [*events][:10])
        says = said(next(iter(events.values()))) if len(events) == 1 else {}
        return {**says, **self._tables.says}

    def _set_event(self) -> None:
        schedule, says = self._schedule, self._event
        schedule.named_zone = text_of(says.pop("timezone", None))
        for key, name in _EVENT_FIELDS.items():
            if name not in schedule.event and isinstance(says.get(key), (str, dict)):
                schedule.event[name] = says.pop(key)
        for key, name in (("logo", "logo_url"), ("header_image", "original_image_url")):
            if isinstance(says.get(key), str):
                self._media.add(schedule.event, schedule.event_extra, name, key, says.pop(key))
        schedule.event_extra.update(says)

    def _sort_slots(self) -> None:
        """Sort the slots by their submission. Of several versions of a schedule, the newest one
        counts."""
        slots = self._tables.of(SLOT).values()
        versions = {number for slot in slots if (number := _number(slot.get("schedule"))) >= 0}
        newest = max(versions, default=-1)
        for slot in slots:
            if -1 < _number(slot.get("schedule")) < newest:
                message = "Slots of older versions of the schedule were left out."
                self._report.warning("older-version", message, Place(self._entry), slot.get("id"))
                continue
            code = text_of(slot.get("submission"))
            if code is None:
                self._breaks.append(slot)
            else:
                self._tables.of(SUBMISSION).setdefault(code, {"code": code})
                self._slots[code].append(slot)

    def _sort_answers(self) -> None:
        """Sort the answers by who has answered: a submission or a person."""
        for answer in self._tables.of(ANSWER).values():
            for key in ("submission", "person"):
                if owner := text_of(answer.get(key)):
                    self._answers[f"{key} {owner}"].append(answer)

    def _list_room(self, room: dict[str, Any]) -> None:
        says = said(room)
        name = self._name(says)
        # The order of the rooms says it.
        says.pop("position", None)
        if says.get("uuid") == says.get("guid"):
            says.pop("uuid", None)
        self._flatten(says, "description")
        self._schedule.list_room(name, extra=says)

    def _list_track(self, track: dict[str, Any]) -> None:
        says = said(track)
        name = self._name(says)
        says.pop("position", None)
        fields: dict[str, Any] = {
            key: says.pop(key) for key in ("color", "description") if key in says
        }
        self._schedule.list_track(name, fields=fields, extra=says)

    def _name(self, says: dict[str, Any]) -> str | None:
        """Take the name out of what a record says. A name in several languages is kept, too."""
        given = says.pop("name", None)
        if _is_translated(given):
            says["name"] = given
        return text_of(given, self._language)

    def _flatten(self, says: dict[str, Any], key: str) -> None:
        """Make a text of one that is in one language only."""
        given = says.get(key)
        if isinstance(given, dict) and not _is_translated(given):
            says[key] = text_of(given, self._language)
            if says[key] is None:
                del says[key]

    def _list_speakers(self) -> None:
        for code, record in self._tables.of(SPEAKER).items():
            says = said(record)
            answers = self._answers_of(says, "person", code)
            links = [
                {"url": text, "type": icon}
                for question, text in answers
                if (icon := text_of(self._question(question).get("icon"))) and isinstance(text, str)
            ]
            if links:
                says["links"] = links
            named = says.pop("submissions", None)
            if isinstance(says.get("avatar_url"), str):
                says.pop("avatar", None)
            person = self._persons.read(says)
            if person is None:
                self._schedule.event_extra.setdefault("speakers", []).append(record)
                continue
            keep_said(person.extra, "answers", self._by_question(answers, "speaker"))
            unknown = []
            for each in as_list(named):
                if (key := text_of(each)) in self._tables.of(SUBMISSION):
                    self._named_by[key or ""].append(code)
                else:
                    unknown.append(each)
            keep_said(person.extra, "submissions", unknown)
            self._media.resolve(self._files)
            self._speakers[code] = person
            self._schedule.list_person(person)

    def _sessions(self, code: str, submission: dict[str, Any]) -> Iterator[Session]:
        """The sessions of a submission: one for each slot that has a time."""
        slots = self._slots.get(code, [])
        placed = [slot for slot in slots if text_of(slot.get("start"))]
        persons, missing = self._persons_of(code, submission)
        self._bound(title_of(submission), len(placed), len(persons))
        answers = self._by_question(
            self._answers_of(dict(submission), "submission", code), "session"
        )
        for number, slot in enumerate(placed or slots[:1] or [{}], 1):
            extra = said(submission)
            session = Session(fields={}, slot=Slot(), extra=extra)
            # A record without a code has no id either.
            if text_of(extra.pop("code", None)) is not None:
                session.id = code if number == 1 else f"{code}-{number}"
            if session.id is not None and number > 1:
                extra["code"] = code
            self._read_slot(session, slot)
            self._read_fields(session)
            if "title" not in session.fields:
                session.fields["title"] = code
                message = (
                    "Slots name sessions that are not in the source. The sessions were created, "
                    "with their codes as titles."
                )
                self._report.warning("dangling-reference", message, Place(self._entry, title=code))
            session.persons = persons
            for key, value in (("speakers", missing), ("answers", answers)):
                extra.pop(key, None)
                keep_said(extra, key, value)
            yield session

    def _bound(self, title: str | None, slots: int, persons: int) -> None:
        """Bound what one submission multiplies: each slot has all of its texts and speakers."""
        limits = self._limits
        self._repeated += max(0, slots - 1)
        self._links += max(1, slots) * persons
        if self._repeated > limits.max_instances:
            message = (
                f"Sessions have more than {limits.max_instances:,} further slots. The limit is set "
                "by MAX_INSTANCES."
            )
            raise ArchiveError("too-many-instances", message, Place(self._entry, title=title))
        if self._links > limits.max_values:
            message = (
                f"The sessions have more than {limits.max_values:,} speakers in all. The limit is "
                "set by MAX_VALUES."
            )
            raise ArchiveError("too-many-values", message, Place(self._entry, title=title))

    def _read_slot(self, session: Session, slot: dict[str, Any]) -> None:
        extra = session.extra
        for key in ("slot", "slots"):
            extra.pop(key, None)
        start, end = text_of(slot.get("start")), text_of(slot.get("end"))
        length = text_of(slot.get("duration")) or text_of(extra.get("duration"))
        session.slot = slot_by_day_rules(
            date=start,
            day=None,
            start=None,
            duration=length if end is None and start is not None else None,
            end=end,
        )
        starts, ends = session.slot.starts, session.slot.ends
        minutes = round((ends - starts).total_seconds() / 60) if starts and ends else None
        if (start is not None and end is None) or text_of(extra.get("duration")) == str(minutes):
            extra.pop("duration", None)
        room = slot.get("room")
        session.room = self._name_of(ROOM, room)
        if _is_translated(room):
            self._schedule.list_room(session.room, extra={"name": room})
        if session.room is None and room not in EMPTY:
            self._report_unknown(session, "room", text_of(room) or "")
            extra["room"] = room
        rest = {key: value for key, value in said(slot).items() if key not in _SLOT_KEYS}
        keep_said(extra, "slot", rest)

    def _read_fields(self, session: Session) -> None:
        fields, extra = session.fields, session.extra
        for key, name in _FIELDS.items():
            if isinstance(extra.get(key), (str, dict)):
                fields[name] = extra.pop(key)
        session.track = self._take_named(session, "track", TRACK)
        session.session_type = self._take_named(session, "submission_type", TYPE)
        state = text_of(extra.get("state"))
        if state is not None and state.casefold() in _STATES:
            fields["state"] = state.casefold()
            del extra["state"]
        if "image" in extra:
            extra["logo"] = extra.pop("image")
        tags = [self._tag(each) for each in as_list(extra.pop("tags", None))]
        keep_said(extra, "tags", tags)
        self._read_resources(session)

    def _take_named(self, session: Session, key: str, sort: str) -> str | None:
        given = session.extra.get(key)
        name = self._name_of(sort, given)
        if name is not None and not _is_translated(given):
            del session.extra[key]
        elif name is None and given not in EMPTY:
            self._report_unknown(session, key.replace("_", " "), text_of(given) or "")
        return name

    def _tag(self, given: Any) -> Any:
        record = self._tables.of(TAG).get(text_of(given) or "")
        return (text_of(record.get("tag"), self._language) if record else None) or given

    def _read_resources(self, session: Session) -> None:
        """Read links and files. The first slides, audio and video go to the fields for them."""
        links, others = [], []
        for given in as_list(session.extra.pop("resources", None)):
            record = self._tables.of(RESOURCE).get(text_of(given) or "")
            self._used.add(id(record))
            says = said(record or {})
            address = text_of(says.get("resource")) or text_of(says.get("link"))
            title = text_of(says.get("description"), self._language) or ""
            if address is None or says.get("is_public") is False:
                others.append(record or given)
                continue
            is_taken = self._media.take_attachment(session.fields, session.extra, address, title)
            if not is_taken or title.casefold() not in _IMPLIED:
                links.append({"url": address, "title": title} if title else {"url": address})
        keep_said(session.extra, "links", links)
        keep_said(session.extra, "resources", others)

    def _persons_of(self, code: str, submission: dict[str, Any]) -> tuple[list[Person], list[Any]]:
        """The persons of a submission in their order, and what names no person."""
        persons: list[Person] = []
        missing: list[Any] = []
        title = title_of(submission)
        for each in as_list(submission.get("speakers")):
            # A person without a code has nothing but what is said here.
            found = self._persons.read(each) if isinstance(each, dict) else None
            found = found or self._speakers.get(text_of(each) or "")
            if found is not None:
                persons.append(found)
                continue
            missing.append(each)
            message = (
                f"The session names the speaker with the code “{shortened(text_of(each) or '')}”, "
                "who is not in the source. They are not linked; the code is kept in `extra`."
            )
            place = Place(self._entry, field="speakers", title=title)
            self._report.warning("dangling-reference", message, place, text_of(each))
        codes = {person.code for person in persons}
        others = [each for each in self._named_by.get(code, ()) if each not in codes]
        if others and (persons or missing):
            message = "Speakers name the session, but it does not name them. They are linked."
            place = Place(self._entry, field="speakers", title=title)
            self._report.warning("one-sided-link", message, place, others)
        persons += [self._speakers[each] for each in others]
        # What else is known of a person with a code is listed already.
        return [
            Person(name=each.name, code=each.code) if each.code in self._speakers else each
            for each in persons
        ], missing

    def _name_of(self, sort: str, given: Any) -> str | None:
        """The name of a room, a track or a type, by an id or as it stands."""
        if given in EMPTY:
            return None
        key = text_of(given, self._language)
        record = self._tables.of(sort).get(key or "")
        if record is not None:
            return text_of(record.get("name"), self._language)
        return None if isinstance(given, (int, float)) else key

    def _break(self, slot: dict[str, Any]) -> Session:
        """A session of a slot without a submission."""
        kind = text_of(slot.get("slot_type")) or BREAK
        description = slot.get("description")
        session = Session(fields={}, slot=Slot(), id=text_of(slot.get("id")))
        session.fields["title"] = text_of(description, self._language) or kind.capitalize()
        session.session_type = kind.capitalize()
        if kind == _BLOCKER:
            session.fields["state"] = "draft"
        without = {
            key: value for key, value in slot.items() if key not in {"description", "slot_type"}
        }
        self._read_slot(session, without)
        if _is_translated(description):
            session.extra["description"] = description
        return session

    def _answers_of(self, says: dict[str, Any], owner: str, key: str) -> list[tuple[str, Any]]:
        """The answers of a submission or a person: keys of questions with what was answered."""
        table = self._tables.of(ANSWER)
        given = [table.get(text_of(each) or "") for each in as_list(says.pop("answers", None))]
        own = [each for each in given if each and text_of(each.get(owner)) in {key, None}]
        if owner == "person":
            # A person's answers are also those about their sessions.
            own = [each for each in own if text_of(each.get("submission")) is None]
        found: dict[int, dict[str, Any]] = {
            id(each): each for each in (*own, *self._answers.get(f"{owner} {key}", ()))
        }
        self._used.update(found)
        return [
            (text_of(each.get("question")) or "", each.get("answer_file") or each.get("answer"))
            for each in found.values()
        ]

    def _question(self, key: str) -> dict[str, Any]:
        return self._tables.of(QUESTION).get(key, {})

    def _by_question(self, answers: Iterable[tuple[str, Any]], form: str) -> dict[str, Any]:
        """Answers by the texts of their questions."""
        said: dict[str, list[Any]] = defaultdict(list)
        for key, answer in answers:
            self._asked.setdefault(key, form)
            name = text_of(self._question(key).get("question"), self._language) or key
            if answer not in EMPTY and (not said[name] or said[name][-1] != answer):
                said[name].append(answer)
        return {
            name: given[0] if len(given) == 1 else given for name, given in said.items() if given
        }

    def _list_questions(self) -> None:
        """List the questions as fields of the form that they are in; keep the others."""
        others = []
        for key, question in self._tables.of(QUESTION).items():
            says = said(question)
            form = _FORMS.get(text_of(says.get("target")) or "") or (
                self._asked.get(key) if "target" not in says else None
            )
            name = text_of(says.get("question"), self._language)
            if form is None or name is None:
                others.append(question)
                continue
            says.pop("target", None)
            sort = text_of(says.pop("variant", None)) or "string"
            fields = {
                "form": form,
                "field_identifier": text_of(says.pop("id", None)),
                "name": name,
                "type": _QUESTION_TYPES.get(sort, sort),
                "description": says.pop("help_text", None),
                "position": says.pop("position", None),
                "is_required": says.pop("question_required", None) == "required",
                "is_included": says.pop("active", True),
                "is_public": says.pop("is_public", None),
            }
            if text_of(says.get("question")) == name and not isinstance(says["question"], dict):
                del says["question"]
            else:
                self._flatten(says, "question")
                if says.get("question") == name:
                    del says["question"]
            given = {field: value for field, value in fields.items() if value is not None}
            self._schedule.forms.append((given, says))
        if others:
            self._schedule.event_extra["questions"] = others

    def _keep_others(self) -> None:
        """Keep what no session and no person has, and what no field takes."""
        kept = self._schedule.event_extra
        for sort, key in ((ANSWER, "answers"), (RESOURCE, "resources")):
            unused = self._tables.of(sort).values()
            keep_said(kept, key, [each for each in unused if id(each) not in self._used])
        for sort, key in ((TYPE, "submission_types"), (TAG, "tags"), (VERSION, "schedules")):
            records = [said(each) for each in self._tables.of(sort).values()]
            if any(each.keys() - {"id", "name", "tag", "slots"} for each in records):
                kept[key] = records

    def _report_unknown(self, session: Session, what: str, key: str) -> None:
        message = (
            f"The session names the {what} with the id “{shortened(key)}”, which is not in the "
            "source. It is not linked; the id is kept in `extra`."
        )
        title = title_of(session.fields) or title_of(session.extra)
        place = Place(self._entry, len(self._schedule), field=what, title=title)
        self._report.warning("dangling-reference", message, place, key)


def _is_translated(value: Any) -> bool:
    """Whether a text is there in more than one language."""
    return isinstance(value, dict) and len([text for text in value.values() if text]) > 1


def _number(value: Any) -> int:
    return value if isinstance(value, int) else -1
