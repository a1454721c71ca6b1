"""Tables as people and programs write them, invented."""

import io
import zipfile
from collections.abc import Iterable, Mapping
from datetime import date, datetime, time
from typing import Any, Final
from xml.sax.saxutils import escape

from xlsxwriter import Workbook

PLAIN_CSV: Final = (
    "title,starts_at,ends_at,room,speakers\r\n"
    "Opening,2027-05-01T09:00:00Z,2027-05-01T09:30:00Z,Attic,Ann Lamp\r\n"
)
"""A table in which nothing is worth a finding."""

PRETALX_SESSIONS: Final = (
    "ID,Proposal title,Tags,Abstract,Speaker names,Level,Date,Start Time,Duration,Room,,\r\n"
    'LAMP01,"Lamps, and wicks",Oil,"**Bright** lamps\n\nand more","Ann Lamp, Bea Wick",Novice,'
    "2027-05-01,09:00,00:45,Attic,,\r\n"
    "LAMP02,Oil,,'=oil \\| gas,Bea Wick,,2027-05-01,10:00,01:00,Attic,,\r\n"
)
PRETALX_SPEAKERS: Final = (
    "ID,Name,Biography,Picture,Proposal titles,Your company,X (user URL)\r\n"
    "ANN001,Ann Lamp,Makes *lamps*.,https://images.example.org/a.jpg,"
    '"Lamps, and wicks",Lamp House,https://x.com/annlamp\r\n'
    'BEA001,Bea Wick,,,"Lamps, and wicks, Oil",,\r\n'
)
"""What an organiser of pretalx exports: two files of one event."""

GERMAN: Final = (
    "Lampentage 2027\r\n"
    "\r\n"
    "Tag;Beginn;Ende;Raum;Titel;Referent*innen;Sprache;Bemerkung\r\n"
    "01.05.2027;9:00;9.45 Uhr;Saal Ä;Dochte;Anna Lampe und Berta Docht;de;Kuchen\r\n"
    ";10 Uhr 15;11h00;Saal Ä;Öl;Berta Docht;;\r\n"
    ";;;;;;;\r\n"
    "02.05.2027;23:30;00:15;Keller;Nacht;;;\r\n"
)
"""A table of people: a name above it, days only where they change."""

SESSIONIZE_SESSIONS: Final[list[list[Any]]] = [
    [
        *("Session Id", "Title", "Description", "Owner", "Owner Email", "Speakers", "Level"),
        *("Owner Informed", "Room", "Scheduled At", "Scheduled Duration", "Speaker Ids"),
    ],
    [
        *(1001, "Lamps", "All of them", "Ann Lamp", "ann@example.org", "Ann Lamp, Bea Wick"),
        *("Novice", "Yes", "Attic", datetime(2027, 5, 1, 9, 0), 45),  # noqa: DTZ001
        "5b0c7a52-0001, 5b0c7a52-0002",
    ],
]
SESSIONIZE_SPEAKERS: Final[list[list[Any]]] = [
    ["Speaker Id", "FirstName", "LastName", "Email", "TagLine", "Bio", "LinkedIn"],
    ["5b0c7a52-0001", "Ann", "Lamp", "ann@example.org", "Lamp maker", "Makes lamps.", ""],
    ["5b0c7a52-0002", "Bea", "Wick", "bea@example.org", "", "", "https://linkedin.com/in/bea"],
]
"""What an organiser of Sessionize exports: a workbook with two sheets."""

NUMBERED: Final[list[list[Any]]] = [
    ["<Lamp Days>", None, None, None, "Speakers"],
    ["Day", "Time", "Title", "Room", 1, 2],
    [date(2027, 5, 1), time(9, 0), "Lamps", "Attic", "Ann Lamp", "Bea Wick"],
    [date(2027, 5, 1), time(10, 30), "Oil", "Attic", None, "Cleo Gas"],
]
"""A table with a name in its first cell, and a column for each speaker."""


def workbook(sheets: Mapping[str, Iterable[Iterable[Any]]], **options: Any) -> bytes:
    """An Excel workbook with these sheets. Days and times have formats that show them."""
    file = io.BytesIO()
    book = Workbook(file, {"in_memory": True, **options})
    formats = {
        date: book.add_format({"num_format": "dd.mm.yyyy"}),
        datetime: book.add_format({"num_format": "yyyy-mm-dd hh:mm"}),
        time: book.add_format({"num_format": 'hh:mm" h"'}),
    }
    for name, rows in sheets.items():
        sheet = book.add_worksheet(name)
        for number, row in enumerate(rows):
            for column, cell in enumerate(row):
                sheet.write(number, column, cell, formats.get(type(cell)))
    book.close()
    return file.getvalue()


ODS_TYPE: Final = "application/vnd.oasis.opendocument.spreadsheet"
ODS_FILES: Final = {
    "manifest": "META-INF/manifest.xml",
    "image": "Pictures/lamp.png",
    "thumbnail": "Thumbnails/thumbnail.png",
}
_NAMES: Final = " ".join(
    f'xmlns:{prefix}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
    for prefix, name in (
        *(("office", "office"), ("table", "table"), ("text", "text"), ("style", "style")),
        *(("manifest", "manifest"), ("number", "datastyle")),
    )
)


def spreadsheet(sheets: Mapping[str, Iterable[Iterable[Any]]]) -> bytes:
    """An OpenDocument spreadsheet with these sheets."""
    return spreadsheet_of(
        *(
            ods_table("".join(ods_row("".join(map(ods_cell, row))) for row in rows), name=name)
            for name, rows in sheets.items()
        )
    )


def spreadsheet_of(*tables: str, styles: str = "", **files: bytes) -> bytes:
    """An OpenDocument spreadsheet with this markup, and these files of ODS_FILES."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", ODS_TYPE, zipfile.ZIP_STORED)
        archive.writestr("content.xml", ods_content(*tables, styles=styles))
        for name, content in files.items():
            archive.writestr(ODS_FILES[name], content)
    return buffer.getvalue()


def ods_content(*tables: str, styles: str = "", root: str = "document-content") -> bytes:
    """The document of a spreadsheet."""
    kind = f' office:mimetype="{ODS_TYPE}"' if root == "document" else ""
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><office:{root} {_NAMES}{kind}>'
        f"<office:automatic-styles>{styles}</office:automatic-styles><office:body>"
        f"<office:spreadsheet>{''.join(tables)}</office:spreadsheet></office:body></office:{root}>"
    ).encode()


def ods_table(rows: str, *, name: str = "Plan", attributes: str = "") -> str:
    """A sheet with these rows. The column before them says nothing."""
    return f'<table:table table:name="{name}"{attributes}><table:table-column/>{rows}</table:table>'


def ods_row(cells: str, attributes: str = "") -> str:
    """A row with these cells."""
    return f"<table:table-row{attributes}>{cells}</table:table-row>"


def ods_cell(value: Any, attributes: str = "") -> str:
    """A cell with a value, as LibreOffice writes it."""
    if value in (None, ""):
        return f"<table:table-cell{attributes}/>"
    sort, content = _ods_value(value)
    lines = "".join(f"<text:p>{escape(line)}</text:p>" for line in str(value).split("\n"))
    typed = f'office:value-type="{sort}"' + (f" office:{content}" if content else "")
    return f"<table:table-cell {typed}{attributes}>{lines}</table:table-cell>"


def _ods_value(value: Any) -> tuple[str, str]:
    if isinstance(value, bool):
        return "boolean", f'boolean-value="{str(value).lower()}"'
    if isinstance(value, (int, float)):
        return "float", f'value="{value}"'
    if isinstance(value, date):
        return "date", f'date-value="{value.isoformat()}"'
    if isinstance(value, time):
        return "time", f'time-value="PT{value:%HH%MM%S}.0000000001S"'
    return "string", ""
