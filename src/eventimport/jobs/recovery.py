"""Finding the imports that nobody is working on, and having them worked on again."""

import asyncio
import logging
from datetime import timedelta

from sqlalchemy.exc import SQLAlchemyError

from eventimport.database.endings import fail_exhausted
from eventimport.database.engine import is_away
from eventimport.database.leases import take_unqueued
from eventimport.database.stopped_clients import end_stopped_clients
from eventimport.errors import Problem
from eventimport.jobs.telling import words_of
from eventimport.queue import QueueUnavailableError
from eventimport.resources import Resources
from eventimport.stored_objects import delete_objects

logger = logging.getLogger(__name__)


async def recover(resources: Resources) -> int:
    """Enqueue the imports that were accepted while the queue was away, that the queue has lost, and
    whose worker is silent; end those that have had all their attempts. Returns how many imports
    were enqueued. Raises QueueUnavailableError, and what the database's absence raises: what was
    not enqueued is found again."""
    await _end_stopped_clients(resources)
    await _fail_exhausted(resources)
    settings = resources.settings
    async with resources.engine.begin() as connection:
        # The commit comes after the enqueueing: should the queue be away, nothing has happened.
        waiting = await take_unqueued(
            connection,
            stale_after=settings.heartbeat_stale_after,
            waiting_for=timedelta(seconds=settings.recovery_interval),
            max_attempts=settings.max_attempts,
        )
        for job in waiting:
            await resources.queue.renew_import(job.job_id, job.attempt)
    return len(waiting)


async def _end_stopped_clients(resources: Resources) -> None:
    """A worker that was stopped may hold its job's row; it could not be taken from it. A database
    that does not allow this must not keep all other imports from being recovered."""
    after = timedelta(seconds=resources.settings.database_idle_timeout)
    try:
        async with resources.engine.begin() as connection:
            ended = await end_stopped_clients(connection, after=after)
    except SQLAlchemyError as error:
        if is_away(error):
            raise
        logger.warning("transactions of stopped clients could not be ended", exc_info=True)
        return
    if ended:
        logger.warning("%d transactions were ended whose clients have stopped", ended)


async def _fail_exhausted(resources: Resources) -> None:
    settings = resources.settings
    problem = Problem(
        500,
        "worker-lost",
        "The import could not be finished",
        f"The workers that ran it died, {settings.max_attempts} times.",
    )
    async with resources.engine.begin() as connection:
        ended = await fail_exhausted(
            connection,
            words_of(settings),
            stale_after=settings.heartbeat_stale_after,
            max_attempts=settings.max_attempts,
            errors=[problem.as_dict()],
        )
    for job in ended:
        logger.error("import %s has had its last attempt", job.job_id)
        await delete_objects(resources.engine, resources.storages, job.files)


async def keep_recovering(resources: Resources) -> None:
    """Recover, again and again, until cancelled. A server that is away is waited for."""
    while True:
        try:
            count = await recover(resources)
            if count:
                logger.info("%d imports were enqueued again", count)
        except (QueueUnavailableError, SQLAlchemyError, OSError, TimeoutError):
            logger.warning("the recovery of imports has to wait", exc_info=True)
        except Exception:
            # Without it nothing that is lost would ever be found again.
            logger.exception("the recovery of imports failed for a reason that is ours")
        await asyncio.sleep(resources.settings.recovery_interval)
