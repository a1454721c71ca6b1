"""No text function takes more than linear time, whatever the text.

Each function runs on hostile texts of n, 4n and 16n characters. What counts is the smallest of
up to three processor times of this thread, so that other work on the machine does not matter. A
function fails if the longest text takes more than 3 times as long as linear growth from the
shortest allows, several times in a row.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import pytest
from starlette.requests import Request

from eventimport.conference import rich_text, values, web_links
from eventimport.conference.data_urls import decode_data_url
from eventimport.conference.kinds import Kind
from eventimport.conference.lengths import read_length
from eventimport.conference.media import MediaIndex, read_source, resolved, spellings
from eventimport.conference.report import Place, Report, shown
from eventimport.conference.times import read_time
from eventimport.conference.web_links import read_link
from eventimport.conference.zones import find_zone
from eventimport.formats.bounded_zip import archive
from eventimport.formats.html.rich_text import to_html
from eventimport.formats.openevent.dialect import canonical_key, dialects
from eventimport.formats.openevent.documents import is_wrapper
from eventimport.formats.openevent.layout import document_named
from eventimport.http.events.requests import check_accept, check_content_type
from eventimport.http.forms.body import check_shape
from eventimport.http.headers import (
    names_etag,
    parameters,
    parse_content_disposition,
    unquote,
)
from eventimport.http.idempotency import parse_key
from eventimport.media.fetch import name_in_header
from eventimport.media.storing import entry_name, link_name
from eventimport.notifications.messages import one_line
from eventimport.observability.redaction import redact
from eventimport.observability.visible_text import visible
from eventimport.pages import colours, links
from eventimport.pages.people import initials
from eventimport.storage.content_types import content_type_of
from eventimport.storage.keys import safe_name

pytestmark = [pytest.mark.slow, pytest.mark.without_coverage]

LENGTH = 2_000
LONGER = {"rich_text.clean": 21_000, "pages.to_html": 21_000}
"""Functions that read short texts in a faster way: the growth of the other way counts."""
FACTORS = (1, 4, 16)
TOLERANCE = 3
REPEATS = 3
AGAIN = 4
"""How often what looks too long is measured again: other work on the machine slows this down."""
INSTANT = 0.001
"""Seconds for the longest text that no function of quadratic time could keep to."""

Build = Callable[[int], str]


def repeated(unit: str, before: str = "", after: str = "") -> Build:
    return lambda length: before + unit * (length // len(unit)) + after


def numbered(unit: str, before: str = "", after: str = "") -> Build:
    """The unit again and again, each time with another number."""
    return lambda length: (
        before + "".join(unit.format(n) for n in range(length // (len(unit) + 2))) + after
    )


PATTERNS: dict[str, Build] = {
    **{
        f"many {unit!r}": repeated(unit)
        for unit in (
            *(" ", "\t", "\n", "\r\n", "\n ", " / ", "/", "//", "../", "./", "\\", '"\\', '"'),
            *("'", "a", "A-", "-", "_", ".", "a.", "0", "1:", "00.", ":", ";", ",", "=", "@", "a@"),
            *("(", ")", "[", "{", "<", ">", "<a ", "<p>", "</p>", "<b><i>", "<!--", "<![CDATA["),
            *("&", "&amp", "&#1", "%", "%2", "%2e", "%ff", "?", "?a=", "#", "://", "http://"),
            *("http://a ", "http://a. ", "https://a.b\n", "www.a.", "é", "ß", "İ", "😀"),
            *(
                "\u0301\u0323",
                "e\u0301\u0323",
                "\u1100\u1161",
                "\ud800",
                "\0",
                "\x1b[",
                "=?utf-8?q?",
            ),
            *(".json", " (1)", "copy of ", " copy", "data:", ";a=", '; a="', '; a="\\', "eyJ-"),
            *("List<", "<x", "x>", "<table>", "<svg>", "<math><mi>", "</", "javascript:", "9h "),
        )
    },
    "spaces before a word": repeated(" ", after="x"),
    "spaces within": repeated(" ", "a", "b"),
    "spaces around a slash": repeated(" ", "Europe", "/Berlin"),
    "a long fraction": repeated("0", "2027-01-01T00:00:00."),
    "a long time": repeated("0", "2027-01-01T", ":00"),
    "a long number": repeated("9", "1", ".5"),
    "a long scheme": repeated("a", after=":"),
    "a long host": repeated("a.", "http://", ":80"),
    "a long port": repeated("1", "localhost:"),
    "a long media type": repeated("a", "data:", ";base64,AAAA"),
    "base64": repeated("AAAA", "data:image/png;base64,"),
    "base64 in lines": repeated("AA\n", "data:image/png;base64,"),
    "an open quote": repeated("\\a", 'form-data; name="'),
    "escaped quotes": repeated('\\"', 'form-data; name="', '"'),
    "an open tag": repeated("a", "<"),
    "an open attribute": repeated(" x", '<a href="'),
    "the same attribute": repeated("b=1 ", "<a ", ">"),
    "other attributes": numbered("b{}=1 ", "<a ", ">x</a>"),
    "marks in markup": repeated("&", "<b>x</b>"),
    "references in markup": repeated("&lt;", "<b>x</b>"),
    "elements without end tags": repeated("<li><dd>", "<ul></ul><dl></dl>"),
    "paragraphs without end tags": repeated("<p>a\n"),
    "overlapping elements": repeated("<b><p></b>", after="</p>"),
    "other tags": numbered("<x{}>"),
    "other entities": numbered("&a{};"),
    "other words": numbered("word{} "),
    "other folders": numbered("f{}/"),
    "other parameters": numbered(";p{}=1", "form-data"),
    "an open comment": repeated("-", "<!--"),
    "links": numbered("https://example.org/{} "),
    "links in lines": numbered("https://example.org/{}\n"),
    "links of markup": numbered('<a href="https://example.org/{}">x</a> '),
    "mail addresses": numbered("a{}@example.org, "),
}


def request_with(header: str, value: str) -> Request:
    headers = [(header.encode(), value.encode("utf-8", "surrogatepass"))]
    return Request({"type": "http", "method": "GET", "headers": headers})


FUNCTIONS: dict[str, Callable[[str], Any]] = {
    **{
        f"values.{function.__name__}": function
        for function in (
            *(values.is_safe_link, values.is_media_source, values.is_data),
            *(values.is_remote, values.source_key, values.sort_key, values.label_key),
        )
    },
    "times.read_time": read_time,
    "zones.find_zone": find_zone,
    "lengths.read_length": read_length,
    "media.read_source": read_source,
    "media.spellings": lambda text: list(spellings(text)),
    **{
        f"web_links.read_link, {site}": lambda text, site=site: read_link(text, site)  # type: ignore[misc]
        for site in (None, *web_links.SITES, web_links.MASTODON)
    },
    "rich_text.decode_references": rich_text.decode_references,
    **{
        f"names.{function.__name__}": function
        for function in (
            *(archive.path_of, resolved, archive.left_out_because),
            *(archive.is_absolute, values.composed, values.folded),
            *(archive.is_junk, document_named, shown),
        )
    },
    "rich_text.clean": lambda text: rich_text.clean(text, rich_text.DEFAULT_LIMITS),
    "dialect.canonical_key": canonical_key,
    "dialect.translate": lambda text: dialects()[Kind.SESSION].translate({text: text}),
    "documents.is_wrapper": lambda text: is_wrapper(text, "sessions"),
    "media.find": lambda text: MediaIndex({"a/b.png": "a/b.png"}, "a/").find(text),
    "data_urls.decode_data_url": decode_data_url,
    "report.add": lambda text: Report().warning("a", text, Place(text, 0, text, text), text),
    "media.storing.entry_name": entry_name,
    "media.storing.link_name": lambda text: link_name("https://example.org/" + text, "image/png"),
    "media.fetch.name_in_header": name_in_header,
    "storage.safe_name": safe_name,
    "storage.content_type_of": content_type_of,
    "messages.one_line": lambda text: one_line(text, 500),
    "visible_text.visible": visible,
    "redaction.redact": redact,
    "pages.to_html": lambda text: to_html(rich_text.clean(text, rich_text.DEFAULT_LIMITS).text),
    "pages.web_url": links.web_url,
    "pages.profile": lambda text: links.profile("twitter", text),
    "pages.colours": colours.parse,
    "pages.initials": initials,
    "accept": lambda text: check_accept(request_with("accept", text)),
    "content_type": lambda text: check_content_type(request_with("content-type", text)),
    "if_none_match": lambda text: names_etag(text, '"1"'),
    "idempotency_key": parse_key,
    "json_shape": lambda text: check_shape(
        text.encode("utf-8", "surrogatepass"), max_values=10**9, max_depth=10**9
    ),
    "header_values.parameters": lambda text: list(parameters(text)),
    "header_values.unquote": lambda text: unquote(f'"{text}"'),
    "content_disposition": lambda text: parse_content_disposition(
        text.encode("utf-8", "surrogatepass")
    ),
}


def seconds(function: Callable[[str], Any], text: str) -> float:
    """The processor time that the function takes; what it raises is its answer."""
    start = time.thread_time()
    with suppress(Exception):
        function(text)
    return time.thread_time() - start


def growth(
    function: Callable[[str], Any],
    build: Build,
    length: int = LENGTH,
    factors: Sequence[int] = FACTORS,
) -> float:
    """How many times longer the longer texts take than linear growth allows.

    What delays a longer text makes it look worse, never better, so that the first time of it is
    enough unless it's too long.
    """
    texts = [build(length * factor) for factor in factors]
    times = [seconds(function, text) for text in texts]
    if times[-1] < INSTANT:
        return 0
    times[0] = min(times[0], *(seconds(function, texts[0]) for _ in range(REPEATS - 1)))

    def worst() -> float:
        pairs = zip(times[1:], factors[1:], strict=True)
        return max(taken / (times[0] * factor) for taken, factor in pairs)

    for _ in range(REPEATS - 1):
        if worst() <= TOLERANCE:
            break
        times = [
            min(known, seconds(function, text)) for known, text in zip(times, texts, strict=True)
        ]
    return worst()


@pytest.mark.parametrize("name", FUNCTIONS)
def test_time_grows_with_the_text(name: str) -> None:
    function = FUNCTIONS[name]
    slow = {}
    for pattern, build in PATTERNS.items():
        sizes = (LONGER[name], FACTORS[:2]) if name in LONGER else (LENGTH, FACTORS)
        grown = growth(function, build, *sizes)
        for _ in range(AGAIN):
            if grown <= TOLERANCE:
                break
            grown = min(grown, growth(function, build, *sizes))
        if grown > TOLERANCE:
            slow[pattern] = f"{grown:.1f} times linear"
    assert slow == {}


def test_quadratic_time_is_noticed() -> None:
    def quadratic(text: str) -> int:
        return sum(1 for start in range(0, len(text), 16) for _ in text[start::16])

    assert growth(quadratic, repeated("a")) > TOLERANCE


def test_there_are_many_patterns() -> None:
    assert len(PATTERNS) >= 40
