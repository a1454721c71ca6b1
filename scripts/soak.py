"""Import for long while workers are killed, stopped, told to end, and Redis is wiped; then count.

Ends with status 1, and says what was wrong, if anything was not as promised.
"""

import argparse
import asyncio
import random
import secrets
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from uuid import UUID

from redis import Redis
from tests.faults.service import FINAL, Service, running_service
from tests.faults.workers import WorkerProcess, Workers

from eventimport.database import migrations
from eventimport.embedded import start_postgres, start_valkey

IN_FLIGHT = 24
"""So many imports are accepted and have not ended, at most."""


class Soak:
    """Accepts imports and does harm, until there are enough imports or the time is over."""

    def __init__(self, service: Service, options: argparse.Namespace) -> None:
        self._service = service
        self._options = options
        self._chance = random.Random(options.seed)  # noqa: S311 - to be repeated, not secret
        self._workers: list[WorkerProcess] = []
        self._ended = asyncio.Event()
        self.jobs: dict[UUID, int] = {}
        self.open: set[UUID] = set()
        self.harm: Counter[str] = Counter()

    async def run(self) -> None:
        """Returns when the last import has ended, killed workers replaced until then."""
        deadline = time.monotonic() + 60 * self._options.minutes
        for _ in range(self._options.workers):
            await self._add_worker()
        harming = asyncio.create_task(self._do_harm())
        try:
            while len(self.jobs) < self._options.imports and time.monotonic() < deadline:
                while len(self.open) < IN_FLIGHT and len(self.jobs) < self._options.imports:
                    number = len(self.jobs)
                    job_id = await self._service.accept(number)
                    self.jobs[job_id] = number
                    self.open.add(job_id)
                await self._look()
        finally:
            harming.cancel()
            await asyncio.gather(harming, return_exceptions=True)
        # In peace, all that is left must come to its end.
        for worker in self._workers:
            worker.send(signal.SIGCONT)
        await self._add_worker()
        patience = time.monotonic() + 300
        while self.open and time.monotonic() < patience:
            await self._look()
        for worker in self._workers:
            await worker.end()

    async def _look(self) -> None:
        await asyncio.sleep(0.2)
        for job_id in list(self.open):
            if (await self._service.job(job_id)).status in FINAL:
                self.open.discard(job_id)

    async def _add_worker(self) -> None:
        self._workers.append(await self._service.worker())

    async def _do_harm(self) -> None:
        while True:
            await asyncio.sleep(self._chance.uniform(0.2, 1.5))
            alive = [worker for worker in self._workers if not worker.ended.is_set()]
            worker = self._chance.choice(alive)
            what = self._chance.choices(["kill", "stop", "end", "wipe"], [10, 3, 3, 1])[0]
            self.harm[what] += 1
            if what == "kill":
                worker.send(signal.SIGKILL)
            elif what == "end":
                worker.send(signal.SIGTERM)
            elif what == "stop":
                worker.send(signal.SIGSTOP)
                await asyncio.sleep(self._chance.uniform(0.5, 3))
                worker.send(signal.SIGCONT)
                continue
            else:
                with Redis.from_url(self._service.environment["REDIS_URL"]) as redis:
                    redis.flushall()
                continue
            self._workers.remove(worker)
            await worker.wait()
            await self._add_worker()


async def soak(options: argparse.Namespace) -> int:
    """Run it, tell what was counted, and return the exit status."""
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="eventimport-soak-") as name, Workers() as workers:
        folder = Path(name)
        with (
            start_postgres(folder / "postgres", durable=False) as postgres,
            start_valkey(folder / "valkey", durable=False) as valkey,
        ):
            await asyncio.to_thread(migrations.upgrade, postgres.url)
            async with running_service(workers, folder, postgres.url, valkey.url) as service:
                run = Soak(service, options)
                await run.run()
                attempts = [(await service.job(job_id)).attempt for job_id in run.jobs]
                violations = [f"import {run.jobs[job_id]} has not ended" for job_id in run.open]
                violations += await service.violations(run.jobs)
    sys.stdout.write(
        f"{len(run.jobs)} imports by {options.workers} workers in"
        f" {time.monotonic() - begun:.0f} s, seed {options.seed}\n"
        f"harm: {dict(run.harm)}\n"
        f"attempts: {sum(attempts)}, {max(attempts, default=0)} at one import at most;"
        f" {sum(attempt > 1 for attempt in attempts)} imports were begun more than once\n"
        f"violations: {len(violations)}\n"
    )
    sys.stdout.writelines(f"  {line}\n" for line in violations[:100])
    return 1 if violations else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30, help="accept none after so long")
    parser.add_argument("--imports", type=int, default=500, help="accept so many at most")
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6))
    return asyncio.run(soak(parser.parse_args()))


if __name__ == "__main__":
    raise SystemExit(main())
