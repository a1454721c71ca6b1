"""How tasks end. All ways lead through one statement, so that the owner is notified of each end
exactly once: the end and its notification commit together.

Before the commit of its event an import may end in any way. After it, it ends only as SUCCESS: an
event that people have seen is never taken away by a late failure or a cancellation.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, exists, func, literal, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from eventimport.conference.report import Report
from eventimport.database.findings import with_media_findings
from eventimport.database.media_records import leave_media
from eventimport.database.models import (
    IMPORT_JOBS,
    MEDIA_FETCHES,
    OPEN_STATUSES,
    Event,
    ExportJob,
    ImportJob,
    ImportStatus,
    MediaOutcome,
    Notification,
    OutgoingMail,
    Task,
    TaskKind,
    User,
)
from eventimport.database.objects import Unlinked, unlink_archive
from eventimport.database.tasks import Claim, StaleAttemptError, current

FIRST_ERRORS: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedImport:
    """An import that has just ended, as SUCCESS or FAILURE. `totals` counts its findings,
    `media` its media files by outcome, and `error_count` its errors; `errors` and
    `warnings` are the first ones. `is_published`: all people can see its event."""

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
    warnings: list[dict[str, Any]]
    is_published: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedExport:
    """An export that has just ended, as SUCCESS or FAILURE. `token` is the secret part of its
    link."""

    job_id: UUID
    user_id: int
    status: str
    event_name: str
    event_identifier: str
    format: str
    token: str
    errors: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class NotificationWords:
    """What a notification says, and the `Message-ID` of the mail that says the same; None for no
    mail."""

    title: str
    message: str
    message_id: str | None


WordsOf = Callable[[EndedImport | EndedExport], NotificationWords]
"""Finds the words for an end."""

NewReport = Callable[[], Report]
"""Makes an empty report, with the limits of findings."""


async def succeed(
    connection: AsyncConnection,
    claimed: Claim,
    words_of: WordsOf,
    *,
    job: dict[str, Any] | None = None,
    **values: Any,
) -> None:
    """End the task as SUCCESS; `job` are values for its import job, `values` those for its task.

    Raises StaleAttemptError if the attempt doesn't count any more.
    """
    await hold(connection, claimed)
    if job:
        await _change_job(connection, claimed.task_id, job)
    ended: dict[str, Any] = {"status": ImportStatus.SUCCESS, "held": False, **values}
    await _end(connection, claimed.task_id, words_of, **ended)


async def fail(
    connection: AsyncConnection,
    claimed: Claim,
    words_of: WordsOf,
    errors: Sequence[dict[str, Any]],
    *,
    new_report: NewReport = Report,
    job: dict[str, Any] | None = None,
    **values: Any,
) -> None:
    """End the task as FAILURE; or, if it is an import whose event is committed, as SUCCESS without
    the media files that are not stored yet.

    Raises StaleAttemptError if the attempt doesn't count any more.
    """
    await hold(connection, claimed)
    ended: dict[str, Any] = {"new_report": new_report, "job": job or {}, **values}
    await _give_up(connection, claimed.task_id, words_of, errors, **ended)


async def fail_lost(
    connection: AsyncConnection,
    which: ColumnElement[bool],
    words_of: WordsOf,
    errors_of: Callable[[str], Sequence[dict[str, Any]]],
    *,
    new_report: NewReport = Report,
) -> list[UUID]:
    """End, as `fail` does, those open tasks among `which` that no other transaction holds; their
    workers are lost. `errors_of` returns the errors for a task's kind. Returns the ids."""
    chosen = (
        select(Task.id, Task.kind)
        .where(which, Task.status.in_(OPEN_STATUSES))
        .with_for_update(skip_locked=True)
    )
    lost = (await connection.execute(chosen)).all()
    for task_id, kind in lost:
        errors = errors_of(kind)
        await _give_up(connection, task_id, words_of, errors, new_report=new_report, job={})
    return [task_id for task_id, _ in lost]


async def cancel(
    connection: AsyncConnection, task_id: UUID, words_of: WordsOf, *, new_report: NewReport = Report
) -> list[Unlinked] | None:
    """End the task as REVOKED; or, if it is an import whose event is committed, as SUCCESS without
    the media files that are not stored yet. A fetch of media files keeps what it has stored.
    Returns the files that are to be deleted after the commit. None, and nothing is changed, if it
    has ended already.

    No attempt at it can commit anything from then on. A worker that runs it stops at its next check
    point, and holds the task until it has. A REVOKED import sends no notification.
    """
    statement = (
        select(Task.id).where(Task.id == task_id, Task.status.in_(OPEN_STATUSES)).with_for_update()
    )
    if await connection.scalar(statement) is None:
        return None
    if await _has_event(connection, task_id):
        await _leave_rest(connection, task_id, words_of, "the import was cancelled", new_report)
        return []
    await _leave_fetch(connection, task_id, "the fetch was cancelled", new_report)
    await connection.execute(
        update(Task)
        .where(Task.id == task_id)
        .values(status=ImportStatus.REVOKED, message="Cancelled", finished_at=func.now())
    )
    return await unlink_archive(connection, task_id)


async def _has_event(connection: AsyncConnection, task_id: UUID) -> bool:
    """Whether an attempt has committed the import's event."""
    identifier = select(IMPORT_JOBS.c.event_identifier).where(IMPORT_JOBS.c.id == task_id)
    return await connection.scalar(identifier) is not None


async def hold(connection: AsyncConnection, claimed: Claim) -> None:
    """Lock the task until the transaction ends. Raises StaleAttemptError."""
    held = select(Task.id).where(current(claimed)).with_for_update()
    if await connection.scalar(held) is None:
        raise StaleAttemptError(f"attempt {claimed.attempt} of task {claimed.task_id} is over")


async def _give_up(
    connection: AsyncConnection,
    task_id: UUID,
    words_of: WordsOf,
    errors: Sequence[dict[str, Any]],
    *,
    new_report: NewReport,
    job: dict[str, Any],
    **values: Any,
) -> None:
    if await _has_event(connection, task_id):
        why = str(errors[0]["title"]).lower() if errors else "the import was ended"
        await _leave_rest(connection, task_id, words_of, why, new_report, held=False)
        return
    if job:
        await _change_job(connection, task_id, job)
    why = str(errors[0]["title"]).lower() if errors else "the task was ended"
    await _leave_fetch(connection, task_id, why, new_report)
    failure = {
        "status": ImportStatus.FAILURE,
        "message": await _failed(connection, task_id),
        "errors": list(errors),
        "held": False,
    }
    await _end(connection, task_id, words_of, **{**failure, **values})


async def _failed(connection: AsyncConnection, task_id: UUID) -> str:
    kind = await connection.scalar(select(Task.kind).where(Task.id == task_id))
    return "The import failed" if kind == TaskKind.IMPORT else "The task failed"


async def _leave_rest(
    connection: AsyncConnection,
    task_id: UUID,
    words_of: WordsOf,
    why: str,
    new_report: NewReport,
    **values: Any,
) -> None:
    """End as SUCCESS an import whose event is committed; what isn't stored of its media stays so,
    and the report says why."""
    message = await report_media(connection, task_id, why, new_report())
    await _end(
        connection,
        task_id,
        words_of,
        status=ImportStatus.SUCCESS,
        stage="done",
        message=message,
        **values,
    )


async def report_media(connection: AsyncConnection, job_id: UUID, why: str, report: Report) -> str:
    """Settle what is still planned of an import's media files, and write its report. `report` is
    empty, with the limits of findings. Returns the import's message."""
    media = await leave_media(connection, job_id, why)
    summary = await with_media_findings(connection, job_id, media, report)
    await _change_job(connection, job_id, {"report": summary})
    left = media["outcomes"].get(MediaOutcome.NOT_STORED.value, 0)
    return f"Imported; {left} media files were not stored" if left else "Imported"


async def _leave_fetch(
    connection: AsyncConnection, task_id: UUID, why: str, new_report: NewReport
) -> None:
    """If the task fetches an import's media files and has begun, report what is still missing."""
    begun = select(MEDIA_FETCHES.c.import_job_id).where(
        MEDIA_FETCHES.c.id == task_id, MEDIA_FETCHES.c.stored_before.is_not(None)
    )
    job_id = await connection.scalar(begun)
    if job_id is not None:
        await end_media_fetch(connection, job_id, why, new_report())


async def end_media_fetch(
    connection: AsyncConnection, job_id: UUID, why: str, report: Report
) -> None:
    """Report anew what an import has stored of its media files; the caller ends the task that has
    fetched them again."""
    message = await report_media(connection, job_id, why, report)
    await connection.execute(update(Task).where(Task.id == job_id).values(message=message))


async def _change_job(connection: AsyncConnection, task_id: UUID, values: dict[str, Any]) -> None:
    await connection.execute(
        update(IMPORT_JOBS).where(IMPORT_JOBS.c.id == task_id).values(**values)
    )


async def _end(
    connection: AsyncConnection, task_id: UUID, words_of: WordsOf, **values: Any
) -> None:
    await connection.execute(
        update(Task).where(Task.id == task_id).values(finished_at=func.now(), **values)
    )
    ended = await read_ended_import(connection, task_id, listed=FIRST_ERRORS)
    if ended is not None:
        await add_notification(
            connection, job_id=ended.job_id, user_id=ended.user_id, words=words_of(ended)
        )
        return
    exported = await _read_ended_export(connection, task_id)
    if exported is not None:
        words = words_of(exported)
        await connection.execute(
            insert(Notification).values(
                user_id=exported.user_id, title=words.title, message=words.message
            )
        )


async def _read_ended_export(connection: AsyncConnection, task_id: UUID) -> EndedExport | None:
    """An export's end; None if the task is not an export."""
    statement = select(
        ExportJob.id.label("job_id"),
        ExportJob.user_id,
        ExportJob.status,
        ExportJob.event_name,
        ExportJob.event_identifier,
        ExportJob.format,
        ExportJob.token,
        _first_of(ExportJob.errors, "$[*]", FIRST_ERRORS).label("errors"),
    ).where(ExportJob.id == task_id)
    row = (await connection.execute(statement)).mappings().one_or_none()
    return EndedExport(**row) if row is not None else None


async def read_ended_import(
    connection: AsyncConnection, task_id: UUID, *, listed: int
) -> EndedImport | None:
    """An import's end, with at most `listed` errors and warnings each; None if the task is not an
    import."""
    is_published = exists().where(Event.id == ImportJob.event_id, Event.published_at.is_not(None))
    statement = select(
        ImportJob.id.label("job_id"),
        ImportJob.user_id,
        ImportJob.status,
        ImportJob.dry_run,
        ImportJob.file_name,
        ImportJob.event_name,
        ImportJob.event_identifier,
        ImportJob.report["totals"].label("totals"),
        ImportJob.report["media"]["outcomes"].label("media"),
        _first_of(ImportJob.errors, "$[*]", listed).label("errors"),
        error_count().label("error_count"),
        _first_of(ImportJob.report, _WARNINGS, listed).label("warnings"),
        is_published.label("is_published"),
    ).where(ImportJob.id == task_id)
    row = (await connection.execute(statement)).mappings().one_or_none()
    return EndedImport(**row) if row is not None else None


_WARNINGS: Final = '$.findings[*] ? (@.severity == "warning")'


def _first_of(column: Any, path: str, count: int) -> Any:
    """The first elements that a JSON path leads to; none for NULL. A report may be long: the rest
    of it stays in the database."""
    found = func.jsonb_path_query_array(column, text(f"'{path}'"), type_=column.type)
    some = func.jsonb_path_query_array(found, text(f"'$[0 to {count - 1}]'"), type_=column.type)
    return func.coalesce(some, text("'[]'::jsonb"), type_=column.type)


def error_count() -> Any:
    """How many errors a failed import has, also those that its row does not list; else 0."""
    # The tables' columns, for statements over either model of them.
    counted = IMPORT_JOBS.c.report["error_count"].as_integer()
    return func.coalesce(counted, func.jsonb_array_length(Task.__table__.c.errors), 0)


async def add_notification(
    connection: AsyncConnection, *, job_id: UUID, user_id: int, words: NotificationWords
) -> None:
    """Add the notification and its mail, unless the import has its notification already. A user
    whose address is not confirmed gets no mail."""
    statement = (
        insert(Notification)
        .values(user_id=user_id, import_job_id=job_id, title=words.title, message=words.message)
        .on_conflict_do_nothing(index_elements=[Notification.import_job_id])
        .returning(Notification.id)
    )
    notification_id = await connection.scalar(statement)
    if notification_id is None or words.message_id is None:
        return
    mail = select(literal(notification_id), literal(words.message_id)).where(
        exists().where(User.id == user_id, User.is_confirmed, User.disabled_at.is_(None))
    )
    await connection.execute(
        insert(OutgoingMail).from_select(["notification_id", "message_id"], mail)
    )
