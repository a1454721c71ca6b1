"""Links in mails, and what confirms addresses.

What a stranger asks for here is answered the same whether an account exists or not.
"""

from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from eventimport.auth import InvalidTokenError, LinkTokens
from eventimport.database.account_links import add_link, delete_link, delete_links, find_link
from eventimport.database.accounts import (
    EmailTakenError,
    change_address,
    confirm_user,
    find_account,
    find_by_address,
)
from eventimport.database.audit import record_act
from eventimport.database.models import MailKind
from eventimport.database.outbox import add_mail
from eventimport.errors import ProblemError, refuse
from eventimport.notifications.mail import new_message_id
from eventimport.resources import Resources
from eventimport.settings import Settings

CONFIRMING: Final = (MailKind.CONFIRM_ADDRESS.value, MailKind.CONFIRM_NEW_ADDRESS.value)


async def send_link(
    connection: AsyncConnection, settings: Settings, kind: MailKind, user_id: int, address: str
) -> bool:
    """Have a mail with a link sent. False if no mail is sent at all, or if the address gets
    MAILS_PER_ADDRESS mails in this hour already."""
    if settings.mail is None:
        return False
    if kind is MailKind.RESET_PASSWORD:
        lifetime = timedelta(minutes=settings.reset_link_minutes)
    else:
        lifetime = timedelta(hours=settings.confirmation_link_hours)
    link_id = await add_link(
        connection, user_id=user_id, purpose=kind, address=address, lifetime=lifetime
    )
    added = await _add(connection, settings, kind, user_id, address, link_id=link_id)
    if not added:
        await delete_link(connection, link_id)
    return added


async def send_notice(
    connection: AsyncConnection,
    settings: Settings,
    kind: MailKind,
    user_id: int,
    address: str,
    **detail: str,
) -> None:
    """Have a mail without a link sent, unless the address gets too many."""
    if settings.mail is not None:
        await _add(connection, settings, kind, user_id, address, detail=detail)


async def _add(
    connection: AsyncConnection,
    settings: Settings,
    kind: MailKind,
    user_id: int,
    address: str,
    **given: Any,
) -> bool:
    return await add_mail(
        connection,
        kind,
        user_id=user_id,
        address=address,
        message_id=new_message_id(kind, settings.public_url),
        max_per_hour=settings.mails_per_address,
        **given,
    )


async def confirm_address(resources: Resources, token: str, client: str | None) -> str:
    """Confirm an address by the link that was sent to it, and return the address. Raises 422 for a
    link that does not work, and 409 if another account has the new address by now."""
    link_id = link_id_of(resources, token)
    async with resources.engine.begin() as connection:
        link = await find_link(connection, link_id, CONFIRMING, lock=True)
        if link is None:
            raise invalid_link()
        user_id = link.user_id
        if link.purpose == MailKind.CONFIRM_NEW_ADDRESS:
            await _change(connection, user_id, link.address, "/token")
            await delete_links(connection, user_id)
        elif not is_own(link):
            raise invalid_link()
        else:
            await delete_links(connection, user_id, CONFIRMING[:1])
        await confirm_user(connection, user_id)
        await record_act(
            connection,
            "address-confirmed",
            actor=user_id,
            subject=("user", user_id),
            client=client,
            detail={"new": link.purpose == MailKind.CONFIRM_NEW_ADDRESS},
        )
    address: str = link.address
    return address


async def request_new_address(
    resources: Resources, user_id: int, address: str, client: str | None
) -> bool:
    """Change the account's address once the link is opened that is sent to it now; the old address
    gets a notice. Returns whether that is so: a service that sends no mail changes it at once.

    An address of another account gets no link, and the answer does not say so. Raises 429.
    """
    settings = resources.settings
    async with resources.engine.begin() as connection:
        await record_act(
            connection,
            "address-change-request",
            actor=user_id,
            subject=("user", user_id),
            client=client,
        )
        if settings.mail is None:
            await _change(connection, user_id, address, "/email")
            return False
        other = await find_by_address(connection, address)
        if other is None or other.id == user_id:
            kind = MailKind.CONFIRM_NEW_ADDRESS
            await delete_links(connection, user_id, (kind,))
            await send_link(connection, settings, kind, user_id, address)
        await _notify_old_address(connection, settings, user_id, address)
    return True


async def _notify_old_address(
    connection: AsyncConnection, settings: Settings, user_id: int, new_address: str
) -> None:
    user = await find_account(connection, user_id)
    if user is not None and user.is_confirmed:
        await send_notice(
            connection,
            settings,
            MailKind.ADDRESS_CHANGE,
            user_id,
            user.email,
            new_address=new_address,
        )


async def _change(connection: AsyncConnection, user_id: int, address: str, pointer: str) -> None:
    try:
        await change_address(connection, user_id, address)
    except EmailTakenError:
        raise email_taken(pointer) from None


def link_id_of(resources: Resources, token: str) -> UUID:
    """The id of the link with this token. Raises 422."""
    try:
        return LinkTokens(resources.settings.auth).verify(token)
    except InvalidTokenError:
        raise invalid_link() from None


def is_own(link: Any) -> bool:
    """Whether the account still has the address that the link was sent to."""
    return bool(link.address == link.email)


def invalid_link() -> ProblemError:
    """The response to a link that is unknown, expired or used."""
    return refuse(
        422,
        "invalid-link",
        "Invalid link",
        "The link was used before or has expired. Request a new one.",
        source={"pointer": "/token"},
    )


def no_mail() -> ProblemError:
    """The response to a request for a mail if none can be sent."""
    return refuse(
        403,
        "mail-disabled",
        "Mail disabled",
        "This service sends no mail, because SMTP_URL is not set. Ask an administrator.",
    )


def email_taken(pointer: str) -> ProblemError:
    """The response to an address that another account has. `pointer` says what in the body names
    it."""
    return refuse(
        409,
        "email-taken",
        "E-mail address already registered",
        "An account with this e-mail address already exists. Sign in instead.",
        source={"pointer": pointer},
    )
