"""Work that is done together for those who ask at the same time."""

import asyncio
from collections.abc import Sequence

import pytest

from eventimport.groups import Groups


class Work:
    """Doubles numbers, once it may; notes the groups. Odd numbers fail."""

    def __init__(self) -> None:
        self.groups: list[list[int]] = []
        self.begun = asyncio.Event()
        self.may_end = asyncio.Event()

    async def __call__(self, asked: Sequence[int]) -> Sequence[int | Exception]:
        self.groups.append(list(asked))
        self.begun.set()
        await self.may_end.wait()
        return [ValueError(str(number)) if number % 2 else 2 * number for number in asked]


async def test_the_first_runs_at_once_and_those_that_come_meanwhile_together() -> None:
    work = Work()
    groups = Groups(work, most=3)
    asking = [asyncio.create_task(groups.ask(number)) for number in (0, 2)]
    await asyncio.sleep(0)
    asking += [asyncio.create_task(groups.ask(number)) for number in (4, 5, 6, 8)]
    await asyncio.sleep(0)
    work.may_end.set()
    results = await asyncio.gather(*asking, return_exceptions=True)
    assert [str(result) for result in results] == ["0", "4", "8", "5", "12", "16"]
    assert isinstance(results[3], ValueError)
    assert [number for group in work.groups for number in group] == [0, 2, 4, 5, 6, 8]
    assert max(map(len, work.groups)) == 3
    assert await groups.ask(10) == 20


async def test_a_cancelled_request_is_withdrawn_or_waits_for_its_group() -> None:
    work = Work()
    groups = Groups(work, most=1)
    running = asyncio.create_task(groups.ask(2))
    waiting = asyncio.create_task(groups.ask(4))
    await work.begun.wait()
    for task in (running, waiting):
        task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert not running.done(), "what has begun may have an effect"
    work.may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert work.groups == [[2]]


async def test_a_failure_of_the_whole_group_reaches_all() -> None:
    async def fail(_asked: Sequence[int]) -> Sequence[int]:
        raise ConnectionError("lost")

    groups = Groups(fail, most=8)
    results = await asyncio.gather(*(groups.ask(n) for n in range(3)), return_exceptions=True)
    assert [type(result) for result in results] == [ConnectionError] * 3
