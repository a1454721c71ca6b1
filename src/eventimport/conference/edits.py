"""A record as a client writes it, checked as an import checks it, with the same words.

What an import would repair is repaired, and what it would warn of is accepted: both are findings.
What no field accepts is refused, because a client can correct it; an import keeps it in `extra`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from eventimport.conference.builder import read_event_zone
from eventimport.conference.conference import Conference, Record
from eventimport.conference.fields import RecordBuilder
from eventimport.conference.kinds import DELETED, IMPORT_ORDER, LEVELS, SHAPES, Kind
from eventimport.conference.programme import check_programme
from eventimport.conference.report import Finding, Place, Report, Severity
from eventimport.conference.rich_text import TextLimits
from eventimport.conference.time_fields import FIRST_YEAR, LAST_YEAR
from eventimport.conference.zones import find_zone, zone

_KEPT: Final = ". It is kept in `extra`"
_OVER_LIMIT: Final = "html-over-limit"
_NO_OFFSET: Final = "no-offset"
_ENTRY: Final = ""
_TIMES: Final = frozenset({"starts_at", "ends_at"})
_WATCHED: Final = {
    Kind.EVENT: _TIMES,
    Kind.SPEAKERS_CALL: _TIMES,
    Kind.SESSION: _TIMES | {"state"},
}
"""The fields whose changes concern the programme."""


def depends_on_event(kind: Kind, names: Iterable[str]) -> bool:
    """Whether the event's time zone and times decide how these fields are read."""
    return bool({*SHAPES[kind].times, *_WATCHED.get(kind, ())} & set(names))


@dataclass(frozen=True, slots=True)
class Edit:
    """What a write comes to. `values` are the fields as they are stored, None for those that
    become empty; `extra` has the originals of values that were read differently. `refused` says
    what is wrong, by field: then nothing may be stored."""

    values: dict[str, Any]
    extra: dict[str, Any]
    findings: list[Finding]
    refused: dict[str, str]


def read_edit(
    kind: Kind,
    given: Mapping[str, Any],
    limits: TextLimits,
    *,
    event: Mapping[str, Any],
    known: Mapping[str, Any],
    is_new: bool = False,
) -> Edit:
    """Check the fields that a client writes; None makes a field empty. `event` has the event's
    stored fields, and `known` those of the record itself, if there is one."""
    report = Report()
    builder = RecordBuilder(report, limits)
    fields = {name: value for name, value in given.items() if value is not None and value != ""}
    refused: dict[str, str] = {}
    zone_name = event.get("timezone")
    if kind is Kind.EVENT and "timezone" in fields:
        zone_name = read_event_zone(fields["timezone"], Place(_ENTRY, field="timezone"), report)
        if zone_name is None:
            refused["timezone"] = "The value is an unknown time zone."
            del fields["timezone"]
        else:
            fields["timezone"] = zone_name
    local = find_zone(zone_name) if zone_name else None
    if local is not None:
        builder.times.zone = zone(local.name)
    starts_at = event.get("starts_at")
    if starts_at is not None and FIRST_YEAR < starts_at.year < LAST_YEAR:
        builder.times.year = starts_at.year
    record = builder.build(kind, dict(fields), {}, {}, 0, _ENTRY)
    builder.times.report_without_offset(local.name if local is not None else None)
    if is_new and kind is not Kind.EVENT:
        builder.check_label(kind, record, _ENTRY)
    findings = []
    for finding in report.findings:
        name = finding.place.field or ""
        is_lost = name in fields and name not in record.values
        if name == DELETED:
            continue
        if name in refused or finding.code == _OVER_LIMIT or (is_lost and _is_warning(finding)):
            refused.setdefault(name, _without_kept(finding.message))
        else:
            if finding.code == _NO_OFFSET:
                finding.place = Place(_ENTRY, field=builder.times.first_without_offset)
            findings.append(finding)
    defaults = LEVELS[kind].defaults
    values = {name: defaults.get(name) for name in given} | record.values
    if not refused:
        findings += _programme(kind, event, {**known, **values}, given.keys())
    return Edit(values, record.extra, findings, refused)


def _is_warning(finding: Finding) -> bool:
    return finding.severity is Severity.WARNING


def _without_kept(message: str) -> str:
    return message.partition(_KEPT)[0].rstrip(".") + "."


def _programme(
    kind: Kind, event: Mapping[str, Any], values: Mapping[str, Any], changed: Any
) -> list[Finding]:
    """What is odd about the record's place in the programme, if the write concerns it."""
    if not _WATCHED.get(kind, frozenset()) & set(changed):
        return []
    report = Report()
    conference = Conference(
        {level.kind: [] for level in IMPORT_ORDER},
        {level.kind: _ENTRY for level in IMPORT_ORDER},
    )
    records = conference.records
    records[Kind.EVENT].append(_record(event if kind is not Kind.EVENT else values))
    if kind is not Kind.EVENT:
        records[kind].append(_record(values))
    check_programme(conference, [], report)
    # A changed start may make the end odd.
    about = set(changed) | (_TIMES if _TIMES & set(changed) else set())
    return [each for each in report.findings if each.place.field in about]


def _record(values: Mapping[str, Any]) -> Record:
    given = {name: value for name, value in values.items() if value is not None}
    return Record(0, None, given, {}, {})
