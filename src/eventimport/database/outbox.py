"""The outbox: mails that wait to be sent. `database.endings` adds them.

Claiming a mail moves its next attempt on by the sender's lease, so that no other sender claims it
until then. Nothing is locked while a mail server is used.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import CursorResult, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from eventimport.database.endings import EndedImport, read_ended_import
from eventimport.database.models import MailStatus, Notification, OutgoingMail, User

MAX_ERROR_LENGTH = 1_000
"""Characters that are kept of why a mail was not sent."""


@dataclass(frozen=True, slots=True)
class DueMail:
    """A mail that was claimed for its `attempt`-th attempt, and the import that it reports."""

    id: int
    attempt: int
    message_id: str
    address: str
    created_at: datetime
    ended: EndedImport


async def claim_due_mail(
    connection: AsyncConnection, *, lease: timedelta, max_listed: int
) -> DueMail | None:
    """Claim the mail that has been due for longest; None if no mail is due. It is due again when
    the lease has run out, unless it is marked before. It lists at most `max_listed` errors, and as
    many warnings. The caller commits before sending."""
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
    mail = (
        select(
            OutgoingMail.id,
            OutgoingMail.attempts,
            OutgoingMail.message_id,
            User.email,
            Notification.created_at,
            Notification.import_job_id,
        )
        .join(Notification, Notification.id == OutgoingMail.notification_id)
        .join(User, User.id == Notification.user_id)
        .where(OutgoingMail.id == mail_id)
    )
    row = (await connection.execute(mail)).one()
    ended = await read_ended_import(connection, row.import_job_id, listed=max_listed)
    assert ended is not None  # noqa: S101 - a notification goes with its import
    return DueMail(row.id, row.attempts, row.message_id, row.email, row.created_at, ended)


async def mark_sent(connection: AsyncConnection, mail: DueMail) -> None:
    """The mail was sent: no sender tries again, not even one that has claimed it since."""
    await connection.execute(
        update(OutgoingMail)
        .where(OutgoingMail.id == mail.id)
        .values(status=MailStatus.SENT, sent_at=func.now(), last_error=None)
    )


async def put_off(
    connection: AsyncConnection, mail: DueMail, error: str, delay: timedelta | None
) -> None:
    """The mail was not sent: it is due again after `delay`, or never if that is None. Changes
    nothing if another sender has claimed it since."""
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
    """Delete the mails that were sent, or given up, before this time; returns how many. Their
    notifications stay, so that none of them comes again."""
    ended_at = func.coalesce(OutgoingMail.sent_at, OutgoingMail.next_attempt_at)
    statement = delete(OutgoingMail).where(
        OutgoingMail.status != MailStatus.PENDING, ended_at < func.now() - older_than
    )
    result = await connection.execute(statement)
    assert isinstance(result, CursorResult)  # noqa: S101 - what a DELETE gives; for the types
    return result.rowcount
