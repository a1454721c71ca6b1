"""Files that a text contains as `data:` URLs (RFC 2397), decoded in small steps.

Decoding a large text at once would hold the interpreter's lock, and with it the event loop, even
from a thread.
"""

import binascii
from typing import Final
from urllib.parse import unquote_to_bytes

_SLICE: Final = 1024 * 1024
_LONGEST_HEAD: Final = 1024


class DataUrlError(ValueError):
    """The text is not a `data:` URL that can be decoded; the message says why."""


def decode_data_url(
    text: str | bytes | memoryview, *, base64_only: bool = False
) -> tuple[str, bytes]:
    """The media type, in lower case and without parameters, and the bytes of a `data:` URL.

    Line breaks and spaces within base64 are ignored, `\\/` is read as `/`.
    """
    view = memoryview(text.encode() if isinstance(text, str) else text)
    head, comma, _ = bytes(view[:_LONGEST_HEAD]).lstrip().partition(b",")
    if head[:5].lower() != b"data:" or not comma:
        raise DataUrlError("the text must begin like “data:image/png;base64,”")
    start = bytes(view[:_LONGEST_HEAD]).index(b",") + 1
    media_type, *parameters = head[5:].decode("latin-1").lower().split(";")
    encoded = view[start:]
    if "base64" in (parameter.strip() for parameter in parameters):
        return media_type.strip(), decode_base64(encoded)
    if base64_only:
        raise DataUrlError("the text must be base64, as in “data:image/png;base64,”")
    return media_type.strip(), unquote_to_bytes(bytes(encoded))


def decode_base64(encoded: memoryview) -> bytes:
    """The bytes of a base64 text. Raises DataUrlError for characters that are not base64."""
    decoded = bytearray()
    left = b""
    padded = False
    for start in range(0, len(encoded), _SLICE):
        piece = left + bytes(encoded[start : start + _SLICE])
        tail = b"\\" if piece.endswith(b"\\") else b""
        piece = _without_breaks(piece[: len(piece) - len(tail)])
        whole = len(piece) // 4 * 4
        decoded += _decoded(piece[:whole])
        left = piece[whole:] + tail
        if padded and piece:
            raise DataUrlError("what follows the comma is not base64: it continues after its end")
        padded = padded or b"=" in piece[:whole]
    decoded += _decoded(left)
    return bytes(decoded)


def _without_breaks(piece: bytes) -> bytes:
    if b"\\" in piece:
        for escape, meaning in ((b"\\/", b"/"), (b"\\n", b""), (b"\\r", b""), (b"\\t", b"")):
            piece = piece.replace(escape, meaning)
    return piece.translate(None, b" \t\r\n")


def _decoded(piece: bytes) -> bytes:
    if not piece:
        return b""
    try:
        return binascii.a2b_base64(piece, strict_mode=True)
    except binascii.Error as error:
        raise DataUrlError(f"what follows the comma is not base64: {error}") from None
