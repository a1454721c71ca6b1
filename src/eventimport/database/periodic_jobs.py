"""Periodic jobs: each of their rounds is run by one worker.

Taking a round schedules the next one, in a transaction that ends at once. A worker that dies during
a round leaves nothing locked, and the next round comes when it is due.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from sqlalchemy import func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from eventimport.database.models import PeriodicJob

CLEAN_UP: Final = "clean-up"


async def take_round(connection: AsyncConnection, name: str, interval: timedelta) -> float:
    """Take the round that is due. Returns 0 if the caller is to run it, else the seconds until the
    next one is due. The first round is due one interval after the first call."""
    # Not now(): in a transaction that began before the one that took the round, that round would
    # seem to lie further away than an interval, and would be taken again.
    now = func.clock_timestamp()
    first = insert(PeriodicJob).values(name=name, next_round_at=now + interval)
    await connection.execute(first.on_conflict_do_nothing())
    next_round = PeriodicJob.next_round_at
    # A round further away than an interval was scheduled by another setting, or another clock.
    due = or_(next_round <= now, next_round > now + interval)
    taken = await connection.scalar(
        update(PeriodicJob)
        .where(PeriodicJob.name == name, due)
        .values(next_round_at=now + interval)
        .returning(PeriodicJob.name)
    )
    if taken is not None:
        return 0.0
    left = select(func.extract("epoch", next_round - now)).where(PeriodicJob.name == name)
    return max(0.001, float(await connection.scalar(left) or 0))


async def add_counts(
    connection: AsyncConnection, name: str, counts: Mapping[str, int], interval: timedelta
) -> None:
    """Add the counts of a round to those of all rounds. A job without a row gets one; its first
    round is due after `interval`."""
    first = insert(PeriodicJob).values(name=name, next_round_at=func.now() + interval)
    await connection.execute(first.on_conflict_do_nothing())
    own = PeriodicJob.name == name
    held = select(PeriodicJob.counts).where(own).with_for_update()
    before = await connection.scalar(held) or {}
    after = {key: before.get(key, 0) + counts.get(key, 0) for key in {**before, **counts}}
    await connection.execute(update(PeriodicJob).where(own).values(counts=after))


async def read_counts(connection: AsyncConnection, name: str) -> dict[str, int]:
    """The counts of all rounds so far."""
    counts = select(PeriodicJob.counts).where(PeriodicJob.name == name)
    return await connection.scalar(counts) or {}
