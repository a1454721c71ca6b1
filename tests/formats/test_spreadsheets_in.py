"""OpenDocument spreadsheets become events."""

import io
import zipfile
from datetime import datetime, time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.formats.table_samples import (
    NUMBERED,
    SESSIONIZE_SESSIONS,
    SESSIONIZE_SPEAKERS,
    ods_cell,
    ods_content,
    ods_row,
    ods_table,
    spreadsheet,
    spreadsheet_of,
    workbook,
)
from tests.formats.test_tables_in import ZONE, by, codes, labels, read, sessions, utc

from eventimport.conference.conference import Conference, Record
from eventimport.conference.kinds import Kind
from eventimport.conference.report import Report
from eventimport.formats.format import ReadOptions
from eventimport.formats.limits import ArchiveError, ArchiveLimits
from eventimport.formats.source import Source
from eventimport.formats.table import TABLE

HEADER = ods_row(ods_cell("Title") + ods_cell("Start") + ods_cell("Level"))
LAMPS = ods_cell("Lamps")
ODD = "Open Document “days” & <marks>"
FULL = ods_row(LAMPS + ods_cell(datetime(2027, 5, 1, 9)))  # noqa: DTZ001


def said(conference: Conference) -> list[Any]:
    """All that a conference says."""
    return [
        (
            each.values,
            each.extra,
            {name: [str(to.label) for to in found] for name, found in each.references.items()},
        )
        for kind in Kind
        for each in conference.records[kind]
    ]


def the_session(*cells: str) -> tuple[Record, Report]:
    """The session of a sheet with one row, which has these cells."""
    conference, report = read(spreadsheet_of(ods_table(HEADER + ods_row("".join(cells)))))
    [session] = conference.records[Kind.SESSION]
    return session, report


@pytest.mark.parametrize(
    "sheets",
    [
        {"Sessions": SESSIONIZE_SESSIONS, "Speakers": SESSIONIZE_SPEAKERS},
        {"Plan": NUMBERED, "Costs": [["Oil", 5], ["Gas", 7.5]], "Empty": []},
        {"Plan": [["ID", "Title", "Seats", "Recorded"], [1001, f"{ODD}\nnight", 0.5, True]]},
    ],
    ids=["sessionize", "numbered", "odd"],
)
def test_a_spreadsheet_and_a_workbook_give_the_same_event(sheets: dict[str, Any]) -> None:
    (first, of_workbook), (second, of_spreadsheet) = (
        read(each) for each in (workbook(sheets), spreadsheet(sheets))
    )
    assert said(first) == said(second)
    assert codes(of_workbook) == codes(of_spreadsheet)
    assert first.records[Kind.SESSION]


def test_a_flat_spreadsheet_is_read_too() -> None:
    conference, report = read(ods_content(ods_table(HEADER + FULL), root="document"))
    assert not report.errors
    assert utc(sessions(conference)["Lamps"]) == ("01 07:00", None)


def test_a_spreadsheet_is_known_by_its_content_if_its_type_is_missing() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("content.xml", ods_content(ods_table(HEADER + FULL)))
    assert set(sessions(read(buffer.getvalue())[0])) == {"Lamps"}


@pytest.mark.parametrize(
    ("attributes", "text", "expected"),
    [
        ('office:value-type="date" office:date-value="2027-05-01T09:00:00"', "x", "01 07:00"),
        (
            'office:value-type="date" office:date-value="2027-05-01T09:00:00.000000001"',
            "",
            "01 07:00",
        ),
        ('office:value-type="date" office:date-value="2027-05-01T07:00:00Z"', "", "01 07:00"),
        ('office:value-type="date" office:date-value="soon"', "2027-05-01 09:00", "01 07:00"),
        ('office:value-type="date"', "2027-05-01 09:00", "01 07:00"),
        ('office:value-type="string" office:string-value="2027-05-01 09:00"', "…", "01 07:00"),
        ("", "2027-05-01 09:00", "01 07:00"),
    ],
)
def test_a_start_is_read_from_its_value_else_from_its_text(
    attributes: str, text: str, expected: str
) -> None:
    cell = f"<table:table-cell {attributes}><text:p>{text}</text:p></table:table-cell>"
    session, _ = the_session(LAMPS, cell)
    assert utc(session)[0] == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("PT09H00M00S", "01 07:00"),
        ("PT9H", "01 07:00"),
        ("PT08H59M59.9999999S", "01 07:00"),
        ("PT540M", "01 07:00"),
        ("P1DT1H", "01 23:00"),
        ("-PT1H", None),
        ("PT99999999999H", None),
        ("9 o'clock", None),
    ],
)
def test_a_time_of_the_day_is_a_duration(value: str, expected: str | None) -> None:
    cells = ods_cell("Title") + ods_cell("Date") + ods_cell("Start")
    day = '<table:table-cell office:value-type="date" office:date-value="2027-05-01"/>'
    clock = f'<table:table-cell office:value-type="time" office:time-value="{value}"/>'
    table = ods_table(ods_row(cells) + ods_row(LAMPS + day + clock))
    conference, report = read(spreadsheet_of(table))
    assert not report.errors
    [session] = conference.records[Kind.SESSION]
    starts = session.values.get("starts_at")
    assert (f"{starts:%d %H:%M}" if starts else None) == expected


def test_a_time_that_is_shown_as_a_day_is_a_time() -> None:
    start = datetime(1899, 12, 30, 9)  # noqa: DTZ001
    rows: list[list[Any]] = [["Title", "Date", "Start"], ["Lamps", "2027-05-01", start]]
    conference, _ = read(spreadsheet({"Plan": rows}))
    assert utc(sessions(conference)["Lamps"]) == ("01 07:00", None)


def test_a_day_at_midnight_is_a_day() -> None:
    cell = '<table:table-cell office:value-type="date" office:date-value="2027-05-01T00:00:00"/>'
    session, _ = the_session(LAMPS, ods_cell(""), ods_cell(""), cell)
    assert session.extra == {"column 4": "2027-05-01"}


def test_the_text_of_a_cell_is_what_it_shows() -> None:
    title = (
        '<table:table-cell office:value-type="string"><office:annotation><text:p>Really?</text:p>'
        "</office:annotation><text:p>Oil <text:span>and\n   </text:span><text:ruby><text:ruby-base>"
        'gas</text:ruby-base><text:ruby-text>gaz</text:ruby-text></text:ruby><text:s text:c="1"/>or'
        '<text:tab/>two</text:p><text:p><text:a xlink:href="https://a.example" '
        'xmlns:xlink="http://www.w3.org/1999/xlink">lamps</text:a></text:p></table:table-cell>'
    )
    session, report = the_session(ods_cell("Lamps"), ods_cell(""), title)
    assert session.values["level"] == "Oil and gas or\ttwo\nlamps"
    assert codes(report)["comment"] == codes(report)["link-in-cell"] == 1


def test_cells_that_a_merged_one_covers_keep_the_columns() -> None:
    covered = '<table:covered-table-cell table:number-columns-repeated="1"/>'
    session, _ = the_session(
        ods_cell("Lamps", ' table:number-columns-spanned="2"'), covered, ods_cell("Novice")
    )
    assert session.values["level"] == "Novice"


def test_formulas_are_read_as_they_were_computed() -> None:
    formula = 'table:formula="of:=[.A1]"'
    error = (
        f'<table:table-cell {formula} office:value-type="string" calcext:value-type="error" '
        'xmlns:calcext="urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0" '
        'office:string-value=""><text:p>#NAME</text:p></table:table-cell>'
    )
    older = (
        f'<table:table-cell {formula} office:value-type="float" office:value="0"><text:p>Err:508'
    )
    older += "</text:p></table:table-cell>"
    empty = f"<table:table-cell {formula}/>"
    session, report = the_session(
        ods_cell("Lamps", f" {formula}"), ods_cell(""), error, older, empty
    )
    assert session.values["title"] == "Lamps"
    assert not session.extra
    assert codes(report)["formula-error"] == 2
    assert codes(report)["formula-without-result"] == 1


def test_hidden_rows_and_sheets_are_read_and_reported() -> None:
    styles = (
        '<style:style style:name="ta2" style:family="table">'
        '<style:table-properties table:display="false"/></style:style>'
    )
    hidden = ods_row(ods_cell("Oil"), ' table:visibility="filter"')
    empty = ods_row("<table:table-cell/>", ' table:visibility="collapse"')
    rows = f"<table:table-header-rows>{HEADER}</table:table-header-rows><table:table-row-group>"
    rows += f"{FULL}</table:table-row-group>{hidden}{empty}"
    table = ods_table(rows, attributes=' table:style-name="ta2"')
    data = spreadsheet_of(table, styles=styles, image=b"\x89PNG", thumbnail=b"\x89PNG")
    conference, report = read(data)
    assert set(sessions(conference)) == {"Lamps", "Oil"}
    assert codes(report)["hidden-rows"] == codes(report)["hidden-sheet"] == 1
    assert any("hidden in the workbook (1)" in each.message for each in report.findings)
    assert [*conference.files.files] == ["Pictures/lamp.png"]


@pytest.mark.parametrize(
    "entry",
    ["content.xml", "encrypted-package"],
)
def test_a_spreadsheet_with_a_password_says_so(entry: str) -> None:
    manifest = (
        '<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0">'
        f'<manifest:file-entry manifest:full-path="{entry}"><manifest:encryption-data/>'
        "</manifest:file-entry></manifest:manifest>"
    )
    with pytest.raises(ArchiveError, match="password"):
        read(spreadsheet_of(manifest=manifest.encode()))


def test_repeated_cells_and_rows_cost_nothing() -> None:
    """A spreadsheet of a few bytes may claim 17 billion cells."""
    million, columns = (
        f' table:number-{what}-repeated="{count}"'
        for what, count in (("rows", 1_048_576), ("columns", 16_384))
    )
    title = ods_cell("Lamps")
    table = ods_table(
        HEADER
        + ods_row(title + ods_cell("") + ods_cell("x", columns), million)
        + ods_row(f"<table:table-cell{columns}/>", million)
        + ods_row(ods_cell("Oil", ' table:number-columns-repeated="1"'))
        + ods_row(ods_cell("Gas"), ' table:number-rows-repeated="99999999999999999999"')
        + ods_row(ods_cell("Wax"), ' table:number-rows-repeated="x"')
        + ods_row(f"<table:table-cell{columns}/>" + ods_cell("far"), "")
    )
    conference, report = read(spreadsheet_of(table))
    assert set(sessions(conference)) == {"Lamps", "Oil", "Gas", "Wax"}
    assert len(sessions(conference)["Lamps"].extra) == 997
    assert codes(report)["repeated-row"] == 1
    [left_out] = [each for each in report.findings if each.code == "many-columns"]
    assert left_out.count == 2


def test_a_row_counts_the_equal_ones_above_it() -> None:
    empty = ods_row("<table:table-cell/>", ' table:number-rows-repeated="5"')
    _, report = read(spreadsheet_of(ods_table(HEADER + empty + FULL)))
    [finding] = [each for each in report.findings if each.code == "no-duration"]
    assert finding.place.line == 7


@pytest.mark.parametrize(
    ("row", "limits", "setting"),
    [
        (ods_row(LAMPS) * 200, {"max_records": 50}, "MAX_RECORDS"),
        (ods_row(LAMPS) * 200, {"max_values": 100}, "MAX_VALUES"),
        (ods_row(ods_cell("x" * 20, ' table:number-columns-repeated="900"') + LAMPS), {}, ""),
        (
            ods_row(ods_cell("x" * 2_000, ' table:number-columns-repeated="900"') + LAMPS),
            {"max_record_bytes": 400_000},
            "MAX_RECORD_BYTES",
        ),
        (
            ods_row(ods_cell("x" * 2_000, ' table:number-columns-repeated="900"') + LAMPS) * 9,
            {"max_document_bytes": 10_000_000},
            "MAX_DOCUMENT_BYTES",
        ),
        (ods_row(ods_cell("x" * 2_000)), {"max_string_length": 1000}, "MAX_TEXT_LENGTH"),
        (
            ods_row(
                '<table:table-cell office:value-type="string"><text:p><text:s text:c="999999999"/>'
                "</text:p></table:table-cell>"
            ),
            {},
            "MAX_TEXT_LENGTH",
        ),
        (ods_row(ods_cell("").replace("/>", ">") + "<text:p>" * 300), {}, "256 levels"),
    ],
)
def test_a_limit_that_is_hit_names_its_setting(
    row: str, limits: dict[str, Any], setting: str
) -> None:
    data = spreadsheet_of(ods_table(HEADER + row))
    if not setting:
        assert read(data)[0].records[Kind.SESSION]
        return
    with pytest.raises(ArchiveError, match=setting):
        read(data, ArchiveLimits(**limits))


@given(st.data())
def test_a_damaged_spreadsheet_ends_in_findings(data: st.DataObject) -> None:
    rows = ods_row(LAMPS + ods_cell("2027-05-01") + ods_cell(time(9)))
    damaged = bytearray(ods_content(ods_table(HEADER + rows)))
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("content.xml", bytes(damaged))
    report = Report()
    with Source.open(buffer, ArchiveLimits(), report) as source:
        try:
            conference = TABLE.reader(source, ReadOptions(name="Lamp Days", timezone=ZONE), report)
        except ArchiveError:
            assert report.errors
            return
    assert conference.records[Kind.EVENT] or report.errors


def test_a_real_spreadsheet_and_its_workbook_have_the_same_programme(real_formats: Path) -> None:
    """The people who keep them have written the speakers in two ways."""
    found = []
    for suffix in ("xlsx", "ods"):
        path = real_formats / f"table/voc_schedule-example.{suffix}"
        conference, report = read(path.read_bytes(), name=None)
        assert not report.errors
        programme = {
            (title, utc(each)[0], *labels(each, "microlocation"))
            for title, each in sessions(conference).items()
        }
        found.append((conference.event.values["name"], programme))
        speakers = by(conference, Kind.SPEAKER)
        assert len(speakers) == (18 if suffix == "xlsx" else 16)
    assert found[0] == found[1]
    assert len(found[0][1]) == 13
