"""Colours of tracks, as archives spell them, made readable."""

import re
from dataclasses import dataclass

from eventimport.pages.colour_names import COLOURS

Colour = tuple[int, int, int]

LEAST_CONTRAST = 4.5
"""What WCAG 2.2 asks of text of normal size (level AA)."""

BLACK: Colour = (0, 0, 0)
WHITE: Colour = (255, 255, 255)
NEUTRAL: Colour = (0x5A, 0x64, 0x72)
"""For a track whose colour cannot be read."""

_HEX = re.compile(r"(?:#|0x)?([0-9a-f]{3,4}|[0-9a-f]{6}|[0-9a-f]{8})", re.IGNORECASE)
_RGB = re.compile(
    r"rgba?\(\s*(\d{1,3})\s*[,\s]\s*(\d{1,3})\s*[,\s]\s*(\d{1,3})\s*(?:[,/]\s*[\d.]{1,8}%?\s*)?\)",
    re.IGNORECASE | re.ASCII,
)


@dataclass(frozen=True, slots=True)
class TrackColours:
    """A background and a text colour that can be read on it, both as `#rrggbb`."""

    background: str
    text: str


def readable(background: str | None, text: str | None) -> TrackColours:
    """The colours of a track. The text's is kept where it can be read; else it is black or white,
    whichever is easier to read."""
    ground = parse(background) or NEUTRAL
    wanted = parse(text)
    if wanted is None or contrast(ground, wanted) < LEAST_CONTRAST:
        wanted = max((WHITE, BLACK), key=lambda colour: contrast(ground, colour))
    return TrackColours(_hex(ground), _hex(wanted))


def parse(value: str | None) -> Colour | None:
    """A colour as CSS writes it: hexadecimal digits, a name, or `rgb()`; how transparent it is does
    not count. None for anything else, `#OOOOOO` included."""
    text = (value or "").strip()[:60]
    if channels := _RGB.fullmatch(text):
        red, green, blue = (min(int(channel), 255) for channel in channels.groups())
        return red, green, blue
    found = _HEX.fullmatch(COLOURS.get(text.casefold().replace(" ", ""), text))
    if found is None:
        return None
    digits = found[1] if len(found[1]) > 4 else "".join(digit * 2 for digit in found[1])
    red, green, blue = bytes.fromhex(digits[:6])
    return red, green, blue


def contrast(one: Colour, other: Colour) -> float:
    """WCAG's contrast ratio, from 1 to 21."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: Colour) -> float:
    red, green, blue = (_linear(value / 255) for value in colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(value: float) -> float:
    return value / 12.92 if value <= 0.04045 else float(((value + 0.055) / 1.055) ** 2.4)


def _hex(colour: Colour) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)
