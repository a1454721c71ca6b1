"""Signing in and out: access tokens and refresh tokens."""

import hashlib
import logging
from dataclasses import asdict
from typing import Any, Final

from fastapi import Depends, Request, Response
from fastapi.security.utils import get_authorization_scheme_param
from pydantic import BaseModel, ConfigDict, Field, model_validator

from eventimport.accounts import sign_in
from eventimport.accounts.sign_in import start_session
from eventimport.auth import MAX_PASSWORD_LENGTH
from eventimport.database import accounts
from eventimport.database.accounts import change_password_hash, find_to_sign_in
from eventimport.database.audit import record_act
from eventimport.database.models import User
from eventimport.errors import refuse
from eventimport.http.dependencies import (
    SCHEMES,
    AccountDep,
    ClientAddressDep,
    ResourcesDep,
    client_network,
    count,
    count_stranger,
    unauthorized,
)
from eventimport.http.forms.body import SmallBodyRoute
from eventimport.http.openapi import problems
from eventimport.http.routing import Router
from eventimport.resources import Resources

router = Router(
    tags=["accounts"], route_class=SmallBodyRoute, dependencies=[Depends(count_stranger)]
)

LOOK_ALIKE: Final = (
    "All sign-ins come from a single address. If the service is behind a reverse"
    " proxy, set TRUSTED_PROXIES. Otherwise all clients share one limit"
    " (SIGN_INS_PER_CLIENT)."
)

MAX_REFRESH_TOKEN: Final = 200

logger = logging.getLogger(__name__)


class Credentials(BaseModel):
    """The e-mail address and the password. Other members, which existing clients send, are
    ignored."""

    email: str = Field(
        max_length=320,
        pattern=r"^[^\x00]*$",
        examples=["demo@example.org"],
        description="Existing clients can send it as `username`.",
    )
    password: str = Field(max_length=MAX_PASSWORD_LENGTH, examples=["demo-password"])

    @model_validator(mode="before")
    @classmethod
    def _named_by_existing_clients(cls, given: Any) -> Any:
        if isinstance(given, dict) and "email" not in given and "username" in given:
            return {**given, "email": given["username"]}
        return given


class SignInTokens(BaseModel):
    """The tokens of a sign-in. Send the access token as `Authorization: Bearer <access_token>`.
    When it expires, exchange the refresh token for new tokens, or sign in again."""

    access_token: str
    refresh_token: str = Field(description="Works once, at `POST /v1/auth/refresh`.")
    expires_in: int = Field(description="Seconds until the access token expires.")


class RefreshToken(BaseModel):
    """A refresh token."""

    model_config = ConfigDict(extra="forbid")

    refresh_token: str = Field(max_length=MAX_REFRESH_TOKEN, pattern=r"^[^\x00]*$")


@router.post("/v1/auth/session", name="sign_in", responses=problems(400, 401, 413, 422, 429))
@router.post("/auth/session", responses=problems(400, 401, 413, 422, 429), include_in_schema=False)
@router.post("/v1/auth/login", responses=problems(400, 401, 413, 422, 429), include_in_schema=False)
async def create_session(
    request: Request,
    credentials: Credentials,
    resources: ResourcesDep,
    client: ClientAddressDep,
    response: Response,
) -> SignInTokens:
    """Sign in. Existing clients can also use `/auth/session` and `/v1/auth/login`."""
    # Counted for addresses without an account, too: the limit tells as little as the answer.
    async with resources.sessions() as session:
        address, user = await find_to_sign_in(session, credentials.email.strip())
    account = hashlib.sha256(address.encode()).hexdigest()
    if resources.look_alikes.add(client_network(request), account):
        logger.warning(LOOK_ALIKE)
    await count(resources, resources.settings.sign_in_limit, account)
    password_hash = user.password_hash if user else None
    # An unknown user costs a hash as well: neither answer nor time tells who has an account.
    matches = await resources.passwords.verify(password_hash, credentials.password)
    if user is None or not matches or user.disabled_at is not None:
        await _record_failure(resources, user, client)
        raise refuse(
            401,
            "wrong-credentials",
            "Wrong e-mail address or password",
            "The e-mail address or the password is wrong.",
            headers={"WWW-Authenticate": 'Bearer realm="eventimport"'},
        )
    if resources.passwords.needs_rehash(user.password_hash):
        await _renew_hash(user.id, credentials.password, resources)
    async with resources.engine.begin() as connection:
        await record_act(
            connection, "sign-in", actor=user.id, subject=("user", user.id), client=client
        )
        started = await start_session(resources, connection, user.id, user.token_version)
    response.headers["Cache-Control"] = "no-store"
    return SignInTokens(**asdict(started))


@router.post("/v1/auth/refresh", name="refresh_tokens", responses=problems(400, 401, 413, 422, 429))
async def refresh_session(
    token: RefreshToken, resources: ResourcesDep, client: ClientAddressDep, response: Response
) -> SignInTokens:
    """Exchange a refresh token for a new access token and a new refresh token.

    Each refresh token works once. If an old one is used again, the sign-in ends: none of its
    refresh tokens works any more. A refresh token that is not used expires after
    REFRESH_TOKEN_DAYS.
    """
    session = await sign_in.refresh_session(resources, token.refresh_token, client)
    response.headers["Cache-Control"] = "no-store"
    return SignInTokens(**asdict(session))


@router.post(
    "/v1/auth/token/refresh", name="refresh_tokens_by_header", responses=problems(401, 429)
)
async def refresh_access_token(
    request: Request, resources: ResourcesDep, client: ClientAddressDep, response: Response
) -> SignInTokens:
    """Exchange a refresh token, as existing clients do: it is in the Authorization header, as `JWT
    <refresh_token>` or `Bearer <refresh_token>`. It works once, as at `POST /v1/auth/refresh`."""
    scheme, token = get_authorization_scheme_param(request.headers.get("Authorization"))
    if scheme.lower() not in SCHEMES or not token:
        raise unauthorized()
    source = {"header": "Authorization"}
    session = await sign_in.refresh_session(resources, token[:MAX_REFRESH_TOKEN], client, source)
    response.headers["Cache-Control"] = "no-store"
    return SignInTokens(**asdict(session))


@router.post("/v1/auth/sign-out", status_code=204, responses=problems(400, 401, 413, 422, 429))
async def sign_out(token: RefreshToken, resources: ResourcesDep, client: ClientAddressDep) -> None:
    """Sign out: no refresh token of this sign-in works any more. Its last access token expires by
    itself; `POST /v1/auth/sign-out-everywhere` ends it at once."""
    await sign_in.end_session(resources, token.refresh_token, client)


@router.post("/v1/auth/sign-out-everywhere", status_code=204, responses=problems(401, 429))
async def sign_out_everywhere(
    account: AccountDep, resources: ResourcesDep, client: ClientAddressDep
) -> None:
    """Sign out everywhere. No access token and no refresh token of your account is valid any more,
    not even the access token of this request. Personal access tokens stay: revoke them one by one.
    """
    async with resources.engine.begin() as connection:
        await accounts.sign_out_everywhere(connection, account.id)
        await record_act(
            connection,
            "sign-out-everywhere",
            actor=account.id,
            subject=("user", account.id),
            client=client,
        )


async def _record_failure(resources: Resources, user: User | None, client: str | None) -> None:
    """Record a failed sign-in. Of an unknown address nothing is kept: it may be a mistyped
    password."""
    async with resources.engine.begin() as connection:
        await record_act(
            connection,
            "sign-in-failed",
            actor=None,
            subject=None if user is None else ("user", user.id),
            client=client,
        )


async def _renew_hash(user_id: int, password: str, resources: Resources) -> None:
    """Store the hash with today's parameters: only now is the password at hand."""
    password_hash = await resources.passwords.hash(password)
    async with resources.engine.begin() as connection:
        await change_password_hash(connection, user_id, password_hash)
