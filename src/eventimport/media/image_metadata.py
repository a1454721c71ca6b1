"""Removing metadata from images without touching their pixels: the segments go, the rest stays.

What goes says where and by which camera or program an image was made, or is hidden behind its end.
What stays decides how the image looks: colour profiles, transparency, animation, and the EXIF
orientation by itself. Bytes that this module does not understand stay as they are.
"""

import struct
import zlib
from collections.abc import Iterator
from typing import Final

_EXIF: Final = b"Exif\0\0"
_ORIENTATION: Final = 0x0112
_UPRIGHT: Final = 1
_WITHOUT_LENGTH: Final = frozenset({0x01, *range(0xD0, 0xD9)})
"""Markers of a JPEG that stand by themselves."""
MAX_TAGS: Final = 1_000

_PNG: Final = b"\x89PNG\r\n\x1a\n"
_PNG_KEPT: Final = frozenset(
    {
        *(b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"cICP", b"sBIT", b"pHYs", b"bKGD"),
        *(b"hIST", b"sPLT", b"acTL", b"fcTL", b"fdAT", b"mDCV", b"cLLI"),
    }
)
"""Ancillary chunks that say how an image looks. Critical chunks begin with a capital letter."""

_WEBP_KEPT: Final = frozenset({b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF", b"ICCP"})
_WEBP_EXIF, _WEBP_XMP = 0x08, 0x04
"""Flags of VP8X."""

_GIF_KEPT: Final = frozenset({b"NETSCAPE2.0", b"ANIMEXTS1.0", b"ICCRGBG1012"})
"""Application extensions that say how often an animation repeats, or are a colour profile."""


def without_metadata(content: bytes) -> bytes:
    """The JPEG, PNG, WebP or GIF image without metadata; any other content unchanged."""
    if content.startswith(b"\xff\xd8"):
        return b"".join(_jpeg(content))
    if content.startswith(_PNG):
        return b"".join(_png(content))
    if content.startswith(b"RIFF") and content[8:12] == b"WEBP":
        return _webp(content)
    if content.startswith((b"GIF87a", b"GIF89a")):
        return b"".join(_gif(content))
    return content


def _jpeg(content: bytes) -> Iterator[bytes]:
    yield content[:2]
    at = 2
    while at + 4 <= len(content):
        marker = content[at + 1]
        if content[at] != 0xFF or marker == 0xFF:  # Decoders skip these, too.
            at += 1
            continue
        if marker == 0xD9:
            yield content[at : at + 2]
            return
        if marker in _WITHOUT_LENGTH:
            yield content[at : at + 2]
            at += 2
            continue
        end = at + 2 + int.from_bytes(content[at + 2 : at + 4])
        segment = content[at:end]
        if marker == 0xDA:
            # The pixels begin: nothing but what belongs to them is between here and the end.
            yield content[at : _end_of_jpeg(content, end)]
            return
        yield _jpeg_segment(marker, segment)
        at = end
    yield content[at:]


def _jpeg_segment(marker: int, segment: bytes) -> bytes:
    """The segment as it stays, possibly nothing of it."""
    body = segment[4:]
    if marker == 0xE1 and body.startswith(_EXIF):
        exif = _only_orientation(body[len(_EXIF) :])
        if exif is None:
            return b""
        return b"\xff\xe1" + struct.pack(">H", 2 + len(_EXIF) + len(exif)) + _EXIF + exif
    if marker == 0xE0:
        return segment if body.startswith(b"JFIF\0") else b""
    if marker == 0xE2:
        return segment if body.startswith(b"ICC_PROFILE\0") else b""
    # APP14 of Adobe says how colours are encoded; COM is a comment.
    is_metadata = (0xE0 <= marker <= 0xEF and marker != 0xEE) or marker == 0xFE
    return b"" if is_metadata else segment


def _end_of_jpeg(content: bytes, at: int) -> int:
    """Where the image ends whose first scan begins at `at`; later scans have segments between."""
    while (at := content.find(b"\xff", at)) != -1 and at + 1 < len(content):
        marker = content[at + 1]
        if marker == 0xD9:
            return at + 2
        if marker in {0x00, 0xFF} or 0xD0 <= marker <= 0xD7:
            at += 1 if marker == 0xFF else 2
        else:
            at += 2 + max(int.from_bytes(content[at + 2 : at + 4]), 2)
    return len(content)


def _png(content: bytes) -> Iterator[bytes]:
    yield _PNG
    at = len(_PNG)
    while at + 12 <= len(content):
        length, name = int.from_bytes(content[at : at + 4]), content[at + 4 : at + 8]
        chunk = content[at : at + 12 + length]
        at += 12 + length
        if name == b"eXIf":
            exif = _only_orientation(chunk[8:-4])
            if exif is not None:
                yield _png_chunk(name, exif)
        elif name[:1].isupper() or name in _PNG_KEPT:
            yield chunk
        if name == b"IEND":
            return
    yield content[at:]


def _png_chunk(name: bytes, data: bytes) -> bytes:
    check = struct.pack(">I", zlib.crc32(name + data))
    return struct.pack(">I", len(data)) + name + data + check


def _webp(content: bytes) -> bytes:
    chunks: list[tuple[bytes, bytes]] = []
    at, end = 12, min(len(content), 8 + int.from_bytes(content[4:8], "little"))
    while at + 8 <= end:
        name, length = content[at : at + 4], int.from_bytes(content[at + 4 : at + 8], "little")
        if at + 8 + length > end:
            return content
        data = content[at + 8 : at + 8 + length]
        at += 8 + length + length % 2
        if name == b"EXIF":
            exif = _only_orientation(data.removeprefix(_EXIF))
            if exif is not None:
                chunks.append((name, exif))
        elif name in _WEBP_KEPT:
            chunks.append((name, data))
    has_exif = any(name == b"EXIF" for name, _ in chunks)
    body = b""
    for name, data in chunks:
        if name == b"VP8X" and data:
            flags = data[0] & ~(_WEBP_EXIF | _WEBP_XMP) | (_WEBP_EXIF if has_exif else 0)
            data = bytes([flags]) + data[1:]  # noqa: PLW2901 - as it stays
        body += name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body


def _gif(content: bytes) -> Iterator[bytes]:
    at = 13 + _colour_table(content, 10)
    yield content[:at]
    while at < len(content):
        start, kind = at, content[at : at + 1]
        if kind == b";":
            yield kind
            return
        if kind == b"!":
            label, at = content[at + 1 : at + 2], at + 2
            application = content[at + 1 : at + 12]
            at = _end_of_blocks(content, at)
            if label == b"\xfe" or (label == b"\xff" and application not in _GIF_KEPT):
                continue
        elif kind == b",":
            at = _end_of_blocks(content, at + 11 + _colour_table(content, at + 9))
        else:
            yield content[start:]
            return
        yield content[start:at]


def _colour_table(content: bytes, flags_at: int) -> int:
    """The bytes of the colour table that these flags announce."""
    flags = content[flags_at] if flags_at < len(content) else 0
    return 3 << ((flags & 0x07) + 1) if flags & 0x80 else 0


def _end_of_blocks(content: bytes, at: int) -> int:
    while at < len(content) and content[at]:
        at += 1 + content[at]
    return at + 1


def _only_orientation(tiff: bytes) -> bytes | None:
    """EXIF data with nothing but the orientation of these; None if the image is upright."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(tiff[:4])
    if order is None or len(tiff) < 8:
        return None
    (at,) = struct.unpack_from(order + "I", tiff, 4)
    if at + 2 > len(tiff):
        return None
    (count,) = struct.unpack_from(order + "H", tiff, at)
    for number in range(min(count, MAX_TAGS)):
        entry = at + 2 + 12 * number
        if entry + 12 > len(tiff):
            break
        tag, kind, values, value = struct.unpack_from(order + "HHIH", tiff, entry)
        if (tag, kind, values) == (_ORIENTATION, 3, 1) and _UPRIGHT < value <= 8:
            return struct.pack("<4sIHHHIHHI", b"II*\0", 8, 1, _ORIENTATION, 3, 1, value, 0, 0)
    return None
