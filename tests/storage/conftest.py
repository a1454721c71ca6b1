"""Every backend, and what is left in each, seen from outside of it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from uuid import uuid4

import botocore.session
import pytest
from moto.server import ThreadedMotoServer
from tests.storage_doubles import MemoryStorage

from eventimport.storage.config import GCSConfig, LocalConfig, S3Config
from eventimport.storage.factory import create_storage
from eventimport.storage.protocol import Storage

PART_SIZE = 64 * 1024
"""moto accepts parts of this size, so that a test of several parts needn't send many megabytes."""


@dataclass(frozen=True)
class Backend:
    """A backend under test; `left` lists its objects, temporary files and open uploads."""

    storage: Storage
    left: Callable[[], list[str]]


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    """moto's server, over HTTP. Clients of it read botocore's description of S3 only once."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.session, "create_loader", cache(botocore.session.create_loader))
        yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(scope="session")
def s3_client(s3_endpoint: str) -> Iterator[Any]:
    """A client that shares no code with the backend."""
    client = botocore.session.get_session().create_client(
        "s3",
        endpoint_url=s3_endpoint,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    yield client
    client.close()


@pytest.fixture
def bucket(s3_client: Any) -> str:
    """A new bucket."""
    name = f"bucket-{uuid4()}"
    s3_client.create_bucket(Bucket=name)
    return name


@pytest.fixture
def part_size(monkeypatch: pytest.MonkeyPatch) -> int:
    """The size of a part. A test that sets it by `parametrize` gets the 5 MiB that S3 demands."""
    monkeypatch.setattr("moto.s3.models.S3_UPLOAD_PART_MIN_SIZE", PART_SIZE)
    return PART_SIZE


@pytest.fixture
def s3_config(s3_endpoint: str, bucket: str, part_size: int) -> S3Config:
    """The S3 backend's configuration for the new bucket."""
    return S3Config(
        bucket=bucket,
        endpoint_url=s3_endpoint,
        access_key="test",
        secret_key="test",
        path_style=True,
        part_size=part_size,
        parts_in_flight=2,
    )


@pytest.fixture
def gcs_config(s3_endpoint: str, bucket: str, part_size: int) -> GCSConfig:
    """The GCS backend's configuration for the new bucket."""
    return GCSConfig(
        bucket=bucket,
        endpoint_url=s3_endpoint,
        region="us-east-1",
        access_key="test",
        secret_key="test",
        part_size=part_size,
        parts_in_flight=2,
    )


@pytest.fixture(params=["local", "memory", "s3", "gcs"])
async def backend(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Backend]:
    """Each backend in turn, empty."""

    def files() -> list[str]:
        return [str(path) for path in tmp_path.rglob("*") if path.is_file()]

    def in_bucket() -> list[str]:
        client, bucket = request.getfixturevalue("s3_client"), request.getfixturevalue("bucket")
        objects = client.list_objects_v2(Bucket=bucket).get("Contents", [])
        uploads = client.list_multipart_uploads(Bucket=bucket).get("Uploads", [])
        return [found["Key"] for found in objects] + [found["Key"] for found in uploads]

    storage: Storage
    match request.param:
        case "local":
            storage = create_storage(LocalConfig(root=tmp_path, base_url="https://here.example"))
            left = files
        case "memory":
            storage = MemoryStorage("https://here.example")
            objects = storage._objects
            left = lambda: list(objects)  # noqa: E731
        case kind:
            storage = create_storage(request.getfixturevalue(f"{kind}_config"))
            left = in_bucket
    yield Backend(storage, left)
    await asyncio.wait_for(storage.close(), 60)
