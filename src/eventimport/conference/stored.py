"""A stored conference, as the writers of formats read it: kind by kind, as often as they like.

An export reads one from a temporary file (`exports/spool.py`), so that it need not be in memory.
"""

from collections.abc import Iterator
from datetime import UTC, tzinfo
from typing import Protocol

from eventimport.conference.conference import Record
from eventimport.conference.kinds import Kind
from eventimport.conference.zones import find_zone, zone


class StoredConference(Protocol):
    """An event with its parts, as they are stored.

    `new_id` is a record's id in the database, `key` its source id, and `index` counts the records
    of its kind from 0. `foreign_keys` hold the ids of other records, by column (`track_id`); the
    `references` of a session name its track, room, type and speakers by source id and name. Texts
    are clean HTML or plain text, as `SHAPES` says; times have a time zone; media fields hold URLs.
    A view for the public lacks what only the owner sees: `extra`, private fields, hidden records,
    and every reference and link to those.
    """

    @property
    def event(self) -> Record:
        """The event itself."""
        ...

    @property
    def zone(self) -> tzinfo:
        """The event's time zone; UTC if its name is unknown."""
        ...

    def records(self, kind: Kind) -> Iterator[Record]:
        """The records of a kind in the order of their ids. Each call begins anew, also while
        another is read."""
        ...

    def keys(self, kind: Kind) -> Iterator[str | None]:
        """The source ids of a kind that sessions refer to, without reading its records."""
        ...

    def links(self) -> Iterator[tuple[int, int]]:
        """The ids (`new_id`) of sessions, each with that of one of its speakers, ascending. They
        can be read beside the sessions."""
        ...

    def count(self, kind: Kind) -> int:
        """The number of records of a kind."""
        ...


def zone_of(event: Record) -> tzinfo:
    """The event's time zone; UTC if its name is unknown."""
    found = find_zone(event.values.get("timezone", ""))
    return zone(found.name) if found is not None else UTC
