"""Decoding images within bounds: which images are accepted, and which are rejected, and why."""

import re
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Final, Self

from PIL import Image, ImageChops, UnidentifiedImageError

from eventimport.errors import EventImportError, size_in_words


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

    Known formats are recognised by their first bytes only; nothing is parsed, so that an error
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


NO_END: Final = "the JPEG has no end marker, but all of its pixels"
_JPEG_END: Final = b"\xff\xd9"
_OTHER_PIXELS: Final = bytes(range(1, 255)) * 4


class ImageRefusedError(EventImportError):
    """The image is rejected; the message says why, in a sentence for clients.

    `code` is `not-an-image`, `format-not-allowed`, `too-many-pixels`, `too-large` (in bytes),
    `damaged`, or, for one that its process cannot handle, `too-slow`, `too-much-memory` or
    `unprocessable`.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code

    @classmethod
    def too_large(cls, limits: "ImageLimits") -> Self:
        """The error for an image that is larger than allowed."""
        size = size_in_words(limits.max_bytes)
        return cls(
            "too-large", f"The image is larger than {size}. The limit is set by MAX_IMAGE_BYTES."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageLimits:
    """`formats` are Pillow's names; `max_bytes` counts the encoded image. With `svg`, SVG
    images are accepted, and drawn as PNG.

    Raises ValueError for a format that is not known here, and for more pixels than Pillow itself
    lets through.
    """

    formats: tuple[str, ...] = ("PNG", "JPEG", "WEBP", "GIF")
    max_pixels: int = 50_000_000
    max_bytes: int = 32 * 1024 * 1024
    svg: bool = False

    def __post_init__(self) -> None:
        unknown = sorted(set(self.formats) - set(FORMATS))
        if unknown or not self.formats:
            raise ValueError(f"image formats must be among {', '.join(FORMATS)}, not {unknown}")
        if Image.MAX_IMAGE_PIXELS is not None and self.max_pixels > Image.MAX_IMAGE_PIXELS:
            raise ValueError(f"max_pixels must be at most {Image.MAX_IMAGE_PIXELS}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageInfo:
    """What an image is. `extension` has its dot; width and height are those of the pixels as
    they are stored, before any EXIF orientation. `repair` says what is odd about its bytes."""

    content_type: str
    extension: str
    width: int
    height: int
    repair: str | None = None


def check_image(data: bytes | Path, limits: ImageLimits) -> ImageInfo:
    """Decode the image in full and say what it is; its bytes are not changed.

    Of an animation the first frame is decoded. Raises ImageRefusedError, and OSError where a path
    cannot be read.
    """
    return info_of(decode(content_of(data, limits), limits))


def info_of(image: Image.Image) -> ImageInfo:
    """What a decoded image is."""
    known = FORMATS[format_of(image)]
    return ImageInfo(
        content_type=known.content_type,
        extension=known.extension,
        width=image.width,
        height=image.height,
        repair=NO_END if image.info.get(NO_END) else None,
    )


def content_of(data: bytes | Path, limits: ImageLimits) -> bytes:
    """The encoded bytes. Raises ImageRefusedError where they are too many."""
    size = data.stat().st_size if isinstance(data, Path) else len(data)
    if size > limits.max_bytes:
        raise ImageRefusedError.too_large(limits)
    return data.read_bytes() if isinstance(data, Path) else data


def decode(data: bytes | Path, limits: ImageLimits, *, draft: int | None = None) -> Image.Image:
    """Decode the first frame in full, all limits checked before.

    With `draft` a JPEG may be decoded at a fraction of its size, but not below that many pixels
    a side. A JPEG that lacks its end marker, as some cameras and programs write it, is decoded if
    no pixel is missing. Raises ImageRefusedError, and OSError where a path cannot be read.
    """
    content = content_of(data, limits)
    is_jpeg = "JPEG" in limits.formats and content.startswith(FORMATS["JPEG"].signature)
    if is_jpeg:
        excess = excess_in_jpeg(content)
        if excess is not None:
            raise ImageRefusedError(
                "damaged", f"The JPEG has {excess}, which this service does not decode."
            )
    try:
        return _load(content, limits, draft)
    except ImageRefusedError as error:
        if error.code != "damaged" or not is_jpeg:
            raise
        image = _without_end(content, limits, draft)
        if image is None:
            raise
        return image


def _without_end(content: bytes, limits: ImageLimits, draft: int | None) -> Image.Image | None:
    """The JPEG with an end marker added; None if pixels are missing, too.

    A decoder fills missing pixels in from whatever follows: if it makes the same image of two
    different endings, nothing is missing.
    """
    try:
        image = _load(content + _JPEG_END, limits, draft)
        other = _load(content + _OTHER_PIXELS + _JPEG_END, limits, draft)
    except ImageRefusedError:
        return None
    if image.mode != other.mode or ImageChops.difference(image, other).getbbox() is not None:
        return None
    image.info[NO_END] = True
    return image


def _load(content: bytes, limits: ImageLimits, draft: int | None) -> Image.Image:
    try:
        image = Image.open(BytesIO(content), formats=limits.formats)
    except UnidentifiedImageError as error:
        raise _unidentified(content, limits) from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_many_pixels(limits) from error
    except MemoryError:
        raise
    except Exception as error:
        raise _damaged() from error
    if image.width * image.height > limits.max_pixels:
        raise _too_many_pixels(limits, image.size)
    try:
        if draft is not None:
            image.draft(None, (draft, draft))
        image.load()
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_many_pixels(limits) from error
    except MemoryError:
        raise
    # Decoders answer to hostile bytes with nearly every exception there is.
    except Exception as error:
        raise _damaged() from error
    return image


def format_of(image: Image.Image) -> str:
    """Pillow's name of the format; a JPEG with a second image in it is a JPEG."""
    return "JPEG" if image.format == "MPO" else str(image.format)


def _too_many_pixels(limits: ImageLimits, size: tuple[int, int] | None = None) -> ImageRefusedError:
    dimensions = f" of {size[0]:,} x {size[1]:,}" if size else ""
    return ImageRefusedError(
        "too-many-pixels",
        f"The image{dimensions} has more than {limits.max_pixels:,} pixels. The limit is set by"
        " MAX_IMAGE_PIXELS.",
    )


def _damaged() -> ImageRefusedError:
    return ImageRefusedError("damaged", "The image is damaged: it cannot be decoded in full.")


def _unidentified(content: bytes, limits: ImageLimits) -> ImageRefusedError:
    accepted = f"Accepted formats: {', '.join(limits.formats)}. They are set by IMAGE_FORMATS."
    foreign = name_foreign_format(content)
    if foreign in limits.formats:
        return _damaged()
    if foreign is None:
        return ImageRefusedError("not-an-image", f"The file is not an image. {accepted}")
    reason = ", because it may contain scripts" if foreign == "SVG" else ""
    return ImageRefusedError(
        "format-not-allowed", f"{foreign} images are not accepted{reason}. {accepted}"
    )
