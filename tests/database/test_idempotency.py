"""Who may act on an idempotency key, and for how long."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from eventimport.database import idempotency
from eventimport.database.idempotency import (
    Answer,
    Answered,
    Claim,
    ClaimLostError,
    KeyInUseError,
    delete_expired_keys,
    record_answer,
    release,
    renew,
)
from eventimport.database.models import IdempotencyKey, User

DAY = timedelta(days=1)
ROUTE = "POST /somewhere"
ANSWER = Answer(202, '{"task_url":"/v1/tasks/1"}', {"Location": "/v1/tasks/1"})
FINGERPRINT = bytes(range(32))
WAITING = text(
    "SELECT count(*) FROM pg_stat_activity"
    " WHERE datname = current_database() AND wait_event_type = 'Lock'"
)


@pytest.fixture
async def user_id(make_user: Any) -> int:
    user: User = await make_user()
    return user.id


@pytest.fixture
async def connection(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """A connection on which each statement is a transaction of its own."""
    async with engine.connect() as connection:
        yield await connection.execution_options(isolation_level="AUTOCOMMIT")


async def claim(connection: AsyncConnection, user_id: int, key: str = "k") -> Claim:
    claimed = await idempotency.claim(connection, user_id, key, route=ROUTE, lifetime=DAY)
    assert isinstance(claimed, Claim)
    return claimed


async def answer(connection: AsyncConnection, held: Claim) -> None:
    await record_answer(connection, held, fingerprint=FINGERPRINT, answer=ANSWER)


async def found(connection: AsyncConnection, user_id: int) -> Answered:
    claimed = await idempotency.claim(connection, user_id, "k", route="other", lifetime=DAY)
    assert isinstance(claimed, Answered)
    return claimed


async def end_lease(connection: AsyncConnection) -> None:
    await connection.execute(update(IdempotencyKey).values(lease_until=func.now()))


async def age(connection: AsyncConnection, by: timedelta) -> None:
    await connection.execute(update(IdempotencyKey).values(created_at=func.now() - by))


async def test_an_answer_is_found_again(connection: AsyncConnection, user_id: int) -> None:
    await answer(connection, await claim(connection, user_id))

    assert await found(connection, user_id) == Answered(ROUTE, FINGERPRINT, ANSWER)
    assert await found(connection, user_id) == Answered(ROUTE, FINGERPRINT, ANSWER)


async def test_a_claimed_key_is_in_use(connection: AsyncConnection, user_id: int) -> None:
    await claim(connection, user_id)

    with pytest.raises(KeyInUseError):
        await claim(connection, user_id)
    await claim(connection, user_id, "another")


async def test_users_have_keys_of_their_own(
    connection: AsyncConnection, user_id: int, make_user: Any
) -> None:
    await claim(connection, user_id)

    await claim(connection, (await make_user()).id)
    with pytest.raises(KeyInUseError):
        await claim(connection, user_id)


async def test_of_many_claims_at_once_one_is_made(engine: AsyncEngine, user_id: int) -> None:
    async def try_to_claim() -> bool:
        async with engine.begin() as connection:
            try:
                await claim(connection, user_id)
            except KeyInUseError:
                return False
            return True

    assert sum(await asyncio.gather(*(try_to_claim() for _ in range(8)))) == 1


async def test_who_has_lost_the_key_can_do_nothing(
    connection: AsyncConnection, user_id: int
) -> None:
    lost = await claim(connection, user_id)
    await end_lease(connection)
    held = await claim(connection, user_id)

    with pytest.raises(ClaimLostError):
        await answer(connection, lost)
    assert not await renew(connection, lost)
    assert await release(connection, lost)
    with pytest.raises(KeyInUseError):
        await claim(connection, user_id)
    await answer(connection, held)
    assert await release(connection, lost)
    assert (await found(connection, user_id)).answer == ANSWER


async def test_a_lease_that_ended_counts_until_somebody_takes_the_key(
    connection: AsyncConnection, user_id: int
) -> None:
    held = await claim(connection, user_id)
    await end_lease(connection)

    assert await renew(connection, held)
    with pytest.raises(KeyInUseError):
        await claim(connection, user_id)
    await end_lease(connection)
    await answer(connection, held)
    assert (await found(connection, user_id)).answer == ANSWER


async def test_what_is_released_may_be_claimed_anew(
    connection: AsyncConnection, user_id: int
) -> None:
    assert await release(connection, await claim(connection, user_id))

    await claim(connection, user_id)


async def test_an_answer_is_recorded_once_and_stays(
    connection: AsyncConnection, user_id: int
) -> None:
    held = await claim(connection, user_id)
    await answer(connection, held)

    with pytest.raises(ClaimLostError):
        await answer(connection, held)
    assert not await renew(connection, held)
    assert not await release(connection, held)
    assert (await found(connection, user_id)).answer == ANSWER


@pytest.mark.parametrize("outcome", ["commit", "rollback"])
async def test_releasing_waits_for_an_answer_that_is_being_recorded(
    engine: AsyncEngine, connection: AsyncConnection, user_id: int, outcome: str
) -> None:
    held = await claim(connection, user_id)
    async with engine.connect() as recording, engine.connect() as watching:
        await answer(recording, held)
        releasing = asyncio.create_task(release(connection, held))
        async with asyncio.timeout(30):
            while not await watching.scalar(WAITING):
                await watching.rollback()
        assert not releasing.done()
        await getattr(recording, outcome)()

        assert await releasing is (outcome == "rollback")


@pytest.mark.parametrize(("age_of_key", "is_new"), [(0.9 * DAY, False), (1.1 * DAY, True)])
async def test_an_answer_is_remembered_for_a_time(
    connection: AsyncConnection, user_id: int, age_of_key: timedelta, is_new: bool
) -> None:
    await answer(connection, await claim(connection, user_id))
    await age(connection, age_of_key)

    claimed = await idempotency.claim(connection, user_id, "k", route=ROUTE, lifetime=DAY)

    assert isinstance(claimed, Claim) is is_new


async def test_what_has_expired_is_deleted(connection: AsyncConnection, user_id: int) -> None:
    await claim(connection, user_id, "dead")
    await end_lease(connection)
    await answer(connection, await claim(connection, user_id, "answered"))
    await claim(connection, user_id, "worked on")
    await age(connection, 2 * DAY)
    await answer(connection, await claim(connection, user_id, "young"))

    assert await delete_expired_keys(connection, 3 * DAY) == 0
    assert await delete_expired_keys(connection, DAY) == 2
    left = await connection.scalars(select(IdempotencyKey.key))
    assert set(left) == {"worked on", "young"}


async def test_keys_go_with_their_user(connection: AsyncConnection, user_id: int) -> None:
    await claim(connection, user_id)

    await connection.execute(text("DELETE FROM users"))

    assert await connection.scalar(select(func.count()).select_from(IdempotencyKey)) == 0


async def test_a_key_is_in_progress_or_answered(connection: AsyncConnection, user_id: int) -> None:
    await claim(connection, user_id)

    for half_answered in ({"fingerprint": FINGERPRINT}, {"lease_until": None}):
        with pytest.raises(IntegrityError):
            await connection.execute(update(IdempotencyKey).values(**half_answered))
