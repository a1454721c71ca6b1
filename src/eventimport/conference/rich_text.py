"""Rich text: HTML or plain text, and HTML without what a browser would run or load.

`markup` decides which `<` of a text begins a tag. A cleaned text with a `<` is HTML, one without is
plain text. Both may hold character references.

Cleaning takes linear time. HTML parsers do not: limits keep from them what costs them more.
"""

import html
import html.entities
import re
from collections import Counter
from dataclasses import dataclass
from typing import Final

import nh3

from eventimport.conference.markup import (
    ATTRIBUTES,
    BREAKING,
    CONTAINERS,
    FORMATTING,
    RAW,
    VOID,
    Tag,
    find_tags,
    pieces,
)

LISTED: Final = 8
"""Removed parts that a description lists."""

MAX_REPEATED: Final = 4
"""How many times its own length a text may grow by formatting that overlaps other elements: HTML
parsers repeat such tags in each element that follows."""

MIN_REPEATED: Final = 10_000
"""Characters by which any text may grow so."""

SHORT: Final = 20_000
"""Characters of a text that an HTML parser reads fast, if it has few tags."""

MARKS_PER_TAG: Final = 5
"""Number of `&` and `<` that are allowed for each allowed tag: HTML parsers need quadratic time for
them."""

_REFERENCE: Final = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")

_HARMLESS: Final = frozenset(
    [
        "align",
        "alt",
        "background",
        "bgcolor",
        "border",
        "cellpadding",
        "cellspacing",
        "class",
        "clear",
        "color",
        "dir",
        "face",
        "frame",
        "height",
        "hspace",
        "id",
        "lang",
        "name",
        "rel",
        "role",
        "rules",
        "size",
        "spellcheck",
        "start",
        "style",
        "tabindex",
        "target",
        "title",
        "type",
        "valign",
        "vspace",
        "width",
    ]
)
"""Attributes that change how a text looks, but not what it says or where its links lead."""

_LOOKS: Final = frozenset(
    ["basefont", "big", "blink", "body", "center", "font", "head", "html", "nobr", "tt"]
)
"""Elements that do the same; their content stays."""

_LINK_REL: Final = "noopener noreferrer"
ADDED_REL: Final = f' rel="{_LINK_REL}"'
"""What cleaning adds to each link."""

_CLEANER: Final = nh3.Cleaner(
    url_schemes={"http", "https", "mailto", "tel"},
    link_rel=_LINK_REL,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TextLimits:
    """How much markup a text may have. From a text with more, all markup is removed."""

    max_tags: int = 20_000
    max_depth: int = 100
    """Elements within each other: HTML parsers need quadratic time for what nests deeper."""

    @property
    def max_marks(self) -> int:
        """How many `&` and `<` a text with markup may have."""
        return MARKS_PER_TAG * self.max_tags


DEFAULT_LIMITS: Final = TextLimits()


@dataclass(frozen=True, slots=True)
class CleanText:
    """`text` is safe to show. `removed` says in a few words which markup is not in it any more;
    `only_looks`, that it only formatted the text. `over_limit` says which limit removed all of
    it."""

    text: str
    removed: str | None = None
    only_looks: bool = False
    over_limit: str | None = None


def clean(text: str, limits: TextLimits) -> CleanText:
    """Clean a text: escape what is text, and remove the markup that is not allowed.

    Text without a `<` is returned as it is. A tag spelled in another way (`<br/>`, `<P>`) is not
    a removal.
    """
    if "<" not in text:
        return CleanText(text)
    if len(text) <= SHORT and text.count("<") <= min(limits.max_tags, limits.max_depth):
        # Most texts are clean: if the parser finds nothing to change, no tag needs to be judged.
        cleaned = _CLEANER.clean(text)
        if text in (cleaned, cleaned.replace(ADDED_REL, "")):
            return CleanText(cleaned)
    tags = find_tags(text)
    if not tags:
        return CleanText(text.replace("<", "&lt;"))
    limit = _limit_exceeded(text, tags, limits)
    if limit is not None:
        return CleanText(_without_markup(text, tags), "all markup", over_limit=limit)
    prepared = _escaped(text, tags)
    cleaned = _CLEANER.clean(prepared)
    if cleaned == prepared:
        return CleanText(cleaned)
    return _compared(text, tags, cleaned)


def decode_references(text: str) -> str:
    """The text with its character references (`&amp;`, `&#39;`) replaced, once. A reference ends in
    a semicolon and has a known name; everything else stays."""
    return _REFERENCE.sub(_decoded, text) if "&" in text else text


def _decoded(found: re.Match[str]) -> str:
    reference = found[0]
    if reference[1] != "#" and reference[1:] not in html.entities.html5:
        return reference
    # For what cannot be a character, such as &#1;, it returns nothing.
    return html.unescape(reference) or reference


def _limit_exceeded(text: str, tags: list[Tag], limits: TextLimits) -> str | None:
    """Which limit a text exceeds: what would cost an HTML parser more than linear time."""
    if len(tags) > limits.max_tags:
        return f"the text has more than {limits.max_tags:,} tags (MAX_TEXT_TAGS)"
    if text.count("&") + text.count("<") > limits.max_marks:
        return f"the text has more than {limits.max_marks:,} “&” and “<” (five times MAX_TEXT_TAGS)"
    if _is_deeper(tags, limits.max_depth):
        return f"its elements are nested more than {limits.max_depth} deep (MAX_TEXT_DEPTH)"
    if _repeated(tags) > MIN_REPEATED + MAX_REPEATED * len(text):
        return "its formatting overlaps other elements too often"
    return None


def _is_deeper(tags: list[Tag], limit: int) -> bool:
    """Whether elements may be nested deeper than this. One whose end tag is left out ends where
    the next one of its sort begins, or with what it stands in."""
    # Each open element, and the sorts of those without an end tag that are open in it.
    opened: list[tuple[str, list[str]]] = [("", [])]
    depth = 0
    for tag in tags:
        if tag.opens and tag.ends_itself:
            within = opened[-1][1]
            sort = _sort_of(tag.name)
            known = len(within)
            if within and within[-1] == "p":
                within.pop()
            if sort == "table" and sort in within:
                del within[within.index(sort) :]
            if not within or within[-1] != sort:
                within.append(sort)
            depth += len(within) - known
        elif tag.opens:
            opened.append((tag.name, []))
            depth += 1
        elif tag.is_end and tag.name != "br":
            depth -= 1 + _close(opened, tag.name)
        if depth > limit:
            return True
    return False


def _sort_of(name: str) -> str:
    if name in {"dt", "dd"}:
        return "dl"
    return "table" if "table" in CONTAINERS.get(name, ()) else name


def _close(opened: list[tuple[str, list[str]]], name: str) -> int:
    """End the innermost element of this name; return how many without an end tag end with it."""
    for index in range(len(opened) - 1, 0, -1):
        if opened[index][0] == name:
            within = opened.pop(index)[1]
            if name not in FORMATTING:
                return len(within)
            opened[index - 1][1].extend(within)
            break
    return 0


def _repeated(tags: list[Tag]) -> int:
    """How many characters of tags an HTML parser may repeat, at most: for each tag, those of the
    formatting that is open there and overlaps another element."""
    opened: list[Tag] = []
    length = total = 0
    overlaps = False
    for tag in tags:
        if overlaps:
            total += length
        if tag.opens and tag.name in FORMATTING:
            opened.append(tag)
            length += tag.end - tag.start
        elif tag.is_end and tag.name in FORMATTING:
            index = next(i for i in reversed(range(len(opened))) if opened[i].name == tag.name)
            overlaps = overlaps or index < len(opened) - 1
            ended = opened.pop(index)
            length -= ended.end - ended.start
        else:
            overlaps = overlaps or bool(opened)
        overlaps = overlaps and bool(opened)
    return total


def _escaped(text: str, tags: list[Tag]) -> str:
    """The text as HTML, in which each `<` begins a tag that counts."""
    if text.count("<") == len(tags) and not any(tag.is_empty for tag in tags):
        return text
    parts: list[str] = []
    raw = False
    for before, tag in pieces(text, tags):
        parts.append(before if raw else before.replace("<", "&lt;"))
        if tag is None:
            break
        raw = tag.name in RAW and tag.opens
        if tag.is_empty and tag.name not in VOID and tag.name != "!--":
            # To an HTML parser, <b/> is a start tag.
            parts.append(f"<{tag.name}{tag.attributes}></{tag.name}>")
        else:
            parts.append(text[tag.start : tag.end])
    return "".join(parts)


def _without_markup(text: str, tags: list[Tag]) -> str:
    """The text as plain text: nothing but its markup goes."""
    parts: list[str] = []
    raw = False
    for before, tag in pieces(text, tags):
        if not raw:
            parts.append(before.replace("<", "&lt;"))
        if tag is not None:
            raw = tag.name in RAW and tag.opens
            if tag.name in BREAKING:
                parts.append("\n")
    return "".join(parts)


def _compared(text: str, tags: list[Tag], cleaned: str) -> CleanText:
    """The cleaned text, with what is in the original but not in it."""
    before, words_before = _contents(text, tags)
    after, words_after = _contents(cleaned, find_tags(cleaned) if "<" in cleaned else [])
    removed = [part for part in before if before[part] > after[part]]
    if not removed and words_before == words_after:
        return CleanText(cleaned)
    if not removed:
        removed = [("", "")]
    described = sorted({_description(*part) for part in removed})
    listed = ", ".join(described[:LISTED])
    if len(described) > LISTED:
        listed += ", …"
    return CleanText(cleaned, listed, all(_is_only_looks(*part) for part in removed))


def _contents(text: str, tags: list[Tag]) -> tuple[Counter[tuple[str, str]], str]:
    """How often a text has each element and attribute, and its words without the spaces."""
    parts: Counter[tuple[str, str]] = Counter()
    words: list[str] = []
    raw = False
    for before, tag in pieces(text, tags):
        if not raw:
            words += html.unescape(before).split()
        if tag is None:
            break
        raw = tag.name in RAW and tag.opens
        if tag.is_end:
            continue
        parts[tag.name, ""] += 1
        for name, value in ATTRIBUTES.findall(tag.attributes):
            # An attribute without a value, such as style="", does nothing.
            if value.lstrip("\t\n\f\r =").strip("\"'") and (tag.name, name.lower()) != ("a", "rel"):
                parts[tag.name, name.lower()] += 1
    return parts, "".join(words)


def _description(name: str, attribute: str) -> str:
    if not name:
        return "some text"
    if name == "!--":
        return "a comment"
    return f"{attribute} of <{name}>" if attribute else f"<{name}>"


def _is_only_looks(name: str, attribute: str) -> bool:
    if attribute:
        return attribute in _HARMLESS or attribute.startswith(("data-", "aria-"))
    return name == "!--" or name in _LOOKS or ":" in name
