"""Tables as people and programs write them, invented."""

import io
from collections.abc import Iterable, Mapping
from datetime import date, datetime, time
from typing import Any, Final

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
