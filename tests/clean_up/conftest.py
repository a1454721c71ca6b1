"""A service over every backend at once, with imports, uploads, and what was left behind."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from sqlalchemy import update
from tests.jobs.conftest import Imports, imports, settings
from tests.openevent.planning import zip_of
from tests.storage.conftest import bucket, s3_client, s3_config, s3_endpoint

from eventimport.database.models import ImportJob, User
from eventimport.jobs.clean_up import clean_up
from eventimport.resources import Resources, open_resources
from eventimport.settings import Settings
from eventimport.storage.claim import CLAIM_KEY
from eventimport.storage.config import LocalConfig, MemoryConfig, S3Config
from eventimport.storage.factory import StorageSet
from eventimport.storage.fault_injection import FaultyStorage
from eventimport.storage.protocol import Storage, StorageError, StoredObject

__all__ = ["bucket", "imports", "s3_client", "s3_config", "s3_endpoint", "settings"]

PLACES = ("local", "memory", "s3")
OLD = timedelta(hours=25)
"""Older than an orphan must be."""


def picture(colour: str) -> bytes:
    """A PNG that is larger than all of its sizes but the largest."""
    target = BytesIO()
    Image.new("RGB", (600, 600), colour).save(target, "PNG")
    return target.getvalue()


CONFERENCE = zip_of(
    {
        "event": {"id": 1, "name": "Conference", "original_image_url": "/images/logo.png"},
        "speakers": [{"id": 1, "name": "Ada", "photo": "/images/ada.png"}],
        "sessions": [{"id": 1, "title": "T", "audio": "/audio/a.wav"}],
    },
    {
        "images/logo.png": picture("red"),
        "images/ada.png": picture("blue"),
        "audio/a.wav": b"RIFF and so on",
    },
)


class UnreliableStorage(FaultyStorage):
    """Another backend of whose deletions some fail: the `fail_delete_at`-th, and those after it
    until `failing_for` have. With `fail_listing`, it does not tell what it holds."""

    def __init__(
        self,
        inner: Storage,
        *,
        fail_delete_at: int | None = None,
        failing_for: int = 1,
        fail_listing: bool = False,
    ) -> None:
        super().__init__(inner)
        self.deletions = 0
        self._failing = range(fail_delete_at or 0, (fail_delete_at or 0) + failing_for)
        self._fail_listing = fail_listing

    async def delete(self, key: str) -> None:
        self.deletions += 1
        if self.deletions in self._failing:
            raise StorageError(f"deletion {self.deletions} failed on purpose", retryable=False)
        await super().delete(key)

    def keys(self, prefix: str) -> AsyncIterator[StoredObject]:
        if self._fail_listing:
            raise StorageError("not listed on purpose")
        return super().keys(prefix)


@dataclass
class World:
    """The service, and the objects that its storages hold."""

    resources: Resources
    imports: Imports

    @property
    def storages(self) -> StorageSet:
        return self.resources.storages

    async def put(self, key: str, storage: Storage | None = None, content: bytes = b"x") -> str:
        """Store an object; gives back its key."""

        async def chunks() -> AsyncIterator[bytes]:
            yield content

        target = storage or self.storages.active
        return (await target.put(key, chunks(), content_type="text/plain")).key

    async def objects(self) -> dict[tuple[str, str], bytes]:
        """All objects by storage and key, but for those that say whose a storage is."""
        found = {}
        for storage in self.storages:
            for key in [stored.key async for stored in storage.keys("")]:
                async with storage.open(key) as chunks:
                    found[storage.name, key] = b"".join([chunk async for chunk in chunks])
        return {place: found[place] for place in found if place[1] != CLAIM_KEY}

    async def clean_up(self, after: timedelta = OLD) -> dict[str, int]:
        """A round, so much later than now."""
        return await clean_up(self.resources, now=datetime.now(UTC) + after)

    async def change(self, job: ImportJob, **values: Any) -> None:
        """Write to a job's row."""
        async with self.resources.engine.begin() as connection:
            await connection.execute(
                update(ImportJob).where(ImportJob.id == job.id).values(**values)
            )


@pytest.fixture
def place() -> str:
    """Which storage takes new objects; tests choose another one by `parametrize`."""
    return "local"


@pytest.fixture
async def resources(
    settings: Settings,
    s3_config: S3Config,
    tmp_path: Path,
    place: str,
) -> AsyncIterator[Resources]:
    """Open resources over three storages."""
    configs = (
        LocalConfig(root=tmp_path / "storage", base_url="https://here.example"),
        MemoryConfig(base_url="https://here.example"),
        s3_config,
    )
    storages = StorageSet.create(configs, active_name=place)
    async with open_resources(settings) as opened:
        yield replace(opened, storages=storages)
    await storages.close()


@pytest.fixture
async def world(resources: Resources, imports: Imports) -> World:
    """The service, still empty."""
    return World(resources, imports)


@pytest.fixture
def user(imports: Imports) -> User:
    """Who imports."""
    return imports.user
