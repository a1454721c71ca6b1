"""The settings that an admin changes while the service runs: which storage takes new files."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import httpx
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from tests.storage_doubles import MemoryStorage
from tests.stored_files import keys_in

from eventimport.database.service_settings import StorageChoice, write_storage_place
from eventimport.storage.factory import StorageSet
from eventimport.storage.keys import probe_key
from eventimport.storage.probe import probe
from eventimport.storage.protocol import StorageError, StoredObject

URL = "/v1/settings"
PUBLIC = {
    "app-name": "eventimport",
    "frontend-url": "https://events.example",
    "sign-up-enabled": True,
}
UPLOAD = "/v1/upload/file"


class BrokenStorage(MemoryStorage):
    """A storage one of whose steps fails, or never answers."""

    def __init__(self, broken: str) -> None:
        super().__init__()
        self.broken = broken

    async def put(self, key: str, chunks: Any, *, content_type: str) -> StoredObject:
        if self.broken == "write":
            raise StorageError("access denied", retryable=False)
        if self.broken == "silent":
            await asyncio.Event().wait()
        return await super().put(key, chunks, content_type=content_type)

    @asynccontextmanager
    async def open(self, key: str) -> AsyncIterator[AsyncIterator[bytes]]:
        if self.broken == "read":
            raise StorageError("access denied", retryable=False)

        async def other() -> AsyncIterator[bytes]:
            yield b"something else"

        if self.broken == "content":
            yield other()
        else:
            async with super().open(key) as chunks:
                yield chunks

    async def delete(self, key: str) -> None:
        if self.broken == "delete":
            raise StorageError("access denied", retryable=False)
        if self.broken != "undead":
            await super().delete(key)


def change(place: object, **others: Any) -> dict[str, Any]:
    """The document of a change."""
    return {"data": {"type": "setting", "attributes": {"storage-place": place, **others}}}


@pytest.fixture
def start_with(start_service: Any) -> Callable[..., Awaitable[Any]]:
    """Starts a service that has, besides local disk, a storage called `memory`."""

    async def start(memory: MemoryStorage, fresh_seconds: float = 0) -> Any:
        service = await start_service()
        local = service.resources.storages.get("local")
        storages = StorageSet({"local": local, "memory": memory}, active_name="local")
        choice = StorageChoice(service.resources.reader, fresh_seconds=fresh_seconds)
        changed = replace(service.resources, storages=storages, storage_choice=choice)
        return replace(service, resources=changed)

    return start


@pytest.fixture
async def admin(make_user: Any) -> Any:
    """An admin."""
    return await make_user(is_admin=True)


async def test_what_is_set(start_with: Any, admin: Any) -> None:
    service = await start_with(MemoryStorage())
    response = await (await service.client(admin)).get(URL)

    assert response.headers["content-type"] == "application/vnd.api+json"
    assert response.json() == {
        "data": {
            "type": "setting",
            "id": "1",
            "attributes": {
                **PUBLIC,
                "storage-place": "local",
                "storage-places": ["local", "memory"],
            },
            "links": {"self": URL},
        },
        "jsonapi": {"version": "1.1"},
    }


async def test_a_switch_holds_in_every_process(start_with: Any, admin: Any) -> None:
    memory = MemoryStorage()
    one, other = await start_with(memory), await start_with(memory)
    client = await one.client(admin)

    before = await client.post(UPLOAD, files={"file": ("a.txt", b"before")})
    switched = await client.patch(URL, json=change("memory"))
    after = [
        await (await service.client(admin)).post(UPLOAD, files={"file": ("b.txt", b"after")})
        for service in (one, other)
    ]

    assert switched.status_code == 200
    assert switched.json()["data"]["attributes"]["storage-place"] == "memory"
    assert [answer.status_code for answer in after] == [200, 200]
    assert len(await keys_in(memory, "uploads/")) == 2
    old_path = httpx.URL(before.json()["url"]).path
    assert (await client.get(old_path)).content == b"before"
    assert await keys_in(memory, "private/") == []


async def test_archives_go_to_the_new_place(
    start_with: Any, admin: Any, archive: bytes, engine: AsyncEngine
) -> None:
    memory = MemoryStorage()
    service = await start_with(memory)
    async with engine.begin() as connection:
        await write_storage_place(connection, "memory")

    answer = await (await service.client(admin)).post(
        "/v1/events/import/json", files={"file": archive}
    )

    assert answer.status_code == 202
    job_id = answer.json()["task_url"].split("/")[3]
    assert await keys_in(memory, "private/imports/") == [f"private/imports/{job_id}/source"]


async def test_local_disk_can_still_be_forced(start_with: Any, admin: Any) -> None:
    service = await start_with(MemoryStorage())
    client = await service.client(admin)
    await client.patch(URL, json=change("memory"))

    answer = await client.post(f"{UPLOAD}?force_local=true", files={"file": ("a", b"x")})

    assert (await client.get(httpx.URL(answer.json()["url"]).path)).content == b"x"


async def test_what_is_not_configured_is_refused(start_with: Any, admin: Any) -> None:
    service = await start_with(MemoryStorage())
    client = await service.client(admin)

    response = await client.patch(URL, json=change("s3"))

    assert response.status_code == 422
    (error,) = response.json()["errors"]
    assert error["code"] == "storage-not-configured"
    assert error["source"] == {"pointer": "/data/attributes/storage-place"}
    assert "'s3'" in error["detail"]
    assert (await client.get(URL)).json()["data"]["attributes"]["storage-place"] == "local"


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        ("write", "write: access denied"),
        ("read", "read: access denied"),
        ("content", "read: the content differs from what was written"),
        ("delete", "delete: access denied"),
        ("undead", "delete: the object was not deleted"),
    ],
)
async def test_a_storage_that_fails_its_probe_is_refused(
    start_with: Any, admin: Any, broken: str, reason: str
) -> None:
    service = await start_with(BrokenStorage(broken))
    client = await service.client(admin)

    response = await client.patch(URL, json=change("memory"))

    assert response.status_code == 422
    (error,) = response.json()["errors"]
    assert error["code"] == "storage-unusable"
    assert error["source"] == {"pointer": "/data/attributes/storage-place"}
    assert error["detail"] == f"The storage 'memory' failed its probe. {reason}"
    assert (await client.get(URL)).json()["data"]["attributes"]["storage-place"] == "local"


async def test_a_storage_that_does_not_answer_fails_its_probe() -> None:
    with pytest.raises(StorageError, match="no answer within"):
        await probe(BrokenStorage("silent"), probe_key(), timeout=0.01)


@pytest.mark.parametrize(
    ("document", "pointer"),
    [
        (change("memory", **{"storage-places": ["memory"]}), "/data/attributes/storage-places"),
        (change(7), "/data/attributes/storage-place"),
        ({"data": {"type": "user", "attributes": {}}}, "/data/type"),
        ({"data": {"type": "setting"}}, "/data/attributes"),
        ({}, "/data"),
    ],
)
async def test_what_is_no_change_is_refused(
    service: Any, admin: Any, document: dict[str, Any], pointer: str
) -> None:
    response = await (await service.client(admin)).patch(URL, json=document)

    assert response.status_code == 422
    assert [error["source"] for error in response.json()["errors"]] == [{"pointer": pointer}]


async def test_no_change_changes_nothing(service: Any, admin: Any) -> None:
    response = await (await service.client(admin)).patch(
        URL, json={"data": {"type": "setting", "attributes": {}}}
    )

    assert response.status_code == 200
    assert response.json()["data"]["attributes"]["storage-place"] == "local"


async def test_only_admins_change_them_and_see_the_storages(
    user_client: httpx.AsyncClient,
) -> None:
    response = await user_client.patch(URL, json=change("local"))
    public = await user_client.get(URL)
    bad = await user_client.get(URL, headers={"Authorization": "Bearer nonsense"})

    assert response.status_code == 403
    assert public.json()["data"]["attributes"] == PUBLIC
    assert bad.status_code == 401


async def test_a_choice_that_is_not_configured_here_is_not_followed(
    service: Any, engine: AsyncEngine, admin: Any
) -> None:
    async with engine.begin() as connection:
        await write_storage_place(connection, "gcs")

    response = await (await service.client(admin)).get(URL)

    assert response.json()["data"]["attributes"]["storage-place"] == "local"


async def test_a_read_serves_for_a_while_and_the_last_one_without_a_database(
    engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    choice = StorageChoice(engine, fresh_seconds=1000)
    restless = StorageChoice(engine, fresh_seconds=0)
    async with engine.begin() as connection:
        await write_storage_place(connection, "s3")
    assert (await choice.current(), await restless.current()) == ("s3", "s3")
    async with engine.begin() as connection:
        await write_storage_place(connection, "gcs")
    assert (await choice.current(), await restless.current()) == ("s3", "gcs")

    def away(_self: AsyncEngine) -> None:
        raise ConnectionRefusedError

    monkeypatch.setattr(AsyncEngine, "connect", away)
    assert await restless.current() == "gcs"
