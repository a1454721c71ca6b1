"""A conference → xCal, in the dialect of Pentabarf, which is what apps for conferences read.

Times are local, as everywhere in this dialect. Beside them, elements of Pentabarf say the offset.
"""

import re
from datetime import datetime
from typing import BinaryIO, Final
from xml.sax.saxutils import escape, quoteattr

from eventimport.conference.kinds import Kind
from eventimport.formats.format import WriteOptions
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
from eventimport.formats.schedules.written_values import hours

KEEPS: Final = Keeps(
    title="xCal",
    fields=FIELDS
    | {
        Kind.EVENT: FIELDS[Kind.EVENT] - {"owner_name"},
        Kind.SESSION_TYPE: frozenset({"name", "length", "position"}),
        Kind.SESSION: FIELDS[Kind.SESSION] | {"subtitle"},
    },
    extra=EXTRA | {Kind.SESSION: EXTRA[Kind.SESSION] | {"pentabarf:language", "duration"}},
    sorts=SORTS_LOST - {"language", "time-zone"},
)

_ILLEGAL: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_TEXT: Final = {"\r": "&#13;"}


class _Writer:
    def __init__(self, sink: BinaryIO, options: WriteOptions, losses: Losses) -> None:
        self._sink = sink
        self._options = options
        self._losses = losses

    def person(self, person: Person) -> str:
        # A reader may take a text with an at sign for an address.
        named = f" cn={quoteattr(person.name)}" if "@" in person.name else ""
        return self._element("attendee", person.name, named)

    def write(self, programme: StoredProgramme) -> None:
        self._programme = programme
        self._calendar = StoredCalendar(programme, self._options, self._losses)
        values = programme.event.values
        self._sink.write(
            b'<?xml version="1.0" encoding="UTF-8"?>\n'
            b'<iCalendar xmlns:pentabarf="http://pentabarf.org" '
            b'xmlns:xCal="urn:ietf:params:xml:ns:xcal">\n<vcalendar>\n'
        )
        for name, text in (
            ("version", "2.0"),
            ("prodid", self._calendar.product),
            ("x-wr-calname", programme.title),
            ("x-wr-caldesc", self._calendar.description),
            ("x-wr-timezone", values.get("timezone")),
            ("url", programme.url),
            ("image", http_address(values.get("logo_url"))),
        ):
            self._put(name, text)
        for uid, talk in self._calendar.events():
            self._put_session(uid, talk)
        self._sink.write(b"</vcalendar>\n</iCalendar>\n")

    def _put_session(self, uid: str, talk: Talk) -> None:
        calendar, put = self._calendar, self._put
        self._sink.write(b"<vevent>\n")
        put("method", "PUBLISH")
        put("uid", uid)
        put("pentabarf:event-id", str(talk.identity.id))
        put("pentabarf:event-slug", talk.identity.slug)
        put("pentabarf:title", talk.title)
        put("pentabarf:subtitle", talk.subtitle)
        put("pentabarf:language-code", talk.language)
        put("pentabarf:track", talk.track)
        put("pentabarf:start", f"{talk.starts:%Y-%m-%d %H:%M:%S %z}")
        # Some apps leave out what has no end.
        ends = talk.ends or talk.starts
        put("pentabarf:end", f"{ends:%Y-%m-%d %H:%M:%S %z}")
        put("dtstart", _digits(talk.starts))
        put("dtend", _digits(ends))
        put("duration", f"{hours(talk.length).replace(':', '')}00")
        put("summary", f"{talk.title}- {talk.subtitle}" if talk.subtitle else talk.title)
        put("description", calendar.text(talk))
        put("class", "PUBLIC")
        put("status", "CONFIRMED")
        if talk.type is not None and talk.type in calendar.categories(talk):
            self._losses.add("same-type")
        put("category", talk.type)
        for category in calendar.categories(talk)[bool(talk.track) :]:
            put("categories", category)
        put("url", talk.url)
        put("location", talk.room or calendar.place, "" if talk.room else ' x-no-room="TRUE"')
        if position := calendar.position:
            put("geo", f"{position[0]};{position[1]}")
        self._sink.write("".join(talk.persons).encode())
        for address, sort in calendar.attachments(talk):
            is_named = sort in {"slides", "audio", "video"}
            put("attach", address, f' fmttype="{sort}"' if is_named else "")
        self._sink.write(b"</vevent>\n")

    def _put(self, name: str, text: str | None, attribute: str = "") -> None:
        self._sink.write(self._element(name, text, attribute).encode())

    def _element(self, name: str, text: str | None, attribute: str = "") -> str:
        """An element; nothing if it is empty."""
        if not text:
            return ""
        if not text.isprintable() and _ILLEGAL.search(text):
            self._losses.add("control-characters")
            text = _ILLEGAL.sub("", text)
        return f"<{name}{attribute}>{escape(text, _TEXT)}</{name}>\n"


def _digits(moment: datetime) -> str:
    return moment.replace(microsecond=0, tzinfo=None).isoformat().replace("-", "").replace(":", "")


write: Final = writer_of(KEEPS, RULES, _Writer)
