"""Excel workbooks → a conference. Each sheet is a table.

A workbook is a zip with XML documents: it is read as such, with the same bounds. What a formula
yields is read as the program that saved the file has stored it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import isfinite
from typing import Final

from eventimport.conference.conference import Conference
from eventimport.conference.report import Report
from eventimport.formats.bounded_xml.reader import Element, Step, local_name
from eventimport.formats.format import ReadOptions
from eventimport.formats.limits import ArchiveError, report_errors
from eventimport.formats.source import Source
from eventimport.formats.table.reader import read_sheets
from eventimport.formats.table.sheets import Cell, Row, Sheet
from eventimport.formats.table.workbooks import SheetFindings, WorkbookParts

TITLE: Final = "Excel"

WORKBOOK: Final = "xl/workbook.xml"
_RELATIONS: Final = "xl/_rels/workbook.xml.rels"
_TEXTS: Final = "xl/sharedStrings.xml"
_STYLES: Final = "xl/styles.xml"
_IMAGES: Final = "xl/media/"

_REFERENCE: Final = re.compile(r"([A-Z]{1,3})(\d{1,7})")
_DATE_FORMATS: Final = frozenset([*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)])
"""Numbers of the built-in formats that show days or times."""

_TEXT_IN_FORMAT: Final = re.compile(r"\"[^\"]*\"|\[[^\]]*\]|\\.|_.|\*.")
_ESCAPED: Final = re.compile(r"_x([0-9A-Fa-f]{4})_")
_DAY: Final = timedelta(days=1)
_EPOCH: Final = datetime.fromisoformat("1899-12-30")
_EPOCH_OF_MACINTOSH: Final = datetime.fromisoformat("1904-01-01")
_LAST_DAY: Final = 2_956_000
"""Of a later day, the year is not plausible; it is read as a number."""


@dataclass(slots=True)
class _Workbook:
    """What the cells of all sheets refer to. `formats` says of each style whether it shows days or
    times."""

    sheets: list[tuple[str, str, bool]] = field(default_factory=list)
    """Name, entry, and whether the sheet is hidden."""
    texts: list[str] = field(default_factory=list)
    formats: list[bool] = field(default_factory=list)
    epoch: datetime = _EPOCH


def has_workbook(source: Source) -> bool:
    """Whether the source is an Excel workbook."""
    return source.is_zip and any(entry.path == WORKBOOK for entry in source.entries)


def read(source: Source, options: ReadOptions, report: Report) -> Conference:
    """Read a workbook. Raises ArchiveError, its finding in the report too, if it is not one, has no
    table of sessions or speakers, or a limit is exceeded."""
    reader = _WorkbookReader(source, report)
    with report_errors(report):
        book = reader.read()
        reader.parts.choose(images=_IMAGES)
    return read_sheets(reader.sheets(book), source, options, report, TITLE)


class _WorkbookReader:
    def __init__(self, source: Source, report: Report) -> None:
        self.parts = WorkbookParts(source, report)
        self._report = report

    def read(self) -> _Workbook:
        """Read what the sheets refer to. Raises ArchiveError if the source is not a workbook."""
        if WORKBOOK not in self.parts:
            raise ArchiveError("not-a-workbook", "The file is not an Excel workbook (.xlsx).")
        book = _Workbook()
        targets = {
            element.attrib.get("Id", ""): _entry_of(element.attrib.get("Target", ""))
            for element in self._records(_RELATIONS, set())
        }
        for element in self._records(WORKBOOK, {"workbook", "sheets"}):
            name = local_name(element)
            if name == "workbookPr" and element.attrib.get("date1904") in {"1", "true"}:
                book.epoch = _EPOCH_OF_MACINTOSH
            if name == "sheet":
                relation = next(
                    (value for key, value in element.attrib.items() if key.endswith("}id")), ""
                )
                is_hidden = element.attrib.get("state", "visible") != "visible"
                if (entry := targets.get(relation, "")) in self.parts:
                    book.sheets.append((element.attrib.get("name", ""), entry, is_hidden))
        book.formats = self._formats()
        for element in self._records(_TEXTS, {"sst"}):
            if local_name(element) == "si":
                book.texts.append(_text_of(element))
        return book

    def sheets(self, book: _Workbook) -> Iterator[Sheet]:
        """The sheets in their order."""
        for name, entry, is_hidden in book.sheets:
            findings = SheetFindings(self._report, entry)
            if is_hidden:
                findings.hidden_sheet(name)
            yield Sheet(entry, name, self._rows(book, findings))

    def _rows(self, book: _Workbook, findings: SheetFindings) -> Iterator[Row]:
        for element in self._records(findings.entry, {"worksheet", "sheetData"}):
            if local_name(element) != "row":
                continue
            number = element.attrib.get("r", "")
            findings.hidden_rows += element.attrib.get("hidden") in {"1", "true"}
            cells = _cells(book, element, findings)
            yield Row(int(number) if number.isdecimal() and len(number) < 8 else 0, cells)
        findings.end()

    def _formats(self) -> list[bool]:
        """Of each style whether it shows days or times."""
        custom: dict[str, bool] = {}
        formats: list[bool] = []
        inside = ""
        for step in self.parts.steps(_STYLES, {"styleSheet", "numFmts", "cellXfs"}):
            if step.step is Step.OPEN:
                inside = step.name
            elif step.step is Step.RECORD and step.name == "numFmt":
                code = _TEXT_IN_FORMAT.sub("", step.element.attrib.get("formatCode", ""))
                number = step.element.attrib.get("numFmtId", "")
                custom[number] = bool(re.search("[ymdhs]", code, re.IGNORECASE))
            elif step.step is Step.RECORD and step.name == "xf" and inside == "cellXfs":
                number = step.element.attrib.get("numFmtId", "0")
                known = number.isdecimal() and int(number) in _DATE_FORMATS
                formats.append(custom.get(number, known))
        return formats

    def _records(self, entry: str, containers: set[str]) -> Iterator[Element]:
        for step in self.parts.steps(entry, containers):
            if step.step is Step.RECORD:
                yield step.element


def _entry_of(target: str) -> str:
    """The entry that a relation of the workbook leads to."""
    return target.removeprefix("/") if target.startswith("/") else f"xl/{target}"


def _cells(book: _Workbook, row: Element, findings: SheetFindings) -> list[Cell]:
    cells: list[Cell] = []
    for element in row:
        if local_name(element) != "c":
            continue
        place = _column(element.attrib.get("r", ""))
        place = len(cells) if place is None else place
        value = _value(book, element, findings)
        if value is not None:
            findings.put(cells, place, value)
    return cells


def _value(book: _Workbook, cell: Element, findings: SheetFindings) -> Cell:
    text = ""
    has_formula = False
    for part in cell:
        name = local_name(part)
        if name == "v":
            text = part.text or ""
        elif name == "is":
            return _text_of(part)
        has_formula = has_formula or name == "f"
    sort = cell.attrib.get("t", "n")
    if not text and has_formula:
        findings.formula_without_result(cell.attrib.get("r"))
    elif sort == "e":
        findings.formula_error(cell.attrib.get("r"), text)
    elif text:
        return _read_value(book, sort, text, cell.attrib.get("s", "0"))
    return None


def _column(reference: str) -> int | None:
    """The place of a cell in its row, from 0, by its reference, such as `AB12`."""
    found = _REFERENCE.fullmatch(reference)
    if found is None:
        return None
    place = 0
    for letter in found[1]:
        place = place * 26 + ord(letter) - ord("A") + 1
    return place - 1


def _text_of(element: Element) -> str:
    """The text of a cell: that of its runs, without the phonetic ones."""
    parts: list[str] = []
    for part in element:
        name = local_name(part)
        if name == "t":
            parts.append(part.text or "")
        elif name == "r":
            parts += [inner.text or "" for inner in part if local_name(inner) == "t"]
    return _unescaped("".join(parts))


def _unescaped(text: str) -> str:
    """A text with the characters that XML does not allow, which Excel writes as `_x000D_`."""
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text) if "_x" in text else text


def _read_value(book: _Workbook, sort: str, text: str, style: str) -> Cell:
    if sort == "s":
        index = int(text) if text.isdecimal() and len(text) < 10 else -1
        return book.texts[index] if 0 <= index < len(book.texts) else None
    if sort == "b":
        return text == "1"
    return _unescaped(text) if sort in {"str", "d"} else _number(book, text, style)


def _number(book: _Workbook, text: str, style: str) -> Cell:
    """A number; a day or a time if its style shows one."""
    try:
        value = float(text)
    except ValueError:
        return text
    if not isfinite(value):
        return text
    index = int(style) if style.isdecimal() and len(style) < 7 else -1
    is_moment = 0 <= index < len(book.formats) and book.formats[index]
    if not is_moment or not 0 <= value < _LAST_DAY:
        return value
    # To the second: half a minute is 0.00034… of a day.
    moment = timedelta(seconds=round(value * 86_400))
    if moment < _DAY:
        return moment
    found = book.epoch + moment
    return found if found.time() != datetime.min.time() else found.date()
