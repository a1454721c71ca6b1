"""The outbox is emptied: each mail once, however many send, fail and die."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete
from sqlalchemy.exc import OperationalError
from tests.notifications.conftest import Outbox, StartMailServer

from eventimport.database.models import User
from eventimport.database.outbox import DueMail, claim_due_mail, mark_sent
from eventimport.jobs import send_mail
from eventimport.jobs.send_mail import delay_after, keep_sending, send_next
from eventimport.notifications.config import SMTPConfig
from eventimport.notifications.mail import Mail
from eventimport.notifications.mailers import MailNotSentError, SMTPMailer
from eventimport.resources import Resources, open_resources
from eventimport.settings import Settings


@dataclass
class Recorder:
    """Keeps the mails rather than to send them. Each waits for `gate`, and what is in `errors` is
    raised first."""

    mails: list[Mail] = field(default_factory=list)
    errors: list[Exception] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    sending: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.gate.set()

    async def send(self, mail: Mail) -> None:
        self.sending.set()
        await self.gate.wait()
        if self.errors:
            raise self.errors.pop(0)
        self.mails.append(mail)

    @property
    def ids(self) -> list[str]:
        return [mail.message_id for mail in self.mails]


def smtp(port: int) -> SMTPMailer:
    """A mailer to a server without TLS."""
    return SMTPMailer(SMTPConfig(host="localhost", port=port, tls=False, starttls=False))


async def test_there_may_be_nothing_to_send(resources: Resources, outbox: Outbox) -> None:
    assert not await send_next(resources, Recorder())


async def test_the_mail_is_of_the_import(
    resources: Resources, outbox: Outbox, start_mail_server: StartMailServer
) -> None:
    warning = {"severity": "warning", "message": "No such room", "entry": "sessions", "record": 2}
    findings = [{"severity": "repair", "message": "No offset"}, warning]
    report = {
        "totals": {"repair": 1, "warning": 1, "error": 0},
        "media": {"total": 2, "outcomes": {"MOVED": 1, "TOO_LARGE": 1}},
        "findings": findings,
    }
    job_id = await outbox.add(report=report, file_name="lantern.zip")
    server = await start_mail_server()

    assert await send_next(resources, smtp(server.port))
    assert not await send_next(resources, smtp(server.port))

    (mail,) = server.mails
    assert mail["From"] == "Imports <imports@example.org>"
    assert mail["To"] == "ada@example.org"
    assert mail["Subject"] == "“Lantern Open” was imported"
    assert mail["Message-ID"] == f"<import-{job_id}@service.example>"
    for part in mail.iter_parts():
        body = part.get_content()
        assert "https://events.example/events/abc" in body
        assert "1 repair and 1 warning" in body
        assert "No such room" in body
        assert "1 of 2 media files were stored: 1 too large." in body
        assert "No offset" not in body
    row = await outbox.mail()
    assert (row.status, row.attempts, row.last_error) == ("SENT", 1, None)
    assert row.sent_at is not None


async def test_a_failure_is_told_with_its_first_errors(
    resources: Resources, outbox: Outbox
) -> None:
    errors = [
        {
            "detail": f"sessions, line {line}: wrong",
            "meta": {"entry": "sessions", "line": line, "message": "wrong"},
        }
        for line in range(1, 51)
    ]
    await outbox.add(status="FAILURE", event_name=None, event_identifier=None, errors=errors)
    recorder = Recorder()

    await send_next(resources, recorder)

    mail = message_from_bytes(recorder.mails[0].content, policy=policy.default)
    (text, _) = [part.get_content().replace("\r\n", "\n") for part in mail.iter_parts()]
    assert text.count("wrong\n") == 20
    assert "sessions, line 20:" in text
    assert "… and 30 more" in text


async def test_a_server_that_fails_at_first_gets_the_mail_later(
    resources: Resources, outbox: Outbox, start_mail_server: StartMailServer
) -> None:
    await outbox.add()
    server = await start_mail_server()
    server.replies += ["451 Greylisted", "452 Full"]

    for attempts in (1, 2):
        # There is no use in going on with the next mail, nor in coming back at once.
        assert not await send_next(resources, smtp(server.port))
        assert not await send_next(resources, smtp(server.port))
        row = await outbox.mail()
        assert (row.status, row.attempts, server.refused) == ("PENDING", attempts, attempts)
        assert row.last_error is not None
        await outbox.let_time_pass()
    await send_next(resources, smtp(server.port))

    assert len(server.mails) == 1
    assert (await outbox.mail()).status == "SENT"


async def test_a_server_that_is_down_gets_the_mail_when_it_is_up(
    resources: Resources, outbox: Outbox, start_mail_server: StartMailServer, unused_port: int
) -> None:
    await outbox.add()

    await send_next(resources, smtp(unused_port))
    assert (await outbox.mail()).status == "PENDING"
    server = await start_mail_server(port=unused_port)
    await outbox.let_time_pass()
    await send_next(resources, smtp(unused_port))

    assert len(server.mails) == 1


@pytest.mark.parametrize("reply", ["550 No such user", "553 Not here"])
async def test_a_server_that_never_will_is_not_asked_again(
    resources: Resources,
    outbox: Outbox,
    start_mail_server: StartMailServer,
    caplog: pytest.LogCaptureFixture,
    reply: str,
) -> None:
    await outbox.add()
    other = await outbox.add()
    server = await start_mail_server()
    server.rcpt_replies.append(reply)

    assert await send_next(resources, smtp(server.port))
    await outbox.let_time_pass()
    assert await send_next(resources, smtp(server.port))
    assert not await send_next(resources, smtp(server.port))

    refused, sent = await outbox.mails()
    assert (refused.status, refused.attempts, sent.status) == ("FAILED", 1, "SENT")
    assert refused.last_error is not None
    assert reply[:3] in refused.last_error
    assert [mail["Message-ID"] for mail in server.mails] == [f"<import-{other}@service.example>"]
    assert any(record.levelno == logging.ERROR for record in caplog.records)


async def test_attempts_come_to_an_end(
    resources: Resources, outbox: Outbox, settings: Settings
) -> None:
    await outbox.add()
    recorder = Recorder(errors=[MailNotSentError("down")] * 100)

    for _ in range(settings.mail_max_attempts + 3):
        await send_next(resources, recorder)
        await outbox.let_time_pass()

    row = await outbox.mail()
    assert (row.status, row.attempts) == ("FAILED", settings.mail_max_attempts)
    assert len(recorder.errors) == 100 - settings.mail_max_attempts


async def test_senders_that_die_of_a_mail_are_not_endless(
    resources: Resources, outbox: Outbox, settings: Settings
) -> None:
    await outbox.add()
    recorder = Recorder()
    recorder.gate.clear()

    for _ in range(settings.mail_max_attempts):
        sending = asyncio.create_task(send_next(resources, recorder))
        await recorder.sending.wait()
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        recorder.sending.clear()
        await outbox.let_time_pass()
    recorder.gate.set()
    await send_next(resources, recorder)

    assert (await outbox.mail()).status == "FAILED"
    assert recorder.mails == []


def test_delays_double_up_to_an_hour() -> None:
    delays = [delay_after(attempt, 10).total_seconds() for attempt in (1, 2, 3, 9, 10, 10_000)]

    assert delays == [10, 20, 40, 2560, 3600, 3600]


async def test_two_senders_share_the_mails(resources: Resources, outbox: Outbox) -> None:
    expected = [f"<import-{await outbox.add()}@service.example>" for _ in range(20)]
    recorder = Recorder()

    async def drain() -> None:
        while await send_next(resources, recorder):
            pass

    await asyncio.gather(*(drain() for _ in range(4)))

    assert sorted(recorder.ids) == sorted(expected)
    assert {mail.attempts for mail in await outbox.mails()} == {1}


async def test_a_mail_on_its_way_is_nobody_elses(resources: Resources, outbox: Outbox) -> None:
    await outbox.add()
    slow, other = Recorder(), Recorder()
    slow.gate.clear()

    sending = asyncio.create_task(send_next(resources, slow))
    await slow.sending.wait()
    assert not await send_next(resources, other)
    slow.gate.set()
    await sending

    assert (len(slow.mails), len(other.mails)) == (1, 0)


async def test_a_sender_that_died_before_it_was_done_is_replaced(
    resources: Resources, outbox: Outbox
) -> None:
    await outbox.add()
    dead, other = Recorder(), Recorder()
    dead.gate.clear()
    sending = asyncio.create_task(send_next(resources, dead))
    await dead.sending.wait()
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)

    assert not await send_next(resources, other), "its lease has not run out"
    await outbox.let_time_pass()
    await send_next(resources, other)

    assert (len(dead.mails), len(other.mails)) == (0, 1)
    assert (await outbox.mail()).status == "SENT"


async def test_a_mail_that_is_sent_twice_is_known_by_its_id(
    resources: Resources, outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process dies between the server's 250 and our taking it down: the one way to a second
    mail."""
    await outbox.add()
    recorder = Recorder()

    async def die(*_: Any) -> None:
        raise asyncio.CancelledError

    with monkeypatch.context() as patch:
        patch.setattr(send_mail, "_mark", die)
        with pytest.raises(asyncio.CancelledError):
            await send_next(resources, recorder)
    await outbox.let_time_pass()
    await send_next(resources, recorder)
    await outbox.let_time_pass()
    await send_next(resources, recorder)

    first, second = recorder.mails
    assert first.message_id == second.message_id
    assert first.date == second.date


async def test_a_sender_that_comes_back_late_still_says_that_it_was_sent(
    resources: Resources, outbox: Outbox
) -> None:
    await outbox.add()
    slow, other = Recorder(), Recorder()
    slow.gate.clear()
    sending = asyncio.create_task(send_next(resources, slow))
    await slow.sending.wait()
    await outbox.let_time_pass()

    other.errors.append(MailNotSentError("down"))
    await send_next(resources, other)
    slow.gate.set()
    await sending
    await outbox.let_time_pass()
    await send_next(resources, other)

    assert (len(slow.mails), len(other.mails)) == (1, 0)
    row = await outbox.mail()
    assert (row.status, row.last_error) == ("SENT", None)


async def test_a_late_failure_changes_nothing_of_what_was_sent(
    resources: Resources, outbox: Outbox
) -> None:
    await outbox.add()
    slow, other = Recorder(errors=[MailNotSentError("no", permanent=True)]), Recorder()
    slow.gate.clear()
    sending = asyncio.create_task(send_next(resources, slow))
    await slow.sending.wait()
    await outbox.let_time_pass()

    await send_next(resources, other)
    slow.gate.set()
    await sending

    assert (await outbox.mail()).status == "SENT"


async def test_a_database_that_is_away_for_a_moment_sends_no_mail_twice(
    resources: Resources, outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    await outbox.add()
    recorder = Recorder()
    fails = iter([True, True, False])

    async def mark(connection: Any, mail: DueMail) -> None:
        if next(fails):
            raise OperationalError("UPDATE", {}, OSError("away"))
        await mark_sent(connection, mail)

    monkeypatch.setattr(send_mail, "mark_sent", mark)
    await send_next(resources, recorder)
    await outbox.let_time_pass()
    await send_next(resources, recorder)

    assert len(recorder.mails) == 1


async def test_a_mail_that_cannot_be_written_holds_up_no_other(
    resources: Resources, outbox: Outbox, make_user: Callable[..., Awaitable[User]]
) -> None:
    await outbox.add(user=await make_user(email="no address"))
    await outbox.add(report={"totals": "no totals"})
    await outbox.add()
    recorder = Recorder()

    while await send_next(resources, recorder):
        pass

    assert [mail.status for mail in await outbox.mails()] == ["FAILED", "FAILED", "SENT"]


async def test_the_mails_of_a_deleted_user_are_gone(resources: Resources, outbox: Outbox) -> None:
    await outbox.add()
    async with resources.engine.begin() as connection:
        await connection.execute(delete(User))

    assert not await send_next(resources, Recorder())
    assert await outbox.mails() == []


async def test_the_worker_goes_on_sending(
    resources: Resources, outbox: Outbox, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    folder = tmp_path / "mails"
    keeping = asyncio.create_task(keep_sending(resources))
    try:
        for count in (1, 2):
            job_id = await outbox.add()
            async with asyncio.timeout(60):
                while (await outbox.mails())[-1].status != "SENT":  # noqa: ASYNC110 - it is a row
                    await asyncio.sleep(0.01)
            assert len(list(folder.glob("*.eml"))) == count
            assert len(list(folder.glob(f"*-import-{job_id}.eml"))) == 1
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
    assert keeping.cancelled()
    assert f"mails are not sent, but written to {folder}" in caplog.messages


async def test_a_worker_that_stops_takes_down_what_it_has_sent(
    resources: Resources, outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    await outbox.add()
    recorder = Recorder()
    recorder.gate.clear()
    monkeypatch.setattr(send_mail, "create_mailer", lambda _: recorder)
    keeping = asyncio.create_task(keep_sending(resources))
    await recorder.sending.wait()

    keeping.cancel()
    await asyncio.sleep(0)
    recorder.gate.set()
    await asyncio.gather(keeping, return_exceptions=True)

    assert len(recorder.mails) == 1
    assert (await outbox.mail()).status == "SENT"


async def test_a_worker_that_stops_sends_what_has_just_ended(
    settings: Settings, outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder, looked = Recorder(), asyncio.Event()

    async def take(*arguments: Any, **named: Any) -> DueMail | None:
        looked.set()
        return await claim_due_mail(*arguments, **named)

    monkeypatch.setattr(send_mail, "claim_due_mail", take)
    monkeypatch.setattr(send_mail, "create_mailer", lambda _: recorder)
    # A busy machine may need longer for three mails than a process that stops takes.
    monkeypatch.setattr(send_mail, "LAST_ROUND_SECONDS", 60.0)
    monkeypatch.setattr(send_mail, "STOP_SECONDS", 60.0)
    async with open_resources(settings.model_copy(update={"mail_interval": 3600.0})) as resources:
        keeping = asyncio.create_task(keep_sending(resources))
        await looked.wait()
        for _ in range(3):
            await outbox.add()
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)

    assert len(recorder.mails) == 3


async def test_a_worker_that_stops_begins_no_mail_for_long(
    settings: Settings, outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        await outbox.add()
    recorder = Recorder()
    recorder.gate.clear()
    monkeypatch.setattr(send_mail, "create_mailer", lambda _: recorder)
    monkeypatch.setattr(send_mail, "LAST_ROUND_SECONDS", 0.0)
    async with open_resources(settings) as resources:
        keeping = asyncio.create_task(keep_sending(resources))
        await recorder.sending.wait()
        keeping.cancel()
        await asyncio.sleep(0.01)
        recorder.gate.set()
        await asyncio.gather(keeping, return_exceptions=True)

    assert len(recorder.mails) == 1
    assert sorted(mail.status for mail in await outbox.mails()) == ["PENDING", "PENDING", "SENT"]


async def test_a_worker_that_stops_does_not_wait_for_a_silent_server(
    resources: Resources, outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    await outbox.add()
    recorder = Recorder()
    recorder.gate.clear()
    monkeypatch.setattr(send_mail, "create_mailer", lambda _: recorder)
    monkeypatch.setattr(send_mail, "STOP_SECONDS", 0.05)
    keeping = asyncio.create_task(keep_sending(resources))
    await recorder.sending.wait()

    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)

    assert keeping.cancelled()
    assert recorder.mails == []
    assert (await outbox.mail()).status == "PENDING"


async def test_a_worker_survives_a_database_that_is_away(
    resources: Resources, outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    troubles: list[Exception] = [OperationalError("UPDATE", {}, OSError("away")), KeyError("ours")]

    async def fail_first(*arguments: Any, **named: Any) -> DueMail | None:
        if troubles:
            raise troubles.pop(0)
        return await claim_due_mail(*arguments, **named)

    recorder = Recorder()
    monkeypatch.setattr(send_mail, "claim_due_mail", fail_first)
    monkeypatch.setattr(send_mail, "create_mailer", lambda _: recorder)
    await outbox.add()
    keeping = asyncio.create_task(keep_sending(resources))
    try:
        async with asyncio.timeout(60):
            await recorder.sending.wait()
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)

    assert len(recorder.mails) == 1


async def test_without_a_way_to_send_it_is_said_once(
    outbox: Outbox, resources: Resources, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    settings = resources.settings.model_copy(update={"mail_folder": None})
    silent = Resources(
        **{name: getattr(resources, name) for name in Resources.__slots__} | {"settings": settings}
    )

    await keep_sending(silent)

    assert caplog.messages == ["no mail is sent: neither SMTP_URL nor MAIL_FOLDER is set"]
