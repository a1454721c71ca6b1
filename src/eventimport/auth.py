"""Passwords and access tokens."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache

import anyio
import anyio.to_thread
import jwt
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from eventimport.errors import EventImportError

ALGORITHM = "HS256"
MAX_USER_ID = 2**63 - 1
REQUIRED_CLAIMS = ["exp", "iat", "sub", "iss", "aud"]
PREVIEW_LIFETIME = timedelta(hours=1)
MIN_PASSWORD_LENGTH = 8
MAX_PASSWORD_LENGTH = 128
CONCURRENT_HASHES = 4
"""Each argon2 hash takes 64 MiB while it runs."""


class InvalidTokenError(EventImportError):
    """The token is not one of ours, or no longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthConfig:
    """What signs the tokens, for whom, and for how long. `leeway` is how far the clocks of two
    processes may differ."""

    secret_key: str
    token_lifetime: timedelta = timedelta(hours=24)
    leeway: timedelta = timedelta(seconds=30)
    issuer: str = "eventimport"
    audience: str = "eventimport"


class Tokens:
    """Issues and verifies access tokens: JWT, always HS256."""

    def __init__(self, config: AuthConfig) -> None:
        self._config = config

    def issue(self, user_id: int) -> str:
        """A token that says who its bearer is, valid from now on."""
        now = datetime.now(UTC)
        claims = {
            "sub": str(user_id),
            "iat": now,
            "exp": now + self._config.token_lifetime,
            "iss": self._config.issuer,
            "aud": self._config.audience,
        }
        return jwt.encode(claims, self._config.secret_key, ALGORITHM)

    def verify(self, token: str) -> int:
        """The id of the user whom the token names. Raises InvalidTokenError."""
        try:
            claims = jwt.decode(
                token,
                self._config.secret_key,
                algorithms=[ALGORITHM],
                issuer=self._config.issuer,
                audience=self._config.audience,
                leeway=self._config.leeway,
                options={"require": REQUIRED_CLAIMS},
            )
            user_id = int(claims["sub"])
        except (jwt.InvalidTokenError, ValueError, RecursionError) as error:
            raise InvalidTokenError("the token is not valid") from error
        if not 0 < user_id <= MAX_USER_ID:
            raise InvalidTokenError("the token names nobody")
        return user_id


class PreviewTokens:
    """Issues and checks tokens that open one event's page and nothing else.

    Their audience is another than that of access tokens: neither passes for the other.
    """

    def __init__(self, config: AuthConfig) -> None:
        self._config = config
        self._audience = f"{config.audience}/preview"

    def issue(self, event_id: int) -> str:
        """A token for this event's page, valid for PREVIEW_LIFETIME."""
        now = datetime.now(UTC)
        claims = {
            "sub": str(event_id),
            "iat": now,
            "exp": now + PREVIEW_LIFETIME,
            "iss": self._config.issuer,
            "aud": self._audience,
        }
        return jwt.encode(claims, self._config.secret_key, ALGORITHM)

    def opens(self, token: str, event_id: int) -> bool:
        """Whether the token opens this event's page."""
        try:
            claims = jwt.decode(
                token,
                self._config.secret_key,
                algorithms=[ALGORITHM],
                issuer=self._config.issuer,
                audience=self._audience,
                leeway=self._config.leeway,
                options={"require": REQUIRED_CLAIMS},
            )
        except (jwt.InvalidTokenError, ValueError, RecursionError):
            return False
        return bool(claims["sub"] == str(event_id))


@cache
def _decoy_hash() -> str:
    return PasswordHasher().hash("nobody has this password")


class Passwords:
    """Hashes and verifies passwords with argon2id, in threads, a bounded number at a time."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher()
        self._limiter = anyio.CapacityLimiter(CONCURRENT_HASHES)

    async def hash(self, password: str) -> str:
        """The hash to be stored, its parameters and salt included."""
        return await anyio.to_thread.run_sync(self._hasher.hash, password, limiter=self._limiter)

    async def verify(self, password_hash: str | None, password: str) -> bool:
        """Whether the password is right. Without a hash (no such user) it takes as long."""
        matches = await anyio.to_thread.run_sync(
            self._matches, password_hash, password, limiter=self._limiter
        )
        return matches and password_hash is not None

    def needs_rehash(self, password_hash: str) -> bool:
        """Whether the hash was made with other parameters than today's."""
        return self._hasher.check_needs_rehash(password_hash)

    def _matches(self, password_hash: str | None, password: str) -> bool:
        # Asked for whether it is needed or not: the first time takes longer, for everybody.
        decoy = _decoy_hash()
        try:
            return self._hasher.verify(password_hash or decoy, password)
        except (VerificationError, InvalidHashError):
            return False
