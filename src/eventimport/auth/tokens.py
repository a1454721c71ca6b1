"""The tokens that clients and links carry: access tokens, previews, links in mails, and secrets of
which the database has only a hash."""

import secrets
from dataclasses import dataclass
from hashlib import sha256
from typing import Final
from uuid import UUID

from eventimport.auth.keys import AuthConfig, InvalidTokenError, is_sealed, seal, sign, verify

MAX_USER_ID: Final = 2**63 - 1
MAX_VERSION: Final = 2**31 - 1

PERSONAL_PREFIX: Final = "eip_"
REFRESH_PREFIX: Final = "eir_"
"""Secret scanners, and the redaction of logs, recognise tokens by these."""
UUID_LENGTH: Final = 32
SECRET_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class Bearer:
    """Whom a token names. The token counts only while the account has this `token_version`."""

    user_id: int
    token_version: int = 0


class Tokens:
    """Issues and verifies access tokens: JWT, always HS256."""

    def __init__(self, config: AuthConfig) -> None:
        self._config = config

    def issue(self, user_id: int, token_version: int = 0) -> str:
        """A token that says who its bearer is, valid from now on."""
        return sign(
            self._config,
            user_id,
            self._config.token_lifetime,
            identity=user_id,
            token_version=token_version,
        )

    def verify(self, token: str) -> Bearer:
        """Whom the token names. A token without a version is of an earlier release, and has 0.
        Raises InvalidTokenError."""
        claims = verify(self._config, token)
        try:
            bearer = Bearer(int(claims["sub"]), int(claims.get("token_version", 0)))
        except (TypeError, ValueError) as error:
            raise InvalidTokenError("the token is invalid") from error
        if not 0 < bearer.user_id <= MAX_USER_ID or not 0 <= bearer.token_version <= MAX_VERSION:
            raise InvalidTokenError("the token does not name an account")
        return bearer


class PreviewTokens:
    """Issues and checks tokens that open one event's page and nothing else.

    Their audience is another than that of access tokens: neither passes for the other.
    """

    def __init__(self, config: AuthConfig) -> None:
        self._config = config.for_audience("preview")

    def issue(self, event_id: int) -> str:
        """A token for this event's page, valid for the `preview_lifetime`."""
        return sign(self._config, event_id, self._config.preview_lifetime)

    def opens(self, token: str, event_id: int) -> bool:
        """Whether the token opens this event's page."""
        try:
            claims = verify(self._config, token)
        except InvalidTokenError:
            return False
        return bool(claims["sub"] == str(event_id))


class LinkTokens:
    """Makes and reads the tokens of links in mails: the id of the link's row, and a signature.

    The row says what the link does and when it expires; it goes when the link is used.
    """

    def __init__(self, config: AuthConfig) -> None:
        self._config = config.for_audience("link")

    def issue(self, link_id: UUID) -> str:
        """The token of a link."""
        return link_id.hex + seal(self._config, link_id.hex)

    def verify(self, token: str) -> UUID:
        """The id of the link's row. Raises InvalidTokenError."""
        name, given = token[:UUID_LENGTH], token[UUID_LENGTH:]
        if not is_sealed(self._config, name, given):
            raise InvalidTokenError("the link is invalid")
        return UUID(name)


def new_secret(prefix: str) -> str:
    """A random token that begins with the prefix."""
    return prefix + secrets.token_urlsafe(SECRET_BYTES)


def hash_of(secret: str) -> str:
    """What the database has of a random token: it is too long to be guessed from its hash."""
    return sha256(secret.encode()).hexdigest()


def new_refresh_token(sign_in_id: UUID) -> str:
    """A refresh token of this sign-in; each replaces the one before."""
    return new_secret(REFRESH_PREFIX + sign_in_id.hex)


def sign_in_of(refresh_token: str) -> UUID:
    """The sign-in that a refresh token names. Raises InvalidTokenError."""
    name = refresh_token.removeprefix(REFRESH_PREFIX)[:UUID_LENGTH]
    try:
        return UUID(hex=name)
    except ValueError as error:
        raise InvalidTokenError("the refresh token is invalid") from error
