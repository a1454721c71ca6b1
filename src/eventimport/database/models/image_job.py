"""Image jobs: what the making of an image's smaller sizes has besides its task."""

from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from eventimport.database.models.base import Base
from eventimport.database.models.task import Task, TaskKind


class ImageJob(Task):
    """Makes the smaller sizes of the image at `url`, for the row whose `field` holds this URL; its
    row has the id of its task."""

    __tablename__ = "image_jobs"
    __mapper_args__ = {"polymorphic_identity": TaskKind.IMAGE_SIZES.value}  # noqa: RUF012 - for SQLAlchemy

    id: Mapped[UUID] = mapped_column(ForeignKey("tasks.id", ondelete="CASCADE"), primary_key=True)
    event_id: Mapped[int | None] = mapped_column(
        ForeignKey("events.id", ondelete="SET NULL"), index=True
    )
    table_name: Mapped[str]
    row_id: Mapped[int] = mapped_column(BigInteger)
    field: Mapped[str]
    url: Mapped[str]


IMAGE_JOBS = Base.metadata.tables[ImageJob.__tablename__]
"""The table without its tasks, for statements that change it."""
