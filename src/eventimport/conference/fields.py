"""Values as a source gives them → a record: typed, cleaned, and nothing of it lost.

A format's reader finds out which field a value belongs to; what the value means is decided here,
the same for all formats. `RecordBuilder.build` decodes texts, cleans rich text, reads times,
lengths, states, links and marks of deletion, and checks types. What it repairs is reported. What no
field can hold goes to `extra`, with a finding.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from datetime import time as clock
from typing import Any, Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from eventimport.conference import rich_text, values, web_links
from eventimport.conference.conference import Record, Reference, place_of
from eventimport.conference.kinds import DELETED, LEVELS, SHAPES, Kind, Shape
from eventimport.conference.lengths import parse_length, read_length
from eventimport.conference.report import Place, Report, Severity, shown
from eventimport.conference.times import TimeReading, in_zone, is_repeated, local_gap, read_time
from eventimport.conference.zones import find_zone, zone

MAX_KNOWN_TIMES: Final = 10_000
MAX_KNOWN_KEYS: Final = 10_000
"""Keys that are reported. A hostile source may use a new key in each record."""

KEYS: Final = 12
"""Keys that a finding about many of them names."""

MAX_YEARS: Final = 20
"""A time that is further from the event means something else."""

FIRST_YEAR: Final = 1980
LAST_YEAR: Final = 2200
"""An event outside these years has a wrong date, by which other times cannot be judged."""

_NO_TIME: Final = timedelta()
BOUNDS: Final = ("starts_at", "ends_at", "soft_ends_at")
DAYS_ARE_ENOUGH: Final = frozenset({Kind.EVENT, Kind.SPEAKERS_CALL})
"""Kinds that people know by their days: a date without a time says when they begin and end."""

NOT_DELETED: Final = frozenset({"", "0", "false", "f", "no", "n", "none", "null", "off"})
DELETED_WORDS: Final = frozenset({"1", "true", "t", "yes", "y", "on"})
LINK_KEYS: Final = ("url", "href", "link", "src", "path", "uri")
"""Where objects hold a link."""

SESSION_STATES: Final = {
    **dict.fromkeys(("accept", "approved", "selected", "in", "public"), "accepted"),
    **dict.fromkeys(
        ("completed", "complete", "done", "finished", "held", "scheduled", "published", "final"),
        "confirmed",
    ),
    **dict.fromkeys(("cancelled", "cancel"), "canceled"),
    **dict.fromkeys(("reject", "declined", "refused"), "rejected"),
    "withdraw": "withdrawn",
    "submit": "submitted",
}
"""What a session's state means, by what other programs call it."""
USUAL_STATES: Final = frozenset(SESSION_STATES.values())

PROBLEMS: Final = {
    "string": "not a text",
    "int": "not a whole number",
    "float": "not a number",
    "bool": "neither true nor false",
    "finite": "not a number",
    "less": "out of range",
    "greater": "out of range",
    "list": "not a list",
    "dict": "not an object",
}
"""What a value is not, by the first word of the validator's error."""

WITHOUT_LABEL: Final = frozenset({Kind.EVENT_COPYRIGHT, Kind.SPEAKERS_CALL})


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
                f"{name} and another key both set {field_name}. The other key was"
                " used; this value is kept in `extra`."
            )
        verb = "has" if self.count == 1 else "have"
        where = f"{self.count:,} of the {PLURALS[kind]} {verb} {name}"
        if kind in {Kind.EVENT, *WITHOUT_LABEL}:
            where = f"The {PLURALS[kind]} include {name}"
        return f"{where}, which is not a field of an event. The value is kept in `extra`."


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


def some(words: list[str]) -> str:
    """The first of these words as a list."""
    return ", ".join(words[:KEYS]) + (" and others" if len(words) > KEYS else "")


class RecordBuilder:
    """Makes records of all kinds. `zone` is what times without an offset are local to, `language`
    is the event's, and `year` the one in which it begins; `now` is when what has no time was
    deleted; `without_offset` counts the times without an offset by entry.

    `is_administrative` says whether a key holds a setting or a counter of the program that made
    the source: such keys are reported together. `names_field` returns the field that a key in
    `extra` names if another key for the same field was used, else ""."""

    def __init__(
        self,
        report: Report,
        limits: rich_text.TextLimits,
        *,
        is_administrative: Callable[[str], bool] = lambda _: False,
        names_field: Callable[[Kind, str], str] = lambda _, __: "",
    ) -> None:
        self.zone: tzinfo = UTC
        self.language: str | None = None
        self.year: int | None = None
        self.now = datetime.now(UTC)
        self.without_offset: Counter[str] = Counter()
        self._limits = limits
        self._report = report
        self._is_administrative = is_administrative
        self._names_field = names_field
        self._times: dict[str, tuple[datetime, bool]] = {}
        self._kept_keys: dict[tuple[Kind, str], KeptKey] = {}

    def build(  # noqa: PLR0917 - one for each sort of field
        self,
        kind: Kind,
        fields: dict[str, Any],
        extra: dict[str, Any],
        references: dict[str, tuple[Reference, ...]],
        index: int,
        entry: str,
    ) -> Record:
        """Make a record. `fields` are values by the names that the kind's `Shape` lists, and the
        source id as `id`; `extra` is what no field takes, under the source's keys; `index` counts
        the records of the entry from 0. Both dictionaries become the record's own."""
        source_id = fields.pop("id", None)
        record = Record(index, values.source_key(source_id), fields, extra, references)
        if extra:
            self._note_keys(kind, record, entry)
        if source_id is not None and record.key is None:
            record.keep("id", source_id)
            self._warn(
                "bad-id",
                "The id is not valid. The record was imported without it.",
                record,
                entry,
                "id",
            )
        shape = SHAPES[kind]
        self._prepare(kind, record, entry)
        if "deleted_at" in fields:
            self._read_deletion(record, entry)
        if kind is Kind.SESSION_TYPE and "length" in fields:
            self._read_length(record, entry)
        if kind is Kind.SESSION and "state" in fields:
            self._read_state(record, entry)
        self._read_times(kind, record, entry)
        for name in shape.rich:
            text = fields.get(name)
            if isinstance(text, str) and "<" in text:
                self._clean(record, name, text, entry)
        for name in shape.links:
            if name in fields:
                self._read_link(kind, record, name, entry)
        for name in shape.media:
            if name in fields:
                self._check_medium(record, name, entry)
        self._validate(kind, record, entry)
        return record

    def restore(  # noqa: PLR0917 - as in `build`
        self,
        kind: Kind,
        fields: dict[str, Any],
        extra: dict[str, Any],
        references: dict[str, tuple[Reference, ...]],
        index: int,
        entry: str,
    ) -> Record:
        """Make a record of what an export of this service says: values are as they were stored, and
        are not interpreted again. A file can be edited, so they are checked as in `build`."""
        record = Record(index, values.source_key(fields.pop("id", None)), fields, extra, references)
        shape = SHAPES[kind]
        for name in (*shape.times, DELETED):
            if name in fields:
                self._restore_time(record, name, entry)
        for name in shape.rich:
            text = fields.get(name)
            if isinstance(text, str) and "<" in text:
                self._clean(record, name, text, entry)
        for name in shape.links:
            link = fields.get(name)
            if isinstance(link, str) and not values.is_safe_link(link):
                self._set_aside(record, name, entry, "not a link to the web")
        for name in shape.media:
            if name in fields:
                self._check_medium(record, name, entry)
        self._validate(kind, record, entry)
        return record

    def _restore_time(self, record: Record, name: str, entry: str) -> None:
        given = record.values[name]
        try:
            time = datetime.fromisoformat(given)
        except (TypeError, ValueError):
            time = None
        if time is None or time.tzinfo is None:
            self._set_aside(record, name, entry, "not a time with an offset from UTC")
        else:
            record.values[name] = in_zone(time, self.zone)

    def note_keys(self, kind: Kind, record: Record, entry: str, keys: Iterable[str]) -> None:
        """Report these keys of the record's `extra` later, as those that no field takes."""
        for key in keys:
            self._note_key(kind, record, entry, key, record.extra[key])

    def keep_document(self, name: str, content: Any, record: Record, entry: str) -> None:
        """Keep a document that has no table with a record."""
        record.keep(name, content)
        self._kept_keys[Kind.EVENT, name] = KeptKey(Place(entry), None, administrative=True)

    def report_keys(self, entry: str) -> None:
        """Report the keys that no field takes, each once with the number of its records; `entry`
        is the event's."""
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
                "Settings and counters of the program that exported the event are"
                f" not imported. They are kept in `extra`: {some(names)}."
            )
            self._report.add(
                Severity.WARNING, "administration", message, Place(entry), count=len(names)
            )

    def _note_keys(self, kind: Kind, record: Record, entry: str) -> None:
        for key, value in record.extra.items():
            self._note_key(kind, record, entry, key, value)

    def _note_key(self, kind: Kind, record: Record, entry: str, key: str, value: Any) -> None:
        kept = self._kept_keys.get((kind, key))
        if kept is not None:
            kept.count += 1
        elif len(self._kept_keys) < MAX_KNOWN_KEYS:
            self._kept_keys[kind, key] = KeptKey(
                place_of(record, entry, shown(key)),
                value,
                self._names_field(kind, key),
                administrative=self._is_administrative(key),
            )

    def report_without_offset(self, zone_name: str | None) -> None:
        """Report what the times without an offset were read as, once for each document. `zone_name`
        is the event's time zone, if it is known."""
        for entry, count in self.without_offset.items():
            if not count:
                continue
            times = "time has" if count == 1 else "times have"
            message = (
                f"{count:,} {times} no offset from UTC. Local times of"
                f" “{zone_name or 'UTC'}” were used"
            )
            if zone_name is not None:
                self._report.repair("no-offset", message, Place(entry))
            else:
                message += (
                    ", because the event has no known time zone. "
                    "To read them as local times, set the option `timezone`."
                )
                self._report.warning("no-offset", message, Place(entry))

    def check_label(self, kind: Kind, record: Record, entry: str) -> None:
        """Report a record without a name: people cannot find it."""
        label = LEVELS[kind].label
        if kind not in WITHOUT_LABEL and not record.values.get(label):
            self._warn(
                "no-name",
                f"The {kind.replace('_', ' ')} has no {label}. Visitors cannot find it.",
                record,
                entry,
                label,
            )

    def _prepare(self, kind: Kind, record: Record, entry: str) -> None:
        """Make texts of what stands in their place, and decode character references in titles."""
        shape = SHAPES[kind]
        given = record.values
        for name, value in given.items():
            if isinstance(value, str):
                if name in shape.plain:
                    if "&" in value:
                        self._decode(record, name, value, entry)
                elif name in shape.flags:
                    given[name] = value.strip()
            elif name in shape.texts and not isinstance(value, int):
                self._make_text(shape, record, name, entry)

    def _decode(self, record: Record, name: str, value: str, entry: str) -> None:
        decoded = rich_text.decode_references(value)
        if decoded != value:
            record.values[name] = decoded
            message = f"Character references such as “&amp;” were decoded: “{decoded}”."
            self._report.repair(
                "character-references", message, place_of(record, entry, name), value
            )

    def _make_text(self, shape: Shape, record: Record, name: str, entry: str) -> None:
        value = record.values[name]
        if isinstance(value, float):
            if value.is_integer() and name not in shape.media and name not in shape.links:
                # Spreadsheets make numbers with a decimal point of telephone numbers.
                record.values[name] = str(int(value))
            return
        place = place_of(record, entry, name)
        if isinstance(value, list) and len(value) == 1:
            value = value[0]
            if isinstance(value, str) and value:
                record.values[name] = value
                message = "The value is a list of one text. The text is used."
                self._report.repair("list-of-one", message, place, record.values[name])
                return
        if not isinstance(value, dict):
            return
        if name in shape.links or name in shape.media:
            inner = next((value[key] for key in LINK_KEYS if isinstance(value.get(key), str)), None)
            if inner:
                rest = {
                    key: other for key, other in value.items() if other not in (inner, None, "")
                }
                record.values[name] = inner
                if rest:
                    record.keep(name, rest)
                message = "The value is an object with a link. The link is used."
                self._report.repair("object-with-link", message, place, inner)
                return
        chosen = values.translation(value, self.language)
        if chosen is not None:
            language, text = chosen
            record.keep(name, record.values[name])
            record.values[name] = text
            self._report.warning("translated", translated_message(language), place, text)

    def _read_length(self, record: Record, entry: str) -> None:
        given = record.values["length"]
        found = read_length(given)
        if found is None:
            self._set_aside(record, "length", entry, "not a length in hours and minutes")
            return
        record.values["length"] = found.text
        place = place_of(record, entry, "length")
        if found.doubt:
            message = f"The length was read as “{found.text}”, {found.doubt}."
            self._report.warning("length", message, place, given)
        elif found.text != given:
            self._report.repair("length", f"The length was read as “{found.text}”.", place, given)

    def _read_times(self, kind: Kind, record: Record, entry: str) -> None:
        local = self.zone
        if kind is Kind.SPEAKERS_CALL and isinstance(record.values.get("timezone"), str):
            local = self._read_zone(record, entry)
        moved = _NO_TIME
        for name in SHAPES[kind].times:
            if name in record.values:
                moved = self._read_time(kind, record, name, entry, local, moved)

    def _read_time(  # noqa: PLR0917 - what a time depends on
        self,
        kind: Kind,
        record: Record,
        name: str,
        entry: str,
        local: tzinfo,
        moved: timedelta,
    ) -> timedelta:
        """Read one time; `moved` is by how much the record's start had to be moved, which is
        returned if this is not one."""
        given = record.values[name]
        # A programme has few slots, and many sessions in each.
        plain = isinstance(given, str) and not moved and local is self.zone
        if plain and (known := self._times.get(given)) is not None:
            record.values[name], has_offset = known
            self.without_offset[entry] += not has_offset
            return moved
        found = TimeReading(given) if isinstance(given, datetime) else read_time(given, local)
        time = found.time
        if time is None and found.day is not None and kind in DAYS_ARE_ENOUGH and name in BOUNDS:
            time = self._whole_day(record, name, found.day, entry)
        if time is None:
            problem = found.problem or "not a date and time"
            code = "date-without-time" if found.day is not None else "invalid-value"
            self._set_aside(record, name, entry, problem, code)
            return moved
        has_offset = time.tzinfo is not None
        place = place_of(record, entry, name)
        clean = not found.repaired and not found.doubt
        shift = moved if name == "ends_at" else _NO_TIME
        if not has_offset:
            self.without_offset[entry] += 1
            gap = local_gap(time, local)
            if gap:
                clean, shift = False, gap
                moved = gap if name == "starts_at" else moved
                message = (
                    f"“{time:%Y-%m-%d %H:%M}” does not exist in the time zone,"
                    " because the clocks change. The time was moved by"
                    f" {_hours(gap)}."
                )
                self._report.warning("time-skipped", message, place, given)
                gap = _NO_TIME
            elif shift:
                clean = False
                message = f"The end was moved by {_hours(shift)}, together with the start."
                self._report.warning("time-skipped", message, place, given)
            elif is_repeated(time, local):
                clean = False
                message = (
                    f"“{time:%Y-%m-%d %H:%M}” occurs twice in the time zone,"
                    " because the clocks change. The first of the two times is"
                    " used."
                )
                self._report.warning("time-repeated", message, place, given)
        read = in_zone(time + shift if not has_offset else time, local)
        if self._is_far(kind, name, read):
            why = f"more than {MAX_YEARS} years from the event"
            self._set_aside(record, name, entry, why, "time-far-away")
            return moved
        record.values[name] = read
        if found.doubt:
            message = f"The time was read as “{_shown(time)}”: {found.doubt}."
            self._report.warning("time", message, place, given)
        elif found.repaired:
            self._report.repair("time", f"The time was read as “{_shown(time)}”.", place, given)
        if plain and clean and len(self._times) < MAX_KNOWN_TIMES:
            self._times[given] = read, has_offset
        if kind is Kind.EVENT and name == "starts_at" and FIRST_YEAR < read.year < LAST_YEAR:
            self.year = read.year
        return moved

    def _whole_day(self, record: Record, name: str, day: date, entry: str) -> datetime:
        """The beginning of a day, or its last minute if something ends on it."""
        at = clock(23, 59) if name.endswith("ends_at") else clock(0)
        message = f"The date has no time. It was read as {at:%H:%M} on that day."
        given = record.values[name]
        self._report.warning("date-without-time", message, place_of(record, entry, name), given)
        return datetime.combine(day, at)

    def _is_far(self, kind: Kind, name: str, time: datetime) -> bool:
        """Whether a time is so far from the event that it must mean something else."""
        if self.year is None or (kind is Kind.EVENT and name == "starts_at"):
            return False
        return abs(time.year - self.year) > MAX_YEARS

    def _read_zone(self, record: Record, entry: str) -> tzinfo:
        given = record.values["timezone"]
        found = find_zone(given)
        if found is None:
            self._set_aside(record, "timezone", entry, "an unknown time zone")
            return self.zone
        if found.name != given:
            record.values["timezone"] = found.name
            message = f"The time zone was read as “{found.name}”"
            self._report.repair("timezone", message, place_of(record, entry, "timezone"), given)
        return zone(found.name)

    def _read_deletion(self, record: Record, entry: str) -> None:
        given = record.values.pop("deleted_at")
        if (isinstance(given, str) and given.strip().casefold() in NOT_DELETED) or not given:
            return
        found = read_time(given, self.zone)
        record.values["deleted_at"] = in_zone(found.time, self.zone) if found.time else self.now
        if found.time is None and str(given).strip().casefold() not in DELETED_WORDS:
            record.keep("deleted_at", given)
        message = (
            "The record is deleted in the archive. It was imported as deleted, and is not public."
        )
        self._report.warning(
            "deleted-record", message, place_of(record, entry, "deleted_at"), given
        )

    def _read_state(self, record: Record, entry: str) -> None:
        given = record.values["state"]
        if not isinstance(given, str) or given in USUAL_STATES:
            return
        state = " ".join(given.split()).casefold()
        state = SESSION_STATES.get(state, state)
        if state != given:
            record.values["state"] = state
            message = f"The state was read as {state[:40]}."
            place = place_of(record, entry, "state")
            self._report.repair("state", message, place, given)

    def _clean(self, record: Record, name: str, text: str, entry: str) -> None:
        found = rich_text.clean(text, self._limits)
        record.values[name] = found.text
        if found.removed is None:
            return
        record.keep(name, text)
        place = place_of(record, entry, name)
        kept = "The original is kept in `extra`."
        if found.over_limit:
            message = f"All markup was removed, because {found.over_limit}. {kept}"
            self._report.warning("html-over-limit", message, place, text)
        elif found.only_looks:
            message = (
                f"Formatting that event pages do not support was removed: “{found.removed}”. {kept}"
            )
            self._report.repair("html-simplified", message, place, text)
        else:
            message = f"HTML that is not allowed was removed: “{found.removed}”. {kept}"
            self._report.warning("html-removed", message, place, text)

    def _read_link(self, kind: Kind, record: Record, name: str, entry: str) -> None:
        original = given = record.values[name]
        if isinstance(given, int) and not isinstance(given, bool):
            # The same digits as text are treated alike.
            given = str(given)
        if not isinstance(given, str):
            return
        site = name if name in web_links.SITES or name == web_links.MASTODON else None
        if kind is Kind.SOCIAL_LINK and isinstance(record.values.get("name"), str):
            site = web_links.site_named(record.values["name"])
        found = web_links.read_link(given, site)
        if found.link is None:
            private = {"email": found.address, "mobile": found.telephone}
            for column, value in private.items():
                if value and column in SHAPES[kind].fields:
                    record.values.setdefault(column, value)
            del record.values[name]
            record.keep(name, original)
            place = place_of(record, entry, name)
            if found.repaired:
                message = f"“{given.strip()[:40]}” was read as “no link”."
                self._report.repair("no-link", message, place, given)
            else:
                message = (
                    f"The value is {found.problem}. It is kept in `extra`, and the"
                    " event does not show it."
                )
                self._report.warning("link", message, place, given)
            return
        record.values[name] = found.link
        if kind is Kind.SOCIAL_LINK and site is not None and not web_links.web_url(found.link):
            record.values[name] = web_links.profile_url(site, found.link) or found.link
        if found.problem:
            record.keep(name, original)
            message = f"The value is {found.problem}. The original is kept in `extra`."
            self._report.warning("link", message, place_of(record, entry, name), given)
        elif record.values[name] != given.strip():
            message = f"The link was read as “{record.values[name]}”."
            self._report.repair("link", message, place_of(record, entry, name), given)

    def _check_medium(self, record: Record, name: str, entry: str) -> None:
        value = record.values[name]
        if not isinstance(value, str):
            self._set_aside(record, name, entry, "neither a path nor a link")
        elif value.strip().casefold() in web_links.NOTHING:
            del record.values[name]
            record.keep(name, value)
            message = f"“{value.strip()[:40]}” was read as “no file”."
            self._report.repair("no-file", message, place_of(record, entry, name), value)
        elif not values.is_media_source(value):
            self._set_aside(record, name, entry, "neither a path nor a link")

    def _validate(self, kind: Kind, record: Record, entry: str) -> None:
        validate = SHAPES[kind].validate
        try:
            record.values = validate(record.values)
        except ValidationError as error:
            for detail in error.errors(include_url=False, include_input=False):
                name = str(detail["loc"][0])
                if name in record.values:
                    self._set_aside(record, name, entry, _problem(detail))
            record.values = validate(record.values)

    def _set_aside(
        self,
        record: Record,
        name: str,
        entry: str,
        why: str,
        code: str = "invalid-value",
    ) -> None:
        value = record.values.pop(name)
        record.keep(name, value)
        place = place_of(record, entry, name)
        self._report.warning(
            code,
            f"The value is {why}. It is kept in `extra`, and the event does not show it.",
            place,
            value,
        )

    def _warn(self, code: str, message: str, record: Record, entry: str, field_name: str) -> None:
        self._report.warning(code, message, place_of(record, entry, field_name))


def same(  # noqa: PLR0911, PLR0917 - one for each sort of field
    kind: Kind, name: str, raw: Any, value: Any, zone: tzinfo, limits: rich_text.TextLimits
) -> bool:
    """Whether a raw value, nested in a reference, says what the record it refers to says."""
    # Lists and objects as text would be compared whole, once for each reference.
    nested = isinstance(raw, (dict, list)) or isinstance(value, (dict, list))
    if raw == value or (not nested and str(raw) == str(value)):
        return True
    if isinstance(value, datetime):
        time = read_time(raw, zone).time
        return time is not None and in_zone(time, zone) == value
    if kind is Kind.SESSION_TYPE and name == "length":
        return bool(parse_length(raw) == value)
    if isinstance(raw, str) and isinstance(value, str):
        if name == LEVELS[kind].label and values.label_key(raw) == values.label_key(value):
            return True
        return bool(name in SHAPES[kind].rich and rich_text.clean(raw, limits).text == value)
    if isinstance(value, bool) and isinstance(raw, str):
        return raw.strip().casefold() == str(value).casefold()
    return False


def translated_message(language: str) -> str:
    """What a finding says of a text in several languages."""
    return f"The text is in several languages. “{language}” is shown, and all are kept in `extra`."


def _problem(detail: ErrorDetails) -> str:
    """What is wrong with a value, for people who have never seen JSON or Python."""
    sort = detail["type"].partition("_")[0]
    return PROBLEMS.get(sort) or detail["msg"].removeprefix("Value error, ")


def _hours(delta: timedelta) -> str:
    minutes = int(delta.total_seconds()) // 60
    return (
        f"{minutes // 60} hours"
        if minutes % 60 == 0 and minutes != 60
        else ("an hour" if minutes == 60 else f"{minutes} minutes")
    )


def _shown(time: datetime) -> str:
    offset = time.strftime("%z")
    shown = f"{time:%Y-%m-%d %H:%M}"
    return f"{shown} {offset[:3]}:{offset[3:5]}" if offset else shown
