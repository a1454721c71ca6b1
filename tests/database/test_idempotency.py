"""The responses recorded under idempotency keys."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from eventimport.database.idempotency import (
    Answer,
    KeyUsedError,
    delete_expired_keys,
    find_answer,
    record_answer,
)
from eventimport.database.models import IdempotencyKey, User

DAY = timedelta(days=1)
ANSWER = Answer(
    "POST /somewhere",
    bytes(range(32)),
    202,
    '{"task_url":"/v1/tasks/1"}',
    {"Location": "/v1/tasks/1"},
)
OTHER = Answer("POST /elsewhere", bytes(32), 200, "{}", {})
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


async def record(
    connection: AsyncConnection, user_id: int, answer: Answer = ANSWER, key: str = "k"
) -> None:
    await record_answer(connection, user_id, key, answer, lifetime=DAY)


async def find(connection: AsyncConnection, user_id: int, key: str = "k") -> Answer | None:
    return await find_answer(connection, user_id, key, lifetime=DAY)


async def age(connection: AsyncConnection, by: timedelta) -> None:
    await connection.execute(update(IdempotencyKey).values(created_at=func.now() - by))


async def test_a_response_is_found_again(connection: AsyncConnection, user_id: int) -> None:
    assert await find(connection, user_id) is None
    await record(connection, user_id)

    assert await find(connection, user_id) == ANSWER
    assert await find(connection, user_id) == ANSWER
    assert await find(connection, user_id, "another") is None


async def test_a_used_key_keeps_its_response(connection: AsyncConnection, user_id: int) -> None:
    await record(connection, user_id)

    with pytest.raises(KeyUsedError):
        await record(connection, user_id, OTHER)
    assert await find(connection, user_id) == ANSWER


async def test_users_have_keys_of_their_own(
    connection: AsyncConnection, user_id: int, make_user: Any
) -> None:
    other = (await make_user()).id
    await record(connection, user_id)
    await record(connection, other, OTHER)

    assert await find(connection, user_id) == ANSWER
    assert await find(connection, other) == OTHER


@pytest.mark.parametrize("outcome", ["commit", "rollback"])
async def test_the_second_of_two_at_once_waits_for_the_first(
    engine: AsyncEngine, connection: AsyncConnection, user_id: int, outcome: str
) -> None:
    async with engine.connect() as first, engine.connect() as watching:
        await record(first, user_id)
        second = asyncio.create_task(record(connection, user_id, OTHER))
        async with asyncio.timeout(60):
            while not await watching.scalar(WAITING):
                await watching.rollback()
        assert not second.done()
        await getattr(first, outcome)()

        (error,) = await asyncio.gather(second, return_exceptions=True)
    assert isinstance(error, KeyUsedError) is (outcome == "commit")
    assert await find(connection, user_id) == (ANSWER if outcome == "commit" else OTHER)


@pytest.mark.parametrize(("age_of_key", "is_new"), [(0.9 * DAY, False), (1.1 * DAY, True)])
async def test_a_response_is_remembered_for_a_time(
    connection: AsyncConnection, user_id: int, age_of_key: timedelta, is_new: bool
) -> None:
    await record(connection, user_id)
    await age(connection, age_of_key)

    assert await find(connection, user_id) == (None if is_new else ANSWER)
    if is_new:
        await record(connection, user_id, OTHER)
        assert await find(connection, user_id) == OTHER
    else:
        with pytest.raises(KeyUsedError):
            await record(connection, user_id, OTHER)


async def test_what_has_expired_is_deleted(connection: AsyncConnection, user_id: int) -> None:
    await record(connection, user_id, key="old")
    await age(connection, 2 * DAY)
    await record(connection, user_id, key="young")

    assert await delete_expired_keys(connection, 3 * DAY) == 0
    assert await delete_expired_keys(connection, DAY) == 1
    assert list(await connection.scalars(select(IdempotencyKey.key))) == ["young"]


async def test_keys_go_with_their_user(connection: AsyncConnection, user_id: int) -> None:
    await record(connection, user_id)

    await connection.execute(text("DELETE FROM users"))

    assert await connection.scalar(select(func.count()).select_from(IdempotencyKey)) == 0
