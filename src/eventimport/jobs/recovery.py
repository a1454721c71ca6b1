"""Taking imports back from workers that are lost."""

import asyncio
import logging
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from uuid import UUID

from sqlalchemy.exc import SQLAlchemyError

from eventimport.database.endings import fail_lost
from eventimport.database.engine import explain, is_unavailable
from eventimport.database.stopped_clients import end_stopped_clients
from eventimport.database.tasks import Beat, exhausted, last_beats, take_back
from eventimport.imports.endings import new_report_of, words_of, worker_lost
from eventimport.queue import QueueUnavailableError
from eventimport.resources import Resources

logger = logging.getLogger(__name__)


class Watch:
    """Which workers are silent, by this process's own monotonic clock: no wall clock, neither the
    database's nor another machine's, can make a living worker look dead, or a dead one alive."""

    def __init__(self) -> None:
        self._seen: dict[UUID, tuple[Beat, float]] = {}

    def silent(self, beats: Sequence[Beat], *, now: float, after: float) -> list[Beat]:
        """Those of the heartbeats that this process saw `after` seconds ago, and that are still the
        last ones."""
        before, self._seen = self._seen, {}
        found = []
        for beat in beats:
            seen, since = before.get(beat.task_id, (beat, now))
            if seen != beat:
                since = now
            self._seen[beat.task_id] = beat, since
            if now - since >= after:
                found.append(beat)
        return found

    def forget(self) -> None:
        """Begin anew: while the database was unavailable, no worker could send a heartbeat."""
        self._seen.clear()


async def recover(resources: Resources, watch: Watch, *, now: float | None = None) -> int:
    """Take the tasks of silent workers back, and end those that have had all their attempts.
    Returns how many wait for another worker now. `now` is a monotonic time, for tests.

    Raises what the absence of the database raises.
    """
    await _end_stopped_clients(resources)
    settings = resources.settings
    now = time.monotonic() if now is None else now
    async with resources.reader.connect() as connection:
        beats = await last_beats(connection)
    count = 0
    for beat in watch.silent(beats, now=now, after=settings.heartbeat_timeout):
        async with resources.engine.begin() as connection:
            count += await take_back(connection, beat, max_failures=settings.max_attempts)
            lost = await fail_lost(
                connection,
                exhausted(beat, max_failures=settings.max_attempts),
                words_of(settings),
                lambda kind: [worker_lost(settings.max_attempts, kind).as_dict()],
                new_report=new_report_of(settings),
            )
        for task_id in lost:
            logger.error("task %s failed in its last attempt", task_id)
    return count


async def _end_stopped_clients(resources: Resources) -> None:
    """A worker that was stopped may hold its task's row; it could not be taken from it. A database
    that does not allow this must not keep all other imports from being recovered."""
    after = timedelta(seconds=resources.settings.database_idle_timeout)
    try:
        async with resources.engine.begin() as connection:
            ended = await end_stopped_clients(connection, after=after)
    except SQLAlchemyError as error:
        if is_unavailable(error):
            raise
        logger.warning("the transactions of stopped clients cannot be ended for now", exc_info=True)
        return
    if ended:
        logger.warning("%d transactions of stopped clients were ended", ended)


async def keep_recovering(resources: Resources) -> None:
    """Recover, again and again, until cancelled. An unavailable database is waited for."""
    watch = Watch()
    while True:
        try:
            count = await recover(resources, watch)
            if count:
                logger.info("%d tasks of lost workers start again", count)
                with suppress(QueueUnavailableError):
                    await resources.queue.wake_worker()
        except (SQLAlchemyError, OSError, TimeoutError) as error:
            watch.forget()
            resources.failure_log.write({"database": explain(error)}, set())
        except Exception:
            # Without it nothing that is lost would ever be found again.
            logger.exception("the recovery of imports failed unexpectedly")
        await asyncio.sleep(resources.settings.recovery_interval)
