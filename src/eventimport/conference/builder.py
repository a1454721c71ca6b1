"""Records → a conference. Every format's reader makes its conference through this.

A reader gives a `ConferenceBuilder` the event first, then all other records in any order. The
event's time zone, language and year decide what other values mean:

    builder = ConferenceBuilder(report, limits, entry="schedule.xml")
    builder.add(Kind.EVENT, {"name": "FOSDEM", "timezone": "Europe/Brussels"}, 0)
    builder.add(
        Kind.SESSION,
        {"id": "7", "title": "Opening", "starts_at": "2026-02-01 09:00", "long_abstract": "<p>…"},
        index,
        extra={"slug": "opening"},
        references={"track": (Reference(Kind.TRACK, "main", "Main"),)},
    )
    builder.derive(Kind.TRACK)
    conference = builder.finish()

Values are given as the source has them: text for times, numbers or HTML will do. What they mean is
decided in `fields.py`, which reports what is repaired or kept in `extra`.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from eventimport.conference import values
from eventimport.conference.conference import Conference, Record, Reference, place_of
from eventimport.conference.fields import RecordBuilder
from eventimport.conference.kinds import IMPORT_ORDER, LEVELS, SHAPES, Kind
from eventimport.conference.report import Check, Place, Report, go_on
from eventimport.conference.rich_text import TextLimits
from eventimport.conference.unknown_keys import UnknownKeys
from eventimport.conference.zones import find_zone, zone


@dataclass(frozen=True, slots=True, kw_only=True)
class EventChoices:
    """What the user says about the event; it counts instead of what the source says. `timezone` is
    a name that `find_zone` returns. `language` is also that of sessions that name none."""

    timezone: str | None = None
    name: str | None = None
    language: str | None = None


def read_event_zone(given: Any, place: Place, report: Report) -> str | None:
    """The name of an event's time zone, None if it is unknown. Reports what is odd about it."""
    found = find_zone(given) if isinstance(given, str) else None
    if found is None:
        message = (
            "The time zone of the event is unknown. UTC is used, and the original"
            " value is kept in `extra`."
        )
        report.warning("timezone", message, place, given)
        return None
    message = f"The time zone was read as “{found.name}”"
    if found.doubt:
        report.warning("timezone", f"{message}: {found.doubt}.", place, given)
    elif found.is_fixed:
        message = (
            f"The time zone of the event is “{found.name}”, a fixed offset"
            " from UTC. It does not follow daylight saving time."
        )
        report.warning("timezone", message, place, given)
    elif found.name != given:
        report.repair("timezone", message, place, given)
    return found.name


class ConferenceBuilder:
    """Collects the records of one source. `entry` is the document that records are from; set
    `conference.entries` for kinds that have documents of their own. `check` is called often, and
    raises an exception if the work must stop. For the other arguments see `UnknownKeys`."""

    def __init__(
        self,
        report: Report,
        limits: TextLimits,
        check: Check = go_on,
        *,
        entry: str,
        is_administrative: Callable[[str], bool] = lambda _: False,
        names_field: Callable[[Kind, str], str] = lambda _, __: "",
        choices: EventChoices = EventChoices(),
    ) -> None:
        kinds = [level.kind for level in IMPORT_ORDER]
        self.conference = Conference(
            {kind: [] for kind in kinds}, dict.fromkeys(kinds, entry), limits=limits
        )
        self._report = report
        self._check = check
        self._choices = choices
        self._zone_name: str | None = None
        self._fields = RecordBuilder(report, limits)
        self._fields.language = choices.language
        self._unknown = UnknownKeys(is_administrative=is_administrative, names_field=names_field)

    def set_language(self, language: str | None) -> None:
        """Set the event's language: the one that is used of a text in several languages. The user's
        choice counts instead."""
        chosen = self._choices.language
        if chosen and language and language.replace("_", "-").casefold() != chosen.casefold():
            message = f"“{chosen}” is used as the event's language, because you chose it"
            place = Place(self.conference.entries[Kind.EVENT], field="language")
            self._report.warning("other-language", message, place, language)
        self._fields.language = chosen or language

    def add(
        self,
        kind: Kind,
        fields: dict[str, Any],
        index: int,
        *,
        extra: dict[str, Any] | None = None,
        references: dict[str, tuple[Reference, ...]] | None = None,
        entry: str | None = None,
    ) -> Record:
        """Add a record. `fields` are values by the names of `SHAPES[kind].fields`, and the source
        id as `id`; `extra` is what no field takes, under the source's own keys; `references` are by
        the names of `LEVELS[kind].references`. `index` counts from 0 in the entry."""
        entry = entry or self.conference.entries[kind]
        replaced = self._apply_choices(kind, fields, entry)
        unknown = list(extra or ())
        record = self._fields.build(kind, fields, extra or {}, references or {}, index, entry)
        self._unknown.add(kind, record, entry, unknown)
        if kind is Kind.EVENT:
            self._finish_event(record, replaced, entry)
        else:
            self._fields.check_label(kind, record, entry)
        self.conference.records[kind].append(record)
        return record

    def restore(
        self,
        kind: Kind,
        fields: dict[str, Any],
        index: int,
        *,
        extra: dict[str, Any],
        unknown: dict[str, Any],
        references: dict[str, tuple[Reference, ...]],
        link_key: str | None,
        entry: str,
    ) -> Record:
        """Add a record of an export of this service: the values stay as they are. `extra` is
        what the export says that it had; `unknown` are keys beside it, which are reported."""
        replaced = self._apply_choices(kind, fields, entry)
        record = self._fields.restore(kind, fields, extra, references, index, entry)
        record.link_key = link_key
        for name, value in unknown.items():
            record.keep(name, value)
        self._unknown.add(kind, record, entry, unknown)
        if kind is Kind.EVENT:
            self._finish_event(record, replaced, entry)
        self.conference.records[kind].append(record)
        return record

    def keep_document(self, name: str, content: Any) -> None:
        """Keep a document that has no table with the event."""
        self.conference.event.keep(name, content)
        self._unknown.add_document(name, self.conference.entries[Kind.EVENT])

    def derive(self, kind: Kind) -> None:
        """Make the records of a kind out of what sessions say about them, if the source has no list
        of them. If a format knows records only by their names, make the name the reference's key,
        too: it is the source id then, and is found without a finding."""
        field = next(ref.field for ref in LEVELS[Kind.SESSION].references if ref.kind is kind)
        label, shape = LEVELS[kind].label, SHAPES[kind]
        entry = self.conference.entries[Kind.SESSION]
        seen: set[tuple[str | None, str]] = set()
        for session in self.conference.records[Kind.SESSION]:
            for reference in session.references.get(field, ()):
                if reference.label is None or reference.either:
                    continue
                identity = reference.key, values.label_key(reference.label)
                if identity in seen:
                    continue
                seen.add(identity)
                given = {"id": reference.key, label: reference.label, **reference.rest}
                if reference.key is None:
                    del given["id"]
                fields = {n: given.pop(n) for n in ("id", *shape.fields) if n in given}
                self.add(kind, fields, session.index, extra=given, entry=entry)
        if seen:
            self.conference.entries[kind] = entry
            what = kind.replace("_", " ")
            message = (
                f"The archive has no list of {what}s. {len(seen)} were created from the sessions."
            )
            self._report.repair(f"{kind.replace('_', '-')}s-derived", message, Place(entry))

    def finish(self, *, is_restored: bool = False) -> Conference:
        """Return the conference, each kind sorted by source id, without repeated records. Report
        what concerns many records. The records of an export stay as they are (`is_restored`)."""
        conference = self.conference
        conference.zone = self._fields.times.zone
        for kind, records in () if is_restored else conference.records.items():
            records[:] = self._without_repetitions(kind, records)
            records.sort(key=lambda record: values.sort_key(record.key))
        self._unknown.report(self._report, conference.entries[Kind.EVENT])
        self._fields.times.report_without_offset(self._zone_name)
        return conference

    def _apply_choices(self, kind: Kind, fields: dict[str, Any], entry: str) -> dict[str, Any]:
        """Set what the user chose. Return the values of the source's event that are replaced."""
        if kind is Kind.EVENT:
            return self._choose(fields, entry) | self._read_zone(fields, entry)
        if kind is Kind.SESSION and self._choices.language and not fields.get("language"):
            fields["language"] = self._choices.language
        return {}

    def _choose(self, fields: dict[str, Any], entry: str) -> dict[str, Any]:
        """Set the fields that the user chose. Return the source's values that they replace."""
        replaced = {}
        for name, what in (("name", "name"), ("timezone", "time zone")):
            chosen: str | None = getattr(self._choices, name)
            given = fields.get(name)
            if chosen is None or chosen == (_zone_named(given) if name == "timezone" else given):
                continue
            fields[name] = chosen
            if given in (None, "") or (isinstance(given, str) and not given.strip()):
                continue
            replaced[name] = given
            message = (
                f"“{chosen}” is used as the event's {what}, because you chose it; "
                "the source's value is kept in `extra`"
            )
            self._report.warning(f"other-{name}", message, Place(entry, field=name), given)
        return replaced

    def _read_zone(self, fields: dict[str, Any], entry: str) -> dict[str, Any]:
        """Settle what times without an offset are local to. Return what is not a time zone."""
        given = fields.get("timezone")
        if given is None:
            return {}
        place = Place(entry, field="timezone")
        name = read_event_zone(given, place, self._report)
        if name is None:
            return {"timezone": fields.pop("timezone")}
        self._zone_name = fields["timezone"] = name
        self._fields.times.zone = zone(name)
        return {}

    def _finish_event(self, event: Record, replaced: dict[str, Any], entry: str) -> None:
        for name, value in replaced.items():
            event.keep(name, value)
        for name in ("state", "privacy"):
            if name in event.values:
                event.values[name] = event.values[name].strip().lower()
        if not event.values.get("name"):
            self._report.error(
                "no-event-name",
                "The event has no name. Add a name to it, or set the option `name`.",
                Place(entry, field="name"),
            )

    def _without_repetitions(self, kind: Kind, records: list[Record]) -> Iterable[Record]:
        # The rows of a form share the id of the form that they are fields of.
        if kind is Kind.CUSTOM_FORM or len({record.key for record in records}) == len(records):
            return list(records)
        shared = Counter(record.key for record in records)
        kept: list[Record] = []
        seen: set[tuple[str | None, bytes]] = set()
        keys: set[str] = set()
        entry = self.conference.entries[kind]
        for record in records:
            self._check()
            if record.key is None or shared[record.key] == 1:
                kept.append(record)
                continue
            content = record.key, _digest(record)
            if content in seen:
                message = (
                    "The record is in the archive twice, with the same content. It"
                    " was imported once."
                )
                self._report.repair("repeated-record", message, place_of(record, entry))
                continue
            if record.key in keys:
                message = f"Another {kind.replace('_', ' ')} has the same id. Both were imported."
                self._report.warning("shared-id", message, place_of(record, entry))
            keys.add(record.key)
            seen.add(content)
            kept.append(record)
        return kept


def _zone_named(text: Any) -> str | None:
    found = find_zone(text) if isinstance(text, str) else None
    return found.name if found is not None else None


def _digest(record: Record) -> bytes:
    """A digest of the record's content, so that records with one id need not be compared in
    pairs."""
    references = {
        name: [reference.source for reference in given] for name, given in record.references.items()
    }
    content = [record.values, record.extra, references]
    text = json.dumps(content, default=repr, sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=16).digest()
