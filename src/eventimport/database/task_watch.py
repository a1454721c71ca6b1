"""Watching tasks: one statement at a time for all event streams of a process, and their number."""

import asyncio
import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from eventimport.database.engine import explain
from eventimport.database.models import IMPORT_JOBS, Task
from eventimport.errors import ProblemError, refuse

UNREADABLE: Final = (SQLAlchemyError, OSError, TimeoutError)
"""Raised if the database cannot be read."""

POLL_SECONDS: Final = 0.5
"""How often rows are read; a worker writes its progress a few times a second at most."""

logger = logging.getLogger(__name__)


@dataclass(eq=False, slots=True)
class Watch:
    """One stream's view of a task: `changed` is set once the task is not what it was."""

    job_id: UUID
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    seen: Any = None


@dataclass(slots=True)
class TaskWatcher:
    """The event streams of this process. Their tasks are read together, every `interval` seconds,
    by one loop that runs as long as there is a stream.

    A stream ends after `stream_lifetime` seconds, and checks every `look_seconds` whether it must.
    """

    reader: AsyncEngine
    max_streams: int
    max_streams_per_user: int
    stream_lifetime: float
    interval: float = POLL_SECONDS
    look_seconds: float = POLL_SECONDS
    _watches: set[Watch] = field(default_factory=set)
    _users: Counter[int] = field(default_factory=Counter)
    _loop: asyncio.Task[None] | None = None

    @contextmanager
    def stream(self, user_id: int) -> Iterator[None]:
        """Count a stream of the user as long as the block lasts. Raises 429."""
        if self._users[user_id] >= self.max_streams_per_user:
            raise _too_many("per user", self.max_streams_per_user, "MAX_EVENT_STREAMS_PER_USER")
        if self._users.total() >= self.max_streams:
            raise _too_many("in this process", self.max_streams, "MAX_EVENT_STREAMS")
        self._users[user_id] += 1
        try:
            yield
        finally:
            self._users[user_id] -= 1
            if not self._users[user_id]:
                del self._users[user_id]

    @contextmanager
    def watch(self, job_id: UUID) -> Iterator[Watch]:
        """Watch a task as long as the block lasts."""
        watch = Watch(job_id)
        self._watches.add(watch)
        if self._loop is None or self._loop.done():
            self._loop = asyncio.create_task(self._read())
        try:
            yield watch
        finally:
            self._watches.discard(watch)
            if not self._watches and self._loop is not None:
                self._loop.cancel()
                self._loop = None

    async def _read(self) -> None:
        while True:
            try:
                found = await self._states({watch.job_id for watch in self._watches})
            except UNREADABLE as error:
                logger.warning("Event streams read nothing: %s", explain(error))
            else:
                for watch in tuple(self._watches):
                    state = found.get(watch.job_id)
                    if state != watch.seen:
                        watch.seen = state
                        watch.changed.set()
            await asyncio.sleep(self.interval)

    async def _states(self, job_ids: set[UUID]) -> dict[UUID, Any]:
        """What streams show of each task and what changes while it runs."""
        job = IMPORT_JOBS.c
        statement = (
            select(
                Task.id,
                Task.status,
                Task.stage,
                Task.done,
                Task.total,
                Task.message,
                job.event_id,
            )
            .outerjoin(IMPORT_JOBS, job.id == Task.id)
            .where(Task.id.in_(job_ids))
        )
        async with self.reader.connect() as connection:
            return {row.id: tuple(row) for row in await connection.execute(statement)}


def _too_many(where: str, limit: int, setting: str) -> ProblemError:
    return refuse(
        429,
        "too-many-event-streams",
        "Too many event streams",
        f"At most {limit:,} event streams can be open {where}. The limit is set by {setting}."
        " Close a stream, or poll the task.",
        headers={"Retry-After": "5"},
    )
