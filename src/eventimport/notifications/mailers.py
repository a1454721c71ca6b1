"""Sending a mail: to an SMTP server, or into a folder."""

import asyncio
import contextlib
import os
import ssl
from pathlib import Path
from typing import Final, Protocol

from aiosmtplib import (
    SMTP,
    SMTPDataError,
    SMTPException,
    SMTPRecipientsRefused,
    SMTPResponseException,
)

from eventimport.errors import EventImportError
from eventimport.notifications.config import FolderConfig, SMTPConfig
from eventimport.notifications.mail import Mail

PERMANENT: Final = 500
"""Replies from here on mean that the server will not change its mind (RFC 5321, 4.2.1)."""

QUIT_SECONDS: Final = 2.0


class MailNotSentError(EventImportError):
    """The mail was not sent, as far as one knows. `permanent`: nor will it be, if it is tried
    again. Otherwise the server is unavailable, or accepts no mail for now."""

    def __init__(self, reason: str, *, permanent: bool = False) -> None:
        super().__init__(reason)
        self.permanent = permanent


class Mailer(Protocol):
    """What sends mails."""

    async def send(self, mail: Mail) -> None:
        """Send a mail to its recipient. Raises MailNotSentError."""
        ...


class SMTPMailer:
    """Sends each mail over a connection of its own."""

    def __init__(self, config: SMTPConfig) -> None:
        """Raises OSError when the file of authorities can't be read."""
        self._config = config
        self._tls_context = (
            ssl.create_default_context(cafile=config.ca_file)
            if config.tls or config.starttls
            else None
        )

    async def send(self, mail: Mail) -> None:
        """Returns when the server has accepted the mail. Raises MailNotSentError."""
        config = self._config
        client = SMTP(
            hostname=config.host,
            port=config.port,
            use_tls=config.tls,
            start_tls=config.starttls,
            username=config.username,
            password=config.password,
            tls_context=self._tls_context,
            timeout=config.timeout,
        )
        try:
            async with asyncio.timeout(config.timeout):
                await client.connect()
                options = ["SMTPUTF8"] if mail.needs_utf8 else []
                await client.sendmail(
                    mail.sender, mail.recipient, mail.content, mail_options=options
                )
        except SMTPRecipientsRefused as error:
            codes = [refusal.code for refusal in error.recipients]
            raise MailNotSentError(
                _reason(error.recipients[0]), permanent=min(codes) >= PERMANENT
            ) from error
        except SMTPDataError as error:
            raise MailNotSentError(_reason(error), permanent=error.code >= PERMANENT) from error
        except (SMTPException, OSError, TimeoutError) as error:
            raise MailNotSentError(_reason(error)) from error
        else:
            # It is sent by now, whatever the server says to our leaving.
            with contextlib.suppress(SMTPException, OSError, TimeoutError):
                await client.quit(timeout=QUIT_SECONDS)
        finally:
            client.close()


def _reason(error: Exception) -> str:
    if isinstance(error, SMTPResponseException):
        return f"{type(error).__name__}: {error.code} {error.message}"
    return f"{type(error).__name__}: {error}"


class FolderMailer:
    """Writes each mail into a file of its own; a mail that is sent twice is one file."""

    def __init__(self, config: FolderConfig) -> None:
        self._folder = config.path

    async def send(self, mail: Mail) -> None:
        """Write `<date>-<id>.eml`. Raises MailNotSentError."""
        name = mail.message_id.strip("<>").partition("@")[0]
        path = self._folder / f"{mail.date:%Y%m%dT%H%M%S}-{name}.eml"
        try:
            await asyncio.to_thread(_write, path, mail.content)
        except OSError as error:
            raise MailNotSentError(_reason(error)) from error


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(f".{os.getpid()}.tmp")
    partial.write_bytes(content)
    partial.replace(path)


def create_mailer(transport: SMTPConfig | FolderConfig) -> Mailer:
    """The mailer that the configuration asks for. Raises OSError, as `SMTPMailer` does."""
    return SMTPMailer(transport) if isinstance(transport, SMTPConfig) else FolderMailer(transport)
