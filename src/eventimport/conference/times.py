"""Times as people, databases and programs write them.

The shape of a text is recognised first, and only then converted: a text that merely looks like
something else is never read as that. Texts with two meanings (`05/03/2027`) are not read at all.
"""

import re
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from datetime import time as clock
from typing import Any, Final

from eventimport.conference.zones import ABBREVIATIONS, find_zone, parse_offset, zone

MAX_LENGTH: Final = 100
"""Characters of a time; longer texts are not looked at."""

MAX_NUMBER: Final = 1e15
"""Larger numbers are not times, nor is what is not a number."""

_DASHES: Final = str.maketrans(dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2212", "-"))
_MONTHS: Final = {
    name: number
    for number, names in enumerate(
        (
            ("jan", "january"),
            ("feb", "february"),
            ("mar", "march"),
            ("apr", "april"),
            ("may",),
            ("jun", "june"),
            ("jul", "july"),
            ("aug", "august"),
            ("sep", "sept", "september"),
            ("oct", "october"),
            ("nov", "november"),
            ("dec", "december"),
        ),
        1,
    )
    for name in names
}
_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

_YEAR_FIRST: Final = (
    r"(?P<year>\d{4})(?:(?P<mark>[-/.])(?P<month>\d{1,2})(?P=mark)(?P<day>\d{1,2})"
    r"|-?W(?P<week>\d{2})-?(?P<weekday>[1-7])|-(?P<ordinal>\d{3})|(?P<compact>\d{4}))"
)
_DAY_NAME: Final = r"(?:(?P<dayname>mon|tue|wed|thu|fri|sat|sun)[a-z]*\.?,?\s+)?"
_MONTH_NAME: Final = r"(?P<monthname>[a-z]{3,9})\.?"
_DAY_FIRST: Final = (
    _DAY_NAME
    + r"(?P<day>\d{1,2})(?:st|nd|rd|th|\.)?[\s-]+"
    + _MONTH_NAME
    + r",?[\s-]+(?P<year>\d{4})"
)
_MONTH_FIRST: Final = (
    _DAY_NAME + _MONTH_NAME + r"\s+(?P<day>\d{1,2})(?:st|nd|rd|th)?,?\s+(?P<year>\d{4})"
)
_COLONS: Final = (
    r"(?P<hour>\d{1,2})(?P<point>[:.])(?P<minute>\d{2})"
    r"(?:(?P=point)(?P<second>\d{2})(?:[.,](?P<fraction>\d{1,12}))?)?"
)
_DIGITS: Final = (
    r"(?P<hour>\d{2})(?:(?P<minute>\d{2})(?:(?P<second>\d{2})(?:[.,](?P<fraction>\d{1,12}))?)?)?"
)
_HALF: Final = r"(?:\s*(?P<half>[ap])\.?m\.?)?"
_ZONE: Final = r"\s*(?P<zone>(?:z|[a-z][a-z0-9_/+:\-]{1,40}|[+-][\d:]{1,8})?)"
_ASCTIME: Final = (
    _DAY_NAME + _MONTH_NAME + r"\s+(?P<day>\d{1,2})\s+" + _COLONS + r"\s+(?P<year>\d{4})"
)
_BRACKETS: Final = r"\s*(?:\[(?P<bracket>[^\[\]]{1,50})\]|\((?P<words>[^()]{0,60})\))?"


def _shape(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE | re.ASCII)


_SEPARATOR: Final = r"(?:\s*[t,_]\s*|\s+(?:at\s+)?)"
_SHAPES: Final = (
    _shape(_YEAR_FIRST + _SEPARATOR + _COLONS + _HALF + _ZONE + _BRACKETS),
    _shape(_YEAR_FIRST + "t" + _DIGITS + _ZONE + _BRACKETS),
    _shape(_DAY_FIRST + _SEPARATOR + _COLONS + _HALF + _ZONE + _BRACKETS),
    _shape(_MONTH_FIRST + _SEPARATOR + _COLONS + _HALF + _ZONE + _BRACKETS),
    _shape(_ASCTIME),
)
_USUAL: Final = _shape(r"\d{4}-\d\d-\d\d[t ]\d\d:\d\d(:\d\d(\.\d+)?)?(z|[+-]\d\d:?\d\d|[+-]\d\d)?")
"""What ISO 8601 and databases write: reading it is not a repair."""

_OFFSET_ONLY: Final = r"(?:z|[+-]\d\d:?\d\d)?"
_DATES: Final = (
    _shape(_YEAR_FIRST + _OFFSET_ONLY),
    _shape(_DAY_FIRST),
    _shape(_MONTH_FIRST),
)
_AMBIGUOUS: Final = _shape(r"\d{1,2}[/.-]\d{1,2}[/.-](\d{4}|\d{2})(\D.*)?")
_UNIX: Final = _shape(r"-?\d{10}(?:\.\d{1,9})?|\d{13}(?:\.0+)?")
_JSON_DATE: Final = _shape(r"\\?/date\((-?\d{1,14})([+-]\d{4})?\)\\?/")
_LONG_NUMBER: Final = _shape(r"((?:19|20)\d{6})(\d{4}|\d{6})")


@dataclass(frozen=True, slots=True)
class TimeReading:
    """What a value means: `time`, which is local to the event if it has no offset, or `day`, only a
    date, or neither. Then `problem` is the reason. `repaired`: it was read with certainty, but it
    is not what ISO 8601 or a database writes. `doubt` says what about it is uncertain."""

    time: datetime | None = None
    day: date | None = None
    problem: str | None = None
    repaired: bool = False
    doubt: str | None = None


_NOT_A_TIME: Final = TimeReading(problem="not a date and time")
_NOT_PLAUSIBLE: Final = TimeReading(problem="in a year that is not plausible")


def is_plausible(day: date) -> bool:
    """Whether a day is not in the first or the last year of the calendar, which times leave when an
    offset is applied."""
    return 1 < day.year < 9999


def read_time(value: Any, local: tzinfo = UTC) -> TimeReading:
    """Read a text or a number. `local` is the event's zone; it decides what abbreviations such as
    CST mean."""
    if isinstance(value, bool):
        return _NOT_A_TIME
    if isinstance(value, (int, float)):
        if not abs(value) < MAX_NUMBER:
            return _NOT_A_TIME
        whole = int(value) == value
        return replace(_read_text(str(int(value)) if whole else repr(value), local), repaired=True)
    if not isinstance(value, str) or len(value) > MAX_LENGTH:
        return _NOT_A_TIME
    text = " ".join(value.translate(_DASHES).split())
    found = _read_text(text, local)
    if found.time is not None and not _USUAL.fullmatch(value.strip()):
        return replace(found, repaired=True)
    return found


def in_zone(time: datetime, local: tzinfo) -> datetime:
    """The time in UTC; one without an offset is local to the zone."""
    return (time if time.tzinfo else time.replace(tzinfo=local)).astimezone(UTC)


def local_gap(time: datetime, local: tzinfo) -> timedelta:
    """By how much the clocks of the zone skip this local time; zero if it exists."""
    there = time.replace(tzinfo=local).astimezone(UTC).astimezone(local).replace(tzinfo=None)
    return there - time.replace(tzinfo=None)


def is_repeated(time: datetime, local: tzinfo) -> bool:
    """Whether the clocks of the zone show this local time twice."""
    first, second = (time.replace(tzinfo=local, fold=fold).utcoffset() for fold in (0, 1))
    return first != second and not local_gap(time, local)


def _read_text(text: str, local: tzinfo) -> TimeReading:  # noqa: PLR0911 - one for each shape
    for shape in _SHAPES:
        found = shape.fullmatch(text)
        if found is not None:
            return _converted(found, local)
    if _UNIX.fullmatch(text):
        digits = text.partition(".")[0]
        seconds = float(text) / (1000 if len(digits) == 13 else 1)
        return _from_unix(seconds)
    if found := _JSON_DATE.fullmatch(text):
        return _from_unix(int(found[1]) / 1000)
    if found := _LONG_NUMBER.fullmatch(text):
        return _read_text(f"{found[1]}T{found[2]}", local)
    for shape in _DATES:
        found = shape.fullmatch(text)
        if found is not None:
            day = _day(found)
            if day is None:
                return TimeReading(problem="not a day of the calendar")
            if not is_plausible(day):
                return _NOT_PLAUSIBLE
            return TimeReading(day=day, problem="a date without a time")
    if _AMBIGUOUS.fullmatch(text):
        return TimeReading(problem="an ambiguous date: the order of day and month is unknown")
    return _NOT_A_TIME


def _from_unix(seconds: float) -> TimeReading:
    try:
        time = datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, OSError, ValueError):
        return _NOT_A_TIME
    return TimeReading(time, repaired=True)


def _converted(found: re.Match[str], local: tzinfo) -> TimeReading:
    parts = found.groupdict()
    day = _day(found)
    if day is None:
        return TimeReading(problem="not a day of the calendar")
    hour = int(parts["hour"])
    minute, second = int(parts["minute"] or 0), int(parts["second"] or 0)
    half = (parts.get("half") or "").lower()
    if half:
        if half == "p" and 12 < hour < 24:
            hour -= 12
        if not 1 <= hour <= 12:
            return TimeReading(problem="not a time of the day")
        hour = hour % 12 + (12 if half == "p" else 0)
    days = 0
    if hour == 24 and not minute and not second:
        hour, days = 0, 1
    try:
        micro = int((parts["fraction"] or "0").ljust(6, "0")[:6])
        time = datetime.combine(day, clock(hour, minute, second, micro))
        time += timedelta(days=days)
    except (ValueError, OverflowError):
        return TimeReading(problem="not a time of the day")
    if not is_plausible(time):
        return _NOT_PLAUSIBLE
    doubt = None
    name = parts.get("dayname")
    if name and _DAYS[day.weekday()] != name.lower():
        doubt = "its day of the week differs"
    named, bracket = parts.get("zone") or "", parts.get("bracket") or ""
    if not named:
        # What JavaScript writes after an offset only says the same in words.
        bracket = bracket or (parts.get("words") or "").strip()
    if named and bracket and not doubt:
        doubt = _other_offset(time, named, bracket)
    return _with_zone(time, named, bracket, local, doubt)


def _other_offset(time: datetime, named: str, bracket: str) -> str | None:
    """The doubt if a zone in brackets has another offset than stands before it."""
    offset, found = parse_offset(named), find_zone(bracket)
    if offset is None:
        return None
    if found is None:
        return f"“{bracket}” is an unknown time zone"
    there = time.replace(tzinfo=timezone(offset)).astimezone(zone(found.name)).utcoffset()
    if there == offset or named.upper() == "Z":
        return None
    return f"the time zone “{bracket}” has another offset, which was not used"


def _with_zone(  # noqa: PLR0911 - one for each way to name a zone
    time: datetime, named: str, bracket: str, local: tzinfo, doubt: str | None
) -> TimeReading:
    if not named and bracket and not bracket.isalpha():
        found = find_zone(bracket)
        if found is None:
            return TimeReading(problem="a time in an unknown time zone")
        return TimeReading(time.replace(tzinfo=zone(found.name)), doubt=doubt)
    named = named or bracket
    if not named:
        return TimeReading(time, doubt=doubt)
    offset = parse_offset(named)
    if offset is not None:
        return TimeReading(time.replace(tzinfo=timezone(offset)), doubt=doubt)
    upper = named.upper()
    there = time.replace(tzinfo=local)
    if there.tzname() == upper and there.utcoffset() is not None:
        return TimeReading(there, doubt=doubt)
    if upper in ABBREVIATIONS:
        written = time.replace(tzinfo=timezone(timedelta(hours=ABBREVIATIONS[upper])))
        seasons = {time.replace(month=month, day=1, tzinfo=local).tzname() for month in (1, 7)}
        if upper in seasons:
            doubt = f"“{upper}” does not apply at the event on that day"
        return TimeReading(written, doubt=doubt)
    known = find_zone(named) if "/" in named or bracket else None
    if known is None:
        return TimeReading(problem="a time in an unknown time zone")
    return TimeReading(time.replace(tzinfo=zone(known.name)), doubt=doubt)


def _day(found: re.Match[str]) -> date | None:
    parts = found.groupdict()
    try:
        year = int(parts["year"])
        if parts.get("week"):
            return date.fromisocalendar(year, int(parts["week"]), int(parts["weekday"]))
        if parts.get("ordinal"):
            day = date(year, 1, 1) + timedelta(days=int(parts["ordinal"]) - 1)
            return day if day.year == year and parts["ordinal"] != "000" else None
        if parts.get("compact"):
            return date(year, int(parts["compact"][:2]), int(parts["compact"][2:]))
        if parts.get("monthname"):
            month = _MONTHS.get(parts["monthname"].lower())
            return date(year, month, int(parts["day"])) if month else None
        return date(year, int(parts["month"]), int(parts["day"]))
    except (ValueError, OverflowError):
        return None
