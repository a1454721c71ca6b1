"""Confirming an address, changing it and resetting a password, over a real mail server."""

import asyncio
import re
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx
import pytest
from pydantic import SecretStr
from sqlalchemy import text
from tests.notifications.conftest import (  # noqa: F401 - fixtures
    MailServer,
    StartMailServer,
    start_mail_server,
)
from tests.web.conftest import Service, StartService
from typer.testing import CliRunner

from eventimport.cli import app
from eventimport.database.endings import NotificationWords, add_notification
from eventimport.database.models import ImportJob
from eventimport.jobs.clean_up import clean_up
from eventimport.jobs.send_mail import send_next
from eventimport.notifications.mailers import create_mailer

ADA, GRACE = "ada@example.org", "grace@example.org"
PASSWORD, OTHER = "tea and cables", "lamps and ladders"
LINK = re.compile(r"http://localhost:8000(/account/(?:confirm|reset))#(\S+)")


@dataclass
class Accounts:
    """A service that sends mail, and the server that accepts it."""

    service: Service
    server: MailServer
    client: httpx.AsyncClient

    async def post(self, path: str, body: dict[str, Any] | None = None, **named: Any) -> Any:
        return await self.client.post(path, json=body, **named)

    async def mails(self) -> list[tuple[str, str]]:
        """Send what is due. Returns the recipient and the subject of each new mail."""
        before = len(self.server.mails)
        settings = self.service.resources.settings
        assert settings.mail is not None
        mailer = create_mailer(settings.mail.transport)
        while await send_next(self.service.resources, mailer):
            pass
        return [(mail["To"], mail["Subject"]) for mail in self.server.mails[before:]]

    def link(self) -> tuple[str, str]:
        """The page and the token of the newest mail's link."""
        body = self.server.mails[-1].get_body(("plain",))
        assert body is not None
        found = LINK.search(body.get_content())
        assert found is not None, body.get_content()
        return found[1], found[2]

    async def sign_in(self, email: str = ADA, password: str = PASSWORD) -> int:
        """Sign in, for all requests from now on. Returns the status."""
        credentials = {"email": email, "password": password}
        answer = await self.client.post("/v1/auth/session", json=credentials)
        if answer.status_code == 200:
            self.client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        return int(answer.status_code)

    async def sql(self, statement: str) -> Any:
        async with self.service.resources.engine.begin() as connection:
            found = await connection.execute(text(statement))
            return found.scalar_one_or_none() if found.returns_rows else None

    async def end_import(self) -> None:
        """End an import of the newest user, as far as its messages are concerned."""
        user_id = await self.sql("SELECT max(id) FROM users")
        job = ImportJob(id=uuid4(), user_id=user_id, status="SUCCESS", event_name="Lantern")
        async with self.service.resources.sessions.begin() as session:
            session.add(job)
            await session.flush()
            words = NotificationWords("T", "M", f"<import-{job.id}@service.example>")
            connection = await session.connection()
            await add_notification(connection, job_id=job.id, user_id=user_id, words=words)


@pytest.fixture
async def accounts(
    start_service: StartService,
    start_mail_server: StartMailServer,  # noqa: F811
) -> Accounts:
    server = await start_mail_server()
    service = await start_service(
        smtp_url=SecretStr(f"smtp://localhost:{server.port}?starttls=false"),
        mail_from="Imports <imports@example.org>",
        mails_per_address=6,
        sign_ins_per_client=0,
        sign_ins_per_minute=0,
    )
    made = Accounts(service, server, await service.client())
    signed_up = await made.post("/v1/users", {"email": ADA, "password": PASSWORD})
    assert signed_up.json()["data"]["attributes"]["is-confirmed"] is False
    return made


def code_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["errors"][0]["code"]


INVALID = (422, "invalid-link")


async def test_an_address_is_confirmed_before_it_gets_other_mail(accounts: Accounts) -> None:
    assert await accounts.mails() == [(ADA, "Confirm your e-mail address")]
    page, token = accounts.link()
    assert page == "/account/confirm"
    assert await accounts.sign_in() == 200
    assert (await accounts.client.get("/v1/account")).json()["is_confirmed"] is False

    await accounts.end_import()
    assert await accounts.mails() == []
    notifications = (await accounts.client.get("/v1/notifications")).json()
    assert notifications["meta"]["total"] == 1
    assert (await accounts.post("/v1/auth/forgot-password", {"email": ADA})).status_code == 202
    assert (await accounts.post("/v1/account/send-confirmation")).status_code == 202
    assert await accounts.mails() == [(ADA, "Confirm your e-mail address")] * 2

    for damaged in (token[:-1], uuid4().hex + token[32:], "", "é" * 64):
        answer = await accounts.post("/v1/auth/confirm-email", {"token": damaged})
        assert code_of(answer) == INVALID
    confirmed = await accounts.post("/v1/auth/confirm-email", {"token": token})
    assert confirmed.json() == {"email": ADA}
    assert (await accounts.client.get("/v1/account")).json()["is_confirmed"] is True
    for used in (token, accounts.link()[1]):
        answer = await accounts.post("/v1/auth/confirm-email", {"token": used})
        assert code_of(answer) == INVALID
    again = await accounts.post("/v1/account/send-confirmation")
    assert code_of(again) == (409, "already-confirmed")
    await accounts.end_import()
    assert await accounts.mails() == [(ADA, "“Lantern” was imported")]


async def test_a_forgotten_password_is_reset_once(accounts: Accounts) -> None:
    await accounts.mails()
    await accounts.post("/v1/auth/confirm-email", {"token": accounts.link()[1]})
    await accounts.sign_in()
    made = await accounts.post("/v1/personal-access-tokens", {"name": "cron", "scopes": ["read"]})
    personal = {"Authorization": f"JWT {made.json()['data']['attributes']['token']}"}
    assert (await accounts.client.get("/v1/events", headers=personal)).status_code == 200

    answers = [
        await accounts.post("/v1/auth/forgot-password", {"email": email})
        for email in (ADA, "Ada@Example.org", "stranger@example.org", "not an address")
    ]
    assert {(answer.status_code, answer.content) for answer in answers} == {(202, b"null")}
    assert await accounts.mails() == [(ADA, "Reset your password")] * 2
    page, token = accounts.link()
    assert page == "/account/reset"
    confirming = await accounts.post("/v1/auth/confirm-email", {"token": token})
    assert code_of(confirming) == INVALID

    for weak in ("eventimport", "ada@example.org", "password"):
        answer = await accounts.post("/v1/auth/reset-password", {"token": token, "password": weak})
        assert code_of(answer) == (422, "weak-password"), weak
    new = {"token": token, "password": OTHER}
    assert (await accounts.post("/v1/auth/reset-password", new)).status_code == 204
    assert code_of(await accounts.post("/v1/auth/reset-password", new)) == INVALID
    assert await accounts.mails() == [(ADA, "Your password was changed")]

    # Whoever knew the old password is out.
    assert (await accounts.client.get("/v1/account")).status_code == 401
    assert (await accounts.client.get("/v1/events", headers=personal)).status_code == 401
    assert await accounts.sign_in() == 401
    assert await accounts.sign_in(password=OTHER) == 200


async def test_links_expire(accounts: Accounts) -> None:
    await accounts.mails()
    _, confirm = accounts.link()
    await accounts.sql("UPDATE account_links SET expires_at = now() - interval '1 second'")
    assert code_of(await accounts.post("/v1/auth/confirm-email", {"token": confirm})) == INVALID
    await accounts.sql("UPDATE users SET is_confirmed = true")
    await accounts.post("/v1/auth/forgot-password", {"email": ADA})
    await accounts.mails()
    _, reset = accounts.link()
    await accounts.sql("UPDATE account_links SET expires_at = now() - interval '1 second'")
    new = {"token": reset, "password": OTHER}
    assert code_of(await accounts.post("/v1/auth/reset-password", new)) == INVALID

    # A link that has expired while the mail server was away is not sent at all.
    await accounts.post("/v1/auth/forgot-password", {"email": ADA})
    await accounts.sql("UPDATE account_links SET expires_at = now() - interval '1 second'")
    assert await accounts.mails() == []
    error = await accounts.sql("SELECT last_error FROM outgoing_mails WHERE status = 'FAILED'")
    assert error == "its link was used or has expired"
    assert (await clean_up(accounts.service.resources))["expired_link"] == 3
    assert await accounts.sql("SELECT count(*) FROM account_links") == 0


async def test_an_address_gets_only_so_many_mails(accounts: Accounts) -> None:
    await accounts.sql("UPDATE users SET is_confirmed = true")
    before = await accounts.post("/v1/auth/forgot-password", {"email": ADA})
    answers = [await accounts.post("/v1/auth/forgot-password", {"email": ADA}) for _ in range(20)]
    assert {answer.status_code for answer in answers} == {202}
    assert {answer.content for answer in answers} == {before.content}
    assert len(await accounts.mails()) == 6
    # Another address has mails of its own, and those about imports are only late.
    await accounts.end_import()
    assert await accounts.mails() == []
    assert (await accounts.post("/v1/users", {"email": GRACE, "password": OTHER})).is_success
    assert await accounts.mails() == [(GRACE, "Confirm your e-mail address")]
    await accounts.sql(
        "UPDATE outgoing_mails SET sent_at = sent_at - interval '1 hour',"
        " created_at = created_at - interval '1 hour',"
        " next_attempt_at = next_attempt_at - interval '1 hour'"
    )
    assert await accounts.mails() == [(ADA, "“Lantern” was imported")]
    await accounts.sign_in(GRACE, OTHER)
    statuses = [
        (await accounts.post("/v1/account/send-confirmation")).status_code for _ in range(7)
    ]
    assert statuses == [202] * 6 + [429]


async def test_an_address_is_changed_at_the_new_one(accounts: Accounts) -> None:
    await accounts.sql("UPDATE users SET is_confirmed = true")
    assert (await accounts.post("/v1/users", {"email": GRACE, "password": OTHER})).is_success
    await accounts.mails()
    await accounts.sign_in()
    put = accounts.client.put
    wrong = await put("/v1/account/email", json={"email": "new@example.org", "password": OTHER})
    assert code_of(wrong) == (403, "wrong-password")

    # An address that another account has: the same answer, but no link.
    taken = await put("/v1/account/email", json={"email": GRACE, "password": PASSWORD})
    assert await accounts.mails() == [(ADA, "Your e-mail address is about to change")]
    free = await put("/v1/account/email", json={"email": "new@example.org", "password": PASSWORD})
    assert (taken.status_code, taken.content) == (free.status_code, free.content) == (202, b"null")
    assert sorted(await accounts.mails()) == [
        (ADA, "Your e-mail address is about to change"),
        ("new@example.org", "Confirm your new e-mail address"),
    ]
    await accounts.sql("DELETE FROM outgoing_mails")
    assert (await accounts.client.get("/v1/account")).json()["email"] == ADA
    token = LINK.search(
        "\n".join(
            mail.get_body(("plain",)).get_content()  # type: ignore[union-attr]
            for mail in accounts.server.mails
            if mail["To"] == "new@example.org"
        )
    )
    assert token is not None
    answer = await accounts.post("/v1/auth/confirm-email", {"token": token[2]})
    assert answer.json() == {"email": "new@example.org"}
    assert (await accounts.client.get("/v1/account")).json()["email"] == "new@example.org"
    assert await accounts.sign_in(ADA) == 401
    assert await accounts.sign_in("new@example.org") == 200


async def test_a_password_is_changed_by_the_old_one(accounts: Accounts) -> None:
    await accounts.sql("UPDATE users SET is_confirmed = true")
    await accounts.mails()
    await accounts.sign_in()
    other = dict(accounts.client.headers)
    await accounts.sign_in()
    put = accounts.client.put
    for body, expected in (
        ({"old_password": OTHER, "password": OTHER}, (403, "wrong-password")),
        ({"old_password": PASSWORD, "password": "password1"}, (422, "weak-password")),
        ({"old_password": PASSWORD, "password": "short"}, (422, "invalid-value")),
    ):
        assert code_of(await put("/v1/account/password", json=body)) == expected
    changed = await put("/v1/account/password", json={"old_password": PASSWORD, "password": OTHER})
    token = changed.json()["access_token"]
    assert (await accounts.client.get("/v1/account", headers=other)).status_code == 401
    headers = {"Authorization": f"JWT {token}"}
    assert (await accounts.client.get("/v1/account", headers=headers)).status_code == 200
    assert await accounts.mails() == [(ADA, "Your password was changed")]
    assert (await accounts.sign_in(), await accounts.sign_in(password=OTHER)) == (401, 200)


async def test_operators_hand_out_links_and_disable_accounts(
    accounts: Accounts, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("database_url", "redis_url", "secret_key"):
        monkeypatch.setenv(name.upper(), getattr(settings, name).get_secret_value())
    monkeypatch.setenv("LOCAL_STORAGE_PATH", str(settings.local_storage_path))

    async def run(*arguments: str) -> str:
        result = await asyncio.to_thread(CliRunner().invoke, app, ["user", *arguments])
        return result.output if result.exit_code == 0 else f"exit {result.exit_code}"

    assert "ada@example.org  (not confirmed)" in await run("list")
    link = LINK.search(await run("reset", "--email", "ADA@example.org"))
    assert link is not None
    new = {"token": link[2], "password": OTHER}
    assert (await accounts.post("/v1/auth/reset-password", new)).status_code == 204
    assert await accounts.sign_in(password=OTHER) == 200

    await run("disable", "--email", ADA)
    assert (await accounts.client.get("/v1/account")).status_code == 401
    assert await accounts.sign_in(password=OTHER) == 401
    assert "disabled" in await run("list")
    await run("enable", "--email", ADA)
    assert await accounts.sign_in(password=OTHER) == 200
    await run("delete", "--email", ADA, "--yes")
    assert await accounts.sign_in(password=OTHER) == 401
    assert await run("delete", "--email", ADA, "--yes") == "exit 2"
    assert await run("list", "--json") == ""
