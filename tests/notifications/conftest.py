"""A real SMTP server on loopback, and imports whose ends are to be told."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
import trustme
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from sqlalchemy import select, text

from eventimport.database.models import ImportJob, Notification, OutgoingMail, User
from eventimport.embedded.server import free_port
from eventimport.resources import Resources, open_resources
from eventimport.settings import Settings

SECRET_KEY = "a key for tests, which guards nothing"
USER, PASSWORD = "mailer", "p@ss/word:%"


@dataclass
class MailServer:
    """Takes mail. `replies` are what it says to the next mails, in that order; afterwards it
    accepts them. `at_rcpt` says it to the recipient already. `forgets`: it hangs up after it has
    accepted a mail, rather than to take leave."""

    port: int = 0
    mails: list[EmailMessage] = field(default_factory=list)
    envelopes: list[Envelope] = field(default_factory=list)
    sessions: list[Session] = field(default_factory=list)
    replies: list[str] = field(default_factory=list)
    rcpt_replies: list[str] = field(default_factory=list)
    silent: bool = False
    hangs_up: bool = False
    refused: int = 0

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.rcpt_replies:
            self.refused += 1
            return self.rcpt_replies.pop(0)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        if self.silent:
            await asyncio.Event().wait()
        if self.replies:
            self.refused += 1
            return self.replies.pop(0)
        content = envelope.original_content
        assert content is not None
        mail = message_from_bytes(content, policy=policy.default)
        assert isinstance(mail, EmailMessage)
        self.mails.append(mail)
        self.envelopes.append(envelope)
        self.sessions.append(session)
        return "250 OK"

    async def handle_QUIT(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        if self.hangs_up:
            assert isinstance(server.transport, asyncio.WriteTransport)
            server.transport.abort()
        return "221 Bye"


StartMailServer = Callable[..., Awaitable[MailServer]]


@dataclass(frozen=True)
class Certificates:
    """An authority that nobody else trusts, as a file, and a server's context that it vouches for,
    under the name `localhost`."""

    ca_file: Path
    context: ssl.SSLContext


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Certificates of the tests' own."""
    authority = trustme.CA()
    ca_file = tmp_path_factory.mktemp("authority") / "ca.pem"
    authority.cert_pem.write_to_path(ca_file)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    return Certificates(ca_file, context)


@pytest.fixture
async def start_mail_server() -> AsyncIterator[StartMailServer]:
    """Starts mail servers: `tls` from the first byte, or `starttls`, each with a context; `auth`:
    only for those who know the password; `utf8`: it knows SMTPUTF8."""
    servers: list[asyncio.Server] = []
    protocols: list[SMTP] = []

    async def start(
        *,
        tls: ssl.SSLContext | None = None,
        starttls: ssl.SSLContext | None = None,
        auth: bool = False,
        utf8: bool = False,
        port: int = 0,
    ) -> MailServer:
        mail_server = MailServer()

        def authenticate(
            server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any
        ) -> AuthResult:
            known = data == LoginPassword(USER.encode(), PASSWORD.encode())
            return AuthResult(success=known, handled=False)

        def protocol() -> SMTP:
            made = SMTP(
                mail_server,
                hostname="localhost",
                tls_context=starttls,
                require_starttls=starttls is not None,
                authenticator=authenticate,
                auth_required=auth,
                enable_SMTPUTF8=utf8,
                loop=asyncio.get_running_loop(),
            )
            protocols.append(made)
            return made

        loop = asyncio.get_running_loop()
        # Not at "localhost", which may have an address that the machine has not: that of IPv6.
        server = await loop.create_server(protocol, "127.0.0.1", port, ssl=tls)
        servers.append(server)
        mail_server.port = server.sockets[0].getsockname()[1]
        return mail_server

    yield start
    for server in servers:
        server.close()
    for protocol in protocols:
        if isinstance(protocol.transport, asyncio.WriteTransport):
            # A TLS transport that is closed already has nothing to abort, and older Pythons fail.
            with contextlib.suppress(AttributeError):
                protocol.transport.abort()
    for server in servers:
        await server.wait_closed()


@pytest.fixture
def settings(database_url: str, redis_url: str, tmp_path: Path) -> Settings:
    """Settings over the test servers; mails are written into the folder `mails`."""
    paths = {"local_storage_path": tmp_path / "storage", "mail_folder": tmp_path / "mails"}
    return settings_over(database_url, redis_url).model_copy(update=paths)


@cache
def settings_over(database_url: str, redis_url: str) -> Settings:
    """Settings over these servers, read once, which costs 20 ms."""
    return Settings(
        database_url=database_url,
        redis_url=redis_url,
        secret_key=SECRET_KEY,
        public_url="https://service.example",
        frontend_url="https://events.example",
        mail_folder=Path("mails"),
        mail_from="Imports <imports@example.org>",
        mail_interval=0.01,
    )


@pytest.fixture
async def resources(settings: Settings) -> AsyncIterator[Resources]:
    """Open resources, as a worker has them."""
    async with open_resources(settings) as opened:
        yield opened


class Outbox:
    """The rows behind what users are told."""

    def __init__(self, resources: Resources, user: User) -> None:
        self.resources = resources
        self.user = user

    async def add(self, *, user: User | None = None, **values: Any) -> UUID:
        """Write an ended import, its notification and its mail; returns the import's id."""
        told = {
            "status": "SUCCESS",
            "event_name": "Lantern Open",
            "event_identifier": "abc",
            **values,
        }
        user_id = (user or self.user).id
        job = ImportJob(id=uuid4(), user_id=user_id, **told)
        async with self.resources.sessions.begin() as session:
            session.add(job)
            await session.flush()
            notification = Notification(
                user_id=user_id, import_job_id=job.id, title="T", message="M"
            )
            session.add(notification)
            await session.flush()
            session.add(
                OutgoingMail(
                    notification_id=notification.id, message_id=f"<import-{job.id}@service.example>"
                )
            )
        return job.id

    async def notifications(self) -> list[Notification]:
        """All notifications, oldest first."""
        async with self.resources.sessions() as session:
            return list(await session.scalars(select(Notification).order_by(Notification.id)))

    async def mails(self) -> list[OutgoingMail]:
        """All mails, oldest first."""
        async with self.resources.sessions() as session:
            return list(await session.scalars(select(OutgoingMail).order_by(OutgoingMail.id)))

    async def mail(self) -> OutgoingMail:
        """The only mail."""
        (mail,) = await self.mails()
        return mail

    async def let_time_pass(self) -> None:
        """All leases run out, and all delays are over."""
        async with self.resources.engine.begin() as connection:
            await connection.execute(text("UPDATE outgoing_mails SET next_attempt_at = now()"))


@pytest.fixture
async def outbox(resources: Resources, make_user: Callable[..., Awaitable[User]]) -> Outbox:
    """The outbox, and a user to tell things to."""
    return Outbox(resources, await make_user(email="ada@example.org"))


@pytest.fixture
def unused_port() -> int:
    """A port of loopback that nobody listens on."""
    return free_port()
