"""Tasks: background work, and the one truth of how it stands; and what each kind has besides."""

from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Table, text
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


class ImportJob(Task):
    """An import, from the upload on; its row has the id of its task.

    `format` is the name of the source's format, or `auto` until a worker has detected it; `options`
    are what the user says about the event, by the names of `EventChoices`. `publish` asks to
    publish the event, and `confirm` to do so even if the source says that it is private or a draft.
    The `archive_…` columns say where the source is stored, the `event_…` columns which event the
    import has committed.
    `report` is what `Report.summary` returns, with `error_count` after a failure. All findings are
    in `ImportFinding`.
    """

    __tablename__ = "import_jobs"
    __mapper_args__ = {"polymorphic_identity": TaskKind.IMPORT.value}  # noqa: RUF012 - for SQLAlchemy

    id: Mapped[UUID] = mapped_column(ForeignKey("tasks.id", ondelete="CASCADE"), primary_key=True)
    format: Mapped[str] = mapped_column(server_default=text("'openevent'"))
    file_name: Mapped[str | None]
    archive_storage: Mapped[str | None]
    archive_key: Mapped[str | None]
    archive_size: Mapped[int | None] = mapped_column(BigInteger)
    strict: Mapped[FalseByDefault]
    dry_run: Mapped[FalseByDefault]
    publish: Mapped[FalseByDefault]
    confirm: Mapped[FalseByDefault]
    options: Mapped[JsonObject] = mapped_column(server_default=text("'{}'::jsonb"))
    event_id: Mapped[int | None] = mapped_column(
        ForeignKey("events.id", ondelete="SET NULL"), index=True
    )
    event_identifier: Mapped[str | None]
    event_name: Mapped[str | None]
    report: Mapped[JsonObject | None]


class ImportFinding(Base):
    """One finding of an import's report. `position` counts from 0; `content` is what
    `Finding.as_dict` gives."""

    __tablename__ = "import_findings"

    import_job_id: Mapped[UUID] = mapped_column(
        ForeignKey("import_jobs.id", ondelete="CASCADE"), primary_key=True
    )
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    severity: Mapped[str]
    content: Mapped[JsonObject]


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


IMPORT_JOBS: Final[Table] = Base.metadata.tables[ImportJob.__tablename__]
MEDIA_FETCHES: Final[Table] = Base.metadata.tables[MediaFetch.__tablename__]
IMAGE_JOBS: Final[Table] = Base.metadata.tables[ImageJob.__tablename__]
EXPORT_JOBS: Final[Table] = Base.metadata.tables[ExportJob.__tablename__]
"""The tables without their tasks, for statements that change them."""
