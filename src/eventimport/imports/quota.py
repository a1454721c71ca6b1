"""Refusing an import that there is no room for, before any of its archive is received."""

from collections.abc import Awaitable, Callable

from sqlalchemy.ext.asyncio import AsyncConnection

from eventimport.database.import_quota import (
    ImportQuota,
    QueueFullError,
    TooManyImportsError,
    check_quota,
    take_room,
)
from eventimport.errors import refuse
from eventimport.resources import Resources

RETRY_AFTER = {"Retry-After": "30"}
"""Seconds; imports take that long, more or less."""

Check = Callable[[AsyncConnection, int, ImportQuota], Awaitable[None]]


async def require_room(resources: Resources, user_id: int) -> None:
    """Before the archive is received. Raises 429 or 503 where there is no room for it."""
    async with resources.reader.connect() as connection:
        await _check(check_quota, connection, user_id, resources.settings.import_quota)


async def claim_room(connection: AsyncConnection, user_id: int, quota: ImportQuota) -> None:
    """In the transaction that adds the import, since others may have come meanwhile. Raises 429 or
    503."""
    await _check(take_room, connection, user_id, quota)


async def _check(
    check: Check, connection: AsyncConnection, user_id: int, quota: ImportQuota
) -> None:
    try:
        await check(connection, user_id, quota)
    except TooManyImportsError:
        raise refuse(
            429,
            "too-many-imports",
            "Too many imports at once",
            f"At most {quota.per_user} of your imports may wait or run at once."
            " Wait for one of them to end.",
            headers=RETRY_AFTER,
        ) from None
    except QueueFullError:
        raise refuse(
            503,
            "queue-full",
            "Too many imports are waiting",
            "The service has as many imports waiting as it takes. Try again later.",
            headers=RETRY_AFTER,
        ) from None
