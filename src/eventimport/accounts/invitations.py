"""Inviting people to work on an event, by a mail with a link."""

from datetime import timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from eventimport.accounts.mailed_links import invalid_link, link_id_of, no_mail
from eventimport.database.audit import record_act
from eventimport.database.members import accept_invitation, add_invitation
from eventimport.database.models import MailKind
from eventimport.database.outbox import add_mail
from eventimport.errors import refuse
from eventimport.notifications.mail import new_message_id
from eventimport.resources import Resources
from eventimport.settings import Settings


async def invite(
    connection: AsyncConnection,
    settings: Settings,
    event_id: int,
    *,
    address: str,
    role: str,
    inviter: str,
) -> Any:
    """Have an invitation sent, and return its id and its end. Raises 403 if the service sends no
    mail, and 429 if the address gets too many mails."""
    if settings.mail is None:
        raise no_mail()
    lifetime = timedelta(days=settings.invitation_days)
    added = await add_invitation(connection, event_id, address, role, lifetime)
    detail = {"inviter": inviter, "role": role, "invitation_id": str(added.id)}
    sent = await add_mail(
        connection,
        MailKind.INVITATION,
        user_id=None,
        address=address,
        message_id=new_message_id(MailKind.INVITATION, settings.public_url),
        max_per_hour=settings.mails_per_address,
        detail={**detail, "expires_at": added.expires_at.isoformat()},
    )
    if not sent:
        raise refuse(
            429,
            "too-many-mails",
            "Too many mails",
            f"The address gets at most {settings.mails_per_address:,} mails in an hour. The limit"
            " is set by MAILS_PER_ADDRESS. Try again later.",
            source={"pointer": "/data/attributes/email"},
            headers={"Retry-After": "3600"},
        )
    return added


async def accept(resources: Resources, token: str, user_id: int, client: str | None) -> Any:
    """Make the user a member of the event to which the link of a mail invites. Returns the event's
    id, its identifier and the role. Raises 422 for a link that does not work."""
    invitation_id = link_id_of(resources, token)
    async with resources.engine.begin() as connection:
        found = await accept_invitation(connection, invitation_id, user_id)
        if found is None:
            raise invalid_link()
        await record_act(
            connection,
            "invitation-accepted",
            actor=user_id,
            subject=("event", found.id),
            client=client,
            detail={"role": found.role},
        )
    return found
