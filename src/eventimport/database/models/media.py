"""Media of an import: what is still to be moved, and what became of the rest."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from eventimport.database.models.base import Base, BigId


class MediaOutcome(StrEnum):
    """What became of a media file; `PLANNED` is a file still to be moved."""

    PLANNED = "PLANNED"
    MOVED = "MOVED"
    MISSING = "MISSING"
    UNREACHABLE = "UNREACHABLE"
    REFUSED = "REFUSED"
    TOO_LARGE = "TOO_LARGE"
    NOT_AN_IMAGE = "NOT_AN_IMAGE"
    NOT_STORED = "NOT_STORED"


class MediaItem(Base):
    """A media object that the field `field` of the row `table_name`/`row_id` refers to.

    `source` is the reference as the archive spells it, `entry` the zip's entry it means, `url` the
    stored object's; `origin` is `archive`, `remote`, or `inline` for a `data:` URL; `media_type` is
    `image`, `document`, `audio` or `video`; `size` is in bytes.
    """

    __tablename__ = "media_items"
    __table_args__ = (Index(None, "import_job_id", "outcome"),)

    id: Mapped[BigId]
    import_job_id: Mapped[UUID] = mapped_column(ForeignKey("import_jobs.id", ondelete="CASCADE"))
    event_id: Mapped[int] = mapped_column(ForeignKey("events.id", ondelete="CASCADE"), index=True)
    table_name: Mapped[str]
    row_id: Mapped[int] = mapped_column(BigInteger)
    field: Mapped[str]
    source: Mapped[str]
    origin: Mapped[str]
    media_type: Mapped[str]
    outcome: Mapped[str] = mapped_column(server_default=MediaOutcome.PLANNED.value)
    entry: Mapped[str | None]
    url: Mapped[str | None]
    detail: Mapped[str | None]
    size: Mapped[int | None] = mapped_column(BigInteger)
    moved_at: Mapped[datetime | None]
