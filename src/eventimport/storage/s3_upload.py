"""One object on its way to S3: a single request if it is small, else parts, a few at a time."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Coroutine
from contextlib import aclosing, suppress
from typing import Any

from eventimport.storage.protocol import StorageError
from eventimport.storage.s3_errors import storage_errors


class S3Upload:
    """Sends the chunks of one object; afterwards `size` is the sum of their lengths.

    When `send` raises, `abandon` must be awaited: it removes what may have reached the bucket.
    """

    def __init__(
        self,
        client: Any,
        target: dict[str, str],
        *,
        part_size: int,
        parts_in_flight: int,
    ) -> None:
        self._client = client
        self._target = target
        self._part_size = part_size
        self._parts_in_flight = parts_in_flight
        self._creating: asyncio.Task[str] | None = None
        self._finishing: asyncio.Task[Any] | None = None
        self._sending: set[asyncio.Task[None]] = set()
        self._started = 0
        self._etags: dict[int, str] = {}
        self.size = 0

    async def send(self, chunks: AsyncIterable[bytes], headers: dict[str, str]) -> None:
        """Store the chunks under the target's key, with these headers of the object."""
        async with aclosing(_parts(chunks, self._part_size)) as parts:
            first = await anext(parts, b"")
            self.size = len(first)
            if self.size < self._part_size:
                await self._finish(
                    self._client.put_object(**self._target, **headers, Body=first), "put_object"
                )
                return
            self._creating = asyncio.create_task(self._create(headers))
            upload_id = await asyncio.shield(self._creating)
            await self._start_part(upload_id, first)
            del first
            async for part in parts:
                self.size += len(part)
                await self._start_part(upload_id, part)
                del part
        await self._wait(asyncio.ALL_COMPLETED)
        await self._finish(
            self._client.complete_multipart_upload(
                **self._target,
                UploadId=upload_id,
                MultipartUpload={
                    "Parts": [
                        {"PartNumber": number, "ETag": self._etags[number]}
                        for number in sorted(self._etags)
                    ]
                },
            ),
            "complete_multipart_upload",
        )

    async def abandon(self) -> None:
        """Remove all that was sent: parts, the multipart upload, the object. Never raises."""
        for task in self._sending:
            task.cancel()
        await asyncio.gather(*self._sending, return_exceptions=True)
        if self._creating is not None:
            with suppress(StorageError):
                upload_id = await self._creating
                with storage_errors("abort_multipart_upload"):
                    await self._client.abort_multipart_upload(**self._target, UploadId=upload_id)
        if self._finishing is not None:
            # Even a request that failed for us may have succeeded for the server.
            await asyncio.wait([self._finishing])
            with suppress(StorageError), storage_errors("delete_object"):
                await self._client.delete_object(**self._target)

    async def _create(self, headers: dict[str, str]) -> str:
        with storage_errors("create_multipart_upload"):
            created = await self._client.create_multipart_upload(**self._target, **headers)
        return str(created["UploadId"])

    async def _start_part(self, upload_id: str, body: bytes) -> None:
        if len(self._sending) >= self._parts_in_flight:
            await self._wait(asyncio.FIRST_COMPLETED)
        self._started += 1
        sending = self._send_part(upload_id, self._started, body)
        self._sending.add(asyncio.create_task(sending))

    async def _send_part(self, upload_id: str, number: int, body: bytes) -> None:
        with storage_errors(f"upload_part {number}"):
            sent = await self._client.upload_part(
                **self._target, UploadId=upload_id, PartNumber=number, Body=body
            )
        self._etags[number] = sent["ETag"]

    async def _wait(self, until: str) -> None:
        if self._sending:
            done, self._sending = await asyncio.wait(self._sending, return_when=until)
            failures = [error for error in map(asyncio.Task.exception, done) if error]
            if failures:
                raise failures[0]

    async def _finish(self, request: Coroutine[Any, Any, Any], what: str) -> None:
        async def finish() -> None:
            with storage_errors(what):
                await request

        # Shielded: of a request that is cancelled nobody knows whether it took effect.
        self._finishing = asyncio.create_task(finish())
        await asyncio.shield(self._finishing)


async def _parts(chunks: AsyncIterable[bytes], size: int) -> AsyncGenerator[bytes]:
    """The same bytes, cut into pieces of exactly `size`, the last one shorter and never empty."""
    gathered: list[bytes] = []
    length = 0
    async for chunk in chunks:
        rest = chunk
        while length + len(rest) >= size:
            gathered.append(rest[: size - length])
            rest = rest[size - length :]
            part = b"".join(gathered)
            gathered, length = [], 0
            yield part
            del part
        if rest:
            gathered.append(rest)
            length += len(rest)
    if gathered:
        yield b"".join(gathered)
