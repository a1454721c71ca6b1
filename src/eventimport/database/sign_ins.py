"""Sign-ins that refresh tokens keep alive, and personal access tokens. Only hashes are stored."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, delete, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from eventimport.database.models import PersonalAccessToken, SignIn, User

USE_NOTED: Final = timedelta(minutes=1)
"""How exact the time of a token's last use is: a write for each request would cost too much."""


async def add_sign_in(
    connection: AsyncConnection,
    sign_in_id: UUID,
    *,
    user_id: int,
    token_version: int,
    refresh_hash: str,
    lifetime: timedelta,
) -> None:
    """Add a sign-in whose newest refresh token has this hash."""
    await connection.execute(
        insert(SignIn).values(
            id=sign_in_id,
            user_id=user_id,
            token_version=token_version,
            refresh_hash=refresh_hash,
            expires_at=func.now() + lifetime,
        )
    )


async def lock_sign_in(
    connection: AsyncConnection, sign_in_id: UUID
) -> Row[*tuple[Any, ...]] | None:
    """A sign-in, locked until the transaction ends. None if it has expired, or if its account is
    signed out everywhere or disabled."""
    statement = (
        select(SignIn.id, SignIn.user_id, SignIn.token_version, SignIn.refresh_hash)
        .join(User, User.id == SignIn.user_id)
        .where(
            SignIn.id == sign_in_id,
            SignIn.expires_at > func.now(),
            SignIn.token_version == User.token_version,
            User.disabled_at.is_(None),
        )
        .with_for_update(of=SignIn)
    )
    return (await connection.execute(statement)).one_or_none()


async def renew_sign_in(
    connection: AsyncConnection, sign_in_id: UUID, *, refresh_hash: str, lifetime: timedelta
) -> None:
    """Replace the refresh token of a locked sign-in."""
    await connection.execute(
        update(SignIn)
        .where(SignIn.id == sign_in_id)
        .values(refresh_hash=refresh_hash, expires_at=func.now() + lifetime)
    )


async def delete_sign_in(connection: AsyncConnection, sign_in_id: UUID) -> None:
    """End a sign-in: none of its refresh tokens works any more."""
    await connection.execute(delete(SignIn).where(SignIn.id == sign_in_id))


async def delete_sign_ins(connection: AsyncConnection, user_id: int) -> None:
    """End all sign-ins of a user."""
    await connection.execute(delete(SignIn).where(SignIn.user_id == user_id))


async def delete_expired_sign_ins(connection: AsyncConnection) -> int:
    """Delete the sign-ins that have expired, and return how many."""
    result = await connection.execute(delete(SignIn).where(SignIn.expires_at < func.now()))
    return result.rowcount


async def add_personal_token(
    connection: AsyncConnection,
    user_id: int,
    *,
    name: str,
    scopes: Sequence[str],
    token_hash: str,
    lifetime: timedelta,
    limit: int,
) -> Row[*tuple[Any, ...]] | None:
    """Add a personal access token. None if the user has `limit` of them."""
    # Requests of one user take turns, so that together they keep to the limit.
    await connection.execute(
        select(User.id).where(User.id == user_id).with_for_update(key_share=True)
    )
    owned = select(func.count()).where(PersonalAccessToken.user_id == user_id)
    if (await connection.scalar(owned) or 0) >= limit:
        return None
    statement = (
        insert(PersonalAccessToken)
        .values(
            user_id=user_id,
            name=name,
            scopes=list(scopes),
            token_hash=token_hash,
            expires_at=func.now() + lifetime,
        )
        .returning(*_SHOWN)
    )
    return (await connection.execute(statement)).one()


async def find_personal_token(
    connection: AsyncConnection, token_hash: str
) -> Row[*tuple[Any, ...]] | None:
    """A personal access token that is valid: its id, scopes, user and the user's token version;
    `is_noted` says whether its last use is recorded."""
    noted = PersonalAccessToken.last_used_at > func.now() - USE_NOTED
    statement = (
        select(
            PersonalAccessToken.id,
            PersonalAccessToken.scopes,
            PersonalAccessToken.user_id,
            User.token_version,
            func.coalesce(noted, False).label("is_noted"),
        )
        .join(User, User.id == PersonalAccessToken.user_id)
        .where(
            PersonalAccessToken.token_hash == token_hash,
            PersonalAccessToken.expires_at > func.now(),
            User.disabled_at.is_(None),
        )
    )
    return (await connection.execute(statement)).one_or_none()


async def note_use(connection: AsyncConnection, token_id: int) -> None:
    """Record that the token was just used, unless another request has."""
    before = func.now() - USE_NOTED
    unnoted = or_(
        PersonalAccessToken.last_used_at.is_(None), PersonalAccessToken.last_used_at < before
    )
    await connection.execute(
        update(PersonalAccessToken)
        .where(PersonalAccessToken.id == token_id, unnoted)
        .values(last_used_at=func.now())
    )


async def list_personal_tokens(
    connection: AsyncConnection, user_id: int, *, limit: int, offset: int
) -> tuple[Sequence[Row[*tuple[Any, ...]]], int]:
    """A page of the user's personal access tokens, newest first, and how many there are."""
    own = PersonalAccessToken.user_id == user_id
    page = (
        select(*_SHOWN)
        .where(own)
        .order_by(PersonalAccessToken.id.desc())
        .limit(limit)
        .offset(offset)
    )
    rows = (await connection.execute(page)).all()
    return rows, await connection.scalar(select(func.count()).where(own)) or 0


async def delete_personal_token(
    connection: AsyncConnection, user_id: int, token_id: int
) -> str | None:
    """Revoke one of the user's personal access tokens, and return its name. None if it is
    unknown."""
    statement = (
        delete(PersonalAccessToken)
        .where(PersonalAccessToken.id == token_id, PersonalAccessToken.user_id == user_id)
        .returning(PersonalAccessToken.name)
    )
    name: str | None = await connection.scalar(statement)
    return name


async def delete_personal_tokens(connection: AsyncConnection, user_id: int) -> None:
    """Revoke all personal access tokens of a user."""
    await connection.execute(
        delete(PersonalAccessToken).where(PersonalAccessToken.user_id == user_id)
    )


_SHOWN: Final = (
    PersonalAccessToken.id,
    PersonalAccessToken.name,
    PersonalAccessToken.scopes,
    PersonalAccessToken.created_at,
    PersonalAccessToken.expires_at,
    PersonalAccessToken.last_used_at,
)
