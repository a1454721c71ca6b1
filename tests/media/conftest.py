"""An import whose media are still to be moved, a storage that is watched, and a made-up web."""

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
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker
from tests.storage_doubles import MemoryStorage

from eventimport.database.media_records import ImportMediaRecords
from eventimport.database.models import (
    Event,
    EventSession,
    ImportJob,
    ImportStatus,
    MediaItem,
    Speaker,
    Sponsor,
    Task,
    User,
)
from eventimport.database.tasks import Lease
from eventimport.media.fetch import Fetched, Fetcher, FetchError, FetchLimits
from eventimport.media.image_processes import ImageProcesses, ImageProcessesConfig
from eventimport.media.transfer import MediaRecords, MediaTransfer, TransferConfig
from eventimport.storage.protocol import StoredObject

MEDIA = "/media/"


def picture(width: int = 600, height: int = 400, name: str = "JPEG") -> bytes:
    target = BytesIO()
    Image.linear_gradient("L").resize((width, height)).convert("RGB").save(target, format=name)
    return target.getvalue()


PHOTO = picture()
LOGO = picture(50, 50, "PNG")


async def soon(event: asyncio.Event) -> None:
    """Wait for what is bound to happen; that it does not fails the test instead of holding it."""
    async with asyncio.timeout(60):
        await event.wait()


class WebPages(Fetcher):
    """A web of what is written here."""

    def __init__(self, pages: dict[str, tuple[str, bytes] | FetchError]) -> None:
        super().__init__(FetchLimits())
        self.pages = pages
        self.opened: list[str] = []
        self.names: dict[str, str] = {}

    @asynccontextmanager
    async def open(self, url: str, **bounds: Any) -> AsyncIterator[Fetched]:
        self.opened.append(url)
        page = self.pages.get(url, FetchError("UNREACHABLE", "no such host"))
        if isinstance(page, FetchError):
            raise page

        async def chunks() -> AsyncIterator[bytes]:
            for start in range(0, len(page[1]), 1000):
                yield page[1][start : start + 1000]

        yield Fetched(url, page[0], None, chunks(), self.names.get(url, ""))


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
        return set(self._objects)

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
    images: ImageProcesses
    entries: dict[str, bytes] = field(default_factory=dict)
    storage: WatchedStorage = field(default_factory=WatchedStorage)
    pages: dict[str, tuple[str, bytes] | FetchError] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    opened: list[str] = field(default_factory=list)
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
    ) -> int:
        """Plan a medium; `content` is that of its entry or of its page."""
        remote, inline = source.startswith("http"), source.startswith("data:")
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
                origin="remote" if remote else "inline" if inline else "archive",
                media_type=media_type,
                outcome=outcome,
                entry=source if not (remote or inline) and outcome == "PLANNED" else None,
            )
            session.add(item)
            await session.flush()
            return item.id

    async def run(self, lease: Lease | None = None) -> dict[str, int]:
        records: MediaRecords = ImportMediaRecords(self.engine, lease or self.lease)
        config = TransferConfig(**{"storage_wait": 0, **self.config})
        async with WebPages(self.pages) as fetcher:
            self.opened = fetcher.opened
            fetcher.names = self.names
            transfer = MediaTransfer(
                records,
                self.storage,
                fetcher,
                self.images,
                config,
                show=lambda *progress: self.told.append(progress),
            )
            return dict(await transfer.run(self.open_entry))

    def open_entry(self, name: str) -> Iterator[bytes]:
        self.opened.append(name)
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
                update(Task).where(Task.id == self.lease.job_id).values(attempt=Task.attempt + 1)
            )
        return Lease(
            task_id=self.lease.job_id,
            attempt=self.lease.attempt + 1,
            user_id=self.lease.user_id,
            format="openevent",
            strict=False,
            dry_run=False,
            archive_storage="memory",
            archive_key="",
            event_id=self.event_id,
        )


@pytest.fixture
async def images() -> AsyncIterator[ImageProcesses]:
    images = ImageProcesses(ImageProcessesConfig(processes=1))
    yield images
    await images.close()


@pytest.fixture
async def running(
    images: ImageProcesses,
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
            task_id=job_id,
            attempt=1,
            user_id=user.id,
            format="openevent",
            strict=False,
            dry_run=False,
            archive_storage="memory",
            archive_key="",
            event_id=event.id,
        )
        return Import(
            engine, session_factory, lease, event.id, speaker.id, talk.id, sponsor.id, images
        )


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
