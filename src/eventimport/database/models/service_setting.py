"""Settings that an admin changes while the service runs."""

from datetime import datetime
from typing import Any

from sqlalchemy import func
from sqlalchemy.orm import Mapped, mapped_column

from eventimport.database.models.base import Base


class ServiceSetting(Base):
    """One setting, such as `storage-place`; `value` is any JSON value."""

    __tablename__ = "service_settings"

    key: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[Any]
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now(), onupdate=func.now())
