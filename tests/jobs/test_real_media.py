"""The media of real archives: what is moved, what is missing, what is remote, byte for byte."""

import io
import json
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from PIL import Image
from tests.formats.test_nothing_lost import mended
from tests.jobs.conftest import Imports

from eventimport.formats.openevent.dialect import canonical_key
from eventimport.media.image_metadata import without_metadata

PICTURES = {
    "event": (
        *("logo_url", "original_image_url", "large_image_url", "thumbnail_image_url"),
        *("icon_image_url", "logo", "background_image", "large", "thumbnail", "icon"),
    ),
    "event_copyright": ("logo_url", "logo"),
    "speakers": (
        *("photo_url", "thumbnail_image_url", "small_image_url", "icon_image_url"),
        *("photo", "thumbnail", "small", "icon"),
    ),
    "sponsors": ("logo_url", "logo"),
    "tracks": ("track_image_url",),
}
FILES = {"sessions": ("slides_url", "audio_url", "video_url", "slides", "audio", "video")}


def named_media(data: bytes) -> list[tuple[str, bool]]:
    """Each path or link that a record of the archive names, and whether it is a picture's."""
    found: list[tuple[str, bool]] = []
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        documents: dict[str, Any] = {}
        for name in archive.namelist():
            if name in {"event", "speakers", "sponsors", "tracks", "sessions"}:
                documents[name] = json.loads(archive.read(name))
    event = {canonical_key(key): value for key, value in documents["event"].items()}
    documents["event"] = [event]
    documents["event_copyright"] = [event.get("event_copyright") or event.get("copyright") or {}]
    for document, fields in (*PICTURES.items(), *FILES.items()):
        for raw in documents.get(document, []):
            record = {canonical_key(key): value for key, value in raw.items()}
            found.extend(
                (record[name], document in PICTURES) for name in fields if record.get(name)
            )
    return found


def is_picture(content: bytes) -> bool:
    """Whether Pillow decodes it, and it is of a format that is taken."""
    try:
        with Image.open(io.BytesIO(content)) as image:
            image.load()
            return image.format in {"PNG", "JPEG", "WEBP", "GIF"}
    except (OSError, SyntaxError, ValueError):
        return False


@pytest.mark.without_coverage
@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
async def test_media_are_moved_as_they_are(imports: Imports, archives: list[Path]) -> None:
    storage = imports.resources.storages.active
    moved_in_all = 0
    for path in archives:
        data = mended(path)
        contents: dict[str, bytes] = {}
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            contents = {name: archive.read(name) for name in archive.namelist()}
        folded = {name.casefold(): name for name in contents}
        wanted: Counter[str] = Counter()
        for source, picture in named_media(data):
            entry = folded.get(source.lstrip("/").casefold(), source)
            if source.startswith(("http://", "https://")):
                wanted["REFUSED"] += 1  # The tests switch fetching off.
            elif entry not in contents:
                wanted["MISSING"] += 1
            elif picture and not is_picture(contents[entry]):
                wanted["unfit"] += 1
            else:
                wanted["MOVED"] += 1
        job = await imports.run(data)
        assert (job.status, job.errors) == ("SUCCESS", None), path.stem
        assert job.report is not None
        outcomes = Counter(job.report["media"]["outcomes"])
        unfit = outcomes.pop("NOT_AN_IMAGE", 0)
        assert outcomes["MOVED"] == wanted["MOVED"], path.stem
        assert outcomes["MISSING"] == wanted["MISSING"], path.stem
        assert outcomes["REFUSED"] + unfit == wanted["REFUSED"] + wanted["unfit"], path.stem
        for item in await imports.rows("media_items", job.event_id):
            if item["outcome"] == "MOVED":
                key = unquote(item["url"].partition("/media/")[2])
                async with storage.open(key) as chunks:
                    stored = b"".join([chunk async for chunk in chunks])
                given = contents[item["entry"]]
                expected = without_metadata(given) if item["media_type"] == "image" else given
                assert stored == expected, item["entry"]
                assert item["url"] == storage.public_url(key)
                moved_in_all += 1
    assert moved_in_all > 400
