"""(kind, source id) → new id: which record a reference means."""

from dataclasses import dataclass
from typing import Any

from eventimport.conference.conference import Record
from eventimport.conference.kinds import LEVELS, Kind
from eventimport.conference.report import SHORT, shortened
from eventimport.conference.values import label_key, source_key


@dataclass(frozen=True, slots=True)
class Match:
    """What was found for a reference: `record`, or None; and what there is to say about it, as a
    finding's code and message, or None."""

    record: Record | None
    code: str | None = None
    message: str | None = None


class _Namesakes:
    """The records that share an id, or that have none, by name: the first of each name, and how
    many have it."""

    def __init__(self) -> None:
        self.count = 0
        self.first: Record | None = None
        self.by_label: dict[str, tuple[Record, int]] = {}

    def add(self, record: Record, label: str) -> None:
        self.count += 1
        self.first = self.first or record
        known = self.by_label.get(label)
        self.by_label[label] = (record, 1) if known is None else (known[0], known[1] + 1)


class IdMap:
    """The records of one kind by source id and by name. They have their new ids already. A look-up
    takes as long as the reference is, however many records share its id or its name."""

    def __init__(self, kind: Kind, records: list[Record]) -> None:
        self._kind = str(kind).replace("_", " ")
        self._label = LEVELS[kind].label
        self._records = records
        self._by_key: dict[str, Record | _Namesakes] = {}
        self._by_label: _Namesakes | None = None
        self._labels: dict[int, str] = {}
        for record in records:
            if record.key is None:
                continue
            other = self._by_key.setdefault(record.key, record)
            if other is record:
                continue
            if isinstance(other, Record):
                shared = _Namesakes()
                shared.add(other, self.label_of(other))
                self._by_key[record.key] = other = shared
            other.add(record, self.label_of(record))

    def find(self, key: str | None, label: Any) -> Match:
        """The record of this id; of several, the one of this name, else the first. Without the id,
        or where no record has it, the only one of this name."""
        found = self._by_key.get(key) if key is not None else None
        if isinstance(found, Record):
            return Match(found)
        if found is not None:
            named = found.by_label.get(label_key(label)) if label is not None else None
            if named is not None:
                return Match(named[0])
            message = (
                f"{found.count} records have the id {_quoted(key)}. The first of them is used."
            )
            return Match(found.first, "ambiguous-reference", message)
        return self._find_by_label(key, label)

    def label_of(self, record: Record) -> str:
        """The record's name as names are compared. It is made once: it may be long, and thousands
        of references may lead to it."""
        known = self._labels.get(id(record))
        if known is None:
            known = self._labels[id(record)] = label_key(record.values.get(self._label, ""))
        return known

    def find_text(self, text: str) -> Record | None:
        """The record of this id, else the only one of this name."""
        key = source_key(text)
        found = self._by_key.get(key) if key is not None else None
        if found is not None:
            return found if isinstance(found, Record) else found.first
        named = self._named(text)
        return named[0] if named is not None and named[1] == 1 else None

    def count_of(self, label: str) -> int:
        """How many records have this name."""
        named = self._named(label)
        return named[1] if named is not None else 0

    def _named(self, label: Any) -> tuple[Record, int] | None:
        """The first record of this name, and how many have it."""
        if self._by_label is None:
            self._by_label = _Namesakes()
            for record in self._records:
                self._by_label.add(record, self.label_of(record))
        return self._by_label.by_label.get(label_key(label))

    def _find_by_label(self, key: str | None, label: Any) -> Match:
        named = self._named(label) if label is not None else None
        if named is not None and named[1] == 1:
            missing = "has no id" if key is None else f"names the unknown id {_quoted(key)}"
            message = f"The reference {missing}. The {self._kind} with that name is used."
            return Match(named[0], "reference-by-name", message)
        if key is None:
            return Match(
                None,
                "reference-without-id",
                f"The record names a {self._kind} without an id. It is not linked with"
                f" that {self._kind}.",
            )
        message = (
            f"The record names the {self._kind} with the id {_quoted(key)}, which is"
            " not in the archive. It is not linked."
        )
        return Match(None, "dangling-reference", message)


def _quoted(key: str | None) -> str:
    return f"“{shortened(key or '', SHORT)}”"
