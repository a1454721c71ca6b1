"""Show how long one user's tiny import waits behind another user's 50 long ones.

A long import is one that waits for SECONDS while it reads its archive; everything else is real:
PostgreSQL, Valkey, the worker's slots and claims. Prints the wait in the time of one slot, and ends
with status 1 if it was longer than that.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

from tests.formats.planning import zip_of
from tests.stored_files import accept_archive

from eventimport.database import migrations
from eventimport.database.models import ImportJob, User
from eventimport.embedded import start_postgres, start_valkey
from eventimport.imports import run as import_run
from eventimport.jobs.worker import work
from eventimport.resources import Resources, open_resources
from eventimport.settings import Settings

LONG, TINY = "Long", "Tiny"


def archive(name: str) -> bytes:
    """A conference without anything in it."""
    return zip_of({"event": {"id": 1, "name": name, "timezone": "UTC"}})


@dataclass
class Starts:
    """When imports began, by their id."""

    seconds: float
    long: set[UUID] = field(default_factory=set)
    begun: asyncio.Queue[tuple[UUID, float]] = field(default_factory=asyncio.Queue)
    count: int = 0

    async def of(self, job_id: UUID) -> float:
        """When this import began; waits for that."""
        while True:
            begun, moment = await self.begun.get()
            if begun == job_id:
                return moment

    def slow_down(self) -> None:
        """Have long imports wait while they are read."""
        read = import_run._read

        async def slowly(resources: Resources, attempt: Any, report: Any) -> Any:
            job_id = attempt.lease.job_id
            self.count += 1
            self.begun.put_nowait((job_id, time.monotonic()))
            if job_id in self.long:
                await asyncio.sleep(self.seconds)
            return await read(resources, attempt, report)

        import_run._read = slowly


async def run(options: argparse.Namespace, folder: Path, database: str, redis: str) -> int:
    """Post the imports, run a worker, and print how long the tiny one waited."""
    settings = Settings(
        database_url=database,
        redis_url=redis,
        secret_key="a key for a benchmark, which guards nothing",  # noqa: S106
        local_storage_path=folder / "storage",
        worker_jobs=options.slots,
        max_imports_per_user=options.imports + 1,
    )
    starts = Starts(options.seconds)
    starts.slow_down()
    async with open_resources(settings) as resources:
        users = [User(email=f"{name}@example.org", password_hash="") for name in ("a", "b")]
        async with resources.sessions.begin() as session:
            session.add_all(users)
        for number in range(options.imports):
            data = archive(f"{LONG} {number}")
            starts.long.add(await accept_archive(resources, users[0].id, data))
        stopping = asyncio.Event()
        working = asyncio.create_task(work(resources, stopping))
        await starts.begun.get()
        # In the midst of the first long import.
        await asyncio.sleep(options.seconds / 2)
        posted = time.monotonic()
        tiny = await accept_archive(resources, users[1].id, archive(TINY))
        waited = await starts.of(tiny) - posted
        begun = starts.count - 1
        async with resources.sessions() as session:
            while (await session.get_one(ImportJob, tiny)).status != "SUCCESS":
                await asyncio.sleep(0.05)
                session.expire_all()
        ended = time.monotonic() - posted
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
    sys.stdout.write(
        f"{options.imports} imports of {options.seconds:g} s by one user, {options.slots} slots\n"
        f"another user's tiny import started after {waited:.2f} s,"
        f" which is {waited / options.seconds:.2f} of one slot's time,"
        f" and ended after {ended:.2f} s; {begun} of the long imports had begun\n"
    )
    return 0 if waited <= options.seconds else 1


async def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--imports", type=int, default=50, help="long imports of one user")
    parser.add_argument("--seconds", type=float, default=20.0, help="how long each of them takes")
    parser.add_argument("--slots", type=int, default=2, help="tasks that the worker runs at once")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="eventimport-fairness-") as name:
        folder = Path(name)
        with (
            start_postgres(folder / "postgres", durable=False) as postgres,
            start_valkey(folder / "valkey", durable=False) as valkey,
        ):
            await asyncio.to_thread(migrations.upgrade, postgres.url)
            return await run(options, folder, postgres.url, valkey.url)


if __name__ == "__main__":
    raise SystemExit(asyncio.run(main()))
