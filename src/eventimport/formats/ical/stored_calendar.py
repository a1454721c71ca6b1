"""A stored conference as calendars say it: what iCalendar and xCal have in common.

A calendar has one text for each event. The abstract and the description are both in it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from eventimport.conference.kinds import Kind
from eventimport.formats.format import WriteOptions
from eventimport.formats.schedules.addresses import http_address
from eventimport.formats.schedules.flavours import Flavour, plain_of
from eventimport.formats.schedules.identities import Rules
from eventimport.formats.schedules.losses import SORTS, Losses
from eventimport.formats.schedules.stored_programme import StoredProgramme, Talk, generator_version
from eventimport.formats.schedules.written_values import text_of

FIELDS: Final = {
    Kind.EVENT: frozenset(
        {
            *("name", "description", "timezone", "external_event_url", "logo_url"),
            *("latitude", "longitude", "owner_name", "starts_at", "ends_at"),
        }
    ),
    Kind.MICROLOCATION: frozenset({"name", "position"}),
    Kind.TRACK: frozenset({"name", "position"}),
    Kind.SPEAKER: frozenset({"name"}),
    Kind.SESSION: frozenset(
        {
            *("title", "long_abstract", "starts_at", "ends_at", "language"),
            *("slides_url", "audio_url", "video_url"),
        }
    ),
}
"""What both have a place for. The event's start and end are those of its sessions."""

EXTRA: Final = {
    Kind.EVENT: frozenset({"acronym", "method", "calscale", "prodid", "texts", "version"}),
    Kind.SPEAKER: frozenset({"texts"}),
    Kind.SESSION: frozenset(
        {
            *("uid", "dtstamp", "sequence", "all_day", "url", "categories", "attach", "status"),
            *("id", "guid", "slug", "texts", "method"),
            *("pentabarf:event-id", "pentabarf:event-slug"),
        }
    ),
}
SORTS_LOST: Final = frozenset(SORTS) - {
    *("long-session", "color", "code", "id", "slug", "private-guid"),
}

RULES: Final = Rules(
    acronym=re.compile("[A-Za-z0-9_.-]+"),
    slug=re.compile(r"[^\s<>&]+"),
    code=re.compile("[0-9A-Z]+"),
)
_UID: Final = re.compile(r"[\x21-\x7e]{1,200}")
_LANGUAGE: Final = re.compile("[A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*")
_KEPT_BY_CALENDARS: Final = frozenset({"dtstamp", "pentabarf:event-id", "uid"})


@dataclass(slots=True)
class StoredCalendar:
    """The sessions of a conference, and what the calendar says of itself."""

    programme: StoredProgramme
    options: WriteOptions
    losses: Losses

    @property
    def product(self) -> str:
        """The id of the program that wrote the calendar."""
        version = generator_version(self.options.version, self.programme.flavour)
        return f"-//{self.options.generator}//{self.options.generator} {version}//EN"

    @property
    def description(self) -> str | None:
        """The event's description."""
        return text_of(self.programme.event, "description", self.programme.flavour)

    @property
    def place(self) -> str:
        """What stands in the place of a room that a session does not have."""
        return self.programme.event.values.get("location_name") or self.programme.title or "-"

    @property
    def position(self) -> tuple[float, float] | None:
        """Where the event is."""
        values = self.programme.event.values
        latitude, longitude = values.get("latitude"), values.get("longitude")
        return None if latitude is None or longitude is None else (latitude, longitude)

    def events(self) -> Iterator[tuple[str, Talk]]:
        """Each session with its UID, which is unique in the calendar."""
        seen: set[int] = set()
        for talk in self.programme.talks():
            uid = talk.identity.guid
            key = talk.record.key
            if (
                key
                and _UID.fullmatch(key)
                and ("@" in key or _KEPT_BY_CALENDARS & talk.extra.keys())
            ):
                uid = key
            if hash(uid) in seen:
                uid = talk.identity.guid
            seen.add(hash(uid))
            yield uid, talk

    def text(self, talk: Talk) -> str:
        """What the calendar says of a session."""
        abstract, description = talk.abstract or "", talk.description or ""
        if not abstract or not description or abstract in description:
            return description or abstract
        self.losses.add("two-texts")
        return f"{abstract}\n\n{description}"

    def language(self, talk: Talk) -> str | None:
        """The language of a session, if it is a tag that calendars may have."""
        if talk.language and not _LANGUAGE.fullmatch(talk.language):
            self.losses.add("language")
            return None
        return talk.language

    def attachments(self, talk: Talk) -> list[tuple[str, str | None]]:
        """The addresses of a session's files, and of what type they are."""
        found: list[tuple[str, str | None]] = [
            (link.url, link.type) for link in talk.attachments if link.url is not None
        ]
        given: Any = talk.extra.get("attach", [])
        addresses = map(http_address, given if isinstance(given, list) else [given])
        return found + [(address, None) for address in addresses if address is not None]

    def categories(self, talk: Talk) -> list[str]:
        """The track, and further categories that the session came with."""
        given = talk.extra.get("categories", [])
        others = (
            [each for each in given if isinstance(each, str)] if isinstance(given, list) else []
        )
        return [*([talk.track] if talk.track else []), *others]

    def plain(self, text: str) -> str:
        """A text of a session without markup."""
        return text if self.programme.flavour is Flavour.MARKDOWN else plain_of(text)
