"""Reads an export of this service back: every value goes where it was.

A file can be edited. What the export does not have is kept in `extra` and reported, as in any other
source, and texts and links are checked again.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from eventimport.conference import values
from eventimport.conference.builder import ConferenceBuilder
from eventimport.conference.conference import Conference, Reference
from eventimport.conference.kinds import DELETED, LEVELS, Kind
from eventimport.conference.report import Place, Report
from eventimport.formats.format import EVERY, ReadOptions
from eventimport.formats.openevent.dialect import DOCUMENTS, canonical_key
from eventimport.formats.openevent.documents import EventDocuments, read_list, read_object
from eventimport.formats.openevent.export import (
    COLUMNS,
    EXTRA,
    NESTED,
    SESSIONS_OF,
    SOURCE_ID,
    is_export,
    key_of,
)

MAX_FIRST_IMPORT: Final = 512 * 1024
"""Characters of the report of the first import."""

_REFERENCES: Final = {key_of(ref.field): ref for ref in LEVELS[Kind.SESSION].references}


def export_meta(documents: EventDocuments) -> dict[str, Any] | None:
    """The document `meta` of an export of this service; None if the source is not one."""
    if documents.is_single or "meta" not in documents.documents:
        return None
    meta = read_object(documents, "meta", Report())
    return meta if is_export(meta) else None


def first_import_of(meta: dict[str, Any], report: Report) -> dict[str, Any] | None:
    """The report of the import that made the exported event, if the export has it."""
    found = meta.get("first-import")
    if not isinstance(found, dict) or not found:
        return None
    if len(json.dumps(found)) > MAX_FIRST_IMPORT:
        message = "The report of the first import is too long. It was left out."
        report.warning("first-import", message, Place("meta", field="first-import"))
        return None
    return found


class ExportReader:
    """Reads the documents of an export."""

    def __init__(
        self,
        documents: EventDocuments,
        builder: ConferenceBuilder,
        report: Report,
        options: ReadOptions,
    ) -> None:
        self._documents = documents
        self._builder = builder
        self._report = report
        self._progress = options.progress
        self._entries = builder.conference.entries

    def read(self) -> Conference:
        """Read all records. What is wrong is reported."""
        for kind, document in DOCUMENTS.items():
            self._entries[kind] = self._documents.documents.get(document, document)
        self._read_event()
        for kind, document in DOCUMENTS.items():
            if document != "event":
                self._read_list(kind, document)
        conference = self._builder.finish(is_restored=True)
        conference.files = self._documents.source.index
        return conference

    def _read_event(self) -> None:
        raw = read_object(self._documents, "event", self._report)
        if raw is None:
            return
        nested = {kind: raw.pop(key, None) for kind, key in NESTED.items()}
        self._add(Kind.EVENT, raw, 0)
        entry = self._entries[Kind.EVENT]
        for kind, content in nested.items():
            items = content if isinstance(content, list) else [content] if content else []
            if items:
                self._entries[kind] = entry
            for index, item in enumerate(items):
                if isinstance(item, dict):
                    self._add(kind, item, index)
                else:
                    message = "The value is not an object. It was left out."
                    place = Place(entry, field=NESTED[kind])
                    self._report.warning("not-an-object", message, place, item)

    def _read_list(self, kind: Kind, document: str) -> None:
        stage = f"Reading {document.replace('_', ' ')}"
        for index, raw in read_list(self._documents, document, self._report):
            self._add(kind, raw, index)
            if index % EVERY == 0:
                self._progress(stage, index, 0)

    def _add(self, kind: Kind, raw: dict[str, Any], index: int) -> None:
        columns = COLUMNS[kind]
        fields: dict[str, Any] = {}
        unknown: dict[str, Any] = {}
        references: dict[str, tuple[Reference, ...]] = {}
        extra = raw.pop(EXTRA, None)
        if extra is not None and not isinstance(extra, dict):
            unknown[EXTRA], extra = extra, None
        given = raw.pop("id", None)
        link_key = values.source_key(given)
        fields["id"] = raw.pop(SOURCE_ID) if SOURCE_ID in raw else given
        if extra:
            _move_to_columns(extra, raw, columns)
        for key, value in raw.items():
            if key in columns:
                if value is not None:
                    fields[columns[key]] = value
            elif kind is Kind.SESSION and key in _REFERENCES:
                ref = _REFERENCES[key]
                found = _references(ref.kind, value if isinstance(value, list) else [value])
                if found:
                    references[ref.field] = found
            elif value is not None and not (kind is Kind.SPEAKER and key == SESSIONS_OF):
                unknown[key] = value
        self._builder.restore(
            kind,
            fields,
            index,
            extra=extra or {},
            unknown=unknown,
            references=references,
            link_key=link_key,
            entry=self._entries[kind],
        )


def _move_to_columns(
    extra: dict[str, Any], raw: dict[str, Any], columns: Mapping[str, str]
) -> None:
    """Move values from `extra` to columns that the service got after it wrote the export, which
    would have a key for each column."""
    for key in list(extra):
        name = key_of(canonical_key(key))
        if name in columns and name not in raw and columns[name] != DELETED:
            raw[name] = extra.pop(key)


def _references(kind: Kind, given: Iterable[Any]) -> tuple[Reference, ...]:
    """What a session says of other records; what is not an object is an id."""
    found = []
    label = LEVELS[kind].label
    for item in given:
        if isinstance(item, dict):
            rest = dict(item)
            key, name = values.source_key(rest.pop("id", None)), rest.pop(label, None)
            if key is not None or name is not None or rest:
                text = None if name is None else str(name)
                found.append(Reference(kind, key, text, rest, source=item))
        elif item is not None:
            found.append(Reference(kind, values.source_key(item), source=item))
    return tuple(found)
