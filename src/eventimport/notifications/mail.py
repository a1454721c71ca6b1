"""The e-mail itself: its headers and its two bodies."""

import re
from datetime import datetime
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from urllib.parse import urlsplit
from uuid import UUID

from email_validator import EmailNotValidError, validate_email

from eventimport.errors import EventImportError
from eventimport.notifications.messages import Words

_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?")


class UnusableAddressError(EventImportError):
    """No mail can be sent to, or from, such an address."""


def message_id_of(job_id: UUID, public_url: str) -> str:
    """The `Message-ID` of the one mail about an import, whoever sends it and how often: receivers
    drop a second mail of the same id."""
    host = urlsplit(public_url).hostname or ""
    return f"<import-{job_id}@{host if _HOST.fullmatch(host) else 'eventimport.invalid'}>"


def write_mail(
    words: Words, *, sender: str, address: str, message_id: str, date: datetime
) -> EmailMessage:
    """The mail, as plain text and as HTML. `sender` is an address, or `Name <address>`.

    Raises UnusableAddressError.
    """
    recipient = _address(address)
    mail = EmailMessage(policy=SMTP if recipient.addr_spec.isascii() else SMTPUTF8)
    mail["From"] = parse_sender(sender)
    mail["To"] = recipient
    mail["Subject"] = words.subject
    mail["Date"] = date
    mail["Message-ID"] = message_id
    # Asks out-of-office programs not to answer (RFC 3834).
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(words.text)
    mail.add_alternative(words.html, subtype="html")
    return mail


def parse_sender(sender: str) -> Address:
    """Read an address, or `Name <address>`. Raises UnusableAddressError."""
    try:
        header = SMTP.header_factory("From", sender)
    except (MessageError, ValueError, IndexError) as error:
        raise UnusableAddressError(f"no address: {error}") from None
    if len(header.addresses) != 1 or header.defects:
        raise UnusableAddressError("must be one address, or Name <address>")
    parsed = _address(header.addresses[0].addr_spec)
    return Address(header.addresses[0].display_name, parsed.username, parsed.domain)


def _address(address: str) -> Address:
    """The address; its domain as DNS knows it, whatever letters it was written in."""
    try:
        if address.isascii():
            parsed = Address(addr_spec=address)
        else:
            valid = validate_email(address, check_deliverability=False)
            parsed = Address(username=valid.local_part, domain=valid.ascii_domain)
    except (EmailNotValidError, MessageError, ValueError, IndexError) as error:
        raise UnusableAddressError(f"no address: {error}") from None
    if not parsed.username or not parsed.domain:
        raise UnusableAddressError("an address has a name, an @ and a domain")
    return parsed
