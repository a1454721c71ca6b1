"""Mails go to a real server, or into a folder."""

import asyncio
from datetime import UTC, datetime
from email import message_from_bytes, policy
from pathlib import Path
from uuid import UUID

import pytest
from tests.notifications.conftest import PASSWORD, USER, Certificates, MailServer, StartMailServer

from eventimport.notifications.config import FolderConfig, SMTPConfig
from eventimport.notifications.mail import Mail, message_id_of, write_mail
from eventimport.notifications.mailers import MailNotSentError, create_mailer
from eventimport.notifications.messages import Words

JOB_ID = UUID("11111111-2222-3333-4444-555555555555")
MESSAGE_ID = message_id_of(JOB_ID, "https://service.example")


def mail_to(address: str = "ada@example.org") -> Mail:
    """A mail with letters beyond ASCII."""
    return write_mail(
        Words("“Lantern” ist da grüßt", "Größe\n", "<p>Größe</p>\n"),
        sender="Imports <imports@example.org>",
        address=address,
        message_id=MESSAGE_ID,
        date=datetime(2026, 3, 1, 12, tzinfo=UTC),
    )


async def send(mail: Mail, config: SMTPConfig) -> None:
    """Send it as the worker does."""
    await create_mailer(config).send(mail)


async def refusal(config: SMTPConfig, mail: Mail | None = None) -> MailNotSentError:
    """Why the mail is not sent."""
    with pytest.raises(MailNotSentError) as caught:
        await send(mail or mail_to(), config)
    return caught.value


def plain(server: MailServer, **changes: object) -> SMTPConfig:
    """A server without TLS."""
    given = {"host": "localhost", "port": server.port, "tls": False, "starttls": False, **changes}
    return SMTPConfig(**given)  # type: ignore[arg-type]  # of whatever type a test changes


async def test_a_mail_arrives_as_it_was_sent(start_mail_server: StartMailServer) -> None:
    server = await start_mail_server()

    await send(mail_to(), plain(server))

    (mail,), (envelope,) = server.mails, server.envelopes
    assert (envelope.mail_from, envelope.rcpt_tos) == ("imports@example.org", ["ada@example.org"])
    assert {name: mail[name] for name in ("From", "To", "Subject", "Message-ID", "Date")} == {
        "From": "Imports <imports@example.org>",
        "To": "ada@example.org",
        "Subject": "“Lantern” ist da grüßt",
        "Message-ID": "<import-11111111-2222-3333-4444-555555555555@service.example>",
        "Date": "Sun, 01 Mar 2026 12:00:00 +0000",
    }
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail.get_content_type() == "multipart/alternative"
    bodies = {part.get_content_type(): part.get_content() for part in mail.iter_parts()}
    assert list(bodies) == ["text/plain", "text/html"]
    assert bodies["text/plain"].splitlines() == ["Größe"]
    assert bodies["text/html"].splitlines() == ["<p>Größe</p>"]


async def test_starttls(start_mail_server: StartMailServer, certificates: Certificates) -> None:
    server = await start_mail_server(starttls=certificates.context)

    await send(mail_to(), plain(server, starttls=True, ca_file=certificates.ca_file))

    assert len(server.mails) == 1
    assert server.sessions[0].ssl is not None


async def test_tls(start_mail_server: StartMailServer, certificates: Certificates) -> None:
    server = await start_mail_server(tls=certificates.context)

    await send(mail_to(), plain(server, tls=True, ca_file=certificates.ca_file))

    assert len(server.mails) == 1


@pytest.mark.parametrize("way", ["tls", "starttls"])
async def test_a_server_that_nobody_vouches_for_gets_no_mail(
    start_mail_server: StartMailServer, certificates: Certificates, way: str
) -> None:
    server = await start_mail_server(**{way: certificates.context})

    error = await refusal(plain(server, **{way: True}))

    assert "certificate" in str(error).lower()
    assert not error.permanent
    assert server.mails == []


async def test_a_server_without_starttls_gets_no_password(
    start_mail_server: StartMailServer,
) -> None:
    server = await start_mail_server(auth=True)
    config = plain(server, starttls=True, username=USER, password=PASSWORD)

    error = await refusal(config)

    assert "STARTTLS" in str(error)
    assert PASSWORD not in str(error) + repr(config)
    assert server.mails == []


async def test_user_and_password(
    start_mail_server: StartMailServer, certificates: Certificates
) -> None:
    server = await start_mail_server(starttls=certificates.context, auth=True)
    known = {"starttls": True, "ca_file": certificates.ca_file, "username": USER}

    await send(mail_to(), plain(server, **known, password=PASSWORD))
    error = await refusal(plain(server, **known, password="wrong"))

    assert len(server.mails) == 1
    assert server.sessions[0].authenticated
    # Whoever runs the service can mend it: the mail waits for that.
    assert not error.permanent


@pytest.mark.parametrize(
    ("replies", "permanent"), [("451 Later", False), ("452 Full", False), ("550 Never", True)]
)
@pytest.mark.parametrize("place", ["replies", "rcpt_replies"])
async def test_what_a_server_refuses(
    start_mail_server: StartMailServer, replies: str, permanent: bool, place: str
) -> None:
    server = await start_mail_server()
    getattr(server, place).append(replies)

    error = await refusal(plain(server))

    assert error.permanent is permanent
    assert replies.partition(" ")[0] in str(error)
    assert server.mails == []


async def test_a_server_that_is_down() -> None:
    config = SMTPConfig(host="localhost", port=1, tls=False, starttls=False)

    assert not (await refusal(config)).permanent


async def test_a_server_that_says_nothing_more(start_mail_server: StartMailServer) -> None:
    server = await start_mail_server()
    server.silent = True

    assert not (await refusal(plain(server, timeout=0.2))).permanent


async def test_a_server_that_never_speaks() -> None:
    async def hold(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)

    writers: list[asyncio.StreamWriter] = []
    async with await asyncio.start_server(hold, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        config = SMTPConfig(host="localhost", port=port, tls=False, starttls=False, timeout=0.2)
        assert not (await refusal(config)).permanent
        for writer in writers:
            writer.close()


async def test_what_was_accepted_is_sent_even_if_the_server_hangs_up(
    start_mail_server: StartMailServer,
) -> None:
    server = await start_mail_server()
    server.hangs_up = True

    await send(mail_to(), plain(server))

    assert len(server.mails) == 1


async def test_a_name_beyond_ascii_needs_a_server_that_knows_such(
    start_mail_server: StartMailServer,
) -> None:
    old, new = await start_mail_server(), await start_mail_server(utf8=True)
    mail = mail_to("größe@example.org")

    error = await refusal(plain(old), mail)
    await send(mail, plain(new))

    # The operator may name another server.
    assert "SMTPUTF8" in str(error)
    assert not error.permanent
    assert new.envelopes[0].rcpt_tos == [new.mails[0]["To"]] == ["größe@example.org"]


async def test_a_domain_beyond_ascii_is_for_every_server(
    start_mail_server: StartMailServer,
) -> None:
    server = await start_mail_server()

    await send(mail_to("ada@straße.example"), plain(server))

    assert server.envelopes[0].rcpt_tos == ["ada@xn--strae-oqa.example"]


async def test_a_folder_holds_each_mail_once(tmp_path: Path) -> None:
    mailer = create_mailer(FolderConfig(tmp_path / "new" / "mails"))

    for _ in range(2):
        await mailer.send(mail_to())

    (path,) = (tmp_path / "new" / "mails").iterdir()
    assert path.name == f"20260301T120000-import-{JOB_ID}.eml"
    mail = message_from_bytes(path.read_bytes(), policy=policy.default)
    assert mail["Subject"] == "“Lantern” ist da grüßt"


async def test_a_folder_that_cannot_be_written_to(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    mailer = create_mailer(FolderConfig(tmp_path / "file" / "mails"))

    with pytest.raises(MailNotSentError) as caught:
        await mailer.send(mail_to())

    assert not caught.value.permanent
