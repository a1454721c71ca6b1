"""Requests with an `Idempotency-Key`: each is carried out once, however often it is sent.

A key is claimed before the body is read, and the answer is recorded in the transaction of what it
tells of. A request that fails gives its key back. That a key is still worked on is shown from time
to time: of a process that died, the claim ends by itself.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

from fastapi import Request
from fastapi.responses import Response
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from eventimport.database import idempotency
from eventimport.database.idempotency import (
    Answer,
    Answered,
    Claim,
    ClaimLostError,
    KeyInUseError,
)
from eventimport.errors import ProblemError, refuse
from eventimport.resources import Resources
from eventimport.routers.fingerprint import Fingerprint
from eventimport.routers.idempotency_key import HEADER, REPLAYED

RENEWAL_SECONDS: Final = idempotency.LEASE.total_seconds() / 4
KEPT_HEADERS: Final = ("Location", "Retry-After")
"""What of an answer's headers a repetition's answer bears as well."""
RETRY_AFTER: Final = {"Retry-After": "5"}
"""Seconds; most uploads have ended by then."""

logger = logging.getLogger(__name__)


class KeyedRequest:
    """A request under a key, which is claimed for it, or under which another was answered.

    `fingerprint` is to be fed with what the request asks for.
    """

    def __init__(
        self, engine: AsyncEngine, claimed: Claim | Answered, fingerprint: Fingerprint
    ) -> None:
        self._engine = engine
        self._claimed = claimed
        self.fingerprint = fingerprint

    @property
    def is_repetition(self) -> bool:
        """Whether an earlier request was answered under the key."""
        return isinstance(self._claimed, Answered)

    def earlier_response(self) -> Response:
        """What the earlier request was answered. Raises 422 where it asked for something else."""
        assert isinstance(self._claimed, Answered)  # noqa: S101 - the caller knows, by the above
        if self.fingerprint.digest() != self._claimed.fingerprint:
            raise reused()
        answer = self._claimed.answer
        headers = {**answer.headers, REPLAYED: "true"}
        return Response(answer.body, answer.status, headers, media_type="application/json")

    async def record(self, connection: AsyncConnection, response: Response) -> None:
        """Record the answer. Raises 409 where another request has the key by now."""
        assert isinstance(self._claimed, Claim)  # noqa: S101 - a repetition has its answer
        kept = {name: response.headers[name] for name in KEPT_HEADERS if name in response.headers}
        answer = Answer(response.status_code, bytes(response.body).decode(), kept)
        fingerprint = self.fingerprint.digest()
        try:
            await idempotency.record_answer(
                connection, self._claimed, fingerprint=fingerprint, answer=answer
            )
        except ClaimLostError:
            raise _in_use() from None

    async def release(self) -> bool | None:
        """Give the key back: True once that is done, False where an answer was committed under it
        after all, None where the database does not tell."""
        if isinstance(self._claimed, Answered):
            return True
        try:
            async with self._engine.begin() as connection:
                return await idempotency.release(connection, self._claimed)
        except (SQLAlchemyError, OSError):
            logger.warning("an idempotency key stays claimed until its lease ends", exc_info=True)
            return None

    @asynccontextmanager
    async def staying_claimed(self) -> AsyncIterator[None]:
        """Renew the claim meanwhile, if there is one."""
        renewal = asyncio.create_task(self._renew())
        try:
            yield
        finally:
            renewal.cancel()
            await asyncio.gather(renewal, return_exceptions=True)

    async def _renew(self) -> None:
        while isinstance(self._claimed, Claim):
            await asyncio.sleep(RENEWAL_SECONDS)
            try:
                async with self._engine.begin() as connection:
                    if not await idempotency.renew(connection, self._claimed):
                        return
            except (SQLAlchemyError, OSError):
                logger.warning("an idempotency key was not kept claimed; trying again")


async def claim_key(
    request: Request, resources: Resources, user_id: int, key: str, options: Mapping[str, Any]
) -> KeyedRequest:
    """Claim the user's key for the request. `options` are its query parameters.

    Raises 409 where another request has it and is not answered yet, and 422 where one to another
    route was answered under it.
    """
    route = f"{request.method} {request.url.path}"
    lifetime = resources.settings.idempotency_key_lifetime
    try:
        async with resources.engine.begin() as connection:
            claimed = await idempotency.claim(
                connection, user_id, key, route=route, lifetime=lifetime
            )
    except KeyInUseError:
        raise _in_use() from None
    if isinstance(claimed, Answered) and claimed.route != route:
        raise reused()
    return KeyedRequest(resources.engine, claimed, Fingerprint(route, options))


def reused() -> ProblemError:
    """The answer to another request under a key that was answered."""
    return refuse(
        422,
        "idempotency-key-reused",
        "The idempotency key was used for another request",
        "An earlier request of the same key was to another route, or brought something else."
        " Send the same as then, or this under a new key.",
        source={"header": HEADER},
    )


def _in_use() -> ProblemError:
    return refuse(
        409,
        "idempotency-key-in-use",
        "The idempotency key is in use",
        "Another request of the same key is not answered yet. Send it again a little later.",
        source={"header": HEADER},
        headers=RETRY_AFTER,
    )
