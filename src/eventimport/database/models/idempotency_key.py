"""Requests that were answered under an `Idempotency-Key`."""

from sqlalchemy import BigInteger, ForeignKey
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from eventimport.database.models.base import Base, CreatedAt


class IdempotencyKey(Base):
    """One `Idempotency-Key` of one user, and the response that was sent for it.

    `route` is the request's method and path, and `fingerprint` the SHA-256 of what it asked for.
    `body` is the response's text as it was sent, and `headers` are those that a replay repeats.
    """

    __tablename__ = "idempotency_keys"

    user_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True
    )
    key: Mapped[str] = mapped_column(primary_key=True)
    route: Mapped[str]
    fingerprint: Mapped[bytes]
    status: Mapped[int]
    body: Mapped[str]
    headers: Mapped[dict[str, str]] = mapped_column(JSONB(none_as_null=True))
    created_at: Mapped[CreatedAt] = mapped_column(index=True)
