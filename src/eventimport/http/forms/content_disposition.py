"""What a part of a form calls itself: its name, and its file's name."""

import re
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from eventimport.http.forms.header_values import parameters

_ESCAPED = re.compile(r'\\(["\\])')


@dataclass(frozen=True, slots=True)
class ContentDisposition:
    """`filename` is None for a plain field; it is the client's word, to be cleaned before use."""

    name: str | None
    filename: str | None


def parse_content_disposition(header: bytes) -> ContentDisposition:
    """Read a part's `Content-Disposition`; what it does not tell is None.

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
        text = _ESCAPED.sub(r"\1", value[1:-1])
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
