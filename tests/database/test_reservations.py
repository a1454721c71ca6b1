"""Bytes of the quota that uploads of several users reserve together."""

from collections.abc import Awaitable, Callable

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from eventimport.database.models import ObjectRecord, User
from eventimport.database.objects import Reservation, reserve_together


async def test_those_of_a_user_are_recorded_if_the_quota_suffices_for_all(
    engine: AsyncEngine, make_user: Callable[..., Awaitable[User]]
) -> None:
    ada, bob = await make_user(), await make_user()

    def asked(user: User, key: str, size: int) -> Reservation:
        return Reservation(storage="local", key=key, user_id=user.id, size=size, quota=100)

    for reservations, expected in (
        ([asked(ada, "a", 40), asked(bob, "b", 60), asked(ada, "c", 40)], [True, True, True]),
        # 80 of Ada's bytes are reserved, and 60 of Bob's.
        ([asked(ada, "d", 15), asked(bob, "e", 40), asked(ada, "f", 6)], [False, True, False]),
        ([asked(ada, "g", 20), asked(bob, "h", 1)], [True, False]),
        ([asked(bob, "i", 0)], [True]),
    ):
        async with engine.begin() as connection:
            assert await reserve_together(connection, reservations) == expected
    async with engine.connect() as connection:
        found = await connection.execute(select(ObjectRecord.key, ObjectRecord.size))
        assert {row.key: row.size for row in found} == {
            "a": 40,
            "b": 60,
            "c": 40,
            "e": 40,
            "g": 20,
            "i": 0,
        }
