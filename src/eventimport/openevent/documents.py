"""Documents of an archive as records. A list is read as a stream: one record is in memory at a
time, and every error has its line and column."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, cast

from eventimport.openevent.archive import Archive, ArchiveError
from eventimport.openevent.entry_names import shown
from eventimport.openevent.json_reader import JsonReader
from eventimport.openevent.record_checks import (
    UNSTORABLE_ESCAPE,
    is_deeper,
    quotable,
    storable,
    storable_text,
    strings,
)
from eventimport.openevent.report import Place, Report
from eventimport.openevent.text_stream import DocumentError, TextStream

_TOLD: Final = 100
"""Of one kind of error in a document's records, so many are told of."""


def read_list(
    archive: Archive, document: str, report: Report
) -> Iterator[tuple[int, dict[str, Any]]]:
    """The records of a document that is a list of objects, each with its index, from 0.

    None where the archive has no such document. What is wrong is reported, never raised. Where the
    text is no JSON, not in UTF-8 or cut off, the document ends there; elements that are no objects,
    nest too deep or are too long are left out; a number that cannot be stored is None in its
    record. Raises OSError where the archive's file cannot be read.
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
        self._room = self._limits.max_records - sum(self._counts.values())
        name = archive.documents[document]
        self._entry = shown(name)
        self._chunks = archive.read(name)
        self._stream: TextStream
        self._reader: JsonReader
        self._index: int | None = None
        self._told: Counter[str] = Counter()

    def records(self) -> Iterator[tuple[int, dict[str, Any]]]:
        with self._guard():
            self._begin("[", "json-not-a-list", "a list of objects belongs here")
            reader, stream = self._reader, self._stream
            stream.position += 1
            index = 0
            mark = reader.peek()
            while mark != "]":
                self._index = index
                if index >= self._room:
                    raise self._too_many()
                record = self._check(reader.value())
                self._counts[self._document] = index + 1
                if record is not None:
                    yield index, record
                self._index = None
                index += 1
                mark = reader.peek()
                if mark == ",":
                    stream.position += 1
                    if reader.peek() == "]":
                        raise self._syntax_error("a comma before the list's end")
                elif mark != "]":
                    raise self._syntax_error("expecting ',' delimiter")
            stream.position += 1
            self._end()

    def object(self) -> dict[str, Any] | None:
        record = None
        with self._guard():
            self._begin("{", "json-not-an-object", "an object belongs here")
            record = self._check(self._reader.value())
            self._end()
        return record

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
        for code, count in self._told.items():
            if count > _TOLD:
                message = f"{count - _TOLD} more errors of this kind"
                self._report.error(code, message, Place(self._entry))

    def _begin(self, mark: str, code: str, expected: str) -> None:
        self._stream = stream = TextStream(self._chunks)
        self._reader = reader = JsonReader(stream, self._limits)
        if stream.has_bom:
            message = "the document begins with a byte order mark, which JSON does not allow"
            self._report.error("byte-order-mark", message, Place(self._entry, line=1, column=1))
        found = reader.peek()
        if not found:
            raise self._syntax_error("the document is empty")
        if found != mark:
            position = stream.position
            place = stream.location(position)
            if found not in "[{":
                reader.value()
            raise DocumentError(code, expected, *place)

    def _end(self) -> None:
        if self._reader.peek():
            raise self._syntax_error("there is more text after the document's end")

    def _syntax_error(self, what: str) -> DocumentError:
        return self._stream.error("json-syntax", f"not JSON: {what}", self._stream.position)

    def _too_many(self) -> DocumentError:
        message = f"the archive has more than {self._limits.max_records} records"
        return self._stream.error("too-many-records", message, self._stream.position)

    def _check(self, value: Any) -> dict[str, Any] | None:
        """The value where it is a record to go on with; what is wrong with it is reported."""
        reader, text = self._reader, self._stream.text
        start, end = reader.start, reader.end
        for number in reader.bad_numbers:
            if self._may_tell("json-number"):
                error = self._stream.error("json-number", number.reason, number.position)
                self._report_error(error)
        if not isinstance(value, dict):
            if self._may_tell("record-not-an-object"):
                message = "this element of the list is no object"
                error = self._stream.error("record-not-an-object", message, start)
                self._report_error(error, value)
            return None
        if end - start > self._limits.max_record_bytes:
            self._report_error(reader.too_long(start))
            return None
        brackets = reader.objects + text.count("[", start, end)
        if brackets > self._limits.max_depth and is_deeper(value, self._limits.max_depth):
            if self._may_tell("json-nesting"):
                self._report_error(reader.too_deep(start, end))
            return None
        if end - start > self._limits.max_string_length and self._has_long_string(value):
            return None
        for duplicate in reader.duplicates:
            message = "the object has this key twice; this is the value that was not taken"
            place = self._place(storable_text(duplicate.key))
            self._report.warning("duplicate-key", message, place, quotable(duplicate.lost))
        if self._stream.has_escapes and UNSTORABLE_ESCAPE.search(text, start, end):
            return cast("dict[str, Any]", storable(value, self._tell_unstorable))
        return value

    def _has_long_string(self, value: dict[str, Any]) -> bool:
        limit = self._limits.max_string_length
        for path, string in strings(value):
            if len(string) > limit:
                message = f"the string has {len(string)} characters; at most {limit} are read"
                place = self._place(storable_text(path))
                self._report.error("string-too-long", message, place, quotable(string))
                return True
        return False

    def _tell_unstorable(self, field: str, text: str) -> None:
        message = "NUL was removed, and a half of a surrogate pair replaced by U+FFFD"
        self._report.repair("unstorable-character", message, self._place(field), quotable(text))

    def _place(self, field: str) -> Place:
        return Place(self._entry, self._index, field=shown(field))

    def _may_tell(self, code: str) -> bool:
        """Whether another error of this code is to be told of. Asked before its place is sought:
        that takes a look at all text before it."""
        self._told[code] += 1
        return self._told[code] <= _TOLD

    def _report_error(self, error: DocumentError, value: Any = None) -> None:
        place = Place(self._entry, self._index, line=error.line, column=error.column)
        self._report.error(error.code, error.message, place, quotable(value))
