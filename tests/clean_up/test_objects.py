"""Files that nothing uses are deleted by their rows, and no others."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete, func, select, text, update
from tests.clean_up.conftest import CONFERENCE, PLACES, UnreliableStorage, World
from tests.formats.planning import zip_of
from tests.jobs.conftest import Imports
from tests.lost_workers import lose_workers
from tests.stored_files import chunks_of, keys_in, store

from eventimport import stored_objects
from eventimport.database import objects
from eventimport.database.event_changes import delete_event
from eventimport.database.models import (
    Event,
    ObjectLink,
    ObjectPurpose,
    ObjectRecord,
    ObjectState,
    Speaker,
    User,
)
from eventimport.database.objects import (
    ObjectLostError,
    Use,
    give_up_objects,
    record_objects,
    take_unlinked,
    use_objects,
)
from eventimport.jobs import clean_up as clean_up_module
from eventimport.storage.keys import media_key, upload_key
from eventimport.storage.protocol import StorageError

FIVE = zip_of(
    {
        "event": {"id": 1, "name": "Conference"},
        "speakers": [
            {"id": number, "name": f"Speaker {number}", "photo": "/images/all.gif"}
            for number in range(1, 6)
        ],
    },
    {
        "images/all.gif": b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff"
        b"!\xf9\x04\x01\x00\x00\x00\x00,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"
    },
)
"""Five speakers who share a photo, which is too small for sizes of it."""


@pytest.mark.parametrize("place", PLACES)
async def test_all_that_is_in_use_stays_byte_for_byte(world: World, imports: Imports) -> None:
    await imports.run(CONFERENCE)
    await imports.run(b"PK\x03\x04 broken")
    await imports.run(CONFERENCE, dry_run=True)
    await imports.accept(CONFERENCE)
    running = await imports.job(await imports.accept(CONFERENCE))
    await world.change(running, status="STARTED", attempt=1)
    uploads: dict[str, Any] = {"used_by": {"user_id": imports.user.id}, "user_id": imports.user.id}
    for storage in world.storages:
        key = upload_key(imports.user.id, "a.png")
        await store(world.resources, key, ObjectPurpose.UPLOAD, storage=storage, **uploads)
    used = await world.objects()
    assert len([key for _, key in used if key.startswith("events/")]) == 9
    assert await world.recorded() == set(used)
    for storage in world.storages:
        await world.put(storage)
        await store(world.resources, upload_key(7, "a"), ObjectPurpose.UPLOAD, storage=storage)
    everything = await world.objects()

    assert await world.clean_up(after=timedelta(hours=23)) == {}
    assert await world.objects() == everything
    assert await world.clean_up() == {"probe": 3, "upload": 3}
    assert await world.objects() == used
    assert await world.recorded() == set(used)
    assert await world.clean_up() == {}


@pytest.mark.parametrize("place", PLACES)
async def test_what_is_not_recorded_is_never_deleted(world: World, imports: Imports) -> None:
    """Be it a stranger's, another installation's in the same bucket, or ours from before a backup
    that was restored."""
    event_id = (await imports.run(CONFERENCE)).event_id
    assert event_id is not None
    strangers = [
        "readme.txt",
        "private/installation",
        f"private/probes/{'a' * 24}",
        upload_key(imports.user.id, "a.png"),
        media_key(event_id, "events", event_id, "logo_url", "a.png"),
        media_key(999_999_999, "events", 1, "logo_url", "a.png"),
    ]
    for storage in world.storages:
        for key in strangers:
            await storage.put(key, chunks_of(b"x"), content_type="text/plain")
    async with world.resources.engine.begin() as connection:
        files = await delete_event(connection, event_id)
    await stored_objects.delete_objects(world.resources.engine, world.storages, files)

    await world.clean_up(after=timedelta(days=365))

    assert set(await world.objects()) == {
        (storage.name, key) for storage in world.storages for key in strangers
    }


async def test_an_event_that_is_deleted_takes_its_files_along(
    world: World, imports: Imports
) -> None:
    first, second = await imports.run(CONFERENCE), await imports.run(CONFERENCE)
    assert first.event_id is not None
    async with world.resources.engine.begin() as connection:
        files = await delete_event(connection, first.event_id)
    assert {one.purpose for one in files} == {"media"}
    assert len(files) == 9

    # The process dies before it deletes them; the age of the files does not matter then.
    assert await world.clean_up(after=timedelta(0)) == {"media": 9}
    left = [key for _, key in await world.objects() if key.startswith("events/")]
    assert len(left) == 9
    assert all(key.startswith(f"events/{second.event_id}/") for key in left)


async def test_a_shared_file_stays_until_its_last_use_goes(world: World, imports: Imports) -> None:
    event_id = (await imports.run(FIVE)).event_id
    async with world.resources.engine.connect() as connection:
        links = select(func.count()).where(ObjectLink.field == "photo_url")
        assert await connection.scalar(links) == 5
        photos = select(func.count(func.distinct(Speaker.photo_url)))
        assert await connection.scalar(photos) == 1
    (original,) = {
        key
        for _, key in await world.objects()
        if key.startswith("events/") and "-" not in key.split("/")[-2]
    }

    for left in range(4, -1, -1):
        async with world.resources.engine.begin() as connection:
            one = select(func.min(Speaker.id)).where(Speaker.event_id == event_id)
            await connection.execute(delete(Speaker).where(Speaker.id == one.scalar_subquery()))
        counts = await world.clean_up()
        stays = ("local", original) in await world.objects()
        assert stays is (left > 0)
        assert bool(counts) is (left == 0)
    assert await world.count(ObjectLink) == 1, "that of the archive"


async def test_a_replaced_file_stays_with_its_event(world: World, imports: Imports) -> None:
    event_id = (await imports.run(CONFERENCE)).event_id
    before = await world.objects()
    async with world.resources.engine.begin() as connection:
        none = {f"{size}_image_url": None for size in ("original", "large", "thumbnail", "icon")}
        await connection.execute(update(Event).where(Event.id == event_id).values(**none))

    assert await world.clean_up() == {}
    assert await world.objects() == before


async def test_a_user_who_is_deleted_takes_what_is_their_own_along(
    world: World, imports: Imports
) -> None:
    """The event stays, and so do its files."""
    await imports.run(CONFERENCE)
    key = upload_key(imports.user.id, "a.png")
    use = {"user_id": imports.user.id}
    await store(world.resources, key, ObjectPurpose.UPLOAD, user_id=imports.user.id, used_by=use)
    media = {place for place in await world.objects() if place[1].startswith("events/")}
    async with world.resources.engine.begin() as connection:
        await connection.execute(delete(User).where(User.id == imports.user.id))

    assert await world.clean_up() == {"archive": 1, "upload": 1}
    assert set(await world.objects()) == media


async def test_an_import_that_is_given_up_deletes_what_is_its_own(
    world: World, imports: Imports
) -> None:
    """After its last attempt, whatever has become of the attempts before."""
    job = await imports.job(await imports.accept(CONFERENCE))
    await store(world.resources, media_key(1, "events", 1, "logo_url", "a"), ObjectPurpose.MEDIA)
    await world.change(job, status="STARTED", held=True, failures=99)

    await lose_workers(world.resources)

    assert (await imports.job(job.id)).status == "FAILURE"
    assert await world.clean_up() == {"media": 1}
    assert await keys_in(world.storages.active) == [job.archive_key]


@pytest.mark.parametrize("nth", [1, 2, 3, 4])
async def test_a_failing_deletion_does_not_stop_the_rest(world: World, nth: int) -> None:
    keys = {await world.put() for _ in range(4)}
    local = world.storages.get("local")
    world.storages._backends["local"] = UnreliableStorage(local, fail_delete_at=nth)

    assert await world.clean_up() == {"failed": 1, "probe": 3}
    (left,) = await world.objects()
    assert left[1] in keys
    assert await world.recorded() == {left}
    assert await world.clean_up(after=timedelta(0)) == {"probe": 1}
    assert await world.recorded() == set()


async def test_a_storage_that_deletes_nothing_is_soon_given_up(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clean_up_module, "BATCH", 25)
    for storage in ("local", "memory"):
        for _ in range(60):
            await world.put(world.storages.get(storage))
    local = world.storages.get("local")
    faulty = UnreliableStorage(local, fail_delete_at=1, failing_for=1_000)
    world.storages._backends["local"] = faulty

    assert await world.clean_up() == {"failed": faulty.deletions, "probe": 60}
    assert faulty.deletions < 20
    assert {name for name, _ in await world.objects()} == {"local"}


async def test_a_storage_that_is_no_longer_configured_is_reported_once(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(3):
        await world.put()
    async with world.resources.engine.begin() as connection:
        await connection.execute(update(ObjectRecord).values(storage="gcs"))
    await world.put()

    assert await world.clean_up() == {"probe": 1}
    assert caplog.text.count("unused files in 'gcs' are not deleted, because this storage") == 1
    assert {name for name, _ in await world.recorded()} == {"gcs"}


async def test_many_files_are_looked_at_batch_by_batch(
    world: World, imports: Imports, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clean_up_module, "BATCH", 7)
    await imports.run(CONFERENCE)
    before = await world.objects()
    for _ in range(25):
        await world.put()

    assert await world.clean_up() == {"probe": 25}
    assert await world.objects() == before


async def test_what_is_being_stored_may_not_be_used_once_it_was_given_up(world: World) -> None:
    """An upload that takes longer than a day."""
    key = upload_key(1, "a")
    async with world.resources.engine.begin() as connection:
        await record_objects(connection, "local", [key], ObjectPurpose.UPLOAD)
    assert await world.clean_up() == {"upload": 1}
    await world.storages.active.put(key, chunks_of(b"x"), content_type="text/plain")

    with pytest.raises(ObjectLostError):
        async with world.resources.engine.begin() as connection:
            await use_objects(connection, "local", [Use(key=key, size=1, user_id=1)])


WAITING = text(
    "SELECT count(*) FROM pg_stat_activity"
    " WHERE datname = current_database() AND wait_event_type = 'Lock'"
)


async def waiting(world: World) -> None:
    """Return once somebody waits for a lock."""
    async with asyncio.timeout(60), world.resources.reader.connect() as connection:
        while not await connection.scalar(WAITING):
            pass


@pytest.mark.parametrize("outcome", ["commit", "rollback"])
async def test_a_file_that_is_just_being_linked_is_left_alone(
    world: World, imports: Imports, outcome: str
) -> None:
    key = await world.put()
    engine = world.resources.engine
    async with engine.begin() as connection:
        await connection.execute(
            update(ObjectRecord).values(created_at=func.now() - text("interval '2 days'"))
        )
    async with engine.connect() as linking:
        use = Use(key=key, size=1, user_id=imports.user.id)
        await use_objects(linking, "local", [use])
        assert await clean_up_module.clean_up(world.resources) == {}, "it does not wait"
        giving_up = asyncio.create_task(_give_up(world, key))
        await waiting(world)
        await getattr(linking, outcome)()
    given_up = await giving_up

    assert len(given_up) == (0 if outcome == "commit" else 1)
    counts = await clean_up_module.clean_up(world.resources)
    assert counts == ({} if outcome == "commit" else {"probe": 1})


async def _give_up(world: World, key: str) -> list[Any]:
    async with world.resources.engine.begin() as connection:
        return await give_up_objects(connection, "local", [key])


async def test_a_link_that_comes_after_the_lock_is_refused(world: World, imports: Imports) -> None:
    key = await world.put()
    engine = world.resources.engine

    async def link() -> None:
        async with engine.begin() as connection:
            use = Use(key=key, size=1, user_id=imports.user.id)
            await use_objects(connection, "local", [use])

    async with engine.begin() as connection:
        (unlinked,), _ = await take_unlinked(connection, ["local"], timedelta(0), after=0, limit=10)
        linking = asyncio.create_task(link())
        await waiting(world)
    with pytest.raises(ObjectLostError):
        await linking
    assert unlinked.key == key
    assert await world.clean_up(after=timedelta(0)) == {"probe": 1}


async def test_a_link_between_the_choice_and_the_mark_counts(
    world: World, imports: Imports, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rows are locked by then; what was committed just before must still be seen."""
    key = await world.put()
    mark = objects.__dict__["_mark"]

    async def link_first(connection: Any, locked: Any) -> Any:
        await connection.rollback()
        async with world.resources.engine.begin() as other:
            use = Use(key=key, size=1, user_id=imports.user.id)
            await use_objects(other, "local", [use])
        await connection.begin()
        return await mark(connection, locked)

    monkeypatch.setattr(objects, "_mark", link_first)
    async with world.resources.engine.connect() as connection:
        found, _ = await take_unlinked(connection, ["local"], timedelta(0), after=0, limit=10)
        await connection.commit()

    assert found == []
    assert await world.recorded() == {("local", key)}


@pytest.mark.parametrize(
    "step", ["delete_unfinished", "delete", "forget"], ids=lambda name: f"before {name}"
)
async def test_a_removal_that_is_cut_off_goes_on_in_the_next_round(
    world: World, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    key = await world.put()

    class Cut(BaseException):
        pass

    async def cut(*_args: Any) -> None:
        raise Cut

    with monkeypatch.context() as patch:
        if step == "forget":
            patch.setattr(stored_objects, "forget_objects", cut)
        else:
            patch.setattr(world.storages.get("local"), step, cut)
        with pytest.raises(BaseException) as raised:  # noqa: PT011 - it may come in a group
            await world.clean_up()
        assert "Cut" in repr(raised.value)
    async with world.resources.engine.connect() as connection:
        assert await connection.scalar(select(ObjectRecord.state)) == ObjectState.DELETING
    assert (await keys_in(world.storages.active) == []) is (step == "forget")

    assert await world.clean_up(after=timedelta(0)) == {"probe": 1}
    assert (await world.objects(), await world.recorded()) == ({}, set())
    assert key


async def test_a_storage_that_is_unavailable_is_tried_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.put()

    async def fail(_key: str) -> None:
        raise StorageError("no answer")

    with monkeypatch.context() as patch:
        patch.setattr(world.storages.get("local"), "delete_unfinished", fail)
        assert await world.clean_up() == {"failed": 1}
    assert await world.clean_up(after=timedelta(0)) == {"probe": 1}


async def test_rounds_at_once_delete_each_file_once(world: World) -> None:
    for _ in range(40):
        await world.put()
    async with world.resources.engine.begin() as connection:
        await connection.execute(
            update(ObjectRecord).values(created_at=func.now() - text("interval '2 days'"))
        )

    rounds = await asyncio.gather(*(clean_up_module.clean_up(world.resources) for _ in range(3)))

    assert sum(counts.get("probe", 0) for counts in rounds) >= 40
    assert (await world.objects(), await world.recorded()) == ({}, set())
