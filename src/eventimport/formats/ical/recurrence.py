"""What recurs → each time that it happens."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta, tzinfo
from typing import Any, Final

import recurring_ical_events
from icalendar import Calendar, Event
from icalendar.prop import vRecur
from x_wr_timezone import UTCChangingWalker

from eventimport.formats.ical.moments import Moment
from eventimport.formats.ical.rules import Rule

ENDLESS: Final = timedelta(days=60)
"""How much is imported of a rule that has no end."""

MOST: Final = timedelta(days=2 * 366)
"""How much is imported of a rule that has one: longer than any programme."""

_ERRORS: Final = (ValueError, TypeError, LookupError, ArithmeticError, AttributeError)
_INDEX: Final = "X-INDEX"


class TooManyInstancesError(Exception):
    """A series happens more often than it may."""


@dataclass(slots=True, kw_only=True)
class Timed:
    """When a component of a calendar happens. `replaces` is the moment of the series that it stands
    in place of, and `and_future` says that it stands for all later ones, too."""

    start: Moment
    end: Moment | None = None
    rules: list[Rule] = field(default_factory=list)
    dates: list[Moment] = field(default_factory=list)
    without: list[Moment] = field(default_factory=list)
    replaces: Moment | None = None
    and_future: bool = False
    sequence: int = 0


@dataclass(frozen=True, slots=True)
class Instance:
    """A time that a series happens, by the component with this index."""

    index: int
    start: Moment
    end: Moment | None


@dataclass(frozen=True, slots=True)
class Series:
    """The instances of a series in order. `is_cut` says that it goes on after the last of them."""

    instances: list[Instance]
    is_cut: bool = False


def expand(components: Sequence[Timed], local: tzinfo | None, limit: int) -> Series:
    """Expand the first component, which others may replace at times. `local` is the zone that
    moments in UTC are meant to be in: an hour of the day stays the same there when clocks change.

    Raises TooManyInstancesError if there are more than `limit`, and ValueError if the components
    contradict each other.
    """
    master = components[0]
    try:
        calendar = Calendar()
        for index, timed in enumerate(components):
            calendar.add_component(_event(index, timed, _localizer(local)))
        query = recurring_ical_events.of(calendar)
        return _instances(master, query, limit)
    except _ERRORS as error:
        raise ValueError("a series that cannot be expanded") from error


Localize = Callable[[Any], Any]
"""Moves a moment from UTC to the zone that it is meant to be in."""


def _localizer(local: tzinfo | None) -> Localize:
    return (lambda moment: moment) if local is None else UTCChangingWalker(local).walk_value


def _event(index: int, timed: Timed, localize: Localize) -> Event:
    event = Event()
    event.add("uid", "series")
    event.add("dtstart", localize(timed.start))
    if timed.end is not None:
        event.add("dtend", localize(timed.end))
    event.add("sequence", timed.sequence)
    event.add(_INDEX, str(index))
    for rule in timed.rules:
        event.add("rrule", vRecur.from_ical(rule.text))
    for name, moments in (("rdate", timed.dates), ("exdate", timed.without)):
        if moments:
            event.add(name, [localize(moment) for moment in moments])
    if timed.replaces is not None:
        parameters = {"RANGE": "THISANDFUTURE"} if timed.and_future else {}
        event.add("recurrence-id", localize(timed.replaces), parameters=parameters)
    return event


def _instances(master: Timed, query: Any, limit: int) -> Series:
    is_endless = any(rule.is_endless for rule in master.rules)
    first = _midnight(master.start)
    last = first + (ENDLESS if is_endless else MOST)
    seen: dict[tuple[int, str], Instance] = {}
    in_day = max(
        (min(rule.most_in_day, rule.count or limit + 1) for rule in master.rules), default=1
    )
    if in_day > limit:
        # A day of it is more than enough.
        raise TooManyInstancesError
    step = timedelta(days=max(1, limit // in_day))
    for begin in _steps(first, last, step):
        for found in query.between(begin, min(begin + step, last)):
            start, end = found["DTSTART"].dt, found.get("DTEND")
            instance = Instance(int(found[_INDEX]), start, end.dt if end is not None else None)
            seen.setdefault((instance.index, str(start)), instance)
        if len(seen) > limit:
            raise TooManyInstancesError
    ordered = sorted(seen.values(), key=lambda each: str(each.start))
    is_cut = is_endless or bool(query.between(last, last + ENDLESS))
    return Series(ordered, is_cut)


def _steps(first: datetime, last: datetime, step: timedelta) -> Iterator[datetime]:
    while first < last:
        yield first
        first += step


def _midnight(moment: Moment) -> datetime:
    """The midnight before, without a time zone: the library compares it in that of the series."""
    day = moment.date() if isinstance(moment, datetime) else moment
    return datetime.combine(day - timedelta(days=1), time())
