"""SVG images: drawn as PNG, without anything from outside of the file."""

import base64
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image
from tests.media.conftest import MEDIA, Import

from eventimport.database.objects import unlink_event
from eventimport.media.image_processes import ImageProcesses
from eventimport.media.images import ImageLimits, ImageRefusedError, ImageSize
from eventimport.media.svg import SvgError, draw_svg
from eventimport.storage.keys import PRIVATE_PREFIX

SPACES = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
RED = (
    f'<svg {SPACES} width="20" height="10"><rect width="20" height="10" fill="red"/></svg>'.encode()
)
WITH_SVG = ImageLimits(svg=True)


def drawn(content: str | bytes) -> Image.Image:
    png = draw_svg(content.encode() if isinstance(content, str) else content)
    image = Image.open(BytesIO(png))
    image.load()
    assert image.format == "PNG"
    return image.convert("RGBA")


@pytest.mark.parametrize(
    ("attributes", "size"),
    [
        ('width="20" height="10"', (512, 256)),
        ('width="25.4mm" height="2in"', (256, 512)),
        ('viewBox="0 0 10 40"', (128, 512)),
        ('width="100%" height="100%" viewBox="0,0,10,40"', (128, 512)),
        ('width="9000000" height="9000000"', (2048, 2048)),
        ('width="1" height="900000000"', (1, 2048)),
    ],
)
def test_the_size_of_a_drawing(attributes: str, size: tuple[int, int]) -> None:
    assert drawn(f"<svg {SPACES} {attributes}/>").size == size


def test_what_is_drawn() -> None:
    assert drawn(RED).getpixel((300, 100)) == (255, 0, 0, 255)
    declared = '<!DOCTYPE svg [<!ENTITY c "red">]>'
    entity = f'{declared}<svg {SPACES} width="9" height="9"><path d="M0 0H9V9H0" fill="&c;"/></svg>'
    assert drawn(entity).getpixel((1, 1)) == (255, 0, 0, 255)
    inner = BytesIO()
    Image.new("RGB", (4, 4), (0, 255, 0)).save(inner, "PNG")
    data = base64.b64encode(inner.getvalue()).decode()
    image = f'<image width="9" height="9" href="data:image/png;base64,{data}"/>'
    assert drawn(f'<svg {SPACES} width="9" height="9">{image}</svg>').getpixel((99, 99)) == (
        *(0, 255, 0),
        255,
    )


@pytest.mark.parametrize("attribute", ["href", "xlink:href"])
def test_no_file_is_read(tmp_path: Path, attribute: str) -> None:
    secret = tmp_path / "secret.png"
    Image.new("RGB", (4, 4), (0, 255, 0)).save(secret)
    (tmp_path / "secret.svg").write_bytes(RED)
    for name in (
        secret,
        f"file://{secret}",
        f"../../../../../../../..{secret}",
        tmp_path / "secret.svg",
    ):
        image = f'<image {attribute}="{name}" width="9" height="9"/>'
        assert drawn(f'<svg {SPACES} width="9" height="9">{image}</svg>').getextrema() == (
            *((0, 0), (0, 0), (0, 0)),
            (0, 0),
        )


@pytest.mark.parametrize(
    "content",
    [
        "<svg",
        "<html/>",
        "",
        "\0",
        f'<svg {SPACES} width="0" height="5"/>',
        '<!DOCTYPE svg [<!ENTITY a SYSTEM "file:///etc/passwd">]>'
        f"<svg {SPACES}><text>&a;</text></svg>",
        '<!DOCTYPE svg [<!ENTITY a0 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa">'
        + "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 20}">' for n in range(1, 9))
        + f"]><svg {SPACES}><text>&a8;</text></svg>",
    ],
)
def test_what_cannot_be_drawn(content: str) -> None:
    with pytest.raises(SvgError):
        draw_svg(content.encode())


async def test_an_image_process_draws(images: ImageProcesses) -> None:
    sizes = {"icon": ImageSize(width=35, height=35)}
    info, made = await images.check(RED, WITH_SVG, sizes)
    assert (info.content_type, info.extension) == ("image/svg+xml", ".svg")
    assert {name: (image.content_type, image.width) for name, image in made.items()} == {
        "": ("image/png", 512),
        "icon": ("image/png", 35),
    }
    image, _ = await images.process(RED, WITH_SVG, {})
    assert (image.content_type, image.width) == ("image/png", 512)
    with pytest.raises(ImageRefusedError) as caught:
        await images.check(RED, ImageLimits(), {})
    assert caught.value.code == "format-not-allowed"
    with pytest.raises(ImageRefusedError):
        await images.check(b"<svg><", WITH_SVG, {})


async def test_a_png_is_served_and_the_original_kept_private(running: Import) -> None:
    running.config = {"image_limits": WITH_SVG}
    await running.plan("sponsors", "logo_url", "images/logo.svg", content=RED)
    await running.plan("events", "original_image_url", "images/logo.svg")
    assert await running.run() == {"MOVED": 2}
    url = (await running.sponsor()).logo_url
    assert url is not None
    assert url.endswith("/logo.svg.png")
    assert (await running.storage.content(url)).startswith(b"\x89PNG")
    keys = await running.storage.all_keys()
    (original,) = {key for key in keys if key.startswith(PRIVATE_PREFIX)}
    assert await running.storage.content(MEDIA + original) == RED
    assert await running.linked_keys() == keys - {original}
    async with running.engine.begin() as connection:
        unused = await unlink_event(connection, running.event_id)
    assert {one.key for one in unused} == keys, "it is linked with the event"


async def test_an_svg_that_is_not_used_leaves_nothing(running: Import) -> None:
    running.config = {"image_limits": WITH_SVG}
    await running.plan("sponsors", "logo_url", "images/logo.svg", content=RED)

    async def change(number: int, key: str) -> None:
        async with running.sessions.begin() as session:
            (
                await session.get_one(type(await running.sponsor()), running.sponsor_id)
            ).logo_url = "x"

    running.storage.after = change
    assert await running.run() == {"REFUSED": 1}
    assert await running.storage.all_keys() == set()
