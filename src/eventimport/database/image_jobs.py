"""Image jobs: made with the change of an image, and settled with the URLs of its sizes."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote, urlsplit
from uuid import UUID

from sqlalchemy import and_, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from eventimport.database.endings import hold
from eventimport.database.event_versions import count_change
from eventimport.database.models import (
    IMAGE_JOBS,
    Base,
    ImportStatus,
    ObjectRecord,
    ObjectState,
    Task,
    TaskKind,
)
from eventimport.database.objects import Use, use_objects
from eventimport.database.tasks import Claim, add_task
from eventimport.storage.keys import MAX_KEY_BYTES
from eventimport.storage.stored_file import StoredFile

REPLACED: Final = "Image changed again"
MAX_PARTS: Final = 10
"""This many parts of a URL's path, from its end, may be a key of ours; the longest has 7."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageOf:
    """The image at `url`, which the field of a row holds."""

    event_id: int
    table: str
    row_id: int
    field: str
    url: str


async def add_image_job(
    connection: AsyncConnection,
    image: ImageOf,
    *,
    user_id: int,
) -> UUID:
    """Make the task that makes an image's sizes, in the transaction that changes the image."""
    task_id = await add_task(connection, TaskKind.IMAGE_SIZES, user_id=user_id)
    await connection.execute(
        insert(IMAGE_JOBS).values(
            id=task_id,
            event_id=image.event_id,
            table_name=image.table,
            row_id=image.row_id,
            field=image.field,
            url=image.url,
        )
    )
    return task_id


async def revoke_waiting(
    connection: AsyncConnection, event_id: int, table: str, row_id: int
) -> None:
    """End the tasks for earlier images of a row that no worker has claimed yet. Those that run find
    out by themselves that the row has another image."""
    earlier = (
        select(Task.id)
        .join(IMAGE_JOBS, IMAGE_JOBS.c.id == Task.id)
        .where(
            IMAGE_JOBS.c.event_id == event_id,
            IMAGE_JOBS.c.table_name == table,
            IMAGE_JOBS.c.row_id == row_id,
            Task.status == ImportStatus.PENDING,
        )
        .with_for_update(of=Task, skip_locked=True)
    )
    ids = (await connection.scalars(earlier)).all()
    if ids:
        await connection.execute(
            update(Task)
            .where(Task.id.in_(ids))
            .values(status=ImportStatus.REVOKED, message=REPLACED, finished_at=func.now())
        )


async def read_image_job(connection: AsyncConnection, task_id: UUID) -> ImageOf | None:
    """What the task is for; None if the row holds another image by now, or is gone."""
    job = IMAGE_JOBS.c
    statement = select(job.event_id, job.table_name, job.row_id, job.field, job.url)
    found = (await connection.execute(statement.where(job.id == task_id))).one_or_none()
    if found is None or found.event_id is None:
        return None
    image = ImageOf(
        event_id=found.event_id,
        table=found.table_name,
        row_id=found.row_id,
        field=found.field,
        url=found.url,
    )
    columns = Base.metadata.tables[image.table].c
    current = select(columns[image.field]).where(columns.id == image.row_id)
    return image if await connection.scalar(current) == image.url else None


async def settle_sizes(
    connection: AsyncConnection,
    claimed: Claim,
    image: ImageOf,
    storage: str,
    sizes: Mapping[str, StoredFile],
) -> Collection[str] | None:
    """Write the URLs of the sizes into those of the row's fields that are empty, and link the
    files, in the transaction that ends the task; returns these fields. None, and nothing is
    changed, if the row holds another image by now, or is gone.

    Raises StaleAttemptError.
    """
    await hold(connection, claimed)
    await count_change(connection, image.event_id)
    table = Base.metadata.tables[image.table]
    columns = table.c
    # Nothing changes the row meanwhile: each change holds the event.
    own = and_(columns.id == image.row_id, columns[image.field] == image.url)
    row = (await connection.execute(select(table).where(own))).mappings().one_or_none()
    if row is None:
        return None
    empty = [name for name in sizes if row[name] is None]
    if empty:
        await connection.execute(
            update(table)
            .where(own)
            .values({name: sizes[name].url for name in empty} | {"version": columns.version + 1})
        )
    uses = [
        Use(
            key=sizes[name].key,
            size=sizes[name].size,
            event_id=image.event_id,
            table_name=image.table,
            row_id=image.row_id,
            field=name,
        )
        for name in empty
    ]
    await use_objects(connection, storage, uses)
    return empty


async def possible_objects(connection: AsyncConnection, url: str) -> list[tuple[str, str]]:
    """The stored files whose keys a URL may end in, as pairs of storage and key, the longest key
    first."""
    try:
        parts = unquote(urlsplit(url).path).split("/")[-MAX_PARTS:]
    except ValueError:
        return []
    keys = ["/".join(parts[start:]) for start in range(len(parts))]
    keys = [key for key in keys if len(key) <= MAX_KEY_BYTES and "\0" not in key]
    statement = (
        select(ObjectRecord.storage, ObjectRecord.key)
        .where(ObjectRecord.key.in_(keys), ObjectRecord.state == ObjectState.KEPT)
        .order_by(func.length(ObjectRecord.key).desc())
    )
    return [(row.storage, row.key) for row in await connection.execute(statement)]
