"""Tables of sessions and of speakers: CSV and Excel, for people who go on working with them."""

from typing import Final

from eventimport.formats.format import Format
from eventimport.formats.table.csv_writer import write_both, write_sessions, write_speakers
from eventimport.formats.table.xlsx_writer import write as write_xlsx

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
