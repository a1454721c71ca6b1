"""Days, times and durations as people write them into tables."""

import re
from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from typing import Final

from eventimport.conference.lengths import read_length
from eventimport.conference.times import is_plausible, read_time
from eventimport.formats.schedules.slots import Doubt, Slot, read_clock, read_duration
from eventimport.formats.table.sheets import Cell

_NUMBERS: Final = re.compile(r"(\d{1,2})([./-])(\d{1,2})\2(\d{4}|\d{2})(?:,?\s+(\S.*))?")
_CLOCK: Final = re.compile(
    r"(\d{1,2})(?:[:.h](\d{2})|(\d{2}))?(?::\d{2})?\s*(?:uhr|h)?\s*(?:([ap])\.?m\.?)?",
    re.IGNORECASE,
)
_WEEKDAY: Final = re.compile(r"[^\W\d_]{2,12}\.?,?\s+(?=\d)")
_DAY: Final = timedelta(days=1)


class Order:
    """Whether the day or the month comes first in dates such as 05/03/2027: what the dates of a
    table show together. With points, the day does."""

    def __init__(self, texts: Iterable[Cell]) -> None:
        self.is_month_first: bool | None = None
        first = second = 0
        for text in texts:
            found = _NUMBERS.match(text.strip()) if isinstance(text, str) else None
            if found is not None and found[2] != ".":
                first, second = max(first, int(found[1])), max(second, int(found[3]))
        if (first > 12) != (second > 12):
            self.is_month_first = second > 12

    def read(self, text: str) -> tuple[date | None, str | None]:
        """The day that a text begins with, and what follows it: a time. None if it begins with
        none, or with one of two meanings."""
        found = _NUMBERS.fullmatch(_WEEKDAY.sub("", text.strip(), count=1))
        if found is None:
            return None, None
        is_month_first = False if found[2] == "." else self.is_month_first
        if is_month_first is None and found[1] != found[3]:
            return None, None
        day, month = int(found[1]), int(found[3])
        if is_month_first:
            day, month = month, day
        year = int(found[4]) + (2000 if len(found[4]) == 2 else 0)
        try:
            read = date(year, month, day)
        except ValueError:
            return None, None
        return (read, found[5]) if is_plausible(read) else (None, None)


def slot_of(
    *,
    day: Cell,
    start: Cell,
    end_day: Cell = None,
    end: Cell,
    duration: Cell,
    order: Order,
    last_day: date | None,
) -> tuple[Slot, date | None]:
    """The slot of a session by the cells of its row, and its day. `last_day` is that of the row
    above: it counts for rows that have a start, but no day."""
    slot = Slot()
    found = _day_of(day, order, slot)
    starts = _moment(start, found or last_day, order)
    if starts is None and start not in (None, ""):
        _doubt(slot, "start", start, needs_day=_clock_of(start) is not None)
    elif starts is None and isinstance(day, (str, datetime)) and found is not None:
        # A column of days that has times, too.
        starts = _moment(day, None, order)
    slot.starts = starts
    last = _day_of(end_day, order, slot, "end_date")
    if end in (None, "") and end_day not in (None, ""):
        # A column of days that may have times, too.
        end = end_day
    ends = _moment(end, last or (starts.date() if starts is not None else found), order)
    if ends is None and end not in (None, ""):
        _doubt(slot, "end", end, needs_day=_clock_of(end) is not None)
    if ends is not None and starts is not None and (ends.tzinfo is None) != (starts.tzinfo is None):
        ends = ends.replace(tzinfo=starts.tzinfo)
    is_clock = last is None and _clock_of(end) is not None
    if ends is not None and starts is not None and is_clock and ends < starts:
        # Nights end on the day after.
        ends += _DAY
    slot.ends = ends
    _read_duration(slot, duration)
    return slot, found or (starts.date() if starts is not None else last_day)


def _day_of(cell: Cell, order: Order, slot: Slot, field: str = "date") -> date | None:
    if isinstance(cell, datetime):
        return cell.date()
    if isinstance(cell, date):
        return cell
    if not isinstance(cell, str) or not cell.strip():
        return None
    found, _ = order.read(cell)
    if found is None:
        reading = read_time(cell)
        found = reading.time.date() if reading.time is not None else reading.day
    if found is None:
        message = (
            "The day of a session was not understood, or the order of day and month is unknown; "
            "it is kept in `extra`."
        )
        slot.doubts.append(Doubt("invalid-value", message, field, cell, kept=True))
    return found


def _moment(cell: Cell, day: date | None, order: Order) -> datetime | None:
    """A cell as a time: a whole one, or a clock on a day."""
    if isinstance(cell, datetime):
        return cell
    if isinstance(cell, str) and cell.strip():
        found, rest = order.read(cell)
        if found is not None:
            return _at(found, _clock_of(rest)) if rest is not None else None
        reading = read_time(cell)
        if reading.time is not None:
            return reading.time
    since = _clock_of(cell)
    return _at(day, since) if day is not None else None


def _at(day: date, since: timedelta | None) -> datetime | None:
    return datetime.combine(day, time()) + since if since is not None else None


def _clock_of(cell: Cell) -> timedelta | None:
    """A cell as the time since midnight; None if it is not a time of the day."""
    if isinstance(cell, time):
        return timedelta(hours=cell.hour, minutes=cell.minute, seconds=cell.second)
    if isinstance(cell, timedelta):
        return cell if timedelta() <= cell < 2 * _DAY else None
    if isinstance(cell, float) and 0 <= cell < 1:
        # Spreadsheets count in days.
        return timedelta(minutes=round(cell * 24 * 60))
    if isinstance(cell, (int, float)) and not isinstance(cell, bool):
        cell = str(int(cell)) if cell == int(cell) else ""
    return _clock_in(cell.strip()) if isinstance(cell, str) else None


def _clock_in(text: str) -> timedelta | None:
    found = _CLOCK.fullmatch(text)
    if found is None:
        return read_clock(text)
    hour, minute, half = int(found[1]), int(found[2] or found[3] or 0), found[4]
    if text.isdecimal() and found[3] is None:
        # “10” may be anything.
        return None
    if half is not None:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if half in "pP" else 0)
    return timedelta(hours=hour, minutes=minute) if minute < 60 and hour < 24 else read_clock(text)


def _read_duration(slot: Slot, cell: Cell) -> None:
    if cell in (None, ""):
        return
    length: timedelta | None = None
    if isinstance(cell, timedelta):
        length = cell
    elif isinstance(cell, time):
        length = _clock_of(cell)
    elif isinstance(cell, float) and 0 < cell < 1:
        length = timedelta(minutes=round(cell * 24 * 60))
    elif isinstance(cell, (int, float, str)) and not isinstance(cell, bool):
        length = _length_of(
            str(int(cell)) if isinstance(cell, float) and cell == int(cell) else str(cell)
        )
    if length is None or length < timedelta():
        message = "The duration of a session was not understood; it is kept in `extra`."
        slot.doubts.append(Doubt("invalid-value", message, "duration", str(cell), kept=True))
        return
    slot.length = length
    if slot.starts is not None and slot.ends is not None and slot.ends - slot.starts != length:
        message = (
            f"The session ends at “{slot.ends:%H:%M}” by its end, which is used, but its duration "
            f"is “{cell}”."
        )
        slot.doubts.append(Doubt("end-differs", message, "duration", str(cell), kept=True))


def _length_of(text: str) -> timedelta | None:
    """A duration; a whole number is minutes."""
    if text.strip().isdecimal():
        return timedelta(minutes=int(text)) if len(text.strip()) <= 4 else None
    found = read_duration(text)
    if found is not None and found.doubt is None:
        return found.value
    reading = read_length(text)
    if reading is None:
        return None
    hours, _, minutes = reading.text.partition(":")
    return timedelta(hours=int(hours), minutes=int(minutes))


def _doubt(slot: Slot, field: str, cell: Cell, *, needs_day: bool) -> None:
    if needs_day:
        message = f"A session has a time in the column of its {field}, but no day."
        code = "start-without-day" if field == "start" else "invalid-value"
    else:
        message = f"The {field} of a session is not a time."
        code = "invalid-value"
    message = f"{message} It is kept in `extra`."
    slot.doubts.append(Doubt(code, message, field, str(cell), kept=True))
