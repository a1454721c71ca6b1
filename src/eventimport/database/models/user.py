"""Accounts."""

from sqlalchemy import Index, func
from sqlalchemy.orm import Mapped

from eventimport.database.models.base import Base, BigId, CreatedAt, FalseByDefault


class User(Base):
    """An account; its e-mail address is unique without regard to case."""

    __tablename__ = "users"

    id: Mapped[BigId]
    email: Mapped[str]
    password_hash: Mapped[str]
    is_admin: Mapped[FalseByDefault]
    created_at: Mapped[CreatedAt]


Index("uq_users_email_lower", func.lower(User.email), unique=True)
