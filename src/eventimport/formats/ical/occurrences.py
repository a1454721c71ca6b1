"""When the events of a calendar happen: their times, and each time of those that recur."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any, Final

from eventimport.conference.report import Place, Report, shortened
from eventimport.conference.times import is_repeated, local_gap
from eventimport.conference.zones import find_zone, zone
from eventimport.formats.ical.components import Component
from eventimport.formats.ical.moments import Moment, Reading, Zones, read_duration
from eventimport.formats.ical.recurrence import (
    Instance,
    Series,
    Timed,
    TooManyInstancesError,
    expand,
)
from eventimport.formats.ical.rules import read_rule
from eventimport.formats.limits import ArchiveError
from eventimport.formats.schedules.slots import Doubt, Slot
from eventimport.formats.source import Source

MAX_RULES: Final = 20
"""Rules of one session."""


@dataclass(slots=True)
class Event:
    """An event of the calendar: the component, when it happens, and what of its times could not be
    read, by the properties' names."""

    component: Component
    timed: Timed | None
    zone_name: str | None = None
    length: str = ""
    """What the event says of its duration beside its end."""
    doubts: list[Doubt] = field(default_factory=list)

    @property
    def uid(self) -> str:
        return self.component.text("UID")


class Occurrences:
    """Finds out when the events of a calendar happen. `zones` are the calendar's."""

    def __init__(self, source: Source, report: Report, entry: str, zones: Zones) -> None:
        self._source = source
        self._report = report
        self._entry = entry
        self._zones = zones
        self._instances = 0

    def timed(self, component: Component) -> Event:
        """An event with its times, as far as they can be read."""
        self._source.check()
        event = Event(component, None)
        zone_name = component.text("TZID") or None
        start = self._moment(event, "DTSTART", zone_name)
        if start is None:
            return event
        event.zone_name = start.zone_name
        timed = event.timed = Timed(start=start.moment)
        end = self._moment(event, "DTEND", zone_name)
        if end is not None:
            timed.end = end.moment
            event.length = component.text("DURATION")
        elif (found := component.first("DURATION")) is not None:
            length = read_duration(found.value)
            if length is None:
                event.doubts.append(_doubt("DURATION", found.value))
            else:
                timed.end = _after(timed.start, length)
        self._read_recurrence(event, timed, zone_name)
        return event

    def _moment(self, event: Event, name: str, zone_name: str | None) -> Reading | None:
        found = event.component.first(name)
        if found is None:
            return None
        reading = self._zones.read(found, zone_name)
        if reading is None:
            event.doubts.append(_doubt(name, found.value))
        return reading

    def _read_recurrence(self, event: Event, timed: Timed, zone_name: str | None) -> None:
        component = event.component
        for found in component.all("RRULE"):
            rule = read_rule(found.value)
            if rule is not None and len(timed.rules) < MAX_RULES:
                timed.rules.append(rule)
                continue
            message = (
                "The rule by which a session recurs is not supported. The session was imported "
                "once, and the rule is kept in `extra`."
            )
            place = Place(self._entry, field="rrule", line=found.line)
            self._report.warning("recurrence", message, place, found.value)
        for name, moments in (("RDATE", timed.dates), ("EXDATE", timed.without)):
            for found in component.all(name):
                for text in found.value.split(","):
                    reading = self._zones.read_text(
                        text.partition("/")[0], found.params.get("TZID") or zone_name
                    )
                    if reading is None:
                        event.doubts.append(_doubt(name, text))
                    else:
                        moments.append(reading.moment)
            if len(moments) > self._source.limits.max_instances:
                raise self._too_many(component)
        replaces = component.first("RECURRENCE-ID")
        if replaces is not None:
            reading = self._zones.read(replaces, zone_name)
            timed.replaces = reading.moment if reading is not None else None
            timed.and_future = replaces.params.get("RANGE", "").upper() == "THISANDFUTURE"
        sequence = component.text("SEQUENCE")
        timed.sequence = int(sequence) if sequence.isdecimal() and len(sequence) < 9 else 0

    def of(
        self, events: Sequence[Event], named_zone: str | None
    ) -> Iterator[tuple[Event, Instance | None]]:
        """Each time that an event happens, in the order of the events. `named_zone` is the
        calendar's time zone, in which times without one recur."""
        changes: dict[str, list[Event]] = defaultdict(list)
        series: dict[str, Event] = {}
        for event in events:
            if event.timed is not None and event.uid:
                if event.timed.replaces is not None:
                    changes[event.uid].append(event)
                elif event.timed.rules or event.timed.dates:
                    series.setdefault(event.uid, event)
        for event in events:
            self._source.check()
            if event.timed is None:
                yield event, None
            elif event.timed.rules or event.timed.dates:
                is_first = series.get(event.uid, event) is event
                replacing = changes.get(event.uid, []) if is_first else []
                yield from self._expanded([event, *replacing], named_zone)
            elif event.timed.replaces is None or event.uid not in series:
                yield event, None

    def _expanded(
        self, events: list[Event], named_zone: str | None
    ) -> Iterator[tuple[Event, Instance | None]]:
        component = events[0].component
        limit = self._source.limits.max_instances - self._instances
        if len(events) > limit:
            raise self._too_many(component)
        found = find_zone(named_zone) if named_zone else None
        timed = [event.timed for event in events if event.timed is not None]
        try:
            series = expand(timed, zone(found.name) if found is not None else None, limit)
        except TooManyInstancesError:
            raise self._too_many(component) from None
        except ValueError:
            message = (
                "The times at which a session recurs contradict each other. It was imported once "
                "for each event of the calendar; its rules are kept in `extra`."
            )
            place = place_in(self._entry, component, "rrule")
            self._report.warning("recurrence", message, place)
            yield from ((event, None) for event in events)
            return
        self._instances += max(1, len(series.instances))
        self._report_series(component, series)
        for instance in series.instances:
            yield events[instance.index], instance

    def _report_series(self, component: Component, series: Series) -> None:
        title = shortened(component.text("SUMMARY"))
        count = len(series.instances)
        if series.is_cut:
            message = (
                f"The session “{title}” recurs without an end, or for years. Its first {count} "
                "times were imported."
            )
            self._report.warning("recurrence", message, place_in(self._entry, component, "rrule"))
        elif count:
            message = f"The session “{title}” recurs: it was imported as {count} sessions."
            self._report.repair("recurrence", message, place_in(self._entry, component, "rrule"))
        else:
            message = f"The session “{title}” recurs, but none of its times remains."
            self._report.warning("recurrence", message, place_in(self._entry, component, "rrule"))

    def _too_many(self, component: Component) -> ArchiveError:
        most = self._source.limits.max_instances
        message = (
            f"Sessions recur more than {most:,} times in the calendar. The limit is set by "
            "MAX_INSTANCES. Export the calendar without rules, or set an end in each rule."
        )
        return ArchiveError(
            "too-many-instances", message, place_in(self._entry, component, "rrule")
        )

    def slot(self, event: Event, instance: Instance | None, extra: dict[str, Any]) -> Slot:
        """When a session is: one time that its event happens, or all that the event says. An event
        of whole days gets `all_day` in `extra`."""
        slot = Slot(doubts=list(event.doubts))
        if event.timed is None:
            if not event.doubts:
                message = "A session has no start. It was imported without a time."
                where = place_in(self._entry, event.component, "dtstart")
                self._report.warning("no-start", message, where)
            return slot
        start, end = event.timed.start, event.timed.end
        if instance is not None:
            start, end = instance.start, instance.end if end is not None else None
        if not isinstance(start, datetime):
            extra["all_day"] = True
            last = end if end is not None and _day(end) > start else start + timedelta(days=1)
            slot.starts = datetime.combine(start, time())
            slot.ends = datetime.combine(_day(last), time())
            return slot
        slot.starts = _with_offset(start)
        if end is not None:
            slot.ends = _with_offset(
                end if isinstance(end, datetime) else datetime.combine(end, time())
            )
        self._check_clock(start, event.component)
        return slot

    def _check_clock(self, start: datetime, component: Component) -> None:
        """Report a local time that the clocks of its zone skip, or show twice."""
        there = start.tzinfo
        if there is None or there == zone("UTC"):
            return
        local = start.replace(tzinfo=None)
        if gap := local_gap(local, there):
            message = (
                f"“{local:%Y-%m-%d %H:%M}” does not exist in the time zone, because the clocks "
                f"change. It was moved by {int(gap.total_seconds() // 60)} minutes."
            )
            self._report.warning(
                "time-skipped", message, place_in(self._entry, component, "dtstart")
            )
        elif is_repeated(local, there):
            message = (
                f"“{local:%Y-%m-%d %H:%M}” occurs twice in the time zone, because the clocks "
                "change. The first is used."
            )
            self._report.warning(
                "time-repeated", message, place_in(self._entry, component, "dtstart")
            )


def place_in(entry: str, component: Component, name: str) -> Place:
    """The place of a property of a session."""
    title = component.text("SUMMARY") or None
    return Place(entry, field=name, line=component.line, title=title)


def _doubt(name: str, value: str) -> Doubt:
    message = f"“{name}” of a session was not understood; it is kept in `extra`."
    return Doubt("invalid-value", message, name.lower(), value, kept=True)


def _after(start: Moment, length: timedelta) -> Moment | None:
    """The moment this long after a start: by the clock for days, and in fact for hours."""
    days = timedelta(days=length.days)
    try:
        if not isinstance(start, datetime):
            return start + days if days else None
        end = start + days
        rest = length - days
        if start.tzinfo is None or not rest:
            return end + rest
        utc = zone("UTC")
        return (end.astimezone(utc) + rest).astimezone(start.tzinfo)
    except OverflowError:
        return None


def _with_offset(moment: datetime) -> datetime:
    """The moment with a fixed offset, if it has a zone."""
    return datetime.fromisoformat(moment.isoformat()) if moment.tzinfo is not None else moment


def _day(moment: Moment) -> date:
    return moment.date() if isinstance(moment, datetime) else moment
