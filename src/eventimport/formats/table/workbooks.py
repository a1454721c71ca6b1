"""What the readers of workbooks share: the zip's documents, cells in their columns, findings."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from eventimport.conference.report import Place, Report, shortened
from eventimport.formats.bounded_xml.reader import XmlStep, read_xml
from eventimport.formats.source import Source
from eventimport.formats.table.sheets import Cell

MAX_COLUMNS: Final = 1_000
"""Columns of a sheet that are read. Cells beyond them are left out, with a warning."""


class WorkbookParts:
    """The XML documents of a workbook, by their paths."""

    def __init__(self, source: Source, report: Report) -> None:
        self._source = source
        self._report = report
        self._names = {entry.path: entry.name for entry in source.entries if entry.refusal is None}

    def __contains__(self, path: str) -> bool:
        return path in self._names

    def steps(self, path: str, containers: set[str]) -> Iterator[XmlStep]:
        """Walk a document; none if the workbook does not have it. Raises ArchiveError as
        `read_xml` does."""
        name = self._names.get(path)
        if name is None:
            return iter(())
        return read_xml(
            self._source.read_document(name),
            containers,
            self._source.limits,
            self._report,
            entry=path,
            check=self._source.check,
        )

    def choose(self, *, images: str) -> None:
        """Say that all entries but those in the folder of images are documents. Raises
        ArchiveError."""
        chosen = [entry for entry in self._source.entries if not entry.path.startswith(images)]
        self._report.is_document = {each.name for each in chosen}.__contains__
        self._source.choose_documents(chosen, self._report)


@dataclass(slots=True)
class SheetFindings:
    """Reports what a sheet has that is read in a special way, or cannot be read."""

    report: Report
    entry: str
    hidden_rows: int = 0

    def hidden_sheet(self, name: str) -> None:
        """Report that the sheet is hidden."""
        message = f"The sheet “{shortened(name)}” is hidden in the workbook; it was read."
        self.report.warning("hidden-sheet", message, Place(self.entry))

    def end(self) -> None:
        """Report what was counted."""
        if self.hidden_rows:
            message = f"Rows are hidden in the workbook ({self.hidden_rows:,}); they were read."
            self.report.warning("hidden-rows", message, Place(self.entry))

    def formula_without_result(self, cell: str | None) -> None:
        """Report that a formula was never computed."""
        message = (
            "Cells hold formulas whose results are not in the file; they were read as empty. "
            "Open the workbook in a spreadsheet program, and save it."
        )
        self.report.warning("formula-without-result", message, Place(self.entry, field=cell))

    def formula_error(self, cell: str | None, text: str) -> None:
        """Report that a formula yields an error."""
        message = "Cells hold errors of formulas; they were read as empty."
        self.report.warning("formula-error", message, Place(self.entry, field=cell), text)

    def put(self, cells: list[Cell], column: int, value: Cell) -> None:
        """Put a value into a row, unless its column is too far away."""
        if column >= MAX_COLUMNS:
            message = f"Cells beyond the first {MAX_COLUMNS:,} columns of a sheet were left out."
            self.report.warning("many-columns", message, Place(self.entry), value)
            return
        cells += [None] * (column + 1 - len(cells))
        cells[column] = value
