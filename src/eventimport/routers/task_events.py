"""How an import goes on, told as it happens: server-sent events."""

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends
from fastapi.sse import EventSourceResponse, ServerSentEvent
from sqlalchemy.exc import SQLAlchemyError

from eventimport.database.models.import_job import OPEN_STATUSES
from eventimport.dependencies import ResourcesDep, TokenUserIdDep
from eventimport.errors import ProblemError
from eventimport.routers.documentation import problems
from eventimport.routers.tasks import read_task

POLL_SECONDS = 0.5
"""How often the job's row is read; a worker writes its progress a few times a second at most."""

MAX_SECONDS = 600.0
"""How long one answer goes on. A client whose task is not over by then asks again."""

router = APIRouter(prefix="/v1/tasks", tags=["imports"])
logger = logging.getLogger(__name__)


async def get_first_state(
    task_id: UUID, user_id: TokenUserIdDep, resources: ResourcesDep
) -> dict[str, Any]:
    """The task as it is now: read before the answer begins, so that a refusal has its status."""
    return await read_task(resources, task_id, user_id)


@router.get(
    "/{task_id}/events",
    response_class=EventSourceResponse,
    responses=problems(401, 404),
    response_description="Events whose data are what `GET /v1/tasks/{task_id}` answers.",
)
async def watch_task(
    task_id: UUID,
    user_id: TokenUserIdDep,
    resources: ResourcesDep,
    first: Annotated[dict[str, Any], Depends(get_first_state)],
) -> AsyncIterator[ServerSentEvent]:
    """How an import stands, now and whenever that changes, as server-sent events.

    The last event has the final state. An answer that ends without one was cut short, after ten
    minutes or because the service stops: ask again, or poll the task. A comment every 15 seconds
    keeps the connection alive. A browser's `EventSource` can't send an access token; `fetch` can.
    """
    task = first
    yield ServerSentEvent(data=task)
    deadline = asyncio.get_running_loop().time() + MAX_SECONDS
    while task["state"] in OPEN_STATUSES:
        await asyncio.sleep(POLL_SECONDS)
        if resources.stopping.is_set() or asyncio.get_running_loop().time() > deadline:
            return
        try:
            now = await read_task(resources, task_id, user_id)
        except (ProblemError, SQLAlchemyError, OSError, TimeoutError) as error:
            # The status is sent already: ending early is all that can be told.
            logger.warning("The events of task %s end early: %s", task_id, error)
            return
        if now != task:
            task = now
            yield ServerSentEvent(data=task)
