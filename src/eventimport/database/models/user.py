"""Accounts, their sign-ins and tokens, and the links in mails to them."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index, Text, func, text
from sqlalchemy.dialects.postgresql import ARRAY
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


class AccountLink(Base):
    """A link in a mail, which works once: using it deletes the row. `address` is where it was sent
    to; the mail's link has the id, signed."""

    __tablename__ = "account_links"

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=func.gen_random_uuid())
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    purpose: Mapped[str]
    address: Mapped[str]
    created_at: Mapped[CreatedAt]
    expires_at: Mapped[datetime] = mapped_column(index=True)


class SignIn(Base):
    """A sign-in that is kept alive by refresh tokens; each replaces the one before.

    `refresh_hash` is the hash of the newest. Any other token of the sign-in was used before: then
    the row is deleted, because one of the two clients has stolen it.
    """

    __tablename__ = "sign_ins"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    token_version: Mapped[int]
    refresh_hash: Mapped[str]
    created_at: Mapped[CreatedAt]
    expires_at: Mapped[datetime] = mapped_column(index=True)


class PersonalAccessToken(Base):
    """A token that a user has made for a program. Only its hash is stored."""

    __tablename__ = "personal_access_tokens"

    id: Mapped[BigId]
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    name: Mapped[str]
    scopes: Mapped[list[str]] = mapped_column(ARRAY(Text))
    token_hash: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[CreatedAt]
    expires_at: Mapped[datetime]
    last_used_at: Mapped[datetime | None]
