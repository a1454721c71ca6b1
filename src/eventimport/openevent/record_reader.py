"""One raw object of a document → one record: canonical, typed, cleaned, and nothing of it lost."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from typing import Any, Final

from pydantic import ValidationError

from eventimport.openevent import rich_text, values
from eventimport.openevent.dialect import (
    ADMINISTRATION,
    BESIDES_FIELDS,
    MAX_KNOWN_KEYS,
    canonical_key,
    dialects,
)
from eventimport.openevent.entry_names import shown
from eventimport.openevent.order import LEVELS, SHAPES, Kind
from eventimport.openevent.report import Place, Report, Severity, title_of

MAX_KNOWN_TIMES: Final = 10_000
MAX_KNOWN_REFERENCES: Final = 100_000
KEYS: Final = 12
"""Keys that a finding about many of them names."""

SHORT: Final = 2
"""A reference of so many keys, an id and a name, is likely to stand in many records."""

WITHOUT_LABEL: Final = frozenset({Kind.EVENT_COPYRIGHT, Kind.SPEAKERS_CALL})


@dataclass(slots=True)
class SourceRecord:
    """A record, and where it stood: `index` counts from 0 in its document. `key` is its id as the
    id map knows it; `values` are the canonical fields that have one; `extra` is what the canonical
    vocabulary does not name, or could not take; `references` are the raw references, and records
    of other kinds that it holds. The planner adds `new_id`, and the foreign keys."""

    index: int
    key: str | None
    values: dict[str, Any]
    extra: dict[str, Any]
    references: dict[str, Any]
    new_id: int = 0
    foreign_keys: dict[str, int] = field(default_factory=dict)

    def keep(self, name: str, value: Any) -> None:
        """Put a value in `extra`, beside whatever has that name there already."""
        while name in self.extra:
            name += "_"
        self.extra[name] = value


@dataclass(slots=True)
class KeptKey:
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
                f"{name} differs from another key for {field_name}, which was used; "
                "its value is kept in `extra`."
            )
        verb = "has" if self.count == 1 else "have"
        where = f"{self.count:,} of the {PLURALS[kind]} {verb} {name}"
        if kind in {Kind.EVENT, *WITHOUT_LABEL}:
            where = f"The {PLURALS[kind]} include {name}"
        return f"{where}, which is not a field here. Its value is kept in `extra`."


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


def _some(words: list[str]) -> str:
    """The first of these words as a list."""
    return ", ".join(words[:KEYS]) + (" and others" if len(words) > KEYS else "")


class RecordReader:
    """Reads raw objects of all kinds; `zone` is what times without an offset are local to."""

    def __init__(self, report: Report) -> None:
        self.zone: tzinfo = UTC
        self.without_offset: Counter[str] = Counter()
        self._report = report
        self._times: dict[str, datetime] = {}
        self._references: dict[tuple[Any, ...], dict[str, Any]] = {}
        self._dialects = dialects()
        self._kept_keys: dict[tuple[Kind, str], KeptKey] = {}
        self._reference_fields = {
            kind: (*(ref.field for ref in level.references), *BESIDES_FIELDS.get(kind, ()))
            for kind, level in LEVELS.items()
        }

    def translate(self, kind: Kind, raw: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """The raw object's canonical values, and what is left over."""
        return self._dialects[kind].translate(raw)

    def read(self, kind: Kind, raw: dict[str, Any], index: int, entry: str) -> SourceRecord:
        """Read one object. Every repair and every value that its column cannot take is told."""
        fields, extra = self.translate(kind, raw)
        source_id = fields.pop("id", None)
        record = SourceRecord(index, values.source_key(source_id), fields, extra, {})
        self._note_keys(kind, record, entry)
        for name in self._reference_fields[kind]:
            if name in fields:
                record.references[name] = self._shared(fields.pop(name))
        if source_id is not None and record.key is None:
            record.keep("id", source_id)
            self._warn("bad-id", "this is no id; the record has none now", record, entry, "id")
        if kind is Kind.SESSION_TYPE and "length" in fields:
            self._read_length(record, entry)
        shape = SHAPES[kind]
        for name in shape.times:
            if name in fields:
                self._read_time(record, name, entry)
        for name in shape.rich:
            if name in fields:
                self._clean(record, name, entry)
        for name in shape.links:
            if name in fields:
                self._check_link(record, name, entry)
        for name in shape.media:
            if name in fields:
                self._check_medium(record, name, entry)
        self._validate(kind, record, entry)
        return record

    def keep_document(self, name: str, content: Any, record: SourceRecord, entry: str) -> None:
        """Keep a document that has no table with a record."""
        record.keep(name, content)
        self._kept_keys[Kind.EVENT, name] = KeptKey(Place(entry), None, administrative=True)

    def report_keys(self, entries: Mapping[Kind, str]) -> None:
        """Report the keys that no field takes, each once with the number of its records, and those
        in another spelling than the format's."""
        for kind, dialect in self._dialects.items():
            if dialect.respelled:
                read = [
                    f"“{shown(key)}” as {name.replace('_', '-')}"
                    for key, name in dialect.respelled.items()
                ]
                message = f"The {PLURALS[kind]} spell some keys differently: {_some(read)}."
                self._report.repair("key-spelling", message, Place(entries[kind]), group=kind)
        for (kind, key), kept in self._kept_keys.items():
            if not kept.administrative:
                self._report.add(
                    Severity.WARNING,
                    "unknown-key",
                    kept.message(kind, key),
                    kept.place,
                    kept.value,
                    count=kept.count,
                )
        names = [
            f"“{shown(key)}”" for (_, key), kept in self._kept_keys.items() if kept.administrative
        ]
        if names:
            message = (
                f"Settings and counters of the program that exported the event have no place here; "
                f"they are kept in `extra`: {_some(names)}."
            )
            place = Place(entries[Kind.EVENT])
            self._report.add(Severity.WARNING, "administration", message, place, count=len(names))

    def _note_keys(self, kind: Kind, record: SourceRecord, entry: str) -> None:
        for key, value in record.extra.items():
            kept = self._kept_keys.get((kind, key))
            if kept is not None:
                kept.count += 1
            elif len(self._kept_keys) < MAX_KNOWN_KEYS:
                self._kept_keys[kind, key] = KeptKey(
                    place_of(record, entry, shown(key)),
                    value,
                    self._dialects[kind].names(key),
                    administrative=canonical_key(key) in ADMINISTRATION,
                )

    def check_label(self, kind: Kind, record: SourceRecord, entry: str) -> None:
        """Tell of a record that has no name: people will look for it in vain."""
        label = LEVELS[kind].label
        if kind not in WITHOUT_LABEL and not record.values.get(label):
            self._warn("no-name", f"the {kind} has no {label}", record, entry, label)

    def _shared(self, raw: Any) -> Any:
        """The reference, or the one object of which all that say the same are made: thousands of
        sessions refer to the same few records. Types count: true is not 1."""
        if isinstance(raw, list) and raw:
            return [self._shared(item) if isinstance(item, dict) else item for item in raw]
        if not isinstance(raw, dict) or len(raw) > SHORT:
            return raw
        words = (*raw.items(), *map(type, raw.values()))
        try:
            known = self._references.get(words)
        except TypeError:
            # It holds a list or an object.
            return raw
        if known is None:
            known = raw
            if len(self._references) < MAX_KNOWN_REFERENCES:
                self._references[words] = raw
        return known

    def _read_length(self, record: SourceRecord, entry: str) -> None:
        given = record.values["length"]
        length = values.parse_length(given)
        if length is None:
            self._set_aside(record, "length", entry, "this is no length in hours and minutes")
        elif length != given:
            record.values["length"] = length
            place = place_of(record, entry, "length")
            self._report.repair("length", f"the length was read as {length}", place, given)

    def _read_time(self, record: SourceRecord, name: str, entry: str) -> None:
        given = record.values[name]
        # A programme has few slots, and many sessions in each.
        known = self._times.get(given) if isinstance(given, str) else None
        if known is not None:
            record.values[name] = known
            return
        time = values.parse_time(given)
        if time is None:
            self._set_aside(record, name, entry, "this is no date and time")
            return
        record.values[name] = values.in_zone(time, self.zone)
        if time.tzinfo is None:
            self.without_offset[entry] += 1
        elif len(self._times) < MAX_KNOWN_TIMES:
            self._times[given] = record.values[name]

    def _clean(self, record: SourceRecord, name: str, entry: str) -> None:
        text = record.values[name]
        if isinstance(text, str):
            cleaned, removed = rich_text.clean(text)
            if removed:
                place = place_of(record, entry, name)
                self._report.warning("html-removed", f"removed: {removed}", place, text)
            record.values[name] = cleaned

    def _check_link(self, record: SourceRecord, name: str, entry: str) -> None:
        value = record.values[name]
        if isinstance(value, str) and not values.is_safe_link(value):
            self._set_aside(record, name, entry, "a link of this kind is not followed")

    def _check_medium(self, record: SourceRecord, name: str, entry: str) -> None:
        value = record.values[name]
        if not isinstance(value, str):
            self._set_aside(record, name, entry, "this is neither a path nor a link")
        elif not values.is_remote(value):
            self._check_link(record, name, entry)

    def _validate(self, kind: Kind, record: SourceRecord, entry: str) -> None:
        validate = SHAPES[kind].validate
        try:
            record.values = validate(record.values)
        except ValidationError as error:
            for detail in error.errors(include_url=False, include_input=False):
                name = str(detail["loc"][0])
                if name in record.values:
                    self._set_aside(record, name, entry, detail["msg"])
            record.values = validate(record.values)

    def _set_aside(self, record: SourceRecord, name: str, entry: str, why: str) -> None:
        value = record.values.pop(name)
        record.keep(name, value)
        place = place_of(record, entry, name)
        self._report.warning("invalid-value", f"{why}; the value is kept as extra", place, value)

    def _warn(
        self, code: str, message: str, record: SourceRecord, entry: str, field_name: str
    ) -> None:
        self._report.warning(code, message, place_of(record, entry, field_name))


def same(kind: Kind, name: str, raw: Any, value: Any, zone: tzinfo) -> bool:
    """Whether a raw value, nested in a reference, says what the record it refers to says."""
    # Lists and objects as text would be compared whole, once for each reference.
    nested = isinstance(raw, (dict, list)) or isinstance(value, (dict, list))
    if raw == value or (not nested and str(raw) == str(value)):
        return True
    if isinstance(value, datetime):
        time = values.parse_time(raw)
        return time is not None and values.in_zone(time, zone) == value
    if kind is Kind.SESSION_TYPE and name == "length":
        return bool(values.parse_length(raw) == value)
    if isinstance(raw, str) and isinstance(value, str):
        return bool(name in SHAPES[kind].rich and rich_text.clean(raw)[0] == value)
    if isinstance(value, bool) and isinstance(raw, str):
        return raw.strip().casefold() == str(value).casefold()
    return False


def place_of(record: SourceRecord, entry: str, name: str | None = None) -> Place:
    """Where the record, or a field of it, stands; with the name that people know it by."""
    return Place(entry, record.index, record.key, name, title=title_of(record.values))
