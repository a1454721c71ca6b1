"""How a fetch can fail."""

from typing import Final, Literal

from eventimport.errors import EventImportError

FetchOutcome = Literal["UNREACHABLE", "REFUSED", "TOO_LARGE"]

UNREACHABLE_HOST: Final = (
    "the host cannot be reached: its name is unknown, its address is not public, or it does not"
    " answer"
)
"""One text for all reasons, so that a report does not say which names exist in our network."""


class FetchError(EventImportError):
    """Nothing was fetched; the message says why, and names no address of our network.

    `host_failed` if the host is to blame, and not the one link; `retry_after` is how many seconds
    it asked to wait.
    """

    def __init__(
        self,
        outcome: FetchOutcome,
        detail: str,
        *,
        host_failed: bool = False,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(detail)
        self.outcome: FetchOutcome = outcome
        self.detail = detail
        self.host_failed = host_failed
        self.retry_after = retry_after
