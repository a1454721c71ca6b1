"""One raw object of a document → the parts of a record: fields, references, and all else.

References are written as an object with an id and other fields, as an id, as a name, or as a list
of these. Which spelling is used is decided here; which record is meant, in `conference.linking`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from eventimport.conference import values
from eventimport.conference.conference import Reference, id_or_name
from eventimport.conference.fields import PLURALS, some
from eventimport.conference.kinds import LEVELS, Kind, ReferenceField
from eventimport.conference.paths import shown
from eventimport.conference.report import EXCERPT, Place, Report, title_of
from eventimport.formats.openevent.dialect import (
    ADMINISTRATION,
    BESIDES_FIELDS,
    canonical_key,
    dialects,
)

MAX_KNOWN_REFERENCES: Final = 100_000

_SHORT: Final = 2
"""A reference with at most this many keys, an id and a name, is likely to be in many records."""


@dataclass(slots=True)
class Parts:
    """What an object consists of. `besides` are records of other kinds that it holds."""

    fields: dict[str, Any]
    extra: dict[str, Any]
    references: dict[str, tuple[Reference, ...]] = field(default_factory=dict)
    besides: dict[str, Any] = field(default_factory=dict)


class RecordReader:
    """Reads raw objects of all kinds."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._dialects = dialects()
        self._known: dict[Kind, dict[str, tuple[Reference, ...]]] = {kind: {} for kind in Kind}

    def read(self, kind: Kind, raw: dict[str, Any], index: int, entry: str) -> Parts:
        """Take an object apart."""
        fields, extra = self._dialects[kind].translate(raw)
        parts = Parts(fields, extra)
        for name in BESIDES_FIELDS.get(kind, ()):
            if name in fields:
                parts.besides[name] = fields.pop(name)
        for reference in LEVELS[kind].references:
            given = fields.pop(reference.field, None)
            if given is not None:
                found, spelling = self._read_references(reference, given)
                if found:
                    parts.references[reference.field] = found
                if spelling is not None:
                    key, title = values.source_key(fields.get("id")), title_of(fields)
                    place = Place(entry, index, key, reference.field, title=title)
                    self._report.repair(*spelling, place, given)
        if extra:
            _drop_repeated_references(parts)
        return parts

    def names_field(self, kind: Kind, key: str) -> str:
        """The field that a key names; "" if it names none."""
        return self._dialects[kind].names(key)

    def report_spellings(self, entries: Mapping[Kind, str]) -> None:
        """Report the keys in another spelling than the format's, once for each kind."""
        for kind, dialect in self._dialects.items():
            if dialect.respelled:
                read = [
                    f"“{shown(key)}” as {name.replace('_', '-')}"
                    for key, name in dialect.respelled.items()
                ]
                message = f"The {PLURALS[kind]} spell some keys differently: {some(read)}."
                self._report.repair("key-spelling", message, Place(entries[kind]), group=kind)

    def _read_references(
        self, reference: ReferenceField, given: Any
    ) -> tuple[tuple[Reference, ...], tuple[str, str] | None]:
        """The references, and the code and message of a finding about how they are written."""
        kind = reference.kind
        if not isinstance(given, list):
            found = self._read_reference(kind, given)
            if not found or not reference.many:
                return found, None
            return found, (
                "no-list",
                "The record names a single record where a list is expected. It is used.",
            )
        if reference.many:
            result: list[Reference] = []
            for item in given:
                result += self._read_reference(kind, item)
            return tuple(result), None
        single = [ref for item in given if item != [] for ref in self._read_reference(kind, item)]
        if len(single) == 1:
            message = "The reference is a list of one. It is used."
            return (single[0],), ("list-of-one", message)
        return tuple(single), None

    def _read_reference(self, kind: Kind, raw: Any) -> tuple[Reference, ...]:
        """The reference that a value is; none if it says nothing. Thousands of sessions refer to
        the same few records: what says the same is read once. Types count: true is not 1."""
        if isinstance(raw, dict) and len(raw) > _SHORT:
            return self._parse(kind, raw)
        known = self._known[kind]
        words = repr(raw)
        found = known.get(words)
        if found is None:
            found = self._parse(kind, raw)
            if len(words) <= EXCERPT and len(known) < MAX_KNOWN_REFERENCES:
                known[words] = found
        return found

    def _parse(self, kind: Kind, raw: Any) -> tuple[Reference, ...]:
        if raw is None or raw == "":
            return ()
        if isinstance(raw, str):
            return (id_or_name(kind, raw),)
        if not isinstance(raw, dict):
            return (Reference(kind, values.source_key(raw), source=raw),)
        fields, rest = self._dialects[kind].translate(raw)
        if not fields and not rest:
            return ()
        key = values.source_key(fields.pop("id", None))
        name = LEVELS[kind].label
        label = fields.pop(name, None)
        if isinstance(label, (dict, list)):
            fields[name], label = label, None
        for other, value in rest.items():
            fields[f"{other}_" if other in fields or other == name else other] = value
        text = None if label is None else str(label)
        # A dictionary that was emptied keeps its memory.
        return (Reference(kind, key, text, fields or {}, source=raw),)


def is_administrative(key: str) -> bool:
    """Whether the format's own server keeps a setting or a counter under this key."""
    return canonical_key(key) in ADMINISTRATION


def _drop_repeated_references(parts: Parts) -> None:
    """`track_id` beside `track` only says the same again."""
    for key, value in list(parts.extra.items()):
        taken = parts.references.get(canonical_key(key).removesuffix("_id"), ())
        if len(taken) == 1 and not isinstance(value, (dict, list)):
            known = taken[0].key
            if known is not None and known == values.source_key(value):
                del parts.extra[key]
