"""Images: which ones are accepted, and how they are cleaned and made smaller.

Everything here blocks and computes; `image_processes` runs it in a child process. An image of n
pixels needs up to about 12 n bytes of memory while it is worked on.

Two ways in, on purpose:

- `process_image` is for what a client uploads: the image is encoded anew, so that no metadata
  (where a photo was taken, by which camera) and nothing hidden behind the pixels is published.
- `check_image` is for the media of an import: the same checks, and a full decode, but the bytes
  stay as they are. A JPEG encoded anew has other pixels, and an archive's images must come out
  as they went in. `image_metadata` removes their metadata without touching the pixels.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from io import BytesIO
from pathlib import Path
from typing import Final

from PIL import Image, ImageCms, ImageOps, JpegImagePlugin

from eventimport.media.image_decoding import (
    FORMATS,
    ImageInfo,
    ImageLimits,
    ImageRefusedError,
    check_image,
    content_of,
    decode,
    format_of,
    info_of,
    name_foreign_format,
)
from eventimport.media.svg import LARGEST_SIDE, SvgError, draw_svg

__all__ = [
    "ImageInfo",
    "ImageLimits",
    "ImageRefusedError",
    "ImageSize",
    "ImageSizes",
    "ProcessedImage",
    "check_image",
    "inspect_image",
    "make_sizes",
    "process_image",
]

SVG_TYPE: Final = "image/svg+xml"
LARGEST_DRAWING: Final = LARGEST_SIDE * LARGEST_SIDE * 4
"""Bytes of a drawn SVG that is not compressed."""

MAX_FRAMES: Final = 1_000
"""Frames of an animation that is encoded anew; more would cost more time than an image may."""

SIZE_QUALITY: Final = 85
"""JPEG and WebP quality of the smaller sizes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageSize:
    """How large a smaller version is, in pixels; no image is ever enlarged.

    With `keep_aspect_ratio` the whole image is at most `width` wide and its height follows;
    without, it is cropped around its middle to the shape of `width` x `height`.
    """

    width: int
    height: int
    keep_aspect_ratio: bool = True

    def __post_init__(self) -> None:
        if self.width < 1 or self.height < 1:
            raise ValueError("an image size must be at least 1 x 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageSizes:
    """The sizes that are made of an image, by what the image belongs to."""

    event: Mapping[str, ImageSize] = field(
        default_factory=lambda: {
            "large": ImageSize(width=1300, height=500),
            "thumbnail": ImageSize(width=500, height=200),
            "icon": ImageSize(width=75, height=30),
        }
    )
    speaker: Mapping[str, ImageSize] = field(
        default_factory=lambda: {
            "thumbnail": ImageSize(width=500, height=500),
            "small": ImageSize(width=75, height=75),
            "icon": ImageSize(width=35, height=35),
        }
    )
    upload: Mapping[str, ImageSize] = field(
        default_factory=lambda: {
            "large": ImageSize(width=1300, height=500),
            "thumbnail": ImageSize(width=500, height=500),
            "small": ImageSize(width=75, height=75),
            "icon": ImageSize(width=35, height=35),
        }
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessedImage:
    """An image encoded by us, upright and without metadata. `frames_dropped` if only the first
    frame of an animation was kept."""

    data: bytes
    content_type: str
    extension: str
    width: int
    height: int
    frames_dropped: bool = False


def process_image(data: bytes | Path, limits: ImageLimits) -> ProcessedImage:
    """Decode the image and encode it anew in its own format, upright and without metadata.

    Colours of an embedded ICC profile are converted to sRGB and the profile is dropped. A JPEG
    keeps its quantisation tables, so that its quality and size stay about the same. An animation
    keeps its frames, up to MAX_FRAMES and within the limit of pixels; else only the first one is
    kept.
    Raises ImageRefusedError, and OSError where a path cannot be read.
    """
    content = content_of(data, limits)
    drawing = draw(content, limits)
    if drawing is not None:
        return drawing
    image = decode(content, limits)
    name = format_of(image)
    options: dict[str, object] = {}
    if name == "JPEG" and isinstance(image, JpegImagePlugin.JpegImageFile):
        options = {"quality": 95}
        if image.mode in {"L", "RGB"} and image.quantization:
            options = {"qtables": image.quantization}
            sampling = JpegImagePlugin.get_sampling(image)
            if sampling >= 0:
                options["subsampling"] = sampling
    elif name == "WEBP":
        lossless = content[12:16] == b"VP8L" or b"VP8L" in content[16:4096]
        options = {"lossless": True} if lossless else {"quality": 95}
    frames = _frames(image, limits) if name != "JPEG" else []
    if frames is None:
        return replace(_encode(_clean(image), name, options), frames_dropped=True)
    if len(frames) > 1:
        options |= {"save_all": True, "append_images": frames[1:], **_timing(frames)}
        return _encode(frames[0], name, options)
    return _encode(_clean(image), name, options)


def _frames(image: Image.Image, limits: ImageLimits) -> list[Image.Image] | None:
    """The frames of an animation, whole and without metadata; none of a still image, and None if
    they have too many pixels."""
    if not getattr(image, "is_animated", False):
        return []
    loop = image.info.get("loop")
    frames: list[Image.Image] = []
    while True:
        too_many = (len(frames) + 1) * image.width * image.height > limits.max_pixels
        if too_many or len(frames) == MAX_FRAMES:
            return None
        frame = image.convert("RGBA" if image.has_transparency_data else "RGB")
        timing = {"duration": image.info.get("duration"), "loop": loop}
        frame.info = {name: value for name, value in timing.items() if value is not None}
        frames.append(frame)
        try:
            image.seek(len(frames))
            image.load()
        except EOFError:
            return frames
        except MemoryError:
            raise
        except Exception as error:
            raise ImageRefusedError(
                "damaged", f"Frame {len(frames) + 1} of the animation is damaged."
            ) from error


def _timing(frames: Sequence[Image.Image]) -> dict[str, object]:
    loop = frames[0].info.get("loop")
    durations = [frame.info.get("duration", 0) for frame in frames]
    return {"duration": durations} | ({} if loop is None else {"loop": loop})


def draw(content: bytes, limits: ImageLimits) -> ProcessedImage | None:
    """An SVG as PNG, if SVGs are accepted; None for all else. Raises ImageRefusedError."""
    if not limits.svg or name_foreign_format(content) != "SVG":
        return None
    try:
        png = draw_svg(content)
    except SvgError as error:
        raise ImageRefusedError("damaged", str(error)) from error
    image = check_image(png, replace(limits, formats=("PNG",), max_bytes=2 * LARGEST_DRAWING))
    return ProcessedImage(
        data=png,
        content_type=image.content_type,
        extension=image.extension,
        width=image.width,
        height=image.height,
    )


def inspect_image(
    content: bytes, limits: ImageLimits, sizes: Mapping[str, ImageSize]
) -> tuple[ImageInfo, dict[str, ProcessedImage]]:
    """What an image is, and the smaller versions of it; of an SVG, also the PNG of it, as "".

    Raises ImageRefusedError."""
    drawing = draw(content, limits)
    if drawing is None:
        image = decode(content, limits)
        return info_of(image), _sizes_of(image, sizes)
    info = ImageInfo(
        content_type=SVG_TYPE, extension=".svg", width=drawing.width, height=drawing.height
    )
    return info, {"": drawing, **make_sizes(drawing, sizes)}


def make_sizes(
    image: ProcessedImage | bytes | Path,
    sizes: Mapping[str, ImageSize],
    limits: ImageLimits | None = None,
) -> dict[str, ProcessedImage]:
    """The smaller versions of an image, by the names of `sizes`; it is decoded once.

    Each is of the image's own format, except that a GIF's are PNG. Raises ImageRefusedError,
    and OSError where a path cannot be read.
    """
    if not sizes:
        return {}
    source = image.data if isinstance(image, ProcessedImage) else image
    widest = max(max(size.width, size.height) for size in sizes.values())
    return _sizes_of(decode(source, limits or ImageLimits(), draft=2 * widest), sizes)


def _sizes_of(decoded: Image.Image, sizes: Mapping[str, ImageSize]) -> dict[str, ProcessedImage]:
    if not sizes:
        return {}
    name = "PNG" if format_of(decoded) == "GIF" else format_of(decoded)
    options: dict[str, object] = {} if name == "PNG" else {"quality": SIZE_QUALITY}
    upright = _full_colour(_clean(decoded))
    return {key: _encode(_resize(upright, size), name, options) for key, size in sizes.items()}


def _clean(image: Image.Image) -> Image.Image:
    """Upright, in sRGB, and with nothing in `info` that an encoder would write again."""
    profile = image.info.get("icc_profile")
    try:
        ImageOps.exif_transpose(image, in_place=True)
    except Exception:  # noqa: BLE001 - a broken EXIF block says nothing about the way up
        image.info.pop("exif", None)
    clean: Image.Image = image
    if isinstance(profile, bytes) and image.mode in {"RGB", "RGBA", "CMYK"}:
        clean = _to_srgb(image, profile)
    if clean.mode in {"CMYK", "YCbCr", "LAB", "HSV"}:
        clean = clean.convert("RGB")
    transparency = clean.info.get("transparency")
    clean.info = {} if transparency is None else {"transparency": transparency}
    return clean


def _to_srgb(image: Image.Image, profile: bytes) -> Image.Image:
    mode = "RGBA" if image.mode == "RGBA" else "RGB"
    try:
        source = ImageCms.ImageCmsProfile(BytesIO(profile))
        converted = ImageCms.profileToProfile(
            image, source, ImageCms.createProfile("sRGB"), outputMode=mode
        )
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return image
    return converted or image


def _full_colour(image: Image.Image) -> Image.Image:
    """A mode that can be resized well: palettes and single bits cannot."""
    if image.mode in {"L", "RGB", "RGBA"} and "transparency" not in image.info:
        return image
    if image.mode.startswith("I"):
        # 16 bits of grey: Pillow's own conversion would clip instead of scale.
        return image.convert("I").point(lambda value: value * (1 / 256)).convert("L")
    has_alpha = "transparency" in image.info or image.mode in {"LA", "PA", "La", "RGBa"}
    return image.convert("RGBA" if has_alpha else "RGB")


def _resize(image: Image.Image, size: ImageSize) -> Image.Image:
    if size.keep_aspect_ratio:
        width = min(size.width, image.width)
        height = max(1, round(image.height * width / image.width))
        return image.resize((width, height), Image.Resampling.LANCZOS, reducing_gap=3)
    scale = min(1.0, image.width / size.width, image.height / size.height)
    box = max(1, round(size.width * scale)), max(1, round(size.height * scale))
    return ImageOps.fit(image, box, Image.Resampling.LANCZOS)


def _encode(image: Image.Image, name: str, options: Mapping[str, object]) -> ProcessedImage:
    target = BytesIO()
    try:
        image.save(target, format=name, **options)
    except MemoryError:
        raise
    except Exception as error:
        raise ImageRefusedError(
            "damaged", "The image was decoded, but cannot be encoded again."
        ) from error
    known = FORMATS[name]
    return ProcessedImage(
        data=target.getvalue(),
        content_type=known.content_type,
        extension=known.extension,
        width=image.width,
        height=image.height,
    )
