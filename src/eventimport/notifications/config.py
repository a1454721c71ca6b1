"""How mail is sent."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, unquote, urlsplit

PORTS: Final[Mapping[str, int]] = {"smtp": 587, "smtps": 465}


@dataclass(frozen=True, slots=True, kw_only=True)
class SMTPConfig:
    """A mail server. `tls` is TLS from the first byte on, `starttls` TLS from STARTTLS on; a
    server that has none of what is wanted gets no mail. Certificates are always verified, by the
    authorities in `ca_file`, or, without it, by the system's. `timeout` is for a whole mail, in
    seconds."""

    host: str
    port: int
    tls: bool
    starttls: bool
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    ca_file: Path | None = None
    timeout: float = 30.0


@dataclass(frozen=True, slots=True)
class FolderConfig:
    """A folder that mails are written into, as `.eml` files, rather than sent."""

    path: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class MailConfig:
    """Where mail comes from and goes to. A mail that can't be sent is tried again after
    `retry_delay` seconds, then after twice as long, up to MAX_DELAY, `max_attempts` times in all.
    """

    sender: str
    transport: SMTPConfig | FolderConfig
    max_attempts: int
    retry_delay: float
    interval: float


def read_smtp_url(url: str, *, ca_file: Path | None, timeout: float) -> SMTPConfig:
    """Read `smtp://user:password@host:587?starttls=false` or `smtps://…`; user, password and port
    may be missing, and `starttls` is true where it is. Raises ValueError, quoting nothing."""
    parts = urlsplit(url)
    if parts.scheme not in PORTS:
        raise ValueError("must begin with smtp:// or smtps://")
    if not parts.hostname:
        raise ValueError("must name a host")
    if parts.path.strip("/") or parts.fragment:
        raise ValueError("must end after host, port and ?starttls=…; is the password quoted?")
    if bool(parts.username) != bool(parts.password):
        raise ValueError("must have a user and a password, or neither")
    options = parse_qs(parts.query, keep_blank_values=True)
    wanted = options.pop("starttls", ["true"])[-1]
    if options or wanted not in {"true", "false"}:
        raise ValueError("accepts only starttls=true or starttls=false after the ?")
    try:
        port = parts.port or PORTS[parts.scheme]
    except ValueError:
        raise ValueError("must have a port from 1 to 65535") from None
    tls = parts.scheme == "smtps"
    return SMTPConfig(
        host=parts.hostname,
        port=port,
        tls=tls,
        starttls=not tls and wanted == "true",
        username=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
        ca_file=ca_file,
        timeout=timeout,
    )
