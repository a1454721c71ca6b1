"""Archives of imports that have ended are kept for a while, and then no longer."""

from dataclasses import replace
from datetime import timedelta

import pytest
from tests.clean_up.conftest import CONFERENCE, PLACES, UnreliableStorage, World
from tests.jobs.conftest import Imports

from eventimport.database.models import ImportJob
from eventimport.database.objects import unlink_archive
from eventimport.imports.run import run_import
from eventimport.jobs import clean_up as clean_up_module
from eventimport.storage.keys import archive_key

BEFORE = timedelta(days=29)
AFTER = timedelta(days=31)


async def has_archive(world: World, job: ImportJob) -> bool:
    """Whether the archive is there; the row and the storage must agree."""
    stored = (job.archive_storage, archive_key(job.id)) in await world.objects()
    named = (await world.imports.job(job.id)).archive_key is not None
    assert stored == named
    return stored


@pytest.mark.parametrize("place", PLACES)
async def test_what_ended_long_ago_goes_and_all_else_stays(world: World, imports: Imports) -> None:
    ended = [
        await imports.run(CONFERENCE),
        await imports.run(CONFERENCE, dry_run=True),
        await imports.run(b"PK\x03\x04 broken"),
    ]
    assert [job.status for job in ended] == ["SUCCESS", "SUCCESS", "FAILURE"]
    going_on = [await imports.job(await imports.accept(CONFERENCE)) for _ in range(2)]
    await world.change(going_on[1], status="STARTED", attempt=1)
    media = {place for place in await world.objects() if place[1].startswith("events/")}

    assert await world.clean_up(after=BEFORE) == {}
    assert all([await has_archive(world, job) for job in (*ended, *going_on)])
    assert await world.clean_up(after=AFTER) == {"archive": 3}
    assert not any([await has_archive(world, job) for job in ended])
    assert all([await has_archive(world, job) for job in going_on])
    assert media < set(await world.objects())
    sizes = [(await imports.job(job.id)).archive_size for job in ended]
    assert sizes == [len(CONFERENCE), len(CONFERENCE), len(b"PK\x03\x04 broken")]
    assert await world.clean_up(after=AFTER) == {}


async def test_an_import_that_is_run_again_finds_its_archive(
    world: World, imports: Imports
) -> None:
    """Its first attempt was long ago; it has not ended."""
    job = await imports.job(await imports.accept(CONFERENCE))
    await world.change(job, attempt=1, created_at=job.created_at - timedelta(days=90))

    assert await world.clean_up(after=AFTER) == {}
    await run_import(world.resources, job.id)
    assert (await imports.job(job.id)).status == "SUCCESS"


async def test_nothing_is_given_up_for_an_import_that_has_not_ended(
    world: World, imports: Imports
) -> None:
    """Not even where somebody else takes it for one that has, or its row is damaged."""
    job = await imports.job(await imports.accept(CONFERENCE))
    async with world.resources.engine.begin() as connection:
        assert await unlink_archive(connection, job.id) == []
    assert await has_archive(world, job)
    await world.change(job, archive_key=None)

    assert await world.clean_up(after=AFTER) == {}
    assert ("local", archive_key(job.id)) in await world.objects()


async def test_what_a_cancellation_left_goes_at_once(world: World, imports: Imports) -> None:
    job = await imports.job(await imports.accept(CONFERENCE))
    await world.change(job, status="REVOKED", finished_at=job.created_at)

    assert await world.clean_up(after=timedelta(0)) == {"archive": 1}
    assert not await has_archive(world, job)


async def test_a_worker_that_dies_before_it_says_so_has_it_said_by_the_next(
    world: World, imports: Imports
) -> None:
    job = await imports.run(CONFERENCE)
    await world.storages.active.delete(archive_key(job.id))

    assert await world.clean_up(after=AFTER) == {"archive": 1}
    assert not await has_archive(world, job)


@pytest.mark.parametrize("nth", range(1, 6))
async def test_a_deletion_that_fails_is_tried_again(
    world: World, imports: Imports, monkeypatch: pytest.MonkeyPatch, nth: int
) -> None:
    monkeypatch.setattr(clean_up_module, "BATCH", 2)
    for _ in range(5):
        await imports.run(b"PK\x03\x04 broken")
    local = world.storages.get("local")
    world.storages._backends["local"] = UnreliableStorage(local, fail_delete_at=nth)

    assert await world.clean_up(after=AFTER) == {"archive": 4, "failed": 1}
    assert len(await world.objects()) == len(await world.recorded()) == 1
    assert await world.clean_up(after=timedelta(0)) == {"archive": 1}
    assert (await world.objects(), await world.recorded()) == ({}, set())


async def test_no_retention_means_the_next_round(world: World, imports: Imports) -> None:
    job = await imports.run(CONFERENCE)
    settings = world.resources.settings.model_copy(update={"archive_retention_days": 0})
    world.resources = replace(world.resources, settings=settings)

    assert await world.clean_up(after=timedelta(seconds=1)) == {"archive": 1}
    assert not await has_archive(world, job)
    await imports.accept(CONFERENCE)
    assert len(await world.objects()) == 10, "the folder of archives is made anew"
