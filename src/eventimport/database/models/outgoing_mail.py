"""The outbox: e-mails that are to be sent, and what became of them."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Index, func, text
from sqlalchemy.orm import Mapped, mapped_column

from eventimport.database.models.base import Base, BigId


class MailStatus(StrEnum):
    """`FAILED` is a mail that is not tried any more."""

    PENDING = "PENDING"
    SENT = "SENT"
    FAILED = "FAILED"


class OutgoingMail(Base):
    """The e-mail of a notification. Its words are made when it is sent, of the import's row.

    Any worker can send it from `next_attempt_at` on. It first moves that time on, so that the mail
    is sent again if the worker dies. `attempts` counts the takings.
    """

    __tablename__ = "outgoing_mails"
    __table_args__ = (
        CheckConstraint(
            f"status IN ({', '.join(repr(status.value) for status in MailStatus)})",
            name="status",
        ),
        Index(
            "ix_outgoing_mails_due",
            "next_attempt_at",
            postgresql_where=text("status = 'PENDING'"),
        ),
    )

    id: Mapped[BigId]
    notification_id: Mapped[int] = mapped_column(
        ForeignKey("notifications.id", ondelete="CASCADE"), unique=True
    )
    message_id: Mapped[str] = mapped_column(unique=True)
    status: Mapped[str] = mapped_column(server_default=MailStatus.PENDING.value)
    attempts: Mapped[int] = mapped_column(server_default=text("0"))
    next_attempt_at: Mapped[datetime] = mapped_column(server_default=func.now())
    sent_at: Mapped[datetime | None]
    last_error: Mapped[str | None]
