"""Which `<` of a text begins a tag.

Sources do not say whether a text is HTML or plain text, and plain texts hold `<` too: `a[i]<b[i]`,
`List<String>`, `<jane@example.org>`. So a `<` begins a tag only if the tag is complete, its element
is known, its attributes are plausible, and its end tag follows. Every other `<` is text.

All of this takes linear time.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

MAX_ATTRIBUTES: Final = 100
"""A tag with more attributes is text: HTML parsers compare each attribute with all others."""

VOID: Final = frozenset(
    [
        "area",
        "base",
        "br",
        "col",
        "embed",
        "hr",
        "img",
        "input",
        "link",
        "meta",
        "param",
        "source",
        "track",
        "wbr",
    ]
)
RAW: Final = frozenset({"script", "style"})
BREAKING: Final = frozenset(
    [
        "address",
        "article",
        "aside",
        "blockquote",
        "br",
        "caption",
        "center",
        "dd",
        "details",
        "div",
        "dl",
        "dt",
        "fieldset",
        "figcaption",
        "figure",
        "footer",
        "form",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "header",
        "hr",
        "li",
        "main",
        "nav",
        "ol",
        "p",
        "pre",
        "section",
        "summary",
        "table",
        "tbody",
        "td",
        "tfoot",
        "th",
        "thead",
        "tr",
        "ul",
    ]
)
"""Elements that begin a line."""

_KNOWN: Final = (
    VOID
    | RAW
    | BREAKING
    | frozenset(
        [
            "a",
            "abbr",
            "acronym",
            "applet",
            "audio",
            "b",
            "basefont",
            "bdi",
            "bdo",
            "bgsound",
            "big",
            "blink",
            "body",
            "button",
            "canvas",
            "cite",
            "code",
            "colgroup",
            "data",
            "datalist",
            "del",
            "dfn",
            "dialog",
            "dir",
            "em",
            "font",
            "frame",
            "frameset",
            "g",
            "head",
            "hgroup",
            "html",
            "i",
            "iframe",
            "ins",
            "kbd",
            "label",
            "legend",
            "map",
            "mark",
            "marquee",
            "math",
            "menu",
            "meter",
            "nobr",
            "noframes",
            "noscript",
            "object",
            "optgroup",
            "option",
            "output",
            "path",
            "picture",
            "progress",
            "q",
            "rp",
            "rt",
            "rtc",
            "ruby",
            "s",
            "samp",
            "select",
            "slot",
            "small",
            "span",
            "strike",
            "strong",
            "sub",
            "sup",
            "svg",
            "template",
            "textarea",
            "time",
            "title",
            "tt",
            "u",
            "var",
            "video",
            "xmp",
        ]
    )
)
_OFFICE: Final = re.compile(r"(?:o|v|w|m|st1):[a-z0-9]+")
"""Elements that Microsoft Office puts into HTML."""

FORMATTING: Final = frozenset(
    [
        *("a", "b", "big", "code", "em", "font", "i", "nobr", "s", "small", "strike", "strong"),
        *("tt", "u"),
    ]
)
"""Elements that HTML parsers repeat where they overlap others."""

CONTAINERS: Final = {
    "li": ("ul", "ol", "menu", "dir"),
    "dt": ("dl",),
    "dd": ("dl",),
    "option": ("select", "datalist"),
    **dict.fromkeys(("tr", "td", "th", "thead", "tbody", "tfoot", "colgroup"), ("table",)),
}
"""Elements whose end tag may be left out within these."""

_WITHOUT_VALUE: Final = frozenset(
    [
        "allowfullscreen",
        "async",
        "autofocus",
        "autoplay",
        "checked",
        "compact",
        "controls",
        "default",
        "defer",
        "disabled",
        "download",
        "hidden",
        "ismap",
        "itemscope",
        "loop",
        "multiple",
        "muted",
        "nomodule",
        "noshade",
        "novalidate",
        "nowrap",
        "open",
        "playsinline",
        "readonly",
        "required",
        "reversed",
        "selected",
    ]
)

# Nothing in a tag reaches beyond the next `<`, and the quantifiers give nothing back: each part of
# a text is read once.
_ATTRIBUTE: Final = (
    r"[\s/]++([A-Za-z_:@][\w:.@\-]*+)"
    r"(\s*+=\s*+(?:\"[^\"<]*+\"|'[^'<]*+'|[^\s\"'<>=`][^\s<>]*+))?+"
)
_TAG: Final = re.compile(
    r"<(?P<end>/)?(?P<name>[A-Za-z][A-Za-z0-9:]{0,20}+)"
    rf"(?P<attributes>(?:{_ATTRIBUTE.replace('(', '(?:', 1).replace(')(', ')(?:', 1)})*+)"
    r"\s*+(?P<empty>/)?>"
)
ATTRIBUTES: Final = re.compile(_ATTRIBUTE)
_RAW_END: Final = {name: re.compile(rf"</{name}\s*+>", re.IGNORECASE) for name in RAW}
_DECLARATION: Final = re.compile(r"<(?:!doctype|\?xml)\b[^<>]*+>", re.IGNORECASE)


@dataclass(slots=True)
class Tag:
    start: int
    end: int
    name: str
    attributes: str
    is_end: bool
    is_empty: bool
    counts: bool = False
    ends_itself: bool = False
    """Its end tag is left out."""
    opens: bool = field(init=False)

    def __post_init__(self) -> None:
        self.opens = not self.is_end and not self.is_empty and self.name not in VOID


def is_html(text: str) -> bool:
    """Whether a text holds a tag, by the rule above."""
    return "<" in text and bool(find_tags(text))


def find_tags(text: str) -> list[Tag]:
    """The tags and comments that count, in order."""
    found = _candidates(text)
    opened: dict[str, list[Tag]] = {}
    for tag in found:
        if tag.counts:
            continue
        if tag.opens:
            opened.setdefault(tag.name, []).append(tag)
        elif not tag.is_end or tag.name == "br":
            tag.counts = True
        elif partners := opened.get(tag.name):
            tag.counts = partners.pop().counts = True
    _count_without_end(text, found)
    return [tag for tag in found if tag.counts]


def _count_without_end(text: str, found: list[Tag]) -> None:
    """Count tags whose end tag HTML lets authors leave out."""
    present = {tag.name for tag in found if tag.counts}
    first = len(text) - len(text.lstrip())
    end = 0
    in_paragraphs = False
    for tag in found:
        if tag.opens and not tag.counts:
            if tag.name == "p":
                # A few characters are enough, and keep this linear.
                since = max(end, tag.start - 40)
                before = text[since : tag.start].rstrip(" \t")
                begins = before.endswith(("\n", "\r")) or (not before and since == end)
                in_paragraphs = in_paragraphs or tag.start == first
                tag.counts = in_paragraphs or begins
            else:
                tag.counts = not present.isdisjoint(CONTAINERS.get(tag.name, ()))
            tag.ends_itself = tag.counts
        if tag.counts:
            end = tag.end


def _candidates(text: str) -> list[Tag]:
    found: list[Tag] = []
    # Searched for once only where none follows.
    missing: set[str] = set()
    position = text.find("<")
    while position >= 0:
        end = position + 1
        if text.startswith("<!--", position):
            close = -1 if "-->" in missing else text.find("-->", position + 4)
            if close < 0:
                missing.add("-->")
            else:
                end = close + 3
                found.append(Tag(position, end, "!--", "", False, True, counts=True))
        elif declaration := _DECLARATION.match(text, position):
            end = declaration.end()
            found.append(Tag(position, end, "!--", "", False, True, counts=True))
        elif (match := _TAG.match(text, position)) and _is_plausible(match):
            name = match["name"].lower()
            tag = Tag(
                position,
                match.end(),
                name,
                match["attributes"],
                bool(match["end"]),
                bool(match["empty"]),
            )
            if name not in RAW or tag.is_empty:
                end = tag.end
                found.append(tag)
            elif not tag.is_end and name not in missing:
                # What stands in a script is not markup.
                close_tag = _RAW_END[name].search(text, tag.end)
                if close_tag is None:
                    missing.add(name)
                else:
                    end = close_tag.end()
                    tag.counts = True
                    found += tag, Tag(close_tag.start(), end, name, "", True, False, counts=True)
        position = text.find("<", end)
    return found


def _is_plausible(match: re.Match[str]) -> bool:
    name = match["name"].lower()
    if name not in _KNOWN and not _OFFICE.fullmatch(name):
        return False
    attributes = match["attributes"]
    if match["end"]:
        return not attributes
    if not attributes:
        return True
    found = ATTRIBUTES.findall(attributes)
    return len(found) <= MAX_ATTRIBUTES and all(
        value or attribute.lower() in _WITHOUT_VALUE for attribute, value in found
    )


def pieces(text: str, tags: Iterable[Tag]) -> Iterable[tuple[str, Tag | None]]:
    """The text before each tag, and the tag; last, the text after all of them."""
    end = 0
    for tag in tags:
        yield text[end : tag.start], tag
        end = tag.end
    yield text[end:], None
