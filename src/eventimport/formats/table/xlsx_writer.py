"""Sessions and speakers → Excel, a sheet for each, row by row.

No cell holds a formula or a link: every text is a text.
"""

from typing import TYPE_CHECKING, BinaryIO, Final

from eventimport.conference.kinds import Kind
from eventimport.conference.report import Place, Report
from eventimport.conference.stored import StoredConference
from eventimport.formats.format import OpenMedia, WriteOptions
from eventimport.formats.table.csv_writer import FORMULAS
from eventimport.formats.table.rows import Value, columns, keeps, note_losses, rows

if TYPE_CHECKING:
    from xlsxwriter.worksheet import Worksheet

KEEPS: Final = keeps("Excel", Kind.SESSION, Kind.SPEAKER)

MAX_TEXT: Final = 32_767
"""Characters of a cell."""

MAX_ROWS: Final = 1_048_576
"""Rows of a sheet."""

_OPTIONS: Final = {
    "constant_memory": True,
    "strings_to_formulas": False,
    "strings_to_urls": False,
    "strings_to_numbers": False,
}
_WIDTH: Final = 24


def write(
    conference: StoredConference,
    _open_media: OpenMedia,
    sink: BinaryIO,
    options: WriteOptions,
    report: Report,
) -> None:
    """Write a workbook with a sheet of sessions and one of speakers."""
    # Only exports need the library.
    from xlsxwriter import Workbook  # noqa: PLC0415

    cut = left_out = 0
    book = Workbook(sink, _OPTIONS)
    book.set_properties({"created": options.now.replace(tzinfo=None)})
    # A spreadsheet that saves such a text as CSV, or lets it be edited, keeps it as a text.
    quoted, bold = book.add_format({"quote_prefix": True}), book.add_format({"bold": True})
    for title, kind in (("Sessions", Kind.SESSION), ("Speakers", Kind.SPEAKER)):
        sheet = book.add_worksheet(title)
        sheet.freeze_panes(1, 0)
        names = columns(kind)
        sheet.set_column(0, len(names) - 1, _WIDTH)
        for column, name in enumerate(names):
            sheet.write_string(0, column, name, bold)
        for number, row in enumerate(rows(conference, kind), 1):
            if number >= MAX_ROWS:
                left_out += 1
                continue
            for column, value in enumerate(row):
                cut += isinstance(value, str) and len(value) > MAX_TEXT
                _write_cell(sheet, (number, column), value, quoted)
    book.close()
    losses = note_losses(conference, KEEPS, report)
    losses.report(conference)
    if cut:
        message = f"Excel has no place for texts of more than {MAX_TEXT:,} characters ({cut:,})."
        report.warning("long-text", message, Place())
    if left_out:
        message = f"Excel has no place for more than {MAX_ROWS:,} rows ({left_out:,})."
        report.warning("many-rows", message, Place())


def _write_cell(sheet: "Worksheet", at: tuple[int, int], value: Value, quoted: object) -> None:
    if value is None or value == "":
        return
    if isinstance(value, bool):
        sheet.write_boolean(*at, value)
    elif isinstance(value, (int, float)):
        sheet.write_number(*at, value)
    else:
        text = value[:MAX_TEXT]
        sheet.write_string(*at, text, quoted if text.lstrip(" ").startswith(FORMULAS) else None)
