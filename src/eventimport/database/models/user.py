"""Accounts."""

from datetime import datetime

from sqlalchemy import Index, func, text
from sqlalchemy.orm import Mapped, mapped_column

from eventimport.database.models.base import (
    Base,
    BigId,
    CreatedAt,
    FalseByDefault,
    TrueByDefault,
)


class User(Base):
    """An account; its e-mail address is unique without regard to case.

    Each access token names a `token_version`: raising it signs the account out everywhere. Signing
    up makes an account that is not confirmed; it gets no mail but the one that confirms it.
    """

    __tablename__ = "users"

    id: Mapped[BigId]
    email: Mapped[str]
    password_hash: Mapped[str]
    is_admin: Mapped[FalseByDefault]
    created_at: Mapped[CreatedAt]
    token_version: Mapped[int] = mapped_column(server_default=text("0"))
    is_confirmed: Mapped[TrueByDefault]
    disabled_at: Mapped[datetime | None]


Index("uq_users_email_lower", func.lower(User.email), unique=True)
