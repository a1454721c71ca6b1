"""Imports run for real, without a worker process around them."""

from collections.abc import AsyncIterator, Awaitable, Callable
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select, text
from tests.stored_files import accept_archive

from eventimport.database.models import Base, ImportJob, User
from eventimport.imports.run import run_import
from eventimport.resources import Resources, open_resources
from eventimport.settings import Settings

SECRET_KEY = "a key for tests, which guards nothing"


@pytest.fixture
def settings(database_url: str, redis_url: str, tmp_path: Path) -> Settings:
    """Settings over the test servers; objects are on local disk."""
    common = settings_over(database_url, redis_url)
    return common.model_copy(update={"local_storage_path": tmp_path / "storage"})


@cache
def settings_over(database_url: str, redis_url: str) -> Settings:
    """Settings over these servers, read once, which costs 20 ms."""
    return Settings(
        database_url=database_url,
        redis_url=redis_url,
        secret_key=SECRET_KEY,
        frontend_url="https://events.example",
        fetch_media=False,
    )


@pytest.fixture
async def resources(settings: Settings) -> AsyncIterator[Resources]:
    """Open resources, as a worker has them."""
    async with open_resources(settings) as opened:
        yield opened


class Imports:
    """Accepts archives as the web server does, runs their imports, and looks at what came out."""

    def __init__(self, resources: Resources, user: User) -> None:
        self.resources = resources
        self.user = user

    async def accept(self, data: bytes, *, user: User | None = None, **values: Any) -> UUID:
        """Store the archive and make its row; nothing is enqueued."""
        return await accept_archive(self.resources, (user or self.user).id, data, **values)

    async def run(self, data: bytes, **values: Any) -> ImportJob:
        """Accept and import an archive; returns the job's row as it is then."""
        job_id = await self.accept(data, **values)
        await run_import(self.resources, job_id)
        return await self.job(job_id)

    async def job(self, job_id: UUID) -> ImportJob:
        """The job's row."""
        async with self.resources.sessions() as session:
            return (await session.scalars(select(ImportJob).filter_by(id=job_id))).one()

    async def rows(self, table: str, event_id: int | None = None) -> list[dict[str, Any]]:
        """The rows of a table, those of an event where one is named, by id where they have one."""
        columns = Base.metadata.tables[table]
        statement = select(columns)
        if event_id is not None:
            column = columns.c.id if table == "events" else columns.c.event_id
            statement = statement.where(column == event_id)
        if "id" in columns.c:
            statement = statement.order_by(columns.c.id)
        async with self.resources.engine.connect() as connection:
            found = await connection.execute(statement)
            return [dict(row) for row in found.mappings()]

    async def links(self, event_id: int) -> set[tuple[str | None, str | None]]:
        """The links of an event, as pairs of source ids: session, speaker."""
        statement = text(
            "SELECT s.source_id, p.source_id FROM session_speakers l"
            " JOIN sessions s ON s.id = l.session_id JOIN speakers p ON p.id = l.speaker_id"
            " WHERE s.event_id = :event AND p.event_id = :event"
        )
        async with self.resources.engine.connect() as connection:
            found = await connection.execute(statement, {"event": event_id})
            return {(session, speaker) for session, speaker in found}

    async def traces(self) -> dict[str, int]:
        """How many rows each table of events has, of those that have any."""
        told = {"notifications", "outgoing_mails", "audit_log"}
        besides = {"users", "tasks", "import_jobs", "import_findings", "service_settings"} | told
        counts = {}
        async with self.resources.engine.connect() as connection:
            for table in Base.metadata.sorted_tables:
                if table.name not in besides:
                    statement = select(func.count()).select_from(table)
                    # The archive itself is stored, and what is on its way out is no trace.
                    if table.name == "stored_objects":
                        statement = statement.where(
                            table.c.purpose != "archive", table.c.state != "DELETING"
                        )
                    elif table.name == "object_links":
                        statement = statement.where(table.c.import_job_id.is_(None))
                    count = await connection.scalar(statement)
                    if count:
                        counts[table.name] = count
        return counts


@pytest.fixture
async def imports(resources: Resources, make_user: Callable[..., Awaitable[User]]) -> Imports:
    """Imports of a user of their own."""
    return Imports(resources, await make_user(email="ada@example.org"))
