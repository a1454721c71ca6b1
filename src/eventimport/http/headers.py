"""Values of header fields, each read in one pass: no input costs more than its length."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote_to_bytes

from fastapi import Response

# Possessive, so that a string that does not end is given up at once instead of tried anew.
_PIECE: Final = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[^",;]++|[,;]', re.DOTALL)
_ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)
_ESCAPED_QUOTE: Final = re.compile(r'\\(["\\])')

CONTENT_HEADERS: Final = {
    b"content-length",
    b"content-type",
    b"content-disposition",
    b"content-range",
}
"""Headers about the content, which a 304 doesn't have."""


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


@dataclass(frozen=True, slots=True)
class ContentDisposition:
    """`filename` is None for a plain field; it is the client's word, to be cleaned before use."""

    name: str | None
    filename: str | None


def parse_content_disposition(header: bytes) -> ContentDisposition:
    """Read a part's `Content-Disposition`. Missing parameters are None.

    The bytes are UTF-8, as browsers send them, else Latin-1. A valid `filename*` (RFC 5987) goes
    before `filename`, though RFC 7578 forbids it in forms: some clients send nothing else.
    """
    try:
        text = header.decode()
    except UnicodeDecodeError:
        text = header.decode("latin-1")
    disposition, _, _ = text.partition(";")
    if disposition.strip().lower() != "form-data":
        return ContentDisposition(None, None)
    given: dict[str, str] = {}
    for key, value in parameters(text):
        given.setdefault(key, _unquoted(value))
    filename = _extended(given.get("filename*"))
    return ContentDisposition(
        given.get("name"), given.get("filename") if filename is None else filename
    )


def _unquoted(value: str) -> str:
    if len(value) >= 2 and value[0] == value[-1] == '"':
        # Python and curl escape with backslashes; browsers write these three in percents.
        text = _ESCAPED_QUOTE.sub(r"\1", value[1:-1])
        return text.replace("%22", '"').replace("%0D", "\r").replace("%0A", "\n")
    return value.strip()


def _extended(value: str | None) -> str | None:
    if value is None or value.count("'") < 2:
        return None
    charset, _, encoded = value.split("'", 2)
    if charset.lower() not in {"utf-8", "iso-8859-1"}:
        return None
    try:
        return unquote_to_bytes(encoded).decode(charset)
    except UnicodeDecodeError:
        return None


def names_etag(header: str | None, etag: str) -> bool:
    """Whether an `If-None-Match` header names this entity tag; compared weakly, as HTTP asks."""
    return any(
        given == "*" or given.removeprefix("W/") == etag for given in split(header or "", ",")
    )


def not_modified(response: Response) -> Response:
    """The 304 in place of a 200, with all of the 200's headers but those about the content.

    A browser replaces the headers of its stored copy by those of the 304. A header that is missing
    here is set by `SecurityHeaders`, and a page under the default policy loses styles and images.
    """
    answer = Response(status_code=304)
    answer.raw_headers = [
        (name, value) for name, value in response.raw_headers if name not in CONTENT_HEADERS
    ]
    return answer
