"""Cleaning rich text: what a browser would run or load in secret goes, the rest stays."""

import html
from html.parser import HTMLParser
from typing import Final

import nh3

MAX_TAGS: Final = 2_000
"""Text with more tags than this is kept as plain text: nested deeply, they take time squared."""

MAX_COMPARED: Final = 20_000
"""In a longer text, what was removed is not told one by one."""

_CLEANER: Final = nh3.Cleaner(
    url_schemes={"http", "https", "mailto", "tel"},
    link_rel="noopener noreferrer",
)


def clean(text: str) -> tuple[str, str | None]:
    """The cleaned text, and what was removed from it, in a few words, or None where nothing was.

    Text without a `<` holds no markup and is returned as it is. A tag spelled in another way
    (`<br/>`, `<P>`) is not a removal.
    """
    if "<" not in text:
        return text, None
    if text.count("<") > MAX_TAGS:
        return html.escape(text, quote=False), f"all markup, for there are over {MAX_TAGS} tags"
    cleaned = _CLEANER.clean(text)
    if cleaned == text:
        return text, None
    if len(text) > MAX_COMPARED:
        return cleaned, "some markup"
    removed = _parts(text) - _parts(cleaned)
    return cleaned, ", ".join(sorted(removed)) or None


class _Parts(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: dict[str, int] = {}
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._count(f"<{tag}>")
        for name, value in attrs:
            if value and not (tag == "a" and name == "rel"):
                self._count(f"{name}={value!r} of <{tag}>")

    def handle_comment(self, data: str) -> None:
        self._count(f"<!--{data[:40]}-->")

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def _count(self, part: str) -> None:
        self.parts[part] = self.parts.get(part, 0) + 1


class _Multiset(dict[str, int]):
    def __sub__(self, other: "_Multiset") -> set[str]:
        return {part for part, count in self.items() if count > other.get(part, 0)}


def _parts(text: str) -> _Multiset:
    parser = _Parts()
    parser.feed(text)
    parser.close()
    result = _Multiset(parser.parts)
    words = "".join(parser.text).split()
    for word in words:
        key = f"the text {word[:40]!r}"
        result[key] = result.get(key, 0) + 1
    return result
