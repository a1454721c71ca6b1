"""How an import goes on, told as it happens: server-sent events."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends
from fastapi.sse import EventSourceResponse, ServerSentEvent
from sqlalchemy.exc import SQLAlchemyError

from eventimport.database.models import OPEN_STATUSES
from eventimport.database.task_watch import Watch
from eventimport.errors import ProblemError
from eventimport.http.dependencies import ResourcesDep, TokenUserIdDep
from eventimport.http.openapi import problems
from eventimport.routers.tasks import read_task

LOOK_SECONDS = 0.5
"""How often a stream looks whether it must end."""

MAX_SECONDS = 600.0
"""How long one answer goes on. A client whose task is not over by then asks again."""

router = APIRouter(prefix="/v1/tasks", tags=["imports"])
logger = logging.getLogger(__name__)


async def get_first_state(
    task_id: UUID, user_id: TokenUserIdDep, resources: ResourcesDep
) -> AsyncIterator[dict[str, Any]]:
    """The task as it is now: read before the answer begins, so that a refusal has its status. The
    stream counts until the answer has ended. Raises 429 for one too many."""
    with resources.task_watcher.stream(user_id):
        yield await read_task(resources, task_id, user_id)


@router.get(
    "/{task_id}/events",
    response_class=EventSourceResponse,
    responses=problems(401, 404, 429),
    response_description="Events whose data is the response of `GET /v1/tasks/{task_id}`.",
)
async def watch_task(
    task_id: UUID,
    user_id: TokenUserIdDep,
    resources: ResourcesDep,
    first: Annotated[dict[str, Any], Depends(get_first_state)],
) -> AsyncIterator[ServerSentEvent]:
    """Get the state of a task, now and after each change, as server-sent events.

    The last event has the final state. A response can end without it, after ten minutes or because
    the service stops. Then repeat the request, or poll the task. A comment every 15 seconds keeps
    the connection alive. A browser's `EventSource` cannot send an access token; `fetch` can.
    """
    task = first
    yield ServerSentEvent(data=task)
    deadline = asyncio.get_running_loop().time() + MAX_SECONDS
    with resources.task_watcher.watch(task_id) as watch:
        while task["state"] in OPEN_STATUSES:
            await _changed(watch)
            if resources.stopping.is_set() or asyncio.get_running_loop().time() > deadline:
                return
            if not watch.changed.is_set():
                continue
            watch.changed.clear()
            try:
                now = await read_task(resources, task_id, user_id)
            except (ProblemError, SQLAlchemyError, OSError, TimeoutError) as error:
                # The status is sent already: ending early is all that can be told.
                logger.warning("The events of task %s end early: %s", task_id, error)
                return
            if now != task:
                task = now
                yield ServerSentEvent(data=task)


async def _changed(watch: Watch) -> None:
    """Wait for a change, and no longer than until the next look at the clock."""
    with suppress(TimeoutError):
        async with asyncio.timeout(LOOK_SECONDS):
            await watch.changed.wait()
