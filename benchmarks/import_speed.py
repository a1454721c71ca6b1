"""How fast an archive becomes an event, beside the fastest way that the database knows.

    python benchmarks/import_speed.py [--scales 1 10 100] [--rounds 5]

For archives of 1, 10 and 100 times the size of a large conference it runs, interleaved, over the
same database: the import itself, by the code of the worker, each time in a new process; (a) psql's
COPY of the same rows from ready files into the same tables, in one transaction; (b) one INSERT and
COMMIT a row, by SQLAlchemy (at 100 times, 10 times its time at 10 times). It prints medians and
ratios, and says of each bar whether it is reached. `cpu` are the seconds of processor time that the
import takes in the worker. The database is that of DATABASE_URL, in which
it makes and drops one of its own, or an embedded one.
"""

import argparse
import asyncio
import json
import logging
import math
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
from sqlalchemy import insert, make_url, select

from conference_archive import write_archive
from eventimport.conference.kinds import IMPORT_ORDER, LINK_TABLE
from eventimport.database import migrations
from eventimport.database.engine import DatabaseConfig, create_engine
from eventimport.database.models import Base, ImportJob, User
from eventimport.embedded import postgres_binaries, start_postgres
from eventimport.imports.accept import Upload, accept_import
from eventimport.imports.run import run_import
from eventimport.jobs.worker import prepare_process
from eventimport.resources import open_resources
from eventimport.settings import Settings

TABLES = (*(level.table for level in IMPORT_ORDER), LINK_TABLE, "event_roles")
DATABASE = "eventimport_benchmark"
NO_REDIS = "redis://127.0.0.1:1/0"
"""No queue is needed: the import is run directly."""


@dataclass
class Figures:
    """What was measured at one scale, a value a round; seconds, and MiB of memory."""

    rows: int = 0
    whole: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)
    reading: list[float] = field(default_factory=list)
    planning: list[float] = field(default_factory=list)
    writing: list[float] = field(default_factory=list)
    copying: list[float] = field(default_factory=list)
    inserting: list[float] = field(default_factory=list)
    peak: list[float] = field(default_factory=list)
    idle: list[float] = field(default_factory=list)
    held: list[float] = field(default_factory=list)


# The measured process ------------------------------------------------------------------------


async def import_once(database_url: str, archive: Path) -> dict[str, float]:
    """Import the archive as a worker does, and say how long each stage took."""
    seconds: dict[str, float] = {}

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seconds.update(getattr(record, "stages", {}))

    logging.getLogger("eventimport").addHandler(Listener())
    logging.getLogger("eventimport").setLevel(logging.INFO)
    settings = Settings(
        database_url=database_url,
        redis_url=NO_REDIS,
        secret_key="the benchmark guards nothing at all",
        local_storage_path=archive.parent / "storage",
    )
    async with open_resources(settings) as resources:
        async with resources.sessions() as session:
            user = (await session.scalars(select(User))).first()
            assert user is not None
        job_id = await accept_import(resources, user.id, partial(_upload, archive))
        idle = _peak_memory()
        prepare_process()
        held = 0.0

        async def watch() -> None:
            nonlocal held
            while True:
                before = time.monotonic()
                await asyncio.sleep(0.005)
                held = max(held, time.monotonic() - before - 0.005)

        watcher = asyncio.create_task(watch())
        before = time.process_time()
        await run_import(resources, job_id)
        seconds["processor"] = time.process_time() - before
        watcher.cancel()
        async with resources.sessions() as session:
            job = await session.get_one(ImportJob, job_id)
            assert job.status == "SUCCESS", job.errors
        shutil.rmtree(settings.local_storage_path)
    return {**seconds, "peak": _peak_memory(), "idle": idle, "held": held}


async def _upload(path: Path) -> Upload:
    return Upload(path.name, _chunks(path))


async def _chunks(path: Path) -> AsyncIterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            yield chunk


def _peak_memory() -> float:
    # Not getrusage: its figure begins with that of the process which started this one.
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1]) / 1024


# The measuring process -----------------------------------------------------------------------


class Database:
    """The benchmark's own database, and psql over it."""

    def __init__(self, url: str, psql: str, folder: Path) -> None:
        self.url = url
        self._psql = psql
        self._folder = folder

    def run(self, *commands: str) -> float:
        """Run commands by one psql, in one transaction; returns the seconds they took."""
        arguments = [self._psql, "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", self.url]
        script = "\n".join(["BEGIN;", *commands, "COMMIT;"])
        before = time.monotonic()
        subprocess.run(arguments, input=script, text=True, check=True)
        return time.monotonic() - before

    def empty(self) -> None:
        """Remove all events, and let the next run find the tables as they were at first."""
        self.run("SET client_min_messages = warning; TRUNCATE events, import_jobs CASCADE;")
        asyncio.run(self._vacuum())

    async def _vacuum(self) -> None:
        connection = await asyncpg.connect(self.url)
        await connection.execute("CHECKPOINT")
        await connection.close()

    def unload(self) -> int:
        """Write the rows of all tables to files that `load` reads; returns their number."""
        self.run(
            *(rf"\copy {table} to '{self._file(table)}' with (format binary)" for table in TABLES)
        )
        return asyncio.run(self._count())

    def load(self) -> float:
        """(a): COPY the files into the tables; the seconds of psql as a whole."""
        return self.run(
            *(rf"\copy {table} from '{self._file(table)}' with (format binary)" for table in TABLES)
        )

    def insert(self) -> float:
        """(b): one INSERT and COMMIT for each row that the tables hold."""
        return asyncio.run(self._insert())

    def _file(self, table: str) -> Path:
        return self._folder / f"{table}.copy"

    async def _count(self) -> int:
        connection = await asyncpg.connect(self.url)
        counts = [await connection.fetchval(f"SELECT count(*) FROM {table}") for table in TABLES]
        await connection.close()
        return sum(counts)

    async def _insert(self) -> float:
        engine = create_engine(DatabaseConfig(url=self.url))
        tables = [Base.metadata.tables[name] for name in TABLES]
        async with engine.begin() as connection:
            rows = [(await connection.execute(select(table))).mappings().all() for table in tables]
            await connection.exec_driver_sql("TRUNCATE events, import_jobs CASCADE")
        before = time.monotonic()
        async with engine.connect() as connection:
            for table, records in zip(tables, rows, strict=True):
                statement = insert(table)
                for record in records:
                    async with connection.begin():
                        await connection.execute(statement, dict(record))
        seconds = time.monotonic() - before
        await engine.dispose()
        return seconds


@contextmanager
def open_database(folder: Path) -> Iterator[Database]:
    """A migrated database with one user, dropped at the end."""
    with ExitStack() as stack:
        url = os.environ.get("DATABASE_URL")
        if not url:
            url = stack.enter_context(start_postgres(folder / "postgres")).url
        server = make_url(url).set(drivername="postgresql")
        own = server.set(database=DATABASE).render_as_string(hide_password=False)
        drop = f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)"
        whole = server.render_as_string(hide_password=False)
        asyncio.run(_execute(whole, drop, f"CREATE DATABASE {DATABASE}"))
        stack.callback(lambda: asyncio.run(_execute(whole, drop)))
        migrations.upgrade(own)
        user = "INSERT INTO users (email, password_hash) VALUES ('a@example.org', 'none')"
        asyncio.run(_execute(own, user))
        yield Database(own, find_psql(), folder)


async def _execute(url: str, *statements: str) -> None:
    connection = await asyncpg.connect(url)
    for statement in statements:
        await connection.execute(statement)
    await connection.close()


def find_psql() -> str:
    """psql of this machine, or of the wheel that brings PostgreSQL."""
    return shutil.which("psql") or str(postgres_binaries() / "psql")


def measure(database: Database, archive: Path, figures: Figures, *, insert: bool) -> None:
    """One round at one scale."""
    database.empty()
    command = [sys.executable, __file__, "--one", str(archive), "--database", database.url]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    told: dict[str, Any] = json.loads(output)
    for stage in ("reading", "planning", "writing"):
        getattr(figures, stage).append(told[stage])
    figures.whole.append(told["reading"] + told["planning"] + told["writing"])
    figures.processor.append(told["processor"])
    figures.peak.append(told["peak"])
    figures.idle.append(told["idle"])
    figures.held.append(told["held"])
    figures.rows = database.unload()
    database.empty()
    figures.copying.append(database.load())
    if insert:
        figures.inserting.append(database.insert())


def show(scales: dict[int, Figures]) -> bool:
    """Print the table and the bars; whether all bars are reached."""
    median = statistics.median
    print(
        f"{'':>6} {'rows':>8} {'read':>7} {'plan':>7} {'write':>7} {'whole':>7} {'(a)':>7}"
        f" {'cpu':>7}",
        end="",
    )
    print(f" {'(b)':>8} {'rows/s':>8} {'whole/a':>8} {'write/a':>8} {'b/whole':>8}", end="")
    print(f" {'peak MiB':>9} {'idle':>6} {'held ms':>8}")
    for scale, f in scales.items():
        whole, copying = median(f.whole), median(f.copying)
        inserting = median(f.inserting) if f.inserting else math.nan
        if scale == 100 and 10 in scales:
            inserting = median(scales[10].inserting) * 10
        print(
            f"{scale:>5}x {f.rows:>8} {median(f.reading):>7.3f} {median(f.planning):>7.3f}", end=""
        )
        print(f" {median(f.writing):>7.3f} {whole:>7.3f} {copying:>7.3f}", end="")
        print(f" {median(f.processor):>7.3f} {inserting:>8.1f}", end="")
        print(f" {f.rows / whole:>8.0f} {whole / copying:>8.2f}", end="")
        print(f" {median(f.writing) / copying:>8.2f} {inserting / whole:>8.1f}", end="")
        print(f" {median(f.peak):>9.0f} {median(f.idle):>6.0f} {median(f.held) * 1000:>8.1f}")
    if not {1, 10, 100} <= scales.keys():
        return True
    one, ten, hundred = scales[1], scales[10], scales[100]
    whole = median(hundred.whole)
    bars = [
        ("whole at 100x, of (a)", whole / median(hundred.copying), 2.3),
        ("write at 100x, of (a)", median(hundred.writing) / median(hundred.copying), 1.4),
        ("whole at 100x, of (b): one 20th", whole / (median(ten.inserting) * 10), 1 / 20),
        ("100x, of 1x", whole / median(one.whole), 130),
        ("peak MiB at 100x", median(hundred.peak), 600),
        ("peak MiB at 10x", median(ten.peak), 200),
        ("event loop held at 100x, ms", median(hundred.held) * 1000, 100),
    ]
    print()
    for name, value, bar in bars:
        print(f"{'ok  ' if value <= bar else 'OVER'} {name}: {value:.3g} (at most {bar:.3g})")
    return all(value <= bar for _, value, bar in bars)


def main() -> int:
    """Measure all scales, or, in the measured process, one import."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--scales", type=int, nargs="+", default=[1, 10, 100])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--one", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--database", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(asyncio.run(import_once(arguments.database, arguments.one))))
        return 0
    scales = {scale: Figures() for scale in arguments.scales}
    with tempfile.TemporaryDirectory(prefix="eventimport-benchmark-") as name:
        folder = Path(name)
        archives = {scale: folder / f"{scale}.zip" for scale in scales}
        for scale, path in archives.items():
            write_archive(path, scale)
        with open_database(folder) as database:
            for number in range(arguments.rounds):
                for scale, figures in scales.items():
                    insert = scale < 100 and number < 3
                    measure(database, archives[scale], figures, insert=insert)
                    print(
                        f"round {number + 1}, {scale}x: {figures.whole[-1]:.3f} s", file=sys.stderr
                    )
    return 0 if show(scales) else 1


if __name__ == "__main__":
    raise SystemExit(main())
