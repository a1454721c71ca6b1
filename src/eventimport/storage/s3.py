"""Objects in a bucket of S3, of a server that speaks its API, or of Google Cloud Storage."""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Coroutine, Iterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, contextmanager, suppress
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlsplit

import aioboto3
from aiobotocore.config import AioConfig
from aiohttp import ClientError as ConnectionFailed
from botocore.exceptions import BotoCoreError, ClientError

from eventimport.storage.config import MIB, GCSConfig, S3Config
from eventimport.storage.content_types import content_type_of, shown_in_place
from eventimport.storage.keys import check_key, check_public, visibility_of
from eventimport.storage.protocol import (
    ObjectNotFoundError,
    StorageError,
    StoredObject,
    Visibility,
)

_FOREVER = "public, max-age=31536000, immutable"
_NOT_FOUND = frozenset({"404", "NoSuchKey", "NoSuchUpload", "NotFound"})
_FORBIDDEN = frozenset({"AccessDenied", "NotImplemented"})
_RETRYABLE = frozenset(
    {"InternalError", "RequestTimeout", "ServiceUnavailable", "SlowDown", "TooManyRequests"}
)

_CREDENTIALS = "Check S3_ACCESS_KEY and S3_SECRET_KEY (or GCS_ACCESS_KEY and GCS_SECRET_KEY)."
_UNREACHABLE = "The storage server cannot be reached. Check S3_ENDPOINT_URL and S3_REGION."
_FULL = "The storage is full or over its quota. Enlarge it, or free space."
_WRONG_REGION = "The bucket is in another region. Check S3_REGION."
_ADVICE = {
    "403": _CREDENTIALS,
    "AccessDenied": "Allow these credentials to list, read, write and delete in the bucket.",
    "AuthorizationHeaderMalformed": _WRONG_REGION,
    "EndpointConnectionError": _UNREACHABLE,
    "ConnectTimeoutError": _UNREACHABLE,
    "ReadTimeoutError": _UNREACHABLE,
    "ExpiredToken": _CREDENTIALS,
    "IllegalLocationConstraintException": _WRONG_REGION,
    "InvalidAccessKeyId": _CREDENTIALS,
    "InvalidToken": _CREDENTIALS,
    "NoCredentialsError": _CREDENTIALS,
    "NoSuchBucket": "The bucket does not exist. Check S3_BUCKET or GCS_BUCKET, or create it.",
    "PermanentRedirect": _WRONG_REGION,
    "QuotaExceeded": _FULL,
    "RequestTimeTooSkewed": "The clock of this machine is wrong. Synchronise it.",
    "SSLError": "The server's certificate is not trusted. Check S3_ENDPOINT_URL.",
    "SignatureDoesNotMatch": _CREDENTIALS,
    "XMinioStorageFull": _FULL,
}
"""What to do, by S3's error code or the SDK's exception."""

_logger = logging.getLogger(__name__)


class S3Storage:
    """A `Storage` on one bucket, with one client that is opened at its first use.

    The bucket's policy, not an ACL, makes everything except `private/` public.
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
        upload = _Upload(
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
            with _storage_errors(f"get_object {key!r}"):
                answer = await client.get_object(**target)
        except StorageError as error:
            if _is_not_found(error.__cause__):
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
            with _storage_errors(f"head_object {key!r}"):
                found = await client.head_object(**target)
        except StorageError as error:
            if _is_not_found(error.__cause__):
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
            with _storage_errors(f"delete_object {key!r}"):
                await client.delete_object(**target)
        except StorageError as error:
            if not _is_not_found(error.__cause__):
                raise

    async def move(self, key: str, new_key: str) -> None:
        """Copy the object within the bucket, and remove the first one."""
        source, target = self._target(check_key(key)), self._target(check_key(new_key))
        client = await self._connected()
        try:
            with _storage_errors(f"copy_object {key!r}"):
                await client.copy_object(**target, CopySource=source)
        except StorageError as error:
            if _is_not_found(error.__cause__):
                raise ObjectNotFoundError(key) from error
            raise
        await self.delete(key)

    async def delete_unfinished(self, key: str) -> None:
        """Abort the multipart uploads of the key. A bucket whose policy forbids to list them needs
        a lifecycle rule that does it."""
        target = self._target(check_key(key))
        client = await self._connected()
        try:
            with _storage_errors(f"list_multipart_uploads {key!r}"):
                page = await client.list_multipart_uploads(Bucket=target["Bucket"], Prefix=key)
        except StorageError as error:
            if not _is_forbidden(error.__cause__):
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
            with _storage_errors(f"abort_multipart_upload {target['Key']!r}"):
                await client.abort_multipart_upload(**target, UploadId=upload_id)
        except StorageError as error:
            if not _is_not_found(error.__cause__):
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
                with _storage_errors("connecting"):
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


def create_gcs_storage(config: GCSConfig) -> S3Storage:
    """Google Cloud Storage: the S3 backend over the XML API, with HMAC keys and path style."""
    return S3Storage(
        S3Config(
            bucket=config.bucket,
            region=config.region,
            endpoint_url=config.endpoint_url,
            access_key=config.access_key,
            secret_key=config.secret_key,
            path_style=True,
            part_size=config.part_size,
            parts_in_flight=config.parts_in_flight,
            public_base_url=config.public_base_url,
        ),
        name="gcs",
    )


class _Upload:
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
                with _storage_errors("abort_multipart_upload"):
                    await self._client.abort_multipart_upload(**self._target, UploadId=upload_id)
        if self._finishing is not None:
            # Even a request that failed for us may have succeeded for the server.
            await asyncio.wait([self._finishing])
            with suppress(StorageError), _storage_errors("delete_object"):
                await self._client.delete_object(**self._target)

    async def _create(self, headers: dict[str, str]) -> str:
        with _storage_errors("create_multipart_upload"):
            created = await self._client.create_multipart_upload(**self._target, **headers)
        return str(created["UploadId"])

    async def _start_part(self, upload_id: str, body: bytes) -> None:
        if len(self._sending) >= self._parts_in_flight:
            await self._wait(asyncio.FIRST_COMPLETED)
        self._started += 1
        sending = self._send_part(upload_id, self._started, body)
        self._sending.add(asyncio.create_task(sending))

    async def _send_part(self, upload_id: str, number: int, body: bytes) -> None:
        with _storage_errors(f"upload_part {number}"):
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
            with _storage_errors(what):
                await request

        # Shielded: after a cancelled request it is unknown whether it took effect.
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


@contextmanager
def _storage_errors(what: str) -> Iterator[None]:
    """Turn the SDK's exceptions into StorageError; only calls of the SDK belong inside."""
    try:
        yield
    except ClientError as error:
        code = _code(error)
        status: int = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        retryable = code in _RETRYABLE or status == 429 or status >= 500
        raise StorageError(
            f"{what}: {error}", retryable=retryable, code=code, advice=_ADVICE.get(code, "")
        ) from error
    except (BotoCoreError, ConnectionFailed, TimeoutError, OSError) as error:
        code = type(error).__name__
        advice = _ADVICE.get(code, "" if isinstance(error, BotoCoreError) else _UNREACHABLE)
        raise StorageError(f"{what}: {error!r}", code=code, advice=advice) from error


def _is_not_found(error: BaseException | None) -> bool:
    """Whether the object or the upload is unknown to the server."""
    return isinstance(error, ClientError) and _code(error) in _NOT_FOUND


def _is_forbidden(error: BaseException | None) -> bool:
    """Whether the server denies the request, or does not support it."""
    return isinstance(error, ClientError) and _code(error) in _FORBIDDEN


def _code(error: Any) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _headers(key: str, content_type: str) -> dict[str, str]:
    headers = {"ContentType": content_type}
    if visibility_of(key) is Visibility.PUBLIC:
        headers["CacheControl"] = _FOREVER
        if not shown_in_place(content_type):
            headers["ContentDisposition"] = "attachment"
    return headers


async def _read(body: Any, key: str) -> AsyncIterator[bytes]:
    while True:
        with _storage_errors(f"reading {key!r}"):
            chunk: bytes = await body.read(MIB)
        if not chunk:
            return
        yield chunk
