"""Finding the imports that nobody is working on, and having them worked on again."""

import asyncio
import logging

from sqlalchemy.exc import SQLAlchemyError

from eventimport.database.endings import fail_exhausted
from eventimport.database.leases import take_unqueued
from eventimport.errors import Problem
from eventimport.jobs.telling import words_of
from eventimport.queue import QueueUnavailableError
from eventimport.resources import Resources

logger = logging.getLogger(__name__)


async def recover(resources: Resources) -> int:
    """Enqueue the imports that were accepted while the queue was away, that the queue has lost, and
    whose worker is silent; end those that have had all their attempts. Returns how many imports
    were enqueued. Raises QueueUnavailableError, and what the database's absence raises: what was
    not enqueued is found again."""
    settings = resources.settings
    stale_after = settings.heartbeat_stale_after
    problem = Problem(
        500,
        "worker-lost",
        "The import could not be finished",
        f"The workers that ran it died, {settings.max_attempts} times.",
    )
    async with resources.engine.begin() as connection:
        failed = await fail_exhausted(
            connection,
            words_of(settings),
            stale_after=stale_after,
            max_attempts=settings.max_attempts,
            errors=[problem.as_dict()],
        )
        # The commit comes after the enqueueing: should the queue be away, nothing has happened.
        waiting = await take_unqueued(connection, stale_after=stale_after)
        for job in waiting:
            await resources.queue.enqueue_import(job.job_id, job.attempt)
    for job_id in failed:
        logger.error("import %s has had its last attempt", job_id)
    return len(waiting)


async def keep_recovering(resources: Resources) -> None:
    """Recover, again and again, until cancelled. A server that is away is waited for."""
    while True:
        try:
            count = await recover(resources)
            if count:
                logger.info("%d imports were enqueued again", count)
        except (QueueUnavailableError, SQLAlchemyError, OSError, TimeoutError):
            logger.warning("the recovery of imports has to wait", exc_info=True)
        await asyncio.sleep(resources.settings.recovery_interval)
