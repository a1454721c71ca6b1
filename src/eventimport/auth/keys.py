"""The keys that sign tokens and links: the first signs, all verify.

To replace a key, put the new one first and keep the old one until what it signed has expired.
"""

import hmac
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from typing import Any, Final

import jwt

from eventimport.auth.weak_secrets import is_predictable
from eventimport.errors import EventImportError

ALGORITHM: Final = "HS256"
REQUIRED_CLAIMS: Final = ["exp", "iat", "sub", "iss", "aud"]
MIN_KEY_LENGTH: Final = 32
MIN_DISTINCT: Final = 8
"""Different characters that a key must have. A random hexadecimal key of 32 has about 14."""


class InvalidTokenError(EventImportError):
    """The token is not one of ours, or no longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthConfig:
    """What signs the tokens, for whom, and for how long. `leeway` is how far the clocks of two
    processes may differ."""

    secret_key: str = field(repr=False)
    previous_keys: tuple[str, ...] = field(default=(), repr=False)
    token_lifetime: timedelta = timedelta(hours=24)
    refresh_lifetime: timedelta = timedelta(days=30)
    preview_lifetime: timedelta = timedelta(hours=1)
    leeway: timedelta = timedelta(seconds=30)
    issuer: str = "eventimport"
    audience: str = "eventimport"

    @property
    def keys(self) -> tuple[str, ...]:
        """All keys that verify; the first of them signs."""
        return (self.secret_key, *self.previous_keys)

    def for_audience(self, name: str) -> "AuthConfig":
        """The same configuration for tokens of another use: neither passes for the other."""
        return replace(self, audience=f"{self.audience}/{name}")


def sign(config: AuthConfig, subject: object, lifetime: timedelta, **claims: Any) -> str:
    """A JWT about the subject, valid from now on."""
    now = datetime.now(UTC)
    standard = {
        "sub": str(subject),
        "iat": now,
        "exp": now + lifetime,
        "iss": config.issuer,
        "aud": config.audience,
    }
    return jwt.encode({**claims, **standard}, config.secret_key, ALGORITHM)


def verify(config: AuthConfig, token: str) -> dict[str, Any]:
    """The claims of a JWT that one of the keys has signed. Raises InvalidTokenError."""
    for key in config.keys:
        try:
            return jwt.decode(
                token,
                _prepared(key),
                algorithms=[ALGORITHM],
                issuer=config.issuer,
                audience=config.audience,
                leeway=config.leeway,
                options={"require": REQUIRED_CLAIMS},
            )
        except jwt.InvalidSignatureError:
            continue
        except (jwt.InvalidTokenError, ValueError, RecursionError) as error:
            raise InvalidTokenError("the token is invalid") from error
    raise InvalidTokenError("no key has signed the token")


@lru_cache(maxsize=16)
def _prepared(key: str) -> jwt.PyJWK:
    """The key as PyJWT verifies with it. PyJWT would look at a text anew for each token."""
    encoded = urlsafe_b64encode(key.encode()).rstrip(b"=").decode()
    return jwt.PyJWK({"kty": "oct", "k": encoded}, ALGORITHM)


def seal(config: AuthConfig, text: str) -> str:
    """A short signature of the text, for a URL."""
    return _seal(config.secret_key, config.audience, text)


def is_sealed(config: AuthConfig, text: str, seal: str) -> bool:
    """Whether one of the keys has made this signature of the text."""
    given = seal.encode()
    return any(hmac.compare_digest(made.encode(), given) for made in _seals(config, text))


def _seals(config: AuthConfig, text: str) -> Iterator[str]:
    return (_seal(key, config.audience, text) for key in config.keys)


def _seal(key: str, audience: str, text: str) -> str:
    digest = hmac.new(key.encode(), f"{audience}:{text}".encode(), sha256).digest()
    return urlsafe_b64encode(digest[:24]).decode()


def weakness_of_key(key: str) -> str | None:
    """What is wrong with a key; None if nothing is."""
    if len(key) < MIN_KEY_LENGTH:
        return f"must have at least {MIN_KEY_LENGTH} characters"
    if len(set(key)) < MIN_DISTINCT or is_predictable(key):
        return (
            "must be random, not a repeated text, a sequence or dictionary words. Make one with"
            " `openssl rand -hex 32`"
        )
    return None
