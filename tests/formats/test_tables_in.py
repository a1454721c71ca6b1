"""Tables of people and programs become events."""

import io
import json
import re
import zipfile
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.formats.planning import zip_of
from tests.formats.round_trips import read as read_any
from tests.formats.round_trips import stored, written
from tests.formats.schedule_json_samples import HUB
from tests.formats.table_samples import (
    GERMAN,
    NUMBERED,
    PLAIN_CSV,
    PRETALX_SESSIONS,
    PRETALX_SPEAKERS,
    SESSIONIZE_SESSIONS,
    SESSIONIZE_SPEAKERS,
    workbook,
)
from xlsxwriter import Workbook

from eventimport.conference.conference import Conference, Record
from eventimport.conference.kinds import Kind
from eventimport.conference.plan import make_plan, provisional_ids
from eventimport.conference.report import Report
from eventimport.formats import AUTO, choose_format
from eventimport.formats.format import ReadOptions
from eventimport.formats.limits import ArchiveError, ArchiveLimits
from eventimport.formats.source import Source
from eventimport.formats.table import TABLE

ZONE = "Europe/Berlin"


def read(
    data: bytes, limits: ArchiveLimits | None = None, **options: str | None
) -> tuple[Conference, Report]:
    """The conference, planned, so that its links are known."""
    report = Report()
    given: dict[str, Any] = {"name": "Lamp Days", "timezone": ZONE, **options}
    with Source.open(io.BytesIO(data), limits or ArchiveLimits(), report) as source:
        found = choose_format(source, AUTO, report)
        assert found is TABLE
        conference = found.reader(source, ReadOptions(**given), report)
    make_plan(conference, provisional_ids(conference.counts()), "a0", report)
    return conference, report


def by(conference: Conference, kind: Kind, field: str = "name") -> dict[str, Record]:
    return {each.values[field]: each for each in conference.records[kind]}


def sessions(conference: Conference) -> dict[str, Record]:
    return by(conference, Kind.SESSION, "title")


def labels(session: Record, field: str = "speakers") -> list[str | None]:
    return [each.label for each in session.references.get(field, ())]


def codes(report: Report) -> Counter[str]:
    return Counter(finding.code for finding in report.findings)


def utc(session: Record) -> tuple[str, str | None]:
    ends = session.values.get("ends_at")
    return f"{session.values['starts_at']:%d %H:%M}", f"{ends:%d %H:%M}" if ends else None


def test_a_zip_of_two_tables_of_pretalx_becomes_an_event() -> None:
    files = {"s/sessions.csv": PRETALX_SESSIONS, "s/speakers.csv": PRETALX_SPEAKERS}
    data = zip_of({}, {name: text.encode() for name, text in files.items()})
    conference, report = read(data)
    assert not report.errors
    found = sessions(conference)
    lamps, oil = found["Lamps, and wicks"], found["Oil"]
    assert (lamps.key, lamps.values["level"]) == ("LAMP01", "Novice")
    assert "<strong>Bright</strong>" in lamps.values["short_abstract"]
    assert utc(lamps) == ("01 07:00", "01 07:45")
    assert labels(lamps) == ["Ann Lamp", "Bea Wick"]
    assert labels(lamps, "microlocation") == ["Attic"]
    assert lamps.extra["Tags"] == "Oil"
    # The apostrophe is not part of the text.
    assert oil.values["short_abstract"] == "=oil | gas"
    assert codes(report)["apostrophe"] == 1
    people = by(conference, Kind.SPEAKER)
    assert {person.key for person in people.values()} == {"ANN001", "BEA001"}
    assert people["Ann Lamp"].values["organisation"] == "Lamp House"
    assert people["Ann Lamp"].values["twitter"].endswith("annlamp")
    assert "sessions" not in people["Bea Wick"].extra


@pytest.mark.parametrize("language", ["de", None])
def test_rows_may_be_json(language: str | None) -> None:
    """What pretalx exports for organisers; the labels are in their language."""
    rows = [
        {
            "ID": "LAMP01",
            "Titel": "Lampen",
            "Einreichungsart": {"en": "Talk", "de": "Vortrag"},
            "Zusammenfassung": "**Helle** Lampen",
            "IDs der Vortragenden": ["ANN001", "BEA001"],
            "Raum": {"de": "Dach"},
            "Beginn (Datum)": "2027-05-01",
            "Beginn (Uhrzeit)": "23:00:00",
            "Ende": "2027-05-02T01:00:00+02:00",
            "Dauer": 120,
            "Tags": None,
        },
        {"ID": "LAMP02", "Titel": "Öl", "Brennt es?": {"x": [1]}},
    ]
    people = [
        {"ID": "ANN001", "Name": "Ann Lamp", "E-Mail": "ann@example.org"},
        {"ID": "BEA001", "Name": "Bea Wick", "Einreichungs-IDs": ["LAMP02"]},
    ]
    files = {"a.json": json.dumps(rows).encode(), "b.json": json.dumps(people).encode()}
    conference, report = read(zip_of({}, files), language=language)
    assert not report.errors
    lamps = sessions(conference)["Lampen"]
    assert (lamps.key, utc(lamps)) == ("LAMP01", ("01 21:00", "01 23:00"))
    assert labels(lamps) == ["Ann Lamp", "Bea Wick"]
    assert labels(lamps, "session_type") == ["Vortrag" if language else "Talk"]
    other = "en" if language else "de"
    assert lamps.extra[f"Einreichungsart ({other})"] == ("Talk" if language else "Vortrag")
    assert "<strong>Helle</strong>" in lamps.values["short_abstract"]
    assert sessions(conference)["Öl"].extra["Brennt es?"] == '{"x": [1]}'
    ann = by(conference, Kind.SPEAKER)["Ann Lamp"]
    assert (ann.key, ann.values["email"]) == ("ANN001", "ann@example.org")
    alone, _ = read(files["a.json"])
    assert set(sessions(alone)) == {"Lampen", "Öl"}


def test_events_of_sched_are_sessions() -> None:
    row = {
        "event_key": "L1",
        "name": "Lamps",
        "event_start": "2027-05-01 09:00",
        "event_end": "2027-05-01 10:00",
        "event_type": "Light",
        "event_subtype": "Talk",
        "venue": "Attic",
        "description": "<p>Bright</p>",
        "speakers": [{"id": 1, "name": "Ann Lamp"}, {"id": 2, "name": "Bea Wick"}],
        "seats": 20,
    }
    lines = [
        ",".join(row),
        "L1,Lamps,2027-05-01 09:00,2027-05-01 10:00,Light,Talk,Attic,x,Ann Lamp,20",
    ]
    for data in (json.dumps([row]), "\n".join(lines)):
        conference, report = read(data.encode())
        assert not report.errors
        lamps = sessions(conference)["Lamps"]
        assert (lamps.key, utc(lamps)) == ("L1", ("01 07:00", "01 08:00"))
        assert labels(lamps, "track") == ["Light"]
        assert labels(lamps, "session_type") == ["Talk"]
        assert labels(lamps, "microlocation") == ["Attic"]
        assert labels(lamps)[0] == "Ann Lamp"
        assert lamps.extra["seats"] in {20, "20"}


def test_speakers_may_name_their_sessions_by_id() -> None:
    files = {
        "a.csv": b"id,title\n1,Lamps\n2,Oil\n",
        "b.csv": b'name,bio,session ids\nAnn,x,"2, 1"\n',
    }
    conference, _ = read(zip_of({}, files))
    assert [labels(each) for each in sessions(conference).values()] == [["Ann"], ["Ann"]]


def test_speakers_may_name_their_sessions() -> None:
    sessions_only = 'id,title\r\n1,Lamps\r\n2,"Oil, and gas"\r\n'
    speakers = 'name,bio,sessions\r\nAnn,x,"Oil, and gas, Lamps"\r\nBea,y,Nothing\r\n'
    data = zip_of({}, {"a.csv": sessions_only.encode(), "b.csv": speakers.encode()})
    conference, _ = read(data)
    found = sessions(conference)
    assert labels(found["Lamps"]) == ["Ann"]
    assert labels(found["Oil, and gas"]) == ["Ann"]
    assert by(conference, Kind.SPEAKER)["Bea"].extra["sessions"] == "Nothing"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("newline", ["\r\n", "\n", "\r", "\r\r\n"])
def test_a_table_of_people_becomes_an_event(encoding: str, newline: str) -> None:
    data = GERMAN.replace("\r\n", newline).encode(encoding)
    conference, report = read(data, name=None)
    assert not report.errors
    assert conference.event.values["name"] == "Lampentage 2027"
    assert codes(report)["name-above"] == 1
    found = sessions(conference)
    assert set(found) == {"Dochte", "Öl", "Nacht"}
    assert utc(found["Dochte"]) == ("01 07:00", "01 07:45")
    assert labels(found["Dochte"]) == ["Anna Lampe", "Berta Docht"]
    assert found["Dochte"].extra["Bemerkung"] == "Kuchen"
    # The day of the row above counts, and a time that is not understood is kept.
    assert found["Öl"].extra["start"] == "10 Uhr 15"
    assert utc(found["Nacht"]) == ("02 21:30", "02 22:15")
    assert labels(found["Nacht"], "microlocation") == ["Keller"]
    assert (codes(report)["encoding"] == 1) is (encoding == "cp1252")


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_that_by_which_the_header_is_known(delimiter: str) -> None:
    data = "title,start,end,room\nLamps,2027-05-01 09:00,2027-05-01 10:00,A\n".replace(
        ",", delimiter
    )
    conference, report = read(data.encode())
    assert not report.errors
    assert utc(sessions(conference)["Lamps"]) == ("01 07:00", "01 08:00")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_the_header_may_come_late_and_be_long(encoding: str) -> None:
    above = "".join(f"Note {number};{'x' * 100}\n" for number in range(12))
    columns = ";".join(f"Question {number}" for number in range(200))
    text = f"{above}{columns};Titel;Raum\n{';' * 200}Lampen;Dachboden\n"
    for data in (text.encode(encoding), zip_of({}, {"a.csv": text.encode(encoding)})):
        conference, _ = read(data)
        assert labels(sessions(conference)["Lampen"], "microlocation") == ["Dachboden"]


def test_a_first_line_may_name_the_delimiter() -> None:
    conference, _ = read(b"sep=;\ntitle;room;a,b,c\nLamps;x;y\n")
    assert set(sessions(conference)) == {"Lamps"}


@pytest.mark.parametrize(
    ("day", "start", "end", "duration", "expected"),
    [
        ("2027-05-01", "09:00", "10:00", "", ("01 07:00", "01 08:00")),
        ("01.05.2027", "9.00", "", "45", ("01 07:00", "01 07:45")),
        ("1.5.27", "0900", "", "1h 30m", ("01 07:00", "01 08:30")),
        ("Saturday, 1 May 2027", "9:00 am", "", "0:30", ("01 07:00", "01 07:30")),
        ("Sa 01.05.2027", "9h15", "", "20 minutes", ("01 07:15", "01 07:35")),
        ("", "2027-05-01T09:00:00+02:00", "", "00:45", ("01 07:00", "01 07:45")),
        ("", "01.05.2027 09:00", "01.05.2027 10:15", "", ("01 07:00", "01 08:15")),
        ("2027-05-01", "23:00", "1:00", "", ("01 21:00", "01 23:00")),
        ("", "2027-05-01T23:00:00+02:00", "1:00", "", ("01 21:00", "01 23:00")),
        ("2027-05-01 09:00", "", "", "30", ("01 07:00", "01 07:30")),
        ("2027-05-01", "12:00 AM", "12:30 AM", "", ("30 22:00", "30 22:30")),
        ("2027-05-01", "00:30", "", "30", ("30 22:30", "30 23:00")),
    ],
)
def test_times_are_read_as_people_write_them(
    day: str, start: str, end: str, duration: str, expected: tuple[str, str]
) -> None:
    data = f'title,date,start,end,duration\nLamps,"{day}",{start},{end},{duration}\n'
    conference, report = read(data.encode())
    assert not report.errors
    assert utc(sessions(conference)["Lamps"]) == expected


@pytest.mark.parametrize(
    ("header", "cells", "expected"),
    [
        ("Start (date),Start (time),End (date),End (time)", "1,9:00,1,10:00", ("01 07", "01 08")),
        ("Start Date,Start Time,End Date,End Time", "1,23:00,2,01:00", ("01 21", "01 23")),
        ("Start Date,Start Time,End Time", "1,23:00,01:00", ("01 21", "01 23")),
        ("Start Date,End Date", "1 09:00,3 10:00", ("01 07", "03 08")),
        ("Start Date,Start Time,End Date", "1,9:00,2", ("01 07", None)),
        ("Date,Start Date,End Date", "4,1 09:00,1 10:00", ("01 07", "01 08")),
        ("Beginn (Datum),Beginn (Uhrzeit),Ende (Datum)", "1,9:00,soon", ("01 07", None)),
    ],
)
def test_days_and_times_may_have_columns_of_their_own(
    header: str, cells: str, expected: tuple[str, str | None]
) -> None:
    days = re.sub(r"(?<![\d:])([1-4])(?![\d:])", r"2027-05-0\1", cells)
    conference, report = read(f"Title,{header}\nLamps,{days}\n".encode())
    assert not report.errors
    starts, ends = utc(sessions(conference)["Lamps"])
    assert (starts[:5], ends and ends[:5]) == expected
    assert (codes(report)["invalid-value"] > 0) is (expected[1] is None)


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        (("03/04/2027", "13/04/2027"), ["2027-04-03", "2027-04-13"]),
        (("03/04/2027", "03/13/2027"), ["2027-03-04", "2027-03-13"]),
        (("05/05/2027", "05/05/2027"), ["2027-05-05", "2027-05-05"]),
        (("03/04/2027", "04/04/2027"), [None, "2027-04-04"]),
        (("13/04/2027", "03/13/2027"), [None, None]),
    ],
)
def test_a_column_of_days_shows_the_order_of_day_and_month(
    days: tuple[str, str], expected: list[str | None]
) -> None:
    rows = "".join(f"Lamps {number},{day},12:00\n" for number, day in enumerate(days))
    conference, report = read(f"title,date,start\n{rows}".encode())
    found = sorted(conference.records[Kind.SESSION], key=lambda each: each.index)
    starts = [each.values.get("starts_at") for each in found]
    assert [f"{start:%Y-%m-%d}" if start else None for start in starts] == expected
    for session, start in zip(found, starts, strict=True):
        assert (start is None) is ("date" in session.extra)
    assert (codes(report)["invalid-value"] > 0) is (None in expected)


@pytest.mark.parametrize(
    ("cell", "names"),
    [
        ("Ann Lamp", ["Ann Lamp"]),
        ("Ann Lamp, Bea Wick", ["Ann Lamp", "Bea Wick"]),
        ("Lamp, Ann", ["Lamp, Ann"]),
        ("Lamp, Ann; Wick, Bea", ["Lamp, Ann", "Wick, Bea"]),
        ("Ann Lamp & Bea Wick", ["Ann Lamp", "Bea Wick"]),
        ("Ann Lamp und Bea Wick", ["Ann Lamp", "Bea Wick"]),
        ("Ann Lamp, Bea Wick and Cleo Gas", ["Ann Lamp", "Bea Wick", "Cleo Gas"]),
        ("Ann!$!Bea", ["Ann", "Bea"]),
        ("Ann\nBea", ["Ann", "Bea"]),
        ("Ann, Ann", ["Ann, Ann"]),
        ("Anderson", ["Anderson"]),
    ],
)
def test_names_in_one_cell_are_told_apart(cell: str, names: list[str]) -> None:
    conference, _ = read(f'title,id,speakers\nLamps,1,"{cell}"\n'.encode())
    assert labels(sessions(conference)["Lamps"]) == names


def test_a_row_for_each_speaker_is_one_session() -> None:
    data = (
        "id,title,speaker,x\n1,Lamps,Ann,\n1,Lamps,Bea,\n"
        "2,Oil,Bea,\n2,Gas,Ann,\n3,Gas,Bea,1\n3,Gas,Bea,2\n"
    )
    conference, report = read(data.encode())
    # Rows that differ in anything else stay apart.
    assert len(conference.records[Kind.SESSION]) == 5
    assert codes(report)["repeated-session"] == codes(report)["shared-id"] == 1
    found = sessions(conference)
    assert {title: labels(each) for title, each in found.items()} == {
        "Lamps": ["Ann", "Bea"],
        "Oil": ["Bea"],
        "Gas": ["Bea"],
    }


def test_rows_without_a_title_are_reported_and_kept() -> None:
    conference, report = read(b"title,room\nLamps,A\n,B\n\n")
    assert set(sessions(conference)) == {"Lamps"}
    assert codes(report)["row-without-title"] == 1
    assert conference.event.extra["rows_without_title"] == [["B"]]


def test_addresses_of_speakers_stay_in_the_private_field() -> None:
    conference, _ = read(b"name,e-mail,phone\nAnn,ann@example.org,+49 1\n")
    ann = by(conference, Kind.SPEAKER)["Ann"]
    assert (ann.values["email"], ann.values["mobile"]) == ("ann@example.org", "+49 1")
    assert not ann.extra


def test_a_workbook_of_two_sheets_becomes_an_event() -> None:
    data = workbook({"Sessions": SESSIONIZE_SESSIONS, "Speakers": SESSIONIZE_SPEAKERS})
    conference, report = read(data)
    assert not report.errors
    lamps = sessions(conference)["Lamps"]
    assert (lamps.key, utc(lamps)) == ("1001", ("01 07:00", "01 07:45"))
    assert labels(lamps) == ["Ann Lamp", "Bea Wick"]
    assert lamps.extra["Owner Informed"] == "Yes"
    people = by(conference, Kind.SPEAKER)
    assert people["Bea Wick"].key == "5b0c7a52-0002"
    assert people["Ann Lamp"].values["email"] == "ann@example.org"
    assert people["Bea Wick"].values["linkedin"].endswith("/in/bea")


@pytest.mark.parametrize("options", [{}, {"date_1904": True}], ids=["windows", "macintosh"])
def test_a_workbook_may_have_a_column_for_each_speaker(options: dict[str, Any]) -> None:
    book = {"default_date_format": "dd.mm.yyyy", **options}
    conference, report = read(workbook({"Plan": NUMBERED}, **book), name=None)
    assert not report.errors
    assert conference.event.values["name"] == "<Lamp Days>"
    found = sessions(conference)
    assert {title: labels(each) for title, each in found.items()} == {
        "Lamps": ["Ann Lamp", "Bea Wick"],
        "Oil": ["Cleo Gas"],
    }
    assert utc(found["Oil"]) == ("01 08:30", None)


def test_numbers_of_a_workbook_are_no_floats() -> None:
    rows: list[list[Any]] = [
        ["ID", "Title", "Seats", "Share", "Recorded"],
        [1001, "Lamps", 20, 0.5, True],
    ]
    conference, _ = read(workbook({"Plan": rows}))
    lamps = sessions(conference)["Lamps"]
    assert lamps.key == "1001"
    assert lamps.extra == {"Seats": 20, "Share": 0.5, "Recorded": True}


def test_other_sheets_are_left_out_with_a_warning() -> None:
    rows = [["Title", "Room"], ["Lamps", "Attic"]]
    data = workbook({"Costs": [["Oil", 5], ["Gas", 7]], "Empty": [], "Plan": rows})
    conference, report = read(data)
    assert set(sessions(conference)) == {"Lamps"}
    (left_out,) = [each for each in report.findings if each.code == "unknown-table"]
    assert "Costs" in left_out.message


def test_formulas_without_a_result_are_reported() -> None:
    file = io.BytesIO()
    book = Workbook(file, {"in_memory": True})
    sheet = book.add_worksheet("Plan")
    for column, title in enumerate(["Title", "Room", "Level"]):
        sheet.write(0, column, title)
    sheet.write(1, 0, "Lamps")
    sheet.write_formula(1, 1, '="At"&"tic"', None, "Attic")
    sheet.write_formula(1, 2, "=A1", None, "")
    sheet.write(1, 5000, "far away")
    sheet.set_row(1, None, None, {"hidden": True})
    book.close()
    conference, report = read(file.getvalue())
    assert labels(sessions(conference)["Lamps"], "microlocation") == ["Attic"]
    found = codes(report)
    assert found["formula-without-result"] == found["many-columns"] == found["hidden-rows"] == 1


@pytest.mark.parametrize("name", ["csv", "xlsx"])
def test_what_we_export_comes_in_again(name: str) -> None:
    before, _ = read_any(json.dumps(HUB).encode())
    assert before is not None
    data, _ = written(name, stored(before))
    after, report = read(data, timezone="Europe/Berlin")
    assert not report.errors
    expected = sessions(before)
    found = sessions(after)
    assert set(found) == {
        title for title, each in expected.items() if "deleted_at" not in each.values
    }
    for title, session in found.items():
        same = expected[title]
        for field in ("starts_at", "ends_at", "language", "subtitle", "state"):
            assert session.values.get(field) == same.values.get(field)
        for field in ("microlocation", "track", "session_type", "speakers"):
            assert labels(session, field) == labels(same, field)


@pytest.mark.parametrize(
    ("data", "limits", "setting"),
    [
        ("title,room\n" + "Lamps,A\n" * 200, {"max_records": 50}, "MAX_RECORDS"),
        ("title,room\n" + "Lamps,A\n" * 200, {"max_values": 100}, "MAX_VALUES"),
        ("title,room\nLamps," + "A" * 5000, {"max_string_length": 1000}, "MAX_TEXT_LENGTH"),
        (
            "title,room\nLamps," + "A" * 900_000,
            {"max_record_bytes": 100_000, "max_string_length": 10**6},
            "MAX_RECORD_BYTES",
        ),
        ("title,room\n" + "Lamps,A\n" * 200, {"max_document_bytes": 1000}, "MAX_DOCUMENT_BYTES"),
    ],
)
def test_a_limit_that_is_hit_names_its_setting(
    data: str, limits: dict[str, Any], setting: str
) -> None:
    with pytest.raises(ArchiveError, match=setting):
        read(data.encode(), ArchiveLimits(**limits))


def test_hostile_tables_cost_no_more_than_their_size() -> None:
    """Each of these took time by the square of its size."""
    titles = ", ".join(f"Talk {number}" for number in range(40_000))
    rows = "".join(f"1,Lamps,Ann {number}\n" for number in range(40_000))
    for text in (
        "title,room\rLamps,Attic\r" + "\r" * 900_000,
        "title,room\r" + "Lamps,Attic\r" * 40_000,
        "id,title,speaker\n" + rows,
        "id,title,speaker\n1,Lamps,Ann Lamp" + " " * 400_000 + "x\n",
    ):
        conference, report = read(text.encode())
        assert not report.errors
        assert by(conference, Kind.SESSION, "title")
    data = zip_of(
        {},
        {
            "a.csv": b"id,title\n1,Lamps\n" + b"2,Oil\n" * 300,
            "b.csv": f'name,bio,sessions\nAnn,x,"{titles}"\nBea,x,"Lamps"\n'.encode(),
        },
    )
    conference, _ = read(data)
    assert labels(sessions(conference)["Lamps"]) == ["Bea"]


def test_a_cell_far_away_costs_no_memory() -> None:
    """A workbook of a few bytes may claim a cell in the last column of the last row."""
    data = workbook({"Plan": [["Title", "Room"], ["Lamps", "Attic"]]})
    sheet = (
        b'<worksheet xmlns="x"><sheetData><row r="1"><c r="A1" t="str"><v>Title</v></c>'
        b'<c r="B1" t="str"><v>Room</v></c></row><row r="1048576">'
        b'<c r="A1048576" t="str"><v>Lamps</v></c><c r="XFD1048576"><v>1</v></c></row>'
        b"</sheetData></worksheet>"
    )
    conference, report = read(_replaced(data, "xl/worksheets/sheet1.xml", sheet))
    assert set(sessions(conference)) == {"Lamps"}
    assert codes(report)["many-columns"] == 1


@given(st.data())
def test_a_damaged_workbook_ends_in_findings(data: st.DataObject) -> None:
    book = workbook({"Sessions": SESSIONIZE_SESSIONS})
    name = data.draw(
        st.sampled_from(
            [
                *("xl/worksheets/sheet1.xml", "xl/workbook.xml", "xl/styles.xml"),
                *("xl/sharedStrings.xml", "xl/_rels/workbook.xml.rels"),
            ]
        )
    )
    content = bytearray(_content(book, name))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    report = Report()
    with Source.open(
        io.BytesIO(_replaced(book, name, bytes(content))), ArchiveLimits(), report
    ) as source:
        try:
            conference = TABLE.reader(source, ReadOptions(name="Lamp Days", timezone=ZONE), report)
        except ArchiveError:
            assert report.errors
            return
    assert conference.records[Kind.EVENT] or report.errors


@given(st.text(max_size=200))
def test_any_table_ends_in_findings(text: str) -> None:
    data = f"title,start,duration,speakers\n{text}".encode("utf-8", "surrogatepass")
    report = Report()
    with Source.open(io.BytesIO(data), ArchiveLimits(), report) as source:
        try:
            conference = TABLE.reader(source, ReadOptions(name="Lamp Days", timezone=ZONE), report)
        except ArchiveError:
            assert report.errors
            return
    make_plan(conference, provisional_ids(conference.counts()), "a0", report)


@pytest.mark.parametrize(
    ("names", "counts"),
    [
        (["pretalx/droidcon-it-2025_sessions.csv"], (28, 2, 30)),
        (["pretalx/droidcon-it-2025_speakers.csv"], (0, 0, 31)),
        (
            ["pretalx/droidcon-it-2025_sessions.csv", "pretalx/droidcon-it-2025_speakers.csv"],
            (28, 2, 31),
        ),
        (["table/voc_schedule-example.xlsx"], (13, 2, 18)),
    ],
)
def test_real_tables_are_read(
    real_formats: Path, names: list[str], counts: tuple[int, int, int]
) -> None:
    files = {name: (real_formats / name).read_bytes() for name in names}
    data = next(iter(files.values())) if len(files) == 1 else zip_of({}, files)
    conference, report = read(data, name=None if names[0].endswith("xlsx") else "Lamp Days")
    assert not report.errors
    kinds = (Kind.SESSION, Kind.MICROLOCATION, Kind.SPEAKER)
    assert tuple(len(conference.records[kind]) for kind in kinds) == counts
    assert all("starts_at" in each.values for each in conference.records[Kind.SESSION])


def _content(book: bytes, name: str) -> bytes:
    with zipfile.ZipFile(io.BytesIO(book)) as archive:
        return archive.read(name)


def _replaced(book: bytes, name: str, content: bytes) -> bytes:
    result = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(book)) as archive,
        zipfile.ZipFile(result, "w", zipfile.ZIP_DEFLATED) as copy,
    ):
        for each in archive.namelist():
            copy.writestr(each, content if each == name else archive.read(each))
    return result.getvalue()


def test_a_file_without_a_table_says_what_it_looked_for() -> None:
    report = Report()
    file = io.BytesIO(b"colour,shape\nred,round\n")
    with (
        Source.open(file, ArchiveLimits(), report) as source,
        pytest.raises(ArchiveError, match="“colour”, “shape”"),
    ):
        TABLE.reader(source, ReadOptions(name="Lamp Days"), report)
    assert [error.code for error in report.errors] == ["no-table"]


def test_the_plain_table_has_no_findings() -> None:
    _, report = read(PLAIN_CSV.encode())
    assert not report.findings


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31", "01.01.0001", "31.12.9999"])
@pytest.mark.parametrize("zone", [ZONE, "America/New_York", None])
def test_days_at_the_ends_of_the_calendar_are_no_times(day: str, zone: str | None) -> None:
    data = f"title,date,start,end\nLamps,{day},9:00,23:00\nOil,{day} 00:00,,\n"
    conference, report = read(data.encode(), timezone=zone)
    assert all("starts_at" not in each.values for each in conference.records[Kind.SESSION])
    assert codes(report)["invalid-value"]
    book = workbook({"Plan": [["Title", "Start"], ["Lamps", datetime(9999, 12, 31)]]})  # noqa: DTZ001
    conference, _ = read(book, timezone=zone)
    assert set(sessions(conference)) == {"Lamps"}
