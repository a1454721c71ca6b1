"""Finding and making accounts."""

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

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
        raise EmailTakenError(f"an account with the address {email} exists already")
    return user


async def find_user(session: AsyncSession, email: str) -> User | None:
    """The account of this e-mail address, without regard to case."""
    statement = select(User).where(func.lower(User.email) == func.lower(email))
    return (await session.scalars(statement)).one_or_none()
