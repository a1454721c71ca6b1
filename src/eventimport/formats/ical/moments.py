"""When something happens, by a calendar: dates, times, their zones, and durations.

A time zone is found by its name. Only if the name is unknown, the calendar's own definition counts:
what programs write there is often incomplete.
"""

import re
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, tzinfo
from typing import Any, Final, TypeAlias

from icalendar import Timezone, TimezoneDaylight, TimezoneStandard
from icalendar.prop import vRecur

from eventimport.conference.report import Place, Report, shortened
from eventimport.conference.times import read_time
from eventimport.conference.zone_names import NAMES
from eventimport.conference.zones import find_zone, zone
from eventimport.formats.ical.components import Component, Property
from eventimport.formats.ical.rules import read_rule

Moment: TypeAlias = datetime | date
"""A date is a whole day. A time without a zone is local to the event."""

LONGEST: Final = timedelta(days=366)
"""A longer duration is not one."""

MAX_DEFINED: Final = 50
"""Definitions of zones that are used of one calendar: each costs some time."""

MAX_OBSERVANCES: Final = 100
"""Changes of the clocks that the definition of a time zone may list."""

MAX_RULES: Final = 10
"""Of these, the most that recur: each of their years is looked at for each time."""

MAX_DAYS: Final = 100
"""Times of a zone by which its definition is compared with what is known of it."""

_DATE: Final = re.compile(r"(\d{4})(\d\d)(\d\d)(?:T(\d\d)(\d\d)(\d\d)?(?:\.\d+)?(Z)?)?", re.ASCII)
_DURATION: Final = re.compile(
    r"(\+|-)?P(?:(\d{1,3})W)?(?:(\d{1,4})D)?"
    r"(?:T(?:(\d{1,5})H)?(?:(\d{1,6})M)?(?:(\d{1,7})S)?)?",
    re.ASCII,
)
_OFFSET: Final = re.compile(r"([+-])(\d\d)(\d\d)(\d\d)?", re.ASCII)
_FIRST_YEAR: Final = 1970
_YEARS: Final = range(2, 9998)
"""Other years leave the calendar when an offset is applied."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A moment as it was read, and the names of its zone: as the calendar spells it, and as we
    know it; a `doubt` says what is wrong with the zone."""

    moment: Moment
    zone_name: str | None = None


def read_duration(text: str) -> timedelta | None:
    """A duration; None if it is not one, negative, or longer than a year."""
    found = _DURATION.fullmatch(text.strip())
    if found is None or found[1] == "-" or not any(found.groups()[1:]):
        return None
    weeks, days, hours, minutes, seconds = (int(part or 0) for part in found.groups()[1:])
    length = timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds)
    return length if length <= LONGEST else None


@dataclass(slots=True)
class Zones:
    """The zones that a calendar's times name. `defined` are its own definitions, by their names."""

    report: Report
    entry: str
    defined: dict[str, Component] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    """Names of definitions that say when something happens."""
    _days: dict[str, set[datetime]] = field(default_factory=dict)
    """By names of zones, the first times of some days, to compare definitions by."""
    _definitions: int = 0
    _known: dict[str, tuple[tzinfo | None, str | None]] = field(default_factory=dict)

    def define(self, component: Component) -> None:
        """Add a definition."""
        self.defined.setdefault(component.text("TZID"), component)

    def named(self, name: str) -> tuple[tzinfo | None, str | None]:
        """The zone of a name, and its usual name. Reports a name that is unknown."""
        if name not in self._known:
            self._known[name] = self._find(name)
        return self._known[name]

    def read(self, found: Property, default: str | None = None) -> Reading | None:
        """The moment that a property names; None if it is none. `default` is the name of the zone
        of times that name none."""
        return self.read_text(found.value, found.params.get("TZID", "").strip(' "') or default)

    def read_text(self, text: str, name: str | None) -> Reading | None:
        """The moment of a text, in the zone of this name."""
        moment = _moment(text.strip())
        if moment is None or not isinstance(moment, datetime):
            return None if moment is None else Reading(moment)
        if moment.tzinfo is not None or not name:
            return Reading(moment)
        there, usual = self.named(name)
        if name in self.defined and len(days := self._days.setdefault(name, set())) < MAX_DAYS:
            days.add(moment.replace(minute=0, second=0))
        return Reading(moment.replace(tzinfo=there), usual)

    def differs(self, name: str) -> bool:
        """Whether a definition may say something else of the calendar's times than the zone that
        its name is known for. Reports it if it does."""
        there, _ = self.named(name)
        times = self._days.get(name)
        defined = self._defined_zone(self.defined[name]) if times else None
        if defined is None or there is None or not times:
            return True
        if all(
            time.replace(tzinfo=defined).utcoffset() == time.replace(tzinfo=there).utcoffset()
            for time in times
        ):
            return False
        message = (
            f"The calendar's definition of the time zone “{shortened(name)}” differs from the real "
            "one. The definition was not used; it is kept in `extra`."
        )
        self.report.warning("timezone", message, Place(self.entry, field="vtimezone"), name)
        return True

    def _find(self, name: str) -> tuple[tzinfo | None, str | None]:
        for spelled in _spellings(name):
            found = find_zone(spelled)
            if found is None:
                continue
            is_exact = found.name.casefold() == spelled.casefold() or spelled.casefold() in NAMES
            if is_exact or name not in self.defined:
                return zone(found.name), found.name
        definition = self.defined.get(name)
        if definition is not None:
            self.used.add(name)
            location = find_zone(definition.text("X-LIC-LOCATION"))
            if location is not None and not location.is_fixed:
                return zone(location.name), location.name
            defined = self._defined_zone(definition)
            if defined is not None:
                return defined, None
        message = (
            f"The time zone “{shortened(name)}” is unknown, and the calendar has no usable "
            "definition of it. Its times were read as local to the event."
        )
        self.report.warning("timezone", message, Place(self.entry, field="tzid"), name)
        return None, None

    def _defined_zone(self, definition: Component) -> tzinfo | None:
        self._definitions += 1
        return _defined_zone(definition) if self._definitions <= MAX_DEFINED else None


def _spellings(name: str) -> list[str]:
    """A name, and what other names programs made it of: `/example.org/2026/Europe/Berlin`."""
    if len(name) > 200:
        return []
    parts = name.strip("/").split("/")
    names = [name, *("/".join(parts[-count:]) for count in (3, 2) if len(parts) > count)]
    if "/" not in name and "-" in name:
        names.append(name.replace("-", "/", 1))
    return names


def _moment(text: str) -> Moment | None:
    found = _DATE.fullmatch(text)
    if found is None:
        read = read_time(text)
        return read.time if read.time is not None else read.day
    try:
        day = date(int(found[1]), int(found[2]), int(found[3]))
        if day.year not in _YEARS:
            return None
        if found[4] is None:
            return day
        hour, minute, second = int(found[4]), int(found[5]), min(int(found[6] or 0), 59)
        days, hour = (1, 0) if (hour, minute, second) == (24, 0, 0) else (0, hour)
        time = datetime(day.year, day.month, day.day, hour, minute, second)  # noqa: DTZ001
    except ValueError:
        return None
    utc = zone("UTC") if found[7] else None
    return (time + timedelta(days=days)).replace(tzinfo=utc)


def _defined_zone(component: Component) -> tzinfo | None:
    """The zone of a calendar's definition; None if it is incomplete, or would take long."""
    rules = sum(child.first("RRULE") is not None for child in component.children)
    if not 0 < len(component.children) <= MAX_OBSERVANCES or rules > MAX_RULES:
        return None
    result = Timezone()
    result.add("tzid", "defined")
    for child in component.children:
        part: Any = TimezoneDaylight() if child.name == "DAYLIGHT" else TimezoneStandard()
        start = _moment(child.text("DTSTART"))
        offsets = [_offset(child.text(name)) for name in ("TZOFFSETFROM", "TZOFFSETTO")]
        if not isinstance(start, datetime) or None in offsets:
            return None
        if child.first("RRULE") is not None and start.year < _FIRST_YEAR:
            # Programs begin in 1601; each year since then would be counted for each time.
            start = start.replace(year=_FIRST_YEAR, day=min(start.day, 28))
        part.add("dtstart", start.replace(tzinfo=None))
        part.add("tzoffsetfrom", offsets[0])
        part.add("tzoffsetto", offsets[1])
        for rule in child.all("RRULE"):
            read = read_rule(rule.value)
            if read is None or read.frequency != "YEARLY" or read.count is not None:
                return None
            part.add("rrule", vRecur.from_ical(read.text))
        extra = [_moment(text) for found in child.all("RDATE") for text in found.texts]
        if len(extra) > MAX_OBSERVANCES:
            return None
        for moment in extra:
            if isinstance(moment, datetime):
                part.add("rdate", moment.replace(tzinfo=None))
        result.add_component(part)
    try:
        defined: tzinfo = result.to_tz(lookup_tzid=False)
        datetime(2026, 1, 1, tzinfo=defined).utcoffset()
    except (ValueError, TypeError, LookupError, ArithmeticError, AttributeError):
        return None
    return defined


def _offset(text: str) -> timedelta | None:
    found = _OFFSET.fullmatch(text.strip())
    if found is None:
        return None
    length = timedelta(hours=int(found[2]), minutes=int(found[3]), seconds=int(found[4] or 0))
    return (-length if found[1] == "-" else length) if length < timedelta(hours=18) else None
