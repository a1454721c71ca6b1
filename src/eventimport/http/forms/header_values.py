"""Values of header fields, read in one pass: no input costs more than its length."""

import re
from collections.abc import Iterator
from typing import Final

# Possessive, so that a string that does not end is given up at once instead of tried anew.
_PIECE: Final = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[^",;]++|[,;]', re.DOTALL)
_ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)


def split(text: str, separator: str) -> list[str]:
    """The parts between the separators (`,` or `;`) that stand outside of quoted strings, stripped,
    without empty ones. A quoted string that does not end goes on to the end of the text."""
    parts, start = [], 0
    for match in _PIECE.finditer(text):
        if match[0] == separator:
            parts.append(text[start : match.start()])
            start = match.end()
    parts.append(text[start:])
    return [part for part in map(str.strip, parts) if part]


def unquote(value: str) -> str:
    """The content of a quoted string; any other value as it is."""
    if len(value) >= 2 and value[0] == value[-1] == '"':
        return _ESCAPED.sub(r"\1", value[1:-1])
    return value


def parameters(text: str) -> Iterator[tuple[str, str]]:
    """The parameters after the first `;`: names in lower case, values as they are written."""
    for part in split(text, ";")[1:]:
        name, equals, value = part.partition("=")
        if equals:
            yield name.strip().lower(), value.strip()


def media_type(text: str) -> str:
    """What a Content-Type names, in lower case and without its parameters."""
    return text.partition(";")[0].strip().lower()
