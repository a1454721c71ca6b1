"""schedule.xml → a conference.

The document holds days, which hold rooms, which hold events, as this format calls sessions. What
programs write differs: see `producers.py`. Whatever no field takes is kept in `extra`, by the name
that it has in the document.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from eventimport.conference.conference import Conference
from eventimport.conference.report import Place, Report
from eventimport.errors import size_in_words
from eventimport.formats.bounded_xml.reader import (
    Element,
    Step,
    XmlStep,
    bare_name,
    local_name,
    markup_of,
    read_xml,
    root_name,
    text_of,
    value_of,
)
from eventimport.formats.format import EVERY, ReadOptions
from eventimport.formats.limits import ArchiveError, report_errors
from eventimport.formats.schedules.document import choose_document, has_document
from eventimport.formats.schedules.media_fields import MediaFields, keep
from eventimport.formats.schedules.producers import producer_of
from eventimport.formats.schedules.schedule import Person, Schedule, Session, too_many_records
from eventimport.formats.schedules.slots import Slot, read_day_change, slot_by_day_rules
from eventimport.formats.source import Source

TITLE: Final = "schedule.xml"
_CONTAINERS: Final = frozenset({"schedule", "day", "room", "tracks", "persons"})
_SLOT: Final = ("date", "start", "duration", "end")
_RICH: Final = frozenset({"abstract", "description"})
_FIELDS: Final = {
    "title": "title",
    "subtitle": "subtitle",
    "language": "language",
    "abstract": "short_abstract",
    "description": "long_abstract",
}
"""Elements of an event that are a session's fields."""

_TEXTS: Final = frozenset({*_FIELDS, *_SLOT, "room", "track", "type"})

_EVENT_FIELDS: Final = {"title": "name", "start": "starts_at", "end": "ends_at"}
"""Elements of the conference that are the event's fields."""

_PERSON_FIELDS: Final = {
    "biography": "short_biography",
    "extended_biography": "long_biography",
    "avatar": "photo_url",
}
_BETWEEN_PERSONS: Final = ","


def has_schedule(source: Source) -> bool:
    """Whether the source is a schedule.xml, or a zip with one."""
    return has_document(source, _is_schedule)


def _is_schedule(beginning: bytes) -> bool:
    # EuroPython's own format has entries in the place of rooms.
    if root_name(beginning) != "schedule":
        return False
    return b"<entry" not in beginning or b"<room" in beginning


def read(source: Source, options: ReadOptions, report: Report) -> Conference:
    """Read a schedule.xml. Raises ArchiveError, its finding in the report too, if it is not
    well-formed, beyond a limit or in another format."""
    name = choose_document(source, _is_schedule, report, format_title=TITLE)
    entry = name or TITLE
    reader = _ScheduleReader(source, options, report, entry)
    steps = read_xml(
        source.read_document(name),
        _CONTAINERS,
        source.limits,
        report,
        entry=entry,
        check=source.check,
    )
    with report_errors(report):
        return reader.read(steps)


@dataclass(slots=True)
class _Event:
    """An event that is read, and what its slot depends on."""

    session: Session
    slot: dict[str, str]
    day: str | None


@dataclass(slots=True)
class _Day:
    """A day: its attributes, and what else it says."""

    date: str | None = None
    says: dict[str, Any] = field(default_factory=dict)


class _ScheduleReader:
    def __init__(self, source: Source, options: ReadOptions, report: Report, entry: str) -> None:
        self._options = options
        self._report = report
        self._entry = entry
        self._source = source
        self._schedule = Schedule.of(source, options, report, entry)
        self._media = MediaFields(report, entry)
        self._events: list[_Event] = []
        self._days: list[_Day] = []
        self._room: str | None = None
        self._conference: dict[str, str] = {}
        self._generator: dict[str, Any] = {}
        self._tracks: list[tuple[str, dict[str, Any]]] = []
        """Those that stand beside the conference, as FOSDEM lists them."""
        self._listed: list[Person] = []
        """Persons beside the conference, as FOSDEM lists them."""
        self._others = 0
        """Entries of days that are not of this format."""
        self._kept = 0
        """Characters, about, of what is kept beside the sessions."""

    def read(self, steps: Iterator[XmlStep]) -> Conference:
        open_names: list[str] = []
        for step in steps:
            if step.step is Step.OPEN:
                self._open(step, open_names)
                open_names.append(step.name)
            elif step.step is Step.CLOSE:
                open_names.pop()
                self._close(step)
            else:
                self._record(step, open_names[-1])
        if self._others and not self._events:
            message = (
                "The days of the schedule have no rooms with events, so this is not schedule.xml, "
                "although its root element has this name."
            )
            raise ArchiveError("not-a-schedule", message, Place(self._entry))
        return self._finish()

    def _open(self, step: XmlStep, around: list[str]) -> None:
        says = _attributes(step.element)
        if not around:
            if step.name != "schedule":
                message = (
                    f"The file is XML, but not schedule.xml: its root element is “{step.name}”, "
                    "not “schedule”."
                )
                raise ArchiveError("not-a-schedule", message, Place(self._entry, line=step.line))
            if says:
                self._keep("schedule", says)
        elif step.name == "day":
            self._bound(says)
            self._days.append(_Day(says.get("date"), says))
        elif step.name == "room":
            name = says.pop("name", None)
            self._room = self._schedule.list_room(name, extra=says)
        elif says:
            self._keep(step.name, says)

    def _close(self, step: XmlStep) -> None:
        if step.name == "room":
            self._room = None
        if step.text.strip():
            self._bound(step.text)
            message = (
                f"Text between the elements of a “{step.name}” was found. It is kept in `extra`."
            )
            place = Place(self._entry, line=step.line)
            self._report.warning("stray-text", message, place, step.text.strip())
            self._schedule.event_extra.setdefault("stray_text", []).append(step.text.strip())

    def _record(self, step: XmlStep, container: str) -> None:
        element, name = step.element, step.name
        if name == "event":
            self._add_event(element)
        elif name == "conference" and container == "schedule":
            self._read_conference(element)
        elif container == "persons" and name == "person":
            self._listed.append(self._person(element))
            if len(self._listed) > self._source.limits.max_records:
                raise too_many_records(self._source.limits, self._entry)
        elif container == "tracks" and name == "track":
            says = _attributes(element)
            self._bound(says)
            self._tracks.append((text_of(element) or says.pop("name", ""), says))
        elif name == "generator":
            self._read_generator(element)
        elif container in {"day", "room"} and self._days:
            self._others += container == "day"
            value = value_of(element)
            self._bound(value)
            keep(self._days[-1].says, name, value)
        else:
            self._keep(name, value_of(element))

    def _keep(self, name: str, value: Any) -> None:
        if value not in ("", None):
            self._bound(value)
            keep(self._schedule.event_extra, name, value)

    def _bound(self, value: Any) -> None:
        """Count what is kept with the event: it is one record, however many elements it is from."""
        self._kept += len(repr(value)) + 10
        if self._kept > self._source.limits.max_record_bytes:
            message = (
                "The data of the schedule, apart from its sessions, are larger than "
                f"{size_in_words(self._source.limits.max_record_bytes)}. "
                "The limit is set by MAX_RECORD_BYTES."
            )
            raise ArchiveError("record-too-large", message, Place(self._entry))

    def _read_generator(self, element: Element) -> None:
        self._generator = _attributes(element)
        if text := text_of(element).strip():
            self._generator.setdefault("name", text)
        self._keep("generator", dict(self._generator))

    def _read_conference(self, element: Element) -> None:
        if says := _attributes(element):
            self._keep("conference", says)
        event, said = self._schedule.event, self._conference
        for child in element:
            name = local_name(child)
            if name == "track":
                says = _attributes(child)
                label = says.pop("name", None) or text_of(child)
                fields = {"color": says.pop("color", None)}
                self._schedule.list_track(label, fields=fields, extra=says)
                continue
            if name == "generator":
                self._read_generator(child)
                continue
            value = value_of(child)
            if not isinstance(value, str) or name in said:
                self._keep(name, value)
            elif value.strip():
                said[name] = value.strip()
        for name, value in said.items():
            if name in _EVENT_FIELDS:
                event[_EVENT_FIELDS[name]] = value
            elif name not in {"venue", "city", "time_zone_name", "logo", "url", "base_url"}:
                self._keep(name, value)
        places = [said[name] for name in ("venue", "city") if name in said]
        if places:
            event["location_name"] = ", ".join(places)
        self._schedule.places = places[::-1]
        self._schedule.named_zone = said.get("time_zone_name")
        self._read_addresses()

    def _read_addresses(self) -> None:
        said, event = self._conference, self._schedule.event
        base = said.get("base_url")
        self._media.base = base
        page = said.get("url") or base
        if page:
            event["external_event_url"] = page
        if base and base != page:
            self._keep("base_url", base)
        if "logo" in said:
            self._media.add(event, self._schedule.event_extra, "logo_url", "logo", said["logo"])

    def _add_event(self, element: Element) -> None:
        self._source.check()
        says = _attributes(element)
        guid, source_id = says.pop("guid", None), says.pop("id", None)
        session = Session(
            fields={},
            slot=Slot(),
            room=self._room,
            guid=guid,
            id=source_id,
            extra=says,
            line=element.sourceline,
        )
        event = _Event(session, {}, self._days[-1].date if self._days else None)
        seen: set[str] = set()
        for child in element:
            name = local_name(child)
            if name in seen and name not in {"person", "link"}:
                # Each may stand only once.
                if (value := value_of(child)) not in ("", None):
                    keep(session.extra, name, value)
                continue
            seen.add(name)
            self._read_child(event, child, name)
        self._events.append(event)
        if len(self._events) > self._source.limits.max_records:
            raise too_many_records(self._source.limits, self._entry)
        if len(self._events) % EVERY == 0:
            self._options.progress("Reading the schedule", len(self._events), 0)

    def _read_child(self, event: _Event, child: Element, name: str) -> None:
        session = event.session
        if name in _TEXTS:
            self._read_text(event, child, name)
        elif name == "persons":
            self._read_persons(session, child)
        elif name == "person":
            session.persons += self._direct_persons(child)
        elif name == "attachments":
            self._read_attachments(session, child)
        elif name in {"recording", "video_download_url"}:
            self._media.read_recording(session.fields, session.extra, name, value_of(child))
        elif name == "links":
            links = [value for link in child if (value := value_of(link))]
            if links:
                session.extra["links"] = links
            _keep_rest(session.extra, name, child)
        elif value := value_of(child):
            keep(session.extra, name, value)

    def _read_text(self, event: _Event, child: Element, name: str) -> None:
        """Read an element that holds text only; if it says more, that is kept, too."""
        session = event.session
        if child.items() or (len(child) and name not in _RICH):
            keep(session.extra, name, value_of(child))
        text = markup_of(child) if name in _RICH else text_of(child).strip()
        if not text.strip():
            return
        if name in _FIELDS:
            session.fields[_FIELDS[name]] = text
        elif name in _SLOT:
            event.slot[name] = text
        elif name == "track":
            session.track = text
        elif name == "type":
            session.session_type = text
        elif session.room is None:
            session.room = text
        elif " ".join(text.split()) != session.room:
            session.extra["room"] = text

    def _read_attachments(self, session: Session, element: Element) -> None:
        """Take the first slides and audio of a session's attachments; keep what else they say."""
        kept = []
        for child in element:
            says = {bare_name(name): text for name, text in child.attrib.items()}
            href, sort = says.get("href", "").strip(), says.get("type", "")
            is_taken = local_name(child) == "attachment" and self._media.take_attachment(
                session.fields, session.extra, href, sort
            )
            says_more = (child.text or "").strip() or set(says) - {"href", "type"} or len(child)
            if not is_taken or says_more:
                kept.append(value_of(child))
        kept = [value for value in kept if value]
        if kept:
            session.extra["attachments"] = kept

    def _read_persons(self, session: Session, element: Element) -> None:
        for child in element:
            if local_name(child) == "person":
                session.persons.append(self._person(child))
            else:
                keep(session.extra, "persons", {local_name(child): value_of(child)})
        _keep_rest(session.extra, "persons", element)

    def _direct_persons(self, element: Element) -> list[Person]:
        """A person right in an event: files that are written by hand name several in one."""
        person = self._person(element)
        names = [name for name in person.name.split(_BETWEEN_PERSONS) if name.strip()]
        if len(names) < 2 or person.id or person.guid:
            return [person]
        message = f"“{person.name}” was read as the names of {len(names)} persons."
        place = Place(self._entry, line=element.sourceline)
        self._report.warning("several-names", message, place, person.name)
        return [Person(name=name) for name in names]

    def _person(self, element: Element) -> Person:
        attributes = element.items()
        if not len(element) and [name for name, _ in attributes] in ([], ["id"]):
            name = " ".join((element.text or "").split())
            return Person(name=name, id=attributes[0][1].strip() if attributes else None)
        extra: dict[str, Any] = dict(_attributes(element))
        for child in element:
            keep(extra, local_name(child), value_of(child))
        children = [child.tail or "" for child in element]
        text = " ".join("".join([element.text or "", *children]).split())
        person = Person(name=text, extra=extra)
        if not text:
            person.name = _pop_text(extra, "name") or _pop_text(extra, "public_name") or ""
        person.guid = _pop_text(extra, "guid")
        person.code = _pop_text(extra, "code")
        person.id = _pop_text(extra, "id")
        for name, field_name in _PERSON_FIELDS.items():
            if value := _pop_text(extra, name):
                person.fields[field_name] = value
        if "photo_url" in person.fields:
            photo = person.fields.pop("photo_url")
            self._media.add(person.fields, extra, "photo_url", "avatar", photo)
        for name in ("contact", "email"):
            address = _pop_text(extra, name)
            if address and "@" in address and "email" not in person.fields:
                person.fields["email"] = address.removeprefix("mailto:")
            elif address:
                extra[name] = address
        return person

    def _finish(self) -> Conference:
        schedule, said = self._schedule, self._conference
        producer = producer_of(self._generator, said)
        schedule.flavour = producer.flavour
        day_change = read_day_change(said.get("day_change"))
        self._media.resolve(self._source.index)
        for person in self._listed:
            schedule.list_person(person)
        for event in self._events:
            slot = {name: event.slot.get(name) for name in _SLOT}
            event.session.slot = slot_by_day_rules(
                **slot, day=event.day, day_change=day_change, days_first=producer.days_first
            )
            schedule.add(event.session)
        self._settle_tracks()
        days = [day.says for day in self._days if day.says]
        if days and any(set(day) - {"date"} for day in days):
            schedule.event_extra["schedule_days"] = days
        return schedule.finish()

    def _settle_tracks(self) -> None:
        """Add what is said of tracks beside the conference; a track without sessions is kept in
        `extra` only."""
        unused = []
        for name, says in self._tracks:
            if self._schedule.has_track(name):
                self._schedule.list_track(name, extra=says)
            else:
                unused.append({"name": name, **says})
        if unused:
            self._keep("tracks", unused)


def _attributes(element: Element) -> dict[str, Any]:
    """The attributes that say something, by their local names."""
    return {bare_name(name): said for name, text in element.items() if (said := text.strip())}


def _keep_rest(extra: dict[str, Any], name: str, element: Element) -> None:
    """Keep the attributes and the text of an element that should only have children."""
    rest: dict[str, Any] = _attributes(element)
    text = "".join([element.text or "", *(child.tail or "" for child in element)]).strip()
    if text:
        rest["#text"] = text
    if rest:
        keep(extra, f"{name}_", rest)


def _pop_text(extra: dict[str, Any], name: str) -> str | None:
    """Take a text out of what is kept."""
    value = extra.get(name)
    if not isinstance(value, str):
        return None
    del extra[name]
    return value.strip() or None
