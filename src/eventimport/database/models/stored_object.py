"""Stored objects: a row for each file in a storage, and what uses it."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from eventimport.database.models.base import Base, BigId, CreatedAt, FalseByDefault


class ObjectState(StrEnum):
    """`STORING` from before the file is written, `KEPT` once a row uses it, `DELETING` from the
    decision to delete it until the file is gone."""

    STORING = "STORING"
    KEPT = "KEPT"
    DELETING = "DELETING"


class ObjectPurpose(StrEnum):
    """What a file was stored for."""

    ARCHIVE = "archive"
    EXPORT = "export"
    MEDIA = "media"
    UPLOAD = "upload"
    PROBE = "probe"


class ObjectRecord(Base):
    """A file, or one that is just being stored, under `key` in the storage named `storage`.

    `size` is in bytes; for an upload that is still being received it is what the upload has
    reserved of its user's quota. `kept_at` is NULL if the file was never completed.

    A file that `is_withdrawn` has no public address: it is, or while it `is_moving` will be, under
    the `withdrawn_key` of its key. An upload is withdrawn if an operator has taken it down.
    """

    __tablename__ = "stored_objects"
    __table_args__ = (
        UniqueConstraint("storage", "key"),
        CheckConstraint(
            f"state IN ({', '.join(repr(state.value) for state in ObjectState)})", name="state"
        ),
        Index("ix_stored_objects_user_id", "user_id", "id"),
    )

    id: Mapped[BigId]
    storage: Mapped[str]
    key: Mapped[str]
    purpose: Mapped[str]
    state: Mapped[str] = mapped_column(server_default=ObjectState.STORING.value)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    size: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    created_at: Mapped[CreatedAt]
    kept_at: Mapped[datetime | None]
    is_withdrawn: Mapped[FalseByDefault]
    is_moving: Mapped[FalseByDefault]
    taken_down_reason: Mapped[str | None]


class ObjectLink(Base):
    """A use of an object: by the user who uploaded it, the import whose archive it is, the export
    that made it, or a field of an event's row. An object that several rows share has a link for
    each of them."""

    __tablename__ = "object_links"
    __table_args__ = (
        CheckConstraint(
            "num_nonnulls(user_id, import_job_id, event_id, export_job_id) = 1", name="one_use"
        ),
    )

    id: Mapped[BigId]
    object_id: Mapped[int] = mapped_column(ForeignKey("stored_objects.id"), index=True)
    user_id: Mapped[int | None] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), index=True
    )
    import_job_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("import_jobs.id", ondelete="CASCADE"), index=True
    )
    event_id: Mapped[int | None] = mapped_column(
        ForeignKey("events.id", ondelete="CASCADE"), index=True
    )
    export_job_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("export_jobs.id", ondelete="CASCADE"), index=True
    )
    table_name: Mapped[str | None]
    row_id: Mapped[int | None] = mapped_column(BigInteger)
    field: Mapped[str | None]
