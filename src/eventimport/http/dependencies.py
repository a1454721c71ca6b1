"""What routes ask FastAPI for, as annotated aliases."""

import hashlib
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Annotated, Any, TypedDict

from fastapi import Depends, Path, Query, Request, Security
from fastapi.routing import APIRoute
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from fastapi.security.utils import get_authorization_scheme_param
from starlette.requests import HTTPConnection

from eventimport.auth import MAX_USER_ID, Bearer, InvalidTokenError, Limit
from eventimport.auth.tokens import PERSONAL_PREFIX, hash_of
from eventimport.database.sign_ins import find_personal_token, note_use
from eventimport.errors import Problem, ProblemError, refuse
from eventimport.http.reference_api import ignores_parameter
from eventimport.http.scopes import Scope, scopes_for
from eventimport.observability import logs
from eventimport.resources import Resources

SCHEMES = ("bearer", "jwt")
API_PREFIX = "/v1/"
MAX_PARAMETER_NAME = 100


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
    description="The `access_token` that `POST /v1/auth/session` returns, or a personal access"
    " token. `Authorization: JWT <token>` works as well.",
    auto_error=False,
)


@dataclass(frozen=True, slots=True)
class Account:
    """Who is signed in."""

    id: int
    email: str
    is_admin: bool
    is_confirmed: bool = True

    @property
    def only_of(self) -> int | None:
        """The user whose rows the account may list; None for an admin, who sees those of all."""
        return None if self.is_admin else self.id


def unauthorized() -> ProblemError:
    """The response to a missing, invalid or expired token, the same for all three."""
    return refuse(
        401,
        "unauthorized",
        "Sign-in required",
        "This request requires a valid access token in the Authorization header.",
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
            f"More than {limit.count:,} requests in {limit.seconds} seconds. The"
            f" limit is set by {limit.setting}. Try again later.",
            headers={"Retry-After": str(wait)},
        )


async def get_resources(request: Request) -> Resources:
    """The resources that the lifespan opened."""
    resources: Resources = request.state.resources
    return resources


# The dependencies below call each other themselves: FastAPI would solve each of them anew for every
# other that names it.


async def count_stranger(request: Request) -> None:
    """Count what one client does without being signed in. Raises 429."""
    resources = await get_resources(request)
    digest = hashlib.sha256(client_network(request).encode()).hexdigest()
    await count(resources, resources.settings.client_limit, digest)


async def get_client_address(request: Request) -> str | None:
    """The client's address, as the audit log has it."""
    return request.client.host if request.client else None


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


async def get_bearer(
    request: Request,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Security(access_token)],
) -> Bearer:
    """Whom the token names. That an access token still counts is not checked: the route's statement
    must do that. Raises 401, 403 where a personal access token has not the scope, and 429 where the
    user asks too often."""
    if credentials is None:
        raise unauthorized()
    resources = await get_resources(request)
    token = credentials.credentials
    try:
        bearer = (
            await _personal_bearer(request, resources, token)
            if token.startswith(PERSONAL_PREFIX)
            else resources.tokens.verify(token)
        )
    except InvalidTokenError:
        raise unauthorized() from None
    logs.bind(user_id=bearer.user_id)
    await count(resources, resources.settings.request_limit, str(bearer.user_id))
    return bearer


async def _personal_bearer(request: Request, resources: Resources, token: str) -> Bearer:
    """Whom a personal access token names. Raises InvalidTokenError, and 403."""
    async with resources.reader.connect() as connection:
        row = await find_personal_token(connection, hash_of(token))
    if row is None:
        raise InvalidTokenError("the token is unknown, has expired or was revoked")
    if not row.is_noted:
        async with resources.engine.begin() as connection:
            await note_use(connection, row.id)
    needed = scopes_for(request.method, request.url.path)
    if not needed.intersection(row.scopes):
        raise _insufficient_scope(needed, row.scopes)
    return Bearer(row.user_id, row.token_version)


def _insufficient_scope(needed: Set[Scope], given: Sequence[str]) -> ProblemError:
    owned = f"This token has: {', '.join(given)}."
    if needed:
        words = " or ".join(f"`{scope}`" for scope in sorted(needed))
        detail = f"This request requires a personal access token with the scope {words}. {owned}"
    else:
        detail = (
            "Personal access tokens cannot do this. Sign in, and use the access token of"
            " `POST /v1/auth/session`."
        )
    return refuse(
        403,
        "insufficient-scope",
        "Scope missing",
        detail,
        source={"header": "Authorization"},
        headers={
            "WWW-Authenticate": 'Bearer realm="eventimport", error="insufficient_scope"'
            + (f', scope="{" ".join(sorted(needed))}"' if needed else "")
        },
        meta={"scopes": sorted(needed)},
    )


async def get_account(
    request: Request,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Security(access_token)],
) -> Account:
    """The signed-in user. Holds no connection when it returns, since an upload may take hours."""
    resources = await get_resources(request)
    bearer = await get_bearer(request, credentials)
    row = await resources.accounts.ask((bearer.user_id, bearer.token_version))
    if row is None:
        raise unauthorized()
    # Without mail, no address can be confirmed.
    confirmed = row.is_confirmed or resources.settings.mail is None
    return Account(row.id, row.email, row.is_admin, confirmed)


async def get_optional_account(
    request: Request,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Security(access_token)],
) -> Account | None:
    """The signed-in user, or None without an Authorization header. Raises 401 for an invalid one:
    a client that means to be signed in must not mistake the public's view for its own."""
    if "authorization" not in request.headers:
        return None
    return await get_account(request, credentials)


async def get_admin(account: Annotated[Account, Depends(get_account)]) -> Account:
    """The signed-in user, who is an admin. Raises 403."""
    if not account.is_admin:
        raise refuse(403, "forbidden", "Not allowed", "Only admins can do this.")
    return account


async def get_own_user_id(
    user_id: Annotated[int, Path(ge=1, le=MAX_USER_ID)],
    account: Annotated[Account, Depends(get_account)],
) -> int:
    """The user whom the path names: the one who is signed in; for an admin, any. Raises 404."""
    if not account.is_admin and account.id != user_id:
        raise refuse(404, "not-found", "Not Found", f"Unknown user {user_id}.")
    return user_id


async def check_query(request: Request) -> None:
    """Refuse a request with query parameters that its route doesn't have, under `/v1`. Raises 400,
    with the name of each. Those that existing clients are known to send are ignored.

    Pages and media ignore parameters that they don't know: other sites and mail programs add some.
    """
    route = request.scope.get("route")
    if not isinstance(route, APIRoute) or not request.scope["path"].startswith(API_PREFIX):
        return
    if not request.query_params:
        return
    known = set(_parameters(route.dependant))
    models = list(_models(route.dependant))
    unknown = [
        name
        for name in dict.fromkeys(request.query_params)
        if name not in known
        and not ignores_parameter(name)
        and not any(model.accepts(name) for model in models)
    ]
    if unknown:
        raise ProblemError(tuple(_unknown(name[:MAX_PARAMETER_NAME]) for name in unknown))


def _parameters(dependant: Any) -> Iterator[str]:
    """The parameters of a route and of what it depends on; of a model, those of its fields."""
    for parameter in dependant.query_params:
        fields = getattr(parameter.field_info.annotation, "model_fields", None)
        if fields is None:
            yield parameter.alias
        else:
            yield from (field.alias or name for name, field in fields.items())
    for further in dependant.dependencies:
        yield from _parameters(further)


def _models(dependant: Any) -> Iterator[Any]:
    """The models of the route's query that accept more parameters than they have fields."""
    for parameter in dependant.query_params:
        model = parameter.field_info.annotation
        if hasattr(model, "accepts"):
            yield model


def _unknown(name: str) -> Problem:
    what = f"Unknown query parameter {name!r}."
    return Problem(400, "invalid-parameter", "Invalid parameter", what, {"parameter": name})


ResourcesDep = Annotated[Resources, Depends(get_resources)]
BearerDep = Annotated[Bearer, Depends(get_bearer)]
AccountDep = Annotated[Account, Depends(get_account)]
ClientAddressDep = Annotated[str | None, Depends(get_client_address)]
"""For the `client` of an entry of the audit log."""
OptionalAccountDep = Annotated[Account | None, Depends(get_optional_account)]
OwnUserIdDep = Annotated[int, Depends(get_own_user_id)]
AdminDep = Annotated[Account, Depends(get_admin)]
ForceLocal = Annotated[
    bool, Query(description="Store on local disk, even if new files go to another storage.")
]
