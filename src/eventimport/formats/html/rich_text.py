"""Texts of an event, as safe HTML.

The importer has cleaned them already. They are cleaned again, and more strictly, because the rows
may have been changed since, and because a page has headings, images and colours of its own.
"""

import html
import re
from typing import Final

import nh3
from markupsafe import Markup

from eventimport.conference.rich_text import decode_references
from eventimport.conference.web_links import web_url

LINK_REL: Final = "noopener nofollow ugc"

_INLINE: Final = {
    *("a", "abbr", "b", "br", "cite", "code", "del", "em", "i", "ins", "kbd", "mark", "q", "s"),
    *("samp", "small", "strong", "sub", "sup", "u", "var"),
}
_BLOCKS: Final = {
    *("blockquote", "dd", "div", "dl", "dt", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "li", "ol"),
    *("p", "pre", "table", "tbody", "td", "th", "thead", "tr", "ul"),
}


def _attribute(tag: str, name: str, value: str) -> str | None:
    """Links that lead to the web, to mail or to a telephone; others would lead into this site."""
    if (tag, name) == ("a", "href") and not value.lower().startswith(("mailto:", "tel:")):
        return web_url(value)
    return value


_CLEANER: Final = nh3.Cleaner(
    attribute_filter=_attribute,
    tags=_INLINE | _BLOCKS,
    attributes={"a": {"href", "title"}, "abbr": {"title"}, "ol": {"start"}},
    url_schemes={"http", "https", "mailto", "tel"},
    link_rel=LINK_REL,
)
_SHALLOW: Final = {
    *("p", "li", "dd", "dt", "td", "th", "tr", "tbody", "thead", "option"),
    *("br", "hr", "img", "input", "wbr", "source", "track", "col", "meta", "link", "area", "embed"),
}
_TAG: Final = re.compile(r"<(/?)([A-Za-z][A-Za-z0-9]*)")
_ANY_TAG: Final = re.compile(r"</?[A-Za-z][^<>]*>")
MAX_DEPTH: Final = 100
# Without quotes in what they put in, these cannot end an attribute's value, if one holds a tag.
_HEADING_STARTS: Final = re.compile(r"<h[1-6]>")
_HEADING_ENDS: Final = re.compile(r"</h[1-6]>")
_EMPTY: Final = re.compile(r"<(p|div)>(?:\s|&nbsp;|<br>)*</\1>")
_ADDRESS: Final = re.compile(r"https?://[^\s<>\"'()]+[^\s<>\"'().,;:!?]")
_BLANK_LINES: Final = re.compile(r"\n\s*\n")
_LINE_ENDS: Final = re.compile(r"\r\n?")
_CLEAN_TAG: Final = re.compile(r"<(/?)([a-z][a-z0-9]*)(?:[^<>\"]|\"[^\"]*\")*>")
_PIECE: Final = re.compile(rf"({_CLEAN_TAG.pattern})|(\n\s*+)")


def to_html(text: str | None) -> Markup:
    """The text as HTML: cleaned where it is markup, in paragraphs and with its links where it is
    not. Headings become bold paragraphs; images, which may lie anywhere, are left out. Markup that
    is nested deeper than MAX_DEPTH is removed: cleaning it would take time squared."""
    if not text or not text.strip():
        return Markup()
    text = _LINE_ENDS.sub("\n", text)
    if "<" not in text:
        return _plain(text)
    if _is_deep(text):
        return _plain(_ANY_TAG.sub(" ", text))
    cleaned = _CLEANER.clean(text)
    if "\n" in cleaned and not _has_blocks(cleaned):
        cleaned = _with_paragraphs(cleaned)
    cleaned = _HEADING_STARTS.sub("<p><strong>", cleaned)
    cleaned = _HEADING_ENDS.sub("</strong></p>", cleaned)
    return Markup(_EMPTY.sub("", cleaned).strip())  # noqa: S704 - it has just been cleaned


def _is_deep(text: str) -> bool:
    """Whether more than MAX_DEPTH elements may be open at once. Those that end by themselves where
    the next one begins are not counted."""
    opened: dict[str, int] = {}
    depth = 0
    for found in _TAG.finditer(text):
        name = found[2].lower()
        if name in _SHALLOW:
            continue
        if not found[1]:
            opened[name] = opened.get(name, 0) + 1
            depth += 1
            if depth > MAX_DEPTH:
                return True
        elif opened.get(name):
            opened[name] -= 1
            depth -= 1
    return False


def _plain(text: str) -> Markup:
    text = decode_references(text)
    paragraphs = (part.strip() for part in _BLANK_LINES.split(text))
    pieces = [f"<p>{_linked(part)}</p>" for part in paragraphs if part]
    return Markup("".join(pieces))  # noqa: S704 - every piece is escaped


def _has_blocks(cleaned: str) -> bool:
    """Whether the HTML says by itself where its lines begin."""
    return any(found[2] in _BLOCKS for found in _CLEAN_TAG.finditer(cleaned))


def _with_paragraphs(cleaned: str) -> str:
    """HTML without blocks, its lines and paragraphs kept: it is plain text with a few tags in it.
    A line that ends with `<br>` ends once."""
    result: list[str] = ["<p>"]
    position = depth = 0
    after_break = False
    for found in _PIECE.finditer(cleaned):
        between = cleaned[position : found.start()]
        result.append(between if found[1] else between.rstrip())
        after_break = after_break and not between
        position = found.end()
        if found[1]:
            result.append(found[1])
            after_break = found[3] == "br"
            if not after_break:
                depth += -1 if found[2] else 1
        elif found[4].count("\n") > 1:
            result.append("</p><p>" if not depth else "<br><br>")
            after_break = True
        else:
            result.append("\n" if after_break or cleaned.startswith("<br>", position) else "<br>")
    result += cleaned[position:], "</p>"
    return "".join(result)


def _linked(paragraph: str) -> str:
    """The paragraph, escaped, its web addresses made links and its line breaks kept.

    Joined once: adding to a text of n pieces n times would take time squared.
    """
    pieces, end = [], 0
    for found in _ADDRESS.finditer(paragraph):
        address = html.escape(found[0])
        pieces.append(html.escape(paragraph[end : found.start()]))
        pieces.append(f'<a href="{address}" rel="{LINK_REL}">{address}</a>')
        end = found.end()
    pieces.append(html.escape(paragraph[end:]))
    return "".join(pieces).replace("\n", "<br>")
