"""How users are notified by e-mail."""

import ssl
from pathlib import Path
from typing import Annotated, Self

from pydantic import (
    AfterValidator,
    Field,
    FilePath,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    SecretStr,
    model_validator,
)
from pydantic_settings import BaseSettings

from eventimport.notifications.config import FolderConfig, MailConfig, SMTPConfig, read_smtp_url
from eventimport.notifications.mail import UnusableAddressError, parse_sender

FOLDER_SENDER = "eventimport <eventimport@localhost>"
"""The sender of mails in MAIL_FOLDER if MAIL_FROM is not set."""


def _smtp_url(value: SecretStr) -> SecretStr:
    read_smtp_url(value.get_secret_value(), ca_file=None, timeout=1)
    return value


def _sender(value: str) -> str:
    try:
        parse_sender(value)
    except UnusableAddressError:
        raise ValueError("must be an address, or Name <address>") from None
    return value


def _authorities(value: Path) -> Path:
    try:
        ssl.create_default_context(cafile=value)
    except OSError:
        raise ValueError("must be a file with certificates in PEM format") from None
    return value


class MailSettings(BaseSettings):
    """E-mail."""

    smtp_url: Annotated[SecretStr, AfterValidator(_smtp_url)] | None = Field(
        None,
        description="Mail server, as `smtp://user:password@host:587` (STARTTLS, unless"
        " `?starttls=false` follows) or `smtps://…` (TLS). Without it, no mail is"
        " sent.",
    )
    smtp_ca_file: Annotated[FilePath, AfterValidator(_authorities)] | None = Field(
        None,
        description="File with the certificate authorities that the mail server is checked"
        " against. Default: those of the system.",
    )
    smtp_timeout: PositiveFloat = Field(
        30.0, description="Maximum time to send one mail, in seconds."
    )
    mail_from: Annotated[str, AfterValidator(_sender)] | None = Field(
        None, description="Sender of all mails, as `Name <address>`. Required if SMTP_URL is set."
    )
    mail_folder: Path | None = Field(
        None,
        description="Folder into which mails are written as `.eml` files if SMTP_URL is not set.",
    )
    mail_max_attempts: PositiveInt = Field(
        20, description="Maximum number of attempts to send a mail."
    )
    mail_retry_delay: PositiveFloat = Field(
        10.0,
        description="Seconds between the first and the second attempt to send a mail. Each"
        " further delay is twice as long, up to an hour.",
    )
    mail_interval: PositiveFloat = Field(
        2.0, description="Seconds between two searches for mails that are due."
    )

    mails_per_address: NonNegativeInt = Field(
        20,
        description="Maximum number of mails to one address per hour. 0: no limit. Further mails"
        " about imports are sent later; further mails about the account are not sent.",
    )

    @model_validator(mode="after")
    def _mail_has_a_sender(self) -> Self:
        if self.smtp_url and not self.mail_from:
            raise ValueError("SMTP_URL needs MAIL_FROM")
        return self

    @property
    def mail(self) -> MailConfig | None:
        """What sending mail needs; None if users are notified only in the service."""
        transport = self._mail_transport
        if transport is None:
            return None
        return MailConfig(
            sender=self.mail_from or FOLDER_SENDER,
            transport=transport,
            max_attempts=self.mail_max_attempts,
            retry_delay=self.mail_retry_delay,
            interval=self.mail_interval,
        )

    @property
    def _mail_transport(self) -> SMTPConfig | FolderConfig | None:
        if self.smtp_url:
            return read_smtp_url(
                self.smtp_url.get_secret_value(),
                ca_file=self.smtp_ca_file,
                timeout=self.smtp_timeout,
            )
        return FolderConfig(self.mail_folder) if self.mail_folder else None
