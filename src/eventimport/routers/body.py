"""The body of a request, chunk by chunk, from clients that stall, vanish or never stop."""

import asyncio

from starlette.requests import ClientDisconnect, Request

from eventimport.errors import ProblemError, refuse


def too_large(what: str, limit: str, allowed: int) -> ProblemError:
    """The answer to what goes beyond a limit; `limit` is its name in `UploadLimits`."""
    return refuse(
        413,
        "limit-exceeded",
        "The upload is too large",
        f"Too many {what}: at most {allowed:,} are taken ({limit}).",
        meta={"limit": limit, "allowed": allowed},
    )


class Body:
    """A request's body; more than `max_bytes` raise `refusal`.

    A body that is declared too large is refused when this is made, before any of it is read.
    """

    def __init__(
        self,
        request: Request,
        *,
        max_bytes: int,
        refusal: ProblemError,
        chunk_timeout_seconds: float,
    ) -> None:
        self._receive = request.receive
        self._too_large = refusal
        self._left = max_bytes
        self._timeout = chunk_timeout_seconds
        self.received_all = False
        declared = request.headers.get("content-length", "")
        if declared.isdecimal() and int(declared) > max_bytes:
            raise self._too_large

    async def next_chunk(self) -> bytes:
        """The next bytes, possibly none; `received_all` tells afterwards whether they are the last.

        Raises ClientDisconnect when the client has gone, and refuses one that sends nothing for
        too long (408) or more than the limit (413).
        """
        try:
            async with asyncio.timeout(self._timeout):
                message = await self._receive()
        except TimeoutError:
            raise refuse(
                408,
                "upload-stalled",
                "The client stopped sending",
                f"Nothing was received for {self._timeout:g} seconds (chunk_timeout_seconds).",
                headers={"Connection": "close"},
            ) from None
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        chunk: bytes = message.get("body", b"")
        self._left -= len(chunk)
        if self._left < 0:
            raise self._too_large
        self.received_all = not message.get("more_body", False)
        return chunk

    async def read(self) -> bytes:
        """All that is left of the body."""
        chunks = []
        while not self.received_all:
            chunks.append(await self.next_chunk())
        return b"".join(chunks)
