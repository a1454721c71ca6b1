"""How imports end. All ways lead through one statement, so that whoever asked for the import is
told of each end exactly once: the end and what is told commit together."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from eventimport.database.event_changes import delete_event
from eventimport.database.leases import Lease, StaleAttemptError, held, stale
from eventimport.database.models import ImportJob, ImportStatus
from eventimport.database.objects import Unlinked
from eventimport.database.outbox import Told, add_notification, error_count, first_of


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedImport:
    """An import that has just ended, as SUCCESS or FAILURE. `totals` counts its findings,
    `media` its media by what became of them, and `error_count` its errors; `errors` are the first
    ones."""

    job_id: UUID
    user_id: int
    status: str
    dry_run: bool
    file_name: str | None
    event_name: str | None
    event_identifier: str | None
    totals: dict[str, int] | None
    media: dict[str, int] | None
    errors: list[dict[str, Any]]
    error_count: int


@dataclass(frozen=True, slots=True)
class EndedJob:
    """A job that was ended, and the files of the event that was removed with it, which are to be
    deleted after the commit."""

    job_id: UUID
    files: list[Unlinked]


FIRST_ERRORS = 1

Tell = Callable[[EndedImport], Told]
"""Finds the words for an end."""


async def succeed(connection: AsyncConnection, lease: Lease, tell: Tell, **values: Any) -> None:
    """End the job as SUCCESS; `values` are what else its row is to say.

    Raises StaleAttemptError where the attempt does not count any more.
    """
    ended = {"status": ImportStatus.SUCCESS, "stage": "done", **values}
    if not await _end(connection, held(lease), ended, tell):
        raise StaleAttemptError(f"attempt {lease.attempt} of import {lease.job_id} is over")


async def fail(
    connection: AsyncConnection,
    lease: Lease,
    tell: Tell,
    errors: list[dict[str, Any]],
    **values: Any,
) -> EndedJob:
    """End the job as FAILURE, and remove the event that one of its attempts may have committed.

    Raises StaleAttemptError where the attempt does not count any more.
    """
    endings = await _end(connection, held(lease), {**_failure(errors), **values}, tell)
    if not endings:
        raise StaleAttemptError(f"attempt {lease.attempt} of import {lease.job_id} is over")
    return endings[0]


async def fail_exhausted(
    connection: AsyncConnection,
    tell: Tell,
    *,
    stale_after: timedelta,
    max_attempts: int,
    errors: list[dict[str, Any]],
) -> list[EndedJob]:
    """End, as FAILURE, the jobs whose last permitted attempt died, and remove the events that they
    have committed."""
    chosen = (
        select(ImportJob.id)
        .where(ImportJob.attempt >= max_attempts, stale(stale_after))
        .with_for_update(skip_locked=True)
    )
    return await _end(
        connection, ImportJob.id.in_(chosen.scalar_subquery()), _failure(errors), tell
    )


def _failure(errors: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "status": ImportStatus.FAILURE,
        "message": "The import failed",
        "errors": errors,
    }


async def _end(
    connection: AsyncConnection, which: ColumnElement[bool], values: dict[str, Any], tell: Tell
) -> list[EndedJob]:
    statement = (
        update(ImportJob)
        .where(which)
        .values(heartbeat_at=func.now(), finished_at=func.now(), **values)
        .returning(
            ImportJob.id.label("job_id"),
            ImportJob.user_id,
            ImportJob.status,
            ImportJob.dry_run,
            ImportJob.file_name,
            ImportJob.event_name,
            ImportJob.event_identifier,
            ImportJob.report["totals"].label("totals"),
            ImportJob.report["media"]["outcomes"].label("media"),
            first_of(ImportJob.errors, "$[*]", FIRST_ERRORS).label("errors"),
            error_count().label("error_count"),
            ImportJob.event_id,
        )
    )
    rows = (await connection.execute(statement)).mappings().all()
    files: dict[UUID, list[Unlinked]] = {}
    if values["status"] == ImportStatus.FAILURE:
        for row in rows:
            if row["event_id"] is not None:
                files[row["job_id"]] = await delete_event(connection, row["event_id"])
    for row in rows:
        named = dict(row)
        del named["event_id"]
        ended = EndedImport(**named)
        await add_notification(
            connection, job_id=ended.job_id, user_id=ended.user_id, told=tell(ended)
        )
    return [EndedJob(row["job_id"], files.get(row["job_id"], [])) for row in rows]
