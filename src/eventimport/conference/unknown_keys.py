"""Keys of a source that no field takes: each is reported once, with the number of its records."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from eventimport.conference.conference import Record, place_of
from eventimport.conference.kinds import Kind
from eventimport.conference.report import Place, Report, Severity, shown

MAX_KNOWN_KEYS: Final = 10_000
"""Keys that are reported. A hostile source may use a new key in each record."""

MAX_NAMED: Final = 12
"""Keys that a finding about many of them names."""

SINGLE: Final = frozenset({Kind.EVENT, Kind.EVENT_COPYRIGHT, Kind.SPEAKERS_CALL})
"""Kinds that an event has one record of."""

PLURALS: Final[dict[Kind, str]] = {
    kind: {
        Kind.EVENT: "event's data",
        Kind.EVENT_COPYRIGHT: "event's copyright data",
        Kind.SPEAKERS_CALL: "speakers call's data",
        Kind.CUSTOM_FORM: "form fields",
        Kind.MICROLOCATION: "rooms",
    }.get(kind, f"{kind.replace('_', ' ')}s")
    for kind in Kind
}
"""What people call the records of a kind."""


def listed(words: list[str]) -> str:
    """The first of these words as a list."""
    return ", ".join(words[:MAX_NAMED]) + (" and others" if len(words) > MAX_NAMED else "")


@dataclass(slots=True)
class UnknownKey:
    """A key whose values are kept in `extra`: where the first one stood, and in how many records;
    `names` is the field whose other spelling was used, if it names one."""

    place: Place
    value: Any
    names: str = ""
    count: int = 1
    administrative: bool = False

    def message(self, kind: Kind, key: str) -> str:
        """What a finding says of the key."""
        name = f"“{shown(key)}”"
        if self.names:
            field_name = self.names.replace("_", "-")
            return (
                f"{name} and another key both set {field_name}. The other key was"
                " used; this value is kept in `extra`."
            )
        verb = "has" if self.count == 1 else "have"
        where = f"{self.count:,} of the {PLURALS[kind]} {verb} {name}"
        if kind in SINGLE:
            where = f"The {PLURALS[kind]} include {name}"
        return f"{where}, which is not a field of an event. The value is kept in `extra`."


class UnknownKeys:
    """Collects the keys of one source that no field takes.

    `is_administrative` says whether a key holds a setting or a counter of the program that made
    the source: such keys are reported together. `names_field` returns the field that a key in
    `extra` names if another key for the same field was used, else ""."""

    def __init__(
        self,
        *,
        is_administrative: Callable[[str], bool] = lambda _: False,
        names_field: Callable[[Kind, str], str] = lambda _, __: "",
    ) -> None:
        self._is_administrative = is_administrative
        self._names_field = names_field
        self._keys: dict[tuple[Kind, str], UnknownKey] = {}

    def add(self, kind: Kind, record: Record, entry: str, keys: Iterable[str]) -> None:
        """Note these keys of the record's `extra`."""
        for key in keys:
            known = self._keys.get((kind, key))
            if known is not None:
                known.count += 1
            elif len(self._keys) < MAX_KNOWN_KEYS:
                self._keys[kind, key] = UnknownKey(
                    place_of(record, entry, shown(key)),
                    record.extra[key],
                    self._names_field(kind, key),
                    administrative=self._is_administrative(key),
                )

    def add_document(self, name: str, entry: str) -> None:
        """Note a document that has no table, and is kept with the event."""
        self._keys[Kind.EVENT, name] = UnknownKey(Place(entry), None, administrative=True)

    def report(self, report: Report, entry: str) -> None:
        """Report the keys; `entry` is the event's."""
        administrative = []
        for (kind, key), known in self._keys.items():
            if known.administrative:
                administrative.append(f"“{shown(key)}”")
                continue
            report.add(
                Severity.WARNING,
                "unknown-key",
                known.message(kind, key),
                known.place,
                known.value,
                count=known.count,
            )
        if administrative:
            message = (
                "Settings and counters of the program that exported the event are"
                f" not imported. They are kept in `extra`: {listed(administrative)}."
            )
            count = len(administrative)
            report.add(Severity.WARNING, "administration", message, Place(entry), count=count)
