"""SVG images: drawn as a PNG, since browsers run scripts of an SVG that they open.

Runs in an image process, like all decoding. What would load anything from outside of the file, be
it from the disk or from the network, is removed before the renderer sees it.
"""

import re
from collections.abc import Mapping
from typing import Final
from xml.etree import ElementTree as ET

from eventimport.errors import EventImportError

SMALLEST_SIDE: Final = 512
LARGEST_SIDE: Final = 2048
"""Pixels of the longer side of the PNG. A drawing has no size of its own that would matter."""

_NUMBER: Final = re.compile(r"\s*([0-9]{1,9}(?:\.[0-9]{0,9})?)\s*(px|pt|pc|mm|cm|in|)\s*")
_UNITS: Final[Mapping[str, float]] = {
    "": 1.0,
    "px": 1.0,
    "pt": 96 / 72,
    "pc": 16.0,
    "mm": 96 / 25.4,
    "cm": 96 / 2.54,
    "in": 96.0,
}
_OWN_REFERENCE: Final = re.compile(r"\s*(?:#|data:image/(?:png|jpe?g|gif|webp)[;,])", re.IGNORECASE)


class SvgError(EventImportError):
    """The SVG cannot be drawn; the message says why."""


def draw_svg(content: bytes) -> bytes:
    """Draw an SVG as a PNG. Raises SvgError."""
    # Only an image process needs it, and imports it with the first drawing.
    import resvg_py  # noqa: PLC0415

    try:
        root = ET.fromstring(content)  # noqa: S314 - expat limits entities, and loads no others
    except (ET.ParseError, ValueError, LookupError) as error:
        raise SvgError(f"The SVG is damaged: {error}.") from error
    if root.tag.rpartition("}")[2] != "svg":
        raise SvgError("The SVG is damaged: its root is not an <svg> element.")
    width, height = _size(root)
    _remove_foreign_references(root)
    scale = min(max(width, height, SMALLEST_SIDE), LARGEST_SIDE) / max(width, height)
    wide, high = max(1, round(width * scale)), max(1, round(height * scale))
    try:
        return resvg_py.svg_to_bytes(
            svg_string=ET.tostring(root, encoding="unicode"),
            # Without it, lengths in millimetres and the like are zero.
            dpi=96,
            width=wide if width >= height else None,
            height=high if width < height else None,
        )
    except ValueError as error:
        raise SvgError(f"The SVG cannot be drawn: {error}.") from error


def _size(root: ET.Element) -> tuple[float, float]:
    """Width and height, in any unit: of its attributes, else of its view box."""
    width, height = (_length(root.get(name, "")) for name in ("width", "height"))
    box = [_length(number) for number in re.split(r"[\s,]+", root.get("viewBox", "").strip())[2:4]]
    if not (width and height) and len(box) == 2 and box[0] and box[1]:
        return box[0], box[1]
    return (width or 300.0), (height or 150.0)


def _length(text: str) -> float | None:
    match = _NUMBER.fullmatch(text[:40])
    return float(match[1]) * _UNITS[match[2]] if match else None


def _remove_foreign_references(root: ET.Element) -> None:
    for element in root.iter():
        for name in list(element.attrib):
            foreign = not _OWN_REFERENCE.match(element.attrib[name])
            if name.rpartition("}")[2] == "href" and foreign:
                del element.attrib[name]
