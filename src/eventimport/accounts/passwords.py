"""Passwords of accounts: the rules for new ones, changing them, and resetting them by mail.

A request to reset is answered the same whether an account exists or not.
"""

from datetime import timedelta
from typing import Final

from eventimport.accounts.mailed_links import (
    invalid_link,
    is_own,
    link_id_of,
    no_mail,
    send_link,
    send_notice,
)
from eventimport.accounts.sign_in import NewSession, start_session
from eventimport.auth import LinkTokens
from eventimport.auth.passwords import weakness_of_password
from eventimport.database.account_links import add_link, delete_links, find_link
from eventimport.database.accounts import (
    change_password_hash,
    confirm_user,
    find_account,
    find_by_address,
    find_password,
    sign_out_everywhere,
)
from eventimport.database.audit import record_act
from eventimport.database.models import MailKind
from eventimport.database.sign_ins import delete_personal_tokens
from eventimport.errors import refuse
from eventimport.notifications.account_mails import RESET_PAGE
from eventimport.resources import Resources
from eventimport.settings import Settings

RESETTING: Final = (MailKind.RESET_PASSWORD.value,)


def check_new_password(
    settings: Settings, password: str, email: str, pointer: str = "/password"
) -> None:
    """Refuse a password that is short or easy to guess. Raises 422."""
    weakness = weakness_of_password(password, email=email, min_length=settings.min_password_length)
    if weakness:
        raise refuse(422, "weak-password", "Weak password", weakness, source={"pointer": pointer})


async def check_password(
    resources: Resources, user_id: int, password: str, pointer: str = "/password"
) -> None:
    """Check the account's password, for what a stolen access token must not do. Raises 403."""
    async with resources.reader.connect() as connection:
        row = await find_password(connection, user_id)
    known = row.password_hash if row is not None else None
    if not await resources.passwords.verify(known, password):
        raise refuse(
            403,
            "wrong-password",
            "Wrong password",
            "The current password is wrong.",
            source={"pointer": pointer},
        )


async def change_password(
    resources: Resources, user_id: int, old: str, new: str, client: str | None
) -> NewSession:
    """Change the password, sign out everywhere, and sign in anew. Personal access tokens stay.
    Raises 403 and 422."""
    settings = resources.settings
    await check_password(resources, user_id, old, "/old_password")
    async with resources.reader.connect() as connection:
        user = await find_account(connection, user_id)
    check_new_password(settings, new, user.email if user is not None else "")
    password_hash = await resources.passwords.hash(new)
    async with resources.engine.begin() as connection:
        await change_password_hash(connection, user_id, password_hash)
        version = await sign_out_everywhere(connection, user_id)
        await delete_links(connection, user_id, RESETTING)
        await record_act(
            connection, "password-change", actor=user_id, subject=("user", user_id), client=client
        )
        if user is not None and user.is_confirmed:
            kind = MailKind.PASSWORD_CHANGED
            await send_notice(connection, settings, kind, user_id, user.email)
        return await start_session(resources, connection, user_id, version)


async def request_reset(resources: Resources, email: str, client: str | None) -> None:
    """Have a link to reset the password sent, if an account has the address.

    An account that is not confirmed gets the link that confirms it instead. Raises 403 if the
    service sends no mail.
    """
    if resources.settings.mail is None:
        raise no_mail()
    async with resources.engine.begin() as connection:
        user = await find_by_address(connection, email)
        # Recorded for unknown addresses, too: both ways take one write and one commit.
        subject = None if user is None else ("user", user.id)
        await record_act(
            connection, "password-reset-request", actor=None, subject=subject, client=client
        )
        if user is not None and user.disabled_at is None:
            kind = MailKind.RESET_PASSWORD if user.is_confirmed else MailKind.CONFIRM_ADDRESS
            await send_link(connection, resources.settings, kind, user.id, user.email)


async def reset_password(
    resources: Resources, token: str, password: str, client: str | None
) -> None:
    """Set the password by a link. Signs the account out everywhere and revokes its personal access
    tokens, because another person may have known the old password. Raises 422."""
    link_id = link_id_of(resources, token)
    async with resources.reader.connect() as connection:
        link = await find_link(connection, link_id, RESETTING)
    if link is None or not is_own(link):
        raise invalid_link()
    check_new_password(resources.settings, password, link.email)
    password_hash = await resources.passwords.hash(password)
    async with resources.engine.begin() as connection:
        link = await find_link(connection, link_id, RESETTING, lock=True)
        if link is None or not is_own(link):
            raise invalid_link()
        user_id = link.user_id
        await delete_links(connection, user_id)
        await change_password_hash(connection, user_id, password_hash)
        await confirm_user(connection, user_id)
        await sign_out_everywhere(connection, user_id)
        await delete_personal_tokens(connection, user_id)
        await record_act(
            connection, "password-reset", actor=user_id, subject=("user", user_id), client=client
        )
        await send_notice(
            connection, resources.settings, MailKind.PASSWORD_CHANGED, user_id, link.email
        )


async def make_reset_link(resources: Resources, user_id: int, address: str) -> str:
    """A link that resets the password, for the operator to hand on. It works once."""
    settings = resources.settings
    async with resources.engine.begin() as connection:
        link_id = await add_link(
            connection,
            user_id=user_id,
            purpose=MailKind.RESET_PASSWORD,
            address=address,
            lifetime=timedelta(minutes=settings.reset_link_minutes),
        )
        await record_act(connection, "admin-password-reset", actor=None, subject=("user", user_id))
    return f"{settings.public_url}{RESET_PAGE}{LinkTokens(settings.auth).issue(link_id)}"
