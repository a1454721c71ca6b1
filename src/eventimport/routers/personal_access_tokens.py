"""Personal access tokens, for cron jobs and CI."""

from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from eventimport.auth.tokens import MAX_USER_ID, PERSONAL_PREFIX, hash_of, new_secret
from eventimport.database import sign_ins
from eventimport.database.audit import record_act
from eventimport.errors import refuse
from eventimport.http.dependencies import AccountDep, ClientAddressDep, ResourcesDep
from eventimport.http.forms.body import SmallBodyRoute
from eventimport.http.jsonapi import (
    Attributes,
    Collection,
    Document,
    JSONAPIResponse,
    PageQuery,
    Resource,
    SelfLink,
)
from eventimport.http.openapi import problems
from eventimport.http.routing import Router
from eventimport.http.scopes import Scope

PATH = "/v1/personal-access-tokens"
TYPE = "personal-access-token"
MAX_DAYS = 3650

router = Router(
    prefix=PATH,
    tags=["accounts"],
    default_response_class=JSONAPIResponse,
    route_class=SmallBodyRoute,
)


class NewPersonalToken(BaseModel):
    """The name, the scopes and the lifetime of a new token."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(
        min_length=1,
        max_length=100,
        pattern=r"^[^\x00]*$",
        description="What the token is for.",
        examples=["nightly import"],
    )
    scopes: list[Scope] = Field(
        min_length=1,
        max_length=10,
        description="`import`: import files, and follow the imports. `read`: read what you may"
        " read. `export`: export events.",
        examples=[["import"]],
    )
    expires_in_days: int = Field(
        90,
        ge=1,
        le=MAX_DAYS,
        description="Days until the token expires, at most PERSONAL_ACCESS_TOKEN_DAYS.",
    )


class TokenAttributes(Attributes):
    """A personal access token. Times are in UTC; `last-used-at` is exact to the minute."""

    name: str
    scopes: list[str]
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None


class NewTokenAttributes(TokenAttributes):
    """A token that was just made. Only this response has the `token` itself: keep it."""

    token: str = Field(examples=["eip_…"])


class NewTokenDocument(Document[NewTokenAttributes]):
    """The new token."""


class TokenCollection(Collection[TokenAttributes]):
    """One page of your personal access tokens, newest first."""


@router.post("", status_code=201, responses=problems(400, 403, 409, 413, 422))
async def create_personal_token(
    new: NewPersonalToken,
    account: AccountDep,
    resources: ResourcesDep,
    client: ClientAddressDep,
    response: Response,
) -> NewTokenDocument:
    """Make a personal access token, which programs send as `Authorization: Bearer <token>`. It can
    do what its scopes say, and nothing to your account."""
    settings = resources.settings
    if new.expires_in_days > settings.personal_access_token_days:
        raise refuse(
            422,
            "invalid-value",
            "Invalid value",
            f"A token can be valid for at most {settings.personal_access_token_days} days. The"
            " limit is set by PERSONAL_ACCESS_TOKEN_DAYS.",
            source={"pointer": "/expires_in_days"},
        )
    token = new_secret(PERSONAL_PREFIX)
    scopes = sorted(set(new.scopes))
    async with resources.engine.begin() as connection:
        row = await sign_ins.add_personal_token(
            connection,
            account.id,
            name=new.name,
            scopes=scopes,
            token_hash=hash_of(token),
            lifetime=timedelta(days=new.expires_in_days),
            limit=settings.max_personal_access_tokens,
        )
        if row is None:
            raise refuse(
                409,
                "too-many-tokens",
                "Too many tokens",
                f"You can have at most {settings.max_personal_access_tokens} personal access"
                " tokens. The limit is set by MAX_PERSONAL_ACCESS_TOKENS. Revoke a token first.",
            )
        await record_act(
            connection,
            "token-create",
            actor=account.id,
            subject=(TYPE, row.id),
            client=client,
            detail={"scopes": scopes},
        )
    response.headers["Cache-Control"] = "no-store"
    attributes = TokenAttributes.model_validate(row).model_dump()
    return NewTokenDocument(
        data=Resource(
            type=TYPE,
            id=str(row.id),
            attributes=NewTokenAttributes(**attributes, token=token),
            links=SelfLink(self=PATH),
        )
    )


@router.get("", responses=problems(400, 403))
async def list_personal_tokens(
    account: AccountDep, resources: ResourcesDep, query: Annotated[PageQuery, Query()]
) -> TokenCollection:
    """List your personal access tokens, newest first, also those that have expired."""
    page = query.page(resources.settings.max_list_size)
    async with resources.reader.connect() as connection:
        rows, total = await sign_ins.list_personal_tokens(
            connection, account.id, limit=page.limit, offset=page.offset
        )
    return TokenCollection.page(PATH, page, total, map(_resource, rows))


@router.delete("/{token_id}", status_code=204, responses=problems(403, 404))
async def revoke_personal_token(
    token_id: Annotated[int, Path(ge=1, le=MAX_USER_ID)],
    account: AccountDep,
    resources: ResourcesDep,
    client: ClientAddressDep,
) -> None:
    """Revoke one of your personal access tokens. It is invalid from now on."""
    async with resources.engine.begin() as connection:
        name = await sign_ins.delete_personal_token(connection, account.id, token_id)
        if name is None:
            raise refuse(404, "not-found", "Not Found", f"Unknown token {token_id}.")
        await record_act(
            connection, "token-revoke", actor=account.id, subject=(TYPE, token_id), client=client
        )


def _resource(row: Any) -> Resource[TokenAttributes]:
    return Resource(
        type=TYPE,
        id=str(row.id),
        attributes=TokenAttributes.model_validate(row),
        links=SelfLink(self=PATH),
    )
