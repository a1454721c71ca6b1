"""Tasks: background work, and the one truth of how it stands."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from eventimport.database.models.base import Base, CreatedAt, FalseByDefault, JsonObject


class ImportStatus(StrEnum):
    """The states of a task, named as in Celery."""

    PENDING = "PENDING"
    STARTED = "STARTED"
    SUCCESS = "SUCCESS"
    FAILURE = "FAILURE"
    REVOKED = "REVOKED"


OPEN_STATUSES = (ImportStatus.PENDING, ImportStatus.STARTED)
"""The states from which a task goes on; the others are final."""


class TaskKind(StrEnum):
    """What a task does. Each kind may have a table of its own beside `tasks`."""

    IMPORT = "import"
    IMAGE_SIZES = "image-sizes"
    FETCH_MEDIA = "fetch-media"
    EXPORT = "export"


class Task(Base):
    """A piece of work that a worker does for a user.

    `attempt` is a fencing token: each claim by a worker adds 1, and a worker with an older number
    can't change the row. `held` says that a worker still works on the task, also when the task was
    cancelled meanwhile; `beat` grows as long as that worker lives. `failures` counts the attempts
    that failed, and `waited` the seconds that the task was put off because a server was
    unavailable; it isn't claimed before `retry_at`. `stage`, `done`, `total` and `message` are its
    progress, `errors` a list of JSON:API error objects, `result` what a kind without a table of its
    own returns. `stage_seconds` says how long each stage of the last attempt took; `trace_parent`
    is the `traceparent` of the request that made the task, and `request_id` its id in the logs.
    """

    __tablename__ = "tasks"
    __table_args__ = (
        CheckConstraint(
            f"status IN ({', '.join(repr(status.value) for status in ImportStatus)})",
            name="status",
        ),
        Index("ix_tasks_user_id_created_at", "user_id", text("created_at DESC")),
        Index("ix_tasks_user_id_started_at", "user_id", "started_at"),
        Index(
            "ix_tasks_open",
            "status",
            "user_id",
            postgresql_where=text("held OR status IN ('PENDING', 'STARTED')"),
        ),
    )
    __mapper_args__ = {"polymorphic_on": "kind"}  # noqa: RUF012 - for SQLAlchemy

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=text("gen_random_uuid()"))
    kind: Mapped[str]
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    status: Mapped[str] = mapped_column(server_default=ImportStatus.PENDING.value)
    attempt: Mapped[int] = mapped_column(server_default=text("0"))
    held: Mapped[FalseByDefault]
    beat: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    failures: Mapped[int] = mapped_column(server_default=text("0"))
    waited: Mapped[float] = mapped_column(server_default=text("0"))
    retry_at: Mapped[datetime | None]
    stage: Mapped[str | None]
    done: Mapped[int] = mapped_column(server_default=text("0"))
    total: Mapped[int] = mapped_column(server_default=text("0"))
    message: Mapped[str | None]
    result: Mapped[JsonObject | None]
    errors: Mapped[list[JsonObject] | None]
    stage_seconds: Mapped[JsonObject | None]
    trace_parent: Mapped[str | None]
    request_id: Mapped[str | None]
    created_at: Mapped[CreatedAt]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
