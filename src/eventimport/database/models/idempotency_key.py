"""Requests that are made again, and what they were answered."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from eventimport.database.models.base import Base, CreatedAt

ANSWERED = ("fingerprint", "status", "body", "headers")


class IdempotencyKey(Base):
    """One `Idempotency-Key` of one user: in progress, or answered.

    `token` is a fencing token: each claim draws a new one, and who holds another may record no
    answer. `lease_until` is when a claim that nobody has renewed is over; NULL once the request is
    answered. `route` is its method and path. `fingerprint` is the SHA-256 of what the request
    asked for, `body` the answer's text as it was sent, `headers` those of the answer that a
    repetition is to bear as well.
    """

    __tablename__ = "idempotency_keys"
    __table_args__ = (
        CheckConstraint(
            f"num_nonnulls({', '.join(ANSWERED)})"
            f" = CASE WHEN lease_until IS NULL THEN {len(ANSWERED)} ELSE 0 END",
            name="answered",
        ),
    )

    user_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True
    )
    key: Mapped[str] = mapped_column(primary_key=True)
    token: Mapped[UUID]
    route: Mapped[str]
    lease_until: Mapped[datetime | None]
    fingerprint: Mapped[bytes | None]
    status: Mapped[int | None]
    body: Mapped[str | None]
    headers: Mapped[dict[str, str] | None] = mapped_column(JSONB(none_as_null=True))
    created_at: Mapped[CreatedAt] = mapped_column(index=True)
