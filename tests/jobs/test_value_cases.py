"""The shared cases of odd values: what is stored and shown of each, and what the report says.

They lie in the folder that EVENTIMPORT_CASES names; `tests/formats/test_values.py` has others of
each kind.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from tests.jobs.conftest import Imports

from eventimport.formats.html.rich_text import to_html
from eventimport.pages.links import profile, web_url

Rows = dict[str, dict[str, dict[str, Any]]]
TABLES = ("sessions", "speakers", "sponsors", "session_types", "social_links", "tracks")


@dataclass(frozen=True)
class Case:
    """A case: the codes of its findings, and what is to be true of its rows, which are found by
    table and source id."""

    codes: set[str]
    check: Callable[[Rows], None]


def words(markup: str) -> str:
    """What a browser shows."""

    class Shown(HTMLParser):
        text = ""

        def handle_data(self, data: str) -> None:
            self.text += f" {data} "

    parser = Shown(convert_charrefs=True)
    parser.feed(re.sub(r"</?(p|br)>", " ", markup))
    parser.close()
    return " ".join(parser.text.split())


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc,arg-type]


def _angle_brackets_long(rows: Rows) -> None:
    text = rows["sessions"]["1"]["long_abstract"]
    shown = words(to_html(text))
    assert "while a[i]<b[i] holds" in shown
    assert len(shown) > 3_700


def _angle_brackets(rows: Rows) -> None:
    event, sessions = rows["events"]["1"], rows["sessions"]
    assert event["name"] == "Q&A <b>Conf</b> 2027"
    shown = {key: words(to_html(row["short_abstract"])) for key, row in sessions.items()}
    assert "<jane@example.org>" in shown["0"].replace("< ", "<").replace(" >", ">")
    assert shown["1"] == "Use List<String> and Map<K, V> in Java; 3 < 4 && 5 > 2, I <3 Python"
    assert "`a<b`" in shown["2"]
    assert "alert" not in to_html(sessions["3"]["short_abstract"])
    assert "alert(1)" in sessions["3"]["extra"]["short_abstract"]
    assert shown["4"].startswith("Q&A <live>")
    assert to_html(sessions["5"]["short_abstract"]).count("<p>") == 2
    assert to_html(sessions["6"]["short_abstract"]).count("<p>") == 3
    assert shown["8"] == "Text &<b>x"
    assert "<style>" in sessions["8"]["extra"]["short_abstract"]


def _paragraphs(rows: Rows) -> None:
    one, other = (to_html(rows["sessions"][key]["short_abstract"]) for key in "12")
    assert one.count("<p>") == other.count("<p>") == 3
    assert one.count("<br>") == other.count("<br>") == 1


def _times_1(rows: Rows) -> None:
    starts = {int(key): row["starts_at"] for key, row in rows["sessions"].items()}
    half_past_nine = utc(2027, 3, 5, 8, 30)
    in_utc, in_singapore = utc(2027, 3, 5, 9, 30), utc(2027, 3, 5, 1, 30)
    left_out = {8, 9, 10, 23, 25, 26, 28, 34, 36}
    expected = dict.fromkeys(starts, half_past_nine) | dict.fromkeys(left_out)
    expected |= dict.fromkeys((1, 3, 4), in_singapore)
    expected |= dict.fromkeys((2, 5, 6, 15, 24), in_utc)
    expected |= {7: utc(2027, 3, 5, 23), 29: utc(2027, 3, 5, 8)}
    assert starts == expected
    for key in left_out:
        assert rows["sessions"][str(key)]["extra"], key


def _times_2(rows: Rows) -> None:
    starts = {int(key): row["starts_at"] for key, row in rows["sessions"].items()}
    half_past_nine = utc(2027, 3, 5, 8, 30)
    assert starts == {
        **dict.fromkeys((0, 1, 2, 9, 10, 11, 12)),
        3: utc(2017, 11, 8, 6),
        4: utc(2027, 1, 28, 7, 40),
        **dict.fromkeys((5, 6, 8), half_past_nine),
        7: datetime(2027, 3, 5, 9, 30, 0, 500_000, UTC),
    }


def _dst_gap(rows: Rows) -> None:
    gap, fold = rows["sessions"]["1"], rows["sessions"]["2"]
    assert (gap["starts_at"], gap["ends_at"]) == (utc(2027, 3, 28, 1, 30), utc(2027, 3, 28, 2, 15))
    assert fold["starts_at"] == utc(2027, 10, 31, 0, 30)


def _ends_before_start(rows: Rows) -> None:
    backwards = rows["sessions"]["1"]
    assert backwards["ends_at"] < backwards["starts_at"]


def _lengths(rows: Rows) -> None:
    lengths = [rows["session_types"][str(key)]["length"] for key in range(21)]
    assert lengths == [
        *("00:30", "00:45", "00:30", "00:45", "00:30", "01:00", "01:30", "01:30", "00:45"),
        *("01:30", "00:30", "01:30", "00:45", "00:45", "00:45", "00:45", "01:30", "00:45"),
        *("01:00", None, "02:00"),
    ]


def _links(rows: Rows) -> None:
    def url(key: str, site: str) -> str | None:
        value = rows["speakers"][key][site]
        if site == "website":
            return web_url(value)
        link = profile(site, value)
        return link.url if link else None

    assert url("1", "mastodon") == url("4", "mastodon") == "https://example.social/@jane"
    assert url("1", "linkedin") == "https://linkedin.com/in/jane"
    assert url("4", "linkedin") == "https://www.linkedin.com/in/jane"
    assert url("4", "github") == "https://github.com/jane"
    assert url("4", "website") == "http://example.org"
    assert url("5", "website") == "https://example.org/a%20b"
    assert url("6", "website") == "https://a.example.org"
    assert url("6", "twitter") == "https://twitter.com/a"
    assert url("7", "website") == "https://example.org:8443/x"
    assert url("10", "website") == "https://example.org"
    assert url("10", "twitter") == "https://twitter.com/a"
    nowhere = [("3", "website"), ("3", "twitter"), ("3", "facebook"), ("5", "twitter")]
    nowhere += [("7", "twitter"), ("7", "github"), ("7", "facebook"), ("9", "website")]
    for key, site in nowhere:
        assert rows["speakers"][key][site] is None
        assert site in rows["speakers"][key]["extra"]
    assert rows["speakers"]["9"]["email"] == "jane@example.org"
    assert rows["social_links"]["1"]["link"] == "https://twitter.com/conf"
    assert rows["sponsors"]["2"]["url"] == "https://example.org/x"


def _deleted(rows: Rows) -> None:
    deleted = {
        (table, key)
        for table in ("sessions", "speakers", "sponsors")
        for key, row in rows[table].items()
        if row["deleted_at"] is not None
    }
    assert deleted == {("sessions", "2"), ("speakers", "2"), ("sponsors", "1")}


def _references(rows: Rows) -> None:
    track = rows["tracks"]["1"]["id"]
    linked = {key for key, row in rows["sessions"].items() if row["track_id"] == track}
    assert linked == {"2", "3", "4", "9"}


def _zone(name: str, hour: int) -> Callable[[Rows], None]:
    def check(rows: Rows) -> None:
        event = rows["events"]["1"]
        assert (event["timezone"], event["starts_at"].astimezone(UTC).hour) == (name, hour)

    return check


def _nothing_more(rows: Rows) -> None:
    assert rows["events"]


CASES = {
    "angle-brackets": Case({"character-references", "html-removed"}, _angle_brackets),
    "angle-brackets-long": Case(set(), _angle_brackets_long),
    "deleted-records": Case({"deleted-record"}, _deleted),
    "dst-gap": Case({"time-skipped", "time-repeated", "no-offset", "outside-event"}, _dst_gap),
    "ends-before-start": Case(
        {"ends-before-start", "outside-event", "end-without-start", "no-duration"},
        _ends_before_start,
    ),
    "json-beside-images": Case(set(), _nothing_more),
    "lengths": Case({"length", "no-name"}, _lengths),
    "links": Case({"link", "no-link", "object-with-link", "list-of-one", "invalid-value"}, _links),
    "media-path-with-folder": Case(set(), _nothing_more),
    "media-paths": Case(
        {
            "list-of-one",
            "media-link",
            "media-missing",
            "media-refused",
            "media-spelling",
            "no-file",
            "object-with-link",
            "invalid-value",
        },
        _nothing_more,
    ),
    "paragraphs": Case(set(), _paragraphs),
    "references": Case(
        {
            "dangling-reference",
            "list-of-one",
            "no-list",
            "reference-by-name",
            "reference-without-id",
        },
        _references,
    ),
    "times-1": Case({"date-without-time", "invalid-value", "no-offset", "time"}, _times_1),
    "times-2": Case(
        {
            "date-without-time",
            "invalid-value",
            "no-offset",
            "outside-event",
            "time",
            "time-far-away",
        },
        _times_2,
    ),
    "zone-0": Case({"no-offset"}, _zone("Asia/Calcutta", 3)),
    "zone-10": Case({"no-offset", "timezone"}, _zone("-05:00", 14)),
    "zone-12": Case({"no-offset", "timezone"}, _zone("America/Los_Angeles", 17)),
    "zone-17": Case({"no-offset", "timezone"}, _zone("Asia/Singapore", 1)),
    "zone-5": Case({"no-offset", "timezone"}, _zone("+08:00", 1)),
}


async def rows_of(imports: Imports, event_id: int) -> Rows:
    """The rows of an event by table and source id."""
    found: Rows = {}
    for table in ("events", *TABLES):
        rows = await imports.rows(table, event_id)
        found[table] = {row["source_id"]: row for row in rows}
    return found


@pytest.mark.parametrize("name", CASES)
async def test_a_case(imports: Imports, cases: Path, name: str) -> None:
    case = CASES[name]
    data = (cases / f"{name}.zip").read_bytes()

    job = await imports.run(data)

    assert job.status == "SUCCESS", job.errors
    assert job.report is not None
    assert job.event_id is not None
    assert {finding["code"] for finding in job.report["findings"]} == case.codes
    case.check(await rows_of(imports, job.event_id))


@pytest.mark.parametrize("name", CASES)
async def test_strict_refuses_a_case_with_a_finding(
    imports: Imports, cases: Path, name: str
) -> None:
    data = (cases / f"{name}.zip").read_bytes()

    job = await imports.run(data, strict=True)

    assert job.status == ("FAILURE" if CASES[name].codes else "SUCCESS")
    assert bool(await imports.traces()) != bool(CASES[name].codes)


async def test_media_files_are_found_and_stored(imports: Imports, cases: Path) -> None:
    job = await imports.run((cases / "media-paths.zip").read_bytes())

    assert job.event_id is not None
    speakers = await imports.rows("speakers", job.event_id)
    stored = {row["source_id"] for row in speakers if "/media/" in (row["photo_url"] or "")}
    assert stored == {"1", "2", "4", "5", "9", "10", "11", "12", "13", "14", "15", "18"}
    linked = {row["source_id"]: row["photo_url"] for row in speakers if row["photo_url"]}
    assert linked["3"] == "https://127.0.0.1:1/images/speakers/1.png"
    assert linked["8"] == "https://www.example.org/a.png"
    assert {"6", "7", "16", "17"}.isdisjoint(linked)
