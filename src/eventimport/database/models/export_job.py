"""Export jobs: what an export has besides its task, and who may see it."""

from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Table
from sqlalchemy.orm import Mapped, mapped_column

from eventimport.database.models.base import Base, CreatedAt
from eventimport.database.models.task import Task, TaskKind


class ExportView(StrEnum):
    """What an export holds: all that is stored; all records, without private columns; or what the
    public may see."""

    WHOLE = "whole"
    RECORDS = "records"
    PUBLIC = "public"


class ExportJob(Task):
    """An export of one revision of an event; its row has the id of its task.

    `revision` is that of the request, and in the end that of the file. `token` is the secret part
    of the download's URL. The `storage` and `key` of the file are null until it is stored, and
    again once it has expired, at `expires_at`; `size` is in bytes.
    """

    __tablename__ = "export_jobs"
    __mapper_args__ = {"polymorphic_identity": TaskKind.EXPORT.value}  # noqa: RUF012 - for SQLAlchemy

    id: Mapped[UUID] = mapped_column(ForeignKey("tasks.id", ondelete="CASCADE"), primary_key=True)
    event_id: Mapped[int | None] = mapped_column(
        ForeignKey("events.id", ondelete="SET NULL"), index=True
    )
    event_identifier: Mapped[str]
    event_name: Mapped[str]
    format: Mapped[str]
    view: Mapped[str]
    revision: Mapped[int] = mapped_column(BigInteger)
    token: Mapped[str] = mapped_column(unique=True)
    storage: Mapped[str | None]
    key: Mapped[str | None]
    size: Mapped[int | None] = mapped_column(BigInteger)
    expires_at: Mapped[datetime | None] = mapped_column(index=True)


class ExportRequest(Base):
    """A user who asked for an export that another user had started: they see its task, too."""

    __tablename__ = "export_requests"

    task_id: Mapped[UUID] = mapped_column(
        ForeignKey("export_jobs.id", ondelete="CASCADE"), primary_key=True
    )
    user_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    created_at: Mapped[CreatedAt]


EXPORT_JOBS: Final[Table] = Base.metadata.tables[ExportJob.__tablename__]
"""The table without its tasks, for statements that change it."""
