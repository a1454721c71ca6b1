"""JSON values out of a stream of text, by the standard library's scanner in C.

A call of the scanner is as long as one value, or as the part of a list that the window holds, so
that neither the interpreter's lock nor memory is held for a whole document.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from json import JSONDecodeError, JSONDecoder
from math import isfinite
from typing import Any, Final, cast

from eventimport.errors import size_in_words
from eventimport.formats.bounded_json.text_stream import DocumentError, TextStream
from eventimport.formats.limits import ArchiveLimits

_FILL: Final = 128 * 1024
_AHEAD: Final = 32 * 1024
"""Characters of a list that are read at once: what they make stays in the processor's cache."""
_MARGIN: Final = 16
"""A token that the window's end cuts in two is found wrong at most so far before the end, unless
it is a string: `-Infinit`, or the escapes of a surrogate pair."""

UNSTORABLE_ESCAPE: Final = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")
"""Where JSON may hold what no database stores; such an escape may also be half of a good pair."""

_CONTAINERS: Final = frozenset({dict, list})

_WHITESPACE: Final = re.compile(r"[ \t\n\r]*")
_STRING: Final = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
_TOKEN: Final = re.compile(
    _STRING.pattern + r"|[][{}]|-?(?:[0-9]++(?:\.[0-9]++)?(?:[eE][-+]?[0-9]++)?|Infinity)"
    r"|NaN",
    re.DOTALL,
)


class _NumberError(ValueError):
    """A number that no column can hold."""


@dataclass(frozen=True, slots=True)
class Duplicate:
    """A key that an object has twice, and the value of the first, which is lost."""

    key: str
    lost: Any


@dataclass(frozen=True, slots=True)
class BadNumber:
    """A number that cannot be stored, where it is in the window, and why."""

    position: int
    reason: str


def _finite(text: str) -> float:
    number = float(text)
    if isfinite(number):
        return number
    raise _NumberError


def _refuse_constant(_: str) -> Any:
    raise _NumberError


def _finite_or_none(text: str) -> float | None:
    number = float(text)
    return number if isfinite(number) else None


def _integer_or_none(text: str) -> int | None:
    try:
        return int(text)
    except ValueError:
        # Python converts no more than some thousand digits: it would take quadratic time.
        return None


def _marks(text: str, start: int = 0) -> int:
    """How many values a text without strings has, or fewer."""
    return sum(text.count(mark, start) for mark in ",[{")


def _containers(value: Any) -> list[Any]:
    """The objects and lists that it is made of, itself included."""
    found = [value] if type(value) in _CONTAINERS else []
    for outer in found:
        inner = outer.values() if type(outer) is dict else outer
        found += [each for each in inner if type(each) in _CONTAINERS]
    return found


def _measured(value: Any) -> tuple[int, int]:
    """How many values are in an object or a list, and how deep they nest, itself being the first
    level."""
    level = [value]
    values = depth = 0
    while level:
        values += sum(map(len, level))
        depth += 1
        level = [
            each
            for outer in level
            for each in (outer.values() if type(outer) is dict else outer)
            if type(each) in _CONTAINERS
        ]
    return values, depth


class JsonReader:
    """Reads values from a stream. After `value`, `start` and `end` say where in the stream's window
    it was read from, until the next call; `values` and `containers` how many values, and how many
    objects and lists, it is made of; `duplicates` and `bad_numbers` what was odd in it."""

    def __init__(self, stream: TextStream, limits: ArchiveLimits) -> None:
        self._stream = stream
        self._limits = limits
        self._strict = JSONDecoder(
            object_pairs_hook=self._unique,
            parse_float=_finite,
            parse_constant=_refuse_constant,
        ).raw_decode
        self._tolerant = JSONDecoder(
            object_pairs_hook=self._unique,
            parse_float=_finite_or_none,
            parse_int=_integer_or_none,
            parse_constant=lambda _: None,
        ).raw_decode
        self.start = 0
        self.end = 0
        self.containers = 0
        self.values = 0
        self.duplicates: list[Duplicate] = []
        self.bad_numbers: list[BadNumber] = []

    def peek(self) -> str:
        """The next character that is no whitespace, not consumed; empty at the end."""
        stream = self._stream
        while True:
            text, position = stream.text, stream.position
            if position < len(text) and text[position] > " ":
                return text[position]
            if found := _WHITESPACE.match(text, position):
                stream.position = position = found.end()
            if position < len(text):
                return text[position]
            if stream.ended:
                return ""
            stream.fill(_FILL)

    def value(self) -> Any:
        """The value that begins at the stream's position, consumed. A number that cannot be stored
        is None. Raises DocumentError where there is no value, or too large a one."""
        stream = self._stream
        decode = self._strict
        while True:
            self.duplicates.clear()
            try:
                value, end = decode(stream.text, stream.position)
            except JSONDecodeError as error:
                self._grow_or_raise(error)
            except ValueError:
                decode = self._tolerant
            except RecursionError:
                raise self.too_deep(stream.position, len(stream.text)) from None
            else:
                text = stream.text
                if text[end - 1] in '}]"' or end + _MARGIN <= len(text) or stream.ended:
                    break
                # A number may go on.
                self._grow()
        self.start, self.end = stream.position, end
        self.bad_numbers = [] if decode is self._strict else list(self._find_bad_numbers())
        containers = _containers(value)
        self.containers = len(containers)
        self.values = 1 + sum(map(len, containers))
        if self.values > self._limits.max_record_values:
            raise self._too_many_values(self.start)
        stream.position = end
        return value

    def objects(self, between: str, most: int, most_values: int) -> list[dict[str, Any]]:
        """Some objects of a list that follow each other from here on, consumed. `between` is the
        text from the last bracket of one to the first of the next. Empty if anything about them is
        odd, or beyond a limit: `value` reads them one by one then."""
        stream, limits = self._stream, self._limits
        start = stream.position
        end = stream.text.rfind(between, start, start + _AHEAD) + 1
        # What is within the limits of one record as a whole has no record beyond them.
        if not 0 < end - start <= min(limits.max_record_bytes, limits.max_string_length) or (
            stream.has_escapes and UNSTORABLE_ESCAPE.search(stream.text, start, end)
        ):
            return []
        self.duplicates.clear()
        part = f"[{stream.text[start:end]}]"
        try:
            found, length = self._strict(part)
        except (ValueError, RecursionError):
            return []
        # The list itself may end within the part.
        if length < len(part) or self.duplicates or {*map(type, found)} != {dict}:
            return []
        values, depth = _measured(found)
        most_values = min(most_values, limits.max_record_values)
        if len(found) > most or values > most_values or depth > limits.max_depth:
            return []
        self.start = self.end = stream.position = end
        self.bad_numbers = []
        self.values, self.containers = values, 0
        return cast("list[dict[str, Any]]", found)

    def too_deep(self, start: int, end: int) -> DocumentError:
        """The error about the first bracket of this part of the window that nests too deep."""
        stream = self._stream
        depth = 0
        position = start
        for token in _TOKEN.finditer(stream.text, start, end):
            position = token.start()
            depth += (token[0] in "[{") - (token[0] in "]}")
            if depth > self._limits.max_depth:
                break
        message = f"Objects and lists nest deeper than {self._limits.max_depth} (MAX_JSON_DEPTH)."
        return stream.error("json-nesting", message, position)

    def too_long(self, position: int) -> DocumentError:
        """The error about a record at this position of the window that is longer than the limit."""
        size = size_in_words(self._limits.max_record_bytes)
        message = f"A record is larger than {size}. The limit is set by MAX_RECORD_BYTES."
        return self._stream.error("record-too-long", message, position)

    def _too_many_values(self, position: int) -> DocumentError:
        message = (
            f"A record has more than {self._limits.max_record_values:,} values. The limit is set "
            "by MAX_RECORD_VALUES."
        )
        return self._stream.error("record-too-long", message, position)

    def _grow_or_raise(self, error: JSONDecodeError) -> None:
        stream = self._stream
        in_string = error.msg.startswith("Unterminated string")
        if in_string and len(stream.text) - error.pos > self._limits.max_string_length:
            limit = self._limits.max_string_length
            message = f"The text has more than {limit:,} characters (MAX_TEXT_LENGTH)."
            raise stream.error("string-too-long", message, error.pos) from None
        if stream.ended or not (in_string or error.pos + _MARGIN > len(stream.text)):
            message = f"The document is not valid JSON: {error.msg[:1].lower()}{error.msg[1:]}."
            raise stream.error("json-syntax", message, error.pos) from None
        self._grow()

    def _grow(self) -> None:
        stream = self._stream
        held = len(stream.text) - stream.position
        if held > self._limits.max_record_bytes:
            raise self.too_long(stream.position)
        # It is the number of values that takes the scanner's time and memory, not their length.
        most = self._limits.max_record_values
        if _marks(stream.text, stream.position) > most and self._has_many_values():
            raise self._too_many_values(stream.position)
        # By a part of the limit, not by doubling: what comes in unseen holds few values, too.
        stream.fill(max(_FILL, self._limits.max_record_bytes // 16))

    def _has_many_values(self) -> bool:
        text = self._stream.text[self._stream.position :]
        return _marks(_STRING.sub("", text)) > self._limits.max_record_values

    def _unique(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        record = dict(pairs)
        if len(record) != len(pairs):
            self._note_duplicates(pairs)
        return record

    def _note_duplicates(self, pairs: list[tuple[str, Any]]) -> None:
        seen: dict[str, Any] = {}
        for key, value in pairs:
            if key in seen and (type(seen[key]) is not type(value) or seen[key] != value):
                self.duplicates.append(Duplicate(key, seen[key]))
            seen[key] = value

    def _find_bad_numbers(self) -> Iterator[BadNumber]:
        for token in _TOKEN.finditer(self._stream.text, self.start, self.end):
            text = token[0]
            if text[0] in '"[]{}':
                continue
            if text[-1] in "yN":
                yield BadNumber(token.start(), f"{text}, which is not a valid number in JSON")
            elif text.lstrip("-").isdecimal():
                if _integer_or_none(text) is None:
                    yield BadNumber(
                        token.start(), f"an integer of {len(text):,} digits, which is too long"
                    )
            elif not isfinite(float(text)):
                shown = text if len(text) <= 40 else text[:40] + "…"
                yield BadNumber(token.start(), f"{shown}, which is too large for a number")
