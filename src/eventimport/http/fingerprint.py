"""What a request asks for, in 32 bytes, so that its repetition is known from another one."""

import hashlib
import json
from collections.abc import AsyncIterable, AsyncIterator, Mapping
from typing import Any


class Fingerprint:
    """Of the route, its options, and the files in the order sent: their names and contents.

    It is taken of what was parsed and not of the body as sent, in which a client may write another
    boundary each time.
    """

    def __init__(self, route: str, options: Mapping[str, Any]) -> None:
        self.route = route
        self._options = dict(options)
        self._files: list[tuple[str, str | None, int, str]] = []

    async def reading(
        self, name: str, filename: str | None, chunks: AsyncIterable[bytes]
    ) -> AsyncIterator[bytes]:
        """The chunks of a part of the form, which counts once it is read to its end."""
        # In the event loop: a chunk of 64 KiB takes 0.1 ms, as long as handing it to a thread does.
        digest, size = hashlib.sha256(), 0
        async for chunk in chunks:
            digest.update(chunk)
            size += len(chunk)
            yield chunk
        self._files.append((name, filename, size, digest.hexdigest()))

    def add(self, name: str, filename: str | None, content: bytes) -> None:
        """Count a whole file."""
        digest = hashlib.sha256(content).hexdigest()
        self._files.append((name, filename, len(content), digest))

    def digest(self) -> bytes:
        """The SHA-256 of all that was added."""
        content = json.dumps([self.route, self._options, self._files], sort_keys=True)
        return hashlib.sha256(content.encode()).digest()
