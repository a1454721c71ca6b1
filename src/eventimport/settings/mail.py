"""How users are told by e-mail."""

import ssl
from pathlib import Path
from typing import Annotated, Self

from pydantic import (
    AfterValidator,
    Field,
    FilePath,
    PositiveFloat,
    PositiveInt,
    SecretStr,
    model_validator,
)
from pydantic_settings import BaseSettings

from eventimport.notifications.config import FolderConfig, MailConfig, SMTPConfig, read_smtp_url
from eventimport.notifications.mail import UnusableAddressError, parse_sender

FOLDER_SENDER = "eventimport <eventimport@localhost>"
"""Whom the mails in a folder are from, where nobody is named."""


def _smtp_url(value: SecretStr) -> SecretStr:
    read_smtp_url(value.get_secret_value(), ca_file=None, timeout=1)
    return value


def _sender(value: str) -> str:
    try:
        parse_sender(value)
    except UnusableAddressError:
        raise ValueError("must be one address, or Name <address>") from None
    return value


def _authorities(value: Path) -> Path:
    try:
        ssl.create_default_context(cafile=value)
    except OSError:
        raise ValueError("must be a file of certificates, as PEM") from None
    return value


class MailSettings(BaseSettings):
    """E-mail."""

    smtp_url: Annotated[SecretStr, AfterValidator(_smtp_url)] | None = Field(
        None,
        description="The mail server, as `smtp://user:password@host:587` (STARTTLS, unless"
        " `?starttls=false` follows) or `smtps://…` (TLS). Without it, no mail is sent.",
    )
    smtp_ca_file: Annotated[FilePath, AfterValidator(_authorities)] | None = Field(
        None,
        description="The authorities that may vouch for the mail server. Default: the system's.",
    )
    smtp_timeout: PositiveFloat = Field(
        30.0, description="How long sending one mail may take, in seconds."
    )
    mail_from: Annotated[str, AfterValidator(_sender)] | None = Field(
        None, description="Whom mail is from, as `Name <address>`; SMTP_URL needs it."
    )
    mail_folder: Path | None = Field(
        None,
        description="A folder that mails are written into, as `.eml` files, where SMTP_URL is"
        " not set.",
    )
    mail_max_attempts: PositiveInt = Field(
        20, description="How often a mail is tried before it is given up."
    )
    mail_retry_delay: PositiveFloat = Field(
        10.0,
        description="After how long a mail is tried for the second time, in seconds; each delay"
        " is twice the one before, up to an hour.",
    )
    mail_interval: PositiveFloat = Field(
        2.0, description="How often mails that are due are looked for, in seconds."
    )

    @model_validator(mode="after")
    def _mail_has_a_sender(self) -> Self:
        if self.smtp_url and not self.mail_from:
            raise ValueError("SMTP_URL needs MAIL_FROM")
        return self

    @property
    def mail(self) -> MailConfig | None:
        """What sending mail needs; None where users are told in the service alone."""
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
