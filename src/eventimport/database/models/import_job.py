"""Import jobs: the one truth of how an import stands."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from eventimport.database.models.base import Base, CreatedAt, FalseByDefault, JsonObject


class ImportStatus(StrEnum):
    """The states of a job, named as clients of Celery's task API know them."""

    PENDING = "PENDING"
    STARTED = "STARTED"
    SUCCESS = "SUCCESS"
    FAILURE = "FAILURE"
    REVOKED = "REVOKED"


OPEN_STATUSES = (ImportStatus.PENDING, ImportStatus.STARTED)
"""The states from which a job goes on; the others are final."""


class ImportJob(Base):
    """One import, from the upload on.

    `attempt` is a fencing token: each claim by a worker adds 1, and who holds an older number may
    commit nothing. `stage`, `done`, `total` and `message` are its progress; `report` is what
    `Report.summary` gives, with `error_count` after a failure; `errors` are the first errors, as
    JSON:API error objects. All findings are in `ImportFinding`. `stage_seconds` says how long
    each stage of the last attempt took; `trace_parent` is the `traceparent` of the request that
    brought the archive, and `request_id` its name in the logs.
    """

    __tablename__ = "import_jobs"
    __table_args__ = (
        CheckConstraint(
            f"status IN ({', '.join(repr(status.value) for status in ImportStatus)})",
            name="status",
        ),
        Index("ix_import_jobs_user_id_created_at", "user_id", text("created_at DESC")),
        Index(
            "ix_import_jobs_open",
            "status",
            postgresql_where=text("status IN ('PENDING', 'STARTED')"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=text("gen_random_uuid()"))
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    status: Mapped[str] = mapped_column(server_default=ImportStatus.PENDING.value)
    attempt: Mapped[int] = mapped_column(server_default=text("0"))
    stage: Mapped[str | None]
    done: Mapped[int] = mapped_column(server_default=text("0"))
    total: Mapped[int] = mapped_column(server_default=text("0"))
    message: Mapped[str | None]
    file_name: Mapped[str | None]
    archive_storage: Mapped[str | None]
    archive_key: Mapped[str | None]
    archive_size: Mapped[int | None] = mapped_column(BigInteger)
    strict: Mapped[FalseByDefault]
    dry_run: Mapped[FalseByDefault]
    event_id: Mapped[int | None] = mapped_column(
        ForeignKey("events.id", ondelete="SET NULL"), index=True
    )
    event_identifier: Mapped[str | None]
    event_name: Mapped[str | None]
    report: Mapped[JsonObject | None]
    errors: Mapped[list[JsonObject] | None]
    stage_seconds: Mapped[JsonObject | None]
    trace_parent: Mapped[str | None]
    request_id: Mapped[str | None]
    created_at: Mapped[CreatedAt]
    enqueued_at: Mapped[datetime | None]
    started_at: Mapped[datetime | None]
    heartbeat_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
