"""Colours, dates, links, texts and names, as pages show them."""

import re
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventimport.formats.html.rich_text import to_html
from eventimport.pages import colours
from eventimport.pages.links import Link, profile, web_url
from eventimport.pages.people import initials
from eventimport.pages.times import Zone, span

HEX = st.from_regex(r"#[0-9a-fA-F]{6}", fullmatch=True)


@given(HEX | st.text(max_size=8), HEX | st.text(max_size=8) | st.none())
def test_text_can_be_read_whatever_colours_there_are(background: str, text: str | None) -> None:
    found = colours.readable(background, text)

    ground, ink = colours.parse(found.background), colours.parse(found.text)
    assert ground is not None
    assert ink is not None
    assert colours.contrast(ground, ink) >= colours.LEAST_CONTRAST


@pytest.mark.parametrize(
    ("background", "text", "expected"),
    [
        ("#B21212", "#FFFFFF", ("#b21212", "#ffffff")),
        ("#9EFF56", "#OOOOOO", ("#9eff56", "#000000")),
        ("#fff", "#eee", ("#ffffff", "#000000")),
        ("#000", "#ffd", ("#000000", "#ffffdd")),
        ("tomato", None, ("#ff6347", "#000000")),
        ("Dark Red", None, ("#8b0000", "#ffffff")),
        ("rgb(255, 0, 0)", "black", ("#ff0000", "#000000")),
        ("#00ff0080", None, ("#00ff00", "#000000")),
        ("no colour", None, ("#5a6472", "#ffffff")),
        (None, "#000000", ("#5a6472", "#ffffff")),
    ],
)
def test_colours(background: str | None, text: str | None, expected: tuple[str, str]) -> None:
    found = colours.readable(background, text)

    assert (found.background, found.text) == expected


def test_contrast_is_that_of_wcag() -> None:
    assert colours.contrast((0, 0, 0), (255, 255, 255)) == pytest.approx(21)
    assert colours.contrast((255, 255, 255), (0x76, 0x76, 0x76)) == pytest.approx(4.54, abs=0.005)


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        ((2027, 3, 5), None, "Friday, 5 March 2027"),
        ((2027, 3, 5), (2027, 3, 5), "Friday, 5 March 2027"),
        ((2027, 3, 5), (2027, 3, 4), "Friday, 5 March 2027"),
        ((2027, 3, 5), (2027, 3, 7), "5-7 March 2027"),
        ((2027, 2, 28), (2027, 3, 2), "28 February - 2 March 2027"),
        ((2027, 12, 31), (2028, 1, 1), "31 December 2027 - 1 January 2028"),
    ],
)
def test_dates(
    first: tuple[int, int, int], last: tuple[int, int, int] | None, expected: str
) -> None:
    found = span(date(*first), date(*last) if last else None)

    assert found.replace("\N{EN DASH}", "-") == expected


@pytest.mark.parametrize(
    ("zone", "machine", "offset"),
    [
        ("Asia/Kolkata", "2027-03-05T13:30+05:30", "UTC+05:30"),
        ("America/New_York", "2027-03-05T03:00-05:00", "UTC-05:00"),
        ("UTC", "2027-03-05T08:00+00:00", "UTC"),
        ("Atlantis/Capital", "2027-03-05T08:00+00:00", "UTC"),
        ("../../etc/passwd", "2027-03-05T08:00+00:00", "UTC"),
    ],
)
def test_time_zones(zone: str, machine: str, offset: str) -> None:
    time = datetime(2027, 3, 5, 8, tzinfo=UTC)
    found = Zone.named(zone)

    assert found.moment(time).machine == machine
    assert found.offset(time) == offset


def test_the_ends_of_the_calendar_have_no_zone() -> None:
    last = datetime(9999, 12, 31, 23, 59, tzinfo=UTC)

    assert Zone.named("Asia/Tokyo").moment(last).clock == "23:59"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("https://tea.example/a?b", "https://tea.example/a?b"),
        (" HTTP://tea.example ", "HTTP://tea.example"),
        ("www.tea.example/shop", "https://www.tea.example/shop"),
        ("javascript:alert(1)", None),
        ("data:text/html,x", None),
        ("//tea.example", "https://tea.example"),
        ("tea.example:8443/x", "https://tea.example:8443/x"),
        ("http//tea.example", "http://tea.example"),
        ("/images/a.png", None),
        ("http://", None),
        ("http://[", None),
        ("", None),
        (None, None),
    ],
)
def test_links_to_the_web(value: str | None, expected: str | None) -> None:
    assert web_url(value) == expected


@pytest.mark.parametrize(
    ("site", "value", "expected"),
    [
        ("twitter", "@ada_q", Link("Twitter", "https://twitter.com/ada_q")),
        ("github", "ada", Link("GitHub", "https://github.com/ada")),
        ("github", "https://github.com/ada", Link("GitHub", "https://github.com/ada")),
        ("mastodon", "https://tea.example/@ada", Link("Mastodon", "https://tea.example/@ada")),
        ("mastodon", "@ada", None),
        ("linkedin", "javascript:x", None),
        ("facebook", None, None),
    ],
)
def test_profiles(site: str, value: str | None, expected: Link | None) -> None:
    assert profile(site, value) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [("Ada Quill", "AQ"), ("ada", "A"), ("Ada (the) de Quill", "AQ"), ("文瑞遥", "文"), ("", "?")],
)
def test_initials(name: str, expected: str) -> None:
    assert initials(name) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, ""),
        ("  ", ""),
        ("AT&T, 2 > 1", "<p>AT&amp;T, 2 &gt; 1</p>"),
        ("a &amp; b &lt;i&gt; &copy=2", "<p>a &amp; b &lt;i&gt; &amp;copy=2</p>"),
        ("one\ntwo\n\nthree", "<p>one<br>two</p><p>three</p>"),
        (
            "see https://tea.example/a?b=1&c.",
            '<p>see <a href="https://tea.example/a?b=1&amp;c"'
            ' rel="noopener nofollow ugc">https://tea.example/a?b=1&amp;c</a>.</p>',
        ),
        ("<p>a</p><p> </p><p>&nbsp;</p>", "<p>a</p>"),
        ("<h2>Title</h2>text", "<p><strong>Title</strong></p>text"),
        ('<p style="color:red" class="x" id="main">a</p>', "<p>a</p>"),
        ('<img src="https://elsewhere.example/i.png">a', "a"),
        ("<script>alert(1)</script>a", "a"),
        (
            '<a href="https://tea.example" target="_top">a</a>',
            '<a href="https://tea.example" rel="noopener nofollow ugc">a</a>',
        ),
    ],
)
def test_texts(text: str | None, expected: str) -> None:
    assert to_html(text) == expected


@given(
    st.lists(
        st.sampled_from(
            [
                *("<h1>", "</h1>", "<p>", "</p>", "<a href='", '<a title="', "'", '"', ">", "<"),
                *("<script>", "</script>", "onclick=x ", "javascript:", "&lt;", "&quot;", "text"),
                *("<svg>", "<math>", "<style>", "<!--", "-->", "https://tea.example/", " ", "\n"),
            ]
        ),
        max_size=30,
    )
)
def test_no_text_brings_handlers_or_scripts(parts: list[str]) -> None:
    found = to_html("".join(parts))

    assert not re.search(r"<(script|style|svg|math|h1|img)", found)
    # Within a tag, what looks like a handler may only stand inside a quoted value.
    for tag in re.findall(r"<[a-z][^\"'>]*(?:\"[^\"]*\"[^\"'>]*)*>", found):
        assert " on" not in re.sub(r'"[^"]*"', "", tag)
    assert not re.search(r'href="\s*javascript', found)


def test_deep_markup_is_shown_as_text() -> None:
    assert to_html("<div>" * 50 + "deep" + "</div>" * 50) == "<div>" * 50 + "deep" + "</div>" * 50
    assert to_html("<div>" * 500 + "a &lt; b") == "<p>a &lt; b</p>"
    assert to_html("<p>one</p>" * 500).count("<p>one</p>") == 500
    assert to_html("<p>one" * 500).count("<p>one</p>") == 500
