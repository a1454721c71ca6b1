"""Accounts."""

from typing import Annotated, Any, Final, Literal, Self

from fastapi import Depends, Path, Response
from fastapi.responses import JSONResponse
from pydantic import (
    BaseModel,
    ConfigDict,
    EmailStr,
    Field,
    ModelWrapValidatorHandler,
    PrivateAttr,
    ValidationError,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from eventimport.accounts.mailed_links import email_taken, send_link
from eventimport.accounts.passwords import check_new_password
from eventimport.auth import MAX_PASSWORD_LENGTH, MAX_USER_ID, MIN_PASSWORD_LENGTH
from eventimport.database.accounts import EmailTakenError, add_user, find_account, find_by_address
from eventimport.database.audit import record_act
from eventimport.database.models import MailKind
from eventimport.errors import pointer_to, refuse
from eventimport.http.dependencies import (
    AccountDep,
    ClientAddressDep,
    ResourcesDep,
    count_stranger,
)
from eventimport.http.forms.body import SmallBodyRoute
from eventimport.http.jsonapi import JSONAPIResponse
from eventimport.http.openapi import LOCATION_HEADER, problems
from eventimport.http.reference_api import warning
from eventimport.http.routing import Router
from eventimport.http.user_documents import ChangedUserDocument, UserDocument, user_document
from eventimport.settings import Settings

router = Router(
    prefix="/v1/users",
    tags=["accounts"],
    default_response_class=JSONAPIResponse,
    route_class=SmallBodyRoute,
)


_ATTRIBUTES: Final = ("data", "attributes")


def _placed(error: ValidationError, place: tuple[str, ...]) -> ValidationError:
    """The same errors, further down in a body."""
    found = [
        InitErrorDetails(
            type=PydanticCustomError("invalid_value", "{detail}", {"detail": each["msg"]}),
            loc=(*place, *each["loc"]),
            input=None,
        )
        for each in error.errors(include_url=False)
    ]
    return ValidationError.from_exception_data(error.title, found, hide_input=True)


class NewUser(BaseModel):
    """The e-mail address and the password of a new account."""

    model_config = ConfigDict(extra="forbid")

    email: EmailStr
    password: str = Field(min_length=MIN_PASSWORD_LENGTH, max_length=MAX_PASSWORD_LENGTH)

    _place: str = PrivateAttr("")

    @property
    def place(self) -> str:
        """A pointer to what has the members: the body, or the attributes in it."""
        return self._place

    @model_validator(mode="wrap")
    @classmethod
    def _of_a_document(cls, given: Any, read: ModelWrapValidatorHandler[Self]) -> Self:
        """Read the members of a JSON:API document, too, as existing clients send it."""
        data = given.get("data") if isinstance(given, dict) else None
        attributes = data.get("attributes") if isinstance(data, dict) else None
        if not isinstance(attributes, dict):
            return read(given)
        known = {name: attributes[name] for name in ("email", "password") if name in attributes}
        try:
            user = read(known)
        except ValidationError as error:
            raise _placed(error, _ATTRIBUTES) from None
        user._place = pointer_to(*_ATTRIBUTES)
        return user


class Address(BaseModel):
    """An e-mail address. Other members, which existing clients send, are ignored."""

    email: EmailStr


class KnownAddress(BaseModel):
    """Whether an account has the address."""

    exists: bool


class ChangedUser(BaseModel):
    """An account as an existing client saves it."""

    type: Literal["user"]
    id: str = Field(max_length=30)
    attributes: dict[str, Any] = Field(default_factory=dict)


class UserPatch(BaseModel):
    """A document that changes an account."""

    data: ChangedUser


@router.post(
    "",
    status_code=201,
    dependencies=[Depends(count_stranger)],
    responses={201: {"headers": LOCATION_HEADER}, **problems(400, 403, 409, 413, 422, 429)},
)
async def create_user(
    new: NewUser, response: Response, resources: ResourcesDep, client: ClientAddressDep
) -> UserDocument:
    """Sign up. If the service sends mail, it sends a link that confirms the address. Until you open
    it, you can sign in and import, but get no other mail."""
    settings = resources.settings
    _check_sign_up(settings)
    check_new_password(settings, new.password, new.email, f"{new.place}/password")
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
        raise email_taken(f"{new.place}/email") from None
    document = user_document(user.id, user, settings)
    response.headers["Location"] = document.data.links.self
    return document


@router.post("/checkEmail", dependencies=[Depends(count_stranger)], include_in_schema=False)
@router.post(
    "/check_email",
    response_class=JSONResponse,
    dependencies=[Depends(count_stranger)],
    responses=problems(400, 403, 413, 422, 429),
)
async def check_email(address: Address, resources: ResourcesDep) -> KnownAddress:
    """Find out whether an account has this e-mail address: whether to sign in or to sign up.

    This says no more than a sign-up does. It counts against the same limit (SIGN_INS_PER_CLIENT),
    and is rejected if visitors cannot create accounts.
    """
    _check_sign_up(resources.settings)
    async with resources.reader.connect() as connection:
        found = await find_by_address(connection, address.email)
    return KnownAddress(exists=found is not None)


def _check_sign_up(settings: Settings) -> None:
    """Raises 403 if visitors cannot create accounts."""
    if not settings.sign_up_enabled:
        raise refuse(
            403, "sign-up-disabled", "Sign-up disabled", "Ask an administrator for an account."
        )


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
    return user_document(user_id, user, resources.settings)


@router.patch("/{user_id}", responses=problems(400, 404, 413, 422))
async def update_user(
    user_id: Annotated[int, Path(ge=1, le=MAX_USER_ID)],
    patch: UserPatch,
    account: AccountDep,
    resources: ResourcesDep,
) -> ChangedUserDocument:
    """Save your account as existing clients do. `meta.warnings` names the attributes that the
    service does not store. The address and the password are changed at `/v1/account/email` and
    `/v1/account/password`."""
    document = await get_user(user_id, account, resources)
    known = document.data.attributes.model_dump(by_alias=True, mode="json")
    given = patch.data.attributes
    read_only = [
        name
        for name in ("password", "email", "is-admin", "is-confirmed", "is-verified")
        if name in given and given[name] != known.get(name)
    ]
    if patch.data.id != str(user_id) or read_only:
        name = read_only[0] if read_only else "id"
        place = f"attributes/{name}" if read_only else "id"
        what = f"{name!r} cannot be changed here."
        if name in {"email", "password"}:
            what += f" Change it with PUT /v1/account/{name}."
        source = {"pointer": f"/data/{place}"}
        raise refuse(422, "invalid-value", "Invalid value", what, source=source)
    ignored = [name for name in given if name not in known]
    meta = None
    if ignored:
        what = f"Ignored, because the service does not store it: {', '.join(ignored)[:500]}."
        meta = {"warnings": [warning("ignored-attributes", what, {"pointer": "/data/attributes"})]}
    return ChangedUserDocument(data=document.data, meta=meta)
