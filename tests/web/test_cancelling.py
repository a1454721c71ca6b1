"""Cancelling an import over HTTP, whatever a worker is doing with it."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from tests.formats.planning import zip_of
from tests.storage_doubles import FaultyStorage

from eventimport.database.models import Base, Event, ImportJob, Notification, User
from eventimport.imports.run import run_import
from eventimport.storage.factory import StorageSet
from eventimport.storage.protocol import Storage, StorageError

URL = "/v1/events/import/json"
STAGES = "eventimport.imports.run"
DOCUMENTS = {
    "event": {"id": 1, "name": "Conference"},
    "sessions": [{"id": 1, "title": "T", "audio": "/audio/a.wav"}],
}
ARCHIVE = zip_of(DOCUMENTS, {"audio/a.wav": b"RIFF and so on"})
BESIDES = {"users", "tasks", "import_jobs", "service_settings", "audit_log"}


@pytest.fixture
async def post(user_client: httpx.AsyncClient) -> Any:
    """Posts an archive and gives back the task's id."""

    async def post() -> UUID:
        answer = await user_client.post(URL, files={"file": ARCHIVE})
        assert answer.status_code == 202
        return UUID(answer.json()["task_url"].split("/")[3])

    return post


class Leftovers:
    """What there is of imports: rows besides their own, and objects."""

    def __init__(self, sessions: async_sessionmaker[AsyncSession], root: Path) -> None:
        self.sessions = sessions
        self.root = root

    async def all(self) -> tuple[list[str], list[str]]:
        looked_at = [table for table in Base.metadata.sorted_tables if table.name not in BESIDES]
        async with self.sessions() as session:
            tables = [
                table.name
                for table in looked_at
                if await session.scalar(select(func.count()).select_from(table))
            ]
        return tables, [path.name for path in self.root.rglob("*") if path.is_file()]

    async def job(self, job_id: UUID) -> ImportJob:
        async with self.sessions() as session:
            return await session.get_one(ImportJob, job_id)


@pytest.fixture
def leftovers(session_factory: Any, settings: Any) -> Leftovers:
    """Looks at the database and at local disk."""
    return Leftovers(session_factory, settings.local_storage_path)


async def test_a_waiting_import_never_begins(
    service: Any, user_client: httpx.AsyncClient, post: Any, leftovers: Leftovers
) -> None:
    job_id = await post()

    response = await user_client.delete(f"/v1/tasks/{job_id}")
    await run_import(service.resources, job_id)

    assert response.status_code == 200
    progress = {"stage": None, "done": 0, "total": 0, "message": "Cancelled"}
    told = {
        "kind": "import",
        "state": "REVOKED",
        "progress": progress,
        "event": None,
        "result": None,
    }
    assert response.json() == told
    assert (await user_client.get(f"/v1/tasks/{job_id}")).json() == told
    assert await leftovers.all() == ([], [])
    job = await leftovers.job(job_id)
    assert (job.attempt, job.archive_key) == (0, None)
    assert job.finished_at is not None


@pytest.mark.parametrize("step", [f"{STAGES}._read", f"{STAGES}.write_plan"])
async def test_a_running_import_stops(
    start_service: Any,
    user: User,
    leftovers: Leftovers,
    monkeypatch: pytest.MonkeyPatch,
    step: str,
) -> None:
    """While it reads, and before its transaction commits."""
    service = await start_service(heartbeat_interval=0.01)
    client = await service.client(user)
    answer = await client.post(URL, files={"file": ARCHIVE})
    job_id = UUID(answer.json()["task_url"].split("/")[3])
    arrived = asyncio.Event()

    async def wait(*_arguments: Any) -> None:
        arrived.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(step, wait)
    running = asyncio.create_task(run_import(service.resources, job_id))
    async with asyncio.timeout(60):
        await arrived.wait()
        response = await client.delete(f"/v1/tasks/{job_id}")
        await running

    assert response.json()["state"] == "REVOKED"
    assert await leftovers.all() == ([], [])
    job = await leftovers.job(job_id)
    assert (job.status, job.event_id, job.event_identifier) == ("REVOKED", None, None)
    assert not job.held, "its worker has let go of it"


async def test_after_the_commit_the_event_stays(
    start_service: Any, user: User, leftovers: Leftovers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The task shows it although its state is still STARTED; cancelling stops only the media."""
    service = await start_service(heartbeat_interval=0.01)
    client = await service.client(user)
    answer = await client.post(URL, files={"file": ARCHIVE})
    job_id = UUID(answer.json()["task_url"].split("/")[3])
    arrived = asyncio.Event()

    async def wait(*_arguments: Any) -> None:
        arrived.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(f"{STAGES}.move_media", wait)
    running = asyncio.create_task(run_import(service.resources, job_id))
    async with asyncio.timeout(60):
        await arrived.wait()
        before = (await client.get(f"/v1/tasks/{job_id}")).json()
        response = await client.delete(f"/v1/tasks/{job_id}")
        await running

    job = await leftovers.job(job_id)
    assert before["state"] == "STARTED"
    assert before["event"] == {
        "id": str(job.event_id),
        "identifier": job.event_identifier,
        "name": "Conference",
        "url": f"https://events.example/events/{job.event_identifier}",
    }
    task = response.json()
    assert (task["state"], task["event"]) == ("SUCCESS", before["event"])
    media = task["result"]["report"]["media"]
    assert media["outcomes"] == {"NOT_STORED": 1}
    assert [item["detail"] for item in media["items"]] == ["the import was cancelled"]
    assert (await client.get(f"/v1/tasks/{job_id}")).json() == task
    assert (job.status, job.held) == ("SUCCESS", False)
    assert (await client.delete(f"/v1/tasks/{job_id}")).status_code == 409
    assert (await client.delete(f"/v1/events/{job.event_id}")).status_code == 204
    async with leftovers.sessions() as session:
        (notification,) = (await session.scalars(select(Notification))).all()
    assert notification.title == "“Conference” was imported"


class WaitingStorage(FaultyStorage):
    """Waits, when a medium is stored, until it may go on."""

    def __init__(self, inner: Storage, *, late: bool) -> None:
        super().__init__(inner)
        self.late = late
        self.arrived = asyncio.Event()
        self.may_go_on = asyncio.Event()

    async def put(self, key: str, chunks: Any, *, content_type: str) -> Any:
        if not key.startswith("events/"):
            return await super().put(key, chunks, content_type=content_type)
        if self.late:
            stored = await super().put(key, chunks, content_type=content_type)
            await self._wait()
            return stored
        return await super().put(key, self._waiting(chunks), content_type=content_type)

    async def _waiting(self, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        async for chunk in chunks:
            await self._wait()
            yield chunk

    async def _wait(self) -> None:
        self.arrived.set()
        await self.may_go_on.wait()


@pytest.mark.parametrize("late", [False, True], ids=["within the put", "after the put"])
async def test_a_worker_that_stores_a_medium_leaves_nothing(
    service: Any,
    user_client: httpx.AsyncClient,
    post: Any,
    leftovers: Leftovers,
    late: bool,
) -> None:
    """It learns of the end when it records what it has stored."""
    job_id = await post()
    storage = WaitingStorage(service.resources.storages.get("local"), late=late)
    storages = StorageSet({"local": storage}, active_name="local")
    worker = replace(service.resources, storages=storages)
    running = asyncio.create_task(run_import(worker, job_id))
    async with asyncio.timeout(60):
        await storage.arrived.wait()
        response = await user_client.delete(f"/v1/tasks/{job_id}")
        storage.may_go_on.set()
        await running

    assert response.json()["state"] == "SUCCESS"
    tables, files = await leftovers.all()
    assert "events" in tables
    assert files == ["source"], "what was being stored is removed"
    report = (await leftovers.job(job_id)).report
    assert report is not None
    assert report["media"]["outcomes"] == {"NOT_STORED": 1}


async def test_an_import_whose_media_are_moved_already(
    service: Any,
    user_client: httpx.AsyncClient,
    post: Any,
    leftovers: Leftovers,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Something went wrong between the last medium and the end; it is to be tried again."""
    job_id = await post()

    async def die(*_arguments: Any, **_values: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr(f"{STAGES}.succeed", die)
    await run_import(service.resources, job_id)
    tables, files = await leftovers.all()
    assert "events" in tables
    assert sorted(files) == ["a.wav", "source"]

    response = await user_client.delete(f"/v1/tasks/{job_id}")

    task = response.json()
    assert task["state"] == "SUCCESS"
    assert task["result"]["report"]["media"]["outcomes"] == {"MOVED": 1}
    assert sorted((await leftovers.all())[1]) == ["a.wav", "source"]


async def test_a_storage_that_is_away_does_not_keep_an_import_from_being_cancelled(
    service: Any,
    user_client: httpx.AsyncClient,
    post: Any,
    leftovers: Leftovers,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    job_id = await post()

    async def delete(key: str) -> None:
        raise StorageError(f"no answer about {key}")

    monkeypatch.setattr(service.resources.storages.get("local"), "delete", delete)

    response = await user_client.delete(f"/v1/tasks/{job_id}")

    assert (response.status_code, response.json()["state"]) == (200, "REVOKED")
    assert (await leftovers.job(job_id)).archive_key is None
    tables, files = await leftovers.all()
    assert (tables, files) == (["stored_objects"], ["source"]), "left to the clean-up"


@pytest.mark.parametrize("status", ["SUCCESS", "FAILURE", "REVOKED"])
async def test_what_has_ended_stays_as_it_is(
    user_client: httpx.AsyncClient,
    user: User,
    session_factory: async_sessionmaker[AsyncSession],
    status: str,
) -> None:
    job = ImportJob(id=uuid4(), user_id=user.id, status=status)
    conference = Event(identifier="ab3de6f0", name="Conference")
    async with session_factory.begin() as session:
        session.add(conference)
        await session.flush()
        job.event_id = conference.id
        session.add(job)

    response = await user_client.delete(f"/v1/tasks/{job.id}")

    assert response.status_code == 409
    assert response.json()["errors"][0]["code"] == "task-ended"
    async with session_factory() as session:
        kept = await session.get_one(ImportJob, job.id)
        assert (kept.status, kept.event_id) == (status, conference.id)


async def test_the_owner_and_admins_alone_may(
    service: Any, make_user: Any, post: Any, leftovers: Leftovers
) -> None:
    job_id = await post()
    other, admin = await make_user(), await make_user(is_admin=True)

    refused = await (await service.client(other)).delete(f"/v1/tasks/{job_id}")
    assert refused.status_code == 404
    assert (await leftovers.job(job_id)).status == "PENDING"

    taken = await (await service.client(admin)).delete(f"/v1/tasks/{job_id}")
    assert taken.json()["state"] == "REVOKED"
    async with leftovers.sessions() as session:
        assert (await session.scalars(select(Notification))).all() == []


async def test_what_never_was_cannot_be_cancelled(user_client: httpx.AsyncClient) -> None:
    assert (await user_client.delete(f"/v1/tasks/{uuid4()}")).status_code == 404
