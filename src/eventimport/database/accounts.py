"""Finding and making accounts."""

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, func, literal, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from eventimport.database.models import User
from eventimport.errors import EventImportError


class EmailTakenError(EventImportError):
    """Another account has this e-mail address."""


async def add_user(
    session: AsyncSession, *, email: str, password_hash: str, is_admin: bool = False
) -> User:
    """Make an account in the session's transaction.

    Raises EmailTakenError if an account has the address already, in whatever case it is written;
    the transaction stays usable.
    """
    statement = (
        insert(User)
        .values(email=email, password_hash=password_hash, is_admin=is_admin)
        .on_conflict_do_nothing()
        .returning(User)
    )
    user = (await session.scalars(statement)).one_or_none()
    if user is None:
        raise EmailTakenError(f"an account with the address {email} already exists")
    return user


async def find_to_sign_in(session: AsyncSession, email: str) -> tuple[str, User | None]:
    """The address as accounts are compared by it, and its account if there is one.

    Only the database decides which spellings are the same address: Python lowers other characters.
    """
    given = select(func.lower(literal(email)).label("address")).subquery()
    statement = (
        select(given.c.address, User)
        .select_from(given)
        .outerjoin(User, func.lower(User.email) == given.c.address)
    )
    address, user = (await session.execute(statement)).one()
    return address, user


def is_signed_in(user_id: Any, token_version: Any) -> ColumnElement[bool]:
    """Whether a row of `users` is that of a valid token. No process caches the answer: signing out
    everywhere and disabling an account take effect with the next request."""
    return and_(User.id == user_id, User.token_version == token_version, User.disabled_at.is_(None))


async def find_signed_in(
    connection: AsyncConnection, user_id: int, token_version: int
) -> Row[int, str, bool, bool] | None:
    """The account of a token: its id, e-mail address, `is_admin` and `is_confirmed`. None if the
    token does not count any more."""
    statement = select(User.id, User.email, User.is_admin, User.is_confirmed).where(
        is_signed_in(user_id, token_version)
    )
    return (await connection.execute(statement)).one_or_none()


async def sign_out_everywhere(connection: AsyncConnection, user_id: int) -> None:
    """Have no access token of the account count any more."""
    await connection.execute(
        update(User).where(User.id == user_id).values(token_version=User.token_version + 1)
    )


async def find_account(
    connection: AsyncConnection, user_id: int
) -> Row[int, str, bool, datetime] | None:
    """The account's id, e-mail address, `is_admin` and creation time."""
    statement = select(User.id, User.email, User.is_admin, User.created_at).where(
        User.id == user_id
    )
    return (await connection.execute(statement)).one_or_none()


async def change_password_hash(
    connection: AsyncConnection, user_id: int, password_hash: str
) -> None:
    """Replace the account's password hash."""
    await connection.execute(
        update(User).where(User.id == user_id).values(password_hash=password_hash)
    )
