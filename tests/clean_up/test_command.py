"""`eventimport clean-up`."""

import asyncio
import json
from pathlib import Path

import pytest
from tests.clean_up.conftest import OLD, World, pass_time
from typer.testing import CliRunner, Result

from eventimport.cli import app, clean_up
from eventimport.database.models import ObjectPurpose
from eventimport.jobs import clean_up as reasons
from eventimport.storage.protocol import StorageError


@pytest.fixture
async def folder(
    world: World,
    tmp_path: Path,
    database_url: str,
    redis_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """A storage with two old probes and a new one, and settings of a service over it."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("REDIS_URL", redis_url)
    monkeypatch.setenv("SECRET_KEY", "a key for tests, which guards nothing")
    monkeypatch.setenv("LOCAL_STORAGE_PATH", str(tmp_path / "storage"))
    await world.put()
    await world.put()
    async with world.resources.engine.begin() as connection:
        await pass_time(connection, OLD)
    await world.put()
    return tmp_path / "storage" / "private" / "probes"


async def run(*arguments: str) -> Result:
    return await asyncio.to_thread(CliRunner().invoke, app, ["clean-up", *arguments])


def left(folder: Path) -> int:
    return len(list(folder.iterdir()))


async def test_it_tells_what_it_has_removed(folder: Path) -> None:
    result = await run()
    assert result.exit_code == 0, result.output
    assert result.stdout == "       2  files that storages were tested with\n"
    assert left(folder) == 1

    again = await run()
    assert (again.exit_code, again.stdout) == (0, "There was nothing to remove.\n")


async def test_it_tells_the_same_as_json(folder: Path) -> None:
    result = await run("--json")
    assert (result.exit_code, json.loads(result.stdout)) == (0, {"probe": 2})
    assert left(folder) == 1
    assert json.loads((await run("--json")).stdout) == {}


async def test_what_stays_for_a_failing_storage_makes_it_fail(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_arguments: object) -> None:
        raise StorageError("local disk: Read-only file system", retryable=False)

    monkeypatch.setattr("eventimport.storage.local.LocalStorage.delete", refuse)
    result = await run("--json")
    assert (result.exit_code, json.loads(result.stdout)) == (1, {"failed": 2})
    assert left(folder) == 3


async def test_without_a_database_it_says_so(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Nothing listens at port 1; a free port may be taken by another test's server meanwhile.
    monkeypatch.setenv("DATABASE_URL", "postgresql://a:hunter2@127.0.0.1:1/b")
    result = await run()
    assert result.exit_code == 2
    assert "The database cannot be used" in result.stderr
    assert "hunter2" not in result.output
    assert left(folder) == 3


def test_each_reason_has_its_words() -> None:
    rows = {reasons.MAIL, reasons.AUDIT, reasons.SIGN_IN, reasons.LINK, reasons.IDEMPOTENCY_KEY}
    rows |= {reasons.DELETED_EVENT, reasons.DELETED_PART}
    known = {*rows, reasons.FAILED, *map(str, ObjectPurpose)}
    assert set(clean_up.WORDS) == known
