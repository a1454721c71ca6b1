"""Values as a source gives them → a record: typed, cleaned, and nothing of it lost.

A format's reader finds out which field a value belongs to; what the value means is decided here,
the same for all formats. `RecordBuilder.build` decodes texts, cleans rich text, reads times,
lengths, states, links and marks of deletion, and checks types. What it repairs is reported. What no
field can hold goes to `extra`, with a finding.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any, Final, Self

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from eventimport.conference import rich_text, values, web_links
from eventimport.conference.conference import Record, Reference, place_of, set_aside
from eventimport.conference.kinds import DELETED, LEVELS, SHAPES, Kind, Shape
from eventimport.conference.lengths import parse_length, read_length
from eventimport.conference.report import Report
from eventimport.conference.time_fields import TimeFields
from eventimport.conference.times import in_zone, read_time
from eventimport.conference.unknown_keys import SINGLE

MAX_KNOWN_STEPS: Final = 1_000
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


@dataclass(frozen=True, slots=True)
class _Steps:
    """What there is to do for records that have the same fields, of the same types: which fields
    need each step. In `unchecked`, values may be of another type than their field. `is_odd` says
    that one of those is to be made a text first."""

    is_odd: bool
    plain: tuple[str, ...]
    times: tuple[str, ...]
    rich: tuple[str, ...]
    links: tuple[str, ...]
    media: tuple[str, ...]
    unchecked: tuple[str, ...]

    @classmethod
    def of(cls, shape: Shape, types: dict[str, type]) -> Self:
        """The steps for values of these types, by the names of their fields."""
        unchecked = tuple(
            name
            for name, found in types.items()
            if not (found is str and name in shape.texts)
            and not (found is bool and name in shape.flags)
            and name not in shape.times
            and name != DELETED
        )
        is_odd = any(name in shape.texts or name in shape.flags for name in unchecked)
        return cls(
            is_odd,
            () if is_odd else tuple(name for name in types if name in shape.plain),
            tuple(name for name in shape.times if name in types),
            tuple(name for name in shape.rich if name in types),
            tuple(name for name in shape.links if name in types),
            tuple(name for name in shape.media if name in types),
            unchecked,
        )


class RecordBuilder:
    """Makes records of all kinds. `language` is the event's: the one that is used of a text in
    several languages."""

    def __init__(self, report: Report, limits: rich_text.TextLimits) -> None:
        self.times = TimeFields(report)
        self.language: str | None = None
        self._now = datetime.now(UTC)
        self._limits = limits
        self._report = report
        self._steps: dict[tuple[Any, ...], _Steps] = {}

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
        the records of the entry from 0. `extra` becomes the record's own."""
        source_id = fields.pop("id", None)
        # What was taken out has left gaps: a copy needs half of the memory.
        fields = {**fields}
        record = Record(index, values.source_key(source_id), fields, extra, references)
        if source_id is not None and record.key is None:
            record.keep("id", source_id)
            message = "The id is not valid. The record was imported without it."
            self._report.warning("bad-id", message, place_of(record, entry, "id"))
        steps = self._steps_for(kind, fields)
        if steps.is_odd:
            self._prepare(kind, record, entry)
        for name in steps.plain:
            if "&" in fields[name]:
                self._decode(record, name, fields[name], entry)
        if DELETED in fields:
            self._read_deletion(record, entry)
        if kind is Kind.SESSION_TYPE and "length" in fields:
            self._read_length(record, entry)
        if kind is Kind.SESSION and "state" in fields:
            self._read_state(record, entry)
        self.times.read(kind, record, entry, steps.times)
        self._clean_texts(steps.rich, record, entry)
        for name in steps.links:
            if not web_links.is_usual(fields[name]):
                self._read_link(kind, record, name, entry)
        self._check_media(steps.media, record, entry)
        if steps.unchecked:
            self._validate(kind, record, entry, steps.unchecked)
        return record

    def _steps_for(self, kind: Kind, fields: dict[str, Any]) -> _Steps:
        """What there is to do. Most records of a source have the same fields, of the same types."""
        types = kind, *fields, *map(type, fields.values())
        steps = self._steps.get(types)
        if steps is None:
            given = {name: type(value) for name, value in fields.items()}
            steps = _Steps.of(SHAPES[kind], given)
            if len(self._steps) < MAX_KNOWN_STEPS:
                self._steps[types] = steps
        return steps

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
                self.times.restore(record, name, entry)
        self._clean_texts(shape.rich, record, entry)
        for name in shape.links:
            link = fields.get(name)
            if isinstance(link, str) and not values.is_safe_link(link):
                set_aside(self._report, record, name, entry, "not a link to the web")
        self._check_media(shape.media, record, entry)
        self._validate(kind, record, entry, fields)
        return record

    def check_label(self, kind: Kind, record: Record, entry: str) -> None:
        """Report a record without a name: people cannot find it."""
        label = LEVELS[kind].label
        if kind not in SINGLE and not record.values.get(label):
            message = f"The {kind.replace('_', ' ')} has no {label}. Visitors cannot find it."
            self._report.warning("no-name", message, place_of(record, entry, label))

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
            set_aside(self._report, record, "length", entry, "not a length in hours and minutes")
            return
        record.values["length"] = found.text
        place = place_of(record, entry, "length")
        if found.doubt:
            message = f"The length was read as “{found.text}”, {found.doubt}."
            self._report.warning("length", message, place, given)
        elif found.text != given:
            self._report.repair("length", f"The length was read as “{found.text}”.", place, given)

    def _read_deletion(self, record: Record, entry: str) -> None:
        given = record.values.pop("deleted_at")
        if (isinstance(given, str) and given.strip().casefold() in NOT_DELETED) or not given:
            return
        found = read_time(given, self.times.zone)
        record.values["deleted_at"] = (
            in_zone(found.time, self.times.zone) if found.time else self._now
        )
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

    def _clean_texts(self, names: Iterable[str], record: Record, entry: str) -> None:
        for name in names:
            text = record.values.get(name)
            if isinstance(text, str) and "<" in text:
                self._clean(record, name, text, entry)

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

    def _check_media(self, names: Iterable[str], record: Record, entry: str) -> None:
        for name in names:
            if name in record.values:
                self._check_medium(record, name, entry)

    def _check_medium(self, record: Record, name: str, entry: str) -> None:
        value = record.values[name]
        if not isinstance(value, str):
            set_aside(self._report, record, name, entry, "neither a path nor a link")
        elif value.strip().casefold() in web_links.NOTHING:
            del record.values[name]
            record.keep(name, value)
            message = f"“{value.strip()[:40]}” was read as “no file”."
            self._report.repair("no-file", message, place_of(record, entry, name), value)
        elif not values.is_media_source(value):
            set_aside(self._report, record, name, entry, "neither a path nor a link")

    def _validate(self, kind: Kind, record: Record, entry: str, names: Iterable[str]) -> None:
        """Check the values of these fields, and convert them to the fields' types."""
        validate = SHAPES[kind].validate
        given = {name: record.values[name] for name in names if name in record.values}
        try:
            record.values.update(validate(given))
        except ValidationError as error:
            for detail in error.errors(include_url=False, include_input=False):
                name = str(detail["loc"][0])
                if name in given:
                    del given[name]
                    set_aside(self._report, record, name, entry, _problem(detail))
            record.values.update(validate(given))


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
