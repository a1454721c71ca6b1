"""A database that answers, and refuses: its disk is full, or it has no connection left."""

from itertools import pairwise
from typing import Any

import asyncpg
import pytest
from sqlalchemy.exc import InterfaceError
from tests.formats.planning import zip_of
from tests.jobs.conftest import Imports
from tests.rows import change_imports

from eventimport.database.conference_writer import EventWriteError, write_plan
from eventimport.database.engine import is_unavailable
from eventimport.imports.run import run_import

ARCHIVE = zip_of({"event": {"id": 1, "name": "Conference", "timezone": "UTC"}})
WRITE_PLAN = "eventimport.imports.run.write_plan"
REFUSALS = [
    asyncpg.DiskFullError,
    asyncpg.TooManyConnectionsError,
    asyncpg.OutOfMemoryError,
    asyncpg.CannotConnectNowError,
    asyncpg.InterfaceError,
]


async def attempts(imports: Imports, job_id: Any, count: int) -> None:
    """Run the import so often, each time that it waits for a worker."""
    for _ in range(count):
        await change_imports(imports.resources.engine, retry_at=None)
        await run_import(imports.resources, job_id)


@pytest.mark.parametrize("error", REFUSALS)
async def test_a_refusal_uses_up_no_attempt(
    imports: Imports, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    async def refuse(*_: Any) -> None:
        raise EventWriteError("sessions", error("not now"))

    job_id = await imports.accept(ARCHIVE)
    with monkeypatch.context() as patch:
        patch.setattr(WRITE_PLAN, refuse)
        await attempts(imports, job_id, 2 * imports.resources.settings.max_attempts)
    job = await imports.job(job_id)
    assert (job.status, job.failures, job.errors) == ("PENDING", 0, None)
    assert job.waited > 30
    await attempts(imports, job_id, 1)
    assert (await imports.job(job_id)).status == "SUCCESS"


async def test_the_patience_has_an_end(imports: Imports, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(connection: Any, *arguments: Any) -> None:
        await write_plan(connection, *arguments)
        raise EventWriteError("sessions", asyncpg.DiskFullError("not now"))

    monkeypatch.setattr(WRITE_PLAN, refuse)
    job_id = await imports.accept(ARCHIVE)
    await change_imports(
        imports.resources.engine, waited=imports.resources.settings.database_patience
    )
    await attempts(imports, job_id, 1)
    job = await imports.job(job_id)
    assert job.status == "FAILURE"
    assert job.errors is not None
    assert [error["code"] for error in job.errors] == ["database-unavailable"]
    assert await imports.rows("events") == []


async def test_pauses_grow_and_are_bounded(
    imports: Imports, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: Any) -> None:
        raise EventWriteError("sessions", asyncpg.DiskFullError("not now"))

    monkeypatch.setattr(WRITE_PLAN, refuse)
    job_id = await imports.accept(ARCHIVE)
    waited = [0.0]
    for _ in range(7):
        await attempts(imports, job_id, 1)
        waited.append((await imports.job(job_id)).waited)
    pauses = [after - before for before, after in pairwise(waited)]
    assert pauses == [0.5, 1.0, 2.0, 4.0, 8.0, 10.0, 10.0]


@pytest.mark.parametrize(
    ("error", "away"),
    [
        (asyncpg.InterfaceError("connection is closed"), True),
        (asyncpg.InterfaceError("cannot perform operation: connection is closed"), True),
        (
            asyncpg.InterfaceError("cannot perform operation: another operation is in progress"),
            False,
        ),
        (asyncpg.exceptions.DataError("invalid input for query argument $1"), False),
    ],
)
def test_a_connection_that_is_lost_at_once_is_an_unavailable_database(
    error: Exception, away: bool
) -> None:
    assert is_unavailable(InterfaceError("SELECT 1", {}, error)) is away
