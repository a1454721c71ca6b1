"""Waiting for a database that is away: nothing fails for it, and nothing is begun meanwhile."""

import logging
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from tenacity import AsyncRetrying, before_sleep_log, retry_if_exception, wait_random_exponential

from eventimport.database.engine import is_away

LONGEST_PAUSE: Final = 10.0
"""Seconds."""

_Result = TypeVar("_Result")
logger = logging.getLogger(__name__)


async def patiently(step: Callable[[], Awaitable[_Result]]) -> _Result:
    """Take a step in the database; while it is away, take it again after pauses that grow, until it
    is back or the caller is cancelled. Raises what else the step raises."""
    retrying = AsyncRetrying(
        retry=retry_if_exception(is_away),
        wait=wait_random_exponential(multiplier=0.5, max=LONGEST_PAUSE),
        before_sleep=before_sleep_log(logger, logging.WARNING),
        reraise=True,
    )

    # tenacity awaits what a coroutine function gives, and only that.
    async def attempt() -> _Result:
        return await step()

    return await retrying(attempt)
