"""A service over every backend at once, with imports, uploads, and what was left behind."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection
from tests.formats.planning import zip_of
from tests.jobs.conftest import Imports, imports, settings
from tests.rows import change_imports
from tests.storage.conftest import bucket, part_size, s3_client, s3_config, s3_endpoint
from tests.storage_doubles import FaultyStorage, MemoryStorage
from tests.stored_files import keys_in, store

from eventimport.database.models import ImportJob, ObjectPurpose, ObjectRecord, User
from eventimport.jobs.clean_up import clean_up
from eventimport.resources import Resources, open_resources
from eventimport.settings import Settings
from eventimport.storage.config import LocalConfig, S3Config
from eventimport.storage.factory import StorageSet, create_storage
from eventimport.storage.keys import probe_key
from eventimport.storage.protocol import Storage, StorageError

__all__ = ["bucket", "imports", "part_size", "s3_client", "s3_config", "s3_endpoint", "settings"]

PLACES = ("local", "memory", "s3")
OLD = timedelta(hours=25)
"""Older than a file that nothing uses must be."""


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
    until `failing_for` have."""

    def __init__(self, inner: Storage, *, fail_delete_at: int, failing_for: int = 1) -> None:
        super().__init__(inner)
        self.deletions = 0
        self._failing = range(fail_delete_at, fail_delete_at + failing_for)

    async def delete(self, key: str) -> None:
        self.deletions += 1
        if self.deletions in self._failing:
            raise StorageError(f"deletion {self.deletions} failed on purpose", retryable=False)
        await super().delete(key)


async def pass_time(connection: AsyncConnection, by: timedelta) -> None:
    """Make the database believe that everything happened so much earlier."""
    for table, columns in {
        "stored_objects": ("created_at", "kept_at"),
        "tasks": ("created_at", "started_at", "finished_at"),
    }.items():
        changes = ", ".join(f"{column} = {column} - CAST(:by AS interval)" for column in columns)
        await connection.execute(text(f"UPDATE {table} SET {changes}"), {"by": by})


@dataclass
class World:
    """The service, and the objects that its storages hold."""

    resources: Resources
    imports: Imports

    @property
    def storages(self) -> StorageSet:
        return self.resources.storages

    async def put(self, storage: Storage | None = None) -> str:
        """Store a file that nothing uses; gives back its key."""
        return await store(self.resources, probe_key(), ObjectPurpose.PROBE, storage=storage)

    async def objects(self) -> dict[tuple[str, str], bytes]:
        """All objects by storage and key."""
        found = {}
        for storage in self.storages:
            for key in await keys_in(storage):
                async with storage.open(key) as chunks:
                    found[storage.name, key] = b"".join([chunk async for chunk in chunks])
        return found

    async def recorded(self) -> set[tuple[str, str]]:
        """All objects that have a row, by storage and key."""
        async with self.resources.engine.connect() as connection:
            rows = await connection.execute(select(ObjectRecord.storage, ObjectRecord.key))
            return {(storage, key) for storage, key in rows}

    async def clean_up(self, after: timedelta = OLD) -> dict[str, int]:
        """A round, so much later than now."""
        async with self.resources.engine.begin() as connection:
            await pass_time(connection, after)
        try:
            return await clean_up(self.resources)
        finally:
            async with self.resources.engine.begin() as connection:
                await pass_time(connection, -after)

    async def change(self, job: ImportJob, **values: Any) -> None:
        """Write to a job's row."""
        await change_imports(self.resources.engine, job.id, **values)

    async def count(self, model: Any) -> int:
        """How many rows there are."""
        async with self.resources.engine.connect() as connection:
            return await connection.scalar(select(func.count()).select_from(model)) or 0


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
    local = LocalConfig(root=tmp_path / "storage", base_url="https://here.example")
    backends = {
        "local": create_storage(local),
        "memory": MemoryStorage("https://here.example"),
        "s3": create_storage(s3_config),
    }
    storages = StorageSet(backends, active_name=place)
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
