"""A database whose tables are not those of this version: who says so, and what to run."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
from redis.asyncio import Redis
from sqlalchemy import make_url
from tests.conftest import execute, renamed, run_apart
from typer.testing import CliRunner

from eventimport.cli import app as commands
from eventimport.database.migrations import expected_revision
from eventimport.main import create_app
from eventimport.queue import worker_key
from eventimport.settings import Settings

EMPTY: list[str] = []
OLD = [
    "CREATE TABLE alembic_version (version_num text)",
    "INSERT INTO alembic_version VALUES ('0000')",
]
CURRENT = [OLD[0], f"INSERT INTO alembic_version VALUES ('{expected_revision()}')"]


@pytest.fixture
def url(database_url: str) -> Iterator[str]:
    """An empty database."""
    name = f"{make_url(database_url).database}_{secrets.token_hex(4)}"
    run_apart(execute(database_url, f"CREATE DATABASE {name}"))
    yield renamed(database_url, name)
    run_apart(execute(database_url, f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture
async def client(url: str, redis_url: str, tmp_path: Any) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a service over that database, which has a worker."""
    settings = Settings(
        database_url=url,
        redis_url=redis_url,
        secret_key="a key for tests, which guards nothing",
        local_storage_path=tmp_path,
        allowed_hosts=("*",),
        readiness_timeout=60,
    )
    async with Redis.from_url(redis_url) as redis:
        await redis.set(worker_key(settings.queue_name, "host:1"), "well")
    app = create_app(settings)
    async with app.router.lifespan_context(app) as state:
        assert state is not None

        async def answer(scope: Any, receive: Any, send: Any) -> None:
            await app({**scope, "state": dict(state)}, receive, send)

        transport = httpx.ASGITransport(answer)
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as made:
            yield made


@pytest.mark.parametrize("statements", [EMPTY, OLD], ids=["empty", "old"])
async def test_the_service_is_not_ready(
    client: httpx.AsyncClient, url: str, statements: list[str]
) -> None:
    await execute(url, *statements)

    ready = await client.get("/readyz")

    assert ready.status_code == 503
    (error,) = ready.json()["errors"]
    assert "`eventimport migrate`" in error["detail"]
    assert error["meta"]["checks"]["database"] == "failed"


async def test_with_the_expected_revision_the_database_is_ready(
    client: httpx.AsyncClient, url: str
) -> None:
    await execute(url, *CURRENT)

    ready = await client.get("/readyz")

    assert ready.json()["checks"]["database"] == "ok"


@pytest.mark.parametrize("statements", [EMPTY, OLD], ids=["empty", "old"])
@pytest.mark.parametrize(
    "command",
    [["serve", "--port", "0"], ["worker"], ["user", "add", "--email", "a@b.org"], ["clean-up"]],
    ids=lambda command: command[0],
)
async def test_commands_say_what_to_run(
    url: str,
    redis_url: str,
    statements: list[str],
    command: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await execute(url, *statements)
    for name, value in {
        "DATABASE_URL": url,
        "REDIS_URL": redis_url,
        "SECRET_KEY": "a key for tests, which guards nothing",
        "EVENTIMPORT_PASSWORD": "a good password",
    }.items():
        monkeypatch.setenv(name, value)

    result = await asyncio.to_thread(CliRunner().invoke, commands, command)

    assert result.exit_code == 2
    assert "`eventimport migrate`" in result.stderr


@pytest.mark.parametrize(
    "command", [["migrate"], ["user", "add", "--email", "a@b.org"], ["clean-up"]]
)
def test_without_a_database_commands_have_no_traceback(
    redis_url: str, command: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "DATABASE_URL": "postgresql://user:hunter2@127.0.0.1:1/x",
        "REDIS_URL": redis_url,
        "SECRET_KEY": "a key for tests, which guards nothing",
        "EVENTIMPORT_PASSWORD": "a good password",
    }.items():
        monkeypatch.setenv(name, value)

    result = CliRunner().invoke(commands, command)

    assert result.exit_code == 2
    assert "DATABASE_URL" in result.stderr
    assert "hunter2" not in result.output
