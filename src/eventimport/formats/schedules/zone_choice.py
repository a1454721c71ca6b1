"""Which time zone a schedule is in, and what happens to local times if nothing says it.

The first that exists counts: what the user says, what the source names, the zones that its times
name, and zones whose offsets are those of all times. Local times are never guessed to be in UTC.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from eventimport.conference.times import in_zone
from eventimport.conference.zones import find_zone, zone

OPTION: Final = "timezone"
"""The option in which a user says the zone."""

LIKELY: Final = ("Europe/Berlin", "Europe/London", "America/New_York", "Asia/Kolkata")
"""Zones that an explanation shows times in, besides those that the source's places suggest."""

_WELL_KNOWN: Final = (
    *("Europe/Berlin", "Europe/London", "Europe/Athens", "America/New_York", "America/Chicago"),
    *("America/Denver", "America/Los_Angeles", "America/Sao_Paulo", "Asia/Kolkata", "Asia/Tokyo"),
    *("Asia/Shanghai", "Asia/Singapore", "Australia/Sydney", "Pacific/Auckland", "Africa/Nairobi"),
)
"""Zones that are tried for offsets that change during a conference, by the people in them."""


@dataclass(frozen=True, slots=True)
class ZoneChoice:
    """`name` is a zone's name or an offset; None if local times need one and nothing says it. A
    `doubt` says how it was found, if that is uncertain."""

    name: str | None
    doubt: str | None = None


def choose_zone(
    times: Iterable[datetime],
    *,
    by_user: str | None,
    named: str | None,
    of_times: Sequence[str] = (),
) -> ZoneChoice:
    """Choose the zone of a schedule. `named` is what the source as a whole names, `of_times` the
    zones that single times name. The user's must be a known zone; an unknown name of the source
    does not count."""
    if by_user is not None:
        return ZoneChoice(by_user)
    for name in (named, *(each for each, _ in Counter(of_times).most_common())):
        if name and find_zone(name) is not None:
            return ZoneChoice(name)
    times = list(times)
    has_local = any(time.tzinfo is None for time in times)
    found = _by_offsets([time for time in times if time.tzinfo is not None])
    if found is not None:
        return found
    return ZoneChoice(None) if has_local else ZoneChoice("UTC", _as_utc(times))


def without_zone(first: datetime | None, places: Iterable[str] = ()) -> str:
    """Explain that local times need a zone. Show what the first of them would be in UTC under the
    zones that are likely, those of the source's places first."""
    message = (
        "The times have no time zone, and the file names none, so they cannot be imported. "
        f"Set the option `{OPTION}`, for example to “Europe/Berlin”."
    )
    if first is None:
        return message
    suggested = [found.name for place in places if place and (found := find_zone(place))]
    shown = [
        f"{in_zone(first, zone(name)):%H:%M} UTC if it is “{name}”"
        for name in dict.fromkeys([*suggested, *LIKELY])
    ]
    return f"{message} The first time, {first:%Y-%m-%d %H:%M}, is {', '.join(shown)}."


def _by_offsets(times: Sequence[datetime]) -> ZoneChoice | None:
    """The zone that fits the offsets of all times; None if no offset says more than UTC."""
    offsets = {time.utcoffset() for time in times}
    if not offsets or offsets == {timedelta()}:
        return None
    if len(offsets) == 1:
        name = f"{times[0]:%z}"
        name = f"{name[:3]}:{name[3:5]}"
        doubt = (
            f"The file names no time zone; “{name}”, the offset of all times, is used. "
            f"Set the option `{OPTION}`."
        )
        return ZoneChoice(name, doubt)
    by_hour = {time.astimezone(UTC).replace(minute=0): time for time in times}.values()
    for name in _WELL_KNOWN:
        here = zone(name)
        if all(time.astimezone(here).utcoffset() == time.utcoffset() for time in by_hour):
            doubt = (
                f"The file names no time zone; “{name}” is used, because it has the offsets of all "
                f"times. Others may have them, too. If it is wrong, set the option `{OPTION}`."
            )
            return ZoneChoice(name, doubt)
    return None


def _as_utc(times: Sequence[datetime]) -> str:
    reason = ""
    if times:
        is_utc = {time.utcoffset() for time in times} == {timedelta()}
        reason = ", and its times are in UTC" if is_utc else ", and no known one fits its times"
    return f"The file names no time zone{reason}; UTC is used. Set the option `{OPTION}`."
