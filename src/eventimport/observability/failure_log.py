"""Failures that are found again every few seconds, in a few lines of the log."""

import logging
import time
from collections.abc import Callable, Mapping
from typing import Final

REMINDER_SECONDS: Final = 300.0
"""How often the log repeats that something still fails."""

logger = logging.getLogger(__name__)


class FailureLog:
    """Logs what begins to fail, repeats it every few minutes, and logs when it works again."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._logged: dict[str, float] = {}

    def write(self, failures: Mapping[str, str], working: set[str]) -> None:
        """Log what has changed: the reasons of failures by name, and the names of what works. A
        name in neither stays as it was."""
        now = self._clock()
        for name, reason in failures.items():
            if now - self._logged.get(name, -REMINDER_SECONDS) >= REMINDER_SECONDS:
                self._logged[name] = now
                logger.error("not ready: %s: %s", name, reason)
        for name in self._logged.keys() & working:
            del self._logged[name]
            logger.info("ready again: %s", name)
