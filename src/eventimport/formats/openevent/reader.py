"""Documents → records: everything that a source says of one conference.

References are written as an object with an id and other fields, as an id, as a name, or as a list
of these. Which spelling is used is decided here; which record is meant, in `conference.linking`.
"""

import json
import marshal
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from eventimport.conference import values
from eventimport.conference.builder import ConferenceBuilder
from eventimport.conference.conference import Conference, Record, Reference, id_or_name
from eventimport.conference.kinds import LEVELS, Kind, ReferenceField
from eventimport.conference.report import EXCERPT, Place, Report, Severity, shown, title_of
from eventimport.conference.unknown_keys import PLURALS, listed
from eventimport.formats.format import EVERY, ReadOptions
from eventimport.formats.openevent.dialect import (
    ADMINISTRATION,
    BESIDES_FIELDS,
    DOCUMENTS,
    canonical_key,
    dialects,
)
from eventimport.formats.openevent.documents import (
    EventDocuments,
    flattened,
    is_references,
    read_list,
    read_object,
    records_in,
)
from eventimport.formats.openevent.layout import document_named
from eventimport.formats.openevent.restoring import ExportReader, export_meta, first_import_of
from eventimport.formats.source import Source

_LISTS: Final = frozenset(DOCUMENTS.values()) - {"event"}

LANGUAGE_KEYS: Final = ("language", "locale", "lang", "default_language", "content_locale")
MAX_KNOWN_REFERENCES: Final = 100_000

_SHORT: Final = 2
"""A reference with at most this many keys, an id and a name, is likely to be in many records."""


def read(source: Source, options: ReadOptions, report: Report) -> Conference:
    """Read every document of the source. Everything that is wrong is reported: a document that
    cannot be read does not keep the others from being read.

    Raises ArchiveError, its finding in the report too, if the source has no event, or several.
    """
    documents = EventDocuments(source, report)
    if (meta := export_meta(documents)) is not None:
        builder = ConferenceBuilder(
            report, source.limits.texts, source.check, entry="event", choices=options.choices
        )
        conference = ExportReader(documents, builder, report, options).read()
        conference.first_import = first_import_of(meta, report)
        return conference
    return _ConferenceReader(documents, report, options).read()


class _ConferenceReader:
    def __init__(self, documents: EventDocuments, report: Report, options: ReadOptions) -> None:
        self._documents = documents
        self._source = documents.source
        self._report = report
        self._progress = options.progress
        self._reader = RecordReader(report)
        self._builder = ConferenceBuilder(
            report,
            documents.source.limits.texts,
            documents.source.check,
            entry="event",
            is_administrative=is_administrative,
            names_field=self._reader.names_field,
            choices=options.choices,
        )
        self._records = self._builder.conference.records
        self._entries = self._builder.conference.entries
        self._nested: dict[str, list[dict[str, Any]]] = {}
        self._bad_forms: dict[str, list[Any]] = {}

    def read(self) -> Conference:
        for kind, document in DOCUMENTS.items():
            self._entries[kind] = self._documents.documents.get(document, document)
        self._read_event()
        for kind, document in DOCUMENTS.items():
            if document != "event":
                self._read_list(kind, document)
        for event in self._records[Kind.EVENT]:
            for name, contents in self._bad_forms.items():
                event.keep(name, contents if len(contents) > 1 else contents[0])
        if not self._records[Kind.SESSION_TYPE]:
            self._builder.derive(Kind.SESSION_TYPE)
        self._reader.report_spellings(self._entries)
        conference = self._builder.finish()
        conference.files = self._source.index
        return conference

    def _add(self, kind: Kind, raw: dict[str, Any], index: int, entry: str | None = None) -> None:
        parts = self._reader.read(kind, raw, index, entry or self._entries[kind])
        self._builder.add(
            kind, parts.fields, index, extra=parts.extra, references=parts.references, entry=entry
        )

    def _read_event(self) -> None:
        entry = self._entries[Kind.EVENT]
        raw = read_object(self._documents, "event", self._report)
        if raw is None:
            return
        self._take_nested_documents(raw, entry)
        self._builder.set_language(_language_of(raw))
        parts = self._reader.read(Kind.EVENT, raw, 0, entry)
        event = self._builder.add(Kind.EVENT, parts.fields, 0, extra=parts.extra)
        for kind in (Kind.EVENT_COPYRIGHT, Kind.SPEAKERS_CALL):
            self._read_nested(kind, parts.besides.get(kind), event, entry)
        self._read_nested_links(parts.besides.get("social_links", []), event, entry)
        for name in ("meta", "config"):
            self._keep_document(name)

    def _take_nested_documents(self, raw: dict[str, Any], entry: str) -> None:
        """Take the lists of records out of the event that have no document of their own."""
        for key, value in list(raw.items()):
            document = (document_named(key) or ("", 0))[0]
            if (
                document not in _LISTS
                or document in self._documents.documents
                or document in self._nested
                or not isinstance(value, (list, dict))
                or not value
                or is_references(value)
                or (document == "social_links" and isinstance(value, list))
            ):
                continue
            del raw[key]
            items, beside, _ = (
                records_in(value, document) if isinstance(value, dict) else (value, {}, "")
            )
            self._nested[document] = [
                flattened(item) or item for item in items if isinstance(item, dict)
            ]
            place = Place(entry, field=key)
            message = f"“{key}” is inside the event. It was read as the list of {document}."
            if not self._documents.is_single:
                self._report.repair("nested-document", message, place)
            for name, rest in beside.items():
                message = f"“{name}” beside the list is not part of an event. It was left out."
                self._report.warning("unknown-key", message, Place(entry, field=name), rest)
            for item in items:
                if not isinstance(item, dict):
                    message = "This element of the list is not an object. It was left out."
                    self._report.warning("record-not-an-object", message, place, item)
            self._count_nested(document, place)

    def _count_nested(self, document: str, place: Place) -> None:
        counts, limit = self._documents.counts.records, self._source.limits.max_records
        counts[document] = len(self._nested[document])
        if counts.total() > limit:
            message = (
                f"The documents hold more than {limit:,} records. The limit is set by MAX_RECORDS."
            )
            self._report.error("too-many-records", message, place)

    def _read_nested(self, kind: Kind, raw: Any, event: Record, entry: str) -> None:
        if isinstance(raw, dict):
            parts = self._reader.read(kind, raw, 0, entry)
            if parts.extra or parts.fields.keys() - {"id"}:
                self._builder.add(kind, parts.fields, 0, extra=parts.extra)
        elif raw:
            event.keep(kind, raw)
            self._report.warning(
                "not-an-object",
                "The value is not an object. It is kept in `extra`.",
                Place(entry, field=kind),
                raw,
            )

    def _read_nested_links(self, raw: Any, event: Record, entry: str) -> None:
        rejected = []
        for index, item in enumerate(raw if isinstance(raw, list) else [raw]):
            if isinstance(item, dict):
                self._add(Kind.SOCIAL_LINK, item, index, entry)
            else:
                rejected.append(item)
        if self._records[Kind.SOCIAL_LINK] and "social_links" not in self._documents.documents:
            self._entries[Kind.SOCIAL_LINK] = entry
        if rejected:
            event.keep("social_links", rejected)
            self._report.warning(
                "not-an-object",
                "The value is not a list of objects. It is kept in `extra`.",
                Place(entry, field="social_links"),
                rejected,
            )

    def _keep_document(self, name: str) -> None:
        """`meta` and `config` have no table: they are kept with the event. A broken one is not
        worth failing an import for."""
        if name not in self._documents.documents:
            return
        findings = Report()
        content = read_object(self._documents, name, findings)
        if content:
            self._builder.keep_document(name, content)
        self._report.merge(findings, Severity.WARNING if name == "config" else None)

    def _read_list(self, kind: Kind, document: str) -> None:
        if document in self._documents.documents:
            found = read_list(self._documents, document, self._report)
        elif document in self._nested:
            found = enumerate(self._nested.pop(document))
            self._entries[kind] = self._entries[Kind.EVENT]
        else:
            return
        records = self._records[kind]
        stage = f"Reading {document.replace('_', ' ')}"
        for index, raw in found:
            if kind is Kind.CUSTOM_FORM:
                self._add_forms(raw, index)
            else:
                self._add(kind, raw, index)
            if index % EVERY == 0:
                self._progress(stage, len(records), 0)

    def _add_forms(self, raw: dict[str, Any], index: int) -> None:
        """A form is a row for each of its fields, or, in older archives, one record that holds
        `session_form` and `speaker_form`: JSON in a string, a field's name leading to two flags."""
        entry = self._entries[Kind.CUSTOM_FORM]
        parts = self._reader.read(Kind.CUSTOM_FORM, raw, index, entry)
        whole = {name: parts.besides.get(f"{name}_form") for name in ("session", "speaker")}
        if not parts.besides:
            self._builder.add(Kind.CUSTOM_FORM, parts.fields, index, extra=parts.extra)
            return
        besides = {**parts.fields, **parts.extra}
        source_id = besides.pop("id", None)
        for form, content in whole.items():
            for name, flags in self._parse_form(form, content, index, entry):
                row = flags if isinstance(flags, dict) else {"value": flags}
                row = {**besides, **row, "form": form, "field_identifier": canonical_key(name)}
                row["id"] = source_id
                self._add(Kind.CUSTOM_FORM, row, index)

    def _parse_form(
        self, form: str, content: Any, index: int, entry: str
    ) -> Iterable[tuple[str, Any]]:
        parsed = content
        if isinstance(content, str):
            try:
                parsed = json.loads(content)
            except (ValueError, RecursionError):
                parsed = None
        if isinstance(parsed, dict):
            return parsed.items()
        if content is not None:
            self._bad_forms.setdefault(f"{form}_form", []).append(content)
            place = Place(entry, index, field=f"{form}_form")
            message = "The form is not valid JSON. It is kept in `extra` of the event."
            self._report.warning("bad-form", message, place, content)
        return ()


def _language_of(raw: dict[str, Any]) -> str | None:
    """The event's language, if the event names one."""
    for key, value in raw.items():
        if canonical_key(key) in LANGUAGE_KEYS and isinstance(value, str) and value.strip():
            return value.strip()
    return None


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
        self._known: dict[Kind, dict[bytes, tuple[Reference, ...]]] = {kind: {} for kind in Kind}

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
                if type(given) is dict and not reference.many:
                    found, spelling = self._read_reference(reference.kind, given), None
                else:
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
                message = f"The {PLURALS[kind]} spell some keys differently: {listed(read)}."
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
        # Twice as fast as `repr`. Up to this version, equal values of equal types are equal bytes.
        content = marshal.dumps(raw, 2)
        found = known.get(content)
        if found is None:
            found = self._parse(kind, raw)
            if len(content) <= EXCERPT and len(known) < MAX_KNOWN_REFERENCES:
                known[content] = found
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
