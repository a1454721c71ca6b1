"""How a fetch can fail."""

from typing import Literal

from eventimport.errors import EventImportError

FetchOutcome = Literal["UNREACHABLE", "REFUSED", "TOO_LARGE"]


class FetchError(EventImportError):
    """Nothing was fetched; the message says why, and names no address of our network."""

    def __init__(self, outcome: FetchOutcome, detail: str) -> None:
        super().__init__(detail)
        self.outcome: FetchOutcome = outcome
        self.detail = detail
