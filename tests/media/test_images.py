"""Pictures: what is taken, what is refused, and what becomes of the pixels and the metadata."""

import struct
import zipfile
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops, ImageCms, ImageDraw, ImageStat
from PIL.PngImagePlugin import PngInfo

from eventimport.media.images import (
    ImageLimits,
    ImageRefusedError,
    ImageSize,
    ImageSizes,
    check_image,
    make_sizes,
    process_image,
)

LIMITS = ImageLimits()
ORIENTATION = 0x0112
GPS = 0x8825


def photo(width: int = 160, height: int = 120, mode: str = "RGB") -> Image.Image:
    """A gradient with a red corner at the top left, so that turning it shows."""
    image = Image.linear_gradient("L").resize((width, height)).convert("RGB")
    ImageDraw.Draw(image).rectangle((0, 0, width // 4, height // 4), fill=(255, 0, 0))
    return image.convert(mode)


def encoded(image: Image.Image, name: str, **options: Any) -> bytes:
    target = BytesIO()
    image.save(target, format=name, **options)
    return target.getvalue()


def opened(data: bytes) -> Image.Image:
    image = Image.open(BytesIO(data))
    image.load()
    return image


def refusal(call: Callable[[], object]) -> str:
    with pytest.raises(ImageRefusedError) as caught:
        call()
    assert str(caught.value)
    return caught.value.code


def exif(orientation: int) -> Image.Exif:
    block = Image.Exif()
    block[ORIENTATION] = orientation
    block[GPS] = {1: "N", 2: (52.0, 31.0, 12.0)}
    return block


def png_of_size(width: int, height: int) -> bytes:
    """A PNG whose header claims a size that its few bytes do not fill."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(b"\0" * 10_000)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_a_png_keeps_its_pixels_and_its_mode(mode: str) -> None:
    original = Image.new(mode, (40, 30), 1) if mode == "I;16" else photo(40, 30).convert(mode)
    result = process_image(encoded(original, "PNG"), LIMITS)
    again = opened(result.data)
    assert (again.format, again.mode, again.size) == (
        "PNG",
        opened(encoded(original, "PNG")).mode,
        (40, 30),
    )
    assert again.tobytes() == original.tobytes()
    assert (result.content_type, result.extension) == ("image/png", ".png")
    assert (result.width, result.height) == (40, 30)


def test_a_transparent_palette_stays_transparent() -> None:
    image = photo(40, 30).convert("P")
    image.info["transparency"] = image.getpixel((0, 0))
    again = opened(process_image(encoded(image, "PNG"), LIMITS).data)
    alpha = again.convert("RGBA").getchannel("A")
    assert alpha.getextrema() == (0, 255)


@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP"])
def test_metadata_goes_and_orientation_is_applied(name: str) -> None:
    data = encoded(photo(), name, exif=exif(6), quality=95)
    assert opened(data).getexif()
    result = process_image(data, LIMITS)
    again = opened(result.data)
    assert again.format == name
    assert not again.getexif()
    assert not {"exif", "icc_profile", "xmp", "comment", "Comment"} & set(again.info)
    assert (result.width, result.height) == again.size == (120, 160)
    red, green, _ = again.convert("RGB").getpixel((115, 5))  # type: ignore[misc]
    assert red > 200
    assert green < 60


def test_comments_of_every_format_go() -> None:
    text = PngInfo()
    text.add_text("Author", "my home address")
    secrets = [
        encoded(photo(), "JPEG", comment=b"my home address"),
        encoded(photo(), "PNG", pnginfo=text),
        encoded(photo(mode="P"), "GIF", comment=b"my home address"),
        encoded(photo(), "WEBP", xmp=b"my home address"),
        encoded(photo(), "PNG") + b"my home address",
    ]
    for data in secrets:
        assert b"my home address" in data
        assert b"my home address" not in process_image(data, LIMITS).data


def test_a_jpeg_keeps_its_quality() -> None:
    for quality in (30, 75, 95):
        data = encoded(photo(), "JPEG", quality=quality)
        again = opened(process_image(data, LIMITS).data)
        assert again.quantization == opened(data).quantization  # type: ignore[attr-defined]
        difference = ImageStat.Stat(ImageChops.difference(again, opened(data)))
        assert max(difference.mean) < 1


def test_a_lossless_webp_stays_lossless() -> None:
    original = photo()
    again = opened(process_image(encoded(original, "WEBP", lossless=True), LIMITS).data)
    assert again.convert("RGB").tobytes() == original.tobytes()


def test_a_colour_profile_is_converted_and_dropped() -> None:
    lab_like = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    again = opened(process_image(encoded(photo(), "PNG", icc_profile=lab_like), LIMITS).data)
    assert "icc_profile" not in again.info
    assert again.tobytes() == photo().tobytes()


def test_a_broken_colour_profile_is_dropped() -> None:
    again = opened(process_image(encoded(photo(), "PNG", icc_profile=b"nonsense"), LIMITS).data)
    assert "icc_profile" not in again.info
    assert again.tobytes() == photo().tobytes()


def test_cmyk_becomes_rgb() -> None:
    again = opened(process_image(encoded(photo(mode="CMYK"), "JPEG"), LIMITS).data)
    assert (again.format, again.mode) == ("JPEG", "RGB")


def test_two_pictures_in_one_jpeg_are_a_jpeg() -> None:
    data = encoded(photo(), "MPO", save_all=True, append_images=[photo(60, 60)])
    assert opened(data).format == "MPO"
    assert check_image(data, LIMITS).content_type == "image/jpeg"
    again = opened(process_image(data, LIMITS).data)
    assert (again.format, again.size) == ("JPEG", (160, 120))


@pytest.mark.parametrize("name", ["GIF", "WEBP", "PNG"])
def test_an_animation_keeps_its_frames(name: str) -> None:
    frames = [Image.new("RGB", (60, 40), (50 * number, 0, 0)) for number in range(5)]
    options: dict[str, Any] = {"duration": [100, 200, 300, 400, 500], "loop": 3}
    if name == "GIF":
        options["comment"] = b"my home address"
    data = encoded(frames[0], name, save_all=True, append_images=frames[1:], **options)
    result = process_image(data, LIMITS)
    assert not result.frames_dropped
    assert b"my home address" not in result.data
    again = Image.open(BytesIO(result.data))
    assert again.info["loop"] == 3
    seen = []
    for number in range(5):
        again.seek(number)
        again.load()
        red = again.convert("RGB").getpixel((3, 3))[0]  # type: ignore[index]
        seen.append((again.info["duration"], round(red / 50)))
    assert seen == [(100, 0), (200, 1), (300, 2), (400, 3), (500, 4)]


@pytest.mark.parametrize("name", ["GIF", "WEBP", "PNG"])
def test_of_a_long_animation_the_first_frame_is_kept(name: str) -> None:
    frames = [photo(), photo().rotate(90, expand=False), photo().rotate(180)]
    data = encoded(frames[0], name, save_all=True, append_images=frames[1:], duration=100)
    assert opened(data).n_frames == 3  # type: ignore[attr-defined]
    result = process_image(data, ImageLimits(max_pixels=160 * 120 * 2))
    assert result.frames_dropped
    again = opened(result.data)
    assert getattr(again, "n_frames", 1) == 1
    assert (again.format, again.size) == (name, (160, 120))


def test_of_an_endless_animation_the_first_frame_is_kept() -> None:
    frames = [Image.new("L", (1, 1), number % 2 * 255) for number in range(1001)]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=20)
    assert opened(data).n_frames == 1001  # type: ignore[attr-defined]
    assert process_image(data, LIMITS).frames_dropped


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"quality": 95}])
@pytest.mark.parametrize("lacking", [1, 2])
def test_a_jpeg_without_its_end_is_read(options: dict[str, Any], lacking: int) -> None:
    data = encoded(Image.effect_noise((90, 70), 60).convert("RGB"), "JPEG", **options)
    info = check_image(data[:-lacking], LIMITS)
    assert info.repair
    assert check_image(data, LIMITS).repair is None
    assert (
        opened(process_image(data[:-lacking], LIMITS).data).tobytes()
        == opened(process_image(data, LIMITS).data).tobytes()
    )
    for more in (10, 100, 1000):
        assert refusal(lambda cut=more: check_image(data[:-cut], LIMITS)) == "damaged"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "not-an-image"),
        (b"hello", "not-an-image"),
        (b"<!doctype html><html><body>404</body></html>", "not-an-image"),
        (b"<html><svg></svg></html>", "not-an-image"),
        (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "format-not-allowed"),
        (b'\xef\xbb\xbf<?xml version="1.0"?><!-- a --><svg:svg >', "format-not-allowed"),
        (encoded(photo(), "BMP"), "format-not-allowed"),
        (encoded(photo(), "TIFF"), "format-not-allowed"),
        (encoded(photo(), "AVIF"), "format-not-allowed"),
        (encoded(photo(), "ICO"), "format-not-allowed"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "format-not-allowed"),
        (b"%PDF-1.7", "format-not-allowed"),
        (b"\x89PNG\r\n\x1a\n", "damaged"),
        (b"GIF89a", "damaged"),
        (png_of_size(8000, 6251), "too-many-pixels"),
        (png_of_size(10_000, 10_000), "too-many-pixels"),
        (png_of_size(60_000, 60_000), "too-many-pixels"),
        (png_of_size(2**31 - 1, 2**31 - 1), "too-many-pixels"),
        (png_of_size(500, 500), "damaged"),
    ],
)
def test_what_is_no_picture_for_us_is_refused(data: bytes, code: str) -> None:
    assert refusal(lambda: check_image(data, LIMITS)) == code
    assert refusal(lambda: process_image(data, LIMITS)) == code


@pytest.mark.filterwarnings("default::PIL.Image.DecompressionBombWarning")
def test_pillows_warning_of_a_bomb_ends_in_a_refusal_too() -> None:
    with pytest.warns(Image.DecompressionBombWarning):
        code = refusal(lambda: check_image(png_of_size(10_000, 10_000), LIMITS))
    assert code == "too-many-pixels"


@pytest.mark.parametrize("name", ["PNG", "JPEG", "WEBP", "GIF"])
def test_a_truncated_picture_is_damaged(name: str) -> None:
    image = Image.effect_noise((200, 200), 90)
    data = encoded(image, name)
    assert check_image(data, LIMITS).width == 200
    assert refusal(lambda: check_image(data[: len(data) // 2], LIMITS)) == "damaged"
    assert refusal(lambda: process_image(data[: len(data) // 2], LIMITS)) == "damaged"


def test_a_format_that_the_setting_leaves_out_is_refused() -> None:
    limits = ImageLimits(formats=("PNG",))
    assert refusal(lambda: check_image(encoded(photo(), "JPEG"), limits)) == "format-not-allowed"
    assert check_image(encoded(photo(), "PNG"), limits).extension == ".png"


def test_too_many_bytes_are_refused_unread(tmp_path: Path) -> None:
    data = encoded(photo(), "PNG")
    path = tmp_path / "photo.png"
    path.write_bytes(data)
    exact = ImageLimits(max_bytes=len(data))
    assert check_image(path, exact) == check_image(data, exact)
    tight = ImageLimits(max_bytes=len(data) - 1)
    assert refusal(lambda: check_image(path, tight)) == "too-large"
    assert refusal(lambda: check_image(data, tight)) == "too-large"


def test_pixels_up_to_the_limit_are_taken() -> None:
    data = encoded(photo(100, 50), "PNG")
    assert check_image(data, ImageLimits(max_pixels=5000)).height == 50
    assert refusal(lambda: check_image(data, ImageLimits(max_pixels=4999))) == "too-many-pixels"


def test_a_jpeg_of_a_thousand_scans_is_refused_before_it_is_decoded() -> None:
    data = encoded(photo(), "JPEG", progressive=True)
    assert check_image(data, LIMITS).width == 160
    scan = data.index(b"\xff\xda")
    length = int.from_bytes(data[scan + 2 : scan + 4])
    bomb = data[:scan] + data[scan : scan + 2 + length] * 1000 + data[scan:]
    assert refusal(lambda: check_image(bomb, LIMITS)) == "damaged"


def test_what_follows_a_jpeg_is_not_counted_as_scans() -> None:
    data = encoded(photo(), "JPEG") + b"\xff\xda\x00\x02" * 1000
    assert check_image(data, LIMITS).width == 160


@pytest.mark.parametrize(
    "values",
    [{"formats": ("EPS",)}, {"formats": ()}, {"max_pixels": 200_000_000}],
)
def test_limits_that_cannot_hold_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must be"):
        ImageLimits(**values)


SAMPLES = {name: encoded(photo(24, 18), name) for name in ("PNG", "JPEG", "WEBP", "GIF")}


@settings(max_examples=300)
@given(
    name=st.sampled_from(sorted(SAMPLES)),
    cuts=st.lists(
        st.tuples(st.integers(0, 2000), st.binary(min_size=1, max_size=4)), min_size=1, max_size=6
    ),
)
def test_damaged_bytes_give_a_picture_or_a_refusal_and_nothing_else(
    name: str, cuts: list[tuple[int, bytes]]
) -> None:
    data = bytearray(SAMPLES[name])
    for position, replacement in cuts:
        start = position % len(data)
        data[start : start + len(replacement)] = replacement
    try:
        result = process_image(bytes(data), ImageLimits(max_pixels=1_000_000))
    except ImageRefusedError:
        return
    assert opened(result.data).size == (result.width, result.height)


def test_sizes_keep_the_shape_and_never_enlarge() -> None:
    data = encoded(photo(1600, 900), "JPEG")
    made = make_sizes(data, ImageSizes().event)
    assert {name: (size.width, size.height) for name, size in made.items()} == {
        "large": (1300, 731),
        "thumbnail": (500, 281),
        "icon": (75, 42),
    }
    assert all(opened(size.data).format == "JPEG" for size in made.values())
    small = make_sizes(encoded(photo(60, 40), "PNG"), ImageSizes().speaker)
    assert {name: (size.width, size.height) for name, size in small.items()} == {
        "thumbnail": (60, 40),
        "small": (60, 40),
        "icon": (35, 23),
    }


def test_sizes_can_be_cropped_to_a_shape() -> None:
    square = {"icon": ImageSize(width=35, height=35, keep_aspect_ratio=False)}
    made = make_sizes(encoded(photo(400, 100), "PNG"), square)["icon"]
    assert (made.width, made.height) == opened(made.data).size == (35, 35)
    narrow = make_sizes(encoded(photo(20, 10), "PNG"), square)["icon"]
    assert (narrow.width, narrow.height) == (10, 10)


@pytest.mark.parametrize(
    ("image", "name", "expected"),
    [
        (photo(mode="P"), "GIF", "PNG"),
        (photo(mode="P"), "PNG", "PNG"),
        (photo(mode="1"), "PNG", "PNG"),
        (photo(mode="LA"), "PNG", "PNG"),
        (photo(mode="RGBA"), "WEBP", "WEBP"),
        (photo(mode="CMYK"), "JPEG", "JPEG"),
        (photo(mode="L"), "JPEG", "JPEG"),
    ],
)
def test_sizes_of_every_mode(image: Image.Image, name: str, expected: str) -> None:
    made = make_sizes(encoded(image, name), {"icon": ImageSize(width=20, height=20)})["icon"]
    again = opened(made.data)
    assert (again.format, again.size) == (expected, (20, 15))
    red, green, _ = again.convert("RGB").getpixel((1, 1))  # type: ignore[misc]
    if image.mode not in {"1", "L", "LA"}:
        assert red > 180
        assert green < 80


def test_sizes_of_sixteen_bits_of_grey_keep_their_brightness() -> None:
    grey = Image.new("I;16", (100, 100), 32_768)
    made = make_sizes(encoded(grey, "PNG"), {"icon": ImageSize(width=20, height=20)})["icon"]
    assert opened(made.data).convert("L").getpixel((5, 5)) == pytest.approx(128, abs=1)


def test_sizes_are_upright_and_bare() -> None:
    data = encoded(photo(), "JPEG", exif=exif(6), comment=b"my home address")
    made = make_sizes(data, {"small": ImageSize(width=60, height=60)})["small"]
    assert (made.width, made.height) == (60, 80)
    assert not opened(made.data).getexif()
    assert b"my home address" not in made.data


def test_sizes_of_a_processed_image_and_of_nothing() -> None:
    processed = process_image(encoded(photo(), "PNG"), LIMITS)
    made = make_sizes(processed, ImageSizes().upload)
    assert set(made) == {"large", "thumbnail", "small", "icon"}
    assert make_sizes(b"never looked at", {}) == {}


def test_a_size_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least"):
        ImageSize(width=0, height=10)


def test_every_picture_of_the_shared_archives_is_taken(archives: list[Path]) -> None:
    checked = 0
    for path in archives:
        with zipfile.ZipFile(path) as archive:
            for entry in archive.infolist():
                suffix = Path(entry.filename).suffix.lower()
                if suffix in {".jpg", ".jpeg", ".png", ".gif"} and "__MACOSX" not in entry.filename:
                    assert check_image(archive.read(entry), LIMITS).width > 0
                    checked += 1
    assert checked > 100
