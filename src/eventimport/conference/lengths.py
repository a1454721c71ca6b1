"""Lengths of sessions as people and programs write them."""

import re
from dataclasses import dataclass
from typing import Any, Final

MAX_LENGTH: Final = 60
"""Characters of a length; longer texts are not looked at."""

MAX_MINUTES: Final = 999 * 60 + 59
MINUTES_OF_DAY: Final = 24 * 60
LONG: Final = 10 * 60
"""From this many minutes on, a number may mean seconds (600, 900), or something else."""
_AS_CLOCK: Final = "as hours and minutes"

_HOURS: Final = (
    "h|hr|hrs|hour|hours|std|std\\.|stunde|stunden|heure|heures|hora|horas|ore|ora|uur|uren"
)
_MINUTES: Final = (
    "m|min|mins|min\\.|mn|minute|minutes|minuten|minuto|minutos|minuti|minuut|\u2032|'"
)
_DAYS: Final = "d|day|days|tag|tage|jour|jours"


def _shape(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE | re.ASCII)


_CLOCK: Final = _shape(rf"(\d{{1,3}}):([0-5]\d)(?::([0-5]\d))?\s*(?:{_HOURS}|{_MINUTES})?")
_MINUTE: Final = _shape(_MINUTES)
_WHOLE: Final = _shape(r"\d{1,6}")
_DECIMAL: Final = _shape(rf"(\d{{1,3}})[.,](\d{{1,2}})(?:\s*({_HOURS}|{_MINUTES}))?")
_WORDS: Final = _shape(
    rf"(?:(\d{{1,2}})\s*(?:{_DAYS}))?[\s,]*(?:(\d{{1,3}})\s*(?:{_HOURS}))?[\s,]*(?:and\s+|und\s+)?"
    rf"(?:(\d{{1,5}})\s*(?:{_MINUTES})?)?"
)
_ISO: Final = _shape(r"P(?:(\d{1,2})D)?(?:T(?:(\d{1,3})H)?(?:(\d{1,5})M)?(?:(\d{1,6})S)?)?")


@dataclass(frozen=True, slots=True)
class LengthReading:
    """`text` is hours and minutes, `HH:MM`. A `doubt` says why another reading is possible."""

    text: str
    doubt: str | None = None


def read_length(value: Any) -> LengthReading | None:
    """Read a text or a number; None if its meaning is unknown.

    Whole numbers are minutes from 10 on, and hours below. Two digits after a point are minutes, as
    in the archives that have them (`01.30`, `0.20`), unless an hour does not have that many minutes
    (`0.75`); a 5 is half an hour, and other single digits are tens of minutes (the number 0.3, once
    0.30).
    """
    if isinstance(value, bool):
        return None
    if isinstance(value, (int, float)):
        if not 0 <= value <= MAX_MINUTES:
            return None
        return _of_number(value)
    if not isinstance(value, str) or len(value) > MAX_LENGTH:
        return None
    return _of_text(" ".join(value.split()))


def parse_length(value: Any) -> str | None:
    """The length as `HH:MM`; None if it is unknown."""
    found = read_length(value)
    return found.text if found else None


def _of_number(value: float) -> LengthReading | None:
    if value == int(value):
        return _of_whole(int(value))
    if abs(round(value * 100) - value * 100) > 1e-6:
        return _made(round(value * 60), "as decimal hours") if value < 24 else None
    whole, _, digits = f"{value:.2f}".partition(".")
    return _of_decimal(int(whole), digits.rstrip("0"))


def _of_text(text: str) -> LengthReading | None:  # noqa: PLR0911 - one for each shape
    if _WHOLE.fullmatch(text):
        return _of_whole(int(text))
    if found := _CLOCK.fullmatch(text):
        doubt = "without its seconds" if int(found[3] or 0) else None
        return _made(int(found[1]) * 60 + int(found[2]), doubt)
    if found := _DECIMAL.fullmatch(text):
        hours, digits, unit = int(found[1]), str(found[2]), found[3]
        unit_is_minutes = unit is not None and _MINUTE.fullmatch(unit) is not None
        # "00.2 Hour" may be 12 or 20 minutes, and "22.5 min" is not a part of an hour.
        if (unit and digits in {"1", "2", "3", "4"}) or (
            unit_is_minutes and (len(digits) == 1 or hours >= 10)
        ):
            return None
        return _of_decimal(hours, digits, has_unit=unit is not None)
    if found := _ISO.fullmatch(text):
        if not any(found.groups()):
            return None
        days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
        doubt = "without its seconds" if seconds % 60 else None
        return _made(days * MINUTES_OF_DAY + hours * 60 + minutes + seconds // 60, doubt)
    if (found := _WORDS.fullmatch(text)) and any(found.groups()):
        in_days, in_hours, in_minutes = (int(part or 0) for part in found.groups())
        return _made(in_days * MINUTES_OF_DAY + in_hours * 60 + in_minutes)
    return None


def _of_whole(value: int) -> LengthReading | None:
    if value < 10:
        return _made(value * 60)
    doubt = f"because {value} was read as minutes, not as seconds" if value >= LONG else None
    return _made(value, doubt)


def _of_decimal(hours: int, digits: str, *, has_unit: bool = False) -> LengthReading | None:
    if not digits.strip("0"):
        if has_unit or hours < 10:
            return _made(hours * 60)
        # A spreadsheet's 45.0 is the number 45; 12.00 may be written as 01.30 is.
        if len(digits) == 1:
            return _of_whole(hours)
        return _made(*((hours * 60, _AS_CLOCK) if hours < 24 else (hours, "as minutes")))
    if hours >= 24 and not has_unit:
        # As whole numbers are minutes from 10 on, 45.5 may be hours or minutes.
        return None
    if len(digits) == 1:
        as_minutes, is_decimal = int(digits) * 10, digits == "5"
    else:
        as_minutes, is_decimal = int(digits), False
    if as_minutes > 59 or is_decimal:
        return _made(hours * 60 + round(float("0." + digits) * 60), "as decimal hours")
    return _made(hours * 60 + as_minutes, _AS_CLOCK)


def _made(minutes: int, doubt: str | None = None) -> LengthReading | None:
    if minutes > MAX_MINUTES:
        return None
    return LengthReading(f"{minutes // 60:02}:{minutes % 60:02}", doubt)
