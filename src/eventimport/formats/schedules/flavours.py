"""Texts of a schedule as the fields of an event hold them: HTML, or plain text.

No format declares how its texts are written. The program that wrote the source decides it; HTML can
be recognised. Source and flavour stay with the record, for exports.
"""

import html
import re
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Final

from markdown_it import MarkdownIt

from eventimport.conference.markup import is_html

MAX_MARKDOWN: Final = 100_000
"""Characters of a text that is rendered. A longer one is kept as plain text: the renderer needs
seconds for it."""


_SPACE: Final = re.compile(r"\s+")
_BREAK: Final = re.compile(r" ?<br[^<>]*> ?", re.IGNORECASE)
_ITEM: Final = re.compile(r" ?<li\b[^<>]*> ?", re.IGNORECASE)
_BLOCK: Final = re.compile(
    r" ?</?(?:p|div|ul|ol|dl|dt|dd|h[1-6]|pre|blockquote|table|tr|hr)\b[^<>]*> ?", re.IGNORECASE
)
_LINK: Final = re.compile(r"<a\b[^<>]*?\bhref=\"([^\"<>]*)\"[^<>]*>([^<]*(?:<(?!/a>)[^<]*)*)</a>")
_TAG: Final = re.compile(r"</?[A-Za-z][^<>]*>")
_BLANK_LINES: Final = re.compile(r"\n{3,}")


class Flavour(StrEnum):
    """How a text is written."""

    PLAIN = "plain"
    HTML = "html"
    MARKDOWN = "markdown"


@dataclass(frozen=True, slots=True)
class FlavouredText:
    """`text` is HTML, not cleaned yet, or plain text with its line breaks."""

    text: str
    flavour: Flavour


def read_text(source: str, usual: Flavour) -> FlavouredText:
    """Make HTML or plain text of a text by the flavour that is usual in its source. A text that is
    HTML is read as HTML, whatever is usual; HTML within Markdown is shown as it is written."""
    text = source.strip()
    if usual is Flavour.MARKDOWN and not (text.startswith("<") and is_html(text)):
        return _of_markdown(text)
    if usual is not Flavour.HTML and not is_html(text):
        return FlavouredText(text, Flavour.PLAIN)
    return FlavouredText(text, Flavour.HTML if "<" in text else Flavour.PLAIN)


def _of_markdown(text: str) -> FlavouredText:
    if len(text) > MAX_MARKDOWN:
        return FlavouredText(text, Flavour.PLAIN)
    rendered = _renderer().render(text).strip()
    # One paragraph without markup is plain text, and stays as it was written.
    inner = rendered.removeprefix("<p>").removesuffix("</p>")
    if "<" not in inner and inner == text:
        return FlavouredText(text, Flavour.PLAIN)
    return FlavouredText(rendered, Flavour.MARKDOWN)


@cache
def _renderer() -> MarkdownIt:
    # Line breaks count, as in pretalx; HTML stays text.
    options = {"html": False, "breaks": True, "maxNesting": 20}
    return MarkdownIt("commonmark", options).enable(["table", "strikethrough"])


def plain_of(text: str) -> str:
    """A text of an event, which is HTML or plain, as plain text. Blocks become paragraphs, and
    addresses of links stand behind their texts."""
    if "<" not in text or not is_html(text):
        return text.strip()
    text = _SPACE.sub(" ", text)
    text = _BREAK.sub("\n", text)
    text = _ITEM.sub("\n- ", text)
    text = _BLOCK.sub("\n\n", text)
    text = _LINK.sub(_with_address, text)
    lines = (line.strip() for line in html.unescape(_TAG.sub("", text)).split("\n"))
    return _BLANK_LINES.sub("\n\n", "\n".join(lines)).strip()


def _with_address(found: re.Match[str]) -> str:
    address, shown = found[1], _TAG.sub("", found[2]).strip()
    same = html.unescape(address) in {html.unescape(shown), f"mailto:{html.unescape(shown)}"}
    return shown if same or not shown else f"{shown} ({address})"
