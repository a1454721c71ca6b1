"""Moving media: every outcome, every interruption, and nothing left behind by any of them."""

import asyncio
import secrets
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any
from uuid import uuid4

import pytest
from PIL import Image
from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker

from eventimport.database.leases import Lease, StaleAttemptError
from eventimport.database.media_records import ImportMediaRecords
from eventimport.database.models import (
    Event,
    EventSession,
    ImportJob,
    ImportStatus,
    MediaItem,
    Speaker,
    Sponsor,
    User,
)
from eventimport.errors import EventImportError
from eventimport.media.fetch import Fetched, Fetcher, FetchError, FetchLimits
from eventimport.media.images import ImageLimits
from eventimport.media.records import MediaRecords
from eventimport.media.transfer import MediaTransfer, TransferConfig
from eventimport.storage.memory import MemoryStorage
from eventimport.storage.protocol import StorageError, StoredObject

MEDIA = "/media/"


def picture(width: int = 600, height: int = 400, name: str = "JPEG") -> bytes:
    target = BytesIO()
    Image.linear_gradient("L").resize((width, height)).convert("RGB").save(target, format=name)
    return target.getvalue()


PHOTO = picture()
LOGO = picture(50, 50, "PNG")


async def soon(event: asyncio.Event) -> None:
    """Wait for what is bound to happen; that it does not fails the test instead of holding it."""
    async with asyncio.timeout(30):
        await event.wait()


class WebPages(Fetcher):
    """A web of what is written here."""

    def __init__(self, pages: dict[str, tuple[str, bytes] | FetchError]) -> None:
        super().__init__(FetchLimits())
        self.pages = pages

    @asynccontextmanager
    async def open(self, url: str) -> AsyncIterator[Fetched]:
        page = self.pages.get(url, FetchError("UNREACHABLE", "no such host"))
        if isinstance(page, FetchError):
            raise page

        async def chunks() -> AsyncIterator[bytes]:
            for start in range(0, len(page[1]), 1000):
                yield page[1][start : start + 1000]

        yield Fetched(url, page[0], None, chunks())


Hook = Callable[[int, str], Awaitable[None]]


class WatchedStorage(MemoryStorage):
    """Counts what is put, and calls `before` and `after` with the number and the key of each."""

    def __init__(self) -> None:
        super().__init__()
        self.puts = 0
        self.before: Hook | None = None
        self.after: Hook | None = None

    async def put(
        self, key: str, chunks: AsyncIterable[bytes], *, content_type: str
    ) -> StoredObject:
        number = self.puts
        self.puts += 1
        if self.before is not None:
            await self.before(number, key)
        stored = await super().put(key, chunks, content_type=content_type)
        if self.after is not None:
            await self.after(number, key)
        return stored

    async def all_keys(self) -> set[str]:
        return {stored.key async for stored in self.keys("")}

    async def content(self, url: str) -> bytes:
        async with self.open(url.partition(MEDIA)[2]) as chunks:
            return b"".join([chunk async for chunk in chunks])


@dataclass
class Import:
    """An import whose event is written, and whose media are still to be moved."""

    engine: AsyncEngine
    sessions: async_sessionmaker[AsyncSession]
    lease: Lease
    event_id: int
    speaker_id: int
    session_id: int
    sponsor_id: int
    entries: dict[str, bytes] = field(default_factory=dict)
    storage: WatchedStorage = field(default_factory=WatchedStorage)
    pages: dict[str, tuple[str, bytes] | FetchError] = field(default_factory=dict)
    told: list[tuple[str, int, int]] = field(default_factory=list)
    config: dict[str, Any] = field(default_factory=dict)

    async def plan(
        self,
        table: str,
        name: str,
        source: str,
        *,
        content: bytes | None = None,
        media_type: str = "image",
        outcome: str = "PLANNED",
        object_key: str | None = None,
    ) -> int:
        """Plan a medium; `content` is that of its entry or of its page."""
        remote = source.startswith("http")
        rows: dict[str, tuple[Any, int]] = {
            "events": (Event, self.event_id),
            "speakers": (Speaker, self.speaker_id),
            "sessions": (EventSession, self.session_id),
            "sponsors": (Sponsor, self.sponsor_id),
        }
        model, row_id = rows[table]
        if content is not None and remote:
            self.pages[source] = ("", content)
        elif content is not None:
            self.entries[source] = content
        async with self.sessions.begin() as session:
            if remote:
                await session.execute(
                    update(model).where(model.id == row_id).values({name: source})
                )
            item = MediaItem(
                import_job_id=self.lease.job_id,
                event_id=self.event_id,
                table_name=table,
                row_id=row_id,
                field=name,
                source=source,
                origin="remote" if remote else "archive",
                media_type=media_type,
                outcome=outcome,
                entry=source if not remote and outcome == "PLANNED" else None,
                object_key=object_key,
            )
            session.add(item)
            await session.flush()
            return item.id

    async def run(self, lease: Lease | None = None) -> dict[str, int]:
        records: MediaRecords = ImportMediaRecords(self.engine, lease or self.lease)
        config = TransferConfig(**{"storage_wait": 0, **self.config})
        async with WebPages(self.pages) as fetcher:
            transfer = MediaTransfer(
                records,
                self.storage,
                fetcher,
                config,
                tell=lambda *progress: self.told.append(progress),
            )
            return dict(await transfer.run(self.open_entry))

    def open_entry(self, name: str) -> Iterator[bytes]:
        content = self.entries[name]
        return (content[start : start + 1000] for start in range(0, len(content), 1000))

    async def item(self, item_id: int) -> MediaItem:
        async with self.sessions() as session:
            return await session.get_one(MediaItem, item_id)

    async def event(self) -> Event:
        async with self.sessions() as session:
            return await session.get_one(Event, self.event_id)

    async def speaker(self) -> Speaker:
        async with self.sessions() as session:
            return await session.get_one(Speaker, self.speaker_id)

    async def session(self) -> EventSession:
        async with self.sessions() as session:
            return await session.get_one(EventSession, self.session_id)

    async def sponsor(self) -> Sponsor:
        async with self.sessions() as session:
            return await session.get_one(Sponsor, self.sponsor_id)

    async def linked_keys(self) -> set[str]:
        """The keys of all objects that a row holds the URL of."""
        rows: list[Any] = [
            await self.event(),
            await self.speaker(),
            await self.session(),
            await self.sponsor(),
        ]
        values = [value for row in rows for value in vars(row).values() if isinstance(value, str)]
        return {value.partition(MEDIA)[2] for value in values if value.startswith(MEDIA)}

    async def claim_anew(self) -> Lease:
        """Another worker begins the next attempt."""
        async with self.sessions.begin() as session:
            await session.execute(
                update(ImportJob)
                .where(ImportJob.id == self.lease.job_id)
                .values(attempt=ImportJob.attempt + 1)
            )
        return Lease(
            job_id=self.lease.job_id,
            attempt=self.lease.attempt + 1,
            user_id=self.lease.user_id,
            strict=False,
            dry_run=False,
            archive_storage="memory",
            archive_key="",
            event_id=self.event_id,
        )


@pytest.fixture
async def running(
    engine: AsyncEngine,
    session_factory: async_sessionmaker[AsyncSession],
    make_user: Callable[..., Awaitable[User]],
) -> Import:
    user = await make_user()
    job_id = uuid4()
    async with session_factory.begin() as session:
        event = Event(identifier=secrets.token_hex(4), name="Conference")
        session.add(event)
        await session.flush()
        speaker = Speaker(event_id=event.id, name="Ada")
        talk = EventSession(event_id=event.id, title="Talk")
        sponsor = Sponsor(event_id=event.id, name="Sponsor")
        job = ImportJob(
            id=job_id,
            user_id=user.id,
            status=ImportStatus.STARTED,
            attempt=1,
            event_id=event.id,
        )
        session.add_all([speaker, talk, sponsor, job])
        await session.flush()
        lease = Lease(
            job_id=job_id,
            attempt=1,
            user_id=user.id,
            strict=False,
            dry_run=False,
            archive_storage="memory",
            archive_key="",
            event_id=event.id,
        )
        return Import(engine, session_factory, lease, event.id, speaker.id, talk.id, sponsor.id)


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
        assert item.object_key == url.partition(MEDIA)[2]
        assert item.moved_at is not None
        stored = await running.storage.stat(item.object_key)
        assert stored is not None
        assert stored.content_type == ("image/png" if item_id == logo else "application/pdf")
    assert running.told == [("Moving media", 1, 2), ("Moving media", 2, 2)]


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
    assert (item.url, item.object_key, item.moved_at) == (None, None, None)
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
    assert running.told[-1] == ("Moving media", 3, 3)


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


async def plan_four(running: Import) -> None:
    await running.plan("speakers", "photo_url", "images/ada.jpg", content=PHOTO)
    await running.plan("sponsors", "logo_url", "images/logo.png", content=LOGO)
    await running.plan(
        "sessions", "slides_url", "1.pdf", content=b"%PDF" * 1000, media_type="document"
    )
    await running.plan(
        "sessions", "video_url", "https://a.example/1.mp4", content=b"moov", media_type="video"
    )


OBJECTS_OF_FOUR = 7


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("failing", range(OBJECTS_OF_FOUR))
async def test_the_nth_write_fails(running: Import, failing: int, when: str) -> None:
    """No orphan, every item that says MOVED is there, and the next run brings the rest."""
    await plan_four(running)

    async def fail(number: int, key: str) -> None:
        if number == failing:
            await running.storage.delete(key)
            raise StorageError("the disk is full", retryable=False)

    setattr(running.storage, when, fail)
    with pytest.raises(StorageError, match="full"):
        await running.run()
    assert await running.storage.all_keys() == await running.linked_keys()
    async with running.sessions() as session:
        moved = select(func.count()).where(MediaItem.outcome == "MOVED")
        assert (await session.scalar(moved) or 0) <= 3
    setattr(running.storage, when, None)
    assert await running.run() == {"MOVED": 4}
    assert await running.storage.all_keys() == await running.linked_keys()
    assert len(await running.storage.all_keys()) == OBJECTS_OF_FOUR
    assert running.told[-1] == ("Moving media", 4, 4)


async def test_storage_that_fails_for_a_moment_is_tried_again(running: Import) -> None:
    await plan_four(running)

    async def fail(number: int, key: str) -> None:
        if number % 2 == 0:
            raise StorageError("try again")

    running.storage.before = fail
    running.config = {"concurrency": 1}
    assert await running.run() == {"MOVED": 4}
    assert await running.storage.all_keys() == await running.linked_keys()
    talk = await running.session()
    assert talk.slides_url is not None
    assert await running.storage.content(talk.slides_url) == b"%PDF" * 1000


async def test_storage_that_goes_on_failing_is_given_up(running: Import) -> None:
    await running.plan("sponsors", "logo_url", "images/logo.png", content=LOGO)

    async def fail(number: int, key: str) -> None:
        raise StorageError("still away")

    running.storage.before = fail
    running.config = {"storage_attempts": 3}
    with pytest.raises(StorageError, match="still away"):
        await running.run()
    assert running.storage.puts == 3


async def test_what_a_killed_attempt_left_is_removed(running: Import) -> None:
    """Killed between storing and recording: the object, and a size of it, lie there unrecorded."""
    key = f"events/{running.event_id}/speakers/{running.speaker_id}/photo_url/{'a' * 24}/ada.jpg"
    size = (
        f"events/{running.event_id}/speakers/{running.speaker_id}/photo_url/{'a' * 24}-icon/a.jpg"
    )

    async def chunks() -> AsyncIterator[bytes]:
        yield PHOTO

    for left in (key, size):
        await running.storage.put(left, chunks(), content_type="image/jpeg")
    await running.plan("speakers", "photo_url", "ada.jpg", content=PHOTO, object_key=key)
    assert await running.run(await running.claim_anew()) == {"MOVED": 1}
    keys = await running.storage.all_keys()
    assert keys == await running.linked_keys()
    assert not keys & {key, size}


async def test_a_stale_attempt_records_nothing_and_leaves_nothing(running: Import) -> None:
    item_id = await running.plan("speakers", "photo_url", "ada.jpg", content=PHOTO)
    newer: list[Lease] = []

    async def overtake(number: int, key: str) -> None:
        if number == 0:
            newer.append(await running.claim_anew())

    running.storage.after = overtake
    with pytest.raises(StaleAttemptError):
        await running.run()
    assert await running.storage.all_keys() == set()
    assert (await running.item(item_id)).outcome == "PLANNED"
    assert (await running.speaker()).photo_url is None
    with pytest.raises(StaleAttemptError):
        await running.run()
    assert await running.run(newer[0]) == {"MOVED": 1}


async def test_two_attempts_at_once_leave_one_object(running: Import) -> None:
    """The older one stores its object while the newer one is at work on the same item."""
    await running.plan("sponsors", "logo_url", "logo.png", content=LOGO)
    reached, go_on = asyncio.Event(), asyncio.Event()

    async def hold_the_first(number: int, key: str) -> None:
        if number == 0:
            reached.set()
            await soon(go_on)

    running.storage.before = hold_the_first
    older = asyncio.create_task(running.run())
    await soon(reached)
    newer = await running.claim_anew()
    assert await running.run(newer) == {"MOVED": 1}
    go_on.set()
    with pytest.raises(StaleAttemptError):
        await older
    assert await running.storage.all_keys() == await running.linked_keys()
    assert len(await running.storage.all_keys()) == 1


async def test_a_revoked_import_moves_nothing_more(running: Import) -> None:
    await plan_four(running)

    async def revoke(number: int, key: str) -> None:
        async with running.sessions.begin() as session:
            await session.execute(update(ImportJob).values(status=ImportStatus.REVOKED))

    running.storage.after = revoke
    running.config = {"concurrency": 1}
    with pytest.raises(StaleAttemptError):
        await running.run()
    assert running.storage.puts == 1
    assert await running.storage.all_keys() == set()


async def test_a_cancelled_run_leaves_nothing_unrecorded(running: Import) -> None:
    await running.plan("speakers", "photo_url", "ada.jpg", content=PHOTO)
    reached = asyncio.Event()

    async def wait_for_ever(number: int, key: str) -> None:
        if number == 2:
            reached.set()
            await asyncio.get_running_loop().create_future()

    running.storage.before = wait_for_ever
    task = asyncio.create_task(running.run())
    await soon(reached)
    assert await running.storage.all_keys() != set()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await running.storage.all_keys() == set()


async def test_a_field_that_was_changed_meanwhile_is_left_alone(running: Import) -> None:
    item_id = await running.plan("speakers", "photo_url", "ada.jpg", content=PHOTO)

    async def change(number: int, key: str) -> None:
        async with running.sessions.begin() as session:
            await session.execute(update(Speaker).values(photo_url="https://b.example/mine.jpg"))

    running.storage.after = change
    assert await running.run() == {"REFUSED": 1}
    speaker = await running.speaker()
    assert (speaker.photo_url, speaker.icon_image_url) == ("https://b.example/mine.jpg", None)
    assert "changed" in ((await running.item(item_id)).detail or "")
    assert await running.storage.all_keys() == set()


async def test_an_event_that_is_deleted_meanwhile(running: Import) -> None:
    await plan_four(running)

    async def forget(number: int, key: str) -> None:
        async with running.sessions.begin() as session:
            await session.execute(delete(Event).where(Event.id == running.event_id))

    running.storage.after = forget
    assert await running.run() == {}
    assert await running.storage.all_keys() == set()


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
    assert running.told[-1] == ("Moving media", 5, 5)
