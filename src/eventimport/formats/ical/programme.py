"""The components of a calendar → a conference. xCal's are read here, too.

Each time that an event happens is a session. What no field takes is kept in `extra`, by the
property's name in lower case; `name;parameter` is a parameter that says something else.
"""

import re
from collections import Counter, defaultdict
from typing import Any, Final

from eventimport.conference.conference import Conference
from eventimport.conference.report import Place, Report, shortened
from eventimport.conference.web_links import web_url
from eventimport.conference.zones import find_zone
from eventimport.formats.format import EVERY, ReadOptions
from eventimport.formats.ical.components import CALENDAR, Component, Property
from eventimport.formats.ical.dialects import NO_ROOM, Dialect, dialect_of
from eventimport.formats.ical.moments import Zones
from eventimport.formats.ical.occurrences import Event, Occurrences, place_in
from eventimport.formats.ical.persons import HIDDEN, Persons
from eventimport.formats.ical.recurrence import Instance
from eventimport.formats.limits import ArchiveError
from eventimport.formats.schedules.flavours import plain_of
from eventimport.formats.schedules.media_fields import MediaFields
from eventimport.formats.schedules.schedule import IDENTIFIERS, Person, Schedule, Session
from eventimport.formats.schedules.slots import Slot
from eventimport.formats.source import Source

_TIMES: Final = frozenset({"DTSTART", "DTEND", "DURATION"})
_RECURRENCE: Final = frozenset({"RRULE", "RDATE", "EXDATE", "RECURRENCE-ID"})
_READ: Final = frozenset(
    [
        *("UID", "SUMMARY", "DESCRIPTION", "LOCATION", "CATEGORIES", "STATUS", "GEO", "ATTACH"),
        *("ATTENDEE", "ORGANIZER", "X-ALT-DESC", "TZID", "CATEGORY"),
        *("PENTABARF:TITLE", "PENTABARF:SUBTITLE", "PENTABARF:TRACK", "PENTABARF:LANGUAGE-CODE"),
    ]
)
"""Properties of an event that are read, besides its times. Some exist in xCal only."""

_LISTS: Final = frozenset({"CATEGORIES", "ATTACH", "ATTENDEE", "ORGANIZER"})
"""Properties that may be repeated, and are all read."""

_CALENDAR_NAMES: Final = ("X-WR-CALNAME", "NAME")
_CALENDAR_TEXTS: Final = ("X-WR-CALDESC", "DESCRIPTION")
_CALENDAR_ZONES: Final = ("X-WR-TIMEZONE", "TIMEZONE-ID", "VTIMEZONE", "TZID")
_CONSUMED: Final = frozenset({"CHARSET", "ENCODING", "VALUE"})
"""Parameters that say how a value is written."""

_STATES: Final = {"CONFIRMED": "confirmed", "TENTATIVE": "accepted", "CANCELLED": "canceled"}
_PRIVATE: Final = frozenset({"PRIVATE", "CONFIDENTIAL"})
_ADMINISTRATIVE: Final = frozenset(
    [
        *("calscale", "class", "created", "dtstamp", "duration", "last-modified", "method"),
        "prodid",
        *("priority", "recurrence-id", "refresh-interval", "sequence", "transp", "vtimezone"),
        *("rrule", "rdate", "exdate"),
    ]
)
_OF_PROGRAMS: Final = (
    "pentabarf:",
    "x-apple-",
    "x-google-",
    "x-lic-",
    "x-microsoft-",
    "x-moz-",
    "x-published-",
)

_PRETALX_UID: Final = re.compile(r"pretalx-(.{1,100})-[A-Z0-9]{6}(?:-\d+)?@")


def is_administrative(key: str) -> bool:
    """Whether a key in `extra` holds a setting of the program that wrote the calendar."""
    return (
        key in IDENTIFIERS or key in _ADMINISTRATIVE or ";" in key or key.startswith(_OF_PROGRAMS)
    )


class Programme:
    """Collects the components of a source, in its order, and makes a conference of them."""

    def __init__(self, source: Source, options: ReadOptions, report: Report, entry: str) -> None:
        self._source = source
        self._options = options
        self._report = report
        self._entry = entry
        self._zones = Zones(report, entry)
        self._occurrences = Occurrences(source, report, entry, self._zones)
        self._events: list[Component] = []
        self._calendar = Component(CALENDAR)
        self._others: dict[str, list[Any]] = defaultdict(list)
        self._count = 0
        self._dialect = Dialect()
        self._persons = Persons()
        self._zone_text = ""
        """The name of the calendars' zone, as they spell it."""
        self._media = MediaFields(report, entry)
        self._schedule = Schedule.of(source, options, report, entry)
        self._schedule.is_administrative = is_administrative

    def add(self, component: Component) -> None:
        """Add a component of a calendar, or, after its components, the calendar itself."""
        self._count += 1
        if self._count > self._source.limits.max_records:
            message = (
                f"The calendar has more than {self._source.limits.max_records:,} components. "
                "The limit is set by MAX_RECORDS."
            )
            raise ArchiveError("too-many-records", message, Place(self._entry, line=component.line))
        if component.name == CALENDAR:
            self._calendar.properties += component.properties
            self._calendar.broken += component.broken
        elif component.name == "VEVENT":
            self._events.append(component)
            if len(self._events) % EVERY == 0:
                self._options.progress("Reading sessions", len(self._events), 0)
        elif component.name == "VTIMEZONE":
            self._zones.define(component)
        else:
            message = f"“{component.name}” is not a session. It is kept in `extra` of the event."
            place = Place(self._entry, line=component.line)
            self._report.warning("other-component", message, place, group=component.name)
            self._others[component.name.lower()].append(_as_dict(component))

    def finish(self) -> Conference:
        """Make the conference."""
        calendar = self._calendar
        self._dialect = dialect_of(calendar.text("PRODID"))
        self._schedule.flavour = self._dialect.flavour
        if not self._dialect.is_escaped:
            for component in self._events:
                for each in component.properties:
                    each.is_escaped = False
        self._persons = Persons.of(self._events, calendar.text("METHOD"))
        self._read_zone()
        slugs = {_slug_of(component.text("UID")) for component in self._events}
        events = [self._occurrences.timed(component) for component in self._events]
        self._read_calendar()
        self._read_places()
        repeated = {uid for uid, n in Counter(event.uid for event in events).items() if n > 1}
        for number, (event, instance) in enumerate(
            self._occurrences.of(events, self._schedule.named_zone)
        ):
            self._add_session(event, instance, is_repeated=event.uid in repeated)
            if instance is None:
                # All that it says is in the session now; a large calendar needs the memory.
                event.component.properties = []
            if number % EVERY == 0:
                self._options.progress("Checking sessions", number, len(events))
        self._name_event(slugs)
        self._keep_definitions()
        self._report_persons()
        self._media.resolve(self._source.index)
        return self._schedule.finish()

    # The calendar.

    def _read_zone(self) -> None:
        names = [self._calendar.text(name) for name in _CALENDAR_ZONES]
        named = self._zone_text = next(filter(None, names), "")
        if named:
            found = self._zones.named(named)[1]
            self._schedule.named_zone = found or named

    def _read_calendar(self) -> None:
        schedule, calendar = self._schedule, self._calendar
        kept: dict[str, list[str]] = defaultdict(list)
        for each in calendar.properties:
            text = each.text
            if not text or (each.name, text) == ("VERSION", "2.0"):
                continue
            if each.name in _CALENDAR_ZONES and text == self._zone_text:
                continue
            if each.name in _CALENDAR_NAMES and schedule.event.setdefault("name", text) == text:
                continue
            if each.name in _CALENDAR_TEXTS:
                if schedule.event.setdefault("description", text) == text:
                    continue
            elif (
                each.name == "URL" and web_url(text) and "external_event_url" not in schedule.event
            ):
                schedule.event["external_event_url"] = web_url(text)
                continue
            elif each.name == "IMAGE" and web_url(text) and "logo_url" not in schedule.event:
                schedule.event["logo_url"] = web_url(text)
                continue
            kept[each.name.lower()].append(self._persons.without_addresses(text))
            self._keep_parameters(each, schedule.event_extra)
        for name, texts in kept.items():
            schedule.event_extra[name] = texts[0] if len(texts) == 1 else texts
        schedule.event_extra.update(self._hidden(self._others))
        if calendar.broken:
            schedule.event_extra["broken_lines"] = self._hidden(calendar.broken)
        if self._persons.owner:
            schedule.event["owner_name"] = self._persons.owner
        if self._persons.owner_email:
            schedule.event["email"] = self._persons.owner_email

    def _read_places(self) -> None:
        """What most locations say besides the room is the event's place, as the position of all."""
        rests: Counter[str] = Counter()
        positions: set[tuple[float, float] | None] = set()
        for component in self._events:
            location = component.text("LOCATION")
            if location and not _has_no_room(component):
                rests[self._dialect.split_location(location)[1]] += 1
            if found := component.first("GEO"):
                positions.add(_position(found))
        rest, count = next(iter(rests.most_common(1)), ("", 0))
        if rest and 2 * count > rests.total():
            self._schedule.event["location_name"] = rest
        if len(positions) == 1 and (position := positions.pop()) is not None:
            self._schedule.event["latitude"], self._schedule.event["longitude"] = position
        place = self._schedule.event.get("location_name", "")
        self._schedule.places += [place, *(part.strip() for part in place.split(","))]
        if self._dialect.in_utc and self._schedule.named_zone == "UTC":
            self._report_utc()

    def _report_utc(self) -> None:
        if self._options.timezone is not None:
            # The zone of the user says more than that of the program.
            self._schedule.named_zone = None
            return
        found = next(filter(None, map(find_zone, filter(None, self._schedule.places))), None)
        like = found.name if found is not None else "Europe/Berlin"
        message = (
            "The calendar's times are right, but its time zone is UTC, as in all calendars of "
            f"this program. Set the option `timezone`, for example to “{like}”."
        )
        self._report.warning("timezone", message, Place(self._entry, field="timezone"), "UTC")

    def _name_event(self, slugs: set[str | None]) -> None:
        event = self._schedule.event
        if event.get("name") or self._options.name:
            return
        name = self._persons.owner if self._persons.owner_email is None else None
        if name:
            # An organizer without an address, as frab writes it, is the conference.
            del event["owner_name"]
        if not name and len(slugs) == 1:
            [name] = slugs
        if not name:
            day = min((moment.date() for moment in self._schedule.times), default=None)
            name = f"Calendar of {day:%Y-%m-%d}" if day is not None else "Calendar"
        event["name"] = name
        message = (
            f"The calendar has no name; the event is called “{shortened(name)}” now. Set the "
            "option `name`, or rename the event."
        )
        self._report.warning("event-name", message, Place(self._entry, field="name"))

    def _keep_definitions(self) -> None:
        """Keep the definitions of zones, unless they say what is known."""
        definitions = [
            _as_dict(component)
            for name, component in self._zones.defined.items()
            if name in self._zones.used or self._zones.differs(name)
        ]
        if definitions:
            self._schedule.event_extra["vtimezone"] = definitions

    def _report_persons(self) -> None:
        if self._persons.hidden:
            message = (
                f"{self._persons.hidden} e-mail addresses were left out, because anyone can read "
                f"what is kept in `extra`. “{HIDDEN}” stands in their place."
            )
            self._report.warning("address-hidden", message, Place(self._entry))

    # Sessions.

    def _add_session(self, event: Event, instance: Instance | None, *, is_repeated: bool) -> None:
        component = event.component
        fields: dict[str, Any] = {}
        extra: dict[str, Any] = {}
        persons, others = self._persons.read(component)
        extra.update(others)
        self._read_texts(component, fields, extra)
        if self._dialect.with_speakers:
            persons = self._split_title(fields, persons)
        self._read_attachments(component, fields, extra)
        self._keep_others(component, extra)
        slot = self._occurrences.slot(event, instance, extra)
        if event.length:
            extra["duration"] = event.length
        session = Session(
            fields=fields,
            slot=slot,
            room=self._room(component, extra),
            persons=persons,
            extra=extra,
            line=component.line,
        )
        self._read_categories(component, session)
        if uid := event.uid:
            session.id = uid
            if instance is not None or is_repeated:
                session.id = self._id_of(uid, slot, session.room)
                extra["uid"] = uid
        if event.zone_name is not None:
            self._schedule.zones_of_times.append(event.zone_name)
        self._schedule.add(session)

    def _read_categories(self, component: Component, session: Session) -> None:
        """The track and the type. Pentabarf's dialect of xCal has both; in others, the categories
        are tracks."""
        tracks = [component.text("PENTABARF:TRACK")]
        tracks += [text for each in component.all("CATEGORIES") for text in each.texts]
        tracks = list(dict.fromkeys(filter(None, tracks)))
        session.track = tracks[0] if tracks else None
        if len(tracks) > 1:
            session.extra["categories"] = tracks[1:]
        if (category := component.text("CATEGORY")) not in tracks:
            session.session_type = category

    def _id_of(self, uid: str, slot: Slot, room: str | None) -> str:
        """The id of a session whose UID others have, too."""
        start = slot.starts.isoformat(timespec="minutes") if slot.starts is not None else ""
        return " ".join(filter(None, (uid, start, room)))

    def _read_texts(
        self, component: Component, fields: dict[str, Any], extra: dict[str, Any]
    ) -> None:
        title, text = component.first("SUMMARY"), component.first("DESCRIPTION")
        fields["title"] = title.text if title is not None else ""
        subtitle = component.text("PENTABARF:SUBTITLE")
        if own := component.text("PENTABARF:TITLE"):
            # The summary is both together.
            if fields["title"].replace(" ", "") not in {
                own.replace(" ", ""),
                _joined(own, subtitle),
            }:
                extra["summary"] = fields["title"]
            fields["title"] = own
        fields["subtitle"] = subtitle
        fields["language"] = component.text("PENTABARF:LANGUAGE-CODE")
        fields["long_abstract"] = text.text if text is not None else ""
        markup = component.text("X-ALT-DESC")
        if "<" in markup:
            if fields["long_abstract"] not in {"", plain_of(markup)}:
                extra["description"] = fields["long_abstract"]
            fields["long_abstract"] = markup
        elif markup:
            extra["x-alt-desc"] = markup
        for found in (title, text):
            language = found.params.get("LANGUAGE") if found is not None else None
            fields["language"] = fields["language"] or language or ""
            if language and fields["language"] != language:
                extra["description;language"] = language
        if status := component.text("STATUS"):
            state = _STATES.get(status.upper())
            if state is not None:
                fields["state"] = state
            if state != status.casefold() and status.upper() != "CANCELLED":
                extra["status"] = status
        position = component.first("GEO")
        if position is not None and "latitude" not in self._schedule.event:
            extra["geo"] = position.text
        if component.text("CLASS").upper() in _PRIVATE:
            message = "A session is marked as private in the calendar. Others will see it."
            self._report.warning(
                "private-session", message, place_in(self._entry, component, "class")
            )

    def _split_title(self, fields: dict[str, Any], persons: list[Person]) -> list[Person]:
        """Separate the names of speakers from a title, if all of them are known."""
        title, dash, names = fields["title"].rpartition(" - ")
        speakers = [name.strip() for name in names.split(",")]
        if dash and title and all(name in self._persons.names for name in speakers):
            fields["title"] = title
            known = {person.name for person in persons}
            return [*persons, *(Person(name=name) for name in speakers if name not in known)]
        if dash:
            message = f"The title “{shortened(fields['title'])}” may end with names of speakers."
            self._report.warning("speakers-in-title", message, Place(self._entry, field="summary"))
        return persons

    def _read_attachments(
        self, component: Component, fields: dict[str, Any], extra: dict[str, Any]
    ) -> None:
        kept = []
        for found in component.all("ATTACH"):
            address = found.value.strip()
            sort = found.params.get("FMTTYPE", "")
            is_within = "BINARY" in found.params.values()
            if is_within or not self._media.take_attachment(fields, extra, address, sort):
                kept.append(address)
        if kept:
            extra["attach"] = kept if len(kept) > 1 else kept[0]

    def _room(self, component: Component, extra: dict[str, Any]) -> str | None:
        if _has_no_room(component):
            return None
        location = component.text("LOCATION")
        if web_url(location) and "://" in location:
            extra["location"] = location
            return None
        room, rest = self._dialect.split_location(location)
        if rest and rest != self._schedule.event.get("location_name"):
            self._schedule.list_room(room, extra={"location": location})
        return room or None

    def _keep_others(self, component: Component, extra: dict[str, Any]) -> None:
        """Keep what no field takes."""
        kept: dict[str, list[str]] = defaultdict(list)
        read: set[str] = set()
        for each in component.properties:
            self._keep_parameters(each, extra)
            is_recurrence = each.name in _RECURRENCE
            is_read = each.name in _LISTS or (each.name in _READ | _TIMES and each.name not in read)
            if not each.value.strip() or is_read:
                # Of those that must not be repeated, the first is read.
                read.update([each.name] if each.value.strip() else [])
                continue
            if (each.name, each.value.strip().upper()) == ("CLASS", "PUBLIC"):
                continue
            text = each.value.strip() if is_recurrence else each.text
            if each.name == "URL":
                text = self._link(each)
            kept[each.name.lower()].append(self._persons.without_addresses(text))
        for name, texts in kept.items():
            before = [extra[name]] if isinstance(extra.get(name), str) else []
            extra[name] = texts[0] if len(texts) == 1 and not before else [*before, *texts]
        for child in component.children:
            extra.setdefault(child.name.lower(), []).append(self._hidden(_as_dict(child)))
        if component.broken:
            extra["broken_lines"] = self._hidden(component.broken)

    def _hidden(self, value: Any) -> Any:
        """A value in whose texts no address is."""
        if isinstance(value, str):
            return self._persons.without_addresses(value)
        if isinstance(value, list):
            return [self._hidden(each) for each in value]
        return {name: self._hidden(each) for name, each in value.items()}

    def _link(self, found: Property) -> str:
        text = found.text
        if text.startswith(("http:/", "https:/")) and "://" not in text[:9]:
            link = web_url(text)
            if link is not None:
                message = f"The link was read as “{shortened(link)}”."
                place = Place(self._entry, field="url", line=found.line)
                self._report.repair("link", message, place, text)
                return link
        return text

    def _keep_parameters(self, found: Property, extra: dict[str, Any]) -> None:
        for name, value in found.params.items():
            is_known = (
                name in _CONSUMED
                or (name == "TZID" and found.name in _TIMES | _RECURRENCE and self._knows(value))
                or (name == "LANGUAGE" and found.name in {"SUMMARY", "DESCRIPTION"})
                or (name == "FMTTYPE" and found.name in {"ATTACH", "X-ALT-DESC"})
                or (name == "RANGE" and found.name == "RECURRENCE-ID")
                or (found.name in {"ATTENDEE", "ORGANIZER"} and name in {"CN", "CUTYPE"})
                or (name, value) in {("ROLE", "REQ-PARTICIPANT"), (NO_ROOM, "TRUE")}
            )
            if not is_known:
                key = f"{found.name.lower()};{name.lower()}"
                extra.setdefault(key, self._persons.without_addresses(value))

    def _knows(self, zone_name: str) -> bool:
        return self._zones.named(zone_name.strip(' "'))[0] is not None


def _has_no_room(component: Component) -> bool:
    """Whether the location is only there because apps demand it, as in our own exports."""
    location = component.first("LOCATION")
    return location is not None and NO_ROOM in location.params


def _joined(title: str, subtitle: str) -> str:
    """How Pentabarf's dialect joins a title and a subtitle, without blanks."""
    return f"{title}-{subtitle}".replace(" ", "")


def _position(found: Property) -> tuple[float, float] | None:
    parts = found.value.replace("\\", "").split(";")
    try:
        latitude, longitude = (float(part) for part in parts)
    except ValueError:
        return None
    is_valid = abs(latitude) <= 90 and abs(longitude) <= 180
    return (latitude, longitude) if is_valid else None


def _slug_of(uid: str) -> str | None:
    """The slug of the event in a UID of pretalx."""
    found = _PRETALX_UID.match(uid)
    return found[1] if found else None


def _as_dict(component: Component) -> dict[str, Any]:
    """All that a component says, as JSON."""
    result: dict[str, Any] = {}
    for each in component.properties:
        params = "".join(f";{name}={value}" for name, value in each.params.items())
        result.setdefault(f"{each.name}{params}".lower(), []).append(each.text)
    for child in component.children:
        result.setdefault(child.name.lower(), []).append(_as_dict(child))
    if component.broken:
        result["broken_lines"] = component.broken
    return {
        name: values[0] if len(values) == 1 and isinstance(values[0], str) else values
        for name, values in result.items()
    }
