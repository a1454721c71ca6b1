"""The outbox. What the user is told is written where the import ends, in its transaction; the mail
is sent afterwards, by whoever takes it.

Taking a mail moves its next attempt on by the sender's lease: to another sender it does not exist
until then. Nothing is locked while a mail server is spoken to.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import CursorResult, delete, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from eventimport.database.models import (
    IMPORT_JOBS,
    ImportJob,
    MailStatus,
    Notification,
    OutgoingMail,
    Task,
    User,
)

MAX_ERROR_LENGTH = 1_000
"""So much is kept of why a mail was not sent."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a user is told in the service, and the `Message-ID` of the mail that says it once more;
    None where no mail is sent."""

    title: str
    message: str
    message_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DueMail:
    """A mail that was taken for its `attempt`-th attempt, and the import that it tells of.

    `errors` and `warnings` are at most as many as were asked for; the counts tell of all.
    """

    id: int
    attempt: int
    message_id: str
    address: str
    created_at: datetime
    job_id: UUID
    status: str
    dry_run: bool
    file_name: str | None
    event_name: str | None
    event_identifier: str | None
    totals: Mapping[str, int] | None
    media: Mapping[str, int] | None
    errors: list[dict[str, Any]]
    error_count: int
    warnings: list[dict[str, Any]]


async def add_notification(
    connection: AsyncConnection, *, job_id: UUID, user_id: int, told: Told
) -> None:
    """Write the notification and its mail; nothing where the import has its notification."""
    statement = (
        insert(Notification)
        .values(user_id=user_id, import_job_id=job_id, title=told.title, message=told.message)
        .on_conflict_do_nothing(index_elements=[Notification.import_job_id])
        .returning(Notification.id)
    )
    notification_id = await connection.scalar(statement)
    if notification_id is None or told.message_id is None:
        return
    await connection.execute(
        insert(OutgoingMail).values(notification_id=notification_id, message_id=told.message_id)
    )


async def take_due_mail(
    connection: AsyncConnection, *, lease: timedelta, max_listed: int
) -> DueMail | None:
    """Take the mail that has been due for longest; None where none is. It comes again when the
    lease has run out, unless it is marked before. The caller commits before sending."""
    chosen = (
        select(OutgoingMail.id)
        .where(
            OutgoingMail.status == MailStatus.PENDING,
            OutgoingMail.next_attempt_at <= func.now(),
        )
        .order_by(OutgoingMail.next_attempt_at, OutgoingMail.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    statement = (
        update(OutgoingMail)
        .where(OutgoingMail.id == chosen.scalar_subquery())
        .values(attempts=OutgoingMail.attempts + 1, next_attempt_at=func.now() + lease)
        .returning(OutgoingMail.id)
    )
    mail_id = await connection.scalar(statement)
    if mail_id is None:
        return None
    content = (
        select(
            OutgoingMail.id,
            OutgoingMail.attempts.label("attempt"),
            OutgoingMail.message_id,
            User.email.label("address"),
            Notification.created_at,
            ImportJob.id.label("job_id"),
            ImportJob.status,
            ImportJob.dry_run,
            ImportJob.file_name,
            ImportJob.event_name,
            ImportJob.event_identifier,
            ImportJob.report["totals"].label("totals"),
            ImportJob.report["media"]["outcomes"].label("media"),
            first_of(ImportJob.errors, "$[*]", max_listed).label("errors"),
            error_count().label("error_count"),
            first_of(ImportJob.report, WARNINGS, max_listed).label("warnings"),
        )
        .join(Notification, Notification.id == OutgoingMail.notification_id)
        .join(User, User.id == Notification.user_id)
        .join(ImportJob, ImportJob.id == Notification.import_job_id)
        .where(OutgoingMail.id == mail_id)
    )
    row = (await connection.execute(content)).mappings().one()
    return DueMail(**row)


WARNINGS = '$.findings[*] ? (@.severity == "warning")'


def first_of(column: Any, path: str, count: int) -> Any:
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


async def mark_sent(connection: AsyncConnection, mail: DueMail) -> None:
    """The mail was sent; nobody needs to try again, not even who has taken it since."""
    await connection.execute(
        update(OutgoingMail)
        .where(OutgoingMail.id == mail.id)
        .values(status=MailStatus.SENT, sent_at=func.now(), last_error=None)
    )


async def put_off(
    connection: AsyncConnection, mail: DueMail, error: str, delay: timedelta | None
) -> None:
    """The mail was not sent: it is due again after `delay`, or never, where that is None. Changes
    nothing where somebody else has taken it since."""
    values: dict[str, Any] = {"last_error": error[:MAX_ERROR_LENGTH]}
    if delay is None:
        values["status"] = MailStatus.FAILED
    else:
        values["next_attempt_at"] = func.now() + delay
    await connection.execute(
        update(OutgoingMail)
        .where(
            OutgoingMail.id == mail.id,
            OutgoingMail.attempts == mail.attempt,
            OutgoingMail.status == MailStatus.PENDING,
        )
        .values(**values)
    )


async def delete_old_mails(connection: AsyncConnection, older_than: timedelta) -> int:
    """Forget the mails that were sent, or given up, so long ago; how many there were. That they
    were to be sent stands in their notifications, so that none of them comes again."""
    ended_at = func.coalesce(OutgoingMail.sent_at, OutgoingMail.next_attempt_at)
    statement = delete(OutgoingMail).where(
        OutgoingMail.status != MailStatus.PENDING, ended_at < func.now() - older_than
    )
    result = await connection.execute(statement)
    assert isinstance(result, CursorResult)  # noqa: S101 - what a DELETE gives; for the types
    return result.rowcount
