"""What must be true once imports have ended, whatever died meanwhile."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import func, select, text
from tests.clean_up.conftest import pass_time
from tests.faults.conferences import LINKS, MOVED, mark
from tests.stored_files import keys_in

from eventimport.database.models import (
    Base,
    Event,
    ImportJob,
    MediaItem,
    Notification,
    ObjectRecord,
    OutgoingMail,
)
from eventimport.jobs.clean_up import clean_up
from eventimport.resources import Resources

PUBLIC: Final = ("events/", "uploads/")


class Inspector:
    """Looks at the database and the storages."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources

    async def violations(self, jobs: Mapping[UUID, int]) -> list[str]:
        """What is not as promised, once all jobs, given with their conference's number, have ended
        as SUCCESS: one event each, whole, its own, told of once; and no object besides."""
        found: list[str] = []
        for job_id, number in jobs.items():
            job = await self._job(job_id)
            wrong = [f"is {job.status}: {job.errors}"] if job.status != "SUCCESS" else []
            if job.event_id is None:
                wrong.append("has no event")
            else:
                wrong += await self._wrong_rows(job, job.event_id, number)
            wrong += await self._wrong_words(job_id)
            found += [f"import {number} ({job_id}): {line}" for line in wrong]
        events = await self._count(select(func.count()).select_from(Event))
        if events != len(jobs):
            found.append(f"{len(jobs)} imports made {events} events")
        return found + await self._wrong_objects()

    async def _wrong_rows(self, job: ImportJob, event_id: int, number: int) -> list[str]:
        wrong = []
        counts = (job.report or {}).get("counts", {})
        of = mark(number)
        async with self._resources.engine.connect() as connection:
            for table, expected in counts.items():
                if table == "session_speakers":
                    continue
                columns = Base.metadata.tables[table].c
                own = columns.id if table == "events" else columns.event_id
                rows = (
                    await connection.execute(select(*columns).where(own == event_id))
                ).mappings()
                texts = [[str(value) for value in row.values()] for row in rows]
                if len(texts) != expected:
                    wrong.append(f"{len(texts)} rows of {table}, not {expected}")
                named = [any(value.endswith(of) for value in values) for values in texts]
                if table != "speakers_calls" and not all(named):
                    wrong.append(f"rows of {table} that are another conference's: {texts}")
            links = await connection.execute(
                text(
                    "SELECT s.source_id, p.source_id, s.event_id, p.event_id"
                    " FROM session_speakers l JOIN sessions s ON s.id = l.session_id"
                    " JOIN speakers p ON p.id = l.speaker_id"
                    " WHERE s.event_id = :event OR p.event_id = :event"
                ),
                {"event": event_id},
            )
            linked = sorted(tuple(row) for row in links)
            if linked != sorted((*pair, event_id, event_id) for pair in LINKS):
                wrong.append(f"links: {linked}")
            settled = await connection.execute(
                select(MediaItem.outcome, func.count())
                .where(MediaItem.import_job_id == job.id)
                .group_by(MediaItem.outcome)
            )
            outcomes = {row[0]: row[1] for row in settled}
            if outcomes != {"MOVED": MOVED, "MISSING": 1}:
                wrong.append(f"media: {outcomes}")
        return wrong

    async def _job(self, job_id: UUID) -> ImportJob:
        async with self._resources.sessions() as session:
            return await session.get_one(ImportJob, job_id)

    async def _wrong_words(self, job_id: UUID) -> list[str]:
        notifications = select(Notification.id).where(Notification.import_job_id == job_id)
        mails = (
            select(func.count())
            .select_from(OutgoingMail)
            .where(OutgoingMail.notification_id.in_(notifications))
        )
        told = await self._count(select(func.count()).select_from(notifications.subquery()))
        sent = await self._count(mails)
        return [] if (told, sent) == (1, 1) else [f"{told} notifications, {sent} mails"]

    async def _wrong_objects(self) -> list[str]:
        """Objects that rows name in vain, and those that no row names although the clean-up has
        deleted, a day later, what killed processes have left."""
        async with self._resources.engine.begin() as connection:
            await pass_time(connection, timedelta(days=2))
        await clean_up(self._resources)
        async with self._resources.engine.begin() as connection:
            await pass_time(connection, -timedelta(days=2))
        named: set[str] = set()
        async with self._resources.engine.connect() as connection:
            recorded = set(await connection.scalars(select(ObjectRecord.key)))
            for table in Base.metadata.sorted_tables:
                urls = [c for c in table.c if c.name.endswith("_url") or c.name == "url"]
                for column in urls:
                    values = await connection.scalars(select(column).where(column.is_not(None)))
                    named |= {key for value in values for key in _keys(value)}
        stored = {key for storage in self._resources.storages for key in await keys_in(storage)}
        public = {key for key in stored if key.startswith(PUBLIC)}
        return (
            [f"an object that nothing names: {key}" for key in sorted(public - named)]
            + [f"an object that is not there: {key}" for key in sorted(named - public)]
            + [f"recorded or stored alone: {key}" for key in sorted(recorded ^ stored)]
        )

    async def _count(self, statement: Any) -> int:
        async with self._resources.engine.connect() as connection:
            return int(await connection.scalar(statement) or 0)


def _keys(url: str) -> list[str]:
    for prefix in PUBLIC:
        start = url.find(f"/{prefix}")
        if start >= 0:
            return [url[start + 1 :]]
    return []
