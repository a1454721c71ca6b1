"""Signing in, and staying signed in with refresh tokens.

Each refresh token works once and is replaced. An old one that comes again was copied: then the
sign-in ends, for the thief and for the user.
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID, uuid4

from sqlalchemy.ext.asyncio import AsyncConnection

from eventimport.auth import InvalidTokenError
from eventimport.auth.tokens import hash_of, new_refresh_token, sign_in_of
from eventimport.database.audit import record_act
from eventimport.database.sign_ins import (
    add_sign_in,
    delete_sign_in,
    lock_sign_in,
    renew_sign_in,
)
from eventimport.errors import ProblemError, refuse
from eventimport.resources import Resources

IN_BODY: Final = {"pointer": "/refresh_token"}
"""Where most requests have the refresh token."""


@dataclass(frozen=True, slots=True)
class NewSession:
    """The tokens of a sign-in. `expires_in` is the access token's lifetime in seconds."""

    access_token: str
    refresh_token: str
    expires_in: int


async def start_session(
    resources: Resources, connection: AsyncConnection, user_id: int, token_version: int
) -> NewSession:
    """Sign the user in, in the caller's transaction."""
    sign_in_id = uuid4()
    refresh_token = new_refresh_token(sign_in_id)
    await add_sign_in(
        connection,
        sign_in_id,
        user_id=user_id,
        token_version=token_version,
        refresh_hash=hash_of(refresh_token),
        lifetime=resources.settings.auth.refresh_lifetime,
    )
    return _session(resources, user_id, token_version, refresh_token)


async def refresh_session(
    resources: Resources,
    refresh_token: str,
    client: str | None,
    source: Mapping[str, str] = IN_BODY,
) -> NewSession:
    """Exchange a refresh token for new tokens; `source` says where the request has it. Raises 401,
    after which no token of the sign-in works if this one was used before."""
    sign_in_id = _sign_in_of(refresh_token, source)
    async with resources.engine.begin() as connection:
        row = await lock_sign_in(connection, sign_in_id)
        if row is not None and not hmac.compare_digest(row.refresh_hash, hash_of(refresh_token)):
            await delete_sign_in(connection, sign_in_id)
            await record_act(
                connection,
                "refresh-token-reused",
                actor=None,
                subject=("user", row.user_id),
                client=client,
            )
            row = None
        if row is not None:
            replacement = new_refresh_token(sign_in_id)
            await renew_sign_in(
                connection,
                sign_in_id,
                refresh_hash=hash_of(replacement),
                lifetime=resources.settings.auth.refresh_lifetime,
            )
            return _session(resources, row.user_id, row.token_version, replacement)
    raise _invalid_refresh_token(source)


async def end_session(resources: Resources, refresh_token: str, client: str | None) -> None:
    """End the sign-in of a refresh token. Does nothing if it has ended. Raises 401 for a token of
    another form."""
    sign_in_id = _sign_in_of(refresh_token)
    async with resources.engine.begin() as connection:
        row = await lock_sign_in(connection, sign_in_id)
        if row is None:
            return
        await delete_sign_in(connection, sign_in_id)
        await record_act(connection, "sign-out", actor=row.user_id, client=client)


def _sign_in_of(refresh_token: str, source: Mapping[str, str] = IN_BODY) -> UUID:
    try:
        return sign_in_of(refresh_token)
    except InvalidTokenError:
        raise _invalid_refresh_token(source) from None


def _invalid_refresh_token(source: Mapping[str, str]) -> ProblemError:
    """The response to a refresh token that is unknown, expired or used."""
    return refuse(
        401,
        "invalid-refresh-token",
        "Invalid refresh token",
        "The refresh token was used before, has expired, or was revoked. Sign in again.",
        source=source,
        headers={"WWW-Authenticate": 'Bearer realm="eventimport"'},
    )


def _session(
    resources: Resources, user_id: int, token_version: int, refresh_token: str
) -> NewSession:
    return NewSession(
        access_token=resources.tokens.issue(user_id, token_version),
        refresh_token=refresh_token,
        expires_in=int(resources.settings.auth.token_lifetime.total_seconds()),
    )
