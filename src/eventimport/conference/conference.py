"""A conference: all records of a source, whatever format it is written in."""

from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from typing import Any

from eventimport.conference.kinds import IMPORT_ORDER, Kind
from eventimport.conference.media import MediaIndex
from eventimport.conference.report import Place, Report, title_of
from eventimport.conference.rich_text import DEFAULT_LIMITS, TextLimits
from eventimport.conference.values import source_key


@dataclass(frozen=True, slots=True)
class Reference:
    """What a record says about another: its id (`key`), its name (`label`), and, by the names of
    its fields, what else it says (`rest`). `either` is true if the source gives one text that may
    be the id or the name; `key` and `label` are both this text then. `source` is the reference as
    the source writes it, for findings and for `extra`."""

    kind: Kind
    key: str | None = None
    label: str | None = None
    rest: dict[str, Any] = field(default_factory=dict, hash=False)
    either: bool = False
    source: Any = field(default=None, compare=False)


def id_or_name(kind: Kind, text: str) -> Reference:
    """The reference that a text makes which may be an id or a name."""
    return Reference(kind, source_key(text), text, either=True, source=text)


@dataclass(slots=True)
class Record:
    """A record, and where it stood: `index` counts from 0 in its document. `key` is its id as the
    id map knows it; `values` are the canonical fields that have one; `extra` is what the canonical
    vocabulary does not name, or could not take; `references` are what it says about other
    records, by field. The planner adds `new_id`, and the foreign keys. `link_key` is the id by
    which other records refer to this one, if that is not `key`."""

    index: int
    key: str | None
    values: dict[str, Any]
    extra: dict[str, Any]
    references: dict[str, tuple[Reference, ...]]
    new_id: int = 0
    foreign_keys: dict[str, int] = field(default_factory=dict)
    link_key: str | None = None

    @property
    def known_as(self) -> str | None:
        """The id by which other records refer to this one."""
        return self.key if self.link_key is None else self.link_key

    def keep(self, name: str, value: Any) -> None:
        """Put a value in `extra`, beside whatever has that name there already."""
        while name in self.extra:
            name += "_"
        self.extra[name] = value


@dataclass(slots=True)
class Conference:
    """The records of a source by kind, each kind sorted by source id. `entries` names the entry
    that a kind was read from; `zone` is the event's time zone; `files` finds media files that the
    source holds; `limits` bound the markup of its texts; `first_import` is the report of the import
    that made an event, if the source is an export of that event."""

    records: dict[Kind, list[Record]] = field(default_factory=dict)
    entries: dict[Kind, str] = field(default_factory=dict)
    zone: tzinfo = UTC
    files: MediaIndex = field(default_factory=MediaIndex)
    limits: TextLimits = DEFAULT_LIMITS
    first_import: dict[str, Any] | None = None

    @property
    def event(self) -> Record:
        """The one event. Raises IndexError where the archive has none that can be read."""
        return self.records[Kind.EVENT][0]

    def counts(self) -> dict[str, int]:
        """How many records each table will get."""
        return {level.table: len(self.records.get(level.kind, ())) for level in IMPORT_ORDER}


def place_of(record: Record, entry: str, name: str | None = None) -> Place:
    """Where the record, or a field of it, stands; with the name that people know it by."""
    return Place(entry, record.index, record.key, name, title=title_of(record.values))


def set_aside(  # noqa: PLR0917 - what a finding needs
    report: Report, record: Record, name: str, entry: str, why: str, code: str = "invalid-value"
) -> None:
    """Move the value of a field to `extra`, with a finding that says why no field can hold it."""
    value = record.values.pop(name)
    record.keep(name, value)
    message = f"The value is {why}. It is kept in `extra`, and the event does not show it."
    report.warning(code, message, place_of(record, entry, name), value)
