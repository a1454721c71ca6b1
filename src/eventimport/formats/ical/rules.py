"""Rules by which something recurs: those that surely go on.

The library that expands a rule looks for its next date until the year 9999, and cannot be stopped.
So only rules are accepted that have a date again and again: `FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30`
never has, and a rule for each second would take hours to find that out.
"""

import re
from dataclasses import dataclass
from math import prod
from typing import Final

MAX_LENGTH: Final = 1_000
"""Characters of a rule."""

_FINE: Final = frozenset({"SECONDLY", "MINUTELY", "HOURLY"})
_COARSE: Final = frozenset({"DAILY", "WEEKLY", "MONTHLY", "YEARLY"})
_NUMBER: Final = re.compile(r"[+-]?\d{1,4}", re.ASCII)
_SINGLE: Final = frozenset({"FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST"})
_SHAPES: Final = {
    "FREQ": re.compile("[A-Z]+"),
    "INTERVAL": re.compile("0*[1-9][0-9]{0,3}"),
    "COUNT": re.compile("0*[1-9][0-9]{0,4}"),
    "UNTIL": re.compile(r"\d{8}(?:T\d{6}Z?)?", re.ASCII),
    "WKST": re.compile("MO|TU|WE|TH|FR|SA|SU"),
    "BYDAY": re.compile(r"(?:[+-]?(?:[1-9]|[1-4][0-9]|5[0-3]))?(?:MO|TU|WE|TH|FR|SA|SU)"),
}
"""Parts of a rule that are not lists of numbers."""

_RANGES: Final = {
    "BYSECOND": range(60),
    "BYMINUTE": range(60),
    "BYHOUR": range(24),
    "BYMONTHDAY": range(1, 32),
    "BYMONTH": range(1, 13),
    "BYSETPOS": range(1, 367),
}
_SIGNED: Final = frozenset({"BYMONTHDAY", "BYSETPOS"})
_TIMES: Final = ("BYHOUR", "BYMINUTE", "BYSECOND")
_ALWAYS: Final = range(1, 29)
"""Days that each month has."""

_SECONDS: Final = {"SECONDLY": 1, "MINUTELY": 60, "HOURLY": 3600}


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule. `text` is normal iCalendar; `count` and `until` bound it. `most_in_day` is how many
    times of one day it may have."""

    text: str
    frequency: str
    count: int | None
    until: str | None
    most_in_day: int

    @property
    def is_endless(self) -> bool:
        """Whether the rule has no end."""
        return self.count is None and self.until is None


def read_rule(text: str) -> Rule | None:
    """Read an RRULE; None if it is not one, or of a kind that is not supported."""
    if len(text) > MAX_LENGTH:
        return None
    parts: dict[str, list[str]] = {}
    for part in filter(None, text.upper().replace(" ", "").strip(";").split(";")):
        name, _, values = part.partition("=")
        if not values or name in parts:
            return None
        parts[name] = values.strip(",").split(",")
    frequency = parts.get("FREQ", [""])[0]
    if frequency not in _FINE | _COARSE or not _is_regular(parts, frequency):
        return None
    interval = int(parts.get("INTERVAL", ["1"])[0])
    most = prod(len(set(parts.get(name, [""]))) for name in _TIMES)
    if frequency in _FINE:
        most = 24 * 3600 // (_SECONDS[frequency] * interval) + 1
    count = parts.get("COUNT", [""])[0]
    return Rule(
        ";".join(f"{name}={','.join(values)}" for name, values in parts.items()),
        frequency,
        int(count) if count else None,
        parts.get("UNTIL", [None])[0],
        most,
    )


def _is_regular(parts: dict[str, list[str]], frequency: str) -> bool:
    if not _is_well_formed(parts):
        return False
    if frequency in _FINE:
        return parts.keys() <= _SINGLE
    return _recurs(parts, frequency)


def _is_well_formed(parts: dict[str, list[str]]) -> bool:
    for name, values in parts.items():
        if name in _SINGLE and len(values) != 1:
            return False
        shape = _SHAPES.get(name)
        if shape is not None:
            if not all(map(shape.fullmatch, values)):
                return False
        elif name not in _RANGES or not all(_is_in_range(name, value) for value in values):
            return False
    return True


def _is_in_range(name: str, value: str) -> bool:
    if not _NUMBER.fullmatch(value):
        return False
    number = int(value)
    return (abs(number) if name in _SIGNED else number) in _RANGES[name]


def _recurs(parts: dict[str, list[str]], frequency: str) -> bool:
    """Whether the rule, without its end, has a date in any long span of time."""
    has_numbered = any(not value[0].isalpha() for value in parts.get("BYDAY", []))
    step = int(parts.get("INTERVAL", ["1"])[0])
    days = [abs(int(value)) for value in parts.get("BYMONTHDAY", [])]
    is_monthly = frequency in {"MONTHLY", "YEARLY"}
    is_daily = frequency == "DAILY"
    not_all_months_have = not all(day in _ALWAYS for day in days)
    never = (
        (has_numbered and (days or not is_monthly))
        or (not_all_months_have and ("BYMONTH" in parts or step > 1))
        or (step > 1 and is_daily and parts.keys() & {"BYDAY", "BYMONTH", "BYMONTHDAY"})
        or (step > 1 and frequency == "MONTHLY" and "BYMONTH" in parts)
        or (days and frequency == "WEEKLY")
    )
    if never or "BYSETPOS" not in parts:
        return not never
    weekdays = len(parts.get("BYDAY", []))
    most = max(abs(int(value)) for value in parts["BYSETPOS"])
    return is_monthly and not has_numbered and not days and most <= 4 * weekdays
