"""The outbox: mails that wait to be sent. `database.endings` adds those about imports.

Claiming a mail moves its next attempt on by the sender's lease, so that no other sender claims it
until then. Nothing is locked while a mail server is used.

The number of mails to one address in an hour is limited. Beyond it, a mail about an account is not
added, and a mail about an import waits until it may be sent.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, and_, delete, func, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from eventimport.database.endings import EndedImport, read_ended_import
from eventimport.database.models import (
    AccountLink,
    MailKind,
    MailStatus,
    Notification,
    OutgoingMail,
    User,
)

MAX_ERROR_LENGTH = 1_000
"""Characters that are kept of why a mail was not sent."""

HOUR: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class DueMail:
    """A mail that was claimed for its `attempt`-th attempt. `ended` is the import that it reports;
    of any other mail, `detail` and the link say what its words need. A link that was used or has
    expired is None."""

    id: int
    kind: str
    attempt: int
    message_id: str
    address: str
    created_at: datetime
    ended: EndedImport | None = None
    link_id: UUID | None = None
    link_expires_at: datetime | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)


async def add_mail(
    connection: AsyncConnection,
    kind: MailKind,
    *,
    user_id: int | None,
    address: str,
    message_id: str,
    max_per_hour: int,
    link_id: UUID | None = None,
    detail: Mapping[str, Any] | None = None,
) -> bool:
    """Add a mail that is not about an import. False, and nothing is added, if the address gets
    `max_per_hour` mails in this hour already. 0 means no limit."""
    # Requests for one address take turns, so that together they keep to the limit.
    lock = text("SELECT pg_advisory_xact_lock(hashtextextended('mail:' || lower(:address), 0))")
    await connection.execute(lock, {"address": address})
    recent = select(func.count()).where(_counts_for(address))
    if max_per_hour and (await connection.scalar(recent) or 0) >= max_per_hour:
        return False
    await connection.execute(
        insert(OutgoingMail).values(
            kind=kind,
            user_id=user_id,
            address=address,
            message_id=message_id,
            link_id=link_id,
            detail=dict(detail or {}),
        )
    )
    return True


def _counts_for(address: str) -> ColumnElement[bool]:
    """The mails that the address gets in this hour: sent ones, and those that will be."""
    since = func.now() - HOUR
    return and_(
        func.lower(OutgoingMail.address) == func.lower(address),
        or_(
            OutgoingMail.sent_at > since,
            and_(OutgoingMail.sent_at.is_(None), OutgoingMail.created_at > since),
        ),
    )


async def claim_due_mail(
    connection: AsyncConnection, *, lease: timedelta, max_listed: int, max_per_hour: int = 0
) -> DueMail | None:
    """Claim the mail that has been due for longest; None if no mail is due. It is due again when
    the lease has run out, unless it is marked before. It lists at most `max_listed` errors, and as
    many warnings. The caller commits before sending.

    A mail about an import waits while its address has had `max_per_hour` mails within an hour.
    """
    while True:
        mail_id = await _claim_next(connection, lease)
        if mail_id is None:
            return None
        row = await _read(connection, mail_id)
        if row.import_job_id is None or not await _wait(connection, row, max_per_hour):
            break
    ended = None
    if row.import_job_id is not None:
        ended = await read_ended_import(connection, row.import_job_id, listed=max_listed)
        assert ended is not None  # noqa: S101 - a notification goes with its import
    return DueMail(
        id=row.id,
        kind=row.kind,
        attempt=row.attempts,
        message_id=row.message_id,
        address=row.address,
        created_at=row.created_at,
        ended=ended,
        link_id=row.link_id,
        link_expires_at=row.expires_at,
        detail=row.detail,
    )


async def _claim_next(connection: AsyncConnection, lease: timedelta) -> int | None:
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
    mail_id: int | None = await connection.scalar(statement)
    return mail_id


async def _read(connection: AsyncConnection, mail_id: int) -> Any:
    live = and_(AccountLink.id == OutgoingMail.link_id, AccountLink.expires_at > func.now())
    statement = (
        select(
            OutgoingMail.id,
            OutgoingMail.kind,
            OutgoingMail.attempts,
            OutgoingMail.message_id,
            func.coalesce(OutgoingMail.address, User.email).label("address"),
            func.coalesce(Notification.created_at, OutgoingMail.created_at).label("created_at"),
            OutgoingMail.detail,
            Notification.import_job_id,
            AccountLink.id.label("link_id"),
            AccountLink.expires_at,
        )
        .outerjoin(Notification, Notification.id == OutgoingMail.notification_id)
        .outerjoin(User, User.id == Notification.user_id)
        .outerjoin(AccountLink, live)
        .where(OutgoingMail.id == mail_id)
    )
    return (await connection.execute(statement)).one()


async def _wait(connection: AsyncConnection, row: Any, max_per_hour: int) -> bool:
    """Put the mail off if its address has had enough mails in this hour."""
    if not max_per_hour:
        return False
    others = and_(_counts_for(row.address), OutgoingMail.id != row.id)
    counted = select(
        func.count(), func.min(func.coalesce(OutgoingMail.sent_at, OutgoingMail.created_at))
    ).where(others)
    count, oldest = (await connection.execute(counted)).one()
    if count < max_per_hour:
        return False
    # At the earliest, one of them is an hour old then.
    await connection.execute(
        update(OutgoingMail)
        .where(OutgoingMail.id == row.id)
        .values(attempts=OutgoingMail.attempts - 1, next_attempt_at=oldest + HOUR)
    )
    return True


async def mark_sent(connection: AsyncConnection, mail: DueMail) -> None:
    """The mail was sent: no sender tries again, not even one that has claimed it since."""
    await connection.execute(
        update(OutgoingMail)
        .where(OutgoingMail.id == mail.id)
        .values(status=MailStatus.SENT, sent_at=func.now(), last_error=None, address=mail.address)
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
    return result.rowcount
