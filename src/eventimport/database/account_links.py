"""Links in mails about accounts. A link works once: using it deletes its row."""

from collections.abc import Collection
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row, delete, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from eventimport.database.models import AccountLink, User


async def add_link(
    connection: AsyncConnection, *, user_id: int, purpose: str, address: str, lifetime: timedelta
) -> UUID:
    """Add a link that is sent to the address, and return its id."""
    statement = (
        insert(AccountLink)
        .values(
            user_id=user_id,
            purpose=purpose,
            address=address,
            expires_at=func.now() + lifetime,
        )
        .returning(AccountLink.id)
    )
    return (await connection.execute(statement)).scalar_one()


async def find_link(
    connection: AsyncConnection, link_id: UUID, purposes: Collection[str], *, lock: bool = False
) -> Row[*tuple[Any, ...]] | None:
    """A link that works, with the account that it is for; `lock` holds both until the transaction
    ends. None if it was used, has expired, or its account is disabled."""
    statement = (
        select(
            AccountLink.id,
            AccountLink.user_id,
            AccountLink.purpose,
            AccountLink.address,
            User.email,
            User.is_confirmed,
        )
        .join(User, User.id == AccountLink.user_id)
        .where(
            AccountLink.id == link_id,
            AccountLink.purpose.in_(purposes),
            AccountLink.expires_at > func.now(),
            User.disabled_at.is_(None),
        )
    )
    if lock:
        statement = statement.with_for_update()
    return (await connection.execute(statement)).one_or_none()


async def delete_link(connection: AsyncConnection, link_id: UUID) -> None:
    """Delete a link that is not sent."""
    await connection.execute(delete(AccountLink).where(AccountLink.id == link_id))


async def delete_links(
    connection: AsyncConnection, user_id: int, purposes: Collection[str] | None = None
) -> None:
    """Delete the user's links of these purposes, or all of them."""
    statement = delete(AccountLink).where(AccountLink.user_id == user_id)
    if purposes is not None:
        statement = statement.where(AccountLink.purpose.in_(purposes))
    await connection.execute(statement)


async def delete_expired_links(connection: AsyncConnection) -> int:
    """Delete the links that have expired, and return how many."""
    result = await connection.execute(
        delete(AccountLink).where(AccountLink.expires_at < func.now())
    )
    return result.rowcount
