"""Who speaks, by the attendees and organizers that a calendar names.

A calendar of invitations names its guests in the same way as a programme names its speakers. Guests
are not speakers. No e-mail address ends in anything that is public.
"""

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from eventimport.conference.values import is_remote
from eventimport.formats.ical.components import Component, Property
from eventimport.formats.schedules.schedule import Person

_MAILTO: Final = re.compile(r"(?:mailto:)?\s*([^\s@<>:;,]{1,100}@[\w.\-]{1,200})", re.IGNORECASE)
_ADDRESS: Final = re.compile(
    r"(?<![^\s@<>()\"',;:])(?:mailto:\s*)?[^\s@<>()\"',;:]{1,100}@[\w\-]+(?:\.[\w\-]+)+",
    re.IGNORECASE,
)
_INVITATIONS: Final = frozenset({"REQUEST", "REPLY", "COUNTER", "CANCEL", "ADD", "REFRESH"})
_PEOPLE: Final = frozenset({"", "INDIVIDUAL", "UNKNOWN"})
_NOBODY: Final = "invalid:nomail"

HIDDEN: Final = "(e-mail address)"
"""What stands in the place of an address."""


@dataclass(slots=True)
class Persons:
    """The persons of all calendars of a file. `owner` is the only organizer of all events, if
    attendees speak there or there is only this one; `owner_email` is its address."""

    owner: str | None = None
    owner_email: str | None = None
    names: set[str] = field(default_factory=set)
    """Names of all speakers."""
    hidden: int = 0
    """Addresses that were left out."""
    _are_guests: bool = False
    _organizers_speak: bool = False
    _shared: set[str] = field(default_factory=set)
    """Addresses that several persons have: they belong to no single person."""

    @classmethod
    def of(cls, events: Iterable[Component], method: str) -> "Persons":
        """Find out what attendees and organizers are."""
        found = cls(_are_guests=method.upper() in _INVITATIONS)
        by_address: dict[str, set[str]] = defaultdict(set)
        organizers: dict[str, str | None] = {}
        attending = False
        for event in events:
            for each in event.properties:
                if each.name not in {"ATTENDEE", "ORGANIZER"}:
                    continue
                name, address = name_of(each), address_of(each)
                if address and name:
                    by_address[address].add(name)
                if each.name == "ORGANIZER":
                    organizers.setdefault(name, address)
                elif found.speaks(each):
                    attending = True
                    found.names.add(name)
        found._shared = {each for each, names in by_address.items() if len(names) > 1}
        found._organizers_speak = not attending and len(organizers) > 1
        if found._organizers_speak:
            found.names.update(filter(None, organizers))
            addresses = set(organizers.values())
        else:
            addresses = set(organizers.values())
            found.owner = next(iter(organizers)) if len(organizers) == 1 else None
        if len(addresses) == 1:
            found.owner_email = addresses.pop()
        return found

    def speaks(self, attendee: Property) -> bool:
        """Whether an attendee is a speaker, rather than a guest, a group or a room."""
        if not name_of(attendee) or self._are_guests or "PARTSTAT" in attendee.params:
            return False
        return attendee.params.get("CUTYPE", "").upper() in _PEOPLE

    def read(self, event: Component) -> tuple[list[Person], dict[str, list[str]]]:
        """The speakers of an event, and what else it says of people, for `extra`."""
        speakers: list[Person] = []
        others: dict[str, list[str]] = {}
        for each in event.properties:
            if each.name == "ATTENDEE":
                is_speaker = self.speaks(each)
            elif each.name == "ORGANIZER":
                is_speaker = self._organizers_speak and bool(name_of(each))
            else:
                continue
            if is_speaker:
                speakers.append(self._speaker(each))
            elif each.name == "ORGANIZER" and name_of(each) == self.owner:
                self.hidden += address_of(each) not in {None, self.owner_email}
            else:
                self.hidden += address_of(each) is not None
                name = self.without_addresses(name_of(each)) or HIDDEN
                others.setdefault(each.name.lower(), []).append(name)
        return speakers, others

    def _speaker(self, found: Property) -> Person:
        person = Person(name=name_of(found))
        address, value = address_of(found), found.value.strip()
        if address is not None:
            if address not in self._shared | {self.owner_email}:
                person.fields["email"] = address
            else:
                self.hidden += address != self.owner_email
        elif is_remote(value):
            person.fields["website"] = value
        elif value.casefold() not in {"", _NOBODY} and value != person.name:
            person.extra[found.name.lower()] = self.without_addresses(value)
        return person

    def without_addresses(self, text: str) -> str:
        """A text in which no e-mail address is."""
        if "@" not in text:
            return text
        text, count = _ADDRESS.subn(HIDDEN, text)
        self.hidden += count
        return text


def name_of(found: Property) -> str:
    """The name of an attendee or organizer; empty if it has only an address."""
    name = " ".join(found.params.get("CN", "").split())
    if name or address_of(found) is not None or found.value.strip().casefold() == _NOBODY:
        return name
    return "" if ":" in found.value else found.text


def address_of(found: Property) -> str | None:
    """The e-mail address of an attendee or organizer."""
    match = _MAILTO.fullmatch(found.value.strip())
    return match[1] if match else None
