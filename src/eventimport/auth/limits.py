"""Rate limits: how often a client may ask."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from redis.asyncio import Redis
from redis.exceptions import RedisError

PORTIONS: Final = 20
"""Number of parts in which a process claims its share of a large limit, so that few requests call
Redis."""
REST_SECONDS: Final = 5.0
"""How long Redis is not called after it failed: no request is to wait for it in vain."""
MAX_REMEMBERED: Final = 10_000
LOOK_ALIKE_SECONDS: Final = 3600
LOOK_ALIKE_ACCOUNTS: Final = 20

logger = logging.getLogger(__name__)


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
