"""The database's URL, in the spellings that people use."""

import secrets
from contextlib import AsyncExitStack
from dataclasses import replace

import pytest
from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncEngine

from eventimport.database.engine import (
    DatabaseConfigError,
    connections_in_use,
    create_engine,
    create_reader,
    driver_url,
    explain,
)
from eventimport.settings import Settings


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+asyncpg"])
def test_the_usual_schemes_mean_asyncpg(scheme: str) -> None:
    url = driver_url(f"{scheme}://ada:p%40ss@db.example.org:5433/events?sslmode=require")
    assert url.drivername == "postgresql+asyncpg"
    assert (url.username, url.password) == ("ada", "p@ss")
    assert (url.host, url.port, url.database) == ("db.example.org", 5433, "events")
    assert dict(url.query) == {"ssl": "require"}


@pytest.mark.parametrize(
    "url", ["", "mysql://ada:secret@db/events", "ada:secret@db", "postgresql://ada:secret@db:x/e"]
)
def test_other_urls_are_refused_without_repeating_them(url: str) -> None:
    with pytest.raises(DatabaseConfigError) as caught:
        driver_url(url)
    assert "secret" not in str(caught.value)


async def test_errors_do_not_repeat_the_parameters(engine: AsyncEngine) -> None:
    async with engine.connect() as connection:
        with pytest.raises(DBAPIError) as caught:
            await connection.execute(text("SELECT CAST(:email AS jsonb)"), {"email": "ada@x.org"})
    assert "[SQL parameters hidden" in str(caught.value)


async def test_the_session_reckons_in_utc(engine: AsyncEngine) -> None:
    async with engine.connect() as connection:
        assert await connection.scalar(text("SHOW timezone")) == "UTC"


@pytest.mark.parametrize("size", [4, 5, 10, 31])
async def test_a_process_opens_no_more_connections_than_documented(
    database_url: str, size: int
) -> None:
    """In both pools together; the next one waits, and DATABASE_POOL_SIZE is named."""
    settings = Settings(
        database_url=SecretStr(database_url),
        redis_url=SecretStr("redis://127.0.0.1/0"),
        secret_key=SecretStr(secrets.token_hex(32)),
        database_pool_size=size,
    )
    engines = [
        create_engine(replace(settings.database, pool_timeout=0.01)),
        create_reader(replace(settings.reader_database, pool_timeout=0.01)),
    ]
    try:
        async with AsyncExitStack() as stack:
            for engine, count in zip(engines, (size - size * 2 // 5, size * 2 // 5), strict=True):
                for _ in range(count):
                    await stack.enter_async_context(engine.connect())
                with pytest.raises(PoolTimeoutError) as caught:
                    await engine.connect()
                assert "DATABASE_POOL_SIZE" in explain(caught.value)
            assert sum(map(connections_in_use, engines)) == size
    finally:
        for engine in engines:
            await engine.dispose()
