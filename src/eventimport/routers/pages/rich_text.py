"""Texts of an event, as safe HTML.

The importer has cleaned them already. They are cleaned again, and more strictly, because the rows
may have been changed since, and because a page has headings, pictures and colours of its own.
"""

import html
import re
from typing import Final

import nh3
from markupsafe import Markup, escape

LINK_REL: Final = "noopener nofollow ugc"

_INLINE: Final = {
    *("a", "abbr", "b", "br", "cite", "code", "del", "em", "i", "ins", "kbd", "mark", "q", "s"),
    *("samp", "small", "strong", "sub", "sup", "u", "var"),
}
_BLOCKS: Final = {
    *("blockquote", "dd", "div", "dl", "dt", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "li", "ol"),
    *("p", "pre", "table", "tbody", "td", "th", "thead", "tr", "ul"),
}
_CLEANER: Final = nh3.Cleaner(
    tags=_INLINE | _BLOCKS,
    attributes={"a": {"href", "title"}, "abbr": {"title"}, "ol": {"start"}},
    url_schemes={"http", "https", "mailto", "tel"},
    link_rel=LINK_REL,
)
# Without quotes in what they put in, these cannot end an attribute's value, if one holds a tag.
_HEADING_STARTS: Final = re.compile(r"<h[1-6]>")
_HEADING_ENDS: Final = re.compile(r"</h[1-6]>")
_EMPTY: Final = re.compile(r"<(p|div)>(?:\s|&nbsp;|<br>)*</\1>")
_ENTITY: Final = re.compile(r"&(?:#\d{1,7}|#x[0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_ADDRESS: Final = re.compile(r"https?://[^\s<>\"'()]+[^\s<>\"'().,;:!?]")
_BLANK_LINES: Final = re.compile(r"\n\s*\n")


def to_html(text: str | None) -> Markup:
    """The text as HTML: cleaned where it is markup, in paragraphs and with its links where it is
    not. Headings become bold paragraphs; pictures, which may lie anywhere, are left out."""
    if not text or not text.strip():
        return Markup()
    if "<" not in text:
        return _plain(text)
    cleaned = _CLEANER.clean(text)
    cleaned = _HEADING_STARTS.sub("<p><strong>", cleaned)
    cleaned = _HEADING_ENDS.sub("</strong></p>", cleaned)
    return Markup(_EMPTY.sub("", cleaned).strip())  # noqa: S704 - it has just been cleaned


def _plain(text: str) -> Markup:
    text = _ENTITY.sub(lambda found: html.unescape(found[0]), text.replace("\r\n", "\n"))
    paragraphs = (part.strip() for part in _BLANK_LINES.split(text))
    return Markup().join(
        Markup("<p>{}</p>").format(Markup("<br>").join(map(_linked, part.split("\n"))))
        for part in paragraphs
        if part
    )


def _linked(line: str) -> Markup:
    """The line, escaped, its web addresses made links."""
    result, end = Markup(), 0
    for found in _ADDRESS.finditer(line):
        result += escape(line[end : found.start()])
        result += Markup('<a href="{0}" rel="{1}">{0}</a>').format(found[0], LINK_REL)
        end = found.end()
    return result + escape(line[end:])
