"""Times, lengths, zones, links, references and media paths as people and programs write them."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.formats.planning import EVENT, Planned, plan_documents

from eventimport.conference.lengths import read_length
from eventimport.conference.times import in_zone, read_time
from eventimport.conference.web_links import profile_url, read_link, web_url
from eventimport.conference.zones import find_zone, zone
from eventimport.pages.times import Zone

BERLIN = ZoneInfo("Europe/Berlin")
CONFERENCE: dict[str, Any] = {
    "id": 1,
    "name": "Case",
    "timezone": "Europe/Berlin",
    "starts-at": "2027-03-05T09:00:00+01:00",
    "ends-at": "2027-03-06T18:00:00+01:00",
}
HALF_PAST_NINE = datetime(2027, 3, 5, 8, 30, tzinfo=UTC)


def session_of(value: Any, **besides: Any) -> Planned:
    """The plan of a conference in Berlin with one session, which starts at this time."""
    session = {"id": 1, "title": "T", "starts-at": value, **besides}
    return plan_documents(event=CONFERENCE, sessions=[session])


@pytest.mark.parametrize(
    "value",
    [
        "2027-03-05T09:30",
        "2027-03-05 09:30:00",
        "2027-03-05T09:30:00.000000+01:00",
        "2027-03-05T08:30:00Z",
        "2027-03-05T08:30:00.0000000Z",
        " 2027-03-05T09:30:00+0100 ",
    ],
)
def test_usual_times_are_read_without_a_word(value: str) -> None:
    planned = session_of(value)
    assert planned.rows("sessions")[0]["starts_at"] == HALF_PAST_NINE
    assert planned.codes <= {"no-offset"}


@pytest.mark.parametrize(
    "value",
    [
        "2027-3-5 9:30",
        "2027/03/05 09:30",
        "2027.03.05 9:30",
        "2027-03-05 09.30",
        "2027-03-05 09.30.00",
        "2027-03-05 09:30 AM",
        "2027-03-05 9:30am",
        "March 5, 2027 9:30 AM",
        "5 March 2027 09:30",
        "Fri, 05 Mar 2027 08:30:00 GMT",
        "Fri Mar 05 2027 09:30:00 GMT+0100 (Central European Standard Time)",
        "Fri Mar  5 09:30:00 2027",
        "20270305T0930",
        "20270305T083000Z",
        "2027-03-05T0930",
        "2027-W09-5T09:30",
        "2027-064T09:30",
        "2027-03-05_09:30",
        "2027\N{NON-BREAKING HYPHEN}03\N{NON-BREAKING HYPHEN}05T09:30",
        "2027-03-05T09:30:00+01:00[Europe/Berlin]",
        "2027-03-05T03:30:00[America/New_York]",
        "2027-03-05 08:30:00 UTC",
        "2027-03-05 09:30 CET",
        "2027-03-05 09:30:00 +0100",
        1804235400,
        1804235400.0,
        1804235400000,
        "1804235400",
        "1804235400000",
        "/Date(1804235400000)/",
        "202703050930",
    ],
)
def test_unusual_times_are_read_and_reported(value: Any) -> None:
    planned = session_of(value)
    (session,) = planned.rows("sessions")
    assert session["starts_at"] == HALF_PAST_NINE
    assert planned.codes - {"no-offset"} == {"time"}
    assert [f.severity for f in planned.findings("time")] == ["repair"]


@pytest.mark.parametrize(
    "value",
    [
        "05/03/2027 09:30",
        "5.3.2027 09:30",
        "03-05-27 09:30",
        "2027-03-05T25:30",
        "2027-03-05T24:01",
        "2027-03-05T09:60",
        "2027-03-05T09:30:60",
        "2027-02-29T09:30",
        "2027-13-05T09:30",
        "0000-00-00 00:00:00",
        "2027-03-05",
        "2027-03-05Z",
        "2027-03-05+01:00",
        "2027-03-05-05:00",
        "20270305",
        20270305,
        "2027-W09-5",
        "2027-03-05 930",
        "2027-03-05 09:30 XYZ",
        "0 am 2027-03-05",
        "2027-03-05 13:30 AM",
        "9:30",
        "tomorrow",
        "2007-03-04T09:30:00Z",
        "1970-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
        0,
        True,
        1e300,
        {"date": "2027-03-05"},
        "9" * 5_000,
    ],
)
def test_what_is_not_certain_is_left_out_kept_and_reported(value: Any) -> None:
    planned = session_of(value)
    (session,) = planned.rows("sessions")
    if value == "2007-03-04T09:30:00Z":
        # Just within the limit of 20 years: kept, and reported as not of this event.
        assert session["starts_at"] is not None
    else:
        assert (session["starts_at"], session["extra"]) == (None, {"starts-at": value}) or (
            session["starts_at"],
            session["extra"],
        ) == (None, {"starts_at": value})
    assert [f.severity for f in planned.report.findings] == ["warning"]


@pytest.mark.parametrize(
    ("value", "hour", "severity"),
    [
        ("2027-03-05 09:30 (CET)", 8, "repair"),
        ("2027-03-05 03:30 (EST)", 8, "repair"),
        ("2027-03-05 09:30 (Europe/Berlin)", 8, "repair"),
        ("2027-03-05 16:30 (Singapore)", 8, "repair"),
        ("2027-03-05 16:30 [Singapore]", 8, "repair"),
        ("2027-03-05 09:30 (Hall 1)", None, "warning"),
        ("2027-03-05T09:30+01:00[Europe/Berlin]", 8, "repair"),
        ("2027-03-05T08:30Z[Europe/Berlin]", 8, "repair"),
        ("2027-03-05T13:30+05:00[Europe/Berlin]", 8, "warning"),
        ("2027-03-05T13:30+05:00[Middle/Earth]", 8, "warning"),
        ("2027-03-05 09:30 GMT+0100 (Mitteleuropäische Normalzeit)", 8, "repair"),
    ],
)
def test_a_zone_in_brackets_counts_or_is_reported(
    value: str, hour: int | None, severity: str
) -> None:
    planned = session_of(value)
    (session,) = planned.rows("sessions")
    at = datetime(2027, 3, 5, hour, 30, tzinfo=UTC) if hour is not None else None
    assert session["starts_at"] == at
    assert [f.severity for f in planned.report.findings if f.code != "no-offset"] == [severity]


TIMES = st.datetimes(datetime(2010, 1, 1), datetime(2040, 1, 1)).map(  # noqa: DTZ001 - local
    lambda time: time.replace(microsecond=0)
)
FORMS = (
    "%Y-%m-%d %H:%M:%S",
    "%Y/%m/%d %H:%M:%S",
    "%Y%m%dT%H%M%S",
    "%a, %d %b %Y %H:%M:%S",
    "%d %B %Y %H:%M:%S",
    "%B %d, %Y %I:%M:%S %p",
    "%a %b %d %H:%M:%S %Y",
    "%Y-%m-%d %I.%M.%S %p",
    "%G-W%V-%uT%H:%M:%S",
    "%Y-%jT%H:%M:%S",
)


@given(TIMES, st.sampled_from(FORMS), st.integers(-12 * 4, 14 * 4).map(lambda n: n * 15))
def test_a_time_means_the_same_in_every_form(time: datetime, form: str, minutes: int) -> None:
    assert read_time(time.strftime(form)).time == time
    sign, (hours, rest) = "-" if minutes < 0 else "+", divmod(abs(minutes), 60)
    with_offset = read_time(f"{time.strftime(form)} {sign}{hours:02}:{rest:02}").time
    if not form.endswith("%Y"):
        assert with_offset is not None
        assert in_zone(with_offset, UTC) == time.replace(tzinfo=UTC) - timedelta(minutes=minutes)


@given(st.text(alphabet="0123456789-/.:TZ+ APM,", max_size=24))
def test_a_time_that_is_read_has_the_digits_of_its_text(text: str) -> None:
    found = read_time(text)
    if found.time is None or found.time.tzinfo is not None:
        return
    digits = text.replace(" ", "")
    assert f"{found.time.year:04}" in digits or found.time.month == found.time.day == 1


def test_a_start_that_does_not_exist_moves_with_its_end() -> None:
    event = {**CONFERENCE, "starts-at": "2027-03-27T09:00", "ends-at": "2027-10-31T18:00"}
    planned = plan_documents(
        event=event,
        sessions=[
            {"id": 1, "title": "G", "starts-at": "2027-03-28T02:30", "ends-at": "2027-03-28T03:15"},
            {"id": 2, "title": "H", "starts-at": "2027-03-28T02:15", "ends-at": "2027-03-28T02:45"},
            {"id": 3, "title": "I", "starts-at": "2027-03-28T01:30", "ends-at": "2027-03-28T02:30"},
            {"id": 4, "title": "F", "starts-at": "2027-10-31T02:30", "ends-at": "2027-10-31T03:15"},
        ],
    )
    local = [
        tuple(
            session[name].astimezone(BERLIN).strftime("%H:%M") for name in ("starts_at", "ends_at")
        )
        for session in planned.rows("sessions")
    ]
    assert local == [("03:30", "04:15"), ("03:15", "03:45"), ("01:30", "03:30"), ("02:30", "03:15")]
    fold = planned.rows("sessions")[3]["starts_at"]
    assert fold == datetime(2027, 10, 31, 0, 30, tzinfo=UTC)
    assert {"time-skipped", "time-repeated"} <= planned.codes
    assert all(f.severity == "warning" for f in planned.findings("time-skipped"))


def test_days_are_enough_for_the_event_itself_and_are_reported() -> None:
    planned = plan_documents(event={**EVENT, "starts-at": "2027-03-05", "ends-at": "2027-03-06"})
    (event,) = planned.rows("events")
    assert event["starts_at"] == datetime(2027, 3, 5, tzinfo=UTC)
    assert event["ends_at"] == datetime(2027, 3, 6, 23, 59, tzinfo=UTC)
    assert [f.severity for f in planned.findings("date-without-time")] == ["warning"] * 2


def test_odd_times_of_a_programme_are_reported_and_kept() -> None:
    planned = plan_documents(
        event=CONFERENCE,
        sessions=[
            {
                "id": 1,
                "title": "A",
                "starts-at": "2027-03-05T10:00Z",
                "ends-at": "2027-03-05T09:00Z",
            },
            {
                "id": 2,
                "title": "B",
                "starts-at": "2017-03-05T10:00Z",
                "ends-at": "2017-03-05T11:00Z",
            },
            {
                "id": 3,
                "title": "C",
                "starts-at": "2027-03-05T10:00Z",
                "ends-at": "2028-03-05T11:00Z",
            },
            {"id": 4, "title": "D", "ends-at": "2027-03-05T11:00Z"},
            {
                "id": 5,
                "title": "E",
                "starts-at": "2027-03-05T10:00Z",
                "ends-at": "2027-03-05T10:00Z",
            },
            {
                "id": 6,
                "title": "F",
                "starts-at": "2027-03-05T10:00Z",
                "ends-at": "2027-03-05T11:00Z",
            },
        ],
    )
    found = {
        (f.code, f.place.source_id) for f in planned.report.findings if f.severity == "warning"
    }
    assert found == {
        ("ends-before-start", "1"),
        ("outside-event", "2"),
        ("outside-event", "3"),
        ("end-without-start", "4"),
        ("no-duration", "5"),
    }
    backwards = planned.rows("sessions")[0]
    assert backwards["ends_at"] < backwards["starts_at"]


def test_an_event_that_ends_before_it_starts_is_reported() -> None:
    event = {**CONFERENCE, "ends-at": "2027-03-04T18:00:00+01:00"}
    planned = plan_documents(event=event)
    assert planned.codes == {"ends-before-start"}


def test_double_bookings_are_reported_by_name() -> None:
    def session(number: int, start: str, end: str, room: int, **besides: Any) -> dict[str, Any]:
        times = {"starts-at": f"2027-03-05T{start}Z", "ends-at": f"2027-03-05T{end}Z"}
        return {"id": number, "title": f"Talk {number}", "microlocation": room, **times, **besides}

    planned = plan_documents(
        event=CONFERENCE,
        microlocations=[{"id": 1, "name": "Aula"}, {"id": 2, "name": "Loft"}],
        speakers=[{"id": 1, "name": "Ada"}],
        sessions=[
            session(1, "09:00", "12:00", 1),
            session(2, "10:00", "11:00", 1, speakers=[1]),
            session(3, "11:00", "11:30", 2, speakers=[1]),
            session(4, "11:15", "12:00", 2, state="rejected"),
            session(5, "11:20", "12:00", 2, **{"deleted-at": "2027-01-01T00:00:00Z"}),
            session(6, "11:29", "11:40", 2, speakers=[1]),
        ],
    )
    rooms = [f.message for f in planned.findings("room-booked-twice")]
    assert len(rooms) == 2
    assert "Aula" in rooms[0]
    assert "Talk 1" in rooms[0]
    assert "Talk 2" in rooms[0]
    assert "Loft" in rooms[1]
    (speaker,) = [f.message for f in planned.findings("speaker-booked-twice")]
    assert "Ada" in speaker


@pytest.mark.parametrize(
    ("given", "length", "certain"),
    [
        (30, "00:30", True),
        ("45", "00:45", True),
        (90, "01:30", True),
        (2, "02:00", True),
        ("9", "09:00", True),
        ("45 min", "00:45", True),
        ("1h 30m", "01:30", True),
        ("1h30", "01:30", True),
        ("PT45M", "00:45", True),
        ("PT1H30M", "01:30", True),
        ("90 Minuten", "01:30", True),
        ("00:45:00", "00:45", True),
        ("0:45h", "00:45", True),
        ("1 hour", "01:00", True),
        ("1 Stunde 15 Minuten", "01:15", True),
        ("01.30", "01:30", False),
        ("1.30", "01:30", False),
        ("0.20", "00:20", False),
        ("1.5", "01:30", False),
        (1.5, "01:30", False),
        (0.5, "00:30", False),
        (0.75, "00:45", False),
        ("1.5 hours", "01:30", False),
        ("00:45:30", "00:45", False),
        (5000, "83:20", False),
        ("01.00", "01:00", True),
        ("45.0", "00:45", True),
        (45.0, "00:45", True),
        ("12.00", "12:00", False),
        ("90.00", "01:30", False),
        ("1.0 h", "01:00", True),
        ("45.5", None, False),
        (90.5, None, False),
        (900, "15:00", False),
        ("long", None, False),
        ("22.5 min", None, False),
        ("45-60", None, False),
        ("00:75", None, False),
        (-5, None, False),
        (True, None, False),
        (1e300, None, False),
        (10**400, None, False),
        (float("nan"), None, False),
        ("1" * 10_000, None, False),
    ],
)
def test_lengths_are_read_or_reported(given: Any, length: str | None, certain: bool) -> None:
    found = read_length(given)
    assert (found.text if found else None) == length
    if found is not None:
        assert (found.doubt is None) == certain


@pytest.mark.parametrize(
    ("given", "name", "fixed"),
    [
        ("Asia/Calcutta", "Asia/Calcutta", False),
        ("US / Pacific", "US/Pacific", False),
        ("Pacific Time (US & Canada)", "America/Los_Angeles", False),
        ("W. Europe Standard Time", "Europe/Berlin", False),
        ("(GMT+05:30) Kolkata", "Asia/Kolkata", False),
        ("(UTC+01:00) Amsterdam, Berlin, Bern", "Europe/Amsterdam", False),
        ("(GMT-08:00) Pacific Time (US & Canada)", "America/Los_Angeles", False),
        ("Asia/Singapore (SGT)", "Asia/Singapore", False),
        ("Berlin", "Europe/Berlin", False),
        ("san francisco", "America/Los_Angeles", False),
        ("CET", "CET", False),
        ("+08:00", "+08:00", True),
        ("UTC+5:30", "+05:30", True),
        ("GMT-3", "-03:00", True),
        ("EST", "-05:00", True),
        ("UTC", "UTC", False),
        ("(GMT+09:00) Nowhere", "+09:00", True),
        ("Pacific Standard Time (Mexico)", "America/Tijuana", False),
        ("central standard time (mexico)", "America/Mexico_City", False),
        ("Samoa", "Pacific/Apia", False),
        ("(GMT-03:00) Brasilia", "America/Sao_Paulo", False),
        ("New_York", "America/New_York", False),
        ("UTC\N{MINUS SIGN}5", "-05:00", True),
        ("+5:30 IST", "+05:30", True),
        ("UTC±0", "UTC", False),
    ],
)
def test_time_zones(given: str, name: str, fixed: bool) -> None:
    found = find_zone(given)
    assert found is not None
    assert (found.name, found.is_fixed) == (name, fixed)
    planned = plan_documents(event={**EVENT, "timezone": given, "starts-at": "2027-03-05T09:00"})
    (event,) = planned.rows("events")
    local = datetime(2027, 3, 5, 9, tzinfo=zone(name))
    assert (event["timezone"], event["starts_at"]) == (name, local.astimezone(UTC))
    assert Zone.named(name).moment(event["starts_at"]).clock == "09:00"
    messages = [f.message for f in planned.findings("timezone")]
    assert bool(messages) == (fixed or name != given)
    assert all(name in f.message for f in planned.findings("no-offset"))


@pytest.mark.parametrize("given", ["Middle/Earth", "IST", "+25:00", "8", "x" * 100_000, 5, ["UTC"]])
def test_no_finding_claims_a_zone_that_was_not_used(given: Any) -> None:
    planned = plan_documents(event={**EVENT, "timezone": given, "starts-at": "2027-03-05T09:00"})
    (event,) = planned.rows("events")
    assert event["starts_at"] == datetime(2027, 3, 5, 9, tzinfo=UTC)
    assert event["extra"]["timezone"] == given
    assert {f.code for f in planned.report.findings} == {"timezone", "no-offset"}
    assert all("UTC" in f.message for f in planned.report.findings)
    assert all(f.severity == "warning" for f in planned.report.findings)


@pytest.mark.parametrize(
    ("site", "value", "leads_to"),
    [
        ("twitter", "@jane", "https://twitter.com/jane"),
        ("twitter", "twitter.com/jane", "https://twitter.com/jane"),
        ("twitter", "x.com/jane", "https://x.com/jane"),
        ("twitter", "@a / @b", "https://twitter.com/a"),
        ("github", "@jane/", "https://github.com/jane"),
        ("github", "/jane", "https://github.com/jane"),
        ("linkedin", "in/jane", "https://www.linkedin.com/in/jane"),
        ("linkedin", "jane-doe-ä", "https://www.linkedin.com/in/jane-doe-%C3%A4"),
        ("linkedin", "company/tea", "https://www.linkedin.com/company/tea"),
        ("facebook", "jane.doe", "https://www.facebook.com/jane.doe"),
        ("instagram", "instagram.com/jane/", "https://instagram.com/jane/"),
        ("mastodon", "@jane@example.social", "https://example.social/@jane"),
        ("mastodon", "jane@example.social", "https://example.social/@jane"),
        ("mastodon", "https://example.social/@jane", "https://example.social/@jane"),
        ("mastodon", "@jane", None),
        ("twitter", "@jane doe", None),
        ("twitter", "#jane", None),
        ("twitter", "@jane@example.social", None),
        ("facebook", "Jane Doe", None),
        ("twitter", "N/A", None),
        ("github", "-", None),
        ("facebook", "none", None),
        ("twitter", "jane@example.org", None),
        ("github", "javascript:alert(1)", None),
        (None, "www.example.org", "https://www.example.org"),
        (None, "http//example.org", "http://example.org"),
        (None, "https: //example.org/x", "https://example.org/x"),
        (None, " https://example.org/a b ", "https://example.org/a%20b"),
        (None, "example.org:8443/x", "https://example.org:8443/x"),
        (None, "//example.org/x", "https://example.org/x"),
        (None, "https://größe.example/ü", "https://größe.example/ü"),
        (None, "https://a.example, https://b.example", "https://a.example"),
        (None, "my page: https://a.example", "https://a.example"),
        (None, "my page", None),
        (None, "/relative", None),
        (None, "javascript:alert(1)//a.example", None),
        (None, "ftp://a.example", None),
    ],
)
def test_links_lead_to_the_right_place_or_nowhere(
    site: str | None, value: str, leads_to: str | None
) -> None:
    found = read_link(value, site)
    shown = profile_url(site, found.link) if site else web_url(found.link)
    assert shown == leads_to
    if leads_to is None:
        assert found.repaired or found.problem


def test_a_link_that_is_dropped_or_changed_is_kept_and_reported() -> None:
    planned = plan_documents(
        speakers=[
            {
                "id": 1,
                "name": "Ada",
                "twitter": "N/A",
                "website": "https://a.example https://b.example",
            },
            {"id": 2, "name": "Bob", "website": "mailto:bob@example.org", "mobile": 491701234567.0},
            {"id": 3, "name": "Eve", "website": {"url": "https://e.example"}, "twitter": ["@eve"]},
        ],
    )
    ada, bob, eve = planned.rows("speakers")
    assert (ada["twitter"], ada["website"]) == (None, "https://a.example")
    assert set(ada["extra"]) == {"twitter", "website"}
    assert (bob["website"], bob["email"], bob["mobile"]) == (
        None,
        "bob@example.org",
        "491701234567",
    )
    assert (eve["website"], eve["twitter"]) == ("https://e.example", "@eve")
    assert {f.place.source_id for f in planned.report.findings} == {"1", "2", "3"}


@pytest.mark.parametrize("value", ["false", "K.A.", "N.N.", "Unknown", "keine Angabe", "0", 0, 1])
@pytest.mark.parametrize("field", ["twitter", "linkedin", "website", "mastodon"])
def test_no_answer_leads_to_the_page_of_a_stranger(field: str, value: Any) -> None:
    planned = plan_documents(speakers=[{"id": 1, "name": "A", field: value}])
    (speaker,) = planned.rows("speakers")
    assert speaker[field] is None
    assert planned.codes == {"no-link"}


@pytest.mark.parametrize(
    ("field", "value"), [("latitude", 91), ("longitude", 999.5), ("latitude", "-90.1")]
)
def test_a_place_that_is_not_on_earth_is_left_out_and_reported(field: str, value: Any) -> None:
    planned = plan_documents(microlocations=[{"id": 1, "name": "R", field: value}])
    (room,) = planned.rows("microlocations")
    assert (room[field], room["extra"]) == (None, {field: value})
    (finding,) = planned.report.findings
    assert (finding.severity, finding.code) == ("warning", "invalid-value")
    assert finding.message.startswith("The value is out of range.")


def test_a_number_is_not_a_link_but_may_be_a_handle() -> None:
    planned = plan_documents(speakers=[{"id": 1, "name": "A", "website": 5, "twitter": 4711}])
    (speaker,) = planned.rows("speakers")
    assert (speaker["website"], speaker["twitter"]) == (None, "4711")
    assert speaker["extra"] == {"website": 5}
    assert [f.severity for f in planned.report.findings] == ["warning"]


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("city", ["a", "b"], "not a text"),
        ("is_featured", "maybe", "neither true nor false"),
    ],
)
def test_a_finding_speaks_to_people_who_do_not_program(
    field: str, value: Any, problem: str
) -> None:
    planned = plan_documents(speakers=[{"id": 1, "name": "A", field: value}])
    (finding,) = planned.report.findings
    kept = "It is kept in `extra`, and the event does not show it."
    assert finding.message == f"The value is {problem}. {kept}"
    assert finding.place.title == "A"


def test_social_links_by_handle_lead_to_the_site_of_their_name() -> None:
    planned = plan_documents(
        social_links=[
            {"id": 1, "name": "Twitter", "link": "@conf"},
            {"id": 2, "name": "Mastodon", "link": "@conf@example.social"},
            {"id": 3, "name": "Blog", "link": "@conf"},
        ]
    )
    assert [row["link"] for row in planned.rows("social_links")] == [
        "https://twitter.com/conf",
        "https://example.social/@conf",
        None,
    ]
    assert len(planned.findings("link")) == 3


@pytest.mark.parametrize(
    ("language", "title"), [("de", "Tee"), ("de-AT", "Tee"), ("fr", "Tea"), (None, "Tea")]
)
def test_of_translated_texts_the_events_language_is_taken(language: str | None, title: str) -> None:
    translated = {"en": "Tea", "de": "Tee"}
    planned = plan_documents(
        event={**EVENT, "language": language},
        sessions=[{"id": 1, "title": translated, "long-abstract": translated}],
    )
    (session,) = planned.rows("sessions")
    assert (session["title"], session["long_abstract"]) == (title, title)
    assert session["extra"] == {"title": translated, "long_abstract": translated}
    assert [f.severity for f in planned.findings("translated")] == ["warning"] * 2


@pytest.mark.parametrize(
    ("given", "state", "hidden"),
    [
        ("Accepted ", "accepted", False),
        ("completed", "confirmed", False),
        ("Scheduled", "confirmed", False),
        ("accepted", "accepted", False),
        ("pending", "pending", True),
        ("Declined", "rejected", True),
        ("cancelled", "canceled", True),
        ("something new", "something new", True),
    ],
)
def test_states_are_mapped_and_hidden_sessions_reported(
    given: str,
    state: str,
    hidden: bool,
) -> None:
    planned = plan_documents(sessions=[{"id": 1, "title": "T", "state": given}])
    assert planned.rows("sessions")[0]["state"] == state
    assert bool(planned.findings("state")) == (given != state)
    assert [state in f.message for f in planned.findings("hidden-session")] == [True] * hidden


@pytest.mark.parametrize(
    ("given", "deleted"),
    [
        ({"deleted-at": "2027-01-01T00:00:00Z"}, True),
        ({"deleted_at": 1804235400}, True),
        ({"in-trash": True}, True),
        ({"in_trash": "true"}, True),
        ({"deleted-at": None}, False),
        ({"deleted-at": ""}, False),
        ({"in-trash": False}, False),
        ({"in-trash": "false", "deleted": 0}, False),
    ],
)
def test_deleted_records_are_imported_as_deleted(given: dict[str, Any], deleted: bool) -> None:
    planned = plan_documents(
        sponsors=[{"id": 1, "name": "S", **given}], sessions=[{"id": 1, "title": "T", **given}]
    )
    for table in ("sponsors", "sessions"):
        (row,) = planned.rows(table)
        assert (row["deleted_at"] is not None) == deleted
    assert len(planned.findings("deleted-record")) == 2 * deleted


def test_a_name_that_several_records_have_is_not_linked_and_says_so() -> None:
    planned = plan_documents(
        tracks=[{"id": 1, "name": "Web"}, {"id": 2, "name": "web"}],
        sessions=[{"id": 1, "title": "T", "track": "Web"}],
    )
    (session,) = planned.rows("sessions")
    assert (session["track_id"], session["extra"]) == (None, {"track": "Web"})
    (finding,) = planned.report.findings
    assert (finding.severity, finding.code) == ("warning", "ambiguous-reference")
    assert "2 records" in finding.message


def test_references_are_found_however_they_are_written() -> None:
    planned = plan_documents(
        tracks=[{"id": 1, "name": "T"}, {"id": 2, "name": "Room B110\N{EN DASH}111"}],
        speakers=[{"id": 1, "name": "Ada"}, {"id": "2.0", "name": "Bob"}],
        sessions=[
            {"id": 1, "title": "a", "track": [], "speakers": {}},
            {"id": 2, "title": "b", "track": [{"id": 1, "name": "T"}], "speakers": "Ada"},
            {"id": 3, "title": "c", "track": "T", "speakers": ["Ada", 2, None]},
            {"id": 4, "title": "d", "track": {"id": 2, "name": " Room B110 - 111"}},
            {"id": 5, "title": "e", "track": {"id": 1, "name": "T"}, "track_id": "1"},
            {"id": 6, "title": "f", "speakers": "Ada, Bob"},
            {"id": 7, "title": "g", "track": [1, 2]},
            {"id": 8, "title": "h", "track": 0},
        ],
    )
    one, two = planned.rows("tracks")
    sessions = planned.rows("sessions")
    assert [row["track_id"] for row in sessions] == [
        None,
        one["id"],
        one["id"],
        two["id"],
        one["id"],
        None,
        one["id"],
        None,
    ]
    links = {(link["session_id"], link["speaker_id"]) for link in planned.rows("session_speakers")}
    ada, bob = (row["id"] for row in planned.rows("speakers"))
    ids = [row["id"] for row in sessions]
    assert links == {
        (ids[1], ada),
        (ids[2], ada),
        (ids[2], bob),
        (ids[5], ada),
        (ids[5], bob),
    }
    assert [row["extra"] for row in sessions] == [
        {},
        {},
        {},
        {},
        {},
        {},
        {"track": [1, 2]},
        {"track": 0},
    ]
    reported = {f.place.source_id for f in planned.report.findings}
    assert reported == {"2", "3", "6", "7", "8"}


@pytest.mark.parametrize(
    ("source", "found", "codes"),
    [
        ("/images/a.png", "images/a.png", set()),
        ("images/f%C3%BC%20x.png", "images/fü x.png", set()),
        ("images/a.png?143", "images/a.png", {"media-spelling"}),
        ("images/a.png#top", "images/a.png", {"media-spelling"}),
        (" images//./a.png ", "images/a.png", None),
        ("images\\a.png", "images/a.png", {"media-spelling"}),
        ("Images/A.PNG", "images/a.png", {"media-spelling"}),
        ("images/f%25C3%25BC%2520x.png", "images/fü x.png", {"media-spelling"}),
        ("images/fü+x.png", "images/fü x.png", {"media-spelling"}),
        ("images/what?.png", "images/what?.png", set()),
        ("old/images/a.png", "images/a.png", {"media-spelling"}),
        ("elsewhere/a.png", None, {"media-missing"}),
        ("C:\\images\\a.png", None, {"media-missing"}),
        ("file:///images/a.png", None, {"media-missing"}),
        ("//cdn.example/a.png", "https://cdn.example/a.png", {"media-link"}),
        ("www.cdn.example/a.png", "https://www.cdn.example/a.png", {"media-link"}),
        ("https://cdn.example/a.png", "https://cdn.example/a.png", set()),
        ("none", None, {"no-file"}),
    ],
)
def test_media_paths(source: str, found: str | None, codes: set[str] | None) -> None:
    files = {"images/a.png": b"1", "images/fü x.png": b"2", "images/what?.png": b"3"}
    planned = plan_documents(files, speakers=[{"id": 1, "name": "A", "photo-url": source}])
    media = planned.plan.media
    assert [item.entry or (item.origin == "remote" and item.source) or None for item in media] == (
        [] if source == "none" else [found]
    )
    if codes is not None:
        assert planned.codes - {"unused-entry"} == codes
