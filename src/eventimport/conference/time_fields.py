"""The times of records: as a source writes them → in UTC, or kept in `extra` with a finding."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from datetime import time as clock
from typing import Final

from eventimport.conference.conference import Record, place_of, set_aside
from eventimport.conference.kinds import Kind
from eventimport.conference.report import Place, Report
from eventimport.conference.times import TimeReading, in_zone, is_repeated, local_gap, read_time
from eventimport.conference.zones import find_zone, zone

MAX_KNOWN_TIMES: Final = 10_000
MAX_YEARS: Final = 20
"""A time that is further from the event means something else."""

FIRST_YEAR: Final = 1980
LAST_YEAR: Final = 2200
"""An event outside these years has a wrong date, by which other times cannot be judged."""

BOUNDS: Final = ("starts_at", "ends_at", "soft_ends_at")
DAYS_ARE_ENOUGH: Final = frozenset({Kind.EVENT, Kind.SPEAKERS_CALL})
"""Kinds that people know by their days: a date without a time says when they begin and end."""

_NO_TIME: Final = timedelta()


class TimeFields:
    """Reads the times of one source's records. `zone` is what times without an offset are local to,
    and `year` the one in which the event begins."""

    def __init__(self, report: Report) -> None:
        self.zone: tzinfo = UTC
        self.year: int | None = None
        self._report = report
        self._known: dict[str, tuple[datetime, bool]] = {}
        self._without_offset: Counter[str] = Counter()
        self.first_without_offset: str | None = None
        """The field of the first time that has no offset from UTC."""

    def read(self, kind: Kind, record: Record, entry: str, names: Iterable[str]) -> None:
        """Read the times of a record, which are in the fields of these names."""
        local = self.zone
        if kind is Kind.SPEAKERS_CALL and isinstance(record.values.get("timezone"), str):
            local = self._read_zone(record, entry)
        # A programme has few slots, with many sessions in each.
        known = self._known if local is self.zone else {}
        moved = _NO_TIME
        for name in names:
            given = record.values[name]
            if not moved and isinstance(given, str) and given in known:
                record.values[name], has_offset = known[given]
                self._without_offset[entry] += not has_offset
            else:
                moved = self._read_time(kind, record, name, entry, local, moved)

    def restore(self, record: Record, name: str, entry: str) -> None:
        """Read a time as this service exports it."""
        given = record.values[name]
        try:
            time = datetime.fromisoformat(given)
        except (TypeError, ValueError):
            time = None
        if time is None or time.tzinfo is None:
            set_aside(self._report, record, name, entry, "not a time with an offset from UTC")
        else:
            record.values[name] = in_zone(time, self.zone)

    def report_without_offset(self, zone_name: str | None) -> None:
        """Report what the times without an offset were read as, once for each document. `zone_name`
        is the event's time zone, if it is known."""
        for entry, count in self._without_offset.items():
            if not count:
                continue
            times = "time has" if count == 1 else "times have"
            message = (
                f"{count:,} {times} no offset from UTC. Local times of"
                f" “{zone_name or 'UTC'}” were used"
            )
            if zone_name is not None:
                self._report.repair("no-offset", message, Place(entry))
            else:
                message += (
                    ", because the event has no known time zone. "
                    "To read them as local times, set the option `timezone`."
                )
                self._report.warning("no-offset", message, Place(entry))

    def _read_time(  # noqa: PLR0917 - what a time depends on
        self,
        kind: Kind,
        record: Record,
        name: str,
        entry: str,
        local: tzinfo,
        moved: timedelta,
    ) -> timedelta:
        """Read one time; `moved` is by how much the record's start had to be moved, which is
        returned if this is not one."""
        given = record.values[name]
        plain = isinstance(given, str) and not moved and local is self.zone
        found = TimeReading(given) if isinstance(given, datetime) else read_time(given, local)
        time = found.time
        if time is None and found.day is not None and kind in DAYS_ARE_ENOUGH and name in BOUNDS:
            time = self._whole_day(record, name, found.day, entry)
        if time is None:
            problem = found.problem or "not a date and time"
            code = "date-without-time" if found.day is not None else "invalid-value"
            set_aside(self._report, record, name, entry, problem, code)
            return moved
        has_offset = time.tzinfo is not None
        place = place_of(record, entry, name)
        is_clean = not found.repaired and not found.doubt
        if has_offset:
            read = in_zone(time, local)
        else:
            self._without_offset[entry] += 1
            self.first_without_offset = self.first_without_offset or name
            change = _change_of(time, local, moved if name == "ends_at" else _NO_TIME)
            if change is not None:
                is_clean = False
                self._report.warning(change.code, change.message, place, given)
                if name == "starts_at":
                    moved = change.shift or moved
            read = in_zone(time + change.shift if change is not None else time, local)
        if self._is_far(kind, name, read):
            why = f"more than {MAX_YEARS} years from the event"
            set_aside(self._report, record, name, entry, why, "time-far-away")
            return moved
        record.values[name] = read
        if found.doubt:
            message = f"The time was read as “{_shown(time)}”: {found.doubt}."
            self._report.warning("time", message, place, given)
        elif found.repaired:
            self._report.repair("time", f"The time was read as “{_shown(time)}”.", place, given)
        if plain and is_clean and len(self._known) < MAX_KNOWN_TIMES:
            self._known[given] = read, has_offset
        if kind is Kind.EVENT and name == "starts_at" and FIRST_YEAR < read.year < LAST_YEAR:
            self.year = read.year
        return moved

    def _whole_day(self, record: Record, name: str, day: date, entry: str) -> datetime:
        """The beginning of a day, or its last minute if something ends on it."""
        at = clock(23, 59) if name.endswith("ends_at") else clock(0)
        message = f"The date has no time. It was read as {at:%H:%M} on that day."
        given = record.values[name]
        self._report.warning("date-without-time", message, place_of(record, entry, name), given)
        return datetime.combine(day, at)

    def _is_far(self, kind: Kind, name: str, time: datetime) -> bool:
        """Whether a time is so far from the event that it must mean something else."""
        if self.year is None or (kind is Kind.EVENT and name == "starts_at"):
            return False
        return abs(time.year - self.year) > MAX_YEARS

    def _read_zone(self, record: Record, entry: str) -> tzinfo:
        given = record.values["timezone"]
        found = find_zone(given)
        if found is None:
            set_aside(self._report, record, "timezone", entry, "an unknown time zone")
            return self.zone
        if found.name != given:
            record.values["timezone"] = found.name
            message = f"The time zone was read as “{found.name}”"
            self._report.repair("timezone", message, place_of(record, entry, "timezone"), given)
        return zone(found.name)


@dataclass(frozen=True, slots=True)
class _Change:
    """What a change of the clocks means for a local time: a finding, and by how much the time is
    moved."""

    code: str
    message: str
    shift: timedelta = _NO_TIME


def _change_of(time: datetime, local: tzinfo, moved: timedelta) -> _Change | None:
    """What changes of the clocks mean for a local time, whose start was moved by `moved`."""
    if gap := local_gap(time, local):
        message = (
            f"“{time:%Y-%m-%d %H:%M}” does not exist in the time zone, because the clocks change. "
            f"The time was moved by {_hours(gap)}."
        )
        return _Change("time-skipped", message, gap)
    if moved:
        message = f"The end was moved by {_hours(moved)}, together with the start."
        return _Change("time-skipped", message, moved)
    if is_repeated(time, local):
        message = (
            f"“{time:%Y-%m-%d %H:%M}” occurs twice in the time zone, because the clocks change. "
            "The first of the two times is used."
        )
        return _Change("time-repeated", message)
    return None


def _hours(delta: timedelta) -> str:
    minutes = int(delta.total_seconds()) // 60
    if minutes == 60:
        return "an hour"
    return f"{minutes} minutes" if minutes % 60 else f"{minutes // 60} hours"


def _shown(time: datetime) -> str:
    offset = time.strftime("%z")
    shown = f"{time:%Y-%m-%d %H:%M}"
    return f"{shown} {offset[:3]}:{offset[3:5]}" if offset else shown
