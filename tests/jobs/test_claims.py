"""Which task a worker claims next, and how many it runs of one user."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from uuid import UUID

import pytest
from sqlalchemy import text
from tests.conftest import MakeUser
from tests.jobs.conftest import Imports
from tests.rows import change_imports

from eventimport.database.endings import NotificationWords, cancel
from eventimport.database.models import TaskKind, User
from eventimport.database.new_imports import ImportQuota, TooManyImportsError, check_quota
from eventimport.database.tasks import Claim, claim_next, let_go
from eventimport.jobs import worker as worker_module
from eventimport.jobs.worker import Slots, work
from eventimport.resources import Resources

NOTHING = b"not a zip"
KINDS = [TaskKind.IMPORT]


class Queue:
    """Waiting imports of several users, and the claims of workers."""

    def __init__(self, imports: Imports, make_user: MakeUser) -> None:
        self.imports = imports
        self.engine = imports.resources.engine
        self._make_user = make_user
        self.names: dict[UUID, str] = {}

    async def user(self) -> User:
        return await self._make_user()

    async def add(self, user: User, *names: str) -> None:
        """Accept imports of the user, one after another."""
        for name in names:
            self.names[await self.imports.accept(NOTHING, user=user)] = name

    async def claimed(self, **options: list[int]) -> str | None:
        """The name of the next import that a worker claims."""
        async with self.engine.begin() as connection:
            claimed = await claim_next(connection, kinds=KINDS, **options)
        return self.names[claimed.task_id] if claimed else None

    async def all_end(self) -> None:
        """Wait until all imports have ended: none of them is a zip."""
        async with asyncio.timeout(60):
            for job_id in self.names:
                while (await self.imports.job(job_id)).status != "FAILURE":  # noqa: ASYNC110
                    await asyncio.sleep(0.05)


@pytest.fixture
def queue(imports: Imports, make_user: MakeUser) -> Queue:
    return Queue(imports, make_user)


async def test_the_user_with_the_fewest_running_tasks_comes_first(queue: Queue) -> None:
    ada, bob = await queue.user(), await queue.user()
    await queue.add(ada, "a1", "a2", "a3")
    await queue.add(bob, "b1", "b2")

    claimed = [await queue.claimed() for _ in range(6)]

    assert claimed == ["a1", "b1", "a2", "b2", "a3", None]


async def test_users_that_hold_enough_slots_are_passed_over(queue: Queue) -> None:
    ada, bob = await queue.user(), await queue.user()
    await queue.add(ada, "a1", "a2")
    await queue.add(bob, "b1")

    assert await queue.claimed(without_users=[ada.id]) == "b1"
    assert await queue.claimed(without_users=[ada.id]) is None
    assert await queue.claimed(without_users=[bob.id]) == "a1"


async def test_a_kind_that_the_worker_does_not_know_is_left_alone(queue: Queue) -> None:
    ada = await queue.user()
    await queue.add(ada, "a1")
    async with queue.engine.begin() as connection:
        await connection.execute(text("UPDATE tasks SET kind = 'export'"))

    assert await queue.claimed() is None


async def test_a_row_that_is_locked_is_skipped(queue: Queue) -> None:
    """Two claims at the same moment never wait for each other, nor take the same task."""
    ada = await queue.user()
    await queue.add(ada, "a1", "a2")
    async with queue.engine.begin() as connection:
        first = await claim_next(connection, kinds=KINDS)
        async with asyncio.timeout(60):
            second = await queue.claimed()
            third = await queue.claimed()
    assert first is not None
    assert [queue.names[first.task_id], second, third] == ["a1", "a2", None]


async def test_many_workers_claim_each_task_once(queue: Queue) -> None:
    users = [await queue.user() for _ in range(3)]
    for number, user in enumerate(users):
        await queue.add(user, *(f"{number}.{n}" for n in range(4)))

    claimed = await asyncio.gather(*(queue.claimed() for _ in range(8)))
    claimed += await asyncio.gather(*(queue.claimed() for _ in range(8)))

    assert sorted(name for name in claimed if name) == sorted(queue.names.values())


@pytest.mark.parametrize(
    ("retry_at", "is_due"),
    [
        ("now() - interval '1 second'", True),
        ("now() + interval '9 seconds'", False),
        # Written before the server's clock was set back: no pause is that long.
        ("now() + interval '1 hour'", True),
    ],
)
async def test_what_is_put_off_waits_and_not_for_a_clock(
    queue: Queue, retry_at: str, is_due: bool
) -> None:
    ada = await queue.user()
    await queue.add(ada, "a1")
    async with queue.engine.begin() as connection:
        # In one transaction: however long it takes, "now" does not change.
        await connection.execute(text(f"UPDATE tasks SET retry_at = {retry_at}"))
        claimed = await claim_next(connection, kinds=KINDS)

    assert (claimed is not None) == is_due


def words(_: object) -> NotificationWords:
    return NotificationWords("T", "M", None)


async def test_a_cancelled_import_counts_until_its_worker_has_stopped(queue: Queue) -> None:
    ada, bob = await queue.user(), await queue.user()
    await queue.add(ada, "a1", "a2")
    await queue.add(bob, "b1")
    quota = ImportQuota(per_user=2, waiting=100)
    async with queue.engine.begin() as connection:
        first = await claim_next(connection, kinds=KINDS)
        assert first is not None
        assert await cancel(connection, first.task_id, words) is not None
    async with queue.engine.begin() as connection:
        with pytest.raises(TooManyImportsError):
            await check_quota(connection, ada.id, quota)
    assert await queue.claimed() == "b1", "and it counts for the order of claims"
    async with queue.engine.begin() as connection:
        await let_go(connection, first)
        await check_quota(connection, ada.id, quota)


class Running:
    """Tasks that run until they are told to end, in the slots of one worker."""

    def __init__(self, queue: Queue) -> None:
        self._queue = queue
        self._ends: dict[str, asyncio.Event] = {}
        self._changed = asyncio.Condition()
        self.running: list[str] = []
        self.begun: list[str] = []

    async def handle(self, resources: Resources, claimed: Claim) -> None:
        async with asyncio.timeout(60):
            # The task may be claimed before `Queue.add` has noted its name.
            while claimed.task_id not in self._queue.names:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        name = self._queue.names[claimed.task_id]
        self._ends[name] = asyncio.Event()
        self.begun.append(name)
        self.running.append(name)
        await self._tell()
        await self._ends[name].wait()
        self.running.remove(name)
        await change_imports(resources.engine, claimed.task_id, status="SUCCESS", held=False)
        await self._tell()

    async def end(self, name: str) -> None:
        self._ends[name].set()

    async def until(self, *names: str) -> None:
        """Wait until these, and no others, run."""
        async with asyncio.timeout(60), self._changed:
            await self._changed.wait_for(lambda: sorted(self.running) == sorted(names))

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()


@asynccontextmanager
async def working(queue: Queue, **settings: object) -> AsyncIterator[tuple[Running, Slots]]:
    """A worker's slots, which look for tasks when they are woken, and as the settings say."""
    running = Running(queue)
    changed = queue.imports.resources.settings.model_copy(
        update={"task_poll_interval": 3600.0, **settings}
    )
    slots = Slots(replace(queue.imports.resources, settings=changed))
    stopping = asyncio.Event()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(worker_module, "HANDLERS", {TaskKind.IMPORT: running.handle})
        task = asyncio.create_task(slots.work(stopping))
        try:
            yield running, slots
        finally:
            stopping.set()
            await task
            for name in list(running.running):
                await running.end(name)
            await asyncio.gather(*slots.running)


async def test_no_user_holds_all_slots_of_a_worker(queue: Queue) -> None:
    ada, bob = await queue.user(), await queue.user()
    await queue.add(ada, "a1", "a2", "a3")
    async with working(queue, worker_jobs=2) as (running, slots):
        await running.until("a1")
        await queue.add(bob, "b1")
        slots.woken.set()
        await running.until("a1", "b1")
        await running.end("a1")
        await running.until("a2", "b1")


async def test_the_cap_is_a_setting(queue: Queue) -> None:
    ada = await queue.user()
    await queue.add(ada, "a1", "a2", "a3")
    async with working(queue, worker_jobs=3, max_running_per_user=3) as (running, _):
        await running.until("a1", "a2", "a3")


async def test_with_one_slot_another_user_waits_for_one_task_at_most(queue: Queue) -> None:
    ada, bob = await queue.user(), await queue.user()
    await queue.add(ada, *(f"a{number}" for number in range(5)))
    async with working(queue, worker_jobs=1) as (running, _):
        await running.until("a0")
        await queue.add(bob, "b")
        await running.end("a0")
        await running.until("b")


async def test_one_wake_up_serves_all_that_waits(queue: Queue) -> None:
    """The others were lost, or came twice: neither matters."""
    users = [await queue.user() for _ in range(3)]
    async with working(queue, worker_jobs=4) as (running, slots):
        for number, user in enumerate(users):
            await queue.add(user, f"u{number}")
        slots.woken.set()
        await running.until("u0", "u1", "u2")
        slots.woken.set()
        slots.woken.set()
        await running.end("u0")
        await running.until("u1", "u2")
        assert sorted(running.begun) == ["u0", "u1", "u2"]


async def test_a_lost_wake_up_only_delays(queue: Queue) -> None:
    ada = await queue.user()
    async with working(queue, task_poll_interval=0.05) as (running, _):
        await queue.add(ada, "a1")
        await running.until("a1")


async def test_a_worker_without_redis_still_works(queue: Queue) -> None:
    ada = await queue.user()
    await queue.add(ada, "a1")
    resources = queue.imports.resources
    settings = resources.settings.model_copy(
        update={
            "redis_url": type(resources.settings.redis_url)("redis://127.0.0.1:1/0"),
            "task_poll_interval": 0.05,
        }
    )
    stopping = asyncio.Event()
    working = asyncio.create_task(work(replace(resources, settings=settings), stopping))
    await queue.all_end()
    stopping.set()
    await working


async def test_a_wake_up_through_redis_reaches_the_slots(queue: Queue) -> None:
    """Nothing else would: the worker looks by itself once an hour."""
    resources = queue.imports.resources
    settings = resources.settings.model_copy(update={"task_poll_interval": 3600.0})
    stopping = asyncio.Event()
    working = asyncio.create_task(work(replace(resources, settings=settings), stopping))
    ada = await queue.user()
    await queue.add(ada, "a1", "a2")
    await resources.queue.wake_worker()
    await queue.all_end()
    stopping.set()
    await working
    async with queue.engine.connect() as connection:
        assert await connection.scalar(text("SELECT max(attempt) FROM tasks")) == 1
