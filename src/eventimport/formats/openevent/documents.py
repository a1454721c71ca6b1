"""Documents of an archive as records. A list is read as a stream: one record is in memory at a
time, and every error has its line and column."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, cast

from eventimport.conference.paths import shown
from eventimport.conference.report import EXCERPT, Place, Report, Severity, title_of
from eventimport.formats.bounded_json.checks import (
    UNSTORABLE_ESCAPE,
    is_deeper,
    quotable,
    storable,
    storable_text,
    strings,
)
from eventimport.formats.bounded_json.reader import JsonReader
from eventimport.formats.bounded_json.text_stream import DocumentError, TextStream
from eventimport.formats.bounded_zip.archive import Archive, ArchiveError
from eventimport.formats.openevent.wrappings import (
    HOW_WORDS,
    How,
    flattened,
    is_wrapper,
    records_in,
    unwrapped_event,
    without_furniture,
)

_LABELS: Final = {
    "sessions": "title",
    **dict.fromkeys(("microlocations", "sponsors", "speakers", "tracks", "session_types"), "name"),
}
"""Documents whose records may be given by their names alone."""

_PADDING: Final = "\0\x1a"
"""What some programs write after the end of a text file."""


def read_list(
    archive: Archive, document: str, report: Report
) -> Iterator[tuple[int, dict[str, Any]]]:
    """The records of a document that is a list of objects, each with its index, from 0.

    None if the archive has no such document. What is wrong is reported, never raised. If the text
    is not JSON or cut off, the document ends there; elements that are not objects, nest too deep or
    are too long are left out; a number that cannot be stored is None in its record. An object
    around the list, JSON:API resources and other encodings are read. Raises OSError if the
    archive's file cannot be read.
    """
    if document in archive.documents:
        yield from _DocumentReader(archive, document, report).records()


def read_object(archive: Archive, document: str, report: Report) -> dict[str, Any] | None:
    """A document that is one object; None where the archive has none or it cannot be read, which
    is reported, as in `read_list`."""
    if document not in archive.documents:
        return None
    return _DocumentReader(archive, document, report).object()


class _DocumentReader:
    def __init__(self, archive: Archive, document: str, report: Report) -> None:
        self._limits = archive.limits
        self._report = report
        self._document = document
        self._counts = archive.record_counts
        self._counts.pop(document, None)
        self._values = archive.value_counts
        self._values.pop(document, None)
        self._values_room = self._limits.max_values - self._values.total()
        self._stop_if_asked = archive.check
        self._room = self._limits.max_records - sum(self._counts.values())
        name = archive.documents[document]
        self._entry = shown(name)
        self._chunks = archive.read(name)
        self._stream: TextStream
        self._reader: JsonReader
        self._index: int | None = None
        self._title: str | None = None
        self._flattened = False

    def records(self) -> Iterator[tuple[int, dict[str, Any]]]:
        with self._guard():
            found = self._begin()
            if found == "[":
                yield from self._list()
            elif found == "{":
                yield from self._object_for_list()
            else:
                self._skip(found, "json-not-a-list", "Expected a list of objects.")
            self._end()

    def _list(self) -> Iterator[tuple[int, dict[str, Any]]]:
        reader, stream = self._reader, self._stream
        stream.position += 1
        index = 0
        mark = reader.peek()
        while mark != "]":
            self._index = index
            if index >= self._room:
                raise self._too_many()
            record = self._check(self._named(self._value()))
            self._counts[self._document] = index + 1
            if record is not None:
                yield index, self._plain(record)
            self._index = self._title = None
            index += 1
            mark = reader.peek()
            if mark == ",":
                stream.position += 1
                if reader.peek() == "]":
                    raise self._syntax_error("a comma before the list's end")
            elif mark != "]":
                raise self._syntax_error("expecting ',' delimiter")
        stream.position += 1

    def _named(self, value: Any) -> Any:
        """The element of the list, or, if it is only a text, a record of that name."""
        label = _LABELS.get(self._document)
        if not isinstance(value, str) or not value.strip() or label is None:
            return value
        message = f"The list holds texts, not objects; each was read as a record's {label}."
        place = Place(self._entry, self._index)
        self._report.warning("record-is-a-text", message, place, quotable(value))
        return {label: value}

    def _object_for_list(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """An object that stands where the list belongs: around it, or one record, or the records
        by their ids. A list within it is read as a stream."""
        reader, stream = self._reader, self._stream
        stream.position += 1
        members: dict[str, Any] = {}
        streamed = False
        size = 0
        mark = reader.peek()
        while mark != "}":
            key = self._key(mark)
            if reader.peek() == "[" and not streamed and is_wrapper(key, self._document):
                streamed = True
                self._report_wrapping("wrapped")
                yield from self._list()
            else:
                value = self._checked_member(key, self._value())
                if value is not None:
                    members[key] = value
                size += reader.end - reader.start
                if size > self._limits.max_record_bytes:
                    raise reader.too_long(reader.start)
            mark = self._after_member()
        stream.position += 1
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
        index = 0
        record: dict[str, Any] | None = first
        while True:
            self._counts[self._document] = index + 1
            if record is not None:
                yield index, self._plain(record)
            index += 1
            if self._reader.peek() != "{":
                break
            self._index = index
            if index >= self._room:
                raise self._too_many()
            record = self._check(self._value())
        self._index = None

    def _key(self, mark: str) -> str:
        """The key that begins here, the colon after it consumed."""
        if mark != '"':
            raise self._syntax_error("expecting property name enclosed in double quotes")
        key: str = self._value()
        if self._reader.peek() != ":":
            raise self._syntax_error("expecting ':' delimiter")
        self._stream.position += 1
        return key

    def _after_member(self) -> str:
        """What begins after a member of an object: another one, or the object's end."""
        mark = self._reader.peek()
        if mark == ",":
            self._stream.position += 1
            mark = self._reader.peek()
            if mark == "}":
                raise self._syntax_error("a comma before the object's end")
        elif mark != "}":
            raise self._syntax_error("expecting ',' delimiter")
        return mark

    def _checked_member(self, key: str, value: Any) -> Any:
        """The value of an object's member as `_check` leaves it."""
        checked = self._check({key: value})
        return None if checked is None else next(iter(checked.values()))

    def _records_of(self, members: dict[str, Any]) -> Iterator[tuple[int, dict[str, Any]]]:
        records, beside, how = records_in(members, self._document)
        self._report_wrapping(how)
        self._report_beside(beside)
        for index, record in enumerate(records):
            self._index = index
            if index >= self._room:
                raise self._too_many()
            self._counts[self._document] = index + 1
            if isinstance(record, dict):
                yield index, self._plain(record)
            else:
                self._report_no_object(record, self._stream.position)
        self._index = None

    def object(self) -> dict[str, Any] | None:
        record = None
        with self._guard():
            found = self._begin()
            if found == "{":
                record = self._check(self._value())
                if record == {}:
                    record = None
                    self._report_empty("{}")
            elif found == "[":
                record = self._only_one(self._value())
            else:
                self._skip(found, "json-not-an-object", "Expected one object.")
            self._end()
        if record is None or self._document != "event":
            return record
        unwrapped = unwrapped_event(record)
        if unwrapped is None:
            return record
        message = "The event stands inside another object; it was taken out of it."
        self._report.repair("wrapped-event", message, Place(self._entry))
        return unwrapped

    def _only_one(self, items: list[Any]) -> dict[str, Any] | None:
        start = self._reader.start
        if not items:
            self._report_empty("[]")
            return None
        if len(items) > 1:
            place = self._stream.location(start)
            message = f"Expected one object, got a list of {len(items):,}."
            raise DocumentError("json-not-an-object", message, *place)
        message = "The object stands in a list; it was taken out of it."
        self._report.repair("one-in-a-list", message, Place(self._entry))
        return self._check(items[0])

    @contextmanager
    def _guard(self) -> Iterator[None]:
        try:
            try:
                yield
            except DocumentError as error:
                self._report_error(error)
                # Damage in the zip may be why: that shows at the entry's end.
                for _ in self._chunks:
                    pass
        except ArchiveError as error:
            self._report.error(error.code, error.message, error.place)
        self._report_encoding()

    def _report_encoding(self) -> None:
        stream: TextStream | None = getattr(self, "_stream", None)
        if stream is not None and stream.foreign_byte is not None:
            offset = stream.foreign_byte
            message = (
                f"The document is not in UTF-8 from byte {offset:,} on; what is not was read as "
                "Windows-1252 (Western European). Check names with accents or umlauts."
            )
            self._report.warning("json-encoding", message, Place(self._entry))

    def _begin(self) -> str:
        """Begin to read; return the first character, or "" if the document is empty."""
        self._stream = stream = TextStream(self._chunks)
        self._reader = JsonReader(stream, self._limits)
        place = Place(self._entry)
        if stream.encoding != "utf-8":
            message = (
                f"The document is in {stream.encoding[:6].upper()}, not UTF-8; it was read so."
            )
            self._report.repair("json-encoding", message, place)
        elif stream.has_bom:
            message = "The document begins with a byte order mark, which was skipped."
            self._report.repair("byte-order-mark", message, place)
        return self._reader.peek()

    def _skip(self, found: str, code: str, expected: str) -> None:
        """Pass over what stands in the place of an object or a list: nothing, null, or an error."""
        if not found:
            self._report_empty("")
            return
        place = self._stream.location(self._stream.position)
        value = self._value()
        if value not in (None, "", False):
            raise DocumentError(code, expected, *place)
        self._report_empty(json.dumps(value))

    def _report_empty(self, what: str) -> None:
        name = self._document.replace("_", " ")
        holds = f"holds only {what}" if what else "is empty"
        if self._document == "event":
            message = f"The document {holds}: there is no event to import."
            self._report.error("empty-document", message, Place(self._entry))
        else:
            message = f"The document {holds}; it was read as if there were no {name}."
            self._report.warning("empty-document", message, Place(self._entry))

    def _report_wrapping(self, how: How) -> None:
        self._report.repair("not-a-list", HOW_WORDS[how], Place(self._entry))

    def _report_beside(self, members: dict[str, Any]) -> None:
        for key, value in members.items():
            if value in (None, "", [], {}):
                continue
            message = f"“{shown(key)}” beside the list has no place in an event; it was left out."
            self._report.warning("unknown-key", message, self._place(key), quotable(value))

    def _plain(self, record: dict[str, Any]) -> dict[str, Any]:
        flat = flattened(record)
        if flat is None:
            return record
        if not self._flattened:
            self._flattened = True
            message = (
                "The records are JSON:API resources; their attributes and relationships were read."
            )
            self._report.repair("json-api", message, Place(self._entry))
        return flat

    def _end(self) -> None:
        reader, stream = self._reader, self._stream
        padded = False
        while (found := reader.peek()) and found in _PADDING:
            stream.position += 1
            padded = True
        if found:
            raise self._syntax_error("there is more text after the document's end")
        if padded:
            message = "The document ends in NUL or end-of-file characters, which were skipped."
            self._report.repair("padding", message, Place(self._entry))

    def _syntax_error(self, what: str) -> DocumentError:
        return self._stream.error("json-syntax", f"not JSON: {what}", self._stream.position)

    def _too_many(self) -> DocumentError:
        message = f"The archive has more than {self._limits.max_records:,} records (MAX_RECORDS)."
        return self._stream.error("too-many-records", message, self._stream.position)

    def _value(self) -> Any:
        """The value that begins here, consumed and counted."""
        self._stop_if_asked()
        value = self._reader.value()
        self._values[self._document] += self._reader.values
        if self._values[self._document] > self._values_room:
            message = (
                f"the archive has more than {self._limits.max_values:,} values in its documents. "
                "The limit is set by MAX_VALUES."
            )
            raise self._stream.error("too-many-values", message, self._reader.start)
        return value

    def _check(self, value: Any) -> dict[str, Any] | None:
        """The value where it is a record to go on with; what is wrong with it is reported."""
        reader, text = self._reader, self._stream.text
        start, end = reader.start, reader.end
        self._title = title_of(value) if isinstance(value, dict) else None
        for number in reader.bad_numbers:
            message = f"{number.reason}; it was left out"
            error = self._stream.error("json-number", message, number.position)
            self._report_error(error, severity=Severity.WARNING)
        if not isinstance(value, dict):
            self._report_no_object(value, start)
            return None
        if end - start > self._limits.max_record_bytes:
            self._report_error(reader.too_long(start))
            return None
        brackets = reader.objects + text.count("[", start, end)
        if brackets > self._limits.max_depth and is_deeper(value, self._limits.max_depth):
            self._report_error(reader.too_deep(start, end))
            return None
        if end - start > self._limits.max_string_length and self._has_long_string(value):
            return None
        for duplicate in reader.duplicates:
            message = (
                "The object has this key twice. The last value was used; this one was left out."
            )
            place = self._place(storable_text(duplicate.key))
            self._report.warning("duplicate-key", message, place, quotable(duplicate.lost))
        if self._stream.has_escapes and UNSTORABLE_ESCAPE.search(text, start, end):
            return cast("dict[str, Any]", storable(value, self._tell_unstorable))
        return value

    def _report_no_object(self, value: Any, position: int) -> None:
        message = "This element of the list is not an object; it was left out."
        error = self._stream.error("record-not-an-object", message, position)
        self._report_error(error, value, severity=Severity.WARNING)

    def _has_long_string(self, value: dict[str, Any]) -> bool:
        limit = self._limits.max_string_length
        for path, string in strings(value):
            if len(string) > limit:
                message = (
                    f"The text has {len(string):,} characters. The limit is {limit:,} "
                    "(MAX_TEXT_LENGTH)."
                )
                place = self._place(storable_text(path))
                self._report.error("string-too-long", message, place, quotable(string))
                return True
        return False

    def _tell_unstorable(self, field: str, text: str) -> None:
        message = (
            "The text holds characters that cannot be stored: NUL was removed, and half of a "
            "surrogate pair replaced by U+FFFD."
        )
        self._report.repair("unstorable-character", message, self._place(field), quotable(text))

    def _place(self, field: str) -> Place:
        return Place(self._entry, self._index, field=shown(field[:EXCERPT]), title=self._title)

    def _report_error(
        self, error: DocumentError, value: Any = None, *, severity: Severity = Severity.ERROR
    ) -> None:
        place = Place(
            self._entry, self._index, line=error.line, column=error.column, title=self._title
        )
        self._report.add(severity, error.code, error.message, place, quotable(value))
