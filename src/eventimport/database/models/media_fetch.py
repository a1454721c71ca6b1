"""Media fetches: what the repetition of an import's failed fetches has besides its task."""

from uuid import UUID

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from eventimport.database.models.base import Base
from eventimport.database.models.task import Task, TaskKind


class MediaFetch(Task):
    """Fetches the media files that an import has not stored; its row has the id of its task.

    `stored_before` is how many media files the import had stored when a worker began; until then it
    is null, and nothing of the import has changed.
    """

    __tablename__ = "media_fetches"
    __mapper_args__ = {"polymorphic_identity": TaskKind.FETCH_MEDIA.value}  # noqa: RUF012 - for SQLAlchemy

    id: Mapped[UUID] = mapped_column(ForeignKey("tasks.id", ondelete="CASCADE"), primary_key=True)
    import_job_id: Mapped[UUID] = mapped_column(
        ForeignKey("import_jobs.id", ondelete="CASCADE"), index=True
    )
    stored_before: Mapped[int | None]


MEDIA_FETCHES = Base.metadata.tables[MediaFetch.__tablename__]
"""The table without its tasks, for statements that change it."""
