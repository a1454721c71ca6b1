"""Working on an event together: invitations over a real mail server, roles, a new owner."""

import re
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from sqlalchemy import func, update
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from tests.notifications.conftest import (  # noqa: F401 - fixtures
    StartMailServer,
    start_mail_server,
)
from tests.web.conftest import StartService

from eventimport.database import models
from eventimport.database.models import User
from eventimport.jobs.send_mail import send_next
from eventimport.notifications.mailers import create_mailer

LINK = re.compile(r"http://localhost:8000/#invitation=(\S+)")


class Team:
    """An event of Ada's, and who works on it."""

    def __init__(self, service: Any, server: Any, event: models.Event, owner: Any) -> None:
        self.service, self.server, self.owner = service, server, owner
        self.url = f"/v1/events/{event.id}"

    async def invite(self, client: Any, email: str, role: str) -> httpx.Response:
        attributes = {"email": email, "role": role}
        body = {"data": {"type": "event-invitation", "attributes": attributes}}
        answer: httpx.Response = await client.post(f"{self.url}/invitations", json=body)
        return answer

    async def mailed_token(self) -> str:
        """Send what is due; the token in the newest mail."""
        mailer = create_mailer(self.service.resources.settings.mail.transport)
        while await send_next(self.service.resources, mailer):
            pass
        text = self.server.mails[-1].get_body(("plain",)).get_content()
        found = LINK.search(text)
        assert found is not None, text
        return found[1]

    async def change(self, client: Any, user: User, role: str) -> int:
        attributes = {"role": role}
        data = {"type": "event-member", "id": str(user.id), "attributes": attributes}
        answer = await client.patch(f"{self.url}/members/{user.id}", json={"data": data})
        return int(answer.status_code)

    async def roles(self) -> dict[str, str]:
        found = (await self.owner.get(f"{self.url}/members")).json()["data"]
        return {each["attributes"]["email"]: each["attributes"]["role"] for each in found}


@pytest.fixture
async def team(
    start_service: StartService,
    start_mail_server: StartMailServer,  # noqa: F811
    user: User,
    session_factory: async_sessionmaker[AsyncSession],
) -> Team:
    server = await start_mail_server()
    service = await start_service(
        smtp_url=SecretStr(f"smtp://localhost:{server.port}?starttls=false"),
        mail_from="Imports <imports@example.org>",
    )
    event = models.Event(identifier="ab3de6f0", name="Tea")
    async with session_factory.begin() as session:
        await session.execute(update(User).values(is_confirmed=True))
        session.add(event)
        await session.flush()
        session.add(models.EventRole(event_id=event.id, user_id=user.id))
    return Team(service, server, event, await service.client(user))


async def test_an_invitation_works_once(
    team: Team, make_user: Any, session_factory: async_sessionmaker[AsyncSession]
) -> None:
    grace = await make_user(email="grace@example.org")
    client = await team.service.client(grace)
    assert (await client.get(team.url)).status_code == 404
    assert (await team.invite(client, "x@example.org", "viewer")).status_code == 404

    invited = await team.invite(team.owner, "someone@example.org", "editor")
    assert invited.status_code == 201, invited.text
    token = await team.mailed_token()
    assert team.server.mails[-1]["To"] == "someone@example.org"
    accept = "/v1/invitations/accept"
    stranger = await team.service.client()
    assert (await stranger.post(accept, json={"token": token})).status_code == 401
    accepted = await client.post(accept, json={"token": token})
    assert accepted.json()["role"] == "editor"
    for bad in (token, token[:-1], "x"):
        assert (await client.post(accept, json={"token": bad})).status_code == 422
    assert await team.roles() == {"ada@example.org": "owner", "grace@example.org": "editor"}
    assert (await client.get(team.url)).status_code == 200
    assert (await team.invite(client, "x@example.org", "viewer")).status_code == 403

    # A withdrawn one, and one that has expired.
    for ending in ("withdraw", "expire"):
        invited = await team.invite(team.owner, "late@example.org", "viewer")
        token = await team.mailed_token()
        listed = (await team.owner.get(f"{team.url}/invitations")).json()["data"]
        assert [each["attributes"]["email"] for each in listed] == ["late@example.org"]
        if ending == "withdraw":
            link = invited.json()["data"]["links"]["self"]
            assert (await team.owner.delete(link)).status_code == 204
        else:
            async with session_factory.begin() as session:
                past = update(models.EventInvitation).values(expires_at=func.now())
                await session.execute(past)
        assert (await client.post(accept, json={"token": token})).status_code == 422


async def test_roles_are_changed_and_the_event_gets_a_new_owner(
    team: Team, user: User, make_user: Any, session_factory: async_sessionmaker[AsyncSession]
) -> None:
    grace, alan = await make_user(email="grace@example.org"), await make_user()
    async with session_factory.begin() as session:
        event_id = int(team.url.rpartition("/")[2])
        for member, role in ((grace, "editor"), (alan, "viewer")):
            session.add(models.EventRole(event_id=event_id, user_id=member.id, role=role))
    editor, viewer = await team.service.client(grace), await team.service.client(alan)
    for client in (editor, viewer):
        assert (await client.get(f"{team.url}/members")).status_code == 200
        assert await team.change(client, alan, "owner") == 403
        assert (await client.delete(f"{team.url}/members/{user.id}")).status_code == 403
        assert (await client.get(f"{team.url}/invitations")).status_code == 403

    assert await team.change(team.owner, user, "editor") == 409
    assert (await team.owner.delete(f"{team.url}/members/{user.id}")).status_code == 409
    assert await team.change(team.owner, alan, "editor") == 200
    assert await team.change(team.owner, grace, "owner") == 200
    assert (await team.roles()).keys() >= {"ada@example.org", "grace@example.org"}
    assert (await team.roles())["ada@example.org"] == "editor"
    assert (await team.owner.post(f"{team.url}/publish")).status_code == 403
    assert (await editor.post(f"{team.url}/publish")).status_code == 200
    assert (await team.owner.delete(f"{team.url}/members/{user.id}")).status_code == 204
    assert (await editor.delete(f"{team.url}/members/{alan.id}")).status_code == 204
    assert (await editor.delete(f"{team.url}/members/{alan.id}")).status_code == 404
    members = (await team.owner.get(f"{team.url}/members")).status_code
    assert members == 403


async def test_who_has_not_confirmed_an_address_invites_no_one(
    team: Team, session_factory: async_sessionmaker[AsyncSession]
) -> None:
    async with session_factory.begin() as session:
        await session.execute(update(User).values(is_confirmed=False))
    answer = await team.invite(team.owner, "x@example.org", "viewer")
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (
        403,
        "address-not-confirmed",
    )
