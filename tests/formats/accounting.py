"""Finds the values of an archive that a plan has lost.

It reads the archive by itself, with the standard library alone, and knows of the importer only the
vocabulary of its dialects: each leaf value of each record has to be found again, under its own
name, in the record's row, in the row's `extra`, in a link, in a planned medium or in a finding.
"""

import html
import io
import json
import re
import zipfile
from collections.abc import Iterator
from datetime import datetime, timedelta, tzinfo
from typing import Any

from tests.formats.planning import Planned

from eventimport.conference.kinds import LEVELS, Kind
from eventimport.conference.lengths import parse_length
from eventimport.conference.values import label_key, source_key
from eventimport.formats.openevent.dialect import canonical_key, dialects

DOCUMENTS = {
    "microlocations": Kind.MICROLOCATION,
    "sponsors": Kind.SPONSOR,
    "speakers": Kind.SPEAKER,
    "tracks": Kind.TRACK,
    "session_types": Kind.SESSION_TYPE,
    "sessions": Kind.SESSION,
    "social_links": Kind.SOCIAL_LINK,
}
NESTED = {
    "event_copyright": Kind.EVENT_COPYRIGHT,
    "speakers_call": Kind.SPEAKERS_CALL,
}
Path = tuple[str | int, ...]


_DIALECTS = dialects()


def lost_values(data: bytes, planned: Planned) -> list[str]:
    """The places and values of the archive's records that are found nowhere in the plan."""
    return list(_Account(planned).lost(_documents(data)))


def _documents(data: bytes) -> dict[str, Any]:
    found = {}
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for name in archive.namelist():
            document = canonical_key(name.rpartition("/")[2].removesuffix(".json"))
            known = {*DOCUMENTS, "event", "forms", "meta", "config"}
            if document in known and "__MACOSX" not in name:
                found[document] = json.loads(archive.read(name))
    return found


def leaves(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Each leaf value that says something, and the way to it."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from leaves(inner, (*path, index))
    elif value is not None and value != "":
        yield path, value


def equal(raw: Any, stored: Any, zone: tzinfo) -> bool:  # noqa: PLR0911 - one for each type
    """Whether a stored value says what the raw one says; `zone` is what times without an offset
    are local to."""
    if isinstance(stored, datetime):
        return _same_time(raw, stored, zone)
    if isinstance(stored, bool):
        return _same_flag(raw, stored)
    if isinstance(stored, (int, float)) and not isinstance(raw, bool):
        try:
            return float(raw) == float(stored)
        except ValueError:
            return False
    if stored is None or isinstance(raw, bool):
        return False
    if isinstance(raw, float) and raw.is_integer() and str(stored) == str(int(raw)):
        return True
    if str(raw).strip() == str(stored) or str(raw) == str(stored):
        return True
    if "<" not in str(raw):
        return False
    return html.unescape(str(raw)) == html.unescape(stored) or _text(raw) == _text(stored)


def _same_but_for_blanks(one: Any, other: Any) -> bool:
    if isinstance(one, str) and isinstance(other, str):
        return one.strip() == other.strip()
    if isinstance(one, str) and isinstance(other, float):
        # A number where a text belongs.
        return one.lstrip("-").isdecimal() and float(one) == other
    return bool(one == other)


def _same_time(raw: Any, stored: datetime, zone: tzinfo) -> bool:
    # The end of a day; the standard library knows it only from Python 3.13 on.
    text, ends = re.subn(r"T24:00(:00)?\b", r"T00:00\1", str(raw).strip())
    try:
        time = datetime.fromisoformat(text) + timedelta(days=ends)
    except ValueError:
        return False
    return (time if time.tzinfo else time.replace(tzinfo=zone)) == stored


def _same_flag(raw: Any, stored: bool) -> bool:
    if isinstance(raw, (int, float)):
        return raw == stored
    words = (
        ("true", "1", "yes", "on", "t", "y") if stored else ("false", "0", "no", "off", "f", "n")
    )
    return str(raw).strip().casefold() in words


def _text(markup: Any) -> str:
    """What a reader sees of rich text. Where more than empty attributes went, a finding says so."""
    return html.unescape(re.sub(r"<[^>]*>", "", str(markup)))


class _Account:
    def __init__(self, planned: Planned) -> None:
        self._planned = planned
        self._zone = planned.conference.zone
        self._rows = {table.table: planned.rows(table.table) for table in planned.plan.tables}
        self._told = {
            (found.place.entry, found.place.record or 0, found.place.field)
            for finding in planned.report.findings
            for found in finding.occurrences
        }
        self._media = {(m.table, m.row_id, m.field, m.source) for m in planned.plan.media}
        links = self._rows["session_speakers"]
        self._links = {(link["session_id"], link["speaker_id"]) for link in links}

    def lost(self, documents: dict[str, Any]) -> Iterator[str]:
        event = documents.get("event", {})
        yield from self._lost_event(event, documents)
        for document, kind in DOCUMENTS.items():
            records = documents.get(document, [])
            if kind is Kind.SOCIAL_LINK and not records:
                for key, value in event.items():
                    if _canonical(Kind.EVENT, key) == "social_links":
                        records = value
            for index, raw in enumerate(records or []):
                yield from self._lost_record(kind, index, raw)
        for index, raw in enumerate(documents.get("forms", [])):
            yield from self._lost_form(index, raw)

    def _lost_event(self, event: dict[str, Any], documents: dict[str, Any]) -> Iterator[str]:
        own = {}
        for key, value in event.items():
            name = _canonical(Kind.EVENT, key)
            if name in NESTED and isinstance(value, dict):
                for row in self._rows[LEVELS[NESTED[name]].table]:
                    for path, leaf in leaves(value):
                        yield from self._missing(NESTED[name], row, 0, path, leaf)
            elif name != "social_links":
                own[key] = value
        (row,) = self._rows["events"]
        for path, leaf in leaves(own):
            yield from self._missing(Kind.EVENT, row, 0, path, leaf)
        for name in ("meta", "config"):
            for path, leaf in leaves(documents.get(name)):
                if _follow(row["extra"].get(name), path) != leaf:
                    yield f"{name} {path}: {leaf!r}"

    def _lost_record(self, kind: Kind, index: int, raw: dict[str, Any]) -> Iterator[str]:
        row = self._row(kind, index)
        if row is None:
            if (self._entry(kind), index, None) not in self._told:
                yield f"{kind} {index}: no row and no finding"
            return
        references = {reference.field: reference for reference in LEVELS[kind].references}
        for path, leaf in leaves(raw):
            name = _canonical(kind, str(path[0]))
            if name in references:
                yield from self._missing_reference(kind, row, path, leaf, raw[str(path[0])])
            else:
                yield from self._missing(kind, row, index, path, leaf)

    def _row(self, kind: Kind, index: int) -> dict[str, Any] | None:
        records = self._planned.conference.records[kind]
        for record, row in zip(records, self._rows[LEVELS[kind].table], strict=True):
            if record.index == index:
                return row
        return None

    def _entry(self, kind: Kind) -> str:
        return self._planned.conference.entries[kind]

    def _missing(  # noqa: PLR0911 - one for each place
        self, kind: Kind, row: dict[str, Any], index: int, path: Path, leaf: Any
    ) -> Iterator[str]:
        key = str(path[0])
        name = _canonical(kind, key)
        if name == "id" and len(path) == 1 and source_key(leaf) == row["source_id"]:
            return
        if len(path) == 1:
            column = row.get(name)
            lowered = leaf.strip().lower() if isinstance(leaf, str) else leaf
            if equal(leaf, column, self._zone) or (
                name in ("state", "privacy") and equal(lowered, column, self._zone)
            ):
                return
            if (LEVELS[kind].table, row["id"], name, leaf) in self._media:
                return
            if (self._entry(kind), index, name) in self._told and column is not None:
                return
            if name == "deleted_at" and not _says_deleted(leaf):
                return
        if len(path) == 2 and (self._entry(kind), index, name) in self._told:
            # A list of one, or an object that holds a link.
            kept = (row["extra"].get(extra) for extra in (key, key + "_", name, name + "_"))
            if row.get(name) is not None or leaf in kept:
                return
            if (LEVELS[kind].table, row["id"], name, leaf) in self._media:
                return
        if any(
            _same_but_for_blanks(_follow(row["extra"].get(extra), path[1:]), leaf)
            for extra in (key, key + "_", name, name + "_")
        ):
            return
        yield f"{kind} {index} {path}: {leaf!r}; the row has {row.get(name)!r}"

    def _missing_reference(
        self, kind: Kind, row: dict[str, Any], path: Path, leaf: Any, raw: Any
    ) -> Iterator[str]:
        """A leaf of a reference: the id is found in the link, the rest in the row that is linked,
        and what that row does not say in `extra`, verbatim."""
        name = _canonical(kind, str(path[0]))
        kept = {str(value) for _, value in leaves(row["extra"])}
        if str(leaf) in kept:
            return
        reference = next(ref for ref in LEVELS[kind].references if ref.field == name)
        linked = list(self._linked(kind, row, name))
        nested = raw[int(path[1])] if isinstance(raw, list) else raw
        if isinstance(nested, dict):
            key = _canonical(reference.kind, str(path[-1] if len(path) < 4 else path[2]))
            label = LEVELS[reference.kind].label
        else:
            key, label = "id", ""
        for target in linked:
            if key == "id":
                found = source_key(leaf) == target["source_id"]
            elif key == label:
                found = label_key(leaf) == label_key(target[label])
            elif key == "length":
                found = parse_length(leaf) == target["length"]
            else:
                media = (LEVELS[reference.kind].table, target["id"], key, leaf) in self._media
                found = (
                    media
                    or equal(leaf, target.get(key), self._zone)
                    or target["extra"].get(key) == leaf
                )
            if found:
                return
        yield f"{kind} {row['source_id']} {path}: {leaf!r}"

    def _linked(self, kind: Kind, row: dict[str, Any], name: str) -> Iterator[dict[str, Any]]:
        own = row["id"]
        if kind is Kind.SESSION and name == "speakers":
            ids = {speaker for session, speaker in self._links if session == own}
            yield from (target for target in self._rows["speakers"] if target["id"] in ids)
        elif kind is Kind.SPEAKER:
            ids = {session for session, speaker in self._links if speaker == own}
            yield from (target for target in self._rows["sessions"] if target["id"] in ids)
        elif kind is Kind.TRACK:
            told = self._planned.findings("track-differs")
            values = {label_key(finding.value) for finding in told}
            for target in self._rows["sessions"]:
                if target["track_id"] == own or label_key(target["title"]) in values:
                    yield target
        else:
            table = {"track": "tracks", "microlocation": "microlocations"}.get(name)
            for target in self._rows[table or "session_types"]:
                if target["id"] == row[f"{name}_id"]:
                    yield target

    def _lost_form(self, index: int, raw: dict[str, Any]) -> Iterator[str]:
        records = self._planned.conference.records[Kind.CUSTOM_FORM]
        rows = [
            row
            for record, row in zip(records, self._rows["custom_forms"], strict=True)
            if record.index == index
        ]
        for key, value in raw.items():
            form = _canonical(Kind.CUSTOM_FORM, key).removesuffix("_form")
            if form == _canonical(Kind.CUSTOM_FORM, key):
                for row in rows:
                    for path, leaf in leaves({key: value}):
                        yield from self._missing(Kind.CUSTOM_FORM, row, index, path, leaf)
                continue
            fields = json.loads(value) if isinstance(value, str) and value else value or {}
            for name, flags in fields.items():
                identifier = canonical_key(name)
                (row,) = [
                    row
                    for row in rows
                    if (row["form"], row["field_identifier"]) == (form, identifier)
                ]
                for path, leaf in leaves(flags):
                    yield from self._missing(Kind.CUSTOM_FORM, row, index, path, leaf)


def _says_deleted(leaf: Any) -> bool:
    words = {"false", "0", "no", "off", "f", "n", "none", "null"}
    return bool(leaf) and str(leaf).strip().casefold() not in words | {""}


def _canonical(kind: Kind, key: str) -> str:
    return _DIALECTS[kind].names(key) or canonical_key(key)


def _follow(value: Any, path: Path) -> Any:
    for step in path:
        in_list = isinstance(value, list) and isinstance(step, int) and step < len(value)
        if in_list or (isinstance(value, dict) and step in value):
            value = value[step]
        else:
            return None
    return value
