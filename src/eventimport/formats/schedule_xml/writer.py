"""A conference → schedule.xml, as the format's schema and the apps that read it demand.

Sessions are written one by one. The rules of apps that are stricter than the schema: durations are
hours and minutes below 24:00, starts are on the clock, all ids are numbers, and empty addresses are
left out.
"""

import re
from collections.abc import Iterable
from contextlib import closing
from datetime import time, timedelta
from typing import BinaryIO, Final
from xml.sax.saxutils import escape

from eventimport.conference.kinds import Kind
from eventimport.formats.format import WriteOptions
from eventimport.formats.schedules.addresses import http_address
from eventimport.formats.schedules.arranging import Arranged
from eventimport.formats.schedules.identities import Rules
from eventimport.formats.schedules.losses import SORTS, Keeps, Losses
from eventimport.formats.schedules.stored_programme import (
    LONGEST,
    Day,
    Person,
    StoredProgramme,
    Talk,
    generator_version,
    slot_of,
    version_of,
    writer_of,
)
from eventimport.formats.schedules.written_values import Link, hex_color, hours, iso

KEEPS: Final = Keeps(
    title="schedule.xml",
    fields={
        Kind.EVENT: frozenset(
            {"name", "starts_at", "ends_at", "timezone", "external_event_url", "logo_url"}
        ),
        Kind.MICROLOCATION: frozenset({"name", "position"}),
        Kind.TRACK: frozenset({"name", "color", "position"}),
        Kind.SESSION_TYPE: frozenset({"name", "length", "position"}),
        Kind.SPEAKER: frozenset({"name"}),
        Kind.SESSION: frozenset(
            {
                *("title", "subtitle", "short_abstract", "long_abstract", "starts_at", "ends_at"),
                *("language", "slides_url", "audio_url", "video_url"),
            }
        ),
    },
    extra={
        Kind.EVENT: frozenset(
            {
                *("acronym", "version", "days", "timeslot_duration", "base_url", "color"),
                *("schedule_days", "day_change", "generator"),
            }
        ),
        Kind.MICROLOCATION: frozenset({"guid"}),
        Kind.TRACK: frozenset({"slug"}),
        Kind.SPEAKER: frozenset({"guid", "id", "texts"}),
        Kind.SESSION: frozenset(
            {
                *("id", "guid", "code", "slug", "url", "logo", "links", "attachments"),
                *("recording", "recording_license", "do_not_record", "feedback_url"),
                *("origin_url", "texts", "pentabarf:event-id", "pentabarf:event-slug"),
            }
        ),
    },
    sorts=frozenset(SORTS) - {"two-texts", "same-name", "same-type", "language", "link"},
)

_ILLEGAL: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_ATTRIBUTE: Final = {'"': "&quot;", "\n": "&#10;", "\r": "&#13;", "\t": "&#9;"}
_TEXT: Final = {"\r": "&#13;"}
_RULES: Final = Rules(
    acronym=re.compile("[a-z0-9_-]{4,}"),
    slug=re.compile("[a-z0-9_]{4,}-[a-z0-9_-]{4,}"),
    code=re.compile("[0-9A-Z]{6}"),
)
_TRACK_SLUG: Final = re.compile("[a-z][a-z0-9-]+")
_REQUIRED: Final = frozenset({"room", "title", "type", "abstract", "track"})
"""Elements of sessions that the schema requires, if only empty."""

_LAST_MINUTE: Final = timedelta(hours=23, minutes=59)


class _Elements:
    """XML, without what XML does not allow."""

    def __init__(self, losses: Losses) -> None:
        self._losses = losses

    def element(self, name: str, text: str | None, *, required: bool = False) -> str:
        if not text:
            return f"<{name}/>\n" if required else ""
        return f"<{name}>{self.text(text)}</{name}>\n"

    def attributes(self, **values: str | None) -> str:
        return "".join(
            f' {name}="{escape(self._legal(value), _ATTRIBUTE)}"'
            for name, value in values.items()
            if value is not None
        )

    def text(self, text: str) -> str:
        return escape(self._legal(text), _TEXT)

    def _legal(self, text: str) -> str:
        """The text without what XML does not allow."""
        if text.isprintable() or not _ILLEGAL.search(text):
            return text
        self._losses.add("control-characters")
        return _ILLEGAL.sub("", text)


class _Writer:
    def __init__(self, sink: BinaryIO, options: WriteOptions, losses: Losses) -> None:
        self._sink = sink
        self._options = options
        self._xml = _Elements(losses)

    def person(self, person: Person) -> str:
        shown = self._xml.attributes(id=str(person.id), guid=person.guid)
        return f"<person{shown}>{self._xml.text(person.name)}</person>\n"

    def write(self, programme: StoredProgramme) -> None:
        self._programme = programme
        self._put('<?xml version="1.0" encoding="UTF-8"?>\n<schedule>\n')
        self._put(self._generator())
        self._put(self._xml.element("version", version_of(programme, self._options)))
        self._put(self._conference())
        names = [room.name for room in programme.rooms]
        with closing(Arranged(names)) as arranged:
            for talk in programme.talks():
                day = programme.day_of(talk.starts)
                arranged.add(day, talk.room, talk.starts, self._event(talk))
            by_date = {day.day: day for day in programme.days}
            rooms = {room.name: room for room in programme.rooms}
            is_first = True
            for date, in_rooms in arranged.days():
                self._put(self._day(by_date[date]))
                unused = names if is_first else []
                for name, events in in_rooms:
                    if is_first and name in rooms:
                        before = unused.index(name)
                        self._put_empty(unused[:before])
                        unused = unused[before + 1 :]
                    self._put(self._room(name))
                    for event in events:
                        self._sink.write(event)
                    self._put("</room>\n")
                self._put_empty(unused)
                is_first = False
                self._put("</day>\n")
        if not programme.days:
            self._put(self._day(programme.only_day(self._options.now)))
            self._put_empty(names)
            self._put("</day>\n")
        self._put("</schedule>\n")

    def _put(self, text: str) -> None:
        self._sink.write(text.encode())

    def _put_empty(self, names: Iterable[str]) -> None:
        """Write rooms without sessions, so that the order of all rooms is in the first day."""
        for name in names:
            self._put(f"{self._room(name)}</room>\n")

    def _generator(self) -> str:
        options = self._options
        version = generator_version(options.version, self._programme.flavour)
        system = options.base_url.partition("://")[2]
        shown = self._xml.attributes(name=options.generator, system=system, version=version)
        return f"<generator{shown}/>\n"

    def _conference(self) -> str:
        programme, extra = self._programme, self._programme.extra
        element = self._xml.element
        given = extra.get("color")
        primary = hex_color(given.get("@primary")) if isinstance(given, dict) else None
        parts = [
            element("title", programme.title),
            element("acronym", programme.acronym),
            element("start", programme.moment("starts_at", whole=time(0))),
            element("end", programme.moment("ends_at", whole=time(23, 59))),
            element("days", str(max(1, len(programme.days)))),
            element("timeslot_duration", slot_of(programme)),
            element("base_url", programme.base_url),
            element("logo", http_address(programme.event.values.get("logo_url"))),
            element("url", programme.url),
            element("time_zone_name", programme.event.values.get("timezone")),
        ]
        if primary is not None:
            background = hex_color(given.get("@background")) if isinstance(given, dict) else None
            parts.append(
                f"<color{self._xml.attributes(primary=primary, background=background)}/>\n"
            )
        for track in programme.tracks:
            slug = track.slug if track.slug and _TRACK_SLUG.fullmatch(track.slug) else None
            shown = self._xml.attributes(name=track.name, color=track.color, slug=slug)
            parts.append(f"<track{shown}/>\n")
        return f"<conference>\n{''.join(parts)}</conference>\n"

    def _day(self, day: Day) -> str:
        shown = self._xml.attributes(
            index=str(day.index),
            date=day.day.isoformat(),
            start=iso(day.starts),
            end=iso(day.ends),
        )
        return f"<day{shown}>\n"

    def _room(self, name: str) -> str:
        room = next((each for each in self._programme.rooms if each.name == name), None)
        guid = room.guid if room is not None and room.is_given else None
        return f"<room{self._xml.attributes(name=name, guid=guid)}>\n"

    def _event(self, talk: Talk) -> str:
        identity, said = talk.identity, talk.said()
        if talk.length >= LONGEST:
            said["duration"] = hours(_LAST_MINUTE)

        def elements(*names: str) -> str:
            return "".join(
                self._xml.element(name, said[name], required=name in _REQUIRED) for name in names
            )

        parts = [
            elements("room", "title", "subtitle", "type", "date", "start", "duration"),
            elements("abstract", "slug", "track", "logo"),
            self._persons(talk.persons),
            elements("language", "description"),
            self._recording(talk),
            self._list("links", "link", talk.links),
            self._list("attachments", "attachment", talk.attachments),
            elements("url", "feedback_url", "origin_url"),
        ]
        shown = self._xml.attributes(id=str(identity.id), guid=identity.guid, code=identity.code)
        return f"<event{shown}>\n{''.join(parts)}</event>\n"

    def _persons(self, persons: list[str]) -> str:
        return f"<persons>\n{''.join(persons)}</persons>\n" if persons else "<persons/>\n"

    def _recording(self, talk: Talk) -> str:
        said = talk.extra.get("recording")
        addresses = said if isinstance(said, dict) else {}
        if talk.licence is None and talk.opted_out is None and not addresses:
            return ""
        parts = [
            self._xml.element("license", talk.licence, required=True),
            self._xml.element("optout", "true" if talk.opted_out else "false"),
            self._xml.element("url", http_address(addresses.get("url"))),
            self._xml.element("link", http_address(addresses.get("link"))),
        ]
        return f"<recording>\n{''.join(parts)}</recording>\n"

    def _list(self, around: str, name: str, links: list[Link]) -> str:
        parts = []
        for link in links:
            service = link.service if name == "link" else None
            shown = self._xml.attributes(href=link.url, type=link.type, service=service)
            parts.append(f"<{name}{shown}>{self._xml.text(link.title or '')}</{name}>\n")
        return f"<{around}>\n{''.join(parts)}</{around}>\n" if parts else f"<{around}/>\n"


write: Final = writer_of(KEEPS, _RULES, _Writer)
