"""Cancelling, deleting, editing, recovering and importing at once: nobody waits in a circle."""

import asyncio
from collections import Counter
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import pytest
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine
from tests.formats.planning import zip_of
from tests.lost_workers import lose_workers

from eventimport.database.engine import is_unavailable
from eventimport.database.models import (
    OPEN_STATUSES,
    Event,
    EventSession,
    ImportJob,
    ImportStatus,
    Speaker,
    User,
)
from eventimport.imports.run import run_import
from eventimport.resources import Resources

ROUNDS = 4
SESSIONS = range(1, 7)
SPEAKERS = [{"id": n, "name": f"Speaker {n}"} for n in SESSIONS]
DOCUMENTS = {
    "event": {"id": 1, "name": "Conference", "logo": "/images/logo.png"},
    "speakers": [{**speaker, "photo": "/images/logo.png"} for speaker in SPEAKERS],
    "sessions": [
        {
            "id": n,
            "title": f"Session {n}",
            "audio": f"/audio/{n}.wav",
            "slides": f"/slides/{n}.pdf",
            "speakers": SPEAKERS,
        }
        for n in SESSIONS
    ],
}
FILES = {f"audio/{n}.wav": b"RIFF and so on" for n in SESSIONS} | {
    f"slides/{n}.pdf": b"%PDF and so on" for n in SESSIONS
}
ARCHIVE = zip_of(DOCUMENTS, FILES | {"images/logo.png": b"no picture"})
IN_TIME_AND_TOO_LATE = {
    ("PATCH events", 200),
    ("PATCH sessions", 200),
    ("DELETE tasks", 200),
    ("DELETE events", 409),
}
ENDS = {ImportStatus.SUCCESS, ImportStatus.REVOKED, ImportStatus.FAILURE}


@pytest.fixture
def deadlocks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What PostgreSQL says of deadlocks, whoever catches it."""
    told: list[str] = []
    initialise = asyncpg.DeadlockDetectedError.__init__

    def tell(error: Any, *args: Any) -> None:
        told.append(str(args))
        initialise(error, *args)

    monkeypatch.setattr(asyncpg.DeadlockDetectedError, "__init__", tell)
    return told


async def test_a_deadlock_is_noticed_and_means_to_try_again(
    engine: AsyncEngine, make_user: Any, deadlocks: list[str]
) -> None:
    users = [await make_user() for _ in range(2)]
    statement = select(User.id).with_for_update()
    both = asyncio.Barrier(2)

    async def lock(first: User, second: User) -> None:
        async with engine.begin() as connection:
            await connection.execute(statement.where(User.id == first.id))
            await both.wait()
            await connection.execute(statement.where(User.id == second.id))

    outcomes = await asyncio.gather(lock(*users), lock(*users[::-1]), return_exceptions=True)

    (error,) = (outcome for outcome in outcomes if outcome is not None)
    assert isinstance(error, DBAPIError)
    assert is_unavailable(error)
    assert len(deadlocks) == 1


@dataclass
class Crowd:
    """All that may happen to an import while a worker runs it, over HTTP as far as there is a
    route. `answers` counts the statuses."""

    resources: Resources
    client: httpx.AsyncClient
    answers: Counter[tuple[str, int]]

    async def accept(self) -> UUID:
        answer = await self.client.post("/v1/events/import/json", files={"file": ARCHIVE})
        return UUID(answer.json()["task_url"].split("/")[3])

    async def event_of(self, job_id: UUID) -> tuple[int | None, bool]:
        """The import's event, and whether it still runs."""
        statement = select(ImportJob.event_id, ImportJob.status).where(ImportJob.id == job_id)
        async with self.resources.reader.connect() as connection:
            event_id, status = (await connection.execute(statement)).one()
        return event_id, status in OPEN_STATUSES

    async def edit(self, event_id: int) -> None:
        data = {"type": "event", "id": str(event_id), "attributes": {"name": "Other"}}
        await self._send("PATCH", f"/v1/events/{event_id}", data)

    async def link(self, event_id: int) -> None:
        """Name all speakers of a session anew, and change a field of it."""
        async with self.resources.reader.connect() as connection:
            of_event = EventSession.event_id == event_id
            session = await connection.scalar(select(EventSession.id).where(of_event).limit(1))
            found = await connection.scalars(select(Speaker.id).filter_by(event_id=event_id))
            speakers = [{"type": "speaker", "id": str(number)} for number in found]
        data = {
            "type": "session",
            "id": str(session),
            "attributes": {"title": "Other"},
            "relationships": {"speakers": {"data": speakers}},
        }
        await self._send("PATCH", f"/v1/sessions/{session or 1}", data)

    async def delete(self, event_id: int) -> None:
        await self._send("DELETE", f"/v1/events/{event_id}")

    async def cancel(self, job_id: UUID) -> None:
        await self._send("DELETE", f"/v1/tasks/{job_id}")

    async def give_up(self) -> None:
        """The recovery takes all workers for dead, and their attempts for the last ones."""
        settings = self.resources.settings
        hasty = settings.model_copy(update={"max_attempts": 1})
        await lose_workers(replace(self.resources, settings=hasty))

    async def _send(self, method: str, url: str, data: Any = None) -> None:
        headers = {"Content-Type": "application/vnd.api+json"} if data else {}
        body = {"data": data} if data else None
        answer = await self.client.request(method, url, json=body, headers=headers)
        self.answers[f"{method} {url.split('/')[2]}", answer.status_code] += 1

    async def press(self, job_id: UUID, *, patience: int, cancels: bool, gives_up: bool) -> None:
        """Edit and delete, all at once and again and again, while the import moves its media; after
        some of it perhaps cancel it, or have it given up, at the same moment."""
        running = True
        while running:
            event_id, running = await self.event_of(job_id)
            if event_id is None:
                continue
            acts = [self.edit(event_id), self.link(event_id), self.delete(event_id)]
            patience -= 1
            if patience < 0 and cancels:
                acts.append(self.cancel(job_id))
            if patience < 0 and gives_up:
                acts.append(self.give_up())
            await asyncio.gather(*acts)


async def test_nobody_waits_in_a_circle(
    start_service: Any, user: User, deadlocks: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eventimport.imports.attempt.PROGRESS_SECONDS", 0.001)
    service = await start_service(
        heartbeat_interval=0.001, database_pool_size=40, requests_per_minute=0
    )
    crowd = Crowd(service.resources, await service.client(user), Counter())
    rounds = 0
    # Who comes first is chance. Each of them must have come in time, and too late; else nothing
    # would have been shown.
    while rounds < ROUNDS or (not crowd.answers.keys() >= IN_TIME_AND_TOO_LATE and rounds < 50):
        rounds += 1
        jobs = [await crowd.accept() for _ in range(5)]
        async with asyncio.timeout(600):
            await asyncio.gather(
                *(run_import(service.resources, job_id) for job_id in jobs),
                *(
                    crowd.press(job_id, patience=n, cancels=n < 3, gives_up=n == 4)
                    for n, job_id in enumerate(jobs)
                ),
            )

    assert deadlocks == []
    assert {status for _, status in crowd.answers if status >= 500} == set()
    assert crowd.answers.keys() >= IN_TIME_AND_TOO_LATE
    async with service.resources.sessions() as session:
        statuses = Counter(await session.scalars(select(ImportJob.status)))
        left = await session.scalars(
            select(Event.id).where(
                Event.id.not_in(
                    select(ImportJob.event_id).where(
                        ImportJob.status == ImportStatus.SUCCESS, ImportJob.event_id.is_not(None)
                    )
                )
            )
        )
        assert left.all() == []
    # Whatever is cancelled or given up here has committed its event.
    assert set(statuses) == {ImportStatus.SUCCESS}
