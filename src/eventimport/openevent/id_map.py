"""(kind, source id) → new id: which record a reference means."""

from dataclasses import dataclass
from typing import Any

from eventimport.openevent.order import LEVELS, Kind
from eventimport.openevent.record_reader import SourceRecord
from eventimport.openevent.values import label_key


@dataclass(frozen=True, slots=True)
class Match:
    """What was found for a reference: `record`, or None; and what there is to say about it, as a
    finding's code and message, or None."""

    record: SourceRecord | None
    code: str | None = None
    message: str | None = None


class IdMap:
    """The records of one kind by source id and by name. They have their new ids already."""

    def __init__(self, kind: Kind, records: list[SourceRecord]) -> None:
        self._kind = kind
        self._label = LEVELS[kind].label
        self._records = records
        self._by_key: dict[str, SourceRecord | list[SourceRecord]] = {}
        self._by_label: dict[str, list[SourceRecord]] | None = None
        for record in records:
            if record.key is None:
                continue
            other = self._by_key.setdefault(record.key, record)
            if isinstance(other, list):
                other.append(record)
            elif other is not record:
                self._by_key[record.key] = [other, record]

    def find(self, key: str | None, label: Any) -> Match:
        """The record of this id; of several, the one of this name, else the first. Without the id,
        or where no record has it, the only one of this name."""
        found = self._by_key.get(key) if key is not None else None
        if isinstance(found, SourceRecord):
            return Match(found)
        if found is not None:
            wanted = label_key(label) if label is not None else None
            named = [record for record in found if self._label_of(record) == wanted]
            if named:
                return Match(named[0])
            message = f"{len(found)} records have the id {key}; the first of them was taken"
            return Match(found[0], "ambiguous-reference", message)
        return self._find_by_label(key, label)

    def _find_by_label(self, key: str | None, label: Any) -> Match:
        named = self._labels().get(label_key(label), []) if label is not None else []
        if len(named) == 1:
            missing = "has no id" if key is None else f"names the id {key}, which is not there"
            message = f"the reference {missing}; the {self._kind} of that name was taken"
            return Match(named[0], "reference-by-name", message)
        if key is None:
            return Match(None, "reference-without-id", f"the reference to a {self._kind} has no id")
        message = f"there is no {self._kind} of the id {key}"
        return Match(None, "dangling-reference", message)

    def _labels(self) -> dict[str, list[SourceRecord]]:
        if self._by_label is None:
            self._by_label = {}
            for record in self._records:
                self._by_label.setdefault(self._label_of(record), []).append(record)
        return self._by_label

    def _label_of(self, record: SourceRecord) -> str:
        return label_key(record.values.get(self._label, ""))
