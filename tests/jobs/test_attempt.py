"""What an attempt runs in a thread ends with it, and blocks no other work."""

import asyncio
import threading
from functools import partial
from uuid import uuid4

import pytest

from eventimport.database.tasks import Lease
from eventimport.imports.attempt import Attempt, AttemptStoppedError

DEADLINE = 60
MANY = 40
"""More than asyncio's own threads."""


def attempt() -> Attempt:
    lease = Lease(
        task_id=uuid4(),
        attempt=1,
        user_id=1,
        format="openevent",
        strict=False,
        dry_run=False,
        archive_storage="local",
        archive_key="private/imports/a.zip",
        event_id=None,
    )
    return Attempt(lease)


class Endless:
    """Work that ends only at a check that stops it."""

    def __init__(self) -> None:
        self.attempt = attempt()
        self.began = threading.Event()
        self.ended = threading.Event()

    def run(self) -> None:
        self.began.set()
        try:
            while True:
                self.attempt.check()
        except AttemptStoppedError:
            self.ended.set()
            raise


async def happened(event: threading.Event) -> bool:
    return await attempt().in_thread(lambda: event.wait(DEADLINE))


async def test_the_thread_of_a_cancelled_attempt_ends() -> None:
    work = Endless()
    task = asyncio.create_task(work.attempt.in_thread(work.run))
    assert await happened(work.began)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await happened(work.ended)


async def test_imports_that_compute_keep_no_thread_from_others() -> None:
    release = threading.Event()
    began = [threading.Event() for _ in range(MANY)]

    def wait(event: threading.Event) -> None:
        event.set()
        release.wait(DEADLINE)

    tasks = [asyncio.create_task(attempt().in_thread(partial(wait, event))) for event in began]
    for event in began:
        assert await happened(event)
    # Neither another import nor what asyncio runs in its own threads waits for them.
    assert await attempt().in_thread(lambda: 1) == 1
    assert await asyncio.wait_for(asyncio.to_thread(lambda: 2), DEADLINE) == 2
    release.set()
    await asyncio.gather(*tasks)


async def test_what_the_work_raises_is_raised() -> None:
    def fail() -> None:
        raise LookupError

    with pytest.raises(LookupError):
        await attempt().in_thread(fail)
