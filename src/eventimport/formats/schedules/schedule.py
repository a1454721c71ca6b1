"""Sessions with rooms, tracks and persons by name → a conference.

All readers of schedules make their conference here, so that the same event is the same whatever it
was exported as. Use: see the package's docstring.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from datetime import time as clock
from typing import Any, Final

from eventimport.conference.builder import ConferenceBuilder, EventChoices
from eventimport.conference.conference import Conference, Record, Reference
from eventimport.conference.fields import translated_message
from eventimport.conference.kinds import SHAPES, Kind
from eventimport.conference.media import MediaIndex
from eventimport.conference.report import Check, Place, Report, go_on, shortened, title_of
from eventimport.conference.times import in_zone, read_time
from eventimport.conference.values import source_key, translation
from eventimport.conference.zones import find_zone, zone
from eventimport.formats.format import ReadOptions
from eventimport.formats.limits import ArchiveError, ArchiveLimits
from eventimport.formats.schedules.flavours import Flavour, read_text
from eventimport.formats.schedules.slots import Slot
from eventimport.formats.schedules.zone_choice import choose_zone, without_zone
from eventimport.formats.source import Source

CONFIRMED: Final = "confirmed"
"""The state of a session that a published schedule has."""

TEXTS: Final = "texts"
"""The key in `extra` under which a record's texts have their flavour, and their source if that
differs from the field. Texts that are not in it are plain."""

IDENTIFIERS: Final = frozenset(
    [
        *("id", "guid", "code", "slug", "uid", "version", "generator", "acronym", "days"),
        *(
            "timeslot_duration",
            "day_change",
            "origin_url",
            "feedback_url",
            "schedule_days",
            "schedule",
        ),
        *("base_url", "color", "colors", "daysCount", "$schema", "repeated_keys"),
    ]
)
"""Keys in `extra` that identify records and settings of the program that wrote the source. They are
reported together."""

_ADDRESS: Final = re.compile(r"[^\s@<>()\"',;:]{1,100}@[\w\-]+(?:\.[\w\-]+)+")
_NAME_AND_ADDRESS: Final = re.compile(
    rf"(?P<name>.*?)\s*[<(\[]?\s*(?:mailto:)?(?P<address>{_ADDRESS.pattern})\s*[>)\]]?",
    re.IGNORECASE | re.DOTALL,
)


@dataclass(slots=True, kw_only=True)
class Person:
    """A person as one session names them. `fields` are those of a speaker besides the name; `extra`
    is what no field takes. Addresses of any kind must be in `fields["email"]`; what is an address
    in `name` moves there."""

    name: str
    guid: str | None = None
    code: str | None = None
    id: str | None = None
    fields: dict[str, Any] = field(default_factory=dict)
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def identity(self) -> tuple[str, ...]:
        """What makes it the same person as in another session. An id means several people in merged
        files, and a name may be that of several people with ids of their own."""
        if self.guid:
            return "guid", self.guid
        if self.code:
            return "code", self.code
        return ("id", self.id, self.name) if self.id else ("name", self.name)

    @property
    def key(self) -> str | None:
        """Its source id; its name if it has none. Source ids are public, so an address is none."""
        key = source_key(self.guid or self.code or self.id)
        return source_key(self.name) if key is None or "@" in key else key

    def as_dict(self) -> dict[str, Any]:
        """All that is said of it."""
        identifiers = {"name": self.name, "guid": self.guid, "code": self.code, "id": self.id}
        said = {name: value for name, value in identifiers.items() if value}
        return {**said, **self.fields, **self.extra}


@dataclass(slots=True, kw_only=True)
class Session:
    """A session as the source has it. `fields` are those of a session besides its times; rich texts
    among them may be Markdown. `extra` is what no field takes, under the source's keys. `line` is
    where the source says it."""

    fields: dict[str, Any]
    slot: Slot
    room: str | None = None
    track: str | None = None
    session_type: str | None = None
    persons: list[Person] = field(default_factory=list)
    guid: str | None = None
    id: str | None = None
    extra: dict[str, Any] = field(default_factory=dict)
    line: int | None = None


@dataclass(slots=True)
class _Named:
    """A record that sessions refer to: what all that mention it say about it together."""

    fields: dict[str, Any]
    reference: Reference
    extra: dict[str, Any] = field(default_factory=dict)
    others: dict[str, list[Any]] = field(default_factory=dict)
    """By name, the values that differ from the first."""

    def merge(self, fields: dict[str, Any], extra: dict[str, Any]) -> None:
        """Add what another mention says. The first value of a field counts."""
        for known, given in ((self.fields, fields), (self.extra, extra)):
            for name, value in given.items():
                if value in (None, "", [], {}):
                    continue
                if known.setdefault(name, value) != value:
                    others = self.others.setdefault(name, [])
                    value = HIDDEN if name in PRIVATE else value  # noqa: PLW2901
                    if value not in others and len(others) < _MOST_OTHERS:
                        others.append(value)


PRIVATE: Final = frozenset({"email", "mobile"})
HIDDEN: Final = "(not public)"
"""Stands in `extra`, which anyone can read, for another value of a private field."""

_MOST_OTHERS: Final = 20
"""Values of one field that are kept besides the first."""


class Schedule:
    """Collects what a source says, in its order, and makes a conference of it.

    `event` are the fields of the event, `event_extra` what no field takes; both may be filled until
    `finish`. `named_zone` is the zone that the source as a whole names, `zones_of_times` are those
    that single times name; `time_zone`, `name` and `language` are what the user says. `flavour` is
    how the source's texts are usually written; of a text in several languages, the one in
    `language` is used; `places` are places that suggest a zone to the user, such as the city.
    `forms` are form fields, each with what no field takes.
    """

    def __init__(
        self,
        report: Report,
        limits: ArchiveLimits,
        *,
        entry: str,
        check: Check = go_on,
        time_zone: str | None = None,
        name: str | None = None,
        language: str | None = None,
        files: MediaIndex | None = None,
    ) -> None:
        self.event: dict[str, Any] = {}
        self.event_extra: dict[str, Any] = {}
        self.social_links: list[dict[str, Any]] = []
        self.forms: list[tuple[dict[str, Any], dict[str, Any]]] = []
        self.named_zone: str | None = None
        self.zones_of_times: list[str] = []
        self.flavour = Flavour.PLAIN
        self.language: str | None = None
        self.places: list[str] = []
        self.is_administrative: Callable[[str], bool] = IDENTIFIERS.__contains__
        """Whether a key in `extra` is reported together with all others of this sort."""
        self._report = report
        self._limits = limits
        self._entry = entry
        self._check = check
        self._time_zone = time_zone
        self._choices = EventChoices(name=name, language=language)
        self._files = files or MediaIndex()
        self._sessions: list[Session] = []
        self._rooms: dict[str, _Named] = {}
        self._tracks: dict[str, _Named] = {}
        self._types: dict[str, _Named] = {}
        self._persons: dict[tuple[str, ...], _Named] = {}
        self._records = 0
        self._zone: tzinfo = UTC
        self._is_named = False

    @classmethod
    def of(cls, source: Source, options: ReadOptions, report: Report, entry: str) -> "Schedule":
        """The schedule that an entry of a source says, with the options of the user. The source's
        documents must have been chosen: its other files are those of the conference."""
        return cls(
            report,
            source.limits,
            entry=entry,
            check=source.check,
            time_zone=options.timezone,
            name=options.name,
            language=options.language,
            files=source.index,
        )

    def list_room(self, name: str | None, *, extra: dict[str, Any] | None = None) -> str | None:
        """Add a room, whether or not a session is in it. Return its name as rows have it."""
        return self._list(self._rooms, name, {}, extra)

    def list_track(
        self,
        name: str | None,
        *,
        fields: dict[str, Any] | None = None,
        extra: dict[str, Any] | None = None,
    ) -> str | None:
        """Add a track, whether or not a session is in it. Return its name as rows have it."""
        return self._list(self._tracks, name, fields, extra)

    def has_track(self, name: str) -> bool:
        """Whether a track of this name is listed already."""
        return " ".join(name.split()) in self._tracks

    def list_person(self, person: Person) -> None:
        """Add a person, whether or not a session names them."""
        self._meet(person)

    def add(self, session: Session) -> None:
        """Add a session, and the room, track, type and persons that it names."""
        self._count()
        for name in ("title", "subtitle"):
            if isinstance(text := session.fields.get(name), str):
                session.fields[name] = " ".join(text.split())
        session.room = self._list(self._rooms, session.room)
        session.track = self._list(self._tracks, session.track)
        session.session_type = self._list(self._types, session.session_type)
        nameless = [person for person in session.persons if not self._meet(person)]
        if nameless:
            session.persons = [person for person in session.persons if person.name]
            session.extra["persons_without_name"] = [person.as_dict() for person in nameless]
        self._sessions.append(session)

    def __len__(self) -> int:
        return len(self._sessions)

    @property
    def times(self) -> Iterable[datetime]:
        """The starts of all sessions, and the ends that the source says."""
        for session in self._sessions:
            yield from filter(None, (session.slot.starts, session.slot.ends))

    def finish(self) -> Conference:
        """Make the conference. Reports an error if local times have no time zone."""
        builder = ConferenceBuilder(
            self._report,
            self._limits.texts,
            self._check,
            entry=self._entry,
            is_administrative=self.is_administrative,
            choices=self._choices,
        )
        builder.set_language(self.language)
        self._add_event(builder)
        for index, link in enumerate(self.social_links):
            builder.add(Kind.SOCIAL_LINK, link, index)
        for index, (fields, extra) in enumerate(self.forms):
            builder.add(Kind.CUSTOM_FORM, fields, index, extra=extra)
        self._set_lengths()
        for kind, named in (
            (Kind.MICROLOCATION, self._rooms),
            (Kind.TRACK, self._tracks),
            (Kind.SESSION_TYPE, self._types),
        ):
            for index, row in enumerate(named.values()):
                row.fields.setdefault("position", index)
                self._add_row(builder, kind, row, index)
        self._report_persons()
        for index, person in enumerate(self._persons.values()):
            self._add_row(builder, Kind.SPEAKER, person, index)
        for index, session in enumerate(self._sessions):
            self._check()
            self._add_session(builder, session, index)
        conference = builder.finish()
        conference.files = self._files
        return conference

    def _count(self) -> None:
        self._check()
        self._records += 1
        if self._records > self._limits.max_records:
            raise too_many_records(self._limits, self._entry)

    def _list(
        self,
        known: dict[str, _Named],
        name: str | None,
        fields: dict[str, Any] | None = None,
        extra: dict[str, Any] | None = None,
    ) -> str | None:
        name = " ".join((name or "").split())
        if not name:
            return None
        if name not in known:
            self._count()
            key = source_key(name)
            reference = Reference(self._kind_of(known), key, name, source=name)
            known[name] = _Named({"id": key, "name": name}, reference)
        if fields or extra:
            known[name].merge(fields or {}, extra or {})
        return name

    def _kind_of(self, named: dict[str, _Named]) -> Kind:
        if named is self._rooms:
            return Kind.MICROLOCATION
        return Kind.TRACK if named is self._tracks else Kind.SESSION_TYPE

    def _meet(self, person: Person) -> bool:
        """Merge a person with the others who are the same person. False if it has no name."""
        person.name = " ".join(person.name.split())
        if "@" in person.name and (found := _NAME_AND_ADDRESS.fullmatch(person.name)):
            person.fields.setdefault("email", found["address"])
            person.name = found["name"].strip(" \t-,;\"'") or found["address"].partition("@")[0]
            message = "An e-mail address in the name of a speaker was moved to the private field."
            self._report.repair("address-in-name", message, Place(self._entry, title=person.name))
        if not person.name:
            return False
        known = self._persons.get(person.identity)
        if known is None:
            self._count()
            key = person.key
            reference = Reference(Kind.SPEAKER, key, person.name, source=person.name)
            fields = {"id": key, "name": person.name}
            known = self._persons[person.identity] = _Named(fields, reference)
        elif not (person.fields or person.extra or person.guid or person.code):
            # All that it says is its identity.
            return True
        beside = {"guid": person.guid, "code": person.code, "id": person.id}
        key = known.reference.key
        extra = {name: text for name, text in beside.items() if text and text != key}
        known.merge({"name": person.name, **person.fields}, {**extra, **person.extra})
        return True

    def _add_event(self, builder: ConferenceBuilder) -> None:
        choice = choose_zone(
            self.times,
            by_user=self._time_zone,
            named=self.named_zone,
            of_times=self.zones_of_times,
        )
        place = Place(self._entry, field="timezone")
        if choice.name is None:
            local = next(time for time in self.times if time.tzinfo is None)
            self._report.error("no-time-zone", without_zone(local, self.places), place)
        elif choice.doubt is not None:
            self._report.warning("no-time-zone", choice.doubt, place)
        self._keep_other_zone(choice.name)
        event = {**self.event, "timezone": choice.name or "UTC"}
        self._set_name(event)
        self._zone = zone(_known_zone(event["timezone"]))
        for name, at in (("starts_at", clock(0)), ("ends_at", clock(23, 59))):
            found = read_time(event.get(name))
            if found.day is not None:
                # Schedules give days: the first and the last one, which is of the event, too.
                day = datetime.combine(found.day, at)
                event[name] = in_zone(day, self._zone).isoformat()
        self._is_named = choice.name is not None and choice.doubt is None
        times = [self._in_utc(session.slot) for session in self._sessions]
        starts = [start for start, _ in times if start is not None]
        ends = [end for _, end in times if end is not None]
        if starts:
            event.setdefault("starts_at", min(starts).isoformat())
            event.setdefault("ends_at", max([*starts, *ends]).isoformat())
        self._build(builder, Kind.EVENT, event, self.event_extra, 0)

    def _set_name(self, event: dict[str, Any]) -> None:
        """Use the acronym as the event's name if the source gives none."""
        acronym = self.event_extra.get("acronym")
        if not self._choices.name and not event.get("name") and isinstance(acronym, str):
            event["name"] = acronym
            message = f"The conference has no title. Its acronym, “{acronym}”, is used as its name."
            self._report.warning("no-title", message, Place(self._entry))

    def _in_utc(self, slot: Slot) -> tuple[datetime | None, datetime | None]:
        starts = in_zone(slot.starts, self._zone) if slot.starts is not None else None
        if slot.ends is not None:
            return starts, in_zone(slot.ends, self._zone)
        if starts is None or slot.length is None:
            return starts, None
        return starts, starts + slot.length

    def _keep_other_zone(self, chosen: str | None) -> None:
        named = self.named_zone
        if not named or named == chosen:
            return
        self.event_extra["time_zone_name"] = named
        found = find_zone(named)
        if found is None:
            message = f"The file names the unknown time zone “{shortened(named)}”."
            place = Place(self._entry, field="timezone")
            self._report.warning("timezone", message, place, named)
        elif chosen is not None and found.name != _known_zone(chosen):
            message = f"The file names the time zone “{found.name}”, but you chose “{chosen}”."
            place = Place(self._entry, field="timezone")
            self._report.warning("other-timezone", message, place, named)

    def _add_row(self, builder: ConferenceBuilder, kind: Kind, row: _Named, index: int) -> None:
        self._check()
        record = self._build(builder, kind, row.fields, row.extra, index)
        if row.others:
            record.keep("other_values", row.others)
        for name, values in row.others.items():
            message = (
                f"“{shortened(row.fields['name'])}” has several values of “{name}”. "
                "The first is used; the others are kept in `extra`."
            )
            place = Place(self._entry, index, record.key, name, title=row.fields["name"])
            self._report.warning("differing-values", message, place, values[0], group=name)

    def _set_lengths(self) -> None:
        """Set the length of the session types all of whose sessions are equally long."""
        lengths: dict[str, set[timedelta | None]] = defaultdict(set)
        for session in self._sessions:
            if session.session_type is not None:
                starts, ends = self._in_utc(session.slot)
                lengths[session.session_type].add(ends - starts if starts and ends else None)
        for name, found in lengths.items():
            length = found.pop() if len(found) == 1 else None
            if length is not None and timedelta() < length < timedelta(days=1):
                minutes = int(length.total_seconds()) // 60
                self._types[name].fields.setdefault(
                    "length", f"{minutes // 60:02}:{minutes % 60:02}"
                )

    def _report_persons(self) -> None:
        """Report names that several people have: whether they are one person cannot be known."""
        names = Counter(person.fields["name"] for person in self._persons.values())
        for name, count in names.items():
            if count > 1:
                message = f"{count} speakers have the name “{shortened(name)}”, but different ids."
                self._report.warning("same-name", message, Place(self._entry, title=name))

    def _add_session(self, builder: ConferenceBuilder, session: Session, index: int) -> None:
        fields, extra = session.fields, session.extra
        place = Place(self._entry, index, title=title_of(fields), line=session.line)
        self._check_clock(session, place)
        for doubt in session.slot.doubts:
            where = Place(self._entry, index, None, doubt.field, session.line, title=place.title)
            self._report.warning(doubt.code, doubt.message, where, doubt.value)
            if doubt.kept:
                extra[doubt.field] = doubt.value
        starts, ends = session.slot.starts, self._in_utc(session.slot)[1]
        if starts is not None:
            # A local time may be one that the clocks of the zone skip or repeat.
            fields["starts_at"] = starts.isoformat() if starts.tzinfo is None else starts
        if ends is not None:
            fields["ends_at"] = ends
        elif starts is not None:
            message = "The session has no duration. It was imported without an end."
            self._report.warning("no-duration", message, place)
        fields.setdefault("state", CONFIRMED)
        fields["id"] = session.guid or session.id
        if session.guid and session.id:
            extra["id"] = session.id
        if fields["id"] is None:
            del fields["id"]
        self._build(builder, Kind.SESSION, fields, extra, index, self._references(session))

    def _references(self, session: Session) -> dict[str, tuple[Reference, ...]]:
        references: dict[str, tuple[Reference, ...]] = {}
        for name, named, label in (
            ("microlocation", self._rooms, session.room),
            ("track", self._tracks, session.track),
            ("session_type", self._types, session.session_type),
        ):
            if label is not None:
                references[name] = (named[label].reference,)
        if session.persons:
            references["speakers"] = tuple(
                self._persons[person.identity].reference for person in session.persons
            )
        return references

    def _check_clock(self, session: Session, place: Place) -> None:
        starts, says = session.slot.starts, session.slot.local_start
        if starts is None or starts.tzinfo is None or says is None:
            return
        here = starts.astimezone(self._zone)
        if self._is_named and here.time() != says:
            message = (
                f"The start of the session says “{says:%H:%M}”, and its date says “{here:%H:%M}”. "
                "The date is used."
            )
            self._report.warning("start-differs", message, place)
        elif not self._is_named and not starts.utcoffset() and starts.time() == says:
            message = (
                f"The date of the session says “{says:%H:%M}” UTC. This may be local time, because "
                "its start says the same, and the file names no time zone."
            )
            self._report.warning("perhaps-local", message, place)

    def _build(  # noqa: PLR0917 - what a record is made of
        self,
        builder: ConferenceBuilder,
        kind: Kind,
        fields: dict[str, Any],
        extra: dict[str, Any],
        index: int,
        references: dict[str, tuple[Reference, ...]] | None = None,
    ) -> Record:
        texts: dict[str, dict[str, str]] = {}
        translations: dict[str, Any] = {}
        for name in SHAPES[kind].rich:
            source = fields.get(name)
            if isinstance(source, dict) and (found := translation(source, self.language)):
                translations[name] = source
                language, source = found
                place = Place(self._entry, index, field=name, title=title_of(fields))
                self._report.warning("translated", translated_message(language), place, source)
            if isinstance(source, str) and source.strip():
                read = read_text(source, self.flavour)
                fields[name] = read.text
                if read.text != source:
                    texts[name] = {"flavour": read.flavour.value, "source": source}
                elif read.flavour is not Flavour.PLAIN:
                    texts[name] = {"flavour": read.flavour.value}
        given = {name: value for name, value in fields.items() if value not in (None, "")}
        record = builder.add(kind, given, index, extra=extra, references=references)
        for name, source in translations.items():
            record.keep(name, source)
        if texts:
            record.keep(TEXTS, texts)
        return record


def too_many_records(limits: ArchiveLimits, entry: str) -> ArchiveError:
    """The error that a schedule has more sessions, persons and so on than may be imported."""
    message = (
        f"The file has more than {limits.max_records:,} records. The limit is set by MAX_RECORDS."
    )
    return ArchiveError("too-many-records", message, Place(entry))


def _known_zone(name: str) -> str:
    found = find_zone(name)
    return found.name if found is not None else "UTC"
