"""What calendars of known programs mean, which iCalendar itself does not say."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from eventimport.formats.schedules.flavours import Flavour
from eventimport.formats.schedules.producers import MARKDOWN_MARK

NO_ROOM: Final = "X-NO-ROOM"
"""The parameter by which our own exports say that a location is not a room."""

Split = Callable[[str], tuple[str, str]]
"""Splits a location into the room and what else it says."""


def _whole(location: str) -> tuple[str, str]:
    return location, ""


def _up_to_comma(location: str) -> tuple[str, str]:
    room, _, rest = location.partition(",")
    return room.strip(), rest.strip()


def _up_to_bracket(location: str) -> tuple[str, str]:
    room, bracket, rest = location.partition(" (")
    if not bracket or not rest.endswith(")"):
        return location, ""
    return room.strip(), rest[:-1].strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """How a program writes. `in_utc` says that its calendars name UTC, whatever the event's zone
    is; `with_speakers` that titles end with the names of speakers, as in “Title - Ann, Bea”."""

    flavour: Flavour = Flavour.PLAIN
    is_escaped: bool = True
    split_location: Split = _whole
    in_utc: bool = False
    with_speakers: bool = False


_DIALECTS: Final = {
    "sched.com": Dialect(flavour=Flavour.HTML, split_location=_up_to_comma, in_utc=True),
    "pretalx": Dialect(flavour=Flavour.MARKDOWN, with_speakers=True),
    "pentabarf": Dialect(flavour=Flavour.HTML, is_escaped=False),
    "indico": Dialect(split_location=_up_to_bracket),
    "ri_cal": Dialect(with_speakers=True),
}
"""By what is in the calendar's PRODID. frab writes its calendars with ri_cal."""


def dialect_of(producer: str) -> Dialect:
    """The dialect of the program that calls itself so."""
    known = producer.casefold()
    if MARKDOWN_MARK in known:
        return Dialect(flavour=Flavour.MARKDOWN)
    return next((each for name, each in _DIALECTS.items() if name in known), Dialect())
