"""Moving media: every interruption, and nothing left behind by any of them."""

import asyncio

import pytest
from sqlalchemy import delete, func, select, update
from tests.media.conftest import (
    LOGO,
    OBJECTS_OF_FOUR,
    PHOTO,
    Import,
    plan_four,
    soon,
)

from eventimport.database.models import (
    Event,
    ImportStatus,
    MediaItem,
    Speaker,
    Task,
)
from eventimport.database.tasks import Lease, StaleAttemptError
from eventimport.storage.protocol import StorageError


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
    assert running.told[-1] == ("Storing media files", 4, 4)


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
            await session.execute(update(Task).values(status=ImportStatus.REVOKED))

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
