"""Time zones as archives spell them: IANA names, offsets, names of Windows and Rails, cities."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import cache
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from eventimport.conference.zone_names import ABBREVIATIONS, CITIES, NAMES

__all__ = ["ABBREVIATIONS", "ZoneReading", "find_zone", "parse_offset", "zone"]

MAX_LENGTH: Final = 100
"""Characters of a time zone's name; longer texts are not looked at."""

_ZONES: Final = {name.casefold(): name for name in available_timezones()}
_FIXED: Final = {"est": "-05:00", "mst": "-07:00", "hst": "-10:00"}
"""Names of IANA that are offsets, though people mean zones by them."""

_OFFSET: Final = re.compile(
    r"(?:utc|gmt|z)?\s*([+-])\s*(\d{1,2})(?::?([0-5]\d))?(?::?00)?|(utc|gmt|ut|z)",
    re.IGNORECASE | re.ASCII,
)
_DASHES: Final = str.maketrans(dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2212", "-"))
_OFFSET_AND_NAME: Final = re.compile(r"([+-][\d:]{1,6})\s+[a-z]{2,5}", re.IGNORECASE | re.ASCII)
_OFFSET_BEFORE: Final = re.compile(
    r"[(\[]\s*(?:utc|gmt)?\s*([+-]?\d{0,2}:?\d{0,2})\s*[)\]]\s*(.+)", re.IGNORECASE | re.ASCII
)
_IN_BRACKETS: Final = re.compile(r"(.+?)\s*[(\[][^()\[\]]*[)\]]")
_MOST: Final = timedelta(hours=14)
_CONTINENTS: Final = frozenset(
    [
        "Africa",
        "America",
        "Antarctica",
        "Arctic",
        "Asia",
        "Atlantic",
        "Australia",
        "Europe",
        "Indian",
        "Pacific",
    ]
)
_REGIONS: Final = frozenset(
    ["ACT", "LHI", "NSW", "North", "Queensland", "South", "Tasmania", "Victoria", "West"]
)
"""Parts of Australia, whose names others share."""


@dataclass(frozen=True, slots=True)
class ZoneReading:
    """`name` is an IANA name, or an offset such as `+05:30`. A `is_fixed` one does not know when
    clocks change; a `doubt` says what else is uncertain about it."""

    name: str
    is_fixed: bool = False
    doubt: str | None = None


def find_zone(  # noqa: PLR0911 - one for each way to name a zone
    value: str,
) -> ZoneReading | None:
    """The zone that a text means; None if it means none that is known."""
    text = " ".join(value[: MAX_LENGTH + 1].translate(_DASHES).replace("±", "+").split())
    if not text or len(text) > MAX_LENGTH:
        return None
    if found := _named(text):
        return found
    offset = parse_offset(text)
    if offset is not None:
        return _fixed(offset)
    if (match := _OFFSET_BEFORE.fullmatch(text)) and (offset := _told_offset(match[1])) is not None:
        return _beside(match[2], offset)
    if (match := _OFFSET_AND_NAME.fullmatch(text)) and (offset := parse_offset(match[1])):
        return _fixed(offset)
    if match := _IN_BRACKETS.fullmatch(text):
        return _named(match[1])
    return None


def zone(name: str) -> tzinfo:
    """The zone of a name that `find_zone` gave. Raises ZoneInfoNotFoundError."""
    offset = parse_offset(name) if name[:1] in "+-" else None
    if offset is not None:
        return timezone(offset)
    try:
        return ZoneInfo(name)
    except (ValueError, OSError) as error:
        raise ZoneInfoNotFoundError(name) from error


def parse_offset(text: str) -> timedelta | None:
    """What `+08:00`, `-0330`, `UTC+1`, `GMT` or `Z` is ahead of UTC; None for anything else."""
    found = _OFFSET.fullmatch(text.strip()[:20])
    if found is None or len(text.strip()) > 20:
        return None
    if found[4]:
        return timedelta()
    offset = timedelta(hours=int(found[2]), minutes=int(found[3] or 0))
    return None if offset > _MOST else -offset if found[1] == "-" else offset


def _named(text: str) -> ZoneReading | None:
    key = re.sub(r"\s*/\s*", "/", text).casefold()
    if key in _FIXED:
        return ZoneReading(_FIXED[key], is_fixed=True)
    name = (
        _ZONES.get(key)
        or _ZONES.get(key.replace(" ", "_"))
        or NAMES.get(key)
        or CITIES.get(key)
        or _cities().get(key)
        or CITIES.get(key.replace("_", " "))
        or _cities().get(key.replace("_", " "))
    )
    if name is not None and name.casefold() in _ZONES:
        return ZoneReading(_ZONES[name.casefold()])
    if key.upper() in ABBREVIATIONS:
        return _fixed(timedelta(hours=ABBREVIATIONS[key.upper()]))
    return None


def _fixed(offset: timedelta) -> ZoneReading:
    if not offset:
        return ZoneReading("UTC")
    seconds = int(offset.total_seconds())
    sign, minutes = "-" if seconds < 0 else "+", abs(seconds) // 60
    return ZoneReading(f"{sign}{minutes // 60:02}:{minutes % 60:02}", is_fixed=True)


def _told_offset(text: str) -> timedelta | None:
    return timedelta() if not text else parse_offset(text)


def _beside(names: str, offset: timedelta) -> ZoneReading:
    """The zone of the first place that is known and has the offset that stands before it."""
    for name in (names, *names.split(",")):
        found = _named(name.strip())
        if found is not None and offset in _offsets(found.name):
            return found
    known = _named(names)
    if known is not None:
        return ZoneReading(known.name, known.is_fixed, f"“{known.name}” has another offset")
    return _fixed(offset)


def _offsets(name: str) -> set[timedelta | None]:
    there = zone(name)
    year = datetime.now(UTC).year
    return {datetime(year, month, 1, tzinfo=there).utcoffset() for month in (1, 7)}


@cache
def _cities() -> dict[str, str]:
    """The zones by their cities: the last part of their names."""
    found: dict[str, str] = {}
    for name in sorted(_ZONES.values(), key=lambda name: (name.count("/"), name)):
        area, slash, city = name.rpartition("/")
        if slash and area.partition("/")[0] in _CONTINENTS and city not in _REGIONS:
            found.setdefault(city.replace("_", " ").casefold(), name)
    return found
