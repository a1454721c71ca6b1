"""OpenDocument spreadsheets (.ods, .fods) → a conference. Each sheet is a table.

A spreadsheet is a zip with XML documents, or, as `.fods`, a single one. Equal cells and equal rows
that follow each other are written once, with a count: a file of a few bytes may claim a million
rows. Equal rows say nothing new, so they are read once.
"""

import re
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from math import isfinite
from typing import Final

from eventimport.conference.conference import Conference
from eventimport.conference.report import Place, Report
from eventimport.formats.bounded_xml.reader import (
    Element,
    Step,
    XmlStep,
    bare_name,
    local_name,
    read_xml,
    root_name,
    text_of,
)
from eventimport.formats.format import ReadOptions
from eventimport.formats.limits import ArchiveError, ArchiveLimits, report_errors
from eventimport.formats.source import Source
from eventimport.formats.table.reader import read_sheets
from eventimport.formats.table.sheets import Cell, Row, Sheet
from eventimport.formats.table.workbooks import MAX_COLUMNS, SheetFindings, WorkbookParts

TITLE: Final = "OpenDocument"

_CONTENT: Final = "content.xml"
_MANIFEST: Final = "META-INF/manifest.xml"
_MIMETYPE: Final = "mimetype"
_SPREADSHEET: Final = b"application/vnd.oasis.opendocument.spreadsheet"
_IMAGES: Final = "Pictures/"

_CONTAINERS: Final = {
    *("automatic-styles", "body", "spreadsheet", "tracked-changes", "table"),
    *("table-header-rows", "table-rows", "table-row-group"),
}
_CELLS: Final = frozenset({"table-cell", "covered-table-cell"})
_NO_TEXT: Final = frozenset({"annotation", "annotation-end", "ruby-text", "note", "frame"})
"""Elements within a text that the cell does not show as its text."""

_BLANKS: Final = re.compile(r"[ \t\r\n]+")
_ERRORS: Final = re.compile(r"#(?:DIV/0!|N/A|NAME\?|NULL!|NUM!|REF!|VALUE!)|Err:\d{3}")
_DURATION: Final = re.compile(
    r"(-?)P(?:(\d{1,6})D)?(?:T(?:(\d{1,6})H)?(?:(\d{1,6})M)?(?:(\d{1,8}(?:[.,]\d{1,20})?)S)?)?"
)
_NO_DAY: Final = date.fromisoformat("1899-12-30")
"""Times of the day that a cell shows as a date have this day."""

_EXTENSION: Final = "calcext"
_MOST_DIGITS: Final = 9


def has_spreadsheet(source: Source) -> bool:
    """Whether the source is an OpenDocument spreadsheet."""
    if not source.is_zip:
        beginning = source.beginning()
        return root_name(beginning) == "document" and _SPREADSHEET in beginning
    named = {entry.path: entry.name for entry in source.entries if entry.refusal is None}
    if _MIMETYPE in named:
        return source.head(named[_MIMETYPE]).startswith(_SPREADSHEET)
    beginning = source.beginning(named[_CONTENT]) if _CONTENT in named else b""
    return root_name(beginning) == "document-content" and b"spreadsheet" in beginning


def read(source: Source, options: ReadOptions, report: Report) -> Conference:
    """Read a spreadsheet. Raises ArchiveError, its finding in the report too, if it is not one, has
    no table of sessions or speakers, or a limit is exceeded."""
    reader = _SpreadsheetReader(source, report)
    with report_errors(report):
        steps = reader.open()
    return read_sheets(reader.sheets(steps), source, options, report, TITLE)


class _SpreadsheetReader:
    def __init__(self, source: Source, report: Report) -> None:
        self._source = source
        self._report = report
        self._limits: ArchiveLimits = source.limits
        self._entry = _CONTENT if source.is_zip else TITLE
        self._hidden_styles: set[str] = set()

    def open(self) -> Iterator[XmlStep]:
        """The walk over the content. Raises ArchiveError if it is encrypted or missing."""
        if not self._source.is_zip:
            return read_xml(
                self._source.read_document(),
                _CONTAINERS,
                self._limits,
                self._report,
                entry=TITLE,
                check=self._source.check,
            )
        parts = WorkbookParts(self._source, self._report)
        for step in parts.steps(_MANIFEST, set()):
            if any(local_name(each) == "encryption-data" for each in step.element):
                message = (
                    "The spreadsheet is protected with a password. Save it without a password, and "
                    "import it again."
                )
                raise ArchiveError("encrypted-workbook", message)
        if _CONTENT not in parts:
            message = f"The file is not an OpenDocument spreadsheet: it has no {_CONTENT}."
            raise ArchiveError("not-a-workbook", message)
        parts.choose(images=_IMAGES)
        return parts.steps(_CONTENT, _CONTAINERS)

    def sheets(self, steps: Iterator[XmlStep]) -> Iterator[Sheet]:
        """The sheets in their order."""
        for step in steps:
            if step.step is Step.RECORD and step.name == "style":
                self._note_style(step.element)
            elif step.step is Step.OPEN and step.name == "table":
                attributes = _attributes(step.element)
                name = attributes.get("name", "")
                findings = SheetFindings(self._report, self._entry)
                if attributes.get("style-name") in self._hidden_styles:
                    findings.hidden_sheet(name)
                rows = self._rows(steps, findings)
                yield Sheet(self._entry, name, rows)
                for _ in rows:
                    # Rows that nothing asked for: those of a sheet without a header.
                    pass

    def _note_style(self, style: Element) -> None:
        for properties in style:
            if _attributes(properties).get("display") == "false":
                self._hidden_styles.add(_attributes(style).get("name", ""))

    def _rows(self, steps: Iterator[XmlStep], findings: SheetFindings) -> Iterator[Row]:
        """The rows of a sheet, and all steps of it."""
        number = depth = 1
        for step in steps:
            depth += (step.step is Step.OPEN) - (step.step is Step.CLOSE)
            if not depth:
                break
            if step.step is not Step.RECORD or step.name != "table-row":
                continue
            attributes = _attributes(step.element)
            count = _count(attributes.get("number-rows-repeated"))
            row = Row(number, self._cells(step.element, number, findings))
            if attributes.get("visibility", "visible") != "visible" and not row.is_empty:
                findings.hidden_rows += count
            if count > 1 and not row.is_empty:
                message = "Equal rows that follow each other were read as one row."
                place = Place(self._entry, line=number)
                self._report.repair("repeated-row", message, place, count)
            yield row
            number += count
        findings.end()

    def _cells(self, row: Element, number: int, findings: SheetFindings) -> list[Cell]:
        cells: list[Cell] = []
        column = 0
        for element in row:
            if local_name(element) not in _CELLS:
                continue
            attributes = _attributes(element)
            count = _count(attributes.get("number-columns-repeated"))
            value = self._value(element, attributes, f"{_letters(column)}{number}", findings)
            if value is not None:
                last = max(column, min(column + count - 1, MAX_COLUMNS))
                for place in range(column, last + 1):
                    findings.put(cells, place, value)
            column += count
        return cells

    def _value(
        self, cell: Element, attributes: dict[str, str], name: str, findings: SheetFindings
    ) -> Cell:
        if not attributes and not len(cell):
            return None
        text = self._text(cell, name)
        sort = attributes.get("value-type")
        is_formula = "formula" in attributes
        if sort is None and not text:
            if is_formula:
                findings.formula_without_result(name)
            return None
        if is_formula and (_ERRORS.fullmatch(text) or _is_error(cell)):
            findings.formula_error(name, text)
            return None
        return _read_value(sort, attributes, text)

    def _text(self, cell: Element, name: str) -> str:
        """The text of a cell: a line for each paragraph."""
        lines: list[str] = []
        for part in cell:
            sort = local_name(part)
            if sort == "annotation":
                message = "Comments on cells were left out."
                self._report.warning("comment", message, Place(self._entry, field=name))
            elif sort in {"p", "h"}:
                text = _Text(self._limits.max_string_length)
                text.add(part)
                lines.append("".join(text.parts).strip(" "))
                if text.links:
                    message = "Links behind the text of cells were left out; the text was read."
                    place = Place(self._entry, field=name)
                    self._report.warning("link-in-cell", message, place, text.links)
        return "\n".join(lines)


class _Text:
    """Collects the text of a paragraph. Blanks in the XML stand for one blank; others are
    elements."""

    def __init__(self, most: int) -> None:
        self.parts: list[str] = []
        self.links: list[str] = []
        """Where links lead whose texts do not say it."""
        self._left = most
        self._most = most

    def add(self, element: Element) -> None:
        """Add an element and what is in it."""
        name = local_name(element)
        if name == "s":
            self._put(" " * min(_count(_attributes(element).get("c")), self._left + 1))
        elif name in {"tab", "line-break"}:
            self._put("\t" if name == "tab" else "\n")
        elif name not in _NO_TEXT:
            self._put(_BLANKS.sub(" ", element.text or ""))
            for child in element:
                self.add(child)
                self._put(_BLANKS.sub(" ", child.tail or ""))
            if name == "a":
                self._note_link(_attributes(element).get("href", ""), text_of(element).strip())

    def _note_link(self, link: str, text: str) -> None:
        if text not in link and link.removeprefix("mailto:") not in text:
            self.links.append(link)

    def _put(self, text: str) -> None:
        self._left -= len(text)
        if self._left < 0:
            message = (
                f"A text is longer than {self._most:,} characters. "
                "The limit is set by MAX_TEXT_LENGTH."
            )
            raise ArchiveError("text-too-long", message)
        self.parts.append(text)


def _attributes(element: Element) -> dict[str, str]:
    """The attributes by their names without namespaces, apart from those that LibreOffice has
    added to the format: they repeat others."""
    return {bare_name(name): value for name, value in element.items() if _EXTENSION not in name}


def _is_error(cell: Element) -> bool:
    """Whether LibreOffice says that the formula of a cell yields an error."""
    return any(value == "error" and bare_name(name) == "value-type" for name, value in cell.items())


def _count(text: str | None) -> int:
    """How many times a cell, a row or a blank is repeated."""
    return max(1, int(text)) if text and text.isdecimal() and len(text) <= _MOST_DIGITS else 1


def _letters(column: int) -> str:
    """The letters of a column, by its place from 0."""
    letters = ""
    column += 1
    while column:
        column, letter = divmod(column - 1, 26)
        letters = chr(ord("A") + letter) + letters
    return letters


def _read_value(sort: str | None, attributes: dict[str, str], text: str) -> Cell:
    """The value of a cell; its text, if the value is missing or not of its type."""
    found: Cell = None
    if sort == "date":
        found = _moment(attributes.get("date-value", ""))
    elif sort == "time":
        found = _duration(attributes.get("time-value", ""))
    elif sort == "boolean":
        value = attributes.get("boolean-value")
        found = value == "true" if value in {"true", "false"} else None
    elif sort in {"float", "percentage", "currency"}:
        found = _number(attributes.get("value", ""))
    elif sort == "string":
        found = attributes.get("string-value")
    return text or None if found is None else found


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if isfinite(value) else None


def _moment(text: str) -> Cell:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    if found.date() == _NO_DAY:
        return timedelta(hours=found.hour, minutes=found.minute, seconds=found.second)
    found = found.replace(microsecond=0)
    # Excel gives a day the time of midnight.
    return found if found.time() != datetime.min.time() else found.date()


def _duration(text: str) -> timedelta | None:
    found = _DURATION.fullmatch(text)
    if found is None:
        return None
    sign, days, hours, minutes, seconds = (part or "0" for part in found.groups())
    length = timedelta(
        days=int(days),
        hours=int(hours),
        minutes=int(minutes),
        seconds=round(float(seconds.replace(",", "."))),
    )
    return -length if sign == "-" else length
