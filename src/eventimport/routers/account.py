"""Your account: its address, its password, and deleting it."""

from dataclasses import asdict
from datetime import datetime
from typing import Any, Final

from fastapi import Depends, Response
from pydantic import BaseModel, ConfigDict, EmailStr, Field

from eventimport.accounts.erasing import close_account
from eventimport.accounts.mailed_links import (
    confirm_address,
    no_mail,
    request_new_address,
    send_link,
)
from eventimport.accounts.passwords import (
    change_password,
    check_password,
    request_reset,
    reset_password,
)
from eventimport.auth import MAX_PASSWORD_LENGTH, MIN_PASSWORD_LENGTH
from eventimport.database.accounts import find_account
from eventimport.database.models import MailKind
from eventimport.errors import refuse
from eventimport.http.dependencies import (
    AccountDep,
    ClientAddressDep,
    ResourcesDep,
    count,
    count_stranger,
    unauthorized,
)
from eventimport.http.forms.body import SmallBodyRoute
from eventimport.http.openapi import problems
from eventimport.http.routing import Router
from eventimport.resources import Resources

TEXT = r"^[^\x00]*$"

router = Router(tags=["accounts"], route_class=SmallBodyRoute)
for_strangers = Router(
    prefix="/v1/auth",
    tags=["accounts"],
    route_class=SmallBodyRoute,
    dependencies=[Depends(count_stranger)],
)


SENT: Final[dict[int | str, Any]] = {
    202: {"content": {"application/json": {"schema": {"type": "null"}}}}
}
"""The response to a request for a mail."""


class OwnAccount(BaseModel):
    """Your account. `id` is also the claim `sub` of your access tokens."""

    id: str
    email: str
    is_admin: bool
    is_confirmed: bool = Field(
        description="Whether the address is confirmed. If it is not, you get no mail but the one"
        " with the link."
    )
    created_at: datetime


class Strict(BaseModel):
    """A request body without other members."""

    model_config = ConfigDict(extra="forbid")


class AccountAddress(Strict):
    """The e-mail address of an account."""

    email: str = Field(max_length=320, pattern=TEXT, examples=["demo@example.org"])


class LinkToken(Strict):
    """What follows the `#` in a link of a mail."""

    token: str = Field(max_length=200, pattern=TEXT)


class PasswordReset(LinkToken):
    """The token of the link, and the new password."""

    password: str = Field(min_length=MIN_PASSWORD_LENGTH, max_length=MAX_PASSWORD_LENGTH)


class PasswordChange(Strict):
    """The old and the new password."""

    old_password: str = Field(max_length=MAX_PASSWORD_LENGTH)
    password: str = Field(min_length=MIN_PASSWORD_LENGTH, max_length=MAX_PASSWORD_LENGTH)


class AddressChange(Strict):
    """The new address, and your password."""

    email: EmailStr
    password: str = Field(max_length=MAX_PASSWORD_LENGTH)


class AccountDeletion(Strict):
    """Your password."""

    password: str = Field(max_length=MAX_PASSWORD_LENGTH)


class ConfirmedAddress(BaseModel):
    """The address that is confirmed now."""

    email: str


class NewTokens(BaseModel):
    """The tokens of your new sign-in; the old ones are invalid."""

    access_token: str
    refresh_token: str
    expires_in: int = Field(description="Seconds until the access token expires.")


@router.get("/v1/account")
async def get_own_account(account: AccountDep, resources: ResourcesDep) -> OwnAccount:
    """Get your account."""
    async with resources.reader.connect() as connection:
        row = await find_account(connection, account.id)
    if row is None:
        raise unauthorized()
    return OwnAccount(
        id=str(row.id),
        email=row.email,
        is_admin=row.is_admin,
        is_confirmed=account.is_confirmed,
        created_at=row.created_at,
    )


@router.put("/v1/account/password", responses=problems(400, 403, 413, 422, 429))
async def change_own_password(
    change: PasswordChange,
    account: AccountDep,
    resources: ResourcesDep,
    client: ClientAddressDep,
    response: Response,
) -> NewTokens:
    """Change your password. You are signed out everywhere else: the response has new tokens, and
    all others are invalid. Personal access tokens stay."""
    await _count_password(resources, account.id)
    session = await change_password(
        resources, account.id, change.old_password, change.password, client
    )
    response.headers["Cache-Control"] = "no-store"
    return NewTokens(**asdict(session))


@router.put(
    "/v1/account/email",
    status_code=204,
    responses={
        202: {"description": "The link was sent."},
        **problems(400, 403, 409, 413, 422, 429),
    },
)
async def change_own_email(
    change: AddressChange,
    account: AccountDep,
    resources: ResourcesDep,
    client: ClientAddressDep,
    response: Response,
) -> None:
    """Change your e-mail address. If the service sends mail, the response is a 202: the address
    changes when you open the link that is sent to the new address, and the old address gets a
    notice. Otherwise it changes at once."""
    await _count_password(resources, account.id)
    await check_password(resources, account.id, change.password)
    if await request_new_address(resources, account.id, change.email, client):
        response.status_code = 202


@router.post("/v1/account/delete", status_code=204, responses=problems(400, 403, 413, 422, 429))
async def delete_own_account(
    deletion: AccountDeletion,
    account: AccountDep,
    resources: ResourcesDep,
    client: ClientAddressDep,
) -> None:
    """Delete your account at once, with your imports, uploads and notifications, and with all
    events that no other user owns. This cannot be undone. To keep an event, make another user its
    owner first."""
    await _count_password(resources, account.id)
    await check_password(resources, account.id, deletion.password)
    await close_account(resources, account.id, actor=account.id, client=client)


@router.post(
    "/v1/account/send-confirmation",
    status_code=202,
    responses=SENT | problems(403, 409, 429),
)
async def send_confirmation(account: AccountDep, resources: ResourcesDep) -> None:
    """Get the link again that confirms your address."""
    settings = resources.settings
    if settings.mail is None:
        raise no_mail()
    if account.is_confirmed:
        raise refuse(
            409,
            "already-confirmed",
            "Address already confirmed",
            "Your e-mail address is confirmed already.",
        )
    async with resources.engine.begin() as connection:
        sent = await send_link(
            connection, settings, MailKind.CONFIRM_ADDRESS, account.id, account.email
        )
    if not sent:
        raise refuse(
            429,
            "too-many-mails",
            "Too many mails",
            f"At most {settings.mails_per_address} mails are sent to one address in an hour. The"
            " limit is set by MAILS_PER_ADDRESS. Try again later.",
            headers={"Retry-After": "3600"},
        )


@for_strangers.post("/confirm-email", responses=problems(400, 409, 413, 422, 429))
async def confirm_email(
    link: LinkToken, resources: ResourcesDep, client: ClientAddressDep
) -> ConfirmedAddress:
    """Confirm an e-mail address with the token of the link that was sent to it. A link works once,
    and expires after CONFIRMATION_LINK_HOURS."""
    return ConfirmedAddress(email=await confirm_address(resources, link.token, client))


@for_strangers.post(
    "/forgot-password",
    status_code=202,
    responses=SENT | problems(400, 403, 413, 422, 429),
)
async def forgot_password(
    given: AccountAddress, resources: ResourcesDep, client: ClientAddressDep
) -> None:
    """Get a link to reset your password by mail. The response is the same whether an account has
    the address or not. An account whose address is not confirmed gets the link that confirms it
    instead. MAILS_PER_ADDRESS limits the mails."""
    await request_reset(resources, given.email.strip(), client)


@for_strangers.post("/reset-password", status_code=204, responses=problems(400, 413, 422, 429))
async def reset_forgotten_password(
    reset: PasswordReset, resources: ResourcesDep, client: ClientAddressDep
) -> None:
    """Set a new password with the token of a link. A link works once, and expires after
    RESET_LINK_MINUTES. You are signed out everywhere, and your personal access tokens are
    revoked."""
    await reset_password(resources, reset.token, reset.password, client)


async def _count_password(resources: Resources, user_id: int) -> None:
    """Count what tries a password with an access token, as attempts to sign in are counted."""
    await count(resources, resources.settings.sign_in_limit, f"account-{user_id}")


router.include_router(for_strangers)
