"""The audit log: who did what, when and from where."""

from datetime import datetime

from sqlalchemy import BigInteger, Index, func, text
from sqlalchemy.orm import Mapped, mapped_column

from eventimport.database.models.base import Base, BigId, JsonObject


class AuditEntry(Base):
    """One act. A trigger rejects changes; only the clean-up deletes entries, by their age.

    `actor_id` and `subject_id` reference no table: an entry outlives what it is about.
    """

    __tablename__ = "audit_log"
    __table_args__ = (Index("ix_audit_log_actor_id_created_at", "actor_id", "created_at"),)

    id: Mapped[BigId]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now(), index=True)
    actor_id: Mapped[int | None] = mapped_column(BigInteger)
    action: Mapped[str]
    subject_kind: Mapped[str | None]
    subject_id: Mapped[str | None]
    client: Mapped[str | None]
    detail: Mapped[JsonObject] = mapped_column(server_default=text("'{}'::jsonb"))
