"""PgBouncer in transaction mode, between the service and PostgreSQL.

It has fewer connections to PostgreSQL than we have to it, and each transaction gets any of them.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import asyncpg
import pytest
import typer
from sqlalchemy import make_url, text
from sqlalchemy.exc import DBAPIError
from tests.faults.conferences import conference
from tests.jobs.conftest import SECRET_KEY, Imports
from tests.pgbouncer import BACKENDS, PGBOUNCER, running_pgbouncer

from eventimport.cli.schema import require_schema, unreachable
from eventimport.database import migrations
from eventimport.database.engine import (
    DatabaseConfig,
    create_engine,
    create_reader,
    is_unavailable,
)
from eventimport.database.models import ImportStatus, User
from eventimport.database.stopped_clients import end_stopped_clients
from eventimport.resources import open_resources
from eventimport.settings import Settings

pytestmark = pytest.mark.skipif(PGBOUNCER is None, reason="pgbouncer is not installed")


@pytest.fixture
def pooled_url(database_url: str, tmp_path: Path) -> Iterator[str]:
    """The tests' database, behind PgBouncer."""
    with running_pgbouncer(database_url, tmp_path) as url:
        yield url


async def test_the_engines_share_connections(pooled_url: str) -> None:
    """More clients than connections, in turns: statements, transactions, errors."""
    config = DatabaseConfig(url=pooled_url, pool_size=4, idle_timeout=7.0, pooled=True)
    engine, reader = create_engine(config), create_reader(config)
    backends = set()

    async def read(number: int) -> None:
        async with reader.connect() as connection:
            row = (
                await connection.execute(
                    text(
                        "SELECT CAST(:number AS int), current_setting('TimeZone'),"
                        " current_setting('application_name'),"
                        " current_setting('idle_in_transaction_session_timeout'),"
                        " CAST(:document AS jsonb), pg_backend_pid()"
                    ),
                    {"number": number, "document": f"[{number}]"},
                )
            ).one()
            assert row[:5] == (number, "UTC", "eventimport", "0", [number])
            backends.add(row[5])

    async def change(number: int) -> None:
        with suppress(ZeroDivisionError):
            async with engine.begin() as connection:
                before = await connection.scalar(text("SELECT pg_backend_pid()"))
                idle = await connection.scalar(text("SHOW idle_in_transaction_session_timeout"))
                assert idle == "7s"
                await connection.execute(
                    text("INSERT INTO users (email, password_hash) VALUES (:email, 'none')"),
                    {"email": f"{number}@example.org"},
                )
                assert await connection.scalar(text("SELECT pg_backend_pid()")) == before
                if number % 2:
                    raise ZeroDivisionError

    try:
        await asyncio.gather(*(read(number) for number in range(40)), *map(change, range(40)))
        async with reader.connect() as connection:
            assert await connection.scalar(text("SELECT count(*) FROM users")) == 20
    finally:
        await engine.dispose()
        await reader.dispose()
    assert len(backends) == BACKENDS


async def test_an_import_runs(
    pooled_url: str,
    redis_url: str,
    make_user: Callable[..., Awaitable[User]],
    tmp_path: Path,
) -> None:
    await asyncio.to_thread(migrations.upgrade, pooled_url)
    settings = Settings(
        database_url=pooled_url,
        database_pooler="transaction",
        redis_url=redis_url,
        secret_key=SECRET_KEY,
        local_storage_path=tmp_path / "storage",
    )
    async with open_resources(settings) as resources:
        imports = Imports(resources, await make_user(email="ada@example.org"))
        jobs = await asyncio.gather(*(imports.run(conference(number)) for number in range(1, 5)))
        assert [job.status for job in jobs] == [ImportStatus.SUCCESS] * 4
        assert len(await imports.rows("events")) == 4


async def test_what_is_missing_names_the_setting(
    pooled_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    reader = create_reader(DatabaseConfig(url=pooled_url))
    with pytest.raises(DBAPIError) as caught:
        await reader.connect()
    assert is_unavailable(caught.value)
    assert "DATABASE_POOLER=transaction" in unreachable(caught.value)
    # Even a process that waits for its database does not start.
    with pytest.raises(typer.Exit):
        await asyncio.to_thread(require_schema, DatabaseConfig(url=pooled_url), must_answer=False)
    assert "DATABASE_POOLER=transaction" in capsys.readouterr().err
    password = make_url(pooled_url).password
    assert password is not None
    assert password not in unreachable(caught.value)


async def test_only_clients_that_stop_within_a_statement_are_ended(
    pooled_url: str, database_url: str
) -> None:
    """Whose transactions would hold PgBouncer's connections, and their locks, for ever."""
    told = {"application_name": "eventimport"}
    stopped, waiting = [
        await asyncpg.connect(pooled_url, statement_cache_size=0, server_settings=told)
        for _ in range(BACKENDS)
    ]
    cleaner = create_engine(DatabaseConfig(url=database_url, pooled=True))
    try:
        await stopped.execute("BEGIN")
        await stopped.prepare("SELECT pg_backend_pid()")
        await waiting.execute("BEGIN")

        async def end() -> int:
            async with cleaner.begin() as connection:
                return await end_stopped_clients(connection, after=timedelta(0))

        ended = 0
        async with asyncio.timeout(60):
            # The server may need a moment to wait for the client.
            while not ended:
                ended = await end()
        assert ended == 1
        assert await waiting.fetchval("SELECT 1") == 1
        # By what has come of its end: PgBouncer's last message, or the end of the connection, too.
        errors = (
            asyncpg.PostgresError,
            asyncpg.InterfaceError,
            asyncpg.InternalClientError,
            OSError,
        )
        with pytest.raises(errors):
            await stopped.fetchval("SELECT 1")
    finally:
        stopped.terminate()
        waiting.terminate()
        await cleaner.dispose()
