"""What tells whose an object is, and what removes the leftovers of a backend."""

import os
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from botocore.exceptions import ClientError
from tests.storage.conftest import Backend

from eventimport.storage.claim import CLAIM_KEY, claim, is_foreign
from eventimport.storage.config import MIB, LocalConfig, S3Config
from eventimport.storage.keys import archive_key, media_key, upload_key
from eventimport.storage.local import LocalStorage
from eventimport.storage.memory import MemoryStorage
from eventimport.storage.owners import ArchiveOf, MediumOf, ProbeOf, owner_of
from eventimport.storage.probe import PROBE_PREFIX, probe
from eventimport.storage.protocol import StorageError
from eventimport.storage.s3 import S3Storage
from eventimport.storage.s3_stale import abort_stale_uploads

HOUR = 3600.0


@pytest.mark.parametrize("name", ["a.png", "Grüße aus Köln.tar.gz", "...", "x" * 300, "a\x00\nb"])
def test_the_owner_of_a_medium_is_told_by_its_key(name: str) -> None:
    key = media_key(7, "event_copyrights", 12, "logo_url", name)
    folder, file = key.rsplit("/", 1)
    token = folder.rsplit("/", 1)[1]
    assert owner_of(key) == MediumOf(7, token)
    assert owner_of(f"{folder}-thumbnail/{file}") == MediumOf(7, token)


async def test_the_owners_of_archives_and_probes_are_told_by_their_keys() -> None:
    job_id = uuid4()
    assert owner_of(archive_key(job_id)) == ArchiveOf(job_id)
    keys = []

    class Watched(MemoryStorage):
        async def delete(self, key: str) -> None:
            keys.append(key)
            await super().delete(key)

    await probe(Watched())
    assert [owner_of(key) for key in keys] == [ProbeOf()] * len(keys)
    assert keys


@pytest.mark.parametrize(
    "key",
    [
        f"uploads/7/{'a' * 24}/a.png",
        f"events/7/events/7/logo_url/{'a' * 24}",
        f"events/7/events/7/logo_url/{'a' * 24}/b/a.png",
        f"events/7/events/7/logo_url/{'a' * 24}-icon-x/a.png",
        f"events/7/events/7/logo_url/{'A' * 24}/a.png",
        f"events/07/events/7/logo_url/{'a' * 24}/a.png",
        f"events/\u0667/events/7/logo_url/{'a' * 24}/a.png",
        f"events/{10**18}/events/7/logo_url/{'a' * 24}/a.png",
        f"events/7/events/7/logo_url/{'a' * 24}/.a",
        f"x/events/7/events/7/logo_url/{'a' * 24}/a.png",
        f"private/imports/{UUID(int=7).hex}/archive.zip",
        f"private/imports/{UUID(int=7)}/archive.zip2",
        f"private/imports/{UUID(int=7)}",
        f"{PROBE_PREFIX}{'a' * 25}",
        CLAIM_KEY,
        "",
    ],
)
def test_all_other_keys_are_nobodys(key: str) -> None:
    assert owner_of(key) is None


async def test_who_comes_first_has_a_storage(backend: Backend) -> None:
    assert not await is_foreign(backend.storage, "another")
    assert not await is_foreign(backend.storage, None)
    assert await claim(backend.storage, "one")
    assert await claim(backend.storage, "one")
    assert not await claim(backend.storage, "another")
    assert await is_foreign(backend.storage, "another")
    assert await is_foreign(backend.storage, None)
    assert not await is_foreign(backend.storage, "one")
    assert await claim(backend.storage, "one")
    await backend.storage.delete(CLAIM_KEY)
    assert await claim(backend.storage, "another")


async def test_of_two_at_once_the_later_one_has_it() -> None:
    class Contended(MemoryStorage):
        async def put(self, key: str, chunks: Any, *, content_type: str) -> Any:
            await super().put(key, chunks, content_type=content_type)

            async def other() -> AsyncIterator[bytes]:
                yield b"another"

            return await super().put(key, other(), content_type=content_type)

    assert not await claim(Contended(), "one")


async def test_new_objects_and_uploads_are_not_stale(backend: Backend) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        assert await backend.storage.remove_stale(HOUR) == 0
        for _ in range(3):
            yield b"x" * MIB
            assert await backend.storage.remove_stale(HOUR) == 0

    key = upload_key(1, "a.bin")
    stored = await backend.storage.put(key, chunks(), content_type="text/plain")
    assert await backend.storage.remove_stale(HOUR) == 0
    assert await backend.storage.stat(key) is not None
    assert stored.size == 3 * MIB


async def test_temporary_files_of_the_dead_go_and_objects_stay(tmp_path: Path) -> None:
    storage = LocalStorage(LocalConfig(root=tmp_path))

    async def chunks() -> AsyncIterator[bytes]:
        yield b"x"

    key = upload_key(1, "a.bin")
    await storage.put(key, chunks(), content_type="text/plain")
    incoming = tmp_path / ".incoming"
    for name, hours in (("old", 3), ("new", 1)):
        (incoming / name).write_bytes(b"x")
        then = time.time() - hours * HOUR
        os.utime(incoming / name, (then, then))
    os.utime(tmp_path / key, (0, 0))

    assert await storage.remove_stale(2 * HOUR) == 1
    assert [path.name for path in incoming.iterdir()] == ["new"]
    assert await storage.stat(key) is not None


async def test_unfinished_uploads_of_ours_are_aborted(
    s3_config: S3Config, s3_client: Any, bucket: str
) -> None:
    ours = [archive_key(uuid4()), media_key(1, "events", 1, "logo_url", "a"), upload_key(1, "a")]
    for key in (*ours, "backups/a.tar", "private/keys"):
        s3_client.create_multipart_upload(Bucket=bucket, Key=key)
    storage = S3Storage(s3_config)

    # All that moto has was initiated in 2010, it says.
    assert await storage.remove_stale(HOUR) == 3
    left = s3_client.list_multipart_uploads(Bucket=bucket)["Uploads"]
    assert {upload["Key"] for upload in left} == {"backups/a.tar", "private/keys"}
    await storage.close()


class Client:
    """As much of the SDK's client as is asked for: pages of two uploads each, of one an hour."""

    def __init__(self, count: int, *, missing: int | None = None, failing: int | None = None):
        self.ids = [f"{number:02d}" for number in range(count)]
        self.missing = missing
        self.failing = failing
        self.now = datetime(2027, 5, 1, 12, tzinfo=UTC)

    async def list_multipart_uploads(self, **request: str) -> dict[str, Any]:
        assert (request["Bucket"], request["Prefix"]) == ("b", "events/")
        after = [i for i in self.ids if i > request.get("UploadIdMarker", "")]
        uploads = [
            {"Key": "k", "UploadId": i, "Initiated": self.now - timedelta(hours=int(i))}
            for i in after[:2]
        ]
        if len(after) <= 2:
            return {"Uploads": uploads, "IsTruncated": False} if uploads else {}
        return {
            "Uploads": uploads,
            "IsTruncated": True,
            "NextKeyMarker": "k",
            "NextUploadIdMarker": after[1],
        }

    async def abort_multipart_upload(self, **request: str) -> None:
        number = int(request["UploadId"])
        if number in (self.missing, self.failing):
            status, code = (404, "NoSuchUpload") if number == self.missing else (503, "SlowDown")
            raise ClientError(
                {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}},
                "AbortMultipartUpload",
            )
        self.ids.remove(request["UploadId"])


@pytest.mark.parametrize("count", [0, 1, 2, 5, 8])
async def test_uploads_are_aborted_by_their_age_page_by_page(count: int) -> None:
    client = Client(count)
    before = client.now - timedelta(hours=2)
    assert await abort_stale_uploads(client, "b", ["events/"], before) == max(0, count - 3)
    assert client.ids == [f"{number:02d}" for number in range(min(count, 3))]


async def test_an_upload_that_has_ended_meanwhile_is_no_error() -> None:
    client = Client(6, missing=4)
    assert await abort_stale_uploads(client, "b", ["events/"], client.now) == 4


async def test_a_backend_that_fails_is_told() -> None:
    client = Client(6, failing=4)
    with pytest.raises(StorageError, match="abort_multipart_upload"):
        await abort_stale_uploads(client, "b", ["events/"], client.now)
    assert client.ids == ["00", "04", "05"]
