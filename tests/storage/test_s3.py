"""S3: failing requests, what is sent, and what Google's XML API must not be sent."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any, NamedTuple

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from tests.storage.conftest import PART_SIZE

from eventimport.storage.config import GCSConfig, S3Config
from eventimport.storage.factory import create_storage
from eventimport.storage.protocol import StorageError
from eventimport.storage.s3 import S3Storage

CHUNK = PART_SIZE // 9
KEY = "uploads/1/abc/a.bin"


async def stream(size: int) -> AsyncIterator[bytes]:
    """So many bytes, in chunks."""
    for start in range(0, size, CHUNK):
        yield b"x" * min(CHUNK, size - start)


@pytest.fixture
async def storage(s3_config: S3Config) -> AsyncIterator[S3Storage]:
    """The S3 backend over moto."""
    storage = S3Storage(s3_config)
    yield storage
    await storage.close()


def refusal(status: int, code: str) -> ClientError:
    """What the SDK raises for an answer."""
    return ClientError(
        {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}, "Operation"
    )


class Call(NamedTuple):
    """The n-th call of an operation while an object of that size is stored."""

    operation: str
    size: int
    number: int


CALLS = [
    Call("put_object", 100, 1),
    Call("create_multipart_upload", 4 * PART_SIZE, 1),
    *(Call("upload_part", 4 * PART_SIZE, number) for number in (1, 2, 3, 4)),
    Call("complete_multipart_upload", 4 * PART_SIZE, 1),
]


@pytest.fixture
def remnants(s3_client: Any, bucket: str) -> Callable[[], list[str]]:
    """What is left in the bucket: objects and open uploads."""

    def find() -> list[str]:
        objects = s3_client.list_objects_v2(Bucket=bucket).get("Contents", [])
        uploads = s3_client.list_multipart_uploads(Bucket=bucket).get("Uploads", [])
        return [found["Key"] for found in [*objects, *uploads]]

    return find


@pytest.mark.parametrize("call", CALLS, ids=str)
@pytest.mark.parametrize("takes_effect", [True, False])
async def test_each_failing_request_leaves_nothing(
    storage: S3Storage,
    remnants: Callable[[], list[str]],
    monkeypatch: pytest.MonkeyPatch,
    call: Call,
    takes_effect: bool,
) -> None:
    client = await storage._connected()
    real = getattr(client, call.operation)
    calls = 0

    async def fail(**arguments: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls != call.number:
            return await real(**arguments)
        if takes_effect and call.operation != "create_multipart_upload":
            await real(**arguments)
        raise refusal(503, "SlowDown")

    monkeypatch.setattr(client, call.operation, fail)
    with pytest.raises(StorageError) as raised:
        await storage.put(KEY, stream(call.size), content_type="x/y")
    assert raised.value.retryable
    assert calls >= call.number
    assert remnants() == []


@pytest.mark.parametrize("call", CALLS, ids=str)
async def test_cancelling_during_each_request_leaves_nothing(
    storage: S3Storage,
    remnants: Callable[[], list[str]],
    monkeypatch: pytest.MonkeyPatch,
    call: Call,
) -> None:
    client = await storage._connected()
    real = getattr(client, call.operation)
    reached = asyncio.Event()
    calls = 0

    async def watched(**arguments: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == call.number:
            reached.set()
        return await real(**arguments)

    monkeypatch.setattr(client, call.operation, watched)
    putting = asyncio.create_task(storage.put(KEY, stream(call.size), content_type="x/y"))
    await reached.wait()
    putting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await putting
    await storage.close()
    assert remnants() == []


async def test_cancelling_twice_leaves_nothing(
    storage: S3Storage, remnants: Callable[[], list[str]]
) -> None:
    reached = asyncio.Event()

    async def source() -> AsyncIterator[bytes]:
        async for chunk in stream(3 * PART_SIZE):
            yield chunk
        reached.set()
        await asyncio.Event().wait()

    putting = asyncio.create_task(storage.put(KEY, source(), content_type="x/y"))
    await reached.wait()
    putting.cancel()
    await asyncio.sleep(0)
    putting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await putting
    await storage.close()
    assert remnants() == []


@pytest.mark.parametrize("parts_in_flight", [1, 3])
async def test_no_more_parts_are_in_flight_than_allowed(
    s3_config: S3Config, monkeypatch: pytest.MonkeyPatch, parts_in_flight: int
) -> None:
    storage = S3Storage(replace(s3_config, parts_in_flight=parts_in_flight))
    client = await storage._connected()
    real = client.upload_part
    in_flight, most, sizes = 0, 0, {}
    full = asyncio.Event()

    async def counted(**arguments: Any) -> Any:
        nonlocal in_flight, most
        in_flight += 1
        most = max(most, in_flight)
        sizes[arguments["PartNumber"]] = len(arguments["Body"])
        if in_flight == parts_in_flight:
            full.set()
        try:
            # None has arrived before as many are on their way as may be.
            await asyncio.wait_for(full.wait(), 60)
            return await real(**arguments)
        finally:
            in_flight -= 1

    monkeypatch.setattr(client, "upload_part", counted)
    await storage.put(KEY, stream(6 * PART_SIZE + 7), content_type="x/y")
    await storage.close()
    assert most == parts_in_flight
    assert sizes == {**dict.fromkeys(range(1, 7), PART_SIZE), 7: 7}


@pytest.mark.parametrize(
    ("error", "retryable"),
    [
        (refusal(500, "InternalError"), True),
        (refusal(503, "SlowDown"), True),
        (refusal(429, "TooManyRequests"), True),
        (refusal(400, "RequestTimeout"), True),
        (refusal(403, "AccessDenied"), False),
        (refusal(404, "NoSuchBucket"), False),
        (EndpointConnectionError(endpoint_url="http://there"), True),
        (TimeoutError(), True),
        (ConnectionResetError(), True),
    ],
)
async def test_which_errors_may_be_tried_again(
    storage: S3Storage, monkeypatch: pytest.MonkeyPatch, error: Exception, retryable: bool
) -> None:
    client = await storage._connected()

    async def fail(**_: Any) -> Any:
        raise error

    for operation in ("get_object", "head_object", "delete_object"):
        monkeypatch.setattr(client, operation, fail)

    async def open_it() -> None:
        async with storage.open(KEY):
            pytest.fail("opened")

    for call in (storage.stat(KEY), storage.delete(KEY), open_it()):
        with pytest.raises(StorageError) as raised:
            await call
        assert raised.value.retryable is retryable
        assert type(raised.value) is StorageError


async def test_a_server_that_is_away() -> None:
    storage = S3Storage(
        S3Config(
            bucket="b",
            endpoint_url="http://127.0.0.1:1",
            access_key="test",
            secret_key="test",
            path_style=True,
            attempts=1,
        )
    )
    with pytest.raises(StorageError) as raised:
        await storage.stat(KEY)
    assert raised.value.retryable
    await storage.close()


async def test_what_a_browser_might_run_is_stored_as_a_download(
    storage: S3Storage, s3_client: Any, bucket: str
) -> None:
    for name, content_type in (("a.html", "text/html"), ("a.png", "image/png")):
        await storage.put(f"uploads/1/a/{name}", stream(10), content_type=content_type)
    await storage.put("private/a.html", stream(10), content_type="text/html")

    def head(key: str) -> Any:
        return s3_client.head_object(Bucket=bucket, Key=key)

    assert head("uploads/1/a/a.html")["ContentDisposition"] == "attachment"
    assert "ContentDisposition" not in head("uploads/1/a/a.png")
    assert "immutable" in head("uploads/1/a/a.png")["CacheControl"]
    assert "CacheControl" not in head("private/a.html")


async def test_google_is_sent_no_checksum_and_no_bulk_deletion(gcs_config: GCSConfig) -> None:
    storage = create_storage(gcs_config)
    assert isinstance(storage, S3Storage)
    client = await storage._connected()
    sent: list[tuple[str, str, set[str]]] = []

    def note(request: Any, **_: Any) -> None:
        sent.append((request.method, request.url, {name.lower() for name in request.headers}))

    client.meta.events.register("before-send.s3", note)
    await storage.put(KEY, stream(10), content_type="x/y")
    await storage.put(KEY, stream(3 * PART_SIZE), content_type="x/y")
    async with storage.open(KEY) as chunks:
        assert sum([len(chunk) async for chunk in chunks]) == 3 * PART_SIZE
    await storage.delete(KEY)
    await storage.close()
    assert len(sent) >= 8
    for method, url, headers in sent:
        forbidden = {
            name for name in headers if "checksum" in name or "trailer" in name or "crc" in name
        }
        assert forbidden == set()
        assert "content-encoding" not in headers, "aws-chunked"
        assert not (method == "POST" and url.endswith("?delete"))


GOOGLE = GCSConfig(bucket="b", access_key="a", secret_key="s")


@pytest.mark.parametrize(
    ("config", "base"),
    [
        (S3Config(bucket="b"), "https://b.s3.us-east-1.amazonaws.com"),
        (
            S3Config(bucket="b", path_style=True, region="eu-central-1"),
            "https://s3.eu-central-1.amazonaws.com/b",
        ),
        (
            S3Config(bucket="b", endpoint_url="http://minio:9000/", path_style=True),
            "http://minio:9000/b",
        ),
        (S3Config(bucket="b", public_base_url="https://cdn.example/"), "https://cdn.example"),
        (GOOGLE, "https://storage.googleapis.com/b"),
        (replace(GOOGLE, public_base_url="https://cdn.example"), "https://cdn.example"),
    ],
)
def test_public_urls(config: S3Config | GCSConfig, base: str) -> None:
    assert create_storage(config).public_url("a/ë.png") == f"{base}/a/%C3%AB.png"


def test_secrets_are_not_shown() -> None:
    shown = repr(GCSConfig(bucket="b", access_key="a", secret_key="hush")) + repr(
        S3Config(bucket="b", secret_key="hush")
    )
    assert "hush" not in shown
