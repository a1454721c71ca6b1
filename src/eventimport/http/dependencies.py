"""What routes ask FastAPI for, as annotated aliases."""

import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Annotated, TypedDict

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from fastapi.security.utils import get_authorization_scheme_param
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import HTTPConnection

from eventimport.auth import InvalidTokenError
from eventimport.database.models import User
from eventimport.errors import ProblemError, refuse
from eventimport.observability import logs
from eventimport.rate_limits import Limit
from eventimport.resources import Resources
from eventimport.settings import Settings

SCHEMES = ("bearer", "jwt")


class State(TypedDict):
    """The lifespan state, as each request sees it in `request.state`."""

    resources: Resources


class AccessToken(HTTPBearer):
    """Reads `Authorization: Bearer <token>` or `JWT <token>`; in OpenAPI it is a bearer scheme."""

    async def __call__(self, request: HTTPConnection) -> HTTPAuthorizationCredentials | None:
        """The token, or None where the header is missing or of another scheme."""
        scheme, token = get_authorization_scheme_param(request.headers.get("Authorization"))
        if scheme.lower() not in SCHEMES or not token:
            return None
        return HTTPAuthorizationCredentials(scheme=scheme, credentials=token)


access_token = AccessToken(
    scheme_name="accessToken",
    description="The `access_token` that `POST /v1/auth/session` returns. `Authorization: JWT"
    " <token>` works as well.",
    auto_error=False,
)


@dataclass(frozen=True, slots=True)
class Account:
    """Who is signed in."""

    id: int
    email: str
    is_admin: bool


def unauthorized() -> ProblemError:
    """The one answer to a missing, bad or expired token; it does not tell which."""
    return refuse(
        401,
        "unauthorized",
        "Sign in first",
        "This needs a valid access token in the Authorization header.",
        source={"header": "Authorization"},
        headers={"WWW-Authenticate": 'Bearer realm="eventimport"'},
    )


async def count(resources: Resources, limit: Limit, who: str) -> None:
    """Count something that may be done only so often. Raises 429 once it is done too often; `who`
    must be no personal data."""
    wait = await resources.limiter.hit(limit, who)
    if wait is not None:
        raise refuse(
            429,
            "too-many-requests",
            "Too many requests",
            f"This may be done {limit.count} times in {limit.seconds} seconds.",
            headers={"Retry-After": str(wait)},
        )


async def get_resources(request: Request) -> Resources:
    """The resources that the lifespan opened."""
    resources: Resources = request.state.resources
    return resources


async def count_stranger(
    request: Request, resources: Annotated[Resources, Depends(get_resources)]
) -> None:
    """Count what one client does without being signed in. Raises 429."""
    digest = hashlib.sha256(client_network(request).encode()).hexdigest()
    await count(resources, resources.settings.client_limit, digest)


def client_network(request: Request) -> str:
    """The client's address. Of an IPv6 address it is the network: each has 2**64 of them."""
    client = request.client.host if request.client else "local"
    try:
        address = ip_address(client)
    except ValueError:
        return client
    if isinstance(address, IPv6Address):
        # A server that listens on IPv6 sees clients with IPv4 under such an address.
        address = address.ipv4_mapped or address
    return str(ip_network((address, 64 if address.version == 6 else 32), strict=False))


async def get_settings(resources: Annotated[Resources, Depends(get_resources)]) -> Settings:
    """The settings of this process."""
    return resources.settings


async def open_session(
    resources: Annotated[Resources, Depends(get_resources)],
) -> AsyncIterator[AsyncSession]:
    """One transaction a request: committed when the route returns, before the answer is sent;
    rolled back when it raises."""
    async with resources.sessions.begin() as session:
        yield session


async def get_token_user_id(
    resources: Annotated[Resources, Depends(get_resources)],
    credentials: Annotated[HTTPAuthorizationCredentials | None, Security(access_token)],
) -> int:
    """Whom the token names. That the user still exists is not checked. Raises 401, and 429 where
    the user asks too often."""
    if credentials is None:
        raise unauthorized()
    try:
        user_id = resources.tokens.verify(credentials.credentials)
    except InvalidTokenError:
        raise unauthorized() from None
    logs.bind(user_id=user_id)
    await count(resources, resources.settings.request_limit, str(user_id))
    return user_id


async def get_account(
    resources: Annotated[Resources, Depends(get_resources)],
    user_id: Annotated[int, Depends(get_token_user_id)],
) -> Account:
    """The signed-in user. Holds no connection when it returns, since an upload may take hours."""
    statement = select(User.id, User.email, User.is_admin).where(User.id == user_id)
    async with resources.reader.connect() as connection:
        row = (await connection.execute(statement)).one_or_none()
    if row is None:
        raise unauthorized()
    return Account(row.id, row.email, row.is_admin)


async def get_optional_account(
    request: Request,
    resources: Annotated[Resources, Depends(get_resources)],
    credentials: Annotated[HTTPAuthorizationCredentials | None, Security(access_token)],
) -> Account | None:
    """The signed-in user, or None where there is no Authorization header. Raises 401 for one that
    is no good: a client that means to be signed in is not to take the public's view for its own."""
    if "authorization" not in request.headers:
        return None
    return await get_account(resources, await get_token_user_id(resources, credentials))


async def get_admin(account: Annotated[Account, Depends(get_account)]) -> Account:
    """The signed-in user, who is an admin. Raises 403."""
    if not account.is_admin:
        raise refuse(403, "forbidden", "Not allowed", "Only an admin may do this.")
    return account


ResourcesDep = Annotated[Resources, Depends(get_resources)]
SettingsDep = Annotated[Settings, Depends(get_settings)]
SessionDep = Annotated[AsyncSession, Depends(open_session, scope="function")]
TokenUserIdDep = Annotated[int, Depends(get_token_user_id)]
AccountDep = Annotated[Account, Depends(get_account)]
OptionalAccountDep = Annotated[Account | None, Depends(get_optional_account)]
AdminDep = Annotated[Account, Depends(get_admin)]
