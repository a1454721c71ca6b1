"""Objects that nothing refers to are removed, and no others."""

import secrets
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import delete, select, update
from tests.clean_up.conftest import CONFERENCE, OLD, PLACES, UnreliableStorage, World
from tests.jobs.conftest import Imports

from eventimport.database.models import Event, ImportJob, MediaItem, User
from eventimport.database.orphans import orphans_among
from eventimport.jobs.recovery import recover
from eventimport.storage.claim import CLAIM_KEY
from eventimport.storage.event_objects import remove_event_objects
from eventimport.storage.keys import archive_key, media_key, upload_key
from eventimport.storage.probe import PROBE_PREFIX
from eventimport.storage.protocol import Storage

GONE = 999_999_999
"""No event has such an id."""


def probe_key() -> str:
    return PROBE_PREFIX + secrets.token_hex(12)


def strangers() -> list[str]:
    """Keys that look a little like ours, and are not."""
    token = secrets.token_hex(12)
    return [
        "readme.txt",
        "events/readme.txt",
        f"events/{GONE}/readme.txt",
        f"events/0{GONE}/events/1/logo_url/{token}/a.png",
        f"events/{GONE}/events/1/logo_url/{token[:-1]}/a.png",
        f"events/{GONE}/events/1/logo_url/{token}/deeper/a.png",
        f"events/{'9' * 30}/events/1/logo_url/{token}/a.png",
        f"old/events/{GONE}/events/1/logo_url/{token}/a.png",
        f"private/imports/{uuid4()}/notes.txt",
        f"private/imports/{str(uuid4()).upper()}/archive.zip",
        "private/imports/today/archive.zip",
        "private/keys.txt",
        f"{PROBE_PREFIX}notes.txt",
        f"uploads/{GONE}/{token}/a.png",
    ]


async def all_kinds_of_orphans(world: World, event_id: int, storage: Storage) -> dict[str, int]:
    """Store two of each; gives back what a round is to count for them."""
    for _ in range(2):
        await world.put(media_key(GONE, "events", GONE, "logo_url", "a.png"), storage)
        await world.put(media_key(event_id, "events", event_id, "logo_url", "a.png"), storage)
        await world.put(archive_key(uuid4()), storage)
        await world.put(probe_key(), storage)
    kept_size = media_key(event_id, "events", event_id, "logo_url", "a.png")
    folder, name = kept_size.rsplit("/", 1)
    await world.put(f"{folder}-icon/{name}", storage)
    return {"event_gone": 2, "never_used": 3, "orphaned_archive": 2, "probe": 2}


@pytest.mark.parametrize("place", PLACES)
async def test_all_that_is_in_use_stays_byte_for_byte(world: World, imports: Imports) -> None:
    first = await imports.run(CONFERENCE)
    second = await imports.run(CONFERENCE)
    assert first.event_id is not None
    await imports.run(b"PK\x03\x04 broken")
    await imports.run(CONFERENCE, dry_run=True)
    await imports.accept(CONFERENCE)
    running = await imports.job(await imports.accept(CONFERENCE))
    await world.change(running, status="STARTED", attempt=1)
    for storage in world.storages:
        await world.put(upload_key(imports.user.id, "a.png"), storage)
        for key in strangers():
            await world.put(key, storage)
    used = await world.objects()
    moved = [key for _, key in used if key.startswith(f"events/{second.event_id}/")]
    assert len(moved) == 9, "a file, two pictures, and three sizes of each"

    wanted: dict[str, int] = {}
    for storage in world.storages:
        counts = await all_kinds_of_orphans(world, first.event_id, storage)
        wanted = {reason: wanted.get(reason, 0) + count for reason, count in counts.items()}
    everything = await world.objects()

    assert await world.clean_up(after=timedelta(hours=23)) == {}
    assert await world.objects() == everything
    assert await world.clean_up() == wanted
    assert await world.objects() == used
    assert await world.clean_up() == {}


async def test_media_of_a_running_import_stay(world: World, imports: Imports) -> None:
    """Whatever their age: an attempt may be at them."""
    job = await imports.run(CONFERENCE)
    await world.change(job, status="STARTED")
    assert job.event_id is not None
    key = await world.put(media_key(job.event_id, "events", job.event_id, "logo_url", "a.png"))

    assert await world.clean_up() == {}
    await world.change(job, status="SUCCESS")
    assert await world.clean_up() == {"never_used": 1}
    assert await world.storages.active.stat(key) is None


@pytest.mark.parametrize(
    ("model", "values"),
    [
        (Event, {"icon_image_url": "https://cdn.example/static/{key}?v=2"}),
        (Event, {"description": '<p><img src="/media/{key}"></p>'}),
        (Event, {"extra": {"banners": ["https://here.example/media/{key}"]}}),
    ],
)
async def test_what_any_value_of_the_event_names_stays(
    world: World, imports: Imports, model: type[Event], values: dict[str, Any]
) -> None:
    event_id = (await imports.run(CONFERENCE)).event_id
    assert event_id is not None
    key = await world.put(media_key(event_id, "events", event_id, "logo_url", "a.png"))
    filled = {
        name: value.replace("{key}", key)
        if isinstance(value, str)
        else {"banners": [url.replace("{key}", key) for url in value["banners"]]}
        for name, value in values.items()
    }
    async with world.resources.engine.begin() as connection:
        await connection.execute(update(model).where(model.id == event_id).values(**filled))

    assert await world.clean_up() == {}
    assert await world.storages.active.stat(key) is not None


async def test_a_replaced_medium_stays_with_its_event(world: World, imports: Imports) -> None:
    event_id = (await imports.run(CONFERENCE)).event_id
    before = await world.objects()
    sizes = ("original", "large", "thumbnail", "icon")
    async with world.resources.engine.begin() as connection:
        none = {f"{size}_image_url": None for size in sizes}
        await connection.execute(update(Event).where(Event.id == event_id).values(**none))

    assert await world.clean_up() == {}
    assert await world.objects() == before


async def test_media_of_an_event_whose_user_is_gone_stay(world: World, imports: Imports) -> None:
    """The import's records went with the user: what its event uses can't be told any more."""
    job = await imports.run(CONFERENCE)
    async with world.resources.engine.begin() as connection:
        await connection.execute(delete(User).where(User.id == imports.user.id))
        assert await connection.scalar(select(MediaItem.id)) is None
    media = {place for place in await world.objects() if place[1].startswith("events/")}

    assert await world.clean_up() == {"orphaned_archive": 1}
    assert set(await world.objects()) == media
    async with world.resources.engine.begin() as connection:
        await connection.execute(delete(Event).where(Event.id == job.event_id))
    assert await world.clean_up() == {"event_gone": 9}
    assert await world.objects() == {}


async def test_a_deleted_events_objects_go_where_its_deletion_could_not(
    world: World, imports: Imports
) -> None:
    job = await imports.run(CONFERENCE)
    async with world.resources.engine.begin() as connection:
        await connection.execute(delete(Event).where(Event.id == job.event_id))
        kept = await connection.execute(select(ImportJob.event_id, ImportJob.archive_key))
    assert kept.one() == (None, archive_key(job.id)), "its archive is kept as any other's"
    assert job.event_id is not None
    away = UnreliableStorage(world.storages.active, fail_delete_at=1, failing_for=1_000)
    await remove_event_objects([away], job.event_id, None)

    assert await world.clean_up() == {"event_gone": 9}
    assert set(await world.objects()) == {("local", archive_key(job.id))}


async def test_a_media_item_that_was_refused_does_not_keep_its_object(
    world: World, imports: Imports
) -> None:
    """A worker that could not remove it has settled its item without a key."""
    job = await imports.run(CONFERENCE)
    async with world.resources.engine.begin() as connection:
        refused = {"outcome": "REFUSED", "object_key": None, "url": None}
        await connection.execute(
            update(MediaItem)
            .where(MediaItem.import_job_id == job.id, MediaItem.table_name == "sessions")
            .values(**refused)
        )
        before = await connection.scalars(select(MediaItem.object_key))
        keys = {key for key in before if key is not None}
        await connection.exec_driver_sql("UPDATE sessions SET audio_url = '/audio/a.wav'")

    assert await world.clean_up() == {"never_used": 1}
    left = {key for _, key in await world.objects()}
    assert keys < left
    assert not any("/sessions/" in key for key in left)


async def test_a_storage_of_another_installation_is_left_alone(
    world: World, imports: Imports, caplog: pytest.LogCaptureFixture
) -> None:
    """A second database with the first one's storage must not take its objects for orphans."""
    await world.put(CLAIM_KEY, world.storages.get("local"), b"another one\n")
    keys = [await world.put(probe_key(), storage) for storage in world.storages]

    assert await world.clean_up() == {"probe": 2}
    assert await world.objects() == {("local", keys[0]): b"x"}
    assert "nothing is removed from local: another installation has it" in caplog.text


@pytest.mark.parametrize("foreign", [True, False])
async def test_an_import_that_is_given_up_removes_what_is_its_own(
    world: World, imports: Imports, foreign: bool
) -> None:
    job = await imports.run(CONFERENCE)
    before = await world.objects()
    if foreign:
        await world.put(CLAIM_KEY, world.storages.get("local"), b"another one\n")
    else:
        await world.clean_up(after=timedelta(0))
    await world.change(job, status="STARTED", attempt=99, heartbeat_at=job.created_at - OLD)

    await recover(world.resources)

    assert (await imports.job(job.id)).status == "FAILURE"
    left = {place for place in before if place[1].startswith("private/")}
    assert set(await world.objects()) == (set(before) if foreign else left)


async def test_a_failing_storage_does_not_stop_the_others(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    for storage in world.storages:
        await world.put(probe_key(), storage)
    world.storages._backends["memory"] = UnreliableStorage(
        world.storages.get("memory"), fail_listing=True
    )

    assert await world.clean_up() == {"failed": 1, "probe": 2}
    assert "the clean-up of memory has to wait" in caplog.text


@pytest.mark.parametrize("nth", [1, 2, 3, 4])
async def test_a_failing_deletion_does_not_stop_the_rest(world: World, nth: int) -> None:
    keys = {await world.put(probe_key()) for _ in range(4)}
    local = world.storages.get("local")
    world.storages._backends["local"] = UnreliableStorage(local, fail_delete_at=nth)

    assert await world.clean_up() == {"failed": 1, "probe": 3}
    (left,) = await world.objects()
    assert left[1] in keys
    assert await world.clean_up() == {"probe": 1}


async def test_a_storage_that_deletes_nothing_is_soon_given_up(world: World) -> None:
    for _ in range(60):
        await world.put(probe_key())
    local = world.storages.get("local")
    faulty = UnreliableStorage(local, fail_delete_at=1, failing_for=1_000)
    world.storages._backends["local"] = faulty

    counts = await world.clean_up()

    assert counts == {"failed": faulty.deletions}
    assert faulty.deletions < 20


async def test_many_objects_are_looked_at_batch_by_batch(
    world: World, imports: Imports, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eventimport.jobs.remove_orphans.BATCH", 7)
    monkeypatch.setattr("eventimport.jobs.remove_orphans.REMOVED_AT_ONCE", 3)
    await imports.run(CONFERENCE)
    before = await world.objects()
    for number in range(25):
        await world.put(media_key(GONE, "events", number, "logo_url", "a.png"))
        await world.put(archive_key(uuid4()))

    assert await world.clean_up() == {"event_gone": 25, "orphaned_archive": 25}
    assert await world.objects() == before


async def test_what_comes_into_use_meanwhile_stays(
    world: World, imports: Imports, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An import that is committed after the first look, and before the deletion."""
    job_id = uuid4()
    key = await world.put(archive_key(job_id))
    looks = []

    async def look(connection: Any, objects: Any) -> Any:
        looks.append(await orphans_among(connection, objects))
        async with world.resources.sessions.begin() as session:
            if len(looks) == 1:
                session.add(
                    ImportJob(
                        id=job_id,
                        user_id=imports.user.id,
                        archive_storage="local",
                        archive_key=key,
                    )
                )
        return looks[-1]

    monkeypatch.setattr("eventimport.jobs.remove_orphans.orphans_among", look)

    assert await world.clean_up() == {}
    assert [set(look) for look in looks] == [{key}, set()]
    assert await world.storages.active.stat(key) is not None
