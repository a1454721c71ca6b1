"""Who may act on an `Idempotency-Key`, and what was answered under it.

Each claim of a key draws a token. Whoever holds another one changes no row any more: every
statement here names the token, and tells whether it still counted.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID, uuid4

from sqlalchemy import (
    ColumnElement,
    CursorResult,
    Delete,
    Update,
    and_,
    delete,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from eventimport.database.models import IdempotencyKey
from eventimport.errors import EventImportError

LEASE: Final = timedelta(seconds=60)
"""How long a claim holds that is not renewed: so long a key is blocked by a process that died."""


class KeyInUseError(EventImportError):
    """Another request has the key, and is not answered yet."""


class ClaimLostError(EventImportError):
    """Another request has the key by now: no answer may be recorded for this one."""


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to answer under a key of the user."""

    user_id: int
    key: str
    token: UUID


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer as it was sent: its body as text, and the headers that belong to it."""

    status: int
    body: str
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Answered:
    """An earlier request under the key: its method and path, what it asked for, its answer."""

    route: str
    fingerprint: bytes
    answer: Answer


async def claim(
    connection: AsyncConnection, user_id: int, key: str, *, route: str, lifetime: timedelta
) -> Claim | Answered:
    """Claim the key, or tell how an earlier request was answered under it.

    A key counts as new where it is older than `lifetime`, or where whoever claimed it has neither
    answered nor renewed the claim. The caller commits. Raises KeyInUseError.
    """
    own = Claim(user_id, key, uuid4())
    begun = {
        "token": own.token,
        "route": route,
        "lease_until": func.now() + LEASE,
        "created_at": func.now(),
    }
    free = or_(IdempotencyKey.lease_until < func.now(), _expired(lifetime))
    statement = (
        insert(IdempotencyKey)
        .values(user_id=user_id, key=key, **begun)
        .on_conflict_do_update(
            index_elements=[IdempotencyKey.user_id, IdempotencyKey.key],
            set_={**begun, "fingerprint": None, "status": None, "body": None, "headers": None},
            where=free,
        )
        .returning(IdempotencyKey.token)
    )
    if await connection.scalar(statement) is not None:
        return own
    found = select(
        IdempotencyKey.route,
        IdempotencyKey.fingerprint,
        IdempotencyKey.status,
        IdempotencyKey.body,
        IdempotencyKey.headers,
    ).where(_named(own), IdempotencyKey.lease_until.is_(None))
    row = (await connection.execute(found)).one_or_none()
    if row is None:
        raise KeyInUseError("another request has the key")
    return Answered(row.route, row.fingerprint, Answer(row.status, row.body, row.headers))


async def renew(connection: AsyncConnection, held: Claim) -> bool:
    """Show that the request is still worked on. False where the claim is over."""
    statement = update(IdempotencyKey).where(_held(held)).values(lease_until=func.now() + LEASE)
    return await _count(connection, statement) == 1


async def record_answer(
    connection: AsyncConnection, held: Claim, *, fingerprint: bytes, answer: Answer
) -> None:
    """Keep the answer, in the transaction of what it tells of. Raises ClaimLostError."""
    statement = (
        update(IdempotencyKey)
        .where(_held(held))
        .values(
            lease_until=None,
            fingerprint=fingerprint,
            status=answer.status,
            body=answer.body,
            headers=dict(answer.headers),
        )
    )
    if await _count(connection, statement) != 1:
        raise ClaimLostError("another request has the key by now")


async def release(connection: AsyncConnection, held: Claim) -> bool:
    """Give the key back, unanswered. False where the answer is recorded after all: its commit was
    made although the connection was lost before that was told.

    Waits for a transaction that is still recording the answer.
    """
    if await _count(connection, delete(IdempotencyKey).where(_held(held))) == 1:
        return True
    own = select(IdempotencyKey.token).where(_named(held), IdempotencyKey.token == held.token)
    return await connection.scalar(own) is None


async def delete_expired_keys(connection: AsyncConnection, older_than: timedelta) -> int:
    """Delete the keys that were first met so long ago, but for those still worked on; how many."""
    ended = or_(IdempotencyKey.lease_until.is_(None), IdempotencyKey.lease_until < func.now())
    old = IdempotencyKey.created_at < func.now() - older_than
    return await _count(connection, delete(IdempotencyKey).where(old, ended))


def _named(held: Claim) -> ColumnElement[bool]:
    return and_(IdempotencyKey.user_id == held.user_id, IdempotencyKey.key == held.key)


def _held(held: Claim) -> ColumnElement[bool]:
    return and_(
        _named(held),
        IdempotencyKey.token == held.token,
        IdempotencyKey.lease_until.is_not(None),
    )


def _expired(lifetime: timedelta) -> ColumnElement[bool]:
    return and_(
        IdempotencyKey.lease_until.is_(None),
        IdempotencyKey.created_at < func.now() - lifetime,
    )


async def _count(connection: AsyncConnection, statement: Update | Delete) -> int:
    result = await connection.execute(statement)
    assert isinstance(result, CursorResult)  # noqa: S101 - what both give; for the types
    return result.rowcount
