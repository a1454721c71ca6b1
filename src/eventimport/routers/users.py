"""Accounts."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Response
from pydantic import BaseModel, ConfigDict, EmailStr, Field

from eventimport.auth import MAX_PASSWORD_LENGTH, MAX_USER_ID, MIN_PASSWORD_LENGTH
from eventimport.database.accounts import EmailTakenError, add_user, find_account
from eventimport.errors import refuse
from eventimport.http.dependencies import AccountDep, ResourcesDep, count_stranger
from eventimport.http.forms.body import SmallBodyRoute
from eventimport.http.jsonapi import (
    Attributes,
    Document,
    JSONAPIResponse,
    Resource,
    SelfLink,
)
from eventimport.http.openapi import problems

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
    created_at: datetime


class UserDocument(Document[UserAttributes]):
    """One account."""


@router.post(
    "",
    status_code=201,
    dependencies=[Depends(count_stranger)],
    responses=problems(400, 403, 409, 413, 422, 429),
)
async def create_user(new: NewUser, response: Response, resources: ResourcesDep) -> UserDocument:
    """Sign up."""
    if not resources.settings.sign_up_enabled:
        raise refuse(
            403, "sign-up-disabled", "Sign-up disabled", "Ask an administrator for an account."
        )
    password_hash = await resources.passwords.hash(new.password)
    try:
        async with resources.sessions.begin() as session:
            user = await add_user(session, email=new.email, password_hash=password_hash)
    except EmailTakenError:
        raise refuse(
            409,
            "email-taken",
            "E-mail address already registered",
            "An account with this e-mail address already exists. Sign in instead.",
            source={"pointer": "/email"},
        ) from None
    document = _document(user.id, user)
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
    return _document(user_id, user)


def _document(user_id: int, user: Any) -> UserDocument:
    return UserDocument(
        data=Resource(
            type="user",
            id=str(user_id),
            attributes=UserAttributes.model_validate(user),
            links=SelfLink(self=f"/v1/users/{user_id}"),
        )
    )
