"""Single values as archives spell them: times, time zones, lengths of sessions, links, ids."""

import re
from datetime import UTC, datetime, tzinfo
from typing import Any, Final
from zoneinfo import ZoneInfo, available_timezones

_ZONES: Final = {name.casefold(): name for name in available_timezones()}
_ZONES_BY_DISPLAY_NAME: Final = {
    # As CLDR names metazones; seen in an archive of a conference on Hawaii.
    "hawaii-aleutian": "Pacific/Honolulu",
}
MAX_ZONE_LENGTH: Final = 200
"""Characters of a time zone's name. No zone has so many; a longer text is not searched."""

_LENGTH: Final = re.compile(r"(\d{1,3})[:.](\d{2})(?::\d{2})?(?:\s*(?:min(?:ute)?s?|h(?:ou)?rs?))?")
_SCHEME: Final = re.compile(r"([a-zA-Z][a-zA-Z0-9+.\-]*):")
_HOST_AND_PORT: Final = re.compile(r"(localhost|[\w\-]+(\.[\w\-]+)+):\d+([/?#].*)?", re.DOTALL)
_IGNORED_IN_LINKS: Final = re.compile(r"[\x00-\x20]")
_SAFE_SCHEMES: Final = frozenset({"http", "https", "mailto", "tel"})


def parse_time(value: Any) -> datetime | None:
    """An ISO 8601 date and time, with or without an offset; None for anything else.

    The first and the last year of the calendar are refused: they leave it when an offset is
    applied.
    """
    if not isinstance(value, str):
        return None
    try:
        result = datetime.fromisoformat(value.strip())
    except ValueError:
        return None
    return result if 1 < result.year < 9999 else None


def in_zone(time: datetime, zone: tzinfo) -> datetime:
    """The time in UTC; one without an offset is local to the zone."""
    return (time if time.tzinfo else time.replace(tzinfo=zone)).astimezone(UTC)


def parse_timezone(value: str) -> str | None:
    """The IANA name of a time zone that is spelled with spaces or in another case, else None."""
    if len(value) > MAX_ZONE_LENGTH:
        return None
    key = re.sub(r"\s*/\s*", "/", value.strip()).casefold()
    return _ZONES.get(key.replace(" ", "_")) or _ZONES_BY_DISPLAY_NAME.get(key)


def zone(name: str) -> tzinfo:
    """The zone of an IANA name. Raises ZoneInfoNotFoundError."""
    return ZoneInfo(name)


def parse_length(value: Any) -> str | None:
    """The length of a session as hours and minutes, `HH:MM`; None where it can't be told.

    Understood: `00:30`, `1:30`, `01.30`, `00.20 minutes`, and numbers, which archives write as
    hours, a point and minutes (0.3 is half an hour), or as decimal hours where that can't be.
    """
    if isinstance(value, bool):
        return None
    if isinstance(value, (int, float)):
        if not 0 <= value < 1000:
            return None
        hours, minutes = divmod(round(value * 100), 100)
        if minutes > 59:
            hours, minutes = divmod(round(value * 60), 60)
        return f"{hours:02}:{minutes:02}"
    match = _LENGTH.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None or int(match[2]) > 59:
        return None
    return f"{int(match[1]):02}:{match[2]}"


def is_safe_link(value: str) -> bool:
    """Whether a browser may follow it: a web, mail or telephone link, or no scheme at all."""
    # Browsers drop white space and control characters inside of a scheme.
    bare = _IGNORED_IN_LINKS.sub("", value)
    match = _SCHEME.match(bare)
    if match is None or match[1].lower() in _SAFE_SCHEMES:
        return True
    return _HOST_AND_PORT.fullmatch(bare) is not None


def is_remote(value: str) -> bool:
    """Whether a medium is to be fetched, rather than found in the archive."""
    return value[:8].lower().startswith(("http://", "https://"))


def source_key(value: Any) -> str | None:
    """An id as a key of the id map: 3, 3.0, "3" and " 3 " are one. None where it is no id."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else None
    if isinstance(value, str):
        return value.strip() or None
    return None


def sort_key(key: str | None) -> tuple[int, int, str]:
    """Source ids in order: numbers by value, then other ids by text, then records without one."""
    if key is None:
        return 2, 0, ""
    if len(key) <= 18 and key.isascii() and key.isdigit():
        return 0, int(key), ""
    return 1, 0, key


def label_key(value: Any) -> str:
    """A name or title as one compares it: case and spaces do not count."""
    return " ".join(str(value).split()).casefold()
