"""A worker's slots: which tasks it claims, and how many it runs at once."""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final

from arq.worker import Worker

from eventimport.database.engine import is_unavailable
from eventimport.database.models import TaskKind
from eventimport.database.tasks import Claim, claim_next
from eventimport.imports.image_sizes import attempt_image_sizes
from eventimport.imports.run import attempt_import
from eventimport.resources import Resources

HANDLERS: Final[Mapping[str, Callable[[Resources, Claim], Coroutine[Any, Any, None]]]] = {
    TaskKind.IMPORT: attempt_import,
    TaskKind.IMAGE_SIZES: attempt_image_sizes,
}
"""What runs a claimed task of each kind. Tasks of other kinds are left to newer workers."""

logger = logging.getLogger(__name__)


class Slots:
    """Claims tasks from the database and runs them, WORKER_JOBS at once.

    It looks for tasks when it is woken, when a task ends, and every TASK_POLL_INTERVAL seconds.
    `listener` gets no wake-ups while all slots are taken: they are for other workers then.
    """

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._running: dict[asyncio.Task[None], Claim] = {}
        self.woken = asyncio.Event()
        self.listener: Worker | None = None

    @property
    def running(self) -> list[asyncio.Task[None]]:
        """The tasks that run."""
        return list(self._running)

    @property
    def is_free(self) -> bool:
        """Whether another task may run."""
        return len(self._running) < self._resources.settings.worker_jobs

    async def work(self, stopping: asyncio.Event) -> None:
        """Claim and run tasks until `stopping` is set; those that run then go on."""
        stop = asyncio.create_task(stopping.wait())
        try:
            while not stopping.is_set():
                self.woken.clear()
                await self._fill(stopping)
                await self._wait(stop)
        finally:
            stop.cancel()

    async def _wait(self, stop: asyncio.Task[Any]) -> None:
        woken = asyncio.create_task(self.woken.wait())
        try:
            await asyncio.wait(
                (woken, stop),
                timeout=self._resources.settings.task_poll_interval,
                return_when=asyncio.FIRST_COMPLETED,
            )
        finally:
            woken.cancel()

    async def _fill(self, stopping: asyncio.Event) -> None:
        """Claim tasks until all slots are taken, or no task waits."""
        try:
            while self.is_free and not stopping.is_set():
                claimed = await self._claim()
                if claimed is None:
                    break
                self._start(claimed)
        except Exception as error:
            if is_unavailable(error) or isinstance(error, (OSError, TimeoutError)):
                logger.warning("no task could be claimed; trying again", exc_info=True)
            else:
                logger.exception("no task could be claimed for a reason that is ours")
        if self.listener is not None:
            self.listener.allow_pick_jobs = self.is_free and not stopping.is_set()

    async def _claim(self) -> Claim | None:
        most = self._resources.settings.running_per_user
        by_user = Counter(claimed.user_id for claimed in self._running.values())
        full = [user_id for user_id, count in by_user.items() if count >= most]
        async with self._resources.engine.begin() as connection:
            return await claim_next(connection, kinds=list(HANDLERS), without_users=full)

    def _start(self, claimed: Claim) -> None:
        task = asyncio.create_task(HANDLERS[claimed.kind](self._resources, claimed))
        self._running[task] = claimed
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        claimed = self._running.pop(task)
        self.woken.set()
        error = None if task.cancelled() else task.exception()
        if error is not None:
            logger.error(
                "task %s failed for a reason that is ours", claimed.task_id, exc_info=error
            )
