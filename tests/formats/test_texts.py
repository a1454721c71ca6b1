"""Which `<` of a text are markup, and what is removed."""

import html
import re
from html.parser import HTMLParser

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.formats.planning import plan_documents

from eventimport.conference.rich_text import DEFAULT_LIMITS, TextLimits, clean, decode_references
from eventimport.formats.html.rich_text import to_html

PLAIN = [
    "we swap them while a[i]<b[i] holds, and then x>0",
    "a<b",
    "Write to Jane <jane@example.org> or see <https://example.org/talk>.",
    "Use List<String> and Map<K, V> in Java; 3 < 4 && 5 > 2, I <3 Python",
    "if a<b and c>d then </b>",
    "the <p> element, and <b>",
    "an <img without an end",
    "<!-- not closed",
    "<script>alert(1)",
    "vector<int> v; for (i<n; i>0)",
    "<i>not the same</b>",
    "<String>",
    "a <b c> d </b>",
    "one\n\ntwo\nthree <four>",
    "<<<>>>",
    "&<b>; &lt &notit; &#x;",
]


class _Shown(HTMLParser):
    """The text that a browser shows of HTML."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag in {"p", "br", "li"}:
            self.text.append("\n")

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def shown(markup: str) -> list[str]:
    """The words that a browser shows."""
    parser = _Shown()
    parser.feed(markup)
    parser.close()
    return "".join(parser.text).split()


def _is_plain(text: str) -> bool:
    """Whether a text has neither what may be a complete tag nor a character reference."""
    return not re.search(r"<[/!?a-zA-Z][^<]*>", text) and not re.search(r"&#?[0-9a-zA-Z]+;", text)


@pytest.mark.parametrize("text", PLAIN)
def test_text_that_is_not_markup_stays_and_is_no_finding(text: str) -> None:
    planned = plan_documents(sessions=[{"id": 1, "title": "T", "long-abstract": text}])
    (session,) = planned.rows("sessions")
    assert shown(to_html(session["long_abstract"])) == text.split()
    assert "<" not in session["long_abstract"]
    assert session["extra"] == {}
    assert not planned.report.findings


@given(st.text(alphabet="ab <>&;#/=\"'!-\n\tpbri1é", max_size=60) | st.text(max_size=40))
@example("a<b\n\n c&d")
def test_a_page_shows_plain_text_as_it_is(text: str) -> None:
    if not _is_plain(text):
        return
    found = clean(text, DEFAULT_LIMITS)
    assert found.removed is None
    assert shown(to_html(found.text)) == text.split()


@given(st.text(alphabet="ab <>&;#/=\"'!-\npbri", max_size=80))
def test_cleaning_twice_changes_nothing(text: str) -> None:
    once = clean(text, DEFAULT_LIMITS).text
    assert clean(once, DEFAULT_LIMITS).text == once


@given(st.lists(st.sampled_from([*PLAIN[:-1], "<b>", "</b>", "<p>", "<br>", "<li>", "<x", " "])))
def test_no_word_of_a_text_is_lost(parts: list[str]) -> None:
    text = "".join(parts)
    words = re.findall(r"\w+", re.sub(r"<[^<>]*>", " ", text))
    seen = " ".join(shown(to_html(clean(text, DEFAULT_LIMITS).text)))
    position = 0
    for word in words:
        position = seen.find(word, position) + len(word)
        assert position >= len(word), (text, seen)


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("<p>Use List<String> here</p>", "<p>Use List&lt;String&gt; here</p>"),
        ("<P>A<br/>B & C</P> 3 < 4", "<p>A<br>B &amp; C</p> 3 &lt; 4"),
        ("<ul><li>a<li>b</ul>", "<ul><li>a</li><li>b</li></ul>"),
        ("<p>one<p>two", "<p>one</p><p>two</p>"),
        ("one<br>two", "one<br>two"),
        ('<a href="https://x.example/?a=1&b=2">x</a>', None),
    ],
)
def test_markup_is_kept(text: str, cleaned: str | None) -> None:
    found = clean(text, DEFAULT_LIMITS)
    assert found.removed is None
    if cleaned is not None:
        assert found.text == cleaned


@pytest.mark.parametrize(
    ("text", "gone", "only_looks"),
    [
        ("<p>a<script>alert(1)</script></p>", "script", False),
        ("<b onclick=x>bold</b>", "onclick", False),
        ("<iframe src='https://x.example'></iframe>", "iframe", False),
        ("<a href='javascript:x'>j</a>", "href", False),
        ("<p style='color: red'>a</p>", "style", True),
        ("a <font color=red>b</font>", "font", True),
        ("<!-- a comment --><p>a</p>", "comment", True),
        ("<style>p{color:red}</style>Text", "style", False),
    ],
)
def test_the_original_of_what_is_changed_is_kept(text: str, gone: str, only_looks: bool) -> None:
    planned = plan_documents(speakers=[{"id": 1, "name": "A", "short_biography": text}])
    (speaker,) = planned.rows("speakers")
    assert speaker["extra"] == {"short_biography": text}
    (finding,) = planned.report.findings
    assert gone in finding.message
    assert finding.severity == ("repair" if only_looks else "warning")
    assert "alert(1)" not in speaker["short_biography"]


def test_many_tags_are_kept_and_too_many_are_reported_and_never_escaped() -> None:
    text = "<b>word</b> " * 3_000
    assert clean(text, DEFAULT_LIMITS).text == text
    for limits in (TextLimits(max_tags=100), TextLimits(max_tags=10_000, max_depth=1)):
        found = clean(f"<i>{text}</i> a<b", limits)
        assert found.over_limit is not None
        assert "MAX_TEXT_" in found.over_limit
        assert html.unescape(found.text).split() == ["word"] * 3_000 + ["a<b"]


@pytest.mark.parametrize("count", [101, 100_000])
def test_a_tag_with_more_attributes_than_any_has_is_text(count: int) -> None:
    tag = "<a " + " ".join(f"b{number}=1" for number in range(count)) + ">"
    found = clean(f"{tag}x</a>", DEFAULT_LIMITS)
    assert found.removed is None
    assert found.text == f"&lt;{tag[1:]}x&lt;/a>"


def overlapping(outer: str, inner: str, depth: int) -> str:
    """Formatting that an HTML parser repeats in each of the elements that follow."""
    formatting = "".join(f"<b lang=a{number}>" for number in range(depth))
    return f"{outer}{formatting}{inner * 2_000}{'</b>' * depth}"


@pytest.mark.parametrize(
    "text",
    [
        overlapping("<p>", "<p>x</p>", 90),
        overlapping("<ul><li>", "<li>x</li>", 90) + "</ul>",
        overlapping("<div>", "</div><div>", 90) + "</div>",
        f"<p><b title='{'x' * 50_000}'>{'<p>x</p>' * 2_000}</b>",
        "<a href=x><div></a></div>" * 2_000,
    ],
)
def test_a_text_does_not_grow_without_bound(text: str) -> None:
    found = clean(text, DEFAULT_LIMITS)
    assert len(found.text) <= 5 * len(text) + 10_000
    if found.over_limit:
        assert "overlaps" in found.over_limit


@pytest.mark.parametrize("mark", ["&", "<", "&amp;"])
def test_more_marks_than_a_text_has_are_a_limit(mark: str) -> None:
    found = clean(f"<b>bold</b>{mark * 200_000}", DEFAULT_LIMITS)
    assert found.over_limit is not None
    assert "MAX_TEXT_TAGS" in found.over_limit
    assert html.unescape(found.text) == f"bold{html.unescape(mark) * 200_000}"


@pytest.mark.parametrize(
    ("text", "within"),
    [
        ("<ul>" + "<li>a" * 200 + "</ul>", 1),
        ("<p>a\n" * 200, 1),
        ("<table>" + "<tr><td><p>a <td>b " * 200 + "</table>", 3),
        ("<dl>" + "<dt>a <dd>b " * 200 + "</dl>", 2),
    ],
)
def test_elements_without_end_tags_do_not_nest(text: str, within: int) -> None:
    limits = TextLimits(max_depth=within + 1)
    assert clean(text, limits).over_limit is None
    assert shown(clean(text, limits).text) == re.sub("<[^>]*>", " ", text).split()


@pytest.mark.parametrize(
    "text",
    ["<ul></ul><dl></dl>" + "<li><dd>" * 200, "<ul></ul><dl></dl>" + "<b><li></b><dd>" * 200],
)
def test_elements_without_end_tags_that_nest_are_a_limit(text: str) -> None:
    assert clean(text, DEFAULT_LIMITS).over_limit is not None


def test_a_limit_is_a_finding_that_names_its_setting() -> None:
    text = "<div>" * 200 + "deep" + "</div>" * 200
    planned = plan_documents(sessions=[{"id": 1, "title": "T", "long-abstract": text}])
    (finding,) = planned.findings("html-over-limit")
    assert "MAX_TEXT_DEPTH" in finding.message
    (session,) = planned.rows("sessions")
    assert session["long_abstract"].strip() == "deep"
    assert session["extra"] == {"long_abstract": text}


def test_references_are_decoded_once_in_titles() -> None:
    planned = plan_documents(
        sessions=[{"id": 1, "title": "Q&amp;A &lt;live&gt; &amp;amp; R&D &nosuch; &copy"}]
    )
    assert planned.rows("sessions")[0]["title"] == "Q&A <live> &amp; R&D &nosuch; &copy"
    assert [finding.severity for finding in planned.report.findings] == ["repair"]
    assert decode_references("&notit; &#39; &#1;") == "&notit; ' &#1;"


@pytest.mark.parametrize(
    ("text", "markup"),
    [
        (
            "One with a <a href='https://x.example'>link</a>.\n\nTwo.\n\n- a\n- b",
            '<p>One with a <a href="https://x.example" rel="noopener nofollow ugc">link</a>.</p>'
            "<p>Two.</p><p>- a<br>- b</p>",
        ),
        ("a <b>x\n\ny</b>\nz", "<p>a <b>x<br><br>y</b><br>z</p>"),
        ("one\r\n\r\ntwo\r\nthree <br> four", "<p>one</p><p>two<br>three <br> four</p>"),
        ("<p>one\ntwo</p>", "<p>one\ntwo</p>"),
        ("a<br>\nb", "<p>a<br>\nb</p>"),
        ("old\rlines\r\rhere", "<p>old<br>lines</p><p>here</p>"),
    ],
)
def test_plain_text_with_a_tag_keeps_its_lines(text: str, markup: str) -> None:
    assert to_html(clean(text, DEFAULT_LIMITS).text) == markup


def test_links_of_texts_do_not_lead_into_this_site() -> None:
    text = (
        "<a href='www.example.org'>a</a> <a href='/v1/x'>b</a> <a href='mailto:a@b.example'>c</a>"
    )
    assert re.findall(r'href="([^"]*)"', to_html(clean(text, DEFAULT_LIMITS).text)) == [
        "https://www.example.org",
        "mailto:a@b.example",
    ]
