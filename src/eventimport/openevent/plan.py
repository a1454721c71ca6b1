"""Records → the plan of an import: every row, link and medium, before the first is written."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Final

from eventimport.openevent import values
from eventimport.openevent.conference import Conference
from eventimport.openevent.dialect import Dialect, dialects
from eventimport.openevent.id_map import IdMap
from eventimport.openevent.media_plan import MediaPlanner, PlannedMedia
from eventimport.openevent.order import IMPORT_ORDER, LEVELS, LINK_TABLE, SHAPES, Kind, Reference
from eventimport.openevent.record_reader import SourceRecord, place_of, same
from eventimport.openevent.report import Report

LISTED_MEDIA: Final = 1_000
"""The report lists at most so many media; all are counted."""


@dataclass(frozen=True, slots=True)
class TableRows:
    """Rows of one table, values in the order of `columns`. Times are in UTC; JSON is text."""

    table: str
    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]


@dataclass(slots=True)
class Plan:
    """What an import writes, in the order that foreign keys need."""

    event_id: int
    identifier: str
    event_name: str
    tables: list[TableRows] = field(default_factory=list)
    media: list[PlannedMedia] = field(default_factory=list)

    @property
    def counts(self) -> dict[str, int]:
        """Rows per table."""
        return {rows.table: len(rows.rows) for rows in self.tables}

    def media_report(self) -> dict[str, Any]:
        """How many media come from where, and the first of them one by one."""
        return {
            "archive": sum(1 for item in self.media if item.origin == "archive"),
            "missing": sum(1 for item in self.media if item.missing),
            "remote": sum(1 for item in self.media if item.origin == "remote"),
            "items": [item.as_dict() for item in self.media[:LISTED_MEDIA]],
        }


def provisional_ids(counts: Mapping[str, int]) -> dict[str, list[int]]:
    """Ids for a plan that is never written: that of a dry run."""
    numbers = count(1)
    return {table: [next(numbers) for _ in range(number)] for table, number in counts.items()}


def make_plan(
    conference: Conference,
    ids: Mapping[str, Sequence[int]],
    identifier: str,
    entries: Mapping[str, str],
    report: Report,
) -> Plan:
    """Plan the import of a conference. `ids` holds, for each table, as many new ids, in ascending
    order, as `conference.counts()` says; `identifier` is the event's new one; `entries` leads from
    a path in the archive to the entry's name. The conference's records are used up by it."""
    for level in IMPORT_ORDER:
        records = conference.records[level.kind]
        for record, new_id in zip(records, ids[level.table], strict=True):
            record.new_id = new_id
    linker = _Linker(conference, report)
    links = linker.link()
    media = MediaPlanner(entries, report)
    event = conference.event
    plan = Plan(event.new_id, identifier, event.values.get("name", ""))
    for level in IMPORT_ORDER:
        records = conference.records[level.kind]
        for record in records:
            media.plan(level.kind, record, conference.entries[level.kind])
        plan.tables.append(_rows(level.kind, records, event.new_id, identifier))
    media.tell_unused()
    plan.tables.append(TableRows(LINK_TABLE, ("session_id", "speaker_id"), sorted(links)))
    plan.media = media.planned
    return plan


def _rows(kind: Kind, records: list[SourceRecord], event_id: int, identifier: str) -> TableRows:
    level = LEVELS[kind]
    fields = SHAPES[kind].fields
    keys = tuple(ref.column for ref in level.references if not ref.many)
    second = "identifier" if kind is Kind.EVENT else "event_id"
    of_event = identifier if kind is Kind.EVENT else event_id
    defaults = level.defaults
    rows = []
    for record in records:
        given = record.values
        for name, default in defaults.items():
            given.setdefault(name, default)
        extra = json.dumps(record.extra, ensure_ascii=False) if record.extra else "{}"
        rows.append(
            (
                record.new_id,
                of_event,
                record.key,
                extra,
                *map(given.get, fields),
                *map(record.foreign_keys.get, keys),
            )
        )
    return TableRows(level.table, ("id", second, "source_id", "extra", *fields, *keys), rows)


class _Linker:
    """Resolves the references of all records; what they nest and nobody else says is kept."""

    def __init__(self, conference: Conference, report: Report) -> None:
        self._conference = conference
        self._report = report
        self._dialects: dict[Kind, Dialect] = dialects()
        self._maps: dict[Kind, IdMap] = {}

    def link(self) -> set[tuple[int, int]]:
        """Set the foreign keys of all sessions; return the links (session id, speaker id)."""
        by_session = self._links_of(Kind.SESSION, "speakers")
        by_speaker = {(one, other) for other, one in self._links_of(Kind.SPEAKER, "sessions")}
        self._compare(by_session, by_speaker)
        for reference in LEVELS[Kind.SESSION].references:
            if not reference.many:
                self._set_foreign_keys(reference)
        self._link_tracks()
        return by_session | by_speaker

    def _set_foreign_keys(self, reference: Reference) -> None:
        entry = self._conference.entries[Kind.SESSION]
        for session in self._conference.records[Kind.SESSION]:
            raw = session.references.get(reference.field)
            if raw is not None:
                target, rest = self._resolve(reference, raw, session, entry)
                if target is not None:
                    session.foreign_keys[reference.column] = target.new_id
                if rest:
                    session.keep(reference.field, rest)

    def _links_of(self, kind: Kind, name: str) -> set[tuple[int, int]]:
        links: set[tuple[int, int]] = set()
        for record, target in self._many(kind, name):
            links.add((record.new_id, target.new_id))
        return links

    def _many(self, kind: Kind, name: str) -> list[tuple[SourceRecord, SourceRecord]]:
        reference = next(ref for ref in LEVELS[kind].references if ref.field == name)
        entry = self._conference.entries[kind]
        pairs = []
        for record in self._conference.records[kind]:
            raw = record.references.get(name)
            if raw is None:
                continue
            if not isinstance(raw, list):
                message = "a list of references belongs here; the one that stands here is taken"
                self._report.repair("no-list", message, place_of(record, entry, name), raw)
                raw = [raw]
            kept = []
            for item in raw:
                target, rest = self._resolve(reference, item, record, entry)
                if target is not None:
                    pairs.append((record, target))
                if rest:
                    kept.append(rest)
            if kept:
                record.keep(name, kept)
        return pairs

    def _resolve(
        self, reference: Reference, raw: Any, record: SourceRecord, entry: str
    ) -> tuple[SourceRecord | None, Any]:
        """The record that is meant, and what the reference says but that record does not."""
        kind = reference.kind
        nested: dict[str, Any] = {}
        left_over: dict[str, Any] = {}
        if isinstance(raw, dict):
            nested, left_over = self._dialects[kind].translate(raw)
            key = values.source_key(nested.pop("id", None))
        else:
            key = values.source_key(raw)
        if key is None and not nested and not left_over and isinstance(raw, dict):
            return None, None
        label_name = LEVELS[kind].label
        label = nested.get(label_name)
        match = self._map(kind).find(key, label)
        target = match.record
        if match.code is not None and match.message is not None:
            place = place_of(record, entry, reference.field)
            tell = self._report.warning if target is None else self._report.repair
            tell(match.code, match.message, place, raw)
        rest = raw if target is None else self._rest(kind, nested, left_over, target)
        if target is not None and rest:
            said = target.values.get(label_name, "")
            if label_name in rest and values.label_key(label) != values.label_key(said):
                message = f"the {kind} of this id has another {label_name}; the id counts"
                place = place_of(record, entry, reference.field)
                self._report.warning("other-name", message, place, label)
        if target is not None and (rest or (key is not None and key != target.key)):
            rest = {"id": key, **rest}
        return target, rest

    def _rest(
        self,
        kind: Kind,
        nested: dict[str, Any],
        left_over: dict[str, Any],
        target: SourceRecord,
    ) -> dict[str, Any]:
        said, zone = target.values, self._conference.zone
        rest = {
            name: value
            for name, value in nested.items()
            if value != said.get(name)
            and not same(kind, name, value, said.get(name, target.extra.get(name)), zone)
            and value not in ([], {})
        }
        rest.update(
            (name, value)
            for name, value in left_over.items()
            if target.extra.get(name) != value and value not in ([], {})
        )
        return rest

    def _compare(self, by_session: set[tuple[int, int]], by_speaker: set[tuple[int, int]]) -> None:
        """The union of both holds. That they differ is told where both sides tell links."""
        if not by_session or not by_speaker:
            return
        sides = (
            (Kind.SPEAKER, 1, by_speaker - by_session, "the session does not name this speaker"),
            (Kind.SESSION, 0, by_session - by_speaker, "the speaker does not name this session"),
        )
        for kind, side, links, message in sides:
            if not links:
                continue
            other = Kind.SESSION if kind is Kind.SPEAKER else Kind.SPEAKER
            here = {record.new_id: record for record in self._conference.records[kind]}
            there = {record.new_id: record for record in self._conference.records[other]}
            for link in sorted(links):
                record = here[link[side]]
                place = place_of(record, self._conference.entries[kind], f"{other}s")
                partner = there[link[1 - side]]
                value = partner.values.get(LEVELS[other].label)
                self._report.repair("link-told-once", f"{message}; linked", place, value)

    def _link_tracks(self) -> None:
        entry = self._conference.entries[Kind.TRACK]
        for track, session in self._many(Kind.TRACK, "sessions"):
            linked = session.foreign_keys.get("track_id")
            place = place_of(track, entry, "sessions")
            title = session.values.get("title")
            if linked is None:
                session.foreign_keys["track_id"] = track.new_id
                message = f"session {session.key} names no track; it is linked with this one"
                self._report.repair("link-told-once", message, place, title)
            elif linked != track.new_id:
                message = f"session {session.key} names another track; that one holds"
                self._report.warning("track-differs", message, place, title)

    def _map(self, kind: Kind) -> IdMap:
        if kind not in self._maps:
            self._maps[kind] = IdMap(kind, self._conference.records[kind])
        return self._maps[kind]
