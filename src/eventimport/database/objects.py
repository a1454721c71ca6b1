"""Stored objects and their links: the rows decide which files stay and which are deleted.

A file's row is committed before the file is stored. The transaction that makes use of the file
links it. A file without a link may be deleted: its row is marked `DELETING` first, then the file is
deleted, then the row. A link and a deletion exclude each other by the lock on the object's row.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    and_,
    delete,
    exists,
    func,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from eventimport.database.event_graph import NODES
from eventimport.database.models import (
    EXPORT_JOBS,
    IMPORT_JOBS,
    OPEN_STATUSES,
    ImportJob,
    ImportStatus,
    ObjectLink,
    ObjectPurpose,
    ObjectRecord,
    ObjectState,
    Task,
    User,
)
from eventimport.errors import EventImportError


class ObjectLostError(EventImportError):
    """A file can't be used: its row is gone, or the file is being deleted."""


class UploadQuotaError(EventImportError):
    """A user's uploads would hold more bytes than they may; `left` is how many they still may."""

    def __init__(self, left: int) -> None:
        super().__init__(f"{left} bytes are left of the quota")
        self.left = left


@dataclass(frozen=True, slots=True)
class Unlinked:
    """A file that is to be deleted. `completed`: it was stored as a whole. `withdrawn`: it is, or
    may be, under its `withdrawn_key`."""

    id: int
    storage: str
    key: str
    purpose: str
    completed: bool
    withdrawn: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """A use of the file `key`, whose size is in bytes: by a user, by an import job, or by the field
    of a row of an event, or by the export that made it."""

    key: str
    size: int
    user_id: int | None = None
    import_job_id: UUID | None = None
    export_job_id: UUID | None = None
    event_id: int | None = None
    table_name: str | None = None
    row_id: int | None = None
    field: str | None = None


_LEFT: Final = text("""
    SELECT greatest(CAST(:quota AS bigint) - coalesce(sum(size), 0), 0) FROM stored_objects
    WHERE user_id = CAST(:user_id AS bigint) AND purpose = 'upload'
        AND NOT (storage = CAST(:storage AS text) AND key = CAST(:key AS text))
""")
"""The bytes that a user's other uploads leave of the quota."""

_RESERVE: Final = text(f"""
    INSERT INTO stored_objects (storage, key, purpose, user_id, size)
    SELECT CAST(:storage AS text), CAST(:key AS text), 'upload', CAST(:user_id AS bigint),
        least(CAST(:wanted AS bigint), quota.bytes)
    FROM ({_LEFT.text}) AS quota (bytes)
    WHERE quota.bytes >= CAST(:needed AS bigint)
    ON CONFLICT (storage, key) DO UPDATE SET size = excluded.size
    RETURNING size
""")  # noqa: S608 - a constant

_LOCK_USERS: Final = text("""
    SELECT id FROM users WHERE id = ANY(CAST(:user_ids AS bigint[])) ORDER BY id
    FOR NO KEY UPDATE
""")

_RESERVE_TOGETHER: Final = text("""
    WITH asked AS (
        SELECT * FROM unnest(
            CAST(:storage AS text[]), CAST(:key AS text[]), CAST(:user_id AS bigint[]),
            CAST(:size AS bigint[]), CAST(:quota AS bigint[])
        ) AS asked (storage, key, user_id, size, quota)
    ), fitting AS (
        SELECT user_id FROM asked GROUP BY user_id
        HAVING sum(size) + coalesce((
            SELECT sum(o.size) FROM stored_objects AS o
            WHERE o.user_id = asked.user_id AND o.purpose = 'upload'
        ), 0) <= min(quota)
    )
    INSERT INTO stored_objects (storage, key, purpose, user_id, size)
    SELECT storage, key, 'upload', user_id, size FROM asked JOIN fitting USING (user_id)
    RETURNING key
""")

_USE: Final = text("""
    WITH uses AS (
        SELECT * FROM unnest(
            CAST(:key AS text[]), CAST(:size AS bigint[]), CAST(:user_id AS bigint[]),
            CAST(:import_job_id AS uuid[]), CAST(:export_job_id AS uuid[]),
            CAST(:event_id AS bigint[]), CAST(:table_name AS text[]), CAST(:row_id AS bigint[]),
            CAST(:field AS text[])
        ) AS uses (key, size, user_id, import_job_id, export_job_id, event_id, table_name, row_id,
            field)
    ), kept AS (
        UPDATE stored_objects AS o
        SET state = 'KEPT', size = file.size, kept_at = coalesce(o.kept_at, now())
        FROM (SELECT key, max(size) AS size FROM uses GROUP BY key) AS file
        WHERE o.storage = CAST(:storage AS text) AND o.key = file.key AND o.state <> 'DELETING'
        RETURNING o.id, o.key
    )
    INSERT INTO object_links
        (object_id, user_id, import_job_id, export_job_id, event_id, table_name, row_id, field)
    SELECT kept.id, u.user_id, u.import_job_id, u.export_job_id, u.event_id, u.table_name, u.row_id,
        u.field
    FROM uses AS u JOIN kept USING (key)
""")


async def record_objects(
    connection: AsyncConnection,
    storage: str,
    keys: Collection[str],
    purpose: ObjectPurpose,
    *,
    user_id: int | None = None,
) -> None:
    """Record files that are going to be stored. The caller commits before it stores them."""
    rows = [
        {"storage": storage, "key": key, "purpose": purpose.value, "user_id": user_id}
        for key in keys
    ]
    if rows:
        await connection.execute(insert(ObjectRecord), rows)


async def record_upload(
    connection: AsyncConnection,
    storage: str,
    key: str,
    user_id: int,
    *,
    needed: int,
    wanted: int,
    quota: int,
) -> int:
    """Record a file that a user uploads, or that it has grown, and reserve bytes for it.

    Reserves `wanted` bytes, or fewer if the user's quota has fewer left, but at least `needed`;
    returns how many. Uploads of one user wait for each other here. Raises UploadQuotaError.
    """
    # Not a stronger lock: rows that refer to the user may go on being written.
    locked = select(User.id).where(User.id == user_id).with_for_update(key_share=True)
    await connection.execute(locked)
    named = {"storage": storage, "key": key, "user_id": user_id, "quota": quota}
    asked = {**named, "needed": needed, "wanted": wanted}
    reserved = await connection.scalar(_RESERVE, asked)
    if reserved is None:
        raise UploadQuotaError(int(await connection.scalar(_LEFT, named)))
    return int(reserved)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """A file that a user is going to upload, and the bytes that it reserves of the `quota`."""

    storage: str
    key: str
    user_id: int
    size: int
    quota: int


async def reserve_together(
    connection: AsyncConnection, asked: Sequence[Reservation]
) -> Sequence[bool]:
    """Record new files of several requests, as `record_upload` does; returns for each whether it is
    recorded. None of a user's is, if the quota does not suffice for all of them."""
    await connection.execute(_LOCK_USERS, {"user_ids": list({one.user_id for one in asked})})
    recorded = set(await connection.scalars(_RESERVE_TOGETHER, _columns(Reservation, asked)))
    return [one.key in recorded for one in asked]


def _columns(kind: type[Use | Reservation], rows: Sequence[Use | Reservation]) -> dict[str, Any]:
    return {field.name: [getattr(row, field.name) for row in rows] for field in fields(kind)}


async def set_size(connection: AsyncConnection, storage: str, key: str, size: int) -> None:
    """Record how many bytes an upload has, and give back what it has reserved besides."""
    named = and_(ObjectRecord.storage == storage, ObjectRecord.key == key)
    await connection.execute(update(ObjectRecord).where(named).values(size=size))


async def use_objects(connection: AsyncConnection, storage: str, uses: Sequence[Use]) -> None:
    """Link files with what uses them, in the caller's transaction; each was stored as a whole.

    Raises ObjectLostError, after which the caller rolls back, if one of them is being deleted.
    """
    if not uses:
        return
    result = await connection.execute(_USE, {"storage": storage, **_columns(Use, uses)})
    if result.rowcount < len(uses):
        raise ObjectLostError(f"{len(uses) - result.rowcount} uses of files are lost")


async def use_together(
    engine: AsyncEngine, asked: Sequence[tuple[str, Sequence[Use]]]
) -> Sequence[ObjectLostError | None]:
    """Link the files of several requests, each in one storage; returns an error for each that
    fails. If one does, each is linked in a transaction of its own."""
    try:
        async with engine.begin() as connection:
            for storage in dict.fromkeys(storage for storage, _ in asked):
                uses = [use for name, some in asked if name == storage for use in some]
                await use_objects(connection, storage, uses)
    except ObjectLostError as error:
        if len(asked) == 1:
            return [error]
        return [(await use_together(engine, [one]))[0] for one in asked]
    return [None] * len(asked)


async def give_up_objects(
    connection: AsyncConnection, storage: str, keys: Collection[str]
) -> list[Unlinked]:
    """Mark those of the files for deletion that nothing is linked with. Waits for a transaction
    that is just linking them."""
    own = and_(ObjectRecord.storage == storage, ObjectRecord.key.in_(keys))
    locked = select(ObjectRecord.id).where(own).order_by(ObjectRecord.id).with_for_update()
    return await _mark(connection, (await connection.scalars(locked)).all())


async def unlink_event(connection: AsyncConnection, event_id: int) -> list[Unlinked]:
    """Remove the links of an event and of its exports, in the transaction that deletes it, and mark
    the files for deletion that have no other."""
    exports = select(EXPORT_JOBS.c.id).where(EXPORT_JOBS.c.event_id == event_id)
    return await _unlink(
        connection,
        or_(ObjectLink.event_id == event_id, ObjectLink.export_job_id.in_(exports)),
    )


async def unlink_rows(
    connection: AsyncConnection, table: str, row_ids: Collection[int]
) -> list[Unlinked]:
    """Remove the links of rows of events, in the transaction that deletes the rows, and mark the
    files for deletion that have no other."""
    of_rows = and_(ObjectLink.table_name == table, ObjectLink.row_id.in_(row_ids))
    return await _unlink(connection, of_rows)


async def unlink_exports_of_event(connection: AsyncConnection, event_id: int) -> list[Unlinked]:
    """Give up the files of all exports of an event, and mark them for deletion."""
    exports = select(EXPORT_JOBS.c.id).where(EXPORT_JOBS.c.event_id == event_id)
    await connection.execute(
        update(EXPORT_JOBS).where(EXPORT_JOBS.c.event_id == event_id).values(key=None)
    )
    return await _unlink(connection, ObjectLink.export_job_id.in_(exports))


async def unlink_user(connection: AsyncConnection, user_id: int) -> list[Unlinked]:
    """Remove the links of a user's uploads, archives and exports, in the transaction that deletes
    the user, and mark the files for deletion that have no other."""
    tasks = select(Task.id).where(Task.user_id == user_id)
    own = or_(
        ObjectLink.user_id == user_id,
        ObjectLink.import_job_id.in_(tasks),
        ObjectLink.export_job_id.in_(tasks),
    )
    return await _unlink(connection, own)


async def unlink_archive(connection: AsyncConnection, job_id: UUID) -> list[Unlinked]:
    """Give up the archive of an import that has ended, and mark it for deletion."""
    ended = exists().where(Task.id == job_id, Task.status.not_in(OPEN_STATUSES))
    await connection.execute(
        update(IMPORT_JOBS).where(IMPORT_JOBS.c.id == job_id, ended).values(archive_key=None)
    )
    return await _unlink(connection, and_(ObjectLink.import_job_id == job_id, ended))


async def unlink_expired_archives(
    connection: AsyncConnection, retention: timedelta, *, limit: int
) -> int:
    """Give up the archives of imports that ended so long ago, and those of cancelled ones, as far
    as the limit goes; returns of how many imports."""
    ended = and_(
        ImportJob.status.not_in(OPEN_STATUSES), ImportJob.finished_at < func.now() - retention
    )
    chosen = (
        select(ImportJob.id)
        .where(
            or_(ended, ImportJob.status == ImportStatus.REVOKED),
            ImportJob.archive_key.is_not(None),
        )
        .limit(limit)
        .with_for_update(of=Task, skip_locked=True)
    )
    jobs = (await connection.scalars(chosen)).all()
    if jobs:
        await connection.execute(
            update(IMPORT_JOBS).where(IMPORT_JOBS.c.id.in_(jobs)).values(archive_key=None)
        )
        await _unlink(connection, ObjectLink.import_job_id.in_(jobs))
    return len(jobs)


async def unlink_expired_exports(connection: AsyncConnection, *, limit: int) -> int:
    """Give up the files of exports whose links have expired, as far as the limit goes; returns how
    many."""
    job = EXPORT_JOBS.c
    chosen = (
        select(job.id)
        .where(job.expires_at < func.now(), job.key.is_not(None))
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    jobs = (await connection.scalars(chosen)).all()
    if jobs:
        await connection.execute(update(EXPORT_JOBS).where(job.id.in_(jobs)).values(key=None))
        await _unlink(connection, ObjectLink.export_job_id.in_(jobs))
    return len(jobs)


async def unlink_upload(
    connection: AsyncConnection, object_id: int, of: ColumnElement[bool]
) -> list[Unlinked] | None:
    """Remove a user's link with an upload, and mark the file for deletion if it has no other. None
    if no upload with this id fulfils `of`."""
    found = (
        select(ObjectRecord.id)
        .where(ObjectRecord.id == object_id, is_upload(), of)
        .with_for_update()
    )
    if await connection.scalar(found) is None:
        return None
    # A request that held the row's lock before may have removed the link: a statement of its own
    # sees that.
    own = and_(ObjectLink.object_id == object_id, ObjectLink.user_id.is_not(None))
    if not (await connection.execute(delete(ObjectLink).where(own))).rowcount:
        return None
    return await _mark(connection, [object_id])


def is_upload() -> ColumnElement[bool]:
    """Whether a stored object is an upload that its user has not deleted."""
    linked = exists().where(
        ObjectLink.object_id == ObjectRecord.id, ObjectLink.user_id == ObjectRecord.user_id
    )
    return and_(ObjectRecord.purpose == ObjectPurpose.UPLOAD, linked)


async def unlink_lost_rows(connection: AsyncConnection) -> int:
    """Remove the links of rows that were deleted while their event stays; returns how many."""
    count = 0
    for node in NODES.values():
        rows = node.table
        gone = ~exists().where(rows.c.id == ObjectLink.row_id)
        statement = delete(ObjectLink).where(ObjectLink.table_name == rows.name, gone)
        count += (await connection.execute(statement)).rowcount
    return count


async def take_unlinked(
    connection: AsyncConnection,
    storages: Collection[str],
    older_than: timedelta,
    *,
    after: int,
    limit: int,
) -> tuple[list[Unlinked], int | None]:
    """Files in these storages to delete: those marked already, and those that nothing is linked
    with and that were recorded so long ago, which are marked now. Also returns what the next call
    gets as its `after`; None if there are no more."""
    chosen = (
        select(ObjectRecord.id)
        .where(
            ObjectRecord.id > after,
            ObjectRecord.storage.in_(storages),
            or_(ObjectRecord.state == ObjectState.DELETING, _is_unused(older_than)),
        )
        .order_by(ObjectRecord.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    ids = (await connection.scalars(chosen)).all()
    return await _mark(connection, ids), ids[-1] if ids else None


async def storages_of_unlinked(connection: AsyncConnection, older_than: timedelta) -> set[str]:
    """The names of all storages that hold files to delete."""
    statement = (
        select(ObjectRecord.storage)
        .where(or_(ObjectRecord.state == ObjectState.DELETING, _is_unused(older_than)))
        .distinct()
    )
    return set(await connection.scalars(statement))


async def forget_objects(connection: AsyncConnection, ids: Collection[int]) -> None:
    """Delete the rows of files that are gone."""
    statement = delete(ObjectRecord).where(
        ObjectRecord.id.in_(ids), ObjectRecord.state == ObjectState.DELETING
    )
    await connection.execute(statement)


_LINKED: Final = exists().where(ObjectLink.object_id == ObjectRecord.id)


def _is_unused(older_than: timedelta) -> ColumnElement[bool]:
    return and_(~_LINKED, ObjectRecord.created_at < func.now() - older_than)


async def _unlink(connection: AsyncConnection, which: ColumnElement[bool]) -> list[Unlinked]:
    # The objects are locked before their links go, as they are when links are added.
    linked = select(ObjectLink.object_id).where(which)
    locked = (
        select(ObjectRecord.id)
        .where(ObjectRecord.id.in_(linked))
        .order_by(ObjectRecord.id)
        .with_for_update()
    )
    ids = (await connection.scalars(locked)).all()
    await connection.execute(delete(ObjectLink).where(which, ObjectLink.object_id.in_(ids)))
    return await _mark(connection, ids)


async def _mark(connection: AsyncConnection, locked: Collection[int]) -> list[Unlinked]:
    """Mark those of the objects, whose rows are locked, that have no link. A statement of its own:
    it sees the links that were committed before the locks were taken."""
    if not locked:
        return []
    statement = (
        update(ObjectRecord)
        .where(ObjectRecord.id.in_(locked), ~_LINKED)
        .values(state=ObjectState.DELETING.value)
        .returning(
            ObjectRecord.id,
            ObjectRecord.storage,
            ObjectRecord.key,
            ObjectRecord.purpose,
            ObjectRecord.kept_at.is_not(None),
            or_(ObjectRecord.is_withdrawn, ObjectRecord.is_moving),
        )
    )
    return sorted(
        (Unlinked(*row) for row in await connection.execute(statement)), key=lambda row: row.id
    )
