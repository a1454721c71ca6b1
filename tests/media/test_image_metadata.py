"""Metadata of imported images: it goes, and neither the pixels nor how they are shown changes."""

from io import BytesIO
from typing import Any

import pytest
from PIL import Image, ImageCms, ImageOps
from PIL.PngImagePlugin import PngInfo

from eventimport.media.image_metadata import without_metadata

SECRET = b"hunter2"
XMP = b"<x:xmpmeta>" + SECRET + b"</x:xmpmeta>"
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def picture(mode: str = "RGB") -> Image.Image:
    """An image in which no two corners are the same."""
    return Image.linear_gradient("L").resize((40, 24)).rotate(17).convert(mode)


def exif(orientation: int | None) -> Image.Exif:
    """EXIF data with a camera, a place and perhaps an orientation."""
    made = Image.Exif()
    made[0x010F] = made[0x0110] = SECRET.decode()
    if orientation is not None:
        made[0x0112] = orientation
    made.get_ifd(0x8825).update({1: "N", 2: (52.0, 31.0, 12.0), 29: SECRET.decode()})
    return made


def encoded(kind: str, **options: Any) -> bytes:
    """The picture as an image file."""
    content = BytesIO()
    frames = {}
    if options.pop("animated", False):
        others = [picture().rotate(90), picture().rotate(180)]
        frames = {"save_all": True, "append_images": others, "duration": 100, "loop": 3}
    image = picture("P" if kind == "GIF" else options.pop("mode", "RGB"))
    image.save(content, kind, **frames, **options)
    return content.getvalue()


def texts() -> PngInfo:
    """Texts of a PNG in all three ways."""
    made = PngInfo()
    made.add_text("Author", SECRET.decode())
    made.add_text("Comment", SECRET.decode() * 9, zip=True)
    made.add_itxt("XML:com.adobe.xmp", XMP.decode())
    return made


MAKERS: dict[str, Any] = {
    "jpeg": lambda o: encoded("JPEG", exif=exif(o), comment=SECRET, icc_profile=PROFILE, xmp=XMP),
    "progressive": lambda o: encoded("JPEG", exif=exif(o), progressive=True, quality=95),
    "cmyk": lambda o: encoded("JPEG", exif=exif(o), mode="CMYK"),
    "png": lambda o: encoded("PNG", exif=exif(o), pnginfo=texts(), icc_profile=PROFILE),
    "apng": lambda o: encoded("PNG", exif=exif(o), pnginfo=texts(), animated=True),
    "webp": lambda o: encoded("WEBP", exif=exif(o).tobytes(), xmp=XMP, icc_profile=PROFILE),
    "lossless": lambda o: encoded("WEBP", exif=exif(o).tobytes(), lossless=True, mode="RGBA"),
    "awebp": lambda o: encoded("WEBP", exif=exif(o).tobytes(), xmp=XMP, animated=True),
    "gif": lambda _: encoded("GIF", comment=SECRET, animated=True),
}


def seen(content: bytes) -> list[Any]:
    """What people see of an image: all frames, turned as it says, its profile and its pace."""
    found: list[Any] = []
    with Image.open(BytesIO(content)) as image:
        for number in range(getattr(image, "n_frames", 1)):
            image.seek(number)
            shown = ImageOps.exif_transpose(image)
            found.append((shown.mode, shown.size, shown.tobytes(), image.info.get("duration")))
        found += [image.info.get("icc_profile"), image.info.get("loop")]
    return found


@pytest.mark.parametrize("orientation", [None, 1, 3, 6, 8])
@pytest.mark.parametrize("maker", MAKERS)
def test_metadata_goes_and_the_pixels_stay(maker: str, orientation: int | None) -> None:
    content = MAKERS[maker](orientation)
    cleaned = without_metadata(content)

    assert SECRET in content
    assert SECRET not in cleaned
    assert seen(cleaned) == seen(content)
    with Image.open(BytesIO(cleaned)) as image:
        kept = dict(image.getexif())
        assert kept in ({}, {0x0112: orientation})
        assert not image.getexif().get_ifd(0x8825)
        assert not {"comment", "xmp", "Author", "Comment"} & image.info.keys()
    assert without_metadata(cleaned) == cleaned


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF"])
def test_what_is_behind_the_end_goes(kind: str) -> None:
    content = encoded(kind)
    assert without_metadata(content + SECRET) == content
    assert without_metadata(content) == content


@pytest.mark.parametrize("maker", MAKERS)
def test_damaged_images_are_cut_nowhere_else(maker: str) -> None:
    content = MAKERS[maker](6)
    for length in range(0, len(content), 7):
        # It ends, and adds nothing of its own to what is there.
        assert len(without_metadata(content[:length])) <= length + 64
    for place in range(0, len(content), 11):
        without_metadata(content[:place] + b"\xff" + content[place + 1 :])


def test_other_content_stays() -> None:
    for content in (b"", b"<svg/>", b"BM" + SECRET, b"\x89PNX" + SECRET):
        assert without_metadata(content) == content
