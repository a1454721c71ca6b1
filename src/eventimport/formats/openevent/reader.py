"""Documents → records: everything that a source says of one conference."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable
from typing import Any, Final

from eventimport.conference import values
from eventimport.conference.conference import Conference, Record, place_of
from eventimport.conference.kinds import IMPORT_ORDER, LEVELS, Kind
from eventimport.conference.report import Place, Report, Severity
from eventimport.conference.zones import find_zone, zone
from eventimport.formats.bounded_json.checks import quotable
from eventimport.formats.format import Progress, ReadOptions
from eventimport.formats.openevent.dialect import canonical_key
from eventimport.formats.openevent.document_names import document_named
from eventimport.formats.openevent.documents import EventDocuments, read_list, read_object
from eventimport.formats.openevent.record_reader import RecordReader
from eventimport.formats.openevent.wrappings import flattened, is_references, records_in
from eventimport.formats.source import Source

_LISTS: Final = frozenset(level.document for level in IMPORT_ORDER) - {"event"}

LANGUAGE_KEYS: Final = ("language", "locale", "lang", "default_language", "content_locale")
EVERY: Final = 250
"""Records between two reports of progress."""


def read(source: Source, options: ReadOptions, report: Report) -> Conference:
    """Read every document of the source. Everything that is wrong is reported: a document that
    cannot be read does not keep the others from being read.

    Raises ArchiveError, its finding in the report too, if the source has no event, or several.
    """
    documents = EventDocuments(source, report)
    return _ConferenceReader(documents, report, options.progress).read()


class _ConferenceReader:
    def __init__(self, documents: EventDocuments, report: Report, progress: Progress) -> None:
        self._documents = documents
        self._source = documents.source
        self._report = report
        self._progress = progress
        self._reader = RecordReader(report, documents.source.limits.texts)
        self._zone_name: str | None = None
        self._conference = Conference(files=documents.source.index)
        self._nested: dict[str, list[dict[str, Any]]] = {}
        self._bad_forms: dict[str, list[Any]] = {}

    def read(self) -> Conference:
        conference = self._conference
        for level in IMPORT_ORDER:
            conference.records[level.kind] = []
            conference.entries[level.kind] = self._documents.documents.get(
                level.document, level.document
            )
        self._read_event()
        for level in IMPORT_ORDER:
            if level.document != "event":
                self._read_list(level.kind)
        for event in conference.records[Kind.EVENT]:
            for name, contents in self._bad_forms.items():
                event.keep(name, contents if len(contents) > 1 else contents[0])
        if not conference.records[Kind.SESSION_TYPE]:
            self._derive_session_types()
        for kind, records in conference.records.items():
            records[:] = self._without_repetitions(kind, records)
            records.sort(key=lambda record: values.sort_key(record.key))
        self._reader.report_keys(conference.entries)
        self._report_without_offset()
        return conference

    def _read_event(self) -> None:
        entry = self._conference.entries[Kind.EVENT]
        raw = read_object(self._documents, "event", self._report)
        if raw is None:
            return
        self._take_nested_documents(raw, entry)
        unknown_zone = self._read_timezone(raw, entry)
        self._reader.language = _language_of(raw)
        event = self._reader.read(Kind.EVENT, raw, 0, entry)
        if unknown_zone is not None:
            event.keep("timezone", unknown_zone)
        for name in ("state", "privacy"):
            if name in event.values:
                event.values[name] = event.values[name].strip().lower()
        if not event.values.get("name"):
            self._report.error("no-event-name", "the event has no name", Place(entry, field="name"))
        for kind in (Kind.EVENT_COPYRIGHT, Kind.SPEAKERS_CALL):
            self._read_nested(kind, event.references.pop(kind, None), event, entry)
        self._read_nested_links(event.references.pop("social_links", []), event, entry)
        for name in ("meta", "config"):
            self._keep_document(name, event)
        self._conference.records[Kind.EVENT] = [event]

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
            message = f"“{key}” stands inside the event; it was read as the list of {document}."
            self._report.repair("nested-document", message, place)
            for name, rest in beside.items():
                message = f"“{name}” beside the list has no place in an event; it was left out."
                self._report.warning("unknown-key", message, Place(entry, field=name), rest)
            for item in items:
                if not isinstance(item, dict):
                    message = "This element of the list is not an object; it was left out."
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

    def _read_timezone(self, raw: dict[str, Any], entry: str) -> Any:
        """Settle the zone, and the spelling of it in the raw event. Gives back what is no zone."""
        key = next((key for key in raw if canonical_key(key) == "timezone" and raw[key]), None)
        if key is None:
            return None
        given = raw[key]
        found = find_zone(given) if isinstance(given, str) else None
        place = Place(entry, field="timezone")
        if found is None:
            message = "an unknown time zone; UTC is used, and the value is kept in `extra`"
            self._report.warning("timezone", message, place, quotable(given))
            return raw.pop(key)
        self._zone_name = found.name
        raw[key] = found.name
        self._reader.zone = self._conference.zone = zone(found.name)
        message = f"the time zone was read as “{found.name}”"
        if found.doubt:
            self._report.warning("timezone", f"{message}; {found.doubt}", place, given)
        elif found.is_fixed:
            message = (
                f"the time zone is the offset “{found.name}” from UTC. "
                "It does not follow changes of the clocks in summer and winter."
            )
            self._report.warning("timezone", message, place, given)
        elif found.name != given:
            self._report.repair("timezone", message, place, given)
        return None

    def _report_without_offset(self) -> None:
        """Say what the times without an offset were read as, once for each document."""
        for entry, count in self._reader.without_offset.items():
            if not count:
                continue
            times = "time has" if count == 1 else "times have"
            message = (
                f"{count} {times} no offset from UTC; read as local to “{self._zone_name or 'UTC'}”"
            )
            if self._zone_name is not None:
                self._report.repair("no-offset", message, Place(entry))
            else:
                message += ", because the event has no known time zone"
                self._report.warning("no-offset", message, Place(entry))

    def _read_nested(self, kind: Kind, raw: Any, event: Record, entry: str) -> None:
        if isinstance(raw, dict):
            record = self._reader.read(kind, raw, 0, entry)
            if record.values or record.extra:
                self._conference.records[kind].append(record)
        elif raw:
            event.keep(kind, raw)
            self._report.warning(
                "not-an-object",
                "expected an object; the value is kept in `extra`",
                Place(entry, field=kind),
                raw,
            )

    def _read_nested_links(self, raw: Any, event: Record, entry: str) -> None:
        links = self._conference.records[Kind.SOCIAL_LINK]
        rejected = []
        for index, item in enumerate(raw if isinstance(raw, list) else [raw]):
            if isinstance(item, dict):
                record = self._reader.read(Kind.SOCIAL_LINK, item, index, entry)
                self._reader.check_label(Kind.SOCIAL_LINK, record, entry)
                links.append(record)
            else:
                rejected.append(item)
        if links and "social_links" not in self._documents.documents:
            self._conference.entries[Kind.SOCIAL_LINK] = entry
        if rejected:
            event.keep("social_links", rejected)
            self._report.warning(
                "not-an-object",
                "expected objects; the values are kept in `extra`",
                Place(entry, field="social_links"),
                rejected,
            )

    def _keep_document(self, name: str, event: Record) -> None:
        """`meta` and `config` have no table: they are kept with the event. A broken one is not
        worth failing an import for."""
        if name not in self._documents.documents:
            return
        findings = Report()
        content = read_object(self._documents, name, findings)
        if content:
            self._reader.keep_document(name, content, event, self._documents.documents[name])
        self._report.merge(findings, Severity.WARNING if name == "config" else None)

    def _read_list(self, kind: Kind) -> None:
        level = LEVELS[kind]
        if level.document in self._documents.documents:
            found = read_list(self._documents, level.document, self._report)
        elif level.document in self._nested:
            found = enumerate(self._nested.pop(level.document))
            self._conference.entries[kind] = self._conference.entries[Kind.EVENT]
        else:
            return
        entry = self._conference.entries[kind]
        records = self._conference.records[kind]
        reader = self._reader
        label = level.document.replace("_", " ")
        for index, raw in found:
            if kind is Kind.CUSTOM_FORM:
                records.extend(self._read_forms(raw, index, entry))
            else:
                record = reader.read(kind, raw, index, entry)
                reader.check_label(kind, record, entry)
                records.append(record)
            if index % EVERY == 0:
                self._progress(f"Reading {label}", len(records), 0)

    def _read_forms(self, raw: dict[str, Any], index: int, entry: str) -> Iterable[Record]:
        """A form is a row for each of its fields, or, in older archives, one record that holds
        `session_form` and `speaker_form`: JSON in a string, a field's name leading to two flags."""
        fields, left_over = self._reader.translate(Kind.CUSTOM_FORM, raw)
        whole = {name: fields.pop(f"{name}_form", None) for name in ("session", "speaker")}
        if whole["session"] is None and whole["speaker"] is None:
            record = self._reader.read(Kind.CUSTOM_FORM, raw, index, entry)
            self._reader.check_label(Kind.CUSTOM_FORM, record, entry)
            yield record
            return
        besides = {**fields, **left_over}
        source_id = besides.pop("id", None)
        for form, content in whole.items():
            for name, flags in self._parse_form(form, content, index, entry):
                row = flags if isinstance(flags, dict) else {"value": flags}
                row = {**besides, **row, "form": form, "field_identifier": canonical_key(name)}
                row["id"] = source_id
                yield self._reader.read(Kind.CUSTOM_FORM, row, index, entry)

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
            message = "the form could not be read as JSON; it is kept in `extra` of the event"
            self._report.warning("bad-form", message, place, content)
        return ()

    def _derive_session_types(self) -> None:
        """Without a `session_types` document, what sessions nest is the only source of them."""
        seen: set[tuple[str | None, str]] = set()
        entry = self._conference.entries[Kind.SESSION]
        types = self._conference.records[Kind.SESSION_TYPE]
        for session in self._conference.records[Kind.SESSION]:
            raw = session.references.get("session_type")
            if not isinstance(raw, dict):
                continue
            fields, _ = self._reader.translate(Kind.SESSION_TYPE, raw)
            name = fields.get("name")
            if not isinstance(name, str):
                continue
            identity = values.source_key(fields.get("id")), values.label_key(name)
            if identity not in seen:
                seen.add(identity)
                types.append(self._reader.read(Kind.SESSION_TYPE, raw, session.index, entry))
        if types:
            self._conference.entries[Kind.SESSION_TYPE] = entry
            message = (
                f"the archive has no list of session types; {len(types)} were made of the sessions"
            )
            self._report.repair("session-types-derived", message, Place(entry))

    def _without_repetitions(self, kind: Kind, records: list[Record]) -> Iterable[Record]:
        # The rows of a form share the id of the form that they were one of.
        if kind is Kind.CUSTOM_FORM or len({record.key for record in records}) == len(records):
            return list(records)
        shared = Counter(record.key for record in records)
        kept: list[Record] = []
        seen: set[tuple[str | None, bytes]] = set()
        keys: set[str] = set()
        entry = self._conference.entries[kind]
        for record in records:
            self._source.check()
            if record.key is None or shared[record.key] == 1:
                kept.append(record)
                continue
            content = record.key, _digest(record)
            if content in seen:
                message = "the record occurs twice; one is kept"
                self._report.repair("repeated-record", message, place_of(record, entry))
                continue
            if record.key in keys:
                message = f"another {kind.replace('_', ' ')} has the same id; both are kept"
                self._report.warning("shared-id", message, place_of(record, entry))
            keys.add(record.key)
            seen.add(content)
            kept.append(record)
        return kept


def _digest(record: Record) -> bytes:
    """What the record says, in short: so that records of one id need not be compared in pairs."""
    said = [record.values, record.extra, record.references]
    text = json.dumps(said, default=repr, sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


def _language_of(raw: dict[str, Any]) -> str | None:
    """The event's language, if the event names one."""
    for key, value in raw.items():
        if canonical_key(key) in LANGUAGE_KEYS and isinstance(value, str) and value.strip():
            return value.strip()
    return None
