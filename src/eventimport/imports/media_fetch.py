"""Fetching the media files again that an import has not stored."""

import logging

from eventimport.database.endings import end_media_fetch, succeed
from eventimport.database.media_fetches import (
    begin_media_fetch,
    media_fetch_result,
    read_media_fetch,
)
from eventimport.database.tasks import Claim
from eventimport.imports.attempt import ENDED, TaskAttempt, run_attempt
from eventimport.imports.endings import FETCH_REASONS, new_report_of, words_of
from eventimport.imports.media import Archived, move_media
from eventimport.resources import Resources

logger = logging.getLogger(__name__)


async def attempt_media_fetch(resources: Resources, claimed: Claim) -> None:
    """Run the claimed attempt to its end. Cancelled, it hands the task back."""
    attempt = TaskAttempt(claimed, stage="media", message="Fetching the media files")
    await run_attempt(resources, attempt, lambda: _run(resources, attempt), FETCH_REASONS)


async def _run(resources: Resources, attempt: TaskAttempt) -> None:
    claimed, settings = attempt.claimed, resources.settings
    async with resources.engine.begin() as connection:
        fetched = await read_media_fetch(connection, claimed.task_id)
        await begin_media_fetch(connection, claimed, fetched, links=settings.fetch_media)
    archive = Archived(fetched.archive_storage, fetched.archive_key)
    await move_media(resources, attempt, fetched.job_id, archive)
    attempt.is_ending = True
    async with resources.engine.begin() as connection:
        result = await media_fetch_result(connection, claimed.task_id)
        await succeed(
            connection,
            claimed,
            words_of(settings),
            stage=ENDED,
            message=f"Media files stored: {result['stored']}; missing: {result['missing']}",
            result=result,
            # The heartbeat may have missed the last of them.
            done=attempt.done,
            total=attempt.total,
            stage_seconds=attempt.times(),
        )
        report = new_report_of(settings)()
        await end_media_fetch(connection, fetched.job_id, "the fetch has ended", report)
    logger.info("task %s is done: %d media files", claimed.task_id, result["stored"])
