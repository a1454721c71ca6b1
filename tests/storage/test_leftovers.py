"""What a process that died has left of an upload is deleted by the upload's key."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.storage.conftest import PART_SIZE, Backend
from tests.stored_files import keys_in

from eventimport.storage.config import LocalConfig, S3Config
from eventimport.storage.keys import upload_key
from eventimport.storage.local import LocalStorage
from eventimport.storage.protocol import StorageError
from eventimport.storage.s3 import S3Storage

DYING = """
import asyncio, os, sys
from pathlib import Path
from eventimport.storage.config import LocalConfig
from eventimport.storage.local import LocalStorage

async def chunks():
    for _ in range(3):
        yield b"x" * 1024 * 1024
    os._exit(9)

storage = LocalStorage(LocalConfig(root=Path(sys.argv[1])))
asyncio.run(storage.put(sys.argv[2], chunks(), content_type="text/plain"))
"""
"""A process that dies in the midst of an upload."""


async def chunks() -> AsyncIterator[bytes]:
    yield b"x"


async def test_what_a_dead_process_has_written_goes_with_its_key(tmp_path: Path) -> None:
    storage = LocalStorage(LocalConfig(root=tmp_path))
    dead, other = upload_key(1, "a.bin"), upload_key(1, "a.bin")
    for key in (dead, other):
        command = [sys.executable, "-c", DYING, str(tmp_path), key]
        process = await asyncio.create_subprocess_exec(*command)
        assert await process.wait() == 9
    await storage.put(upload_key(1, "whole"), chunks(), content_type="text/plain")
    incoming = tmp_path / ".incoming"
    assert len(list(incoming.iterdir())) == 2

    await storage.delete(dead)
    await storage.delete_unfinished(dead)
    await storage.delete_unfinished(dead)

    (left,) = incoming.iterdir()
    await storage.delete_unfinished(other)
    assert not left.exists()
    assert [key.rpartition("/")[2] for key in await keys_in(storage)] == ["whole"]


async def test_a_whole_object_stays(backend: Backend) -> None:
    key = upload_key(1, "a.bin")
    await backend.storage.put(key, chunks(), content_type="text/plain")
    await backend.storage.delete_unfinished(key)
    assert await backend.storage.stat(key) is not None


@pytest.mark.slow
async def test_an_upload_that_still_runs_fails(backend: Backend) -> None:
    """Its row was given up: whatever it has stored must not stay."""
    key = upload_key(1, "a.bin")

    async def slowly() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield b"x" * PART_SIZE
        await backend.storage.delete_unfinished(key)
        yield b"x" * PART_SIZE

    with suppress(StorageError):
        await backend.storage.put(key, slowly(), content_type="text/plain")
        await backend.storage.delete(key)
    assert backend.left() == []


async def test_uploads_of_the_key_are_aborted_and_no_others(
    s3_config: S3Config, s3_client: Any, bucket: str
) -> None:
    key = "uploads/1/a"
    for unfinished in (key, key, f"{key}b", "backups/a.tar"):
        s3_client.create_multipart_upload(Bucket=bucket, Key=unfinished)
    storage = S3Storage(s3_config)

    await storage.delete_unfinished(key)

    left = s3_client.list_multipart_uploads(Bucket=bucket)["Uploads"]
    assert sorted(upload["Key"] for upload in left) == ["backups/a.tar", f"{key}b"]
    await storage.close()


def error(status: int, code: str) -> ClientError:
    response = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(response, "Operation")


class Client:
    """As much of the SDK's client as is asked for."""

    def __init__(self, listing: ClientError | None, aborting: ClientError | None) -> None:
        self._listing = listing
        self._aborting = aborting
        self.aborted: list[str] = []

    async def list_multipart_uploads(self, **request: str) -> dict[str, Any]:
        assert request == {"Bucket": "b", "Prefix": "k"}
        if self._listing is not None:
            raise self._listing
        return {"Uploads": [{"Key": "k", "UploadId": "1"}, {"Key": "kk", "UploadId": "2"}]}

    async def abort_multipart_upload(self, **request: str) -> None:
        self.aborted.append(request["UploadId"])
        if self._aborting is not None:
            raise self._aborting


@pytest.mark.parametrize(
    ("listing", "aborting", "aborted", "fails"),
    [
        (None, None, ["1"], False),
        (None, error(404, "NoSuchUpload"), ["1"], False),
        (None, error(503, "SlowDown"), ["1"], True),
        (error(403, "AccessDenied"), None, [], False),
        (error(501, "NotImplemented"), None, [], False),
        (error(503, "SlowDown"), None, [], True),
    ],
)
async def test_a_bucket_that_refuses(
    monkeypatch: pytest.MonkeyPatch,
    listing: ClientError | None,
    aborting: ClientError | None,
    aborted: list[str],
    fails: bool,
) -> None:
    """Where the policy forbids it, a lifecycle rule does it; what fails for now is tried again."""
    storage = S3Storage(S3Config(bucket="b"))
    client = Client(listing, aborting)

    async def connected() -> Client:
        return client

    monkeypatch.setattr(storage, "_connected", connected)
    if fails:
        with pytest.raises(StorageError):
            await storage.delete_unfinished("k")
    else:
        await storage.delete_unfinished("k")
    assert client.aborted == aborted
