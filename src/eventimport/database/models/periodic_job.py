"""Jobs that come round again and again, whichever worker runs them."""

from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Mapped, mapped_column

from eventimport.database.models.base import Base, JsonObject


class PeriodicJob(Base):
    """When a job is due. The worker that runs it first moves that time on. `counts` sums up all its
    rounds."""

    __tablename__ = "periodic_jobs"

    name: Mapped[str] = mapped_column(primary_key=True)
    next_round_at: Mapped[datetime]
    counts: Mapped[JsonObject] = mapped_column(server_default=text("'{}'::jsonb"))
