"""The bytes of a calendar → its lines, unfolded and decoded.

Long lines are folded: a line break and a blank stand anywhere in them, even within a character. So
lines are unfolded as bytes, and decoded only then. Lines may end in LF, CR LF, CR CR LF or CR.
"""

import codecs
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Final

from eventimport.conference.report import Place, Report
from eventimport.formats.bounded_xml.cleaning import BOMS
from eventimport.formats.limits import ArchiveError, ArchiveLimits

_MOST_BYTES: Final = 4
"""Bytes of a character in UTF-8."""

_CONTROLS: Final = re.compile("[\x00-\x08\x0a-\x1f\x7f]")
_CHARSET: Final = re.compile(rb"[^:]{0,200};CHARSET=\"?([A-Za-z0-9_.:-]{1,40})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Line:
    """A line without its folds; `number` is that of its beginning in the file, from 1."""

    text: str
    number: int


def read_lines(
    chunks: Iterable[bytes], limits: ArchiveLimits, report: Report, *, entry: str
) -> Iterator[Line]:
    """The lines of a calendar that are not blank. Repairs are reported.

    Raises ArchiveError if a line is too long, or there are too many."""
    return _LineReader(limits, report, entry).read(chunks)


class _LineReader:
    def __init__(self, limits: ArchiveLimits, report: Report, entry: str) -> None:
        self._limits = limits
        self._report = report
        self._entry = entry
        self._parts: list[bytes] = []
        self._size = 0
        self._begins = 0

    def read(self, chunks: Iterable[bytes]) -> Iterator[Line]:
        pieces = _physical_lines(self._in_utf8(chunks), self._check_size)
        for number, piece in enumerate(pieces, 1):
            if number > self._limits.max_values:
                message = (
                    f"The calendar has more than {self._limits.max_values:,} lines. "
                    "The limit is set by MAX_VALUES."
                )
                raise ArchiveError("too-many-values", message, Place(self._entry, line=number))
            bare = piece.rstrip(b"\r")
            if bare[:1] in {b" ", b"\t"} and self._parts:
                self._size += len(bare)
                self._check_size(self._size)
                self._parts.append(bare[1:])
            elif bare:
                yield from self._line()
                self._parts, self._size, self._begins = [bare], len(bare), number
        yield from self._line()

    def _in_utf8(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """The bytes without a byte order mark, in UTF-8 if the mark is that of another encoding."""
        chunks = iter(chunks)
        first = next(chunks, b"")
        for mark, encoding in BOMS:
            if first.startswith(mark):
                message = f"The file begins with a byte order mark; it was read as {encoding}."
                self._report.repair("byte-order-mark", message, Place(self._entry))
                if encoding == "utf-8":
                    chunks = chain((first[len(mark) :],), chunks)
                    break
                decoder = codecs.getincrementaldecoder(encoding)("replace")
                for chunk in chain((first,), chunks):
                    yield decoder.decode(chunk).encode("utf-8", "replace")
                yield decoder.decode(b"", final=True).encode("utf-8", "replace")
                return
        else:
            chunks = chain((first,), chunks)
        yield from chunks

    def _check_size(self, size: int) -> None:
        if size > self._limits.max_string_length * _MOST_BYTES:
            raise self._too_long()

    def _too_long(self) -> ArchiveError:
        message = (
            f"A line is longer than {self._limits.max_string_length:,} characters. "
            "The limit is set by MAX_TEXT_LENGTH."
        )
        return ArchiveError("text-too-long", message, Place(self._entry, line=self._begins + 1))

    def _line(self) -> Iterator[Line]:
        if not self._parts:
            return
        text = self._decoded(b"".join(self._parts))
        if len(text) > self._limits.max_string_length:
            raise self._too_long()
        if _CONTROLS.search(text):
            text = _CONTROLS.sub("", text)
            place = Place(self._entry, line=self._begins)
            message = "Control characters were removed."
            self._report.repair("control-characters", message, place, group="control-characters")
        if text.strip():
            yield Line(text, self._begins)

    def _decoded(self, data: bytes) -> str:
        try:
            return data.decode()
        except UnicodeDecodeError:
            pass
        place = Place(self._entry, line=self._begins)
        if found := _CHARSET.match(data):
            name = found[1].decode("ascii")
            try:
                text = data.decode(name)
            except (UnicodeError, LookupError):
                pass
            else:
                message = f"A line is in the encoding “{name}”, which it names."
                self._report.repair("encoding", message, place)
                return text
        message = "A line is not in UTF-8; it was read as Windows-1252."
        self._report.warning("encoding", message, place)
        try:
            return data.decode("cp1252")
        except UnicodeDecodeError:
            return data.decode("latin-1")


def _physical_lines(chunks: Iterable[bytes], check_size: Callable[[int], None]) -> Iterator[bytes]:
    end = b""
    rest = b""
    for chunk in chunks:
        end = end or (b"\r" if b"\r" in chunk and b"\n" not in chunk else b"\n")
        lines = (rest + chunk).split(end)
        rest = lines.pop()
        check_size(len(rest))
        yield from lines
    yield rest
