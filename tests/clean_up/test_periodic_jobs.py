"""Each round is one worker's, and what it has done is told."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncEngine
from tests.clean_up.conftest import World
from tests.jobs.conftest import Imports

from eventimport.database.endings import NotificationWords, add_notification
from eventimport.database.models import (
    IdempotencyKey,
    MailStatus,
    Notification,
    OutgoingMail,
    PeriodicJob,
    User,
)
from eventimport.database.periodic_jobs import CLEAN_UP, add_counts, read_counts, take_round
from eventimport.database.statistics import read_statistics
from eventimport.jobs import clean_up as clean_up_module
from eventimport.jobs.clean_up import clean_up, keep_cleaning_up
from eventimport.routers.metrics import StatisticsCollector
from eventimport.settings import Settings

HOUR = timedelta(hours=1)


async def take(engine: AsyncEngine, interval: timedelta = HOUR) -> float:
    async with engine.begin() as connection:
        return await take_round(connection, CLEAN_UP, interval)


async def make_due(engine: AsyncEngine, ago: timedelta = timedelta(seconds=1)) -> None:
    async with engine.begin() as connection:
        await connection.execute(update(PeriodicJob).values(next_round_at=func.now() - ago))


async def test_the_first_round_comes_after_an_interval(engine: AsyncEngine) -> None:
    assert 3000 < await take(engine) <= 3600
    assert 3000 < await take(engine) <= 3600


async def test_a_round_that_is_due_is_taken_once(engine: AsyncEngine) -> None:
    await take(engine)
    await make_due(engine, ago=timedelta(days=3))

    waits = await asyncio.gather(*(take(engine) for _ in range(8)))

    waits.remove(0)
    assert all(3000 < wait <= 3600 for wait in waits)


async def test_a_round_is_not_taken_again_in_a_transaction_that_began_before(
    engine: AsyncEngine,
) -> None:
    await take(engine)
    await make_due(engine)
    async with engine.begin() as earlier:
        await earlier.execute(select(PeriodicJob.name))
        assert await take(engine) == 0
        assert 3000 < await take_round(earlier, CLEAN_UP, HOUR) <= 3600


async def test_a_shorter_interval_holds_at_once(engine: AsyncEngine) -> None:
    await take(engine, timedelta(days=30))
    assert await take(engine, HOUR) == 0


async def test_nothing_is_locked_by_who_has_a_round(engine: AsyncEngine) -> None:
    """The row can be changed by whoever comes: nobody has to wait for the end of the round."""
    await take(engine)
    await make_due(engine)
    assert await take(engine) == 0
    async with engine.begin() as connection:
        row = select(PeriodicJob.name).with_for_update(nowait=True)
        assert await connection.scalar(row) == CLEAN_UP


async def test_counts_add_up(engine: AsyncEngine) -> None:
    for counts in ({"probe": 2}, {"probe": 1, "failed": 1}, {}):
        async with engine.begin() as connection:
            await add_counts(connection, CLEAN_UP, counts, HOUR)
    async with engine.connect() as connection:
        assert await read_counts(connection, CLEAN_UP) == {"probe": 3, "failed": 1}
        assert await read_counts(connection, "another") == {}
    assert await take(engine) > 0, "counting is no round"


async def test_what_was_removed_is_told_to_prometheus(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="eventimport.jobs.clean_up")
    for _ in range(3):
        await world.put()
    await world.clean_up()
    await world.clean_up()

    own = [r.getMessage() for r in caplog.records if r.name == clean_up_module.__name__]
    assert own == ["clean-up: probe 3", "clean-up: nothing to remove"]
    async with world.resources.engine.connect() as connection:
        statistics = await read_statistics(connection)
    samples = [s for metric in StatisticsCollector(statistics).collect() for s in metric.samples]
    (told,) = [sample for sample in samples if "cleaned_up" in sample.name]
    assert (told.name, told.labels, told.value) == (
        "eventimport_cleaned_up_total",
        {"reason": "probe"},
        3,
    )


@asynccontextmanager
async def loops(
    world: World, monkeypatch: pytest.MonkeyPatch, count: int
) -> AsyncIterator[tuple[list[int], asyncio.Semaphore]]:
    """So many workers' loops: the rounds that they have run, and what is released whenever one of
    them has asked whether there is one to run."""
    rounds: list[int] = []
    asked = asyncio.Semaphore(0)

    async def run(*_args: Any) -> dict[str, int]:
        rounds.append(1)
        return {}

    take = clean_up_module.__dict__["take_round"]

    async def take_and_tell(*args: Any) -> float:
        wait: float = await take(*args)
        asked.release()
        return wait

    monkeypatch.setattr(clean_up_module, "clean_up", run)
    monkeypatch.setattr(clean_up_module, "take_round", take_and_tell)
    tasks = [asyncio.create_task(keep_cleaning_up(world.resources)) for _ in range(count)]
    yield rounds, asked
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_of_many_workers_one_runs_the_round(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await take(world.resources.engine)
    await make_due(world.resources.engine)

    async with loops(world, monkeypatch, 5) as (rounds, asked):
        # Who has run a round asks once more; then all of them wait for an hour.
        for _ in range(5 + 1):
            await asyncio.wait_for(asked.acquire(), 60)

    assert rounds == [1]


@pytest.mark.parametrize("error", [OSError("away"), RuntimeError("a mistake of ours")])
async def test_what_fails_does_not_end_the_loop(
    world: World, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setattr(clean_up_module, "PAUSE", 0.01)
    await take(world.resources.engine)
    await make_due(world.resources.engine)
    failures = iter([error, error])

    async def take_or_fail(*args: Any) -> float:
        if (failure := next(failures, None)) is not None:
            raise failure
        return await take_round(*args)

    monkeypatch.setattr(clean_up_module, "take_round", take_or_fail)
    async with loops(world, monkeypatch, 1) as (rounds, asked):
        for _ in range(2):
            await asyncio.wait_for(asked.acquire(), 60)

    assert rounds == [1]


async def test_old_mails_are_forgotten_and_none_is_sent_again(
    world: World, imports: Imports
) -> None:
    told = NotificationWords("title", "message", "<1@example.org>")
    jobs = [await imports.job(await imports.accept(b"PK")) for _ in range(4)]
    engine = world.resources.engine
    long_ago = datetime.now(UTC) - timedelta(days=31)
    states: list[dict[str, Any]] = [
        {"status": MailStatus.SENT, "sent_at": long_ago, "next_attempt_at": long_ago},
        {"status": MailStatus.FAILED, "next_attempt_at": long_ago},
        {"status": MailStatus.PENDING, "next_attempt_at": long_ago},
        {"status": MailStatus.SENT, "sent_at": func.now(), "next_attempt_at": long_ago},
    ]
    async with engine.begin() as connection:
        for number, (job, state) in enumerate(zip(jobs, states, strict=True)):
            words = NotificationWords("title", "message", f"<{number}@example.org>")
            await add_notification(connection, job_id=job.id, user_id=job.user_id, words=words)
            newest = select(func.max(OutgoingMail.id)).scalar_subquery()
            mail = update(OutgoingMail).where(OutgoingMail.id == newest)
            await connection.execute(mail.values(**state))

    assert await world.clean_up(after=timedelta(0)) == {"old_mail": 2}
    async with engine.begin() as connection:
        for job in jobs:
            await add_notification(connection, job_id=job.id, user_id=job.user_id, words=told)
        ids = select(OutgoingMail.message_id).order_by(OutgoingMail.id)
        assert list(await connection.scalars(ids)) == ["<2@example.org>", "<3@example.org>"]
        assert await connection.scalar(select(func.count()).select_from(Notification)) == 4


async def test_expired_idempotency_keys_go(
    world: World, make_user: Callable[..., Awaitable[User]]
) -> None:
    user = await make_user()
    lifetime = world.resources.settings.idempotency_key_lifetime
    async with world.resources.engine.begin() as connection:
        for key, age in (("old", lifetime + HOUR), ("new", lifetime - HOUR)):
            await connection.execute(
                insert(IdempotencyKey).values(
                    user_id=user.id,
                    key=key,
                    route="POST /v1/upload/file",
                    created_at=func.now() - age,
                    fingerprint=b"x",
                    status=200,
                    body="{}",
                    headers={},
                )
            )

    assert await world.clean_up(after=timedelta(0)) == {"expired_idempotency_key": 1}
    async with world.resources.engine.connect() as connection:
        assert list(await connection.scalars(select(IdempotencyKey.key))) == ["new"]


def test_orphans_must_be_older_than_an_import_may_take(settings: Settings) -> None:
    values = settings.model_dump()
    with pytest.raises(ValueError, match="ORPHAN_AGE_HOURS must be more than 24, twice the IMPORT"):
        Settings(**values | {"import_timeout": 12 * 3600})
    assert Settings(**values | {"import_timeout": 12 * 3600 - 1}).orphan_age == 24 * HOUR


@pytest.mark.parametrize(
    ("name", "century"),
    [
        ("archive_retention_days", 36_500),
        ("orphan_age_hours", 24 * 36_500),
        ("mail_retention_days", 36_500),
    ],
)
async def test_for_ever_is_a_century(world: World, name: str, century: int) -> None:
    """More would be no date any more, and nothing at all would be cleaned up."""
    values = world.resources.settings.model_dump()
    with pytest.raises(ValueError, match="less than or equal"):
        Settings(**values | {name: century + 1})
    settings = Settings(**values | {name: century})
    assert await clean_up(replace(world.resources, settings=settings)) == {}
