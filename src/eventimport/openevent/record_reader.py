"""One raw object of a document → one record: canonical, typed, cleaned, and nothing of it lost."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from typing import Any, Final

from pydantic import ValidationError

from eventimport.openevent import rich_text, values
from eventimport.openevent.dialect import BESIDES_FIELDS, dialects
from eventimport.openevent.order import LEVELS, SHAPES, Kind
from eventimport.openevent.report import Place, Report, title_of

MAX_KNOWN_TIMES: Final = 10_000
MAX_KNOWN_REFERENCES: Final = 100_000
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


class RecordReader:
    """Reads raw objects of all kinds; `zone` is what times without an offset are local to."""

    def __init__(self, report: Report) -> None:
        self.zone: tzinfo = UTC
        self.without_offset: Counter[str] = Counter()
        self._report = report
        self._times: dict[str, datetime] = {}
        self._references: dict[tuple[Any, ...], dict[str, Any]] = {}
        self._dialects = dialects()
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
