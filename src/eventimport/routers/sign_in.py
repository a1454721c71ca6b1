"""Access tokens."""

import hashlib
import logging
from typing import Final

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, Field

from eventimport.auth import MAX_PASSWORD_LENGTH
from eventimport.database import accounts
from eventimport.database.accounts import change_password_hash, find_to_sign_in
from eventimport.database.audit import record_act
from eventimport.database.models import User
from eventimport.errors import refuse
from eventimport.http.dependencies import (
    AccountDep,
    ClientAddressDep,
    ResourcesDep,
    client_network,
    count,
    count_stranger,
)
from eventimport.http.forms.body import SmallBodyRoute
from eventimport.http.openapi import problems
from eventimport.resources import Resources

router = APIRouter(
    tags=["accounts"], route_class=SmallBodyRoute, dependencies=[Depends(count_stranger)]
)

LOOK_ALIKE: Final = (
    "All sign-ins come from a single address. If the service is behind a reverse"
    " proxy, set TRUSTED_PROXIES. Otherwise all clients share one limit"
    " (SIGN_INS_PER_CLIENT)."
)

logger = logging.getLogger(__name__)


class Credentials(BaseModel):
    """The e-mail address and the password. Other members, which existing clients send, are
    ignored."""

    email: str = Field(max_length=320, pattern=r"^[^\x00]*$", examples=["demo@example.org"])
    password: str = Field(max_length=MAX_PASSWORD_LENGTH, examples=["demo-password"])


class Session(BaseModel):
    """The access token. Send it as `Authorization: Bearer <access_token>`."""

    access_token: str


@router.post("/v1/auth/session", responses=problems(400, 401, 413, 422, 429))
@router.post("/auth/session", responses=problems(400, 401, 413, 422, 429), include_in_schema=False)
async def create_session(
    request: Request,
    credentials: Credentials,
    resources: ResourcesDep,
    client: ClientAddressDep,
    response: Response,
) -> Session:
    """Sign in. Existing clients can also use `/auth/session`."""
    # Counted for addresses that nobody has, too: the limit tells as little as the answer.
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
        await _record(resources, "sign-in-failed", user, client)
        raise refuse(
            401,
            "wrong-credentials",
            "Wrong e-mail address or password",
            "The e-mail address or the password is wrong.",
            headers={"WWW-Authenticate": 'Bearer realm="eventimport"'},
        )
    if resources.passwords.needs_rehash(user.password_hash):
        await _renew_hash(user.id, credentials.password, resources)
    await _record(resources, "sign-in", user, client)
    response.headers["Cache-Control"] = "no-store"
    return Session(access_token=resources.tokens.issue(user.id, user.token_version))


@router.post("/v1/auth/sign-out-everywhere", status_code=204, responses=problems(401, 429))
async def sign_out_everywhere(
    account: AccountDep, resources: ResourcesDep, client: ClientAddressDep
) -> None:
    """Sign out everywhere. No access token of your account is valid any more, not even the one of
    this request. Sign in again to get a new one."""
    async with resources.engine.begin() as connection:
        await accounts.sign_out_everywhere(connection, account.id)
        await record_act(connection, "sign-out-everywhere", actor=account.id, client=client)


async def _record(resources: Resources, action: str, user: User | None, client: str | None) -> None:
    """Record a sign-in. Of an unknown address nothing is kept: it may be a mistyped password."""
    async with resources.engine.begin() as connection:
        await record_act(
            connection,
            action,
            actor=None if user is None or action != "sign-in" else user.id,
            subject=None if user is None else ("user", user.id),
            client=client,
        )


async def _renew_hash(user_id: int, password: str, resources: Resources) -> None:
    """Store the hash with today's parameters: only now is the password at hand."""
    password_hash = await resources.passwords.hash(password)
    async with resources.engine.begin() as connection:
        await change_password_hash(connection, user_id, password_hash)
