"""Accounts."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Response
from pydantic import BaseModel, ConfigDict, EmailStr, Field

from eventimport.accounts.mailed_links import email_taken, send_link
from eventimport.accounts.passwords import check_new_password
from eventimport.auth import MAX_PASSWORD_LENGTH, MAX_USER_ID, MIN_PASSWORD_LENGTH
from eventimport.database.accounts import EmailTakenError, add_user, find_account
from eventimport.database.audit import record_act
from eventimport.database.models import MailKind
from eventimport.errors import refuse
from eventimport.http.dependencies import (
    AccountDep,
    ClientAddressDep,
    ResourcesDep,
    count_stranger,
)
from eventimport.http.forms.body import SmallBodyRoute
from eventimport.http.jsonapi import (
    Attributes,
    Document,
    JSONAPIResponse,
    Resource,
    SelfLink,
)
from eventimport.http.openapi import problems
from eventimport.settings import Settings

router = APIRouter(
    prefix="/v1/users",
    tags=["accounts"],
    default_response_class=JSONAPIResponse,
    route_class=SmallBodyRoute,
)


class NewUser(BaseModel):
    """The e-mail address and the password of a new account."""

    model_config = ConfigDict(extra="forbid")

    email: EmailStr
    password: str = Field(min_length=MIN_PASSWORD_LENGTH, max_length=MAX_PASSWORD_LENGTH)


class UserAttributes(Attributes):
    """The visible attributes of an account."""

    email: str
    is_admin: bool
    is_confirmed: bool = Field(
        description="Whether the address is confirmed. An account that is not gets no mail but the"
        " one with the link."
    )
    created_at: datetime


class UserDocument(Document[UserAttributes]):
    """One account."""


@router.post(
    "",
    status_code=201,
    dependencies=[Depends(count_stranger)],
    responses=problems(400, 403, 409, 413, 422, 429),
)
async def create_user(
    new: NewUser, response: Response, resources: ResourcesDep, client: ClientAddressDep
) -> UserDocument:
    """Sign up. If the service sends mail, it sends a link that confirms the address. Until you open
    it, you can sign in and import, but get no other mail."""
    if not resources.settings.sign_up_enabled:
        raise refuse(
            403, "sign-up-disabled", "Sign-up disabled", "Ask an administrator for an account."
        )
    settings = resources.settings
    check_new_password(settings, new.password, new.email)
    password_hash = await resources.passwords.hash(new.password)
    try:
        async with resources.sessions.begin() as session:
            user = await add_user(
                session, email=new.email, password_hash=password_hash, is_confirmed=False
            )
            connection = await session.connection()
            await send_link(connection, settings, MailKind.CONFIRM_ADDRESS, user.id, user.email)
            await record_act(
                connection, "sign-up", actor=user.id, subject=("user", user.id), client=client
            )
    except EmailTakenError:
        raise email_taken() from None
    document = _document(user.id, user, settings)
    response.headers["Location"] = document.data.links.self
    return document


@router.get("/{user_id}", responses=problems(404))
async def get_user(
    user_id: Annotated[int, Path(ge=1, le=MAX_USER_ID)],
    account: AccountDep,
    resources: ResourcesDep,
) -> UserDocument:
    """Get your account. Admins can get any account."""
    user = None
    if account.is_admin or account.id == user_id:
        async with resources.reader.connect() as connection:
            user = await find_account(connection, user_id)
    if user is None:
        raise refuse(404, "not-found", "Not Found", f"Unknown user {user_id}.")
    return _document(user_id, user, resources.settings)


def _document(user_id: int, user: Any, settings: Settings) -> UserDocument:
    attributes = UserAttributes.model_validate(user)
    # Without mail, no address can be confirmed.
    attributes.is_confirmed |= settings.mail is None
    return UserDocument(
        data=Resource(
            type="user",
            id=str(user_id),
            attributes=attributes,
            links=SelfLink(self=f"/v1/users/{user_id}"),
        )
    )
