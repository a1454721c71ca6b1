"""The findings of imports, in the order in which the paged route lists them."""

from uuid import UUID

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from eventimport.database.models.base import Base, JsonObject


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
