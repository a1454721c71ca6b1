"""The messages that users see in the service itself."""

from uuid import UUID

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from eventimport.database.models.base import Base, BigId, CreatedAt, FalseByDefault


class Notification(Base):
    """A message to a user. An import job has at most one, however often it was run."""

    __tablename__ = "notifications"

    id: Mapped[BigId]
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    import_job_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("import_jobs.id", ondelete="CASCADE"), unique=True
    )
    title: Mapped[str]
    message: Mapped[str]
    is_read: Mapped[FalseByDefault]
    created_at: Mapped[CreatedAt]
