"""A stored conference as schedules write it: days, rooms, sessions and persons, format-neutral.

What the readers of schedules keep in `extra` comes out again: guids, ids, slugs, codes, links,
attachments, and texts in their flavour. Only names are held in memory; sessions come one by one.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, BinaryIO, Final, Protocol

from eventimport.conference.conference import Record
from eventimport.conference.kinds import Kind
from eventimport.conference.programme import PUBLIC_STATES
from eventimport.conference.report import Report
from eventimport.conference.stored import StoredConference
from eventimport.conference.times import read_time
from eventimport.conference.web_links import MASTODON, SITES, profile_url
from eventimport.formats.format import OpenMedia, Write, WriteOptions
from eventimport.formats.schedules.addresses import http_address
from eventimport.formats.schedules.arranging import Rendered
from eventimport.formats.schedules.flavours import Flavour
from eventimport.formats.schedules.identities import (
    Identities,
    Identity,
    Rules,
    acronym_of,
    guid_of,
    valid_guid,
    valid_number,
    valid_person_guid,
)
from eventimport.formats.schedules.losses import Keeps, Losses
from eventimport.formats.schedules.producers import MARKDOWN_MARK
from eventimport.formats.schedules.schedule import TEXTS
from eventimport.formats.schedules.slots import read_day_change, read_duration
from eventimport.formats.schedules.written_values import (
    Link,
    attachments_of,
    hex_color,
    hours,
    in_offset,
    iso,
    links_of,
    one_line,
    stripped,
    text_of,
)

SLOT: Final = "00:05"
"""The length of a time slot if the source does not say it."""

LONGEST: Final = timedelta(hours=24)

_DAY: Final = timedelta(days=1)
_MINUTE: Final = timedelta(minutes=1)
_YES: Final = ("true", "1", "yes")
_NO: Final = ("false", "0", "no")


@dataclass(frozen=True, slots=True)
class Person:
    """A speaker. `texts` have the biography; `links` lead to their pages."""

    name: str
    id: int
    has_id: bool = False
    """Whether it came with the id, or has nothing else besides its name."""
    guid: str | None = None
    code: str | None = None
    avatar: str | None = None
    biography: str | None = None
    url: str | None = None
    links: tuple[Link, ...] = ()


@dataclass(frozen=True, slots=True)
class Room:
    """A room by its name. `guid` is always there; `given_guid` says that it came with the room."""

    name: str
    guid: str
    is_given: bool = False
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Track:
    """A track; its colour is `#rrggbb`."""

    name: str
    color: str | None = None
    slug: str | None = None


@dataclass(slots=True, kw_only=True)
class Talk:
    """A session. Times are local to the event, with their offset; `length` is not negative."""

    identity: Identity
    title: str
    subtitle: str | None
    abstract: str | None
    description: str | None
    language: str | None
    starts: datetime
    ends: datetime | None
    length: timedelta
    room: str
    track: str | None
    type: str | None
    persons: list[str]
    """Its speakers, as the format writes them."""

    url: str
    links: list[Link]
    attachments: list[Link]
    extra: dict[str, Any]
    record: Record

    @property
    def opted_out(self) -> bool | None:
        """Whether it must not be recorded; None if that is not said."""
        recording = self.extra.get("recording")
        said = recording.get("optout") if isinstance(recording, dict) else None
        text = str(self.extra.get("do_not_record", said)).strip().casefold()
        return True if text in _YES else False if text in _NO else None

    @property
    def licence(self) -> str | None:
        """The licence of its recording."""
        recording = self.extra.get("recording")
        said = recording.get("license") if isinstance(recording, dict) else None
        licence = said or self.extra.get("recording_license")
        return licence if isinstance(licence, str) else None

    def said(self) -> dict[str, str | None]:
        """What schedules say of it in words, by the names that they have for it."""
        addresses = {
            name: http_address(self.extra.get(name))
            for name in ("logo", "feedback_url", "origin_url")
        }
        return {
            "room": self.room,
            "title": self.title,
            "subtitle": self.subtitle,
            "type": self.type,
            "date": iso(self.starts),
            "start": f"{self.starts:%H:%M}",
            "duration": hours(self.length),
            "abstract": self.abstract,
            "slug": self.identity.slug,
            "track": self.track,
            "language": self.language,
            "description": self.description,
            "url": self.url,
            **addresses,
        }


@dataclass(frozen=True, slots=True)
class Day:
    """A conference day: `starts` and `ends` have an offset."""

    index: int
    day: date
    starts: datetime
    ends: datetime


class StoredProgramme:
    """The programme of a stored conference. `page` is the address of the event's page, `rules` are
    those of the format. What is left out or replaced is counted in `losses`. Each speaker is
    rendered once, in `persons`, which must stay open while sessions are read."""

    def __init__(
        self,
        conference: StoredConference,
        page: str,
        rules: Rules,
        losses: Losses,
        persons: Rendered[Person],
    ) -> None:
        self._conference = conference
        self._losses = losses
        self.page = page
        self.event = conference.event
        self.extra = conference.event.extra
        self.zone = conference.zone
        self.day_change = read_day_change(stripped(self.extra.get("day_change")))
        starts = self.event.values.get("starts_at")
        year = starts.year if isinstance(starts, datetime) else None
        name = self.event.values.get("name", "")
        self.acronym = acronym_of(self.extra.get("acronym"), name, year, rules)
        self._names = (self.event.key or f"{self.acronym} {self.event.new_id}",)
        losses.note(Kind.EVENT, self.event)
        self._room_names: dict[int, str] = {}
        self._track_names: dict[int, str] = {}
        self.rooms = self._rooms()
        self.tracks = self._tracks()
        self._type_names = self._types()
        self.flavour = Flavour.PLAIN
        self._ids = Identities(self._names, self.acronym, rules)
        self._used: set[tuple[Kind, int]] = set()
        self.days = self._survey()
        self._persons = persons
        self._render_persons()
        self._losses.add("unused", self._count_unused())

    # The event.

    @property
    def title(self) -> str:
        """The event's name."""
        return one_line(self.event.values.get("name", ""))

    @property
    def url(self) -> str | None:
        """The event's own web page."""
        return http_address(self.event.values.get("external_event_url"))

    @property
    def base_url(self) -> str:
        """What relative addresses are relative to; consumers require it."""
        return http_address(self.extra.get("base_url")) or self.url or self.page

    def moment(self, name: str, *, whole: time) -> str | None:
        """The event's start or end: a date if it is the beginning or the end of a day."""
        value = self.event.values.get(name)
        if not isinstance(value, datetime):
            return None
        local = in_offset(value, self.zone)
        if local.time().replace(microsecond=0) == whole:
            return local.date().isoformat()
        return iso(local)

    # Rooms, tracks and persons.

    def _rooms(self) -> list[Room]:
        rooms: dict[str, Room] = {}
        for record in _by_position(self._conference.records(Kind.MICROLOCATION)):
            if not self._is_new(Kind.MICROLOCATION, record, self._room_names, rooms):
                continue
            name = self._room_names[record.new_id]
            given = valid_guid(record.extra.get("guid"))
            guid = given or guid_of(*self._names, "room", name)
            rooms[name] = Room(name, guid, given is not None, record.extra)
        return list(rooms.values())

    def _tracks(self) -> list[Track]:
        tracks: dict[str, Track] = {}
        for record in _by_position(self._conference.records(Kind.TRACK)):
            given = record.values.get("color")
            color = hex_color(given)
            self._losses.add("color", given is not None and color is None)
            if self._is_new(Kind.TRACK, record, self._track_names, tracks):
                name = self._track_names[record.new_id]
                tracks[name] = Track(name, color, stripped(record.extra.get("slug")))
        return list(tracks.values())

    def _is_new(
        self, kind: Kind, record: Record, names: dict[int, str], known: Collection[str]
    ) -> bool:
        """Note a room or a track. False if it has no name, or that of another one."""
        self._losses.note(kind, record)
        name = names[record.new_id] = one_line(record.values.get("name", ""))
        self._losses.add("shared-name" if name else "no-name", not name or name in known)
        return bool(name) and name not in known

    def _types(self) -> dict[int, str]:
        types = {}
        for record in self._conference.records(Kind.SESSION_TYPE):
            self._losses.note(Kind.SESSION_TYPE, record)
            types[record.new_id] = one_line(record.values.get("name", ""))
        return types

    def _render_persons(self) -> None:
        ids: set[int] = set()
        names: Counter[str] = Counter()
        for record in self._conference.records(Kind.SPEAKER):
            self._losses.note(Kind.SPEAKER, record)
            guids = (record.key, record.extra.get("guid"))
            is_private = any(valid_guid(each) and not valid_person_guid(each) for each in guids)
            self._losses.add("private-guid", is_private)
            ids.add(_given_number(record) or 0)
            names[one_line(record.values.get("name", ""))] += 1
        self._losses.add("same-name", sum(count for count in names.values() if count > 1))
        met: set[int] = set()
        for record in self._conference.records(Kind.SPEAKER):
            number = _given_number(record)
            if number is None or number in met:
                number = record.new_id
                while number in ids:
                    number += 1
                ids.add(number)
            else:
                met.add(number)
            self._persons.add(record.new_id, self._person(record, number))

    def _person(self, record: Record, number: int) -> Person:
        values, extra = record.values, record.extra
        links = []
        for site in (*SITES, MASTODON, "website"):
            address = values.get(site)
            url = http_address(address if site == "website" else profile_url(site, address))
            if url is not None:
                links.append(Link(url, site.capitalize()))
        links += links_of(extra.get("links"))
        code = stripped(extra.get("code")) or (
            record.key if record.key and record.key.isalnum() and record.key.isupper() else None
        )
        name = one_line(values.get("name", ""))
        return Person(
            name=name,
            id=number,
            has_id=str(number) in (record.key, str(extra.get("id"))) or record.key != name,
            guid=valid_person_guid(record.key) or valid_person_guid(extra.get("guid")),
            code=code if code != str(number) else None,
            avatar=http_address(values.get("photo_url")),
            biography=text_of(record, "short_biography", self.flavour),
            url=http_address(extra.get("url")),
            links=tuple(links),
        )

    # Sessions.

    def _survey(self) -> list[Day]:
        """Note the ids of all sessions, the days that they are on, and how texts are written."""
        days: set[date] = set()
        losses, used = self._losses, self._used
        is_markdown = any(map(_is_markdown, self._conference.records(Kind.SPEAKER)))
        for record in self._conference.records(Kind.SESSION):
            if not is_shown(record):
                losses.add("not-public")
            elif not isinstance(record.values.get("starts_at"), datetime):
                losses.add("no-time")
            else:
                losses.note(Kind.SESSION, record)
                self._ids.note(record.key, record.extra)
                days.add(self.day_of(in_offset(record.values["starts_at"], self.zone)))
                is_markdown = is_markdown or _is_markdown(record)
                for name, kind in (("track", Kind.TRACK), ("session_type", Kind.SESSION_TYPE)):
                    used.add((kind, record.foreign_keys.get(f"{name}_id", 0)))
        if is_markdown:
            self.flavour = Flavour.MARKDOWN
        given = self._given_days()
        return [self._day(index, day, given) for index, day in enumerate(sorted(days), 1)]

    def _count_unused(self) -> int:
        """How many tracks, types and speakers no session of the programme has."""
        speaking = {speaker for _, speaker in self._conference.links()}
        counts = [
            len(self._persons) - sum(each in self._persons for each in speaking),
            sum((Kind.SESSION_TYPE, each) not in self._used for each in self._type_names),
        ]
        return sum(counts)

    def day_of(self, local: datetime) -> date:
        """The conference day that a local time belongs to."""
        if local.time() < self.day_change and local.date() > date.min:
            return local.date() - _DAY
        return local.date()

    def _given_days(self) -> dict[str, tuple[datetime, datetime]]:
        """The beginnings and ends that the source's days have, by their dates."""
        found = {}
        days = self.extra.get("schedule_days")
        for said in days if isinstance(days, list) else ():
            if not isinstance(said, dict):
                continue
            ends = [
                read_time(said.get(name) or said.get(f"day_{name}")).time
                for name in ("start", "end")
            ]
            first, last = ends
            if first is None or last is None or not first.tzinfo or not last.tzinfo:
                continue
            if first < last:
                found[str(said.get("date"))] = (first, last)
        return found

    def _day(self, index: int, day: date, given: dict[str, tuple[datetime, datetime]]) -> Day:
        if day.isoformat() in given:
            first, last = given[day.isoformat()]
            return Day(index, day, in_offset(first, self.zone), in_offset(last, self.zone))
        try:
            starts = datetime.combine(day, self.day_change, self.zone)
            ends = datetime.combine(day + _DAY, self.day_change, self.zone) - _MINUTE
        except OverflowError:
            starts = datetime.combine(day, time(), UTC)
            ends = datetime.combine(day, time(23, 59), UTC)
        return Day(index, day, in_offset(starts, self.zone), in_offset(ends, self.zone))

    def only_day(self, now: datetime) -> Day:
        """The day of a programme without sessions: schedules have one at least."""
        starts = self.event.values.get("starts_at")
        local = in_offset(starts if isinstance(starts, datetime) else now, self.zone)
        return self._day(1, self.day_of(local), {})

    def talks(self) -> Iterator[Talk]:
        """The sessions that have a time and are shown, in the order of their ids."""
        ids = self._ids
        links = self._conference.links()
        link = next(links, None)
        for record in self._conference.records(Kind.SESSION):
            persons = []
            while link is not None and link[0] <= record.new_id:
                if link[0] == record.new_id and link[1] in self._persons:
                    persons.append(self._persons[link[1]])
                link = next(links, None)
            if is_shown(record) and isinstance(record.values.get("starts_at"), datetime):
                title = one_line(record.values.get("title", ""))
                identity = ids.next(record.key, record.extra, record.new_id, title)
                yield self._talk(record, identity, title, persons)
        for sort, count in ids.replaced.items():
            self._losses.add(sort, count)

    def _talk(self, record: Record, identity: Identity, title: str, persons: list[str]) -> Talk:
        values, extra, keys = record.values, record.extra, record.foreign_keys
        starts = in_offset(values["starts_at"], self.zone)
        ends = values.get("ends_at")
        if ends is None:
            self._losses.add("no-end")
        elif ends < values["starts_at"]:
            self._losses.add("ends-before-start")
            ends = None
        length = ends - values["starts_at"] if ends is not None else timedelta()
        self._losses.add("long-session", length >= LONGEST)
        self._losses.add("seconds", bool(starts.second or length.total_seconds() % 60))
        room = self._room_names.get(keys.get("microlocation_id", 0), "")
        return Talk(
            identity=identity,
            title=title,
            subtitle=one_line(values["subtitle"]) if "subtitle" in values else None,
            abstract=text_of(record, "short_abstract", self.flavour),
            description=text_of(record, "long_abstract", self.flavour),
            language=values.get("language"),
            starts=starts,
            ends=in_offset(ends, self.zone) if ends is not None else None,
            length=length,
            room=room,
            track=self._track_names.get(keys.get("track_id", 0)) or None,
            type=self._type_names.get(keys.get("session_type_id", 0)) or None,
            persons=persons,
            url=http_address(extra.get("url")) or f"{self.page}#session-{record.new_id}",
            links=links_of(extra.get("links")),
            attachments=attachments_of(values, extra),
            extra=extra,
            record=record,
        )


class ProgrammeWriter(Protocol):
    """Writes a programme. It gets the speakers first, and what it makes of them comes back as the
    `persons` of the sessions."""

    def person(self, person: Person) -> str:
        """A speaker, as the format writes them."""
        ...

    def write(self, programme: StoredProgramme) -> None:
        """Write the document."""
        ...


def writer_of(
    keeps: Keeps, rules: Rules, begin: Callable[[BinaryIO, WriteOptions, Losses], ProgrammeWriter]
) -> Write:
    """What writes a conference by a writer of programmes, and reports what the format cannot
    say."""

    def write(
        conference: StoredConference,
        _open_media: OpenMedia,
        sink: BinaryIO,
        options: WriteOptions,
        report: Report,
    ) -> None:
        losses = Losses(keeps, report)
        writer = begin(sink, options, losses)
        with closing(Rendered(writer.person)) as persons:
            writer.write(StoredProgramme(conference, options.event_url, rules, losses, persons))
        losses.report(conference)

    return write


def _given_number(speaker: Record) -> int | None:
    return valid_number(speaker.extra.get("id") or speaker.key)


def _is_markdown(record: Record) -> bool:
    """Whether one of a record's texts came as Markdown."""
    texts = record.extra.get(TEXTS)
    said = texts.values() if isinstance(texts, dict) else ()
    return any(isinstance(each, dict) and each.get("flavour") == "markdown" for each in said)


def is_shown(record: Record) -> bool:
    """Whether a session is part of a programme that anyone may see."""
    state = str(record.values.get("state") or "").strip().casefold()
    return state in PUBLIC_STATES and "deleted_at" not in record.values


def _by_position(records: Iterator[Record]) -> list[Record]:
    def order(record: Record) -> tuple[bool, int, int]:
        position = record.values.get("position")
        return position is None, position or 0, record.new_id

    return sorted(records, key=order)


def version_of(programme: StoredProgramme, options: WriteOptions) -> str:
    """The version of the schedule: the source's, or else the time of the export."""
    return (
        stripped(programme.extra.get("version")) or f"{options.now.astimezone(UTC):%Y-%m-%d %H:%M}"
    )


def slot_of(programme: StoredProgramme) -> str:
    """The length of a time slot, as hours and minutes."""
    said = read_duration(stripped(programme.extra.get("timeslot_duration")) or "")
    if said is None or not _MINUTE <= said.value < timedelta(hours=24):
        return SLOT
    return hours(said.value)


def generator_version(version: str, flavour: Flavour) -> str:
    """The version of the generator, which says how texts are written if they are not plain."""
    return f"{version}{MARKDOWN_MARK}" if flavour is Flavour.MARKDOWN else version
