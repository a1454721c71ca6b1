"""Who a client is, and how often it may ask: passwords, access tokens and rate limits."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Final

import anyio
import anyio.to_thread
import jwt
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from redis.asyncio import Redis
from redis.exceptions import RedisError

from eventimport.errors import EventImportError

ALGORITHM = "HS256"
MAX_USER_ID = 2**63 - 1
MAX_VERSION = 2**31 - 1
REQUIRED_CLAIMS = ["exp", "iat", "sub", "iss", "aud"]
MIN_PASSWORD_LENGTH = 8
MAX_PASSWORD_LENGTH = 128
CONCURRENT_HASHES = 4
"""Each argon2 hash takes 64 MiB while it runs."""

PORTIONS: Final = 20
"""Number of parts in which a process claims its share of a large limit, so that few requests call
Redis."""
REST_SECONDS: Final = 5.0
"""How long Redis is not called after it failed: no request is to wait for it in vain."""
MAX_REMEMBERED: Final = 10_000
LOOK_ALIKE_SECONDS: Final = 3600
LOOK_ALIKE_ACCOUNTS: Final = 20

logger = logging.getLogger(__name__)


class InvalidTokenError(EventImportError):
    """The token is not one of ours, or no longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthConfig:
    """What signs the tokens, for whom, and for how long. `leeway` is how far the clocks of two
    processes may differ."""

    secret_key: str
    token_lifetime: timedelta = timedelta(hours=24)
    preview_lifetime: timedelta = timedelta(hours=1)
    leeway: timedelta = timedelta(seconds=30)
    issuer: str = "eventimport"
    audience: str = "eventimport"


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
        now = datetime.now(UTC)
        claims = {
            "sub": str(user_id),
            "token_version": token_version,
            "iat": now,
            "exp": now + self._config.token_lifetime,
            "iss": self._config.issuer,
            "aud": self._config.audience,
        }
        return jwt.encode(claims, self._config.secret_key, ALGORITHM)

    def verify(self, token: str) -> Bearer:
        """Whom the token names. A token without a version is of an earlier release, and has 0.
        Raises InvalidTokenError."""
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
            bearer = Bearer(int(claims["sub"]), int(claims.get("token_version", 0)))
        except (jwt.InvalidTokenError, TypeError, ValueError, RecursionError) as error:
            raise InvalidTokenError("the token is invalid") from error
        if not 0 < bearer.user_id <= MAX_USER_ID or not 0 <= bearer.token_version <= MAX_VERSION:
            raise InvalidTokenError("the token does not name an account")
        return bearer


class PreviewTokens:
    """Issues and checks tokens that open one event's page and nothing else.

    Their audience is another than that of access tokens: neither passes for the other.
    """

    def __init__(self, config: AuthConfig) -> None:
        self._config = config
        self._audience = f"{config.audience}/preview"

    def issue(self, event_id: int) -> str:
        """A token for this event's page, valid for the `preview_lifetime`."""
        now = datetime.now(UTC)
        claims = {
            "sub": str(event_id),
            "iat": now,
            "exp": now + self._config.preview_lifetime,
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
    return PasswordHasher().hash("a password that belongs to no account")


class Passwords:
    """Hashes and verifies passwords with argon2id, in threads, a bounded number at a time."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher()
        self._limiter = anyio.CapacityLimiter(CONCURRENT_HASHES)

    async def hash(self, password: str) -> str:
        """The hash to be stored, its parameters and salt included."""
        return await anyio.to_thread.run_sync(self._hasher.hash, password, limiter=self._limiter)

    async def verify(self, password_hash: str | None, password: str) -> bool:
        """Whether the password is right. Without a hash (unknown user), it needs the same time."""
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


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `count` in each `seconds`, where a count of 0 means no limit. The name is part of
    the key in Redis; errors name the setting."""

    name: str
    count: int
    seconds: int
    setting: str = ""

    @property
    def portion(self) -> int:
        """What a process takes of it at once. Of a small limit, one by one: then it is exact."""
        return max(1, self.count // PORTIONS) if self.count >= 5 * PORTIONS else 1


@dataclass(slots=True)
class LookAlikes:
    """Notices a process to which all clients have one address, as behind an unknown proxy."""

    clock: Callable[[], float] = time.time
    _window: int = 0
    _clients: set[str] = field(default_factory=set)
    _accounts: set[str] = field(default_factory=set)
    _noticed: bool = False

    def add(self, client: str, account: str) -> bool:
        """Count a sign-in. True once in an hour in which this many accounts came from one client,
        and none from another."""
        window = int(self.clock() // LOOK_ALIKE_SECONDS)
        if window != self._window:
            self._window, self._noticed = window, False
            self._clients, self._accounts = set(), set()
        if self._noticed or len(self._clients) > 1:
            return False
        self._clients.add(client)
        self._accounts.add(account)
        self._noticed = len(self._clients) == 1 and len(self._accounts) >= LOOK_ALIKE_ACCOUNTS
        return self._noticed


@dataclass(slots=True)
class _Share:
    """What this process knows of one counter in one window."""

    window: int
    left: int = 0
    counted: int = 0
    exhausted: bool = False


@dataclass(slots=True)
class Limiter:
    """Counts in fixed windows, in Redis, for all processes.

    While Redis is unavailable, each process counts for itself: no client is locked out by that, and
    none gets in without a limit.
    """

    redis: Redis
    prefix: str
    clock: Callable[[], float] = time.time
    _shares: dict[tuple[str, str], _Share] = field(default_factory=dict)
    _rests_until: float = 0.0

    async def hit(self, limit: Limit, who: str) -> int | None:
        """Count once. None where that is within the limit, else the seconds to wait, at least 1.

        `who` goes into a key of Redis: no personal data, please. Raises nothing.
        """
        if not limit.count:
            return None
        now = self.clock()
        window = int(now // limit.seconds)
        share = self._share(limit, who, window)
        share.counted += 1
        if share.left:
            share.left -= 1
            return None
        if not share.exhausted and await self._take(limit, who, share, now):
            return None
        return max(1, int((window + 1) * limit.seconds - now))

    async def _take(self, limit: Limit, who: str, share: _Share, now: float) -> bool:
        """Claim a portion. One of it is for this hit. False where nothing is left."""
        if now < self._rests_until:
            return share.counted <= limit.count
        key = f"{self.prefix}:limit:{limit.name}:{who}:{share.window}"
        portion = limit.portion
        try:
            async with self.redis.pipeline(transaction=False) as pipeline:
                pipeline.incrby(key, portion)
                pipeline.expire(key, 2 * limit.seconds)
                total, _ = await pipeline.execute()
        except (RedisError, OSError, TimeoutError) as error:
            self._rests_until = now + REST_SECONDS
            logger.warning(
                "Redis is unavailable; each process counts requests by itself: %s",
                type(error).__name__,
            )
            return share.counted <= limit.count
        granted = min(portion, limit.count - (int(total) - portion))
        if granted <= 0:
            share.exhausted = True
            return False
        share.left += granted - 1
        return True

    def _share(self, limit: Limit, who: str, window: int) -> _Share:
        share = self._shares.get((limit.name, who))
        if share is None or share.window != window:
            if len(self._shares) >= MAX_REMEMBERED:
                self._shares.clear()
            share = self._shares[limit.name, who] = _Share(window)
        return share
