"""Import jobs: what an import has besides its task."""

from typing import Final
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Table, text
from sqlalchemy.orm import Mapped, mapped_column

from eventimport.database.models.base import Base, FalseByDefault, JsonObject
from eventimport.database.models.task import Task, TaskKind


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


IMPORT_JOBS: Final[Table] = Base.metadata.tables[ImportJob.__tablename__]
"""The table without its tasks, for statements that change it."""
