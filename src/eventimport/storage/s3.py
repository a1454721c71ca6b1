"""Objects in a bucket of S3, or of a server that speaks its API."""

import asyncio
import logging
from collections.abc import AsyncIterable, AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlsplit

import aioboto3
from aiobotocore.config import AioConfig

from eventimport.storage.config import MIB, S3Config
from eventimport.storage.content_types import content_type_of, shown_in_place
from eventimport.storage.keys import check_key, check_public, visibility_of
from eventimport.storage.protocol import (
    ObjectNotFoundError,
    StorageError,
    StoredObject,
    Visibility,
)
from eventimport.storage.s3_errors import is_forbidden, is_not_found, storage_errors
from eventimport.storage.s3_upload import S3Upload

_FOREVER = "public, max-age=31536000, immutable"

_logger = logging.getLogger(__name__)


class S3Storage:
    """A `Storage` on one bucket, with one client that is opened at its first use.

    The bucket's policy, not an ACL, makes all but `private/` readable for the public.
    """

    def __init__(self, config: S3Config, *, name: str = "s3") -> None:
        self._config = config
        self._name = name
        self._client: Any = None
        self._opening = asyncio.Lock()
        self._stack = AsyncExitStack()
        self._cleanups: set[asyncio.Task[None]] = set()

    @property
    def name(self) -> str:
        """`s3`, or what the factory calls it."""
        return self._name

    async def put(
        self, key: str, chunks: AsyncIterable[bytes], *, content_type: str
    ) -> StoredObject:
        """Store the chunks: one request if they are less than a part, else a multipart upload."""
        target = self._target(check_key(key))
        upload = S3Upload(
            await self._connected(),
            target,
            part_size=self._config.part_size,
            parts_in_flight=self._config.parts_in_flight,
        )
        try:
            await upload.send(chunks, _headers(key, content_type))
        except BaseException:
            await self._clean_up(upload.abandon())
            raise
        return StoredObject(key, upload.size, content_type, datetime.now(UTC))

    @asynccontextmanager
    async def open(self, key: str) -> AsyncIterator[AsyncIterator[bytes]]:
        """Read the object's chunks."""
        target = self._target(check_key(key))
        client = await self._connected()
        try:
            with storage_errors(f"get_object {key!r}"):
                answer = await client.get_object(**target)
        except StorageError as error:
            if is_not_found(error.__cause__):
                raise ObjectNotFoundError(key) from error
            raise
        body = answer["Body"]
        async with body:
            yield _read(body, key)

    async def stat(self, key: str) -> StoredObject | None:
        """The object's facts."""
        target = self._target(check_key(key))
        client = await self._connected()
        try:
            with storage_errors(f"head_object {key!r}"):
                found = await client.head_object(**target)
        except StorageError as error:
            if is_not_found(error.__cause__):
                return None
            raise
        return StoredObject(
            key,
            found["ContentLength"],
            found.get("ContentType") or content_type_of(key),
            found["LastModified"].astimezone(UTC),
        )

    async def delete(self, key: str) -> None:
        """Remove the object. One request each: GCS refuses the checksum of DeleteObjects."""
        target = self._target(check_key(key))
        client = await self._connected()
        try:
            with storage_errors(f"delete_object {key!r}"):
                await client.delete_object(**target)
        except StorageError as error:
            if not is_not_found(error.__cause__):
                raise

    async def delete_unfinished(self, key: str) -> None:
        """Abort the multipart uploads of the key. A bucket whose policy forbids to list them needs
        a lifecycle rule that does it."""
        target = self._target(check_key(key))
        client = await self._connected()
        try:
            with storage_errors(f"list_multipart_uploads {key!r}"):
                page = await client.list_multipart_uploads(Bucket=target["Bucket"], Prefix=key)
        except StorageError as error:
            if not is_forbidden(error.__cause__):
                raise
            _logger.warning("unfinished uploads are left to the bucket's lifecycle rule: %s", error)
            return
        for upload in page.get("Uploads", ()):
            if upload["Key"] == key:
                await self._abort(target, upload["UploadId"])

    def public_url(self, key: str) -> str:
        """The URL below `public_base_url`, else the bucket's own at the endpoint."""
        return f"{self._base_url()}/{quote(check_public(key))}"

    async def close(self) -> None:
        """Finish removing what failed uploads left, and give back the connections."""
        await asyncio.gather(*self._cleanups)
        self._client = None
        await self._stack.aclose()

    async def _abort(self, target: dict[str, str], upload_id: str) -> None:
        client = await self._connected()
        try:
            with storage_errors(f"abort_multipart_upload {target['Key']!r}"):
                await client.abort_multipart_upload(**target, UploadId=upload_id)
        except StorageError as error:
            if not is_not_found(error.__cause__):
                raise

    def _target(self, key: str) -> dict[str, str]:
        return {"Bucket": self._config.bucket, "Key": key}

    def _base_url(self) -> str:
        config = self._config
        if config.public_base_url:
            return config.public_base_url.rstrip("/")
        endpoint = config.endpoint_url or f"https://s3.{config.region}.amazonaws.com"
        if config.path_style:
            return f"{endpoint.rstrip('/')}/{config.bucket}"
        parts = urlsplit(endpoint)
        return f"{parts.scheme}://{config.bucket}.{parts.netloc}"

    async def _clean_up(self, cleaning: Coroutine[Any, Any, None]) -> None:
        # A task of its own goes on if the caller is cancelled once more; `close` waits for it.
        task = asyncio.create_task(cleaning)
        self._cleanups.add(task)
        task.add_done_callback(self._cleanups.discard)
        await asyncio.shield(task)

    async def _connected(self) -> Any:
        async with self._opening:
            if self._client is None:
                with storage_errors("connecting"):
                    self._client = await self._stack.enter_async_context(self._create_client())
        return self._client

    def _create_client(self) -> Any:
        config = self._config
        return aioboto3.Session().client(
            "s3",
            region_name=config.region,
            endpoint_url=config.endpoint_url,
            aws_access_key_id=config.access_key,
            aws_secret_access_key=config.secret_key,
            config=AioConfig(
                signature_version="s3v4",
                # GCS refuses the trailing CRC32 that the SDK sends by default.
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
                s3={
                    "addressing_style": "path" if config.path_style else "virtual",
                    # TLS protects the body already; plain HTTP is signed whatever this says.
                    "payload_signing_enabled": False,
                },
                retries={"mode": "standard", "total_max_attempts": config.attempts},
                connect_timeout=10,
                read_timeout=60,
                max_pool_connections=50,
            ),
        )


def _headers(key: str, content_type: str) -> dict[str, str]:
    headers = {"ContentType": content_type}
    if visibility_of(key) is Visibility.PUBLIC:
        headers["CacheControl"] = _FOREVER
        if not shown_in_place(content_type):
            headers["ContentDisposition"] = "attachment"
    return headers


async def _read(body: Any, key: str) -> AsyncIterator[bytes]:
    while True:
        with storage_errors(f"reading {key!r}"):
            chunk: bytes = await body.read(MIB)
        if not chunk:
            return
        yield chunk
