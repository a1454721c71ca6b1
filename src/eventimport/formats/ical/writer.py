"""A conference → iCalendar (RFC 5545), as calendars and apps for conferences accept it.

Times are local, with a definition of their zone in the file. Every session has a location, because
some apps leave out the others. Speakers are attendees without an address, so that no invitation is
sent to them.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from mimetypes import guess_type
from typing import BinaryIO, Final

from eventimport.conference.zones import find_zone
from eventimport.formats.format import WriteOptions
from eventimport.formats.ical.dialects import NO_ROOM
from eventimport.formats.ical.stored_calendar import (
    EXTRA,
    FIELDS,
    RULES,
    SORTS_LOST,
    StoredCalendar,
)
from eventimport.formats.schedules.addresses import http_address
from eventimport.formats.schedules.losses import Keeps, Losses
from eventimport.formats.schedules.stored_programme import Person, StoredProgramme, Talk, writer_of

KEEPS: Final = Keeps(
    title="iCalendar", fields=FIELDS, extra=EXTRA, sorts=SORTS_LOST - {"same-type"}
)

WIDTH: Final = 75
"""Bytes of a line, without its end."""

LONGEST: Final = timedelta(days=20 * 366)
"""The times of a longer calendar are in UTC: its zone would have too many definitions."""

_SPECIAL: Final = re.compile(r"[\\;,]")
_CONTROLS: Final = re.compile("[\x00-\x09\x0b-\x1f\x7f]")
_LINE_ENDS: Final = re.compile("\r\n?|\N{LINE SEPARATOR}|\N{PARAGRAPH SEPARATOR}")
_DAY: Final = timedelta(days=1)


class _Writer:
    def __init__(self, sink: BinaryIO, options: WriteOptions, losses: Losses) -> None:
        self._sink = sink
        self._options = options
        self._losses = losses
        self._zone: tzinfo | None = None
        self._zone_name = ""
        self._stamp = f"{options.now.astimezone(UTC):%Y%m%dT%H%M%SZ}"

    def person(self, person: Person) -> str:
        name = f"ATTENDEE;CN={_parameter(person.name)};ROLE=REQ-PARTICIPANT;CUTYPE=INDIVIDUAL"
        return b"".join(folded(f"{name}:invalid:nomail")).decode()

    def write(self, programme: StoredProgramme) -> None:
        self._programme = programme
        self._calendar = StoredCalendar(programme, self._options, self._losses)
        self._put("BEGIN", "VCALENDAR")
        self._put("VERSION", "2.0")
        self._put("PRODID", self._text(self._calendar.product))
        self._put("CALSCALE", "GREGORIAN")
        self._put("METHOD", "PUBLISH")
        self._put_event()
        self._put_zone()
        for uid, talk in self._calendar.events():
            self._put_session(uid, talk)
        self._put("END", "VCALENDAR")

    def _put_event(self) -> None:
        values = self._programme.event.values
        self._put("X-WR-CALNAME", self._text(self._programme.title))
        if description := self._calendar.description:
            self._put("X-WR-CALDESC", self._text(description))
        if url := self._programme.url:
            self._put("URL", url)
        if logo := http_address(values.get("logo_url")):
            self._put("IMAGE;VALUE=URI", logo)

    def _put_zone(self) -> None:
        name = self._programme.event.values.get("timezone", "UTC")
        found = find_zone(name)
        if found is not None and found.name == "UTC":
            self._put("X-WR-TIMEZONE", "UTC")
            return
        days = self._programme.days
        if found is None or found.is_fixed or found.name[:1] in "+-":
            self._losses.add("time-zone")
            return
        self._put("X-WR-TIMEZONE", found.name)
        if not days or days[-1].day - days[0].day > LONGEST:
            return
        first = days[0].starts.astimezone(UTC) - _DAY
        last = days[-1].ends.astimezone(UTC) + 2 * _DAY
        self._zone, self._zone_name = self._programme.zone, found.name
        self._put("BEGIN", "VTIMEZONE")
        self._put("TZID", found.name)
        for since, before in changes(self._programme.zone, first, last):
            self._put_offset(since, before)
        self._put("END", "VTIMEZONE")

    def _put_offset(self, since: datetime, before: timedelta) -> None:
        """Write from when on the zone has an offset. The time is by the clocks before it."""
        here = since.astimezone(self._zone)
        kind = "DAYLIGHT" if here.dst() else "STANDARD"
        self._put("BEGIN", kind)
        self._put("DTSTART", f"{since.replace(tzinfo=None) + before:%Y%m%dT%H%M%S}")
        self._put("TZOFFSETFROM", _offset(before))
        self._put("TZOFFSETTO", _offset(here.utcoffset() or timedelta()))
        self._put("TZNAME", here.tzname() or self._zone_name)
        self._put("END", kind)

    def _put_session(self, uid: str, talk: Talk) -> None:
        calendar, put = self._calendar, self._put
        put("BEGIN", "VEVENT")
        put("UID", self._text(uid))
        put("DTSTAMP", self._stamp)
        sequence = talk.extra.get("sequence")
        if isinstance(sequence, str) and sequence.isdecimal() and len(sequence) < 10:
            put("SEQUENCE", str(int(sequence)))
        self._put_time("DTSTART", talk.starts, talk)
        if talk.ends is not None:
            self._put_time("DTEND", talk.ends, talk)
        else:
            # Some apps leave out what has no end.
            put("DURATION", "PT0S")
        language = calendar.language(talk)
        tag = f";LANGUAGE={language}" if language else ""
        put(f"SUMMARY{tag}", self._text(talk.title))
        if text := calendar.text(talk):
            plain = calendar.plain(text)
            put(f"DESCRIPTION{tag}", self._text(plain))
            if plain != text:
                put("X-ALT-DESC;FMTTYPE=text/html", self._text(text))
        if talk.room:
            put("LOCATION", self._text(talk.room))
        else:
            put(f"LOCATION;{NO_ROOM}=TRUE", self._text(calendar.place))
        if categories := calendar.categories(talk):
            put("CATEGORIES", ",".join(map(self._text, categories)))
        put("STATUS", "CONFIRMED")
        put("URL", talk.url)
        if position := calendar.position:
            put("GEO", f"{position[0]};{position[1]}")
        if owner := self._programme.event.values.get("owner_name"):
            put(f"ORGANIZER;CN={_parameter(owner)}", "invalid:nomail")
        self._sink.writelines(attendee.encode() for attendee in talk.persons)
        for address, sort in calendar.attachments(talk):
            put(f"ATTACH{_format_of(address, sort)}", address)
        put("END", "VEVENT")

    def _put_time(self, name: str, moment: datetime, talk: Talk) -> None:
        if talk.extra.get("all_day") and _is_midnight(talk.starts) and _is_midnight(talk.ends):
            self._put(f"{name};VALUE=DATE", f"{moment:%Y%m%d}")
            return
        local = moment.astimezone(self._zone) if self._zone is not None else None
        # A clock that shows this time twice does not say which of them is meant.
        if local is None or local.fold or local.year < 2:
            self._put(name, f"{_digits(moment.astimezone(UTC))}Z")
        else:
            self._put(f"{name};TZID={self._zone_name}", _digits(local))

    def _put(self, name: str, value: str) -> None:
        self._sink.writelines(folded(f"{name}:{value}"))

    def _text(self, text: str) -> str:
        text = _LINE_ENDS.sub("\n", text)
        if _CONTROLS.search(text):
            self._losses.add("control-characters")
            text = _CONTROLS.sub(" ", text)
        return _SPECIAL.sub(r"\\\g<0>", text).replace("\n", "\\n")


def _parameter(text: str) -> str:
    """A text as the value of a parameter (RFC 6868)."""
    text = _CONTROLS.sub(" ", " ".join(text.split()))
    return f'"{text.replace("^", "^^").replace(chr(34), "^" + chr(39))}"'


def folded(line: str) -> Iterator[bytes]:
    """The lines that a line is folded to. No character is split."""
    data = line.encode()
    start = 0
    while len(data) - start > WIDTH - bool(start):
        end = start + WIDTH - bool(start)
        while data[end] & 0xC0 == 0x80:
            end -= 1
        yield b" " * bool(start) + data[start:end] + b"\r\n"
        start = end
    yield b" " * bool(start) + data[start:] + b"\r\n"


def changes(zone: tzinfo, first: datetime, last: datetime) -> Iterator[tuple[datetime, timedelta]]:
    """The moments between two at which a zone's offset changes, each with the offset before it. The
    first moment is one of them."""
    offset = _offset_at(zone, first)
    yield first, offset
    moment = first
    while moment < last:
        later = moment + _DAY
        if _offset_at(zone, later) != offset:
            since = _change(zone, moment, later)
            yield since, offset
            offset = _offset_at(zone, since)
            moment = since
        else:
            moment = later


def _change(zone: tzinfo, before: datetime, after: datetime) -> datetime:
    """When the offset changes between two moments, to the second."""
    offset = _offset_at(zone, before)
    while after - before > timedelta(seconds=1):
        middle = before + timedelta(seconds=int((after - before).total_seconds()) // 2)
        if _offset_at(zone, middle) == offset:
            before = middle
        else:
            after = middle
    return after


def _offset_at(zone: tzinfo, moment: datetime) -> timedelta:
    return moment.astimezone(zone).utcoffset() or timedelta()


def _offset(value: timedelta) -> str:
    seconds = int(value.total_seconds())
    sign, seconds = "-" if seconds < 0 else "+", abs(seconds)
    rest = f"{seconds % 60:02}" if seconds % 60 else ""
    return f"{sign}{seconds // 3600:02}{seconds // 60 % 60:02}{rest}"


def _digits(moment: datetime) -> str:
    return moment.replace(microsecond=0, tzinfo=None).isoformat().replace("-", "").replace(":", "")


def _is_midnight(moment: datetime | None) -> bool:
    return moment is not None and not (moment.hour or moment.minute or moment.second)


def _format_of(address: str, sort: str | None) -> str:
    guessed, _ = guess_type(address.partition("?")[0].partition("#")[0])
    if guessed is None and sort in {"audio", "video"}:
        guessed = f"{sort}/*"
    return f";FMTTYPE={guessed}" if guessed and guessed.isascii() else ""


write: Final = writer_of(KEEPS, RULES, _Writer)
