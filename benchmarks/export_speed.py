"""How fast an event becomes a file, beside the fastest ways to get its rows out of the database.

    python benchmarks/export_speed.py [--scales 1 10 100] [--rounds 3] [--formats openevent xlsx]

For events of 1, 10 and 100 times the size of a large conference it runs, over the same database:
an export to each format, by the code of the worker, each in a new process; (a) psql's COPY … TO of
the same rows; (b) a plain script that fetches the same rows, dumps them as JSON and zips them. It
prints medians, ratios and the memory over an idle process, and says of each bar whether it is
reached. The database is as in `import_speed.py`.
"""

import argparse
import asyncio
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
from sqlalchemy import select

from conference_archive import write_archive
from eventimport.conference.kinds import IMPORT_ORDER, LINK_TABLE
from eventimport.database.event_versions import count_change
from eventimport.database.models import Event, ExportJob, User
from eventimport.database.tasks import claim
from eventimport.database.visibility import Viewer
from eventimport.exports.accept import accept_export
from eventimport.exports.run import attempt_export
from eventimport.formats import EXPORTABLE, format_named
from eventimport.imports.accept import Upload, accept_import
from eventimport.imports.run import run_import
from eventimport.jobs.worker import prepare_process
from eventimport.resources import open_resources
from eventimport.settings import Settings
from import_speed import NO_REDIS, Database, _chunks, _peak_memory, open_database

COPY, PLAIN = "(a) COPY TO", "(b) plain script"
MAX_RATIO = 1.5
MAX_MEMORY = 40.0
"""MiB over an idle process."""

Measured = dict[str, float]


def settings_for(database_url: str, folder: Path) -> Settings:
    """Settings over the benchmark's database."""
    return Settings(
        database_url=database_url,
        redis_url=NO_REDIS,
        secret_key="the benchmark guards nothing at all",
        local_storage_path=folder / "storage",
        max_exports_per_user=1_000_000,
    )


# The measured processes ----------------------------------------------------------------------


async def export_once(database_url: str, folder: Path, format_name: str) -> Measured:
    """Export the event as a worker does."""
    async with open_resources(settings_for(database_url, folder)) as resources:
        async with resources.sessions() as session:
            user = (await session.scalars(select(User))).one()
            event_id = (await session.scalars(select(Event.id))).one()
        async with resources.engine.begin() as connection:
            # Else the file of the round before would be used.
            await count_change(connection, event_id)
        viewer = Viewer(user.id)
        exported = format_named(format_name, EXPORTABLE)
        task_id = await accept_export(resources, viewer, user.id, event_id, exported)
        assert isinstance(task_id, UUID)
        async with resources.engine.begin() as connection:
            claimed = await claim(connection, task_id)
        assert claimed is not None
        prepare_process()
        idle = _peak_memory()
        before = time.monotonic()
        await attempt_export(resources, claimed)
        seconds = time.monotonic() - before
        async with resources.sessions() as session:
            job = await session.get_one(ExportJob, task_id)
            assert job.status == "SUCCESS", job.errors
            assert job.size is not None
    return {"seconds": seconds, "memory": _peak_memory() - idle, "size": job.size / 2**20}


async def plain_once(database_url: str, folder: Path) -> Measured:
    """Fetch the rows, dump them, zip them."""
    idle = _peak_memory()
    before = time.monotonic()
    connection = await asyncpg.connect(database_url)
    path = folder / "plain.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for table in (*(level.table for level in IMPORT_ORDER), LINK_TABLE):
            rows = [dict(row) for row in await connection.fetch(f"SELECT * FROM {table}")]
            archive.writestr(table, json.dumps(rows, default=str, ensure_ascii=False))
    await connection.close()
    seconds = time.monotonic() - before
    return {
        "seconds": seconds,
        "memory": _peak_memory() - idle,
        "size": path.stat().st_size / 2**20,
    }


# The measuring process -----------------------------------------------------------------------


async def prepare(database: Database, folder: Path, scale: int) -> None:
    """Have the database hold one event of this size."""
    archive = folder / f"{scale}.zip"
    write_archive(archive, scale)
    async with open_resources(settings_for(database.url, folder)) as resources:
        async with resources.sessions() as session:
            user = (await session.scalars(select(User))).one()
        upload = partial(_upload, archive)
        await run_import(resources, await accept_import(resources, user.id, upload))
    connection = await asyncpg.connect(database.url)
    await connection.execute("VACUUM ANALYZE")
    await connection.close()


async def _upload(path: Path) -> Upload:
    return Upload(path.name, _chunks(path))


def measured(database: Database, folder: Path, what: str) -> Measured:
    """One export, or one run of the plain script, in a new process."""
    command = [sys.executable, __file__, "--one", what, "--folder", str(folder)]
    command += ["--database", database.url]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    result: Measured = json.loads(output)
    return result


def run_scale(
    database: Database, folder: Path, scale: int, rounds: int, formats: list[str]
) -> dict[str, Measured]:
    """The medians of each format, and of what they are measured against."""
    database.empty()
    asyncio.run(prepare(database, folder, scale))
    found: dict[str, list[Measured]] = {}
    for number in range(rounds):
        for name in (PLAIN, *formats):
            found.setdefault(name, []).append(measured(database, folder, name))
        before = time.monotonic()
        database.unload()
        seconds = time.monotonic() - before
        found.setdefault(COPY, []).append({"seconds": seconds, "memory": 0, "size": 0})
        print(f"{scale}x: round {number + 1} of {rounds}", file=sys.stderr)
    return {
        name: {key: statistics.median(one[key] for one in all_of_it) for key in all_of_it[0]}
        for name, all_of_it in found.items()
    }


def show(scales: dict[int, dict[str, Measured]]) -> bool:
    """Print the table and the bars; whether all bars are reached."""
    print(f"{'':>5} {'':<20} {'seconds':>8} {'of (a)':>7} {'of (b)':>7} {'MiB':>7} {'memory':>7}")
    reached = []
    for scale, found in scales.items():
        copy, plain = found[COPY]["seconds"], found[PLAIN]["seconds"]
        for name, one in found.items():
            seconds = one["seconds"]
            print(f"{scale:>4}x {name:<20} {seconds:>8.3f} {seconds / copy:>7.2f}", end="")
            print(f" {seconds / plain:>7.2f} {one['size']:>7.2f} {one['memory']:>7.1f}")
    print()
    for scale, found in scales.items():
        bars: list[tuple[str, float, float]] = [
            (f"memory of {name} at {scale}x, MiB over idle", one["memory"], MAX_MEMORY)
            for name, one in found.items()
            if name not in {COPY, PLAIN}
        ]
        if "openevent" in found and scale >= 10:
            ratio = found["openevent"]["seconds"] / found[PLAIN]["seconds"]
            bars.append((f"openevent at {scale}x, of (b)", ratio, MAX_RATIO))
        for name, value, bar in bars:
            print(f"{'ok  ' if value <= bar else 'OVER'} {name}: {value:.3g} (at most {bar:.3g})")
            reached.append(value <= bar)
    return all(reached)


def main() -> int:
    """Measure all scales, or, in a measured process, one export."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--scales", type=int, nargs="+", default=[1, 10, 100])
    parser.add_argument("--rounds", type=int, default=3)
    names = [each.name for each in EXPORTABLE]
    parser.add_argument("--formats", nargs="+", default=names, choices=names)
    for hidden in ("--one", "--folder", "--database"):
        parser.add_argument(hidden, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        folder, url = Path(arguments.folder), arguments.database
        work: Any = plain_once(url, folder)
        if arguments.one != PLAIN:
            work.close()
            work = export_once(url, folder, arguments.one)
        print(json.dumps(asyncio.run(work)))
        return 0
    with tempfile.TemporaryDirectory(prefix="eventimport-benchmark-") as name:
        folder = Path(name)
        with open_database(folder) as database:
            scales = {
                scale: run_scale(database, folder, scale, arguments.rounds, arguments.formats)
                for scale in arguments.scales
            }
        shutil.rmtree(folder / "storage", ignore_errors=True)
    return 0 if show(scales) else 1


if __name__ == "__main__":
    raise SystemExit(main())
