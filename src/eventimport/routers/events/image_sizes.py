"""Images that a PATCH has changed: a task makes their smaller sizes."""

import logging
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from eventimport.conference.kinds import Kind
from eventimport.database.event_queries import Row
from eventimport.database.image_jobs import ImageOf, add_image_job, revoke_waiting
from eventimport.http.events.patches import DERIVED
from eventimport.http.events.schema import ResourceType
from eventimport.observability import logs
from eventimport.observability.tracing import current_parent
from eventimport.queue import Queue, QueueUnavailableError

logger = logging.getLogger(__name__)


async def begin_sizes(
    connection: AsyncConnection, resource: ResourceType, before: Row, row: Row, user_id: int
) -> list[UUID]:
    """Make a task for each image that a change of the row has replaced, if sizes of it are missing;
    the tasks of earlier images that wait for a worker are revoked."""
    tasks = []
    for (kind, field), sizes in DERIVED.items():
        if kind is not resource.kind or row[field] == before[field]:
            continue
        event_id = row["id"] if kind is Kind.EVENT else row["event_id"]
        table = resource.node.table.name
        await revoke_waiting(connection, event_id, table, row["id"])
        if row[field] is None or all(row[name] is not None for name in sizes):
            continue
        image = ImageOf(
            event_id=event_id, table=table, row_id=row["id"], field=field, url=row[field]
        )
        tasks.append(
            await add_image_job(
                connection,
                image,
                user_id=user_id,
                trace_parent=current_parent(),
                request_id=logs.request_id(),
            )
        )
    return tasks


async def wake_worker(queue: Queue) -> None:
    """Have a worker look at once. Without this, workers find the task a few seconds later."""
    try:
        await queue.wake_worker()
    except QueueUnavailableError:
        logger.warning("the task waits until a worker looks by itself", exc_info=True)
