"""Moving media: every outcome, and what the rows hold afterwards."""

import asyncio
import base64
import zipfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from sqlalchemy import event, update
from tests.media.conftest import (
    LOGO,
    MEDIA,
    PHOTO,
    Import,
    picture,
    plan_four,
    soon,
)

from eventimport.conference.report import Report
from eventimport.database.media_records import ImportMediaRecords
from eventimport.database.models import (
    EventSession,
    MediaItem,
    Sponsor,
)
from eventimport.errors import EventImportError
from eventimport.formats.limits import ArchiveLimits
from eventimport.formats.openevent.layout import find_layout
from eventimport.formats.source import Source
from eventimport.media.fetch import FetchError
from eventimport.media.image_metadata import without_metadata
from eventimport.media.images import ImageLimits


async def test_an_entry_is_moved_byte_for_byte(running: Import) -> None:
    slides = bytes(range(256)) * 100
    logo = await running.plan("sponsors", "logo_url", "images/sponsors/a b.png", content=LOGO)
    pdf = await running.plan(
        "sessions", "slides_url", "slides/1.pdf", content=slides, media_type="document"
    )
    assert await running.run() == {"MOVED": 2}
    sponsor, talk = await running.sponsor(), await running.session()
    assert sponsor.logo_url is not None
    assert talk.slides_url is not None
    assert await running.storage.content(sponsor.logo_url) == LOGO
    assert await running.storage.content(talk.slides_url) == slides
    assert sponsor.logo_url.endswith("/a-b.png")
    assert (sponsor.version, talk.version) == (2, 2)
    for item_id, url, size in ((logo, sponsor.logo_url, len(LOGO)), (pdf, talk.slides_url, 25600)):
        item = await running.item(item_id)
        assert (item.outcome, item.url, item.size, item.detail) == ("MOVED", url, size, None)
        assert item.moved_at is not None
        stored = await running.storage.stat(url.partition(MEDIA)[2])
        assert stored is not None
        assert stored.content_type == ("image/png" if item_id == logo else "application/pdf")
    assert running.told == [("Storing media files", 1, 2), ("Storing media files", 2, 2)]


async def test_a_link_is_fetched_and_replaced(running: Import) -> None:
    await running.plan("sponsors", "logo_url", "https://a.example/logo?id=3", content=LOGO)
    running.pages["https://a.example/talk%20one"] = ("application/pdf", b"%PDF-1.7")
    await running.plan(
        "sessions", "slides_url", "https://a.example/talk%20one", media_type="document"
    )
    assert await running.run() == {"MOVED": 2}
    sponsor, talk = await running.sponsor(), await running.session()
    assert sponsor.logo_url is not None
    assert sponsor.logo_url.startswith(MEDIA)
    assert sponsor.logo_url.endswith("/logo.png")
    assert await running.storage.content(sponsor.logo_url) == LOGO
    assert talk.slides_url is not None
    assert talk.slides_url.endswith("/talk-one.pdf")


@pytest.mark.parametrize(
    ("source", "media_type", "page", "outcome"),
    [
        ("images/a.png", "image", ("", b"no picture"), "NOT_AN_IMAGE"),
        ("images/a.png", "image", ("", b""), "NOT_AN_IMAGE"),
        ("images/a.png", "image", ("", LOGO[:-30]), "NOT_AN_IMAGE"),
        ("images/a.svg", "image", ("", b"<svg xmlns=''/>"), "REFUSED"),
        ("images/a.png", "image", ("", picture(2001, 1000, "PNG")), "TOO_LARGE"),
        ("images/a.png", "image", ("", b"x" * 60_001), "TOO_LARGE"),
        ("slides/a.pdf", "document", ("", b"x" * 80_001), "TOO_LARGE"),
        ("https://a.example/a.png", "image", ("text/html", b"<!doctype html>"), "NOT_AN_IMAGE"),
        ("https://a.example/a.mp4", "video", ("", b"<html>"), "REFUSED"),
        ("https://a.example/a.mp4", "video", ("video/mp4", b" \n<!DOCTYPE html>"), "REFUSED"),
        ("https://a.example/a", "video", ("text/html", b"moov"), "REFUSED"),
        ("https://a.example/a.mp4", "video", ("video/mp4", b"x" * 80_001), "TOO_LARGE"),
    ],
)
async def test_what_is_not_fit_is_not_moved(
    running: Import, source: str, media_type: str, page: tuple[str, bytes], outcome: str
) -> None:
    running.config = {
        "image_limits": ImageLimits(max_pixels=2_000_000, max_bytes=60_000),
        "max_bytes": 80_000,
    }
    table, name = ("sponsors", "logo_url") if media_type == "image" else ("sessions", "slides_url")
    item_id = await running.plan(table, name, source, content=page[1], media_type=media_type)
    if source.startswith("http"):
        running.pages[source] = page
    assert await running.run() == {outcome: 1}
    item = await running.item(item_id)
    assert item.detail
    assert (item.url, item.moved_at) == (None, None)
    row: Any = await (running.sponsor() if media_type == "image" else running.session())
    assert getattr(row, name) == (source if source.startswith("http") else None)
    assert row.version == 1
    assert await running.storage.all_keys() == set()


@pytest.mark.parametrize("outcome", ["UNREACHABLE", "REFUSED", "TOO_LARGE"])
async def test_a_link_that_cannot_be_fetched_stays(running: Import, outcome: Any) -> None:
    url = "https://a.example/photo.jpg"
    running.pages[url] = FetchError(outcome, "the reason")
    item_id = await running.plan("speakers", "photo_url", url)
    assert await running.run() == {outcome: 1}
    assert (await running.item(item_id)).detail == "the reason"
    speaker = await running.speaker()
    assert (speaker.photo_url, speaker.icon_image_url) == (url, None)


async def test_a_web_page_among_the_archives_files_is_moved(running: Import) -> None:
    """Whatever the organiser packed is the organiser's; a browser is only offered it to save."""
    page = b"<!doctype html><p>slides"
    await running.plan("sessions", "slides_url", "a.html", content=page, media_type="document")
    assert await running.run() == {"MOVED": 1}
    url = (await running.session()).slides_url
    assert url is not None
    assert await running.storage.content(url) == page


async def test_entries_that_are_missing_or_broken(running: Import) -> None:
    await running.plan("sponsors", "logo_url", "gone.png", outcome="MISSING")
    gone = await running.plan("speakers", "photo_url", "images/gone.jpg")
    broken = await running.plan(
        "sessions", "slides_url", "slides/broken.pdf", content=b"", media_type="document"
    )

    def open_entry(name: str) -> Iterator[bytes]:
        if name == "images/gone.jpg":
            raise KeyError(name)

        def broken_entry() -> Iterator[bytes]:
            yield b"%PDF"
            raise EventImportError("the entry's checksum is wrong")

        return broken_entry()

    running.open_entry = open_entry  # type: ignore[method-assign]
    assert await running.run() == {"MISSING": 2, "REFUSED": 1}
    assert (await running.item(gone)).outcome == "MISSING"
    assert (await running.item(broken)).detail == "the entry's checksum is wrong"
    assert (await running.session()).slides_url is None
    assert await running.storage.all_keys() == set()
    assert running.told[-1] == ("Storing media files", 3, 3)


async def test_sizes_are_made_of_a_speakers_photo(running: Import) -> None:
    await running.plan("speakers", "photo_url", "images/ada.jpg", content=PHOTO)
    await running.run()
    speaker = await running.speaker()
    assert speaker.photo_url is not None
    assert await running.storage.content(speaker.photo_url) == PHOTO
    widths = {}
    for name in ("thumbnail", "small", "icon"):
        url = getattr(speaker, f"{name}_image_url")
        image = Image.open(BytesIO(await running.storage.content(url)))
        widths[name] = image.width
        assert image.format == "JPEG"
        assert url.endswith("/ada.jpg")
    assert widths == {"thumbnail": 500, "small": 75, "icon": 35}
    assert await running.linked_keys() == await running.storage.all_keys()


async def test_sizes_are_made_of_the_events_picture(running: Import) -> None:
    await running.plan(
        "events", "original_image_url", "https://a.example/", content=picture(1400, 700, "PNG")
    )
    await running.run()
    event = await running.event()
    for name, width in (("large", 1300), ("thumbnail", 500), ("icon", 75)):
        url = getattr(event, f"{name}_image_url")
        assert Image.open(BytesIO(await running.storage.content(url))).width == width
    assert await running.linked_keys() == await running.storage.all_keys()


async def test_sizes_that_the_archive_brings_are_its_own(running: Import) -> None:
    """Planned before or after the photo, fit or not: only what stays empty is made."""
    await running.plan("speakers", "small_image_url", "https://a.example/gone.jpg")
    await running.plan("speakers", "photo_url", "images/ada.jpg", content=PHOTO)
    await running.plan("speakers", "thumbnail_image_url", "images/thumb.png", content=LOGO)
    await running.plan("speakers", "icon_image_url", "images/icon.png", content=b"no picture")
    assert await running.run() == {"MOVED": 2, "UNREACHABLE": 1, "NOT_AN_IMAGE": 1}
    speaker = await running.speaker()
    assert speaker.thumbnail_image_url is not None
    assert await running.storage.content(speaker.thumbnail_image_url) == LOGO
    assert speaker.small_image_url == "https://a.example/gone.jpg"
    assert speaker.icon_image_url is not None
    icon = Image.open(BytesIO(await running.storage.content(speaker.icon_image_url)))
    assert icon.width == 35
    assert await running.linked_keys() == await running.storage.all_keys()
    assert len(await running.storage.all_keys()) == 3


async def test_a_name_whose_extension_lies_gets_another(running: Import) -> None:
    await running.plan("sponsors", "logo_url", "images/a.jpg.orig", content=LOGO)
    await running.run()
    url = (await running.sponsor()).logo_url
    assert url is not None
    assert url.endswith("/a.jpg.orig.png")


async def test_what_is_settled_is_not_moved_again(running: Import) -> None:
    await running.plan("speakers", "photo_url", "images/ada.jpg", content=PHOTO)
    await running.plan("sponsors", "logo_url", "https://a.example/gone.png")
    counts = await running.run()
    puts, keys = running.storage.puts, await running.storage.all_keys()
    running.told.clear()
    running.pages["https://a.example/gone.png"] = ("", LOGO)
    assert await running.run() == counts == {"MOVED": 1, "UNREACHABLE": 1}
    assert running.storage.puts == puts
    assert await running.storage.all_keys() == keys
    assert running.told == []


async def test_no_more_than_so_many_at_once(running: Import) -> None:
    for number in range(9):
        await running.plan(
            "sessions", "slides_url", f"{number}.pdf", content=b"%PDF", media_type="document"
        )
    busy: set[int] = set()
    most: list[int] = []
    everyone = asyncio.Event()

    async def enter(number: int, key: str) -> None:
        busy.add(number)
        most.append(len(busy))
        if len(busy) == 3:
            everyone.set()
        await soon(everyone)

    async def leave(number: int, key: str) -> None:
        busy.remove(number)

    running.storage.before, running.storage.after = enter, leave
    running.config = {"concurrency": 3}
    await running.run()
    assert max(most) == 3


async def test_more_media_than_are_read_at_once(
    running: Import, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eventimport.media.transfer.BATCH", 2)
    await plan_four(running)
    await running.plan("events", "logo_url", "images/logo.png", content=LOGO)
    assert await running.run() == {"MOVED": 5}
    assert running.told[-1] == ("Storing media files", 5, 5)


async def plan_logos(running: Import, count: int) -> None:
    """Sponsors, each with a logo of its own."""
    async with running.sessions.begin() as session:
        sponsors = [Sponsor(event_id=running.event_id, name=f"{n}") for n in range(count)]
        session.add_all(sponsors)
        await session.flush()
        for number, sponsor in enumerate(sponsors):
            running.entries[f"{number}.png"] = picture(20 + number, 20, "PNG")
            session.add(
                MediaItem(
                    import_job_id=running.lease.job_id,
                    event_id=running.event_id,
                    table_name="sponsors",
                    row_id=sponsor.id,
                    field="logo_url",
                    source=f"{number}.png",
                    entry=f"{number}.png",
                    origin="archive",
                    media_type="image",
                )
            )


@pytest.mark.parametrize("bytes_of_a_batch", [None, 1])
async def test_a_batch_needs_as_many_statements_as_a_file(
    running: Import, monkeypatch: pytest.MonkeyPatch, bytes_of_a_batch: int | None
) -> None:
    """However many files are in it. Large files need more batches."""
    monkeypatch.setattr("eventimport.media.transfer.LONGEST_WAIT", 60)
    statements: list[str] = []

    def count(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        statements.append(statement)

    await plan_logos(running, 1)
    event.listen(running.engine.sync_engine, "before_cursor_execute", count)
    try:
        assert await running.run() == {"MOVED": 1}
        of_one = len(statements)
        await plan_logos(running, 20)
        statements.clear()
        if bytes_of_a_batch is not None:
            monkeypatch.setattr("eventimport.media.transfer.BATCH_BYTES", bytes_of_a_batch)
        assert await running.run() == {"MOVED": 21}
    finally:
        event.remove(running.engine.sync_engine, "before_cursor_execute", count)
    if bytes_of_a_batch is None:
        assert len(statements) == of_one
    else:
        assert len(statements) > of_one
    assert len(await running.storage.all_keys()) == 21


async def test_a_file_that_several_rows_name_is_read_and_stored_once(running: Import) -> None:
    await running.plan("speakers", "photo_url", "ada.jpg", content=PHOTO)
    await running.plan("sponsors", "logo_url", "ada.jpg")
    await running.plan("events", "logo_url", "ada.jpg")
    await running.plan("events", "original_image_url", "ada.jpg")
    assert await running.run() == {"MOVED": 4}
    event, speaker, sponsor = (
        await running.event(),
        await running.speaker(),
        await running.sponsor(),
    )
    urls = {speaker.photo_url, sponsor.logo_url, event.logo_url, event.original_image_url}
    assert len(urls) == 1
    assert running.opened == ["ada.jpg"]
    widths = []
    for url in (speaker.thumbnail_image_url, event.thumbnail_image_url, event.icon_image_url):
        assert url is not None
        widths.append(Image.open(BytesIO(await running.storage.content(url))).width)
    assert widths == [500, 500, 75]
    assert await running.linked_keys() == await running.storage.all_keys()
    assert len(await running.storage.all_keys()) == 7
    assert running.told == [("Storing media files", 4, 4)]


async def test_a_link_that_several_rows_name_is_fetched_once(running: Import) -> None:
    await running.plan("sponsors", "logo_url", "https://a.example/a.png", content=LOGO)
    await running.plan("events", "logo_url", "https://a.example/a.png#top")
    await running.plan("speakers", "photo_url", "https://a.example/gone.png")
    await running.plan("speakers", "icon_image_url", "https://a.example/gone.png")
    assert await running.run() == {"MOVED": 2, "UNREACHABLE": 2}
    assert sorted(running.opened) == ["https://a.example/a.png", "https://a.example/gone.png"]
    assert (await running.event()).logo_url == (await running.sponsor()).logo_url


async def test_a_shared_file_leaves_a_changed_field_alone(running: Import) -> None:
    """The other rows get it; if every row was changed, nothing of it stays."""
    logo = await running.plan("sponsors", "logo_url", "a.png", content=LOGO)
    await running.plan("events", "logo_url", "a.png")
    slides = await running.plan(
        "sessions", "slides_url", "a.pdf", content=b"%PDF", media_type="document"
    )
    async with running.sessions.begin() as session:
        await session.execute(update(Sponsor).values(logo_url="https://mine.example/"))
        await session.execute(update(EventSession).values(slides_url="https://mine.example/"))
    assert await running.run() == {"MOVED": 1, "REFUSED": 2}
    assert (await running.sponsor()).logo_url == "https://mine.example/"
    for item_id in (logo, slides):
        item = await running.item(item_id)
        assert (item.outcome, item.url) == ("REFUSED", None)
        assert item.detail
    assert await running.storage.all_keys() == await running.linked_keys()
    assert len(await running.storage.all_keys()) == 1


async def test_bytes_over_the_limit_of_an_import_are_left_out(running: Import) -> None:
    """Whatever is stored already counts, in an earlier attempt, too; a shared file counts once."""
    running.config = {"max_stored_bytes": 10_000, "concurrency": 1}
    await running.plan("sponsors", "url", "0.pdf", content=b"x" * 4000, media_type="document")
    await running.plan("events", "logo_url", "0.pdf", media_type="document")
    await running.plan(
        "sessions", "slides_url", "1.pdf", content=b"x" * 6000, media_type="document"
    )
    assert await running.run() == {"MOVED": 3}
    late = [
        await running.plan("sessions", "audio_url", "2", content=b"x", media_type="audio"),
        await running.plan("speakers", "photo_url", "ada.jpg", content=PHOTO),
        await running.plan(
            "sessions", "video_url", "https://a.example/3", content=b"x", media_type="video"
        ),
    ]
    assert await running.run() == {"MOVED": 3, "TOO_LARGE": 3}
    for item_id in late:
        detail = (await running.item(item_id)).detail
        assert detail is not None
        assert "MAX_STORED_BYTES_PER_IMPORT" in detail
    assert running.opened == []
    assert len(await running.storage.all_keys()) == 2


async def test_what_could_not_be_stored_does_not_count(running: Import) -> None:
    running.config = {"max_stored_bytes": 6000, "max_bytes": 5000, "concurrency": 1}
    await running.plan("sessions", "audio_url", "1", content=b"x" * 5001, media_type="audio")
    await running.plan("sessions", "slides_url", "2", content=b"x" * 5000, media_type="document")
    assert await running.run() == {"MOVED": 1, "TOO_LARGE": 1}
    assert (await running.session()).slides_url


async def test_a_link_is_named_as_its_server_says(running: Import) -> None:
    slides, logo = "https://a.example/download.php?id=7", "https://a.example/image?id=8"
    running.names = {slides: "Opening talk.pdf", logo: "../our logo.jpg"}
    await running.plan("sessions", "slides_url", slides, content=b"%PDF", media_type="document")
    await running.plan("sponsors", "logo_url", logo, content=LOGO)
    assert await running.run() == {"MOVED": 2}
    url = (await running.session()).slides_url
    assert url is not None
    assert url.endswith("/Opening-talk.pdf")
    url = (await running.sponsor()).logo_url
    assert url is not None
    assert url.endswith("/our-logo.jpg.png")


async def test_a_jpeg_without_its_end_is_stored_and_said(running: Import) -> None:
    item_id = await running.plan("sponsors", "logo_url", "a.jpg", content=PHOTO[:-2])
    assert await running.run() == {"MOVED": 1}
    url = (await running.sponsor()).logo_url
    assert url is not None
    assert await running.storage.content(url) == PHOTO[:-2]
    assert "end marker" in str((await running.item(item_id)).detail)


async def test_data_urls_are_decoded_and_stored(running: Import) -> None:
    encoded = base64.b64encode(LOGO).decode()
    broken = "\n".join(encoded[start : start + 76] for start in range(0, len(encoded), 76))
    logo = await running.plan("sponsors", "logo_url", f"data:image/png;base64,{broken}")
    await running.plan("events", "logo_url", f"data:image/png;base64,{broken}")
    await running.plan("speakers", "photo_url", "data:image/png;base64,not base64")
    await running.plan(
        "sessions", "slides_url", "data:application/pdf,%25PDF", media_type="document"
    )
    assert await running.run() == {"MOVED": 3, "REFUSED": 1}
    sponsor, talk = await running.sponsor(), await running.session()
    assert sponsor.logo_url is not None
    assert talk.slides_url is not None
    assert await running.storage.content(sponsor.logo_url) == LOGO
    assert sponsor.logo_url == (await running.event()).logo_url
    assert sponsor.logo_url.endswith("/file.png")
    assert await running.storage.content(talk.slides_url) == b"%PDF"
    assert talk.slides_url.endswith("/file.pdf")
    assert (await running.speaker()).photo_url is None
    records = ImportMediaRecords(running.engine, running.lease)
    listed = (await records.report())["items"]
    assert listed
    assert all(len(item["source"] or "") <= 1000 for item in listed)
    assert (await running.item(logo)).outcome == "MOVED"


async def test_every_file_of_the_shared_archives_is_moved_byte_for_byte(
    running: Import, archives: list[Path]
) -> None:
    """One sponsor's logo for each picture, one session's slides for each other file."""
    pictures = {".jpg", ".jpeg", ".png", ".gif", ".dms", ".orig"}
    moved = 0
    for path in archives:
        report = Report()
        with (
            path.open("rb") as file,
            zipfile.ZipFile(path) as original,
            Source.open(file, ArchiveLimits(), report) as archive,
        ):
            find_layout(archive, report)
            running.open_entry = archive.read  # type: ignore[method-assign]
            names: dict[int, str] = {}
            async with running.sessions.begin() as session:
                for entry in archive.media.values():
                    logo = Path(entry.name).suffix.lower() in pictures
                    row: Sponsor | EventSession = (
                        Sponsor(event_id=running.event_id)
                        if logo
                        else EventSession(event_id=running.event_id)
                    )
                    session.add(row)
                    await session.flush()
                    item = MediaItem(
                        import_job_id=running.lease.job_id,
                        event_id=running.event_id,
                        table_name=row.__tablename__,
                        row_id=row.id,
                        field="logo_url" if logo else "slides_url",
                        source=entry.name,
                        origin="archive",
                        media_type="image" if logo else "document",
                        entry=entry.name,
                    )
                    session.add(item)
                    await session.flush()
                    names[item.id] = entry.name
            moved += len(archive.media)
            assert await running.run() == ({"MOVED": moved} if moved else {})
            for item_id, name in names.items():
                url = (await running.item(item_id)).url
                assert url is not None
                given = original.read(name)
                expected = without_metadata(given) if Path(name).suffix in pictures else given
                assert await running.storage.content(url) == expected
        running.lease = await running.claim_anew()
    assert moved > 700
