"""The outbox: e-mails that are to be sent, and what became of them."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, func, text
from sqlalchemy.orm import Mapped, mapped_column

from eventimport.database.models.base import Base, BigId, CreatedAt, JsonObject


class MailStatus(StrEnum):
    """`FAILED` is a mail that is not tried any more."""

    PENDING = "PENDING"
    SENT = "SENT"
    FAILED = "FAILED"


class MailKind(StrEnum):
    """What a mail is about."""

    IMPORT_ENDED = "import-ended"
    CONFIRM_ADDRESS = "confirm-address"
    CONFIRM_NEW_ADDRESS = "confirm-new-address"
    ADDRESS_CHANGE = "address-change"
    RESET_PASSWORD = "reset-password"  # noqa: S105 - no password
    INVITATION = "invitation"
    PASSWORD_CHANGED = "password-changed"  # noqa: S105 - no password


class OutgoingMail(Base):
    """An e-mail. Its words are made when it is sent: of the import of its notification, or of its
    `kind`, `detail` and link. A mail about an import goes to the address that its user has by then;
    `address` is filled in when it is sent.

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
        CheckConstraint(
            f"(kind = '{MailKind.IMPORT_ENDED.value}') = (notification_id IS NOT NULL)",
            name="kind",
        ),
    )

    id: Mapped[BigId]
    kind: Mapped[str] = mapped_column(server_default=MailKind.IMPORT_ENDED.value)
    notification_id: Mapped[int | None] = mapped_column(
        ForeignKey("notifications.id", ondelete="CASCADE"), unique=True
    )
    user_id: Mapped[int | None] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), index=True
    )
    link_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("account_links.id", ondelete="SET NULL"), index=True
    )
    address: Mapped[str | None]
    detail: Mapped[JsonObject] = mapped_column(server_default=text("'{}'::jsonb"))
    created_at: Mapped[CreatedAt]
    message_id: Mapped[str] = mapped_column(unique=True)
    status: Mapped[str] = mapped_column(server_default=MailStatus.PENDING.value)
    attempts: Mapped[int] = mapped_column(server_default=text("0"))
    next_attempt_at: Mapped[datetime] = mapped_column(server_default=func.now())
    sent_at: Mapped[datetime | None]
    last_error: Mapped[str | None]


Index("ix_outgoing_mails_address_lower", func.lower(OutgoingMail.address))
