"""One JSON text as a stream of records, whatever it holds. One record is in memory at a time, and
every finding has its line and column.

A record may hold too much, or characters that no database stores: that is checked here, too.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, cast

from eventimport.conference.report import (
    EXCERPT,
    UNSTORABLE,
    Check,
    Place,
    Report,
    Severity,
    go_on,
    shown,
    title_of,
)
from eventimport.formats.bounded_json.reader import UNSTORABLE_ESCAPE, JsonReader
from eventimport.formats.bounded_json.text_stream import DocumentError, TextStream
from eventimport.formats.limits import ArchiveError, ArchiveLimits

_PADDING: Final = "\0\x1a"
"""What some programs write after the end of a text file."""

_MARK: Final = "\ufffd"

Tell = Callable[[str, str], None]
"""Called with the field and its original text if a character was removed from it."""


@dataclass(slots=True)
class JsonCounts:
    """How many records and values were read of each document of a source. A document that is read
    again counts once."""

    records: Counter[str] = field(default_factory=Counter)
    values: Counter[str] = field(default_factory=Counter)


class JsonDocument:
    """Reads one JSON text. `name` is what its records and values are counted under, `entry` what
    findings call it. What is wrong is reported, never raised, inside `guard`: if the text is not
    JSON or cut off, reading ends there; a record that is not an object, nests too deep or is too
    long is left out; a number that cannot be stored is None.

    Between `begin` and `end`, the caller reads the parts that it expects: `value`, `elements`,
    `objects` or `members`.
    """

    def __init__(
        self,
        chunks: Iterator[bytes],
        name: str,
        *,
        entry: str | None,
        limits: ArchiveLimits,
        report: Report,
        counts: JsonCounts,
        check: Check = go_on,
    ) -> None:
        self.name: Final = name
        self.entry: Final = entry
        self.limits: Final = limits
        self.report: Final = report
        self._chunks = chunks
        self._counts = counts
        counts.records.pop(name, None)
        counts.values.pop(name, None)
        self._values_left = limits.max_values - counts.values.total()
        self._records_left = limits.max_records - counts.records.total()
        self._stop_if_asked = check
        self._index: int | None = None
        self._title: str | None = None
        self._odd = ""
        """The window whose records cannot be read ahead any further."""
        self.stream: TextStream
        self.reader: JsonReader

    @contextmanager
    def guard(self) -> Iterator[None]:
        """Report what ends the reading of the text, instead of raising it."""
        try:
            try:
                yield
            except DocumentError as error:
                self.report_error(error)
                # Damage in the file may be the cause: that shows at its end.
                for _ in self._chunks:
                    pass
        except ArchiveError as error:
            error.reported(self.report)
        self._report_encoding()

    def begin(self) -> str:
        """Begin to read; return the first character, or "" if the document is empty."""
        self.stream = stream = TextStream(self._chunks)
        self.reader = JsonReader(stream, self.limits)
        place = Place(self.entry)
        if stream.encoding != "utf-8":
            message = (
                f"The document is in {stream.encoding[:6].upper()} instead of"
                " UTF-8. It was read in that encoding."
            )
            self.report.repair("json-encoding", message, place)
        elif stream.has_bom:
            message = "The document begins with a byte order mark. It was skipped."
            self.report.repair("byte-order-mark", message, place)
        return self.reader.peek()

    def end(self) -> None:
        """Read up to the end. Raises DocumentError if there is more than padding."""
        reader, stream = self.reader, self.stream
        padded = False
        while (found := reader.peek()) and found in _PADDING:
            stream.position += 1
            padded = True
        if found:
            raise self.syntax_error("there is more text after the document's end")
        if padded:
            message = "The document ends with NUL or end-of-file characters. They were skipped."
            self.report.repair("padding", message, Place(self.entry))

    def value(self) -> Any:
        """The value that begins here, consumed and counted."""
        self._stop_if_asked()
        value = self.reader.value()
        self._counts.values[self.name] += self.reader.values
        if self._counts.values[self.name] > self._values_left:
            message = (
                f"The documents hold more than {self.limits.max_values:,} values. The limit is set "
                "by MAX_VALUES."
            )
            raise self.stream.error("too-many-values", message, self.reader.start)
        return value

    def elements(self, first: int = 0, *, ahead: bool = False) -> Iterator[tuple[int, Any]]:
        """The values of the list that begins here, each with its index, from `first`. Between two
        of them, `record` says what is wrong with the last one. With `ahead`, records are read many
        at a time, which is much faster; the position of each is known only if it is odd."""
        stream = self.stream
        stream.position += 1
        index = first
        between = ""
        mark = self.reader.peek()
        while mark != "]":
            found = self._ahead(index, between) if between and mark == "{" else []
            if found:
                yield from enumerate(found, index)
                index += len(found)
                self.count(index - 1)
            else:
                self.count(index)
                yield index, self.value()
                index += 1
            self._index = self._title = None
            text, end = stream.text, stream.position
            mark = self._after(mark="]", where="list")
            between = text[end - 1 : stream.position + 1] if ahead and text is stream.text else ""
        stream.position += 1

    def _ahead(self, index: int, between: str) -> list[dict[str, Any]]:
        """The records that the window holds from here on, counted; none if one of them is odd."""
        if self.stream.text is self._odd:
            return []
        self._stop_if_asked()
        left = self._values_left - self._counts.values[self.name]
        found = self.reader.objects(between, self._records_left - index, left)
        if found:
            self._counts.values[self.name] += self.reader.values
        else:
            # A window may hold thousands of records: they are not tried again before each of them.
            self._odd = self.stream.text
        return found

    def objects(self, first: int = 0) -> Iterator[int]:
        """The indexes, from `first`, of the objects in the list that begins here. The caller reads
        each of them; what is not an object is reported."""
        reader, stream = self.reader, self.stream
        stream.position += 1
        index = first
        mark = reader.peek()
        while mark != "]":
            self.count(index)
            if mark == "{":
                yield index
            else:
                self.record(self.value())
            index += 1
            mark = self._after(mark="]", where="list")
        stream.position += 1

    def members(self) -> Iterator[tuple[str, str]]:
        """The keys of the object that begins here, each with the character that its value begins
        with. The caller reads each value."""
        stream = self.stream
        stream.position += 1
        mark = self.reader.peek()
        while mark != "}":
            key = self._key(mark)
            yield key, self.reader.peek()
            mark = self._after(mark="}", where="object")
        stream.position += 1

    def count(self, index: int | None) -> None:
        """Say which record comes now. Raises DocumentError if it is one too many."""
        self._index = index
        if index is None:
            return
        if index >= self._records_left:
            message = (
                f"The documents hold more than {self.limits.max_records:,} records. The limit is "
                "set by MAX_RECORDS."
            )
            raise self.stream.error("too-many-records", message, self.stream.position)
        self._counts.records[self.name] = index + 1

    def record(  # noqa: PLR0911 - one for each thing that is wrong
        self, value: Any
    ) -> dict[str, Any] | None:
        """The value that was read last, if it is a record to go on with; what is wrong with it is
        reported."""
        reader, text = self.reader, self.stream.text
        start, end = reader.start, reader.end
        if start == end:
            # It was read ahead: nothing about it is odd.
            return cast("dict[str, Any]", value)
        self._title = title_of(value) if isinstance(value, dict) else None
        for number in reader.bad_numbers:
            message = f"The value is {number.reason}. It was left out."
            error = self.stream.error("json-number", message, number.position)
            self.report_error(error, severity=Severity.WARNING)
        if not isinstance(value, dict):
            self.report_no_object(value, start)
            return None
        if end - start > self.limits.max_record_bytes:
            self.report_error(reader.too_long(start))
            return None
        max_depth = self.limits.max_depth
        if reader.containers >= max_depth and is_deeper(value, max_depth):
            self.report_error(reader.too_deep(start, end))
            return None
        if end - start > self.limits.max_string_length and self._has_long_string(value):
            return None
        for duplicate in reader.duplicates:
            message = (
                "The object has this key twice. The last value was used, and the"
                " first was left out."
            )
            place = self.place(storable_text(duplicate.key))
            self.report.warning("duplicate-key", message, place, quotable(duplicate.lost))
        if self.stream.has_escapes and UNSTORABLE_ESCAPE.search(text, start, end):
            return cast("dict[str, Any]", storable(value, self._report_unstorable))
        return value

    def member(self, key: str, value: Any) -> Any:
        """The value of an object's member, checked as `record` does; None if it is left out."""
        checked = self.record({key: value})
        return None if checked is None else next(iter(checked.values()))

    def place(self, field: str) -> Place:
        """A field of the record that is read now."""
        return Place(self.entry, self._index, field=shown(field[:EXCERPT]), title=self._title)

    def syntax_error(self, what: str) -> DocumentError:
        """The error that the text is not JSON from here on."""
        return self.stream.error(
            "json-syntax", f"The document is not valid JSON: {what}.", self.stream.position
        )

    def report_no_object(self, value: Any, position: int) -> None:
        """Report that an element at this position of the window is not an object."""
        message = "This element of the list is not an object. It was left out."
        error = self.stream.error("record-not-an-object", message, position)
        self.report_error(error, value, severity=Severity.WARNING)

    def report_error(
        self, error: DocumentError, value: Any = None, *, severity: Severity = Severity.ERROR
    ) -> None:
        """Report an error about the record that is read now."""
        place = Place(
            self.entry, self._index, line=error.line, column=error.column, title=self._title
        )
        self.report.add(severity, error.code, error.message, place, quotable(value))

    def _key(self, mark: str) -> str:
        """The key that begins here, the colon after it consumed."""
        if mark != '"':
            raise self.syntax_error("expecting property name enclosed in double quotes")
        key: str = self.value()
        if self.reader.peek() != ":":
            raise self.syntax_error("expecting ':' delimiter")
        self.stream.position += 1
        return key

    def _after(self, mark: str, where: str) -> str:
        found = self.reader.peek()
        if found == ",":
            self.stream.position += 1
            found = self.reader.peek()
            if found == mark:
                raise self.syntax_error(f"a comma before the {where}'s end")
        elif found != mark:
            raise self.syntax_error("expecting ',' delimiter")
        return found

    def _has_long_string(self, value: dict[str, Any]) -> bool:
        limit = self.limits.max_string_length
        for path, string in strings(value):
            if len(string) > limit:
                message = (
                    f"The text has {len(string):,} characters. The limit is {limit:,} "
                    "(MAX_TEXT_LENGTH)."
                )
                place = self.place(storable_text(path))
                self.report.error("string-too-long", message, place, quotable(string))
                return True
        return False

    def _report_unstorable(self, field: str, text: str) -> None:
        message = (
            "The text has characters that cannot be stored. NUL was removed, and"
            " incomplete surrogate pairs were replaced by U+FFFD."
        )
        self.report.repair("unstorable-character", message, self.place(field), quotable(text))

    def _report_encoding(self) -> None:
        stream: TextStream | None = getattr(self, "stream", None)
        if stream is not None and stream.foreign_byte is not None:
            offset = stream.foreign_byte
            message = (
                f"The document is not valid UTF-8 from byte {offset:,} on. The"
                " rest was read as Windows-1252 (Western European). Check names"
                " with accents or umlauts."
            )
            self.report.warning("json-encoding", message, Place(self.entry))


def is_deeper(value: Any, limit: int) -> bool:
    """Whether objects and lists nest deeper than the limit, the value itself being the first."""
    level = [value] if isinstance(value, (dict, list)) else []
    for _ in range(limit):
        level = [inner for outer in level for inner in _inner(outer)]
        if not level:
            return False
    return bool(level)


def _inner(outer: Any) -> Iterator[Any]:
    for value in outer.values() if isinstance(outer, dict) else outer:
        if isinstance(value, (dict, list)):
            yield value


def strings(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Every string of a value, the keys too, and the path to it: `speakers.0.name`."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield _join(path, key), key
            yield from strings(inner, _join(path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from strings(inner, _join(path, str(index)))


def storable(value: Any, tell: Tell, path: str = "") -> Any:
    """The value without NUL, and with U+FFFD for halves of surrogate pairs."""
    if isinstance(value, str):
        if not UNSTORABLE.search(value):
            return value
        tell(storable_text(path), value)
        return storable_text(value)
    if isinstance(value, dict):
        result: dict[str, Any] = {}
        number = 0
        for key, inner in value.items():
            where = _join(path, key)
            name = clean = storable(key, tell, where)
            while name in result:
                # Numbered, since thousands of keys may become the same one.
                name = f"{clean}{_MARK}{number or ''}"
                number += 1
            result[name] = storable(inner, tell, where)
        return result
    if isinstance(value, list):
        return [storable(inner, tell, _join(path, str(index))) for index, inner in enumerate(value)]
    return value


def storable_text(text: str) -> str:
    """The text without NUL, and with U+FFFD for halves of surrogate pairs."""
    return UNSTORABLE.sub(lambda found: "" if found[0] == "\0" else _MARK, text)


def quotable(value: Any) -> Any:
    """The value as a finding may keep and a database store it: text without what neither can, and
    no longer than a finding quotes."""
    if value is None or isinstance(value, (bool, int, float)):
        return value
    text = value if isinstance(value, str) else repr(value)
    # One more than is quoted: it is by that that the report knows it for a part.
    return UNSTORABLE.sub(lambda found: ascii(found[0])[1:-1], text[: EXCERPT + 1])


def _join(path: str, key: str) -> str:
    """The path to a key, its beginning only: paths are made for each value of a record."""
    key = key[: EXCERPT + 1]
    return f"{path}.{key}"[: EXCERPT + 1] if path else key
