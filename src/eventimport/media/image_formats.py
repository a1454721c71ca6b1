"""What the service knows of image formats without decoding them."""

import re
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class ImageFormat:
    """How a format is named outside; `extension` has its dot."""

    content_type: str
    extension: str
    signature: bytes


MAX_JPEG_SCANS: Final = 100
"""A progressive JPEG has about ten; each one costs a pass over all pixels, whatever its size."""
MAX_EXIF_SEGMENTS: Final = 64
"""Photos have one. Pillow copies all that it has for each further one."""
MAX_JPEG_SEGMENTS: Final = 10_000
"""An image with a large colour profile and a large XMP block has a few hundred."""

FORMATS: Final = {
    "PNG": ImageFormat("image/png", ".png", b"\x89PNG\r\n\x1a\n"),
    "JPEG": ImageFormat("image/jpeg", ".jpg", b"\xff\xd8\xff"),
    "WEBP": ImageFormat("image/webp", ".webp", b"RIFF"),
    "GIF": ImageFormat("image/gif", ".gif", b"GIF8"),
}
"""The formats that can be allowed, by Pillow's names."""

_FOREIGN: Final = (
    (re.compile(rb"BM.{4}\x00\x00\x00\x00", re.DOTALL), "BMP"),
    (re.compile(rb"II\x2a\x00|MM\x00\x2a|II\x2b\x00|MM\x00\x2b"), "TIFF"),
    (re.compile(rb".{4}ftyp(?:avif|avis)", re.DOTALL), "AVIF"),
    (re.compile(rb".{4}ftyp(?:hei[cxms]|hev[cx]|mif1|msf1)", re.DOTALL), "HEIC"),
    (re.compile(rb"\x00\x00\x01\x00"), "ICO"),
    (re.compile(rb"\x00\x00\x00\x0cjP  |\xff\x4f\xff\x51"), "JPEG 2000"),
    (re.compile(rb"\xff\x0a|\x00\x00\x00\x0cJXL "), "JPEG XL"),
    (re.compile(rb"8BPS"), "PSD"),
    (re.compile(rb"%!PS"), "PostScript"),
    (re.compile(rb"%PDF"), "PDF"),
)
_SVG: Final = re.compile(rb"(?:\xef\xbb\xbf)?\s*<(?:\?xml|!doctype|!--|svg)", re.IGNORECASE)
_SVG_ROOT: Final = re.compile(rb"<(?:\w{1,32}:)?svg[\s>]", re.IGNORECASE)
_MARKER: Final = re.compile(rb"\xff([^\x00\xff\xd0-\xd7])")


def name_foreign_format(content: bytes) -> str | None:
    """The name of the image format that the bytes seem to be of, or None where they seem none.

    Known formats are told apart by their first bytes only; nothing is parsed, so that an error
    message never runs a decoder that is not allowed.
    """
    if _SVG.match(content) and _SVG_ROOT.search(content, 0, 16_384):
        return "SVG"
    for pattern, name in _FOREIGN:
        if pattern.match(content):
            return name
    for name, known in FORMATS.items():
        if content.startswith(known.signature) and (name != "WEBP" or content[8:12] == b"WEBP"):
            return name
    return None


def excess_in_jpeg(content: bytes) -> str | None:
    """What a JPEG has more of than a decoder can handle in reasonable time, or None.

    Markers are walked as a decoder walks them: what lies inside a segment, or behind the end of
    the image, is not counted. Stops at the first excess.
    """
    scans = exif = segments = 0
    position = 2
    while (marker := _MARKER.search(content, position)) is not None and marker[1] != b"\xd9":
        position = marker.end()
        if marker[1] == b"\x01":
            continue
        segments += 1
        scans += marker[1] == b"\xda"
        exif += marker[1] == b"\xe1" and content.startswith(b"Exif", position + 2)
        if scans > MAX_JPEG_SCANS:
            return f"more than {MAX_JPEG_SCANS} scans"
        if exif > MAX_EXIF_SEGMENTS:
            return f"more than {MAX_EXIF_SEGMENTS} EXIF segments"
        if segments > MAX_JPEG_SEGMENTS:
            return f"more than {MAX_JPEG_SEGMENTS:,} segments"
        position += max(2, int.from_bytes(content[position : position + 2]))
    return None
