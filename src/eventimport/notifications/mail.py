"""The e-mail itself: its headers and its two bodies.

The headers are written here, byte by byte. `email.message` decodes encoded words (RFC 2047) in a
header that is assigned to it: some Pythons then write the line breaks that such a word holds.
"""

import re
import unicodedata
from base64 import b64encode
from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Final
from urllib.parse import urlsplit
from uuid import UUID, uuid4

from email_validator import EmailNotValidError, validate_email

from eventimport.errors import EventImportError
from eventimport.notifications.messages import Words

MAX_ADDRESS: Final = 254
ENCODED_WORD: Final = "=?"
CONTROLS: Final = frozenset({"Cc", "Cs", "Zl", "Zp"})
MAX_LITERAL: Final = 60
"""A longer header is written in encoded words, which can be folded anywhere."""
WORD_BYTES: Final = 39
"""With these, `Subject: ` and an encoded word stay within the 76 columns of RFC 2047."""
_BODY: Final = SMTP.clone(cte_type="7bit")

_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?")
_DOMAIN = re.compile(rf"{_HOST.pattern}|\[[0-9A-Fa-f:.]+\]")
_ATOMS = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LOCAL_PART = re.compile(rf"{_ATOMS}(\.{_ATOMS})*")
_PHRASE = re.compile(rf"{_ATOMS}( {_ATOMS})*")
_SENDER = re.compile(r"(?P<name>[^<>]*)<(?P<address>[^<>]*)>|(?P<bare>[^<>]*)")
_QUOTED_NAME = re.compile(r'"((?:[^"\\]|\\.)*)"')


class UnusableAddressError(EventImportError):
    """No mail can be sent to, or from, such an address."""


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail as it goes over the wire. `needs_utf8`: its recipient's name is beyond ASCII, so only
    a server with SMTPUTF8 can deliver it."""

    sender: str
    recipient: str
    message_id: str
    date: datetime
    content: bytes
    needs_utf8: bool


def message_id_of(job_id: UUID, public_url: str) -> str:
    """The `Message-ID` of the one mail about an import, however often it is sent: receivers
    drop a second mail of the same id."""
    return _message_id(f"import-{job_id}", public_url)


def new_message_id(kind: str, public_url: str) -> str:
    """The `Message-ID` of a mail of its own."""
    return _message_id(f"{kind}-{uuid4()}", public_url)


def _message_id(name: str, public_url: str) -> str:
    host = urlsplit(public_url).hostname or ""
    return f"<{name}@{host if _HOST.fullmatch(host) else 'eventimport.invalid'}>"


def write_mail(words: Words, *, sender: str, address: str, message_id: str, date: datetime) -> Mail:
    """The mail, as plain text and as HTML. `sender` is an address, or `Name <address>`.

    Raises UnusableAddressError, and ValueError for a header with control characters.
    """
    recipient, parsed_sender = _address(address), parse_sender(sender)
    headers = {
        "From": _mailbox(parsed_sender),
        "To": recipient.addr_spec,
        "Subject": encoded(words.subject),
        "Date": format_datetime(date),
        "Message-ID": message_id,
        # Asks out-of-office programs not to answer (RFC 3834).
        "Auto-Submitted": "auto-generated",
    }
    body = EmailMessage(policy=_BODY)
    body.set_content(words.text)
    body.add_alternative(words.html, subtype="html")
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return Mail(
        sender=parsed_sender.addr_spec,
        recipient=recipient.addr_spec,
        message_id=message_id,
        date=date,
        content=lines.encode() + body.as_bytes(),
        needs_utf8=not recipient.addr_spec.isascii(),
    )


def encoded(text: str) -> str:
    """The text as the value of a header: as it is, or in encoded words if it needs them.

    An encoded word within the text is text, and is encoded again. Raises ValueError for control
    characters.
    """
    if any(unicodedata.category(character) in CONTROLS for character in text):
        raise ValueError("a header has no control characters")
    if text.isascii() and ENCODED_WORD not in text and len(text) <= MAX_LITERAL:
        return text
    pieces, piece = [], b""
    for character in text:
        more = character.encode()
        if len(piece) + len(more) > WORD_BYTES:
            pieces.append(piece)
            piece = b""
        piece += more
    return "\r\n ".join(f"=?utf-8?b?{b64encode(each).decode()}?=" for each in [*pieces, piece])


def _mailbox(address: Address) -> str:
    name = address.display_name
    if not name:
        return address.addr_spec
    phrase = encoded(name)
    if phrase == name and not _PHRASE.fullmatch(name):
        phrase = '"{}"'.format(re.sub(r'(["\\])', r"\\\1", name))
    return f"{phrase} <{address.addr_spec}>"


def parse_sender(sender: str) -> Address:
    """Read an address, or `Name <address>`. Raises UnusableAddressError."""
    found = _SENDER.fullmatch(sender.strip())
    if found is None:
        raise UnusableAddressError("must be one address, or Name <address>")
    name = (found["name"] or "").strip()
    quoted = _QUOTED_NAME.fullmatch(name)
    if quoted:
        name = re.sub(r"\\(.)", r"\1", quoted[1])
    try:
        encoded(name)
    except ValueError as error:
        raise UnusableAddressError(str(error)) from None
    parsed = _address(found["bare"] if found["address"] is None else found["address"])
    return Address(name, parsed.username, parsed.domain)


def _address(address: str) -> Address:
    """The address; its domain as DNS knows it, whatever letters it was written in."""
    if not address.isascii():
        try:
            valid = validate_email(address, check_deliverability=False)
        except EmailNotValidError as error:
            raise UnusableAddressError(f"not a valid e-mail address: {error}") from None
        return Address(username=valid.local_part, domain=valid.ascii_domain)
    local_part, _, domain = address.rpartition("@")
    if (
        len(address) > MAX_ADDRESS
        or ENCODED_WORD in local_part
        or not _LOCAL_PART.fullmatch(local_part)
        or not _DOMAIN.fullmatch(domain)
    ):
        raise UnusableAddressError("not a valid e-mail address: expected name@domain")
    return Address(username=local_part, domain=domain)
