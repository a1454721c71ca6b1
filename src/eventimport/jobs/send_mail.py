"""Sending the mails of the outbox, at least once each and as good as never twice.

Who dies after the server has accepted a mail and before that is written down has it sent again,
with the same `Message-ID`. There is no third way: a mail is lost now and then, or sent twice.
"""

import asyncio
import contextlib
import logging
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_delay, wait_exponential

from eventimport.auth import LinkTokens
from eventimport.database.models import MailKind
from eventimport.database.outbox import DueMail, claim_due_mail, mark_sent, put_off
from eventimport.imports.endings import ending_of
from eventimport.notifications.account_mails import (
    LINKED,
    MailLink,
    words_about_account,
)
from eventimport.notifications.config import FolderConfig, MailConfig
from eventimport.notifications.mail import UnusableAddressError, write_mail
from eventimport.notifications.mailers import Mailer, MailNotSentError, create_mailer
from eventimport.notifications.messages import MAX_LISTED, Words, words_for_mail
from eventimport.resources import Resources
from eventimport.settings import Settings

LEASE: Final = timedelta(minutes=5)
"""Time after which a mail is sent again if its worker has not reported the outcome. At least twice
the time limit of sending."""

MAX_DELAY: Final = timedelta(hours=1)
MARK_SECONDS: Final = 60.0
LAST_ROUND_SECONDS: Final = 2.0
"""Seconds after which a stopping process begins no more mails."""

STOP_SECONDS: Final = 5.0
"""How long a mail that is on its way may hold up the end of the process."""

DATABASE_UNAVAILABLE: Final = (SQLAlchemyError, OSError, TimeoutError)

logger = logging.getLogger(__name__)


async def keep_sending(resources: Resources) -> None:
    """Send the mails that are due, again and again, until cancelled, and then those that are due by
    then, for a few seconds. Returns where the settings know of no way to send any. A server that is
    unavailable is waited for."""
    config = resources.settings.mail
    if config is None:
        logger.info("no mail is sent: neither SMTP_URL nor MAIL_FOLDER is set")
        return
    if isinstance(config.transport, FolderConfig):
        logger.info("mails are not sent, but written to %s", config.transport.path)
    mailer = create_mailer(config.transport)
    stopping, enough = asyncio.Event(), asyncio.Event()
    sending = asyncio.create_task(_send_until(stopping, enough, resources, mailer, config.interval))
    try:
        await asyncio.shield(sending)
    except asyncio.CancelledError:
        stopping.set()
        asyncio.get_running_loop().call_later(LAST_ROUND_SECONDS, enough.set)
        await asyncio.wait([sending], timeout=STOP_SECONDS)
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        raise


async def _send_until(
    stopping: asyncio.Event,
    enough: asyncio.Event,
    resources: Resources,
    mailer: Mailer,
    interval: float,
) -> None:
    """Send until `stopping`, and once more: what has just ended is reported before the process
    ends. `enough` ends it between two mails, never within one."""
    last_round = False
    while not last_round:
        last_round = stopping.is_set()
        try:
            while not enough.is_set() and await send_next(resources, mailer):
                pass
        except DATABASE_UNAVAILABLE:
            logger.warning("mails cannot be sent for now", exc_info=True)
        except Exception:
            logger.exception("sending a mail failed unexpectedly; it is sent later")
        if not last_round:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), interval)


async def send_next(resources: Resources, mailer: Mailer) -> bool:
    """Send the mail that has been due for longest. Returns whether to try another one now: not if
    no mail is due, or the mail server is unavailable. Raises what an unavailable database raises:
    the mail comes again when its lease has run out."""
    settings = resources.settings
    config = settings.mail
    assert config is not None  # noqa: S101 - there is a mailer; for the types
    lease = max(LEASE, timedelta(seconds=2 * settings.smtp_timeout + MARK_SECONDS))
    async with resources.engine.begin() as connection:
        mail = await claim_due_mail(
            connection,
            lease=lease,
            max_listed=MAX_LISTED,
            max_per_hour=settings.mails_per_address,
        )
    if mail is None:
        return False
    try:
        await _send(mail, mailer, settings, config)
    except MailNotSentError as error:
        await _put_off(resources.engine, mail, config, error)
        return error.permanent
    except Exception as error:
        logger.exception("%s cannot be written", _named(mail))
        unusable = MailNotSentError(f"{type(error).__name__}: {error}", permanent=True)
        await _put_off(resources.engine, mail, config, unusable)
        return True
    await _mark(resources.engine, mail)
    logger.info("%s was sent", _named(mail))
    return True


async def _send(mail: DueMail, mailer: Mailer, settings: Settings, config: MailConfig) -> None:
    if mail.attempt > config.max_attempts:
        raise MailNotSentError("the workers that sent it ended unexpectedly", permanent=True)
    try:
        message = write_mail(
            _words(mail, settings),
            sender=config.sender,
            address=mail.address,
            message_id=mail.message_id,
            date=mail.created_at,
        )
    except UnusableAddressError as error:
        raise MailNotSentError(str(error), permanent=True) from error
    await mailer.send(message)


def _words(mail: DueMail, settings: Settings) -> Words:
    if mail.ended is not None:
        return words_for_mail(ending_of(mail.ended, settings))
    kind = MailKind(mail.kind)
    link = None
    if kind is MailKind.INVITATION:
        token = LinkTokens(settings.auth).issue(UUID(mail.detail["invitation_id"]))
        ends = datetime.fromisoformat(mail.detail["expires_at"])
        link = MailLink(f"{settings.public_url}{LINKED[kind]}{token}", ends)
    elif kind in LINKED:
        if mail.link_id is None or mail.link_expires_at is None:
            raise MailNotSentError("its link was used or has expired", permanent=True)
        url = LINKED[kind] + LinkTokens(settings.auth).issue(mail.link_id)
        link = MailLink(f"{settings.public_url}{url}", mail.link_expires_at)
    return words_about_account(kind, f"{settings.public_url}/", mail.detail, link)


def _named(mail: DueMail) -> str:
    """The mail as logs name it."""
    about = f"import {mail.ended.job_id}" if mail.ended is not None else f"{mail.kind} {mail.id}"
    return f"the mail about {about}"


async def _put_off(
    engine: AsyncEngine, mail: DueMail, config: MailConfig, error: MailNotSentError
) -> None:
    given_up = error.permanent or mail.attempt >= config.max_attempts
    delay = None if given_up else delay_after(mail.attempt, config.retry_delay)
    async with engine.begin() as connection:
        await put_off(connection, mail, str(error), delay)
    level = logging.ERROR if given_up else logging.WARNING
    then = "was abandoned" if given_up else "is sent later"
    logger.log(level, "%s %s, attempt %d: %s", _named(mail), then, mail.attempt, error)


def delay_after(attempt: int, first: float) -> timedelta:
    """How long a mail waits after this many attempts; `first` is the wait after the first, in
    seconds."""
    return min(timedelta(seconds=first * 2.0 ** min(attempt - 1, 30)), MAX_DELAY)


async def _mark(engine: AsyncEngine, mail: DueMail) -> None:
    """Take down that the mail was sent, and be stubborn about it: whatever keeps us from it sends
    the mail twice."""
    async for trial in AsyncRetrying(
        retry=retry_if_exception_type(DATABASE_UNAVAILABLE),
        wait=wait_exponential(multiplier=0.1, max=5),
        stop=stop_after_delay(MARK_SECONDS),
        reraise=True,
    ):
        with trial:
            async with engine.begin() as connection:
                await mark_sent(connection, mail)
