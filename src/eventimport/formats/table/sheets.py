"""Tables as they come in: a sheet is rows of cells, whatever file it stands in."""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final

from eventimport.conference.report import Place, Report
from eventimport.errors import size_in_words
from eventimport.formats.bounded_json.text_stream import DocumentError, TextStream
from eventimport.formats.limits import ArchiveError, ArchiveLimits

Cell = str | int | float | bool | datetime | date | time | timedelta | None

DELIMITERS: Final = (",", ";", "\t", "|")
SNIFFED: Final = 20
"""Rows that a header is looked for in."""

_FILL: Final = 256 * 1024
_SAYS_DELIMITER: Final = re.compile(r"\s*sep=(.)\s*", re.IGNORECASE)
_END: Final = re.compile(r"\r++\n?|\n")
_DEFUSED: Final = ("@", "+", "-", "=", "|", "%", "\t", "\r", "\n")
"""What an apostrophe stands before, so that no spreadsheet takes the text for a formula."""


@dataclass(frozen=True, slots=True)
class Row:
    """The cells of a row, and the line where it begins, from 1."""

    line: int
    cells: list[Cell]

    @property
    def is_empty(self) -> bool:
        """Whether no cell says anything."""
        return all(cell in (None, "") for cell in self.cells)


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table. `entry` is the document that it stands in, `name` its own name, if it has one."""

    entry: str
    name: str | None
    rows: Iterator[Row]


def csv_rows(
    chunks: Iterator[bytes], delimiter: str, entry: str, limits: ArchiveLimits, report: Report
) -> Iterator[Row]:
    """The rows of a CSV file in UTF-8, UTF-16 or Windows-1252. Raises ArchiveError if a row or a
    cell is over a limit, or the text is not CSV."""
    # It is a setting of the process, and the same for all who read.
    csv.field_size_limit(limits.max_string_length)
    try:
        stream = TextStream(chunks)
        reader = csv.reader(_lines(stream, entry, limits), delimiter=delimiter)
        line = 1
        for cells in reader:
            undone = [_undefused(cell) for cell in cells]
            if undone != cells:
                message = (
                    "Apostrophes before characters that begin a formula were removed: the program "
                    "that wrote the file has added them."
                )
                report.repair("apostrophe", message, Place(entry))
            yield Row(line, [*undone])
            line = reader.line_num + 1
    except csv.Error as error:
        raise _csv_error(error, line, entry, limits) from None
    except DocumentError as error:
        place = Place(entry, line=error.line, column=error.column)
        raise ArchiveError(error.code, error.message, place) from None
    if stream.foreign_byte is not None:
        message = (
            f"The file is not valid UTF-8 from byte {stream.foreign_byte:,} on. The rest was read "
            "as Windows-1252 (Western European). Check names with accents or umlauts."
        )
        report.warning("encoding", message, Place(entry))


def sniffed_rows(beginning: bytes, delimiter: str) -> list[list[str]]:
    """The first rows of a CSV file by its beginning. None if it is not CSV."""
    stream = TextStream(iter([beginning]))
    if "\0" in stream.text:
        return []
    text = stream.text
    rows: list[list[str]] = []
    try:
        for row in csv.reader(_split(text), delimiter=delimiter):
            rows.append(row)
            if len(rows) == SNIFFED:
                break
    except csv.Error:
        pass
    return rows


def said_delimiter(beginning: bytes) -> str | None:
    """The delimiter that a first line such as `sep=;` names."""
    text = TextStream(iter([beginning[:64]])).text
    found = _SAYS_DELIMITER.fullmatch(text.split("\n", 1)[0])
    return found[1] if found else None


def _lines(stream: TextStream, entry: str, limits: ArchiveLimits) -> Iterator[str]:
    """The lines of a text, each with its end. Raises ArchiveError if one is over the limit."""
    while True:
        text = stream.text
        start = stream.position
        # A line end may be in two parts, CR and LF: the last one waits for more.
        while (end := _line_end(text, start, ended=stream.ended)) >= 0:
            yield text[start:end]
            start = stream.position = end
        if stream.ended:
            if start < len(text):
                yield text[start:]
            return
        if len(text) - start > limits.max_record_bytes:
            size = size_in_words(limits.max_record_bytes)
            message = f"A line is larger than {size}. The limit is set by MAX_RECORD_BYTES."
            raise ArchiveError("record-too-long", message, Place(entry))
        stream.fill(_FILL)


def _split(text: str) -> Iterator[str]:
    start = 0
    while (end := _line_end(text, start, ended=True)) >= 0:
        yield text[start:end]
        start = end
    yield text[start:]


def _line_end(text: str, start: int, *, ended: bool) -> int:
    """The position after the next line end; -1 if there is none yet. Files of old programs end
    lines with CR; CR CR LF is one end."""
    found = _END.search(text, start)
    # CR at the end of the window may be half of an end.
    if found is None or (found.end() == len(text) and text[-1] == "\r" and not ended):
        return -1
    return found.end()


def _undefused(cell: str) -> str:
    if cell[:1] != "'" or not cell[1:].lstrip(" ").startswith(_DEFUSED):
        return cell
    return cell[1:].replace("\\|", "|")


def _csv_error(error: csv.Error, line: int, entry: str, limits: ArchiveLimits) -> ArchiveError:
    place = Place(entry, line=line)
    if "field limit" in str(error):
        message = (
            f"The text has more than {limits.max_string_length:,} characters (MAX_TEXT_LENGTH)."
        )
        return ArchiveError("string-too-long", message, place)
    return ArchiveError("csv-syntax", f"The row is not valid CSV: {error}.", place)
