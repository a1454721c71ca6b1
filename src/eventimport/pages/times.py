"""Dates and times as people read them, in the time zone of an event."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, tzinfo

from eventimport.conference.zones import zone

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
EN_DASH = "\N{EN DASH}"


@dataclass(frozen=True, slots=True)
class Moment:
    """A time in an event's zone: `machine` is ISO 8601, `clock` is `09:30`."""

    machine: str
    day: date
    clock: str


@dataclass(frozen=True, slots=True)
class Zone:
    """The time zone of an event, which may be one that this machine does not know: then UTC."""

    name: str
    info: tzinfo

    @classmethod
    def named(cls, name: str) -> "Zone":
        """The zone of an IANA name, or of an offset such as `+05:30`."""
        try:
            return cls(f"UTC{name}" if name[:1] in "+-" else name, zone(name))
        except (KeyError, OSError, ValueError):
            return cls("UTC", UTC)

    def moment(self, time: datetime) -> Moment:
        """The time in this zone."""
        local = self.local(time)
        return Moment(local.isoformat(timespec="minutes"), local.date(), local.strftime("%H:%M"))

    def local(self, time: datetime) -> datetime:
        """The time in this zone; in UTC where the zone's year would leave the calendar."""
        try:
            return time.astimezone(self.info)
        except OverflowError:
            return time

    def offset(self, time: datetime) -> str:
        """What the zone is ahead of UTC at that time, as `UTC+01:00`."""
        offset = self.local(time).strftime("%z")
        return f"UTC{offset[:3]}:{offset[3:5]}" if offset.strip("+-0") else "UTC"


def long_date(day: date) -> str:
    """`Friday, 5 March 2027`."""
    return f"{WEEKDAYS[day.weekday()]}, {day.day} {MONTHS[day.month - 1]} {day.year}"


def span(first: date, last: date | None) -> str:
    """From a day to another, naming month and year once where they are the same."""
    if last is None or last <= first:
        return long_date(first)
    end = f"{last.day} {MONTHS[last.month - 1]} {last.year}"
    if (first.year, first.month) == (last.year, last.month):
        return f"{first.day}{EN_DASH}{end}"
    year = f" {first.year}" if first.year != last.year else ""
    return f"{first.day} {MONTHS[first.month - 1]}{year} {EN_DASH} {end}"
