"""Tables of sessions and of speakers: CSV and spreadsheets, as people and programs write them."""

from typing import Final

from eventimport.conference.conference import Conference
from eventimport.conference.report import Report
from eventimport.formats.format import Format, ReadOptions
from eventimport.formats.source import Source
from eventimport.formats.table.csv_reader import has_table
from eventimport.formats.table.csv_reader import read as read_csv
from eventimport.formats.table.csv_writer import write_both, write_sessions, write_speakers
from eventimport.formats.table.ods_reader import has_spreadsheet
from eventimport.formats.table.ods_reader import read as read_ods
from eventimport.formats.table.xlsx_reader import has_workbook
from eventimport.formats.table.xlsx_reader import read as read_xlsx
from eventimport.formats.table.xlsx_writer import write as write_xlsx


def has_tables(source: Source) -> bool:
    """Whether the source is CSV with a known header, or a zip with such files, or a workbook."""
    return has_workbook(source) or has_spreadsheet(source) or has_table(source)


def read(source: Source, options: ReadOptions, report: Report) -> Conference:
    """Read CSV or a workbook. Raises ArchiveError, its finding in the report too, if there is no
    table of sessions or speakers, or a limit is exceeded."""
    if has_workbook(source):
        return read_xlsx(source, options, report)
    return (read_ods if has_spreadsheet(source) else read_csv)(source, options, report)


TABLE: Final = Format(
    name="table",
    title="Table (CSV, Excel, OpenDocument)",
    extensions=(".csv", ".tsv", ".xlsx", ".ods", ".zip"),
    media_type="text/csv",
    detect=has_tables,
    read=read,
)
"""Tables of sessions and of speakers, to be imported."""

CSV: Final = Format(
    name="csv",
    title="CSV",
    extensions=(".zip",),
    media_type="application/zip",
    write=write_both,
)
"""A zip with both tables."""

SESSIONS_CSV: Final = Format(
    name="sessions-csv",
    aliases=("sessions/csv",),
    title="CSV of the sessions",
    extensions=(".csv",),
    media_type="text/csv",
    write=write_sessions,
)
SPEAKERS_CSV: Final = Format(
    name="speakers-csv",
    aliases=("speakers/csv",),
    title="CSV of the speakers",
    extensions=(".csv",),
    media_type="text/csv",
    write=write_speakers,
)
XLSX: Final = Format(
    name="xlsx",
    title="Excel",
    extensions=(".xlsx",),
    media_type="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    write=write_xlsx,
)
