"""The responses that were sent under an `Idempotency-Key`.

A response is recorded in the transaction that carries out its request, so the key is used if, and
only if, the request was carried out.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from eventimport.database.models import IdempotencyKey
from eventimport.errors import EventImportError


class KeyUsedError(EventImportError):
    """Another request was answered under the key."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A request, by its method and path and a digest of what it asked for, and the response to it:
    its body as text, and the headers that belong to it."""

    route: str
    fingerprint: bytes
    status: int
    body: str
    headers: Mapping[str, str]


async def find_answer(
    connection: AsyncConnection, user_id: int, key: str, *, lifetime: timedelta
) -> Answer | None:
    """The response recorded under the user's key; None if there is none younger than `lifetime`."""
    statement = select(
        IdempotencyKey.route,
        IdempotencyKey.fingerprint,
        IdempotencyKey.status,
        IdempotencyKey.body,
        IdempotencyKey.headers,
    ).where(
        IdempotencyKey.user_id == user_id,
        IdempotencyKey.key == key,
        IdempotencyKey.created_at >= func.now() - lifetime,
    )
    row = (await connection.execute(statement)).one_or_none()
    return Answer(*row) if row is not None else None


async def record_answer(
    connection: AsyncConnection, user_id: int, key: str, answer: Answer, *, lifetime: timedelta
) -> None:
    """Record the response, in place of one older than `lifetime`. Waits for a transaction that is
    recording another one. Raises KeyUsedError, and changes nothing, if that one commits first."""
    values = {
        "route": answer.route,
        "fingerprint": answer.fingerprint,
        "status": answer.status,
        "body": answer.body,
        "headers": dict(answer.headers),
    }
    statement = (
        insert(IdempotencyKey)
        .values(user_id=user_id, key=key, **values)
        .on_conflict_do_update(
            index_elements=[IdempotencyKey.user_id, IdempotencyKey.key],
            set_={**values, "created_at": func.now()},
            where=IdempotencyKey.created_at < func.now() - lifetime,
        )
        .returning(IdempotencyKey.key)
    )
    if await connection.scalar(statement) is None:
        raise KeyUsedError("the key belongs to another request")


async def delete_expired_keys(connection: AsyncConnection, older_than: timedelta) -> int:
    """Delete the keys that are older; returns how many."""
    old = IdempotencyKey.created_at < func.now() - older_than
    result = await connection.execute(delete(IdempotencyKey).where(old))
    return result.rowcount
