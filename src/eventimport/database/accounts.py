"""Finding and making accounts."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Integer,
    Row,
    and_,
    bindparam,
    column,
    delete,
    exists,
    func,
    literal,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession
from sqlalchemy.orm import aliased

from eventimport.database.event_changes import delete_event
from eventimport.database.models import Event, EventRole, User
from eventimport.database.objects import Unlinked, unlink_user
from eventimport.database.sign_ins import delete_sign_ins
from eventimport.database.visibility import OWNER
from eventimport.errors import EventImportError


class EmailTakenError(EventImportError):
    """Another account has this e-mail address."""


async def add_user(
    session: AsyncSession,
    *,
    email: str,
    password_hash: str,
    is_admin: bool = False,
    is_confirmed: bool = True,
) -> User:
    """Make an account in the session's transaction.

    Raises EmailTakenError if an account has the address already, in whatever case it is written;
    the transaction stays usable.
    """
    statement = (
        insert(User)
        .values(
            email=email,
            password_hash=password_hash,
            is_admin=is_admin,
            is_confirmed=is_confirmed,
        )
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


_ASKED: Final = (
    func.unnest(
        bindparam("user_ids", type_=ARRAY(BigInteger)),
        bindparam("token_versions", type_=ARRAY(Integer)),
    )
    .table_valued(column("user_id", BigInteger), column("token_version", Integer))
    .render_derived("asked")
)

_SIGNED_IN: Final = select(
    User.id, User.token_version, User.email, User.is_admin, User.is_confirmed
).join(_ASKED, is_signed_in(_ASKED.c.user_id, _ASKED.c.token_version))
"""Built once: nearly every request needs it."""


async def find_signed_in(
    reader: AsyncEngine, tokens: Sequence[tuple[int, int]]
) -> Sequence[Row[int, int, str, bool, bool] | None]:
    """The accounts of tokens, each a user's id and a version: its id, version, e-mail address,
    `is_admin` and `is_confirmed`. None if the token does not count any more."""
    user_ids, versions = zip(*tokens, strict=True)
    asked = {"user_ids": list(user_ids), "token_versions": list(versions)}
    async with reader.connect() as connection:
        rows = (await connection.execute(_SIGNED_IN, asked)).all()
    found = {(row.id, row.token_version): row for row in rows}
    return [found.get(token) for token in tokens]


async def sign_out_everywhere(connection: AsyncConnection, user_id: int) -> int:
    """Have no access token and no refresh token of the account count any more. Returns the version
    that new tokens must have."""
    await delete_sign_ins(connection, user_id)
    statement = (
        update(User)
        .where(User.id == user_id)
        .values(token_version=User.token_version + 1)
        .returning(User.token_version)
    )
    version: int = (await connection.execute(statement)).scalar_one()
    return version


async def find_password(connection: AsyncConnection, user_id: int) -> Row[str, str] | None:
    """The account's e-mail address and password hash."""
    statement = select(User.email, User.password_hash).where(User.id == user_id)
    return (await connection.execute(statement)).one_or_none()


async def find_by_address(connection: AsyncConnection, email: str) -> Row[*tuple[Any, ...]] | None:
    """The account with this e-mail address, in whatever case it is written."""
    statement = select(
        User.id, User.email, User.is_admin, User.is_confirmed, User.disabled_at
    ).where(func.lower(User.email) == func.lower(email))
    return (await connection.execute(statement)).one_or_none()


async def list_accounts(connection: AsyncConnection) -> Sequence[Row[*tuple[Any, ...]]]:
    """All accounts, oldest first."""
    statement = select(
        User.id, User.email, User.is_admin, User.is_confirmed, User.created_at, User.disabled_at
    ).order_by(User.id)
    return (await connection.execute(statement)).all()


async def set_disabled(connection: AsyncConnection, user_id: int, *, disabled: bool) -> None:
    """Disable an account, which signs it out everywhere, or enable it again."""
    if disabled:
        await sign_out_everywhere(connection, user_id)
    await connection.execute(
        update(User).where(User.id == user_id).values(disabled_at=func.now() if disabled else None)
    )


async def confirm_user(connection: AsyncConnection, user_id: int) -> None:
    """The user has shown that mails to the account's address arrive."""
    await connection.execute(update(User).where(User.id == user_id).values(is_confirmed=True))


async def change_address(connection: AsyncConnection, user_id: int, email: str) -> None:
    """Give the account another address. Raises EmailTakenError, after which the caller rolls
    back."""
    try:
        await connection.execute(update(User).where(User.id == user_id).values(email=email))
    except IntegrityError as error:
        raise EmailTakenError("another account has the address") from error


async def events_to_delete(connection: AsyncConnection, user_id: int) -> Sequence[int]:
    """The events that no other user owns, locked in the order of their ids. Other users' roles for
    them do not count."""
    other = aliased(EventRole)
    statement = (
        select(Event.id)
        .join(EventRole, EventRole.event_id == Event.id)
        .where(
            EventRole.user_id == user_id,
            EventRole.role == OWNER,
            ~exists().where(
                other.event_id == Event.id, other.user_id != user_id, other.role == OWNER
            ),
        )
        .order_by(Event.id)
        .with_for_update(of=Event)
    )
    return (await connection.scalars(statement)).all()


async def delete_user(connection: AsyncConnection, user_id: int) -> list[Unlinked]:
    """Delete an account, with its imports, uploads, notifications and mails, and the events that no
    other user owns. Returns the files to delete after the commit."""
    files: list[Unlinked] = []
    for event_id in await events_to_delete(connection, user_id):
        files += await delete_event(connection, event_id)
    files += await unlink_user(connection, user_id)
    await connection.execute(delete(User).where(User.id == user_id))
    return files


async def find_account(
    connection: AsyncConnection, user_id: int
) -> Row[int, str, bool, bool, datetime] | None:
    """The account's id, e-mail address, `is_admin`, `is_confirmed` and creation time."""
    statement = select(
        User.id, User.email, User.is_admin, User.is_confirmed, User.created_at
    ).where(User.id == user_id)
    return (await connection.execute(statement)).one_or_none()


async def change_password_hash(
    connection: AsyncConnection, user_id: int, password_hash: str
) -> None:
    """Replace the account's password hash."""
    await connection.execute(
        update(User).where(User.id == user_id).values(password_hash=password_hash)
    )
