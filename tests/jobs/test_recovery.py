"""Finding lost imports, whoever still holds what of them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection
from tests.jobs.conftest import Imports
from tests.lost_workers import lose_workers

from eventimport.database.models import ImportStatus
from eventimport.database.stopped_clients import end_stopped_clients
from eventimport.database.tasks import claim
from eventimport.jobs import recovery
from eventimport.resources import Resources

APPLICATION = "eventimport"


@asynccontextmanager
async def client(
    database_url: str, application: str = APPLICATION
) -> AsyncIterator[asyncpg.Connection]:
    """A connection in a transaction, as a worker has them."""
    url = database_url.replace("+asyncpg", "")
    connection = await asyncpg.connect(url, server_settings={"application_name": application})
    try:
        await connection.execute("BEGIN")
        yield connection
    finally:
        connection.terminate()


async def stop_within_a_statement(connection: asyncpg.Connection) -> None:
    """Have the server wait for a statement's execution, once it is parsed."""
    await connection.prepare("SELECT pg_backend_pid()")


async def silent_job(imports: Imports) -> UUID:
    """A job whose worker sends no heartbeat."""
    job_id = await imports.accept(b"an archive")
    async with imports.resources.engine.begin() as connection:
        assert await claim(connection, job_id) is not None
    return job_id


async def test_a_row_that_a_stopped_worker_holds_is_taken_from_it(
    imports: Imports, database_url: str
) -> None:
    job_id = await silent_job(imports)
    hasty = imports.resources.settings.model_copy(update={"database_idle_timeout": 0.01})
    resources: Resources = replace(imports.resources, settings=hasty)
    ended = asyncio.Event()
    async with client(database_url) as connection:
        connection.add_termination_listener(lambda _connection: ended.set())
        await connection.fetch("SELECT id FROM tasks WHERE id = $1 FOR UPDATE", job_id)
        await stop_within_a_statement(connection)
        async with asyncio.timeout(60):
            # The server may need a moment to end a session.
            while not await lose_workers(resources):
                pass
            await ended.wait()
    job = await imports.job(job_id)
    assert (job.status, job.attempt) == (ImportStatus.PENDING, 1)


async def test_a_database_that_lets_nobody_be_ended_does_not_stop_the_recovery(
    imports: Imports, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def refused(connection: AsyncConnection, **_: object) -> int:
        await connection.execute(text("SELECT nothing_of_this_name()"))
        raise AssertionError("the database knows of no such function")

    job_id = await silent_job(imports)
    monkeypatch.setattr(recovery, "end_stopped_clients", refused)
    assert await lose_workers(imports.resources) == 1
    assert (await imports.job(job_id)).status == ImportStatus.PENDING
    assert "cannot be ended" in caplog.text


async def test_who_lives_or_is_somebody_else_is_left_alone(
    imports: Imports, database_url: str
) -> None:
    copying, go_on = asyncio.Event(), asyncio.Event()

    async def rows() -> AsyncIterator[tuple[str, str]]:
        copying.set()
        await go_on.wait()
        yield "a@example.org", "none"

    async def end(after: timedelta) -> int:
        # What the server tells of its sessions does not change within a transaction.
        async with imports.resources.engine.begin() as connection:
            return await end_stopped_clients(connection, after=after)

    async with (
        client(database_url) as patient,
        client(database_url, "another") as other,
        client(database_url) as idle,
        client(database_url) as copier,
    ):
        await stop_within_a_statement(patient)
        await stop_within_a_statement(other)
        copy = asyncio.create_task(
            copier.copy_records_to_table(
                "users", columns=("email", "password_hash"), records=rows()
            )
        )
        await copying.wait()
        assert await end(timedelta(hours=1)) == 0
        assert await patient.fetchval("SELECT 1") == 1
        assert await end(timedelta(0)) == 0
        go_on.set()
        assert await copy == "COPY 1"
        assert await other.fetchval("SELECT 1") == 1
        assert await idle.fetchval("SELECT 1") == 1
