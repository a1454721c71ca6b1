"""A spool holds an event as it is at one moment, and nothing of it in memory."""

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from tests.database.test_conference_reader import imported, talks
from tests.stored_files import chunks_of

from eventimport.conference.kinds import IMPORT_ORDER, Kind
from eventimport.database.conference_reader import read_conference, snapshot
from eventimport.database.event_versions import count_change
from eventimport.database.models import Event, EventSession, ObjectPurpose, SessionSpeaker, Speaker
from eventimport.database.objects import Use, record_objects, use_objects
from eventimport.exports.spool import Spool, spool_event
from eventimport.storage.config import LocalConfig
from eventimport.storage.factory import StorageSet

SIZE = 7


@pytest.fixture
def storages(tmp_path: Path) -> StorageSet:
    config = LocalConfig(root=tmp_path, base_url="https://events.example")
    return StorageSet.create([config], active_name="local")


async def test_what_is_changed_meanwhile_is_not_in_it(
    engine: AsyncEngine, storages: StorageSet
) -> None:
    _, plan = await imported(engine, talks(SIZE))
    async with snapshot(engine) as connection:
        before = await read_conference(connection, plan.event_id)
    assert before is not None
    conference, links = before

    async def change(_connection: AsyncConnection) -> str:
        async with engine.begin() as other:
            await count_change(other, plan.event_id)
            await other.execute(update(Event).values(name="Changed"))
            await other.execute(update(EventSession).values(title="Changed"))
            await other.execute(delete(SessionSpeaker))
            await other.execute(delete(Speaker))
        return "done"

    with closing(Spool()) as spool:
        found = await spool_event(engine, storages, plan.event_id, spool, beside=change)
        assert found == (1, "done")
        assert spool.event == conference.event
        for level in IMPORT_ORDER:
            expected = conference.records[level.kind]
            assert list(spool.records(level.kind)) == expected
            assert spool.count(level.kind) == len(expected)
        assert list(spool.links()) == sorted(links)
        # Two readers at once do not disturb each other.
        pairs = zip(spool.records(Kind.SESSION), spool.records(Kind.SESSION), strict=True)
        assert all(one == other for one, other in pairs)
    with closing(Spool()) as spool:
        found = await spool_event(engine, storages, plan.event_id, spool)
        assert found == (2, None)
        assert {session.values["title"] for session in spool.records(Kind.SESSION)} == {"Changed"}
        assert await spool_event(engine, storages, 10**9, spool) is None


async def test_it_knows_which_urls_are_those_of_stored_files(
    engine: AsyncEngine, storages: StorageSet
) -> None:
    _, plan = await imported(engine, talks(2))
    storage = storages.active
    keys = [f"events/1/speakers/{number}/photo_url/ab/ä b.png" for number in range(2)]
    for key in keys:
        await storage.put(key, chunks_of(b"x"), content_type="image/png")
    async with engine.begin() as connection:
        await record_objects(connection, storage.name, keys, ObjectPurpose.MEDIA)
        use = Use(key=keys[0], size=1, event_id=plan.event_id)
        await use_objects(connection, storage.name, [use])
        ids = (await connection.scalars(select(Speaker.id).order_by(Speaker.id))).all()
        urls: list[Any] = [storage.public_url(key) for key in keys]
        for speaker_id, url in zip(ids, urls, strict=True):
            named = {"photo_url": url, "icon_image_url": f"{url}?x", "website": urls[0]}
            await connection.execute(
                update(Speaker).where(Speaker.id == speaker_id).values(**named)
            )
        private = {"thumbnail_image_url": "https://events.example/media/private/exports/x/1"}
        await connection.execute(update(Speaker).values(**private))

    with closing(Spool()) as spool:
        await spool_event(engine, storages, plan.event_id, spool)

        assert spool.file_at(urls[0]) == ("local", keys[0])
        # That one is not stored yet, and the others are not URLs of ours.
        others = [urls[1], f"{urls[0]}?x", *private.values(), "https://other.example/a.png"]
        assert [spool.file_at(url) for url in others] == [None] * 4
