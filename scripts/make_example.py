"""Draw the media that the example conference's JSON names: pictures, slides, a sound.

The JSON under examples/ is written by hand; the media are made from the names in it, the same
bytes every time with the locked Pillow.

    python scripts/make_example.py examples/lantern-open-2027
"""

import hashlib
import io
import json
import math
import random
import sys
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

INK = [(29, 78, 137), (179, 84, 30), (42, 127, 98), (242, 193, 78), (91, 42, 134), (194, 24, 91)]
PAPER = (247, 243, 233)
NIGHT = (16, 24, 48)


def media_of(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Every path from the archive's root in the document, with the title of what names it."""
    if isinstance(value, dict):
        own = value.get("name") or value.get("title") or value.get("holder") or name
        for child in value.values():
            yield from media_of(child, own)
    elif isinstance(value, list):
        for child in value:
            yield from media_of(child, name)
    elif isinstance(value, str) and value.startswith("/"):
        yield value.removeprefix("/"), name


def colours(source: random.Random) -> list[tuple[int, int, int]]:
    """Three inks in an order of their own."""
    return source.sample(INK, 3)


def avatar(source: random.Random) -> Image.Image:
    """A head and shoulders out of three shapes, 128 by 128."""
    first, second, third = colours(source)
    picture = Image.new("RGB", (128, 128), first)
    draw = ImageDraw.Draw(picture)
    tilt, wide = source.randint(-10, 10), source.randint(22, 32)
    draw.ellipse((64 - 48, 84, 64 + 48, 180), fill=second)
    draw.ellipse((64 + tilt - wide, 28, 64 + tilt + wide, 90), fill=PAPER)
    draw.chord((64 + tilt - wide, 22, 64 + tilt + wide, 84), 180, 360, fill=third)
    return picture.quantize(16)


def emblem(source: random.Random, size: tuple[int, int]) -> Image.Image:
    """A logo: rings and a beam."""
    first, second, third = colours(source)
    picture = Image.new("RGB", size, PAPER)
    draw = ImageDraw.Draw(picture)
    width, height = size
    middle = height // 2
    for ring, ink in enumerate((first, second, third)):
        radius = middle - 8 - ring * source.randint(8, 12)
        draw.ellipse((middle - radius, middle - radius, middle + radius, middle + radius), fill=ink)
    for line in range(source.randint(2, 4)):
        top = height // 4 + line * height // 6
        draw.rectangle((height + 4, top, width - source.randint(8, 60), top + 6), fill=first)
    return picture.quantize(16)


def harbour(source: random.Random) -> Image.Image:
    """A harbour by night with its lanterns, 1000 by 500."""
    picture = Image.new("RGB", (1000, 500), NIGHT)
    draw = ImageDraw.Draw(picture)
    for _ in range(60):
        x, y = source.randrange(1000), source.randrange(240)
        draw.point((x, y), fill=PAPER)
    draw.rectangle((0, 330, 1000, 500), fill=(22, 44, 84))
    for x in range(40, 1000, 120):
        top = source.randint(220, 290)
        draw.line((x, top, x, 330), fill=(90, 80, 70), width=4)
        draw.ellipse((x - 12, top - 12, x + 12, top + 12), fill=source.choice(INK[1:4]))
        draw.line((x, 336, x + source.randint(-6, 6), 420), fill=INK[3], width=2)
    return picture


def slides(title: str) -> bytes:
    """A PDF of one page that says the title."""
    text = title.encode("ascii", "replace").replace(b"(", b"\\(").replace(b")", b"\\)")
    content = b"BT /F1 28 Tf 40 260 Td (" + text + b") Tj ET"
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 720 405] /Contents 4 0 R"
        b" /Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    pdf, offsets = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        offsets.append(len(pdf))
        pdf += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    return (
        pdf
        + b"xref\n0 6\n0000000000 65535 f \n%s" % table
        + b"trailer\n<< /Size 6 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % len(pdf)
    )


def drips(source: random.Random) -> bytes:
    """A second of a leaking pipe, as a WAV file."""
    rate = 8000
    starts = [source.randrange(rate * 3 // 4) for _ in range(5)]
    samples = bytearray()
    for moment in range(rate):
        ages = (moment - start for start in starts if start <= moment)
        level = sum(math.exp(-age / 300) * math.sin(age * (0.9 - age / 9000)) for age in ages)
        samples.append(round(128 + 40 * max(-3, min(3, level))))
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(1)
        sound.setframerate(rate)
        sound.writeframes(bytes(samples))
    return file.getvalue()


def main(folder: Path) -> None:
    """Draw each file that a document of the folder names, over what is there."""
    for document in sorted(folder.glob("*.json")):
        for name, title in media_of(json.loads(document.read_text())):
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            source = random.Random(hashlib.sha256(name.encode()).digest())  # noqa: S311 - pictures
            if path.suffix == ".pdf":
                path.write_bytes(slides(title))
            elif path.suffix == ".wav":
                path.write_bytes(drips(source))
            elif path.suffix == ".jpg":
                harbour(source).save(path, quality=70, optimize=True)
            elif "speakers" in path.parts:
                avatar(source).save(path, optimize=True)
            else:
                emblem(source, (256, 96)).save(path, optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
