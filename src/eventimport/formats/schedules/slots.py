"""When a session begins and ends, by what schedules say about it.

A conference day lasts until late at night. So the day that a session stands under may differ from
the day of its date, and from that of its clock. The rules:

1. A date with an offset from UTC is right, whatever else is said.
2. Without it, the start is a clock on the conference day. It is a day later if it is earlier than
   the hour at which the conference changes days. Hours from 24 on count from that day.
3. A duration of three parts is hours, minutes and seconds, except that pretalx writes days, hours
   and minutes.
"""

import re
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from datetime import time as clock
from typing import Final

from eventimport.conference.times import TimeReading, read_time

DAY_CHANGE: Final = clock(6)
"""When a new conference day begins, if the source does not say it. Nights are of the day before."""

LONGEST: Final = timedelta(days=31)
"""A longer duration is not one."""

_DAY: Final = timedelta(days=1)
_CLOCK: Final = re.compile(r"(\d{1,2}):([0-5]\d)(?::([0-5]\d)(?:\.\d+)?)?")
_USUAL: Final = re.compile(r"(?:19|20)\d\d-\d\d-\d\dT\d\d:\d\d(?::\d\d)?[+-]\d\d:\d\d")
_TWO_PARTS: Final = re.compile(r"(\d{1,3}):([0-5]?\d)")
_THREE_PARTS: Final = re.compile(r"(\d{1,4}):(\d{1,2}):([0-5]?\d)")
_MINUTES: Final = re.compile(r"\d{1,4}(?:[.,]0+)?")
_PRETALX_2017: Final = re.compile(r"(\d{1,4})\.0:00")
_ISO: Final = re.compile(
    r"P(?:(\d{1,2})D)?(?:T(?:(\d{1,3})H)?(?:(\d{1,5})M)?(?:(\d{1,6})(?:\.0*)?S)?)?"
)


@dataclass(frozen=True, slots=True)
class Doubt:
    """What is uncertain or unreadable about a slot: a finding's code and message, the field, and
    the value. `kept` says that the value must be kept in `extra`."""

    code: str
    message: str
    field: str
    value: str
    kept: bool = False


@dataclass(slots=True)
class Slot:
    """`starts` and `ends` have an offset, or are local to the event. `local_start` is what the
    source calls the local start beside a `starts` with an offset. The end is `ends`, or else
    `length` after `starts`."""

    starts: datetime | None = None
    ends: datetime | None = None
    length: timedelta | None = None
    local_start: clock | None = None
    doubts: list[Doubt] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Length:
    """A duration, and what is uncertain about it."""

    value: timedelta
    doubt: str | None = None


def slot_by_day_rules(
    *,
    date: str | None,
    day: str | None,
    start: str | None,
    duration: str | None,
    end: str | None = None,
    day_change: clock = DAY_CHANGE,
    days_first: bool = False,
) -> Slot:
    """The slot of a session by its `date`, the `day` that it stands under, and the clock `start`.
    `days_first`: durations of three parts are days, hours and minutes."""
    slot = Slot()
    date, day, start = (_given(text) for text in (date, day, start))
    _set_start(slot, date, day, start, day_change)
    duration, end = _given(duration), _given(end)
    if end is not None:
        slot.ends = read_time(end).time
        if slot.ends is None:
            doubt = "The end of a session is not a date and time; it is kept in `extra`."
            slot.doubts.append(Doubt("invalid-value", doubt, "end", end, kept=True))
    if duration is not None:
        _set_length(slot, duration, days_first=days_first)
        _compare_ends(slot, duration)
    return slot


def read_clock(text: str) -> timedelta | None:
    """A time of the day as the time since midnight; hours may exceed 23. None if it is not one."""
    found = _CLOCK.fullmatch(text.strip())
    if found is None:
        return None
    return timedelta(hours=int(found[1]), minutes=int(found[2]), seconds=int(found[3] or 0))


def read_day_change(text: str | None) -> clock:
    """The hour at which the conference changes days; DAY_CHANGE if the text does not say it."""
    since = read_clock(text) if text else None
    return DAY_CHANGE if since is None or since >= _DAY else _clock_of(since)


def read_duration(text: str, *, days_first: bool = False) -> Length | None:
    """Read a duration; None if it is not one."""
    text = text.strip()
    if found := _TWO_PARTS.fullmatch(text):
        return _length(minutes=int(found[1]) * 60 + int(found[2]))
    if found := _THREE_PARTS.fullmatch(text):
        return _of_three_parts(*(int(part) for part in found.groups()), days_first=days_first)
    if found := _PRETALX_2017.fullmatch(text):
        return _length(minutes=int(found[1]), doubt=f"read as {found[1]} minutes")
    if _MINUTES.fullmatch(text):
        minutes = int(re.split(r"[.,]", text)[0])
        return _length(minutes=minutes, doubt=f"read as {minutes} minutes")
    found = _ISO.fullmatch(text)
    if found is None or not any(found.groups()):
        return None
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return _length(minutes=(days * 24 + hours) * 60 + minutes, seconds=seconds)


def _clock_of(since: timedelta) -> clock:
    minutes, seconds = divmod(int(since.total_seconds()), 60)
    return clock(minutes // 60, minutes % 60, seconds)


def _given(text: str | None) -> str | None:
    return (text or "").strip() or None


def _of_three_parts(first: int, second: int, third: int, *, days_first: bool) -> Length | None:
    as_days = _length(minutes=(first * 24 + second) * 60 + third) if second < 24 else None
    as_hours = _length(minutes=first * 60 + second, seconds=third) if second < 60 else None
    if days_first and as_days is not None:
        return as_days
    if as_hours is None or as_days is None or first == 0:
        return as_hours or as_days
    doubt = "read as hours, minutes and seconds; it may be days, hours and minutes"
    return Length(as_hours.value, doubt)


def _length(*, minutes: int, seconds: int = 0, doubt: str | None = None) -> Length | None:
    value = timedelta(minutes=minutes, seconds=seconds)
    return Length(value, doubt) if value <= LONGEST else None


def _set_start(
    slot: Slot, date: str | None, day: str | None, start: str | None, day_change: clock
) -> None:
    since = read_clock(start) if start is not None else None
    if date is not None:
        found = _read_date(date)
        if found.time is not None:
            slot.starts = found.time
            if since is not None and since < _DAY and found.time.tzinfo is not None:
                slot.local_start = _clock_of(since)
            return
        if found.day is not None and since is not None:
            # The day of the calendar, as old versions of open-event-server write it.
            slot.starts = _at(found.day, since)
            return
        doubt = "The date of a session is not a date and time; it is kept in `extra`."
        slot.doubts.append(Doubt("invalid-value", doubt, "date", date, kept=True))
    if start is None:
        return
    if since is None:
        slot.starts = read_time(start).time
        if slot.starts is None:
            doubt = "The start of a session is not a time; it is kept in `extra`."
            slot.doubts.append(Doubt("invalid-value", doubt, "start", start, kept=True))
        return
    conference_day = _day_of(day)
    if conference_day is None:
        doubt = "A session has a start, but no day. It was imported without a time."
        slot.doubts.append(Doubt("start-without-day", doubt, "start", start, kept=True))
        return
    slot.starts = _at(conference_day, since)
    if slot.starts.time() < day_change and since < _DAY:
        slot.starts += _DAY


def _read_date(text: str) -> TimeReading:
    """As `read_time`, and faster for the usual form: thousands of sessions have it."""
    if _USUAL.fullmatch(text):
        try:
            return TimeReading(datetime.fromisoformat(text))
        except ValueError:
            pass
    return read_time(text)


def _compare_ends(slot: Slot, duration: str) -> None:
    """Note if the duration, in none of its readings, leads to the end that the source says."""
    starts, ends = slot.starts, slot.ends
    if starts is None or ends is None or slot.length is None:
        return
    if (starts.tzinfo is None) != (ends.tzinfo is None):
        return
    readings = (read_duration(duration, days_first=each) for each in (False, True))
    if ends - starts not in {found.value for found in readings if found is not None}:
        message = (
            f"The end of the session says “{ends:%H:%M}”, but its duration says “{duration}”. "
            "The end is used."
        )
        slot.doubts.append(Doubt("end-differs", message, "duration", duration, kept=True))


def _day_of(text: str | None) -> date | None:
    found = read_time(text) if text is not None else None
    if found is None:
        return None
    return found.time.date() if found.time is not None else found.day


def _at(day: date, since: timedelta) -> datetime:
    return datetime.combine(day, clock()) + since


def _set_length(slot: Slot, duration: str, *, days_first: bool) -> None:
    found = read_duration(duration, days_first=days_first)
    if found is None:
        doubt = "The duration of a session was not understood; it is kept in `extra`."
        slot.doubts.append(Doubt("invalid-value", doubt, "duration", duration, kept=True))
        return
    slot.length = found.value
    if found.doubt is not None and slot.ends is None:
        message = f"The duration “{duration}” was {found.doubt}."
        slot.doubts.append(Doubt("ambiguous-duration", message, "duration", duration))
