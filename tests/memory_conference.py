"""A stored conference whose records are all in memory, for the writers of formats."""

from collections import defaultdict
from collections.abc import Iterable, Iterator

from eventimport.conference.conference import Conference, Record, Reference
from eventimport.conference.kinds import IMPORT_ORDER, LEVELS, Kind
from eventimport.conference.stored import zone_of


class MemoryConference:
    """A stored conference whose records are all in memory. `links` are pairs of the `new_id` of a
    session and of a speaker."""

    def __init__(self, conference: Conference, links: Iterable[tuple[int, int]]) -> None:
        self._records = conference.records
        self._links = sorted(links)
        self.event = conference.event
        self.zone = zone_of(conference.event)

    def records(self, kind: Kind) -> Iterator[Record]:
        """The records of a kind."""
        return iter(self._records.get(kind, ()))

    def keys(self, kind: Kind) -> Iterator[str | None]:
        """The source ids of a kind."""
        return (record.key for record in self.records(kind))

    def links(self) -> Iterator[tuple[int, int]]:
        """The pairs of sessions and speakers."""
        return iter(self._links)

    def count(self, kind: Kind) -> int:
        """The number of records of a kind."""
        return len(self._records.get(kind, ()))


def as_stored(conference: Conference, links: Iterable[tuple[int, int]]) -> MemoryConference:
    """A planned conference as it is read again once it is stored: with the defaults of its columns,
    and with references that follow from the foreign keys and the links. Changes the records."""
    pairs = sorted(links)
    speakers: dict[int, list[int]] = defaultdict(list)
    for session_id, speaker_id in pairs:
        speakers[session_id].append(speaker_id)
    known: dict[Kind, dict[int, Reference]] = {}
    for level in IMPORT_ORDER:
        references = known[level.kind] = {}
        for index, record in enumerate(conference.records.get(level.kind, ())):
            record.index = index
            for name, default in level.defaults.items():
                record.values.setdefault(name, default)
            label = record.values.get(level.label)
            references[record.new_id] = Reference(level.kind, record.key, label)
            record.references = {}
    for session in conference.records.get(Kind.SESSION, ()):
        for ref in LEVELS[Kind.SESSION].references:
            ids = speakers[session.new_id] if ref.many else [session.foreign_keys.get(ref.column)]
            found = [known[ref.kind][number] for number in ids if number is not None]
            if found:
                session.references[ref.field] = tuple(found)
    return MemoryConference(conference, pairs)
