"""The documents of a source in Open Event's layout, as records: lists, read as streams, and single
objects.

Exporters put things around records: objects around lists, JSON:API, lists around one object.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal

from eventimport.conference.report import Place, Report, shown
from eventimport.formats.bounded_json.document import JsonCounts, JsonDocument, quotable
from eventimport.formats.bounded_json.text_stream import DocumentError
from eventimport.formats.bounded_zip.directory import ZIP_MAGIC
from eventimport.formats.openevent.layout import (
    document_named,
    find_layout,
    is_document,
    is_single_document,
)
from eventimport.formats.source import Source

SINGLE: Final = "event.json"
"""The name in findings of a document that is the whole source."""

_LABELS: Final = {
    "sessions": "title",
    **dict.fromkeys(("microlocations", "sponsors", "speakers", "tracks", "session_types"), "name"),
}
"""Documents whose records may be given only by their names."""

How = Literal["wrapped", "keyed", "one", "lines"]

_ANY_LIST: Final = frozenset(
    {"data", "items", "results", "records", "list", "rows", "values", "nodes", "entries"}
)
_EVENT: Final = frozenset({"event", "events", "data", "conference"})
_JSON_API: Final = frozenset({"type", "id", "attributes", "relationships", "links", "meta"})
_WITHOUT_CONTENT: Final = frozenset({"jsonapi", "links"})
"""Members of a JSON:API document that say nothing of a record: its version, and addresses."""

HOW_WORDS: Final[Mapping[How, str]] = {
    "wrapped": "The list is inside an object. It was read from there.",
    "keyed": "The records are in an object, under their ids. They were read as a list.",
    "lines": "The document contains several objects in a row. They were read as a list.",
    "one": "The document is a single object. It was read as a list of one.",
}


class EventDocuments:
    """The documents of an open source by their canonical names, and what was read of them."""

    def __init__(self, source: Source, report: Report) -> None:
        """Find the documents. Raises ArchiveError, its finding in the report too."""
        self.source: Final = source
        self.is_single: Final = is_single_document(source)
        """Whether the source is a document that has all records, instead of a zip."""
        if self.is_single:
            report.is_document = is_document
            root, documents = "", {"event": SINGLE}
        else:
            layout = find_layout(source, report)
            root = layout.root
            documents = {document: entry.name for document, entry in layout.documents.items()}
        self.root: Final = root
        """The folder of all documents, ending in a slash; empty if they are in none."""
        self.documents: Final[Mapping[str, str]] = documents
        """Canonical document names → entry names."""
        self.counts: Final = JsonCounts()


def read_list(
    documents: EventDocuments, document: str, report: Report
) -> Iterator[tuple[int, dict[str, Any]]]:
    """The records of a document that is a list of objects, each with its index, from 0.

    Empty if the source does not have the document. What is wrong is reported, never raised, as
    `JsonDocument` says. An object around the list, JSON:API resources and other encodings are read.
    Raises OSError if the source's file cannot be read.
    """
    if document in documents.documents:
        yield from _DocumentReader(documents, document, report).records()


def read_object(documents: EventDocuments, document: str, report: Report) -> dict[str, Any] | None:
    """A document that is one object; None if the source has none or it cannot be read, which is
    reported, as in `read_list`."""
    if document not in documents.documents:
        return None
    return _DocumentReader(documents, document, report).object()


class _DocumentReader:
    def __init__(self, documents: EventDocuments, document: str, report: Report) -> None:
        source = documents.source
        name = documents.documents[document]
        self._document = document
        self._report = report
        self._entry = shown(name)
        self._source = source
        self._name = None if documents.is_single else name
        self._is_single = documents.is_single
        self._json = JsonDocument(
            source.read_document(None if documents.is_single else name),
            document,
            entry=self._entry,
            limits=source.limits,
            report=report,
            counts=documents.counts,
            check=source.check,
        )
        self._flattened = False

    def records(self) -> Iterator[tuple[int, dict[str, Any]]]:
        with self._json.guard():
            found = self._begin()
            if found == "[":
                yield from self._list()
            elif found == "{":
                yield from self._object_for_list()
            else:
                self._skip(found, "json-not-a-list", "Expected a list of objects.")
            self._json.end()

    def object(self) -> dict[str, Any] | None:
        record = None
        with self._json.guard():
            found = self._begin()
            if found == "{":
                record = self._json.record(self._json.value())
                if record == {}:
                    record = None
                    self._report_empty("{}")
            elif found == "[":
                record = self._only_one(self._json.value())
            else:
                self._skip(found, "json-not-an-object", "Expected one object.")
            self._json.end()
        if record is None or self._document != "event":
            return record
        unwrapped = unwrapped_event(record)
        if unwrapped is None:
            return record
        if self._is_single:
            return unwrapped
        message = "The event is inside another object. It was read from there."
        self._report.repair("wrapped-event", message, Place(self._entry))
        return unwrapped

    def _begin(self) -> str:
        if self._source.head(self._name).startswith(ZIP_MAGIC):
            raise DocumentError("nested-zip", "The document is a zip, not JSON text.", 1, 1)
        return self._json.begin()

    def _list(self) -> Iterator[tuple[int, dict[str, Any]]]:
        for index, value in self._json.elements(ahead=True):
            named = self._named(value, index) if isinstance(value, str) else value
            record = self._json.record(named)
            if record is not None:
                yield index, self._plain(record)

    def _named(self, text: str, index: int) -> Any:
        """A record of this name, if the list's records may be given by their names."""
        label = _LABELS.get(self._document)
        if label is None or not text.strip():
            return text
        message = (
            f"The list contains texts instead of objects. Each was read as the {label} of a record."
        )
        place = Place(self._entry, index)
        self._report.warning("record-is-a-text", message, place, quotable(text))
        return {label: text}

    def _object_for_list(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """An object that stands where the list belongs: around it, or one record, or the records
        by their ids. A list within it is read as a stream."""
        document, reader = self._json, self._json.reader
        members: dict[str, Any] = {}
        streamed = False
        size = 0
        for key, mark in document.members():
            if mark == "[" and not streamed and is_wrapper(key, self._document):
                streamed = True
                self._report_wrapping("wrapped")
                yield from self._list()
                continue
            value = document.member(key, document.value())
            if value is not None:
                members[key] = value
            size += reader.end - reader.start
            if size > document.limits.max_record_bytes:
                raise reader.too_long(reader.start)
        if streamed:
            self._report_beside(without_furniture(members))
        elif members and reader.peek() == "{":
            yield from self._lines_after(members)
        elif members:
            yield from self._records_of(members)
        else:
            self._report_empty("{}")

    def _lines_after(self, first: dict[str, Any]) -> Iterator[tuple[int, dict[str, Any]]]:
        """The records of a document that has one object after another, without a list."""
        self._report_wrapping("lines")
        document = self._json
        index = 0
        record: dict[str, Any] | None = first
        while True:
            document.count(index)
            if index:
                record = document.record(document.value())
            if record is not None:
                yield index, self._plain(record)
            index += 1
            if document.reader.peek() != "{":
                break
        document.count(None)

    def _records_of(self, members: dict[str, Any]) -> Iterator[tuple[int, dict[str, Any]]]:
        records, beside, how = records_in(members, self._document)
        self._report_wrapping(how)
        self._report_beside(beside)
        for index, record in enumerate(records):
            self._json.count(index)
            if isinstance(record, dict):
                yield index, self._plain(record)
            else:
                self._json.report_no_object(record, self._json.stream.position)
        self._json.count(None)

    def _only_one(self, items: list[Any]) -> dict[str, Any] | None:
        start = self._json.reader.start
        if not items:
            self._report_empty("[]")
            return None
        if len(items) > 1:
            place = self._json.stream.location(start)
            message = f"Expected one object, got a list of {len(items):,}."
            raise DocumentError("json-not-an-object", message, *place)
        message = "The object is inside a list. It was read from there."
        self._report.repair("one-in-a-list", message, Place(self._entry))
        return self._json.record(items[0])

    def _skip(self, found: str, code: str, expected: str) -> None:
        """Pass over what stands in the place of an object or a list: nothing, null, or an error."""
        if not found:
            self._report_empty("")
            return
        place = self._json.stream.location(self._json.stream.position)
        value = self._json.value()
        if value not in (None, "", False):
            raise DocumentError(code, expected, *place)
        self._report_empty(json.dumps(value))

    def _plain(self, record: dict[str, Any]) -> dict[str, Any]:
        flat = flattened(record)
        if flat is None:
            return record
        if not self._flattened:
            self._flattened = True
            message = (
                "The records are JSON:API resources. Their attributes and relationships were read."
            )
            self._report.repair("json-api", message, Place(self._entry))
        return flat

    def _report_empty(self, what: str) -> None:
        name = self._document.replace("_", " ")
        holds = f"contains only {what}" if what else "is empty"
        if self._document == "event":
            message = f"The document {holds}. It has no event to import."
            self._report.error("empty-document", message, Place(self._entry))
        else:
            message = f"The document {holds}. It was read like an archive without {name}."
            self._report.warning("empty-document", message, Place(self._entry))

    def _report_wrapping(self, how: How) -> None:
        self._report.repair("not-a-list", HOW_WORDS[how], Place(self._entry))

    def _report_beside(self, members: dict[str, Any]) -> None:
        for key, value in members.items():
            if value in (None, "", [], {}):
                continue
            message = f"“{shown(key)}” beside the list is not part of an event. It was left out."
            self._report.warning("unknown-key", message, self._json.place(key), quotable(value))


def is_wrapper(key: str, document: str) -> bool:
    """Whether a list under this key is the document itself: `speakers`, `data`, `items`."""
    named = document_named(key)
    return (named is not None and named[0] == document) or key.casefold() in _ANY_LIST


def flattened(raw: dict[str, Any]) -> dict[str, Any] | None:
    """A JSON:API resource object as a plain record; None if it is none."""
    attributes = raw.get("attributes")
    if not isinstance(attributes, dict) or not _JSON_API.issuperset(raw):
        return None
    record = dict(attributes)
    if raw.get("id") is not None:
        record.setdefault("id", raw["id"])
    relationships = raw.get("relationships")
    for name, relationship in relationships.items() if isinstance(relationships, dict) else ():
        if isinstance(relationship, dict) and relationship.get("data"):
            record.setdefault(name, _linkage(relationship["data"]))
    if raw.get("meta"):
        record.setdefault("meta", raw["meta"])
    return record


def _linkage(data: Any) -> Any:
    if isinstance(data, list):
        return [_linkage(item) for item in data]
    if isinstance(data, dict) and set(data) == {"type", "id"}:
        return {"id": data["id"]}
    return data


def records_in(whole: dict[str, Any], document: str) -> tuple[list[Any], dict[str, Any], How]:
    """The records of an object that stands where a list belongs, and what stands beside them."""
    rest = without_furniture(whole)
    wrappers = [
        key
        for key, value in rest.items()
        if isinstance(value, (list, dict)) and is_wrapper(key, document)
    ]
    if len(wrappers) == 1 and flattened(whole) is None:
        inner = rest.pop(wrappers[0])
        if isinstance(inner, list):
            return inner, rest, "wrapped"
        records, beside, _ = records_in(inner, document)
        return records, rest | beside, "wrapped"
    if rest and all(isinstance(value, dict) for value in rest.values()):
        return [_with_id(value, key) for key, value in rest.items()], {}, "keyed"
    return ([rest] if rest else []), {}, "one"


def without_furniture(whole: Mapping[str, Any]) -> dict[str, Any]:
    """The object without the members of a JSON:API document that have no content."""
    return {
        key: value
        for key, value in whole.items()
        if not (key in _WITHOUT_CONTENT and isinstance(value, dict))
    }


def _with_id(record: dict[str, Any], key: str) -> dict[str, Any]:
    return record if record.get("id") is not None else {**record, "id": key}


def unwrapped_event(raw: dict[str, Any]) -> dict[str, Any] | None:
    """The event out of `{"event": {…}}`, `{"data": {…}}` or a JSON:API resource, with what stands
    beside it; included resources are lists under their documents' names. None if nothing is around
    it."""
    event = _unwrapped_once(raw)
    found = event
    while event is not None:
        found, event = event, _unwrapped_once(event)
    return found


def _unwrapped_once(raw: dict[str, Any]) -> dict[str, Any] | None:
    flat = flattened(raw)
    if flat is not None:
        return flat
    keys = [key for key, value in raw.items() if key.casefold() in _EVENT and _only_object(value)]
    if len(keys) != 1 or any(key.casefold() in {"name", "title"} for key in raw):
        return None
    beside = without_furniture(raw)
    inner = _only_object(beside.pop(keys[0]))
    inner = flattened(inner) or inner
    result = {**beside, **inner}
    for key in beside.keys() & inner.keys():
        result[f"{key}_"] = beside[key]
    return _with_included(result)


def _only_object(value: Any) -> dict[str, Any]:
    """The object, or the only one of a list; empty if it is neither."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    return value if isinstance(value, dict) else {}


def _with_included(event: dict[str, Any]) -> dict[str, Any]:
    included = event.get("included")
    if not isinstance(included, list):
        return event
    rest = []
    found: dict[str, list[Any]] = {}
    for item in included:
        kind = document_named(item["type"]) if isinstance(item, dict) and _is_typed(item) else None
        record = flattened(item) if kind else None
        if kind is None or record is None:
            rest.append(item)
        else:
            found.setdefault(kind[0], []).append(record)
    result = {key: value for key, value in event.items() if key != "included"}
    # What the event's relationships say of the same records are their ids.
    for document, records in found.items():
        for key in [key for key in result if is_references(result[key]) and _is(key, document)]:
            del result[key]
        result[document] = records
    if rest:
        result["included"] = rest
    return result


def _is_typed(item: dict[str, Any]) -> bool:
    return isinstance(item.get("type"), str)


def _is(key: str, document: str) -> bool:
    named = document_named(key)
    return named is not None and named[0] == document


def is_references(value: Any) -> bool:
    """Whether it is a list of ids without any other values of the records."""
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(item, dict) and set(item) == {"id"} for item in value)
    )
