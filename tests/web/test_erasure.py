"""Erasing a person: nothing in the database or the storage names them any more."""

import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from tests.stored_files import store

from eventimport.accounts.erasing import erase
from eventimport.database import models
from eventimport.database.models import Base, ObjectPurpose, User
from eventimport.settings import Settings

ADDRESS, NAME = "ada.quill@example.org", "Ada Quill-O'Neil"
OTHERS = ("mada.quill@example.org", "ada.quill@example.org.uk", "ada-quill@example.org")


class Conference:
    """An event with a speaker in many places."""

    def __init__(self, sessions: async_sessionmaker[AsyncSession], resources: Any) -> None:
        self._sessions, self._resources = sessions, resources
        self.id = 0

    async def write(self, owner: User) -> None:
        said = f"{NAME} <{ADDRESS.upper()}>, {', '.join(OTHERS)}"
        async with self._sessions.begin() as session:
            event = models.Event(
                identifier=f"e{uuid4().hex[:7]}", name="Tea", description=said, email=ADDRESS
            )
            session.add(event)
            await session.flush()
            self.id = event.id
            session.add(models.EventRole(event_id=event.id, user_id=owner.id))
            speakers = [
                models.Speaker(event_id=event.id, name=NAME, email=f" {ADDRESS.title()} "),
                models.Speaker(event_id=event.id, name="Mada", email=OTHERS[0]),
            ]
            talk = models.EventSession(
                event_id=event.id,
                title="Opening",
                comments=said,
                extra={"persons": [{"name": NAME, "email": ADDRESS}], "note": said},
            )
            session.add_all([*speakers, talk])
            await session.flush()
            link = models.SessionSpeaker(session_id=talk.id, speaker_id=speakers[0].id)
            job = models.ImportJob(
                id=uuid4(),
                user_id=owner.id,
                status="SUCCESS",
                event_id=event.id,
                archive_storage="local",
                report={"findings": [{"message": f"“{NAME}” has no photo", "value": said}]},
                errors=[{"detail": said}],
            )
            invitation = models.EventInvitation(
                event_id=event.id, address=ADDRESS, role="viewer", expires_at=func.now()
            )
            session.add_all([link, job, invitation])
            await session.flush()
            finding = models.ImportFinding(
                import_job_id=job.id, position=0, severity="warning", content={"message": said}
            )
            note = models.Notification(
                user_id=owner.id, import_job_id=job.id, title="T", message=said
            )
            session.add_all([finding, note])
            key = job.archive_key = f"private/imports/{job.id}/source"
        use = {"event_id": self.id, "table_name": "speakers", "field": "photo_url"}
        for index, speaker in enumerate(speakers):
            await store(
                self._resources,
                f"events/{self.id}/speakers/{index}/a.png",
                ObjectPurpose.MEDIA,
                used_by={**use, "row_id": speaker.id},
            )
        archive = {"used_by": {"import_job_id": job.id}}
        await store(self._resources, key, ObjectPurpose.ARCHIVE, **archive)  # type: ignore[arg-type]


async def places(session_factory: async_sessionmaker[AsyncSession], word: str) -> list[str]:
    """All rows of the database that have the word."""
    found = []
    async with session_factory() as session:
        for table in Base.metadata.sorted_tables:
            statement = text(f"SELECT to_jsonb(t)::text FROM {table.name} AS t")
            for row in await session.scalars(statement):
                plain = json.dumps(json.loads(row), ensure_ascii=False)
                rest = plain.lower()
                for other in OTHERS:
                    rest = rest.replace(other, "")
                if word.lower() in rest:
                    found.append(f"{table.name}: {plain[:300]}")
    return found


def files(settings: Settings) -> int:
    """How many files are stored."""
    root: Path = settings.local_storage_path
    return sum(path.is_file() for path in root.rglob("*"))


@pytest.fixture
async def conferences(
    service: Any, user: User, session_factory: async_sessionmaker[AsyncSession]
) -> list[Conference]:
    made = [Conference(session_factory, service.resources) for _ in range(2)]
    for conference in made:
        await conference.write(user)
    return made


async def test_the_owner_erases_a_person_from_an_event(
    service: Any,
    user: User,
    make_user: Any,
    *,
    settings: Settings,
    conferences: list[Conference],
    session_factory: async_sessionmaker[AsyncSession],
) -> None:
    owner, other = await service.client(user), await service.client(await make_user())
    before = await places(session_factory, ADDRESS)
    url, body = f"/v1/events/{conferences[0].id}/erase", {"email": ADDRESS}
    assert (await other.post(url, json=body)).status_code == 404
    assert (await owner.post(url, json={"email": "nobody"})).status_code == 422
    assert len(await places(session_factory, ADDRESS)) == len(before)

    answer = await owner.post(url, json=body)
    assert answer.status_code == 200, answer.text
    counts = answer.json()
    assert (counts["speakers"], counts["archives"], counts["files"]) == (1, 1, 2)
    assert files(settings) == 4
    # The other event has the person still.
    assert len(await places(session_factory, ADDRESS)) * 2 == len(before)
    async with session_factory() as session:
        names = await session.scalars(
            select(models.Speaker.name).where(models.Speaker.event_id == conferences[0].id)
        )
        assert names.all() == ["Mada"]
        talks = select(models.EventSession.extra).where(
            models.EventSession.event_id == conferences[0].id
        )
        (extra,) = (await session.scalars(talks)).all()
        assert extra["persons"] == [{"name": "[erased]", "email": "[erased]"}]
        assert all(address in extra["note"] for address in OTHERS)
    again = (await owner.post(url, json=body)).json()
    assert set(again.values()) == {0}


async def test_an_operator_erases_a_person_from_all_events(
    service: Any,
    settings: Settings,
    conferences: list[Conference],
    session_factory: async_sessionmaker[AsyncSession],
) -> None:
    assert len(conferences) == 2
    counts = await erase(service.resources, f" {ADDRESS.upper()} ", actor=None)

    assert (counts["speakers"], counts["archives"], counts["files"]) == (2, 2, 4)
    assert await places(session_factory, ADDRESS) == []
    # What people wrote keeps the name, which may be another person's.
    named = await places(session_factory, NAME)
    assert {place.partition(":")[0] for place in named} <= {"events", "sessions"}
    assert files(settings) == 2
