"""The engines: for single SELECTs, and for transactions."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from eventimport.database.engine import DatabaseConfig, create_engine, create_reader


@pytest.mark.parametrize("create", [create_reader, create_engine])
async def test_connections_that_the_server_has_closed_are_renewed(
    database_url: str, engine: AsyncEngine, create: Callable[[DatabaseConfig], AsyncEngine]
) -> None:
    reader = create(DatabaseConfig(url=database_url, pool_size=3))
    pids: list[int] = []
    ended: asyncio.Queue[int] = asyncio.Queue()
    try:
        async with AsyncExitStack() as stack:
            for _ in range(3):
                connection = await stack.enter_async_context(reader.connect())
                raw = await connection.get_raw_connection()
                driver = raw.driver_connection
                assert driver is not None
                pids.append(driver.get_server_pid())
                driver.add_termination_listener(lambda _driver: ended.put_nowait(1))
        async with engine.begin() as other:
            for pid in pids:
                await other.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
        for _ in pids:
            await asyncio.wait_for(ended.get(), 60)

        async with AsyncExitStack() as stack:
            for _ in range(3):
                connection = await stack.enter_async_context(reader.connect())
                assert await connection.scalar(text("SELECT pg_backend_pid()")) not in pids
    finally:
        await reader.dispose()


async def test_a_reader_holds_no_transaction(database_url: str) -> None:
    reader = create_reader(DatabaseConfig(url=database_url))
    try:
        async with reader.connect() as connection:
            first = await connection.scalar(text("SELECT now()"))
            second = await connection.scalar(text("SELECT now()"))
    finally:
        await reader.dispose()

    assert second > first
