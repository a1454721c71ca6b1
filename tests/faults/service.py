"""A service whose workers die: archives go in as the web server takes them, and what comes out is
looked at in the database, the storage and the folder of mails."""

import asyncio
import secrets
import signal
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from tests.faults.conferences import conference
from tests.faults.kill_points import KillPoint
from tests.faults.wholeness import Inspector
from tests.faults.workers import PATIENCE, WorkerProcess, Workers
from tests.rows import change_imports
from tests.stored_files import accept_archive

from eventimport.database.models import ImportJob, ImportStatus, User
from eventimport.resources import Resources, open_resources
from eventimport.settings import Settings

FINAL: Final = {ImportStatus.SUCCESS, ImportStatus.FAILURE, ImportStatus.REVOKED}
POLL_SECONDS: Final = 0.05

QUICK: Final = {
    "SECRET_KEY": "a key for tests, which guards nothing",
    "HEARTBEAT_INTERVAL": "0.2",
    "HEARTBEAT_TIMEOUT": "1.0",
    "RECOVERY_INTERVAL": "0.2",
    "TASK_POLL_INTERVAL": "0.2",
    "MAX_RUNNING_PER_USER": "100",
    "MAX_IMPORTS_PER_USER": "1000",
    "MAIL_INTERVAL": "0.1",
    # Several batches of the few media files of a test.
    "MEDIA_BATCH": "2",
    "SHUTDOWN_GRACE": "5",
    # A machine at its limit makes living workers look dead, too; tests that mean it set fewer.
    "MAX_ATTEMPTS": "50",
}


class Service:
    """The service, without its web server."""

    def __init__(self, resources: Resources, workers: Workers, environment: dict[str, str]) -> None:
        self.resources = resources
        self.environment = environment
        self.user_id = 0
        self._workers = workers
        self._own: list[WorkerProcess] = []
        self._folder = Path(environment["LOCAL_STORAGE_PATH"]).parent

    async def worker(self, kill_point: KillPoint | None = None, **changes: str) -> WorkerProcess:
        """Start a worker; `changes` are settings of its own."""
        log = self._folder / f"worker-{len(self._own)}.log"
        worker = await self._workers.start(self.environment | changes, log, kill_point)
        self._own.append(worker)
        return worker

    async def stop(self) -> None:
        """Kill whatever workers are left."""
        for worker in self._own:
            if worker.code is None:
                await worker.end(signal.SIGKILL)

    def told(self) -> str:
        """What all workers have logged."""
        return "\n".join(f"--- {worker.pid}\n{worker.told()}" for worker in self._own)

    async def accept(self, number: int = 1, data: bytes | None = None) -> UUID:
        """Accept a conference's archive, as the web server does; the queue may be unavailable."""
        content = conference(number) if data is None else data
        if not self.user_id:
            async with self.resources.sessions.begin() as session:
                user = User(email=f"{secrets.token_hex(4)}@example.org", password_hash="none")
                session.add(user)
                await session.flush()
                self.user_id = user.id
        return await accept_archive(
            self.resources, self.user_id, content, file_name=f"{number}.zip"
        )

    async def change(self, job_id: UUID, **values: Any) -> None:
        """Change a job's row."""
        await change_imports(self.resources.engine, job_id, **values)

    async def job(self, job_id: UUID) -> ImportJob:
        """The job's row."""
        async with self.resources.sessions() as session:
            return await session.get_one(ImportJob, job_id)

    async def ended(self, job_id: UUID) -> ImportJob:
        """The job's row, once it is final. Raises TimeoutError."""
        return await self.until(job_id, lambda job: job.status in FINAL)

    async def until(self, job_id: UUID, condition: Any) -> ImportJob:
        """The job's row, once it fulfils the condition. Raises TimeoutError."""
        deadline = time.monotonic() + PATIENCE
        while not condition(job := await self.job(job_id)):
            if time.monotonic() > deadline:
                raise TimeoutError(f"still {job.status}, attempt {job.attempt}\n{self.told()}")
            await asyncio.sleep(POLL_SECONDS)
        return job

    async def mailed(self, count: int = 1) -> None:
        """Wait until there are so many mails in the folder. Raises TimeoutError."""
        deadline = time.monotonic() + PATIENCE
        while len(self.mails()) < count:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{len(self.mails())} mails\n{self.told()}")
            await asyncio.sleep(POLL_SECONDS)

    async def violations(self, jobs: Mapping[UUID, int]) -> list[str]:
        """See `Inspector`. Stops workers that still run first: an attempt that a busy
        machine made look dead may still be at work."""
        for worker in self._own:
            if worker.code is None:
                await worker.end()
        return await Inspector(self.resources).violations(jobs)

    def mails(self) -> list[Path]:
        """The files in the folder of mails."""
        return sorted(Path(self.environment["MAIL_FOLDER"]).glob("*.eml"))


@asynccontextmanager
async def running_service(
    workers: Workers, folder: Path, database_url: str, redis_url: str, **changes: str
) -> AsyncIterator[Service]:
    """A service over these servers whose files lie in the folder; its workers end with it."""
    environment = {
        **QUICK,
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "LOCAL_STORAGE_PATH": str(folder / "storage"),
        "MAIL_FOLDER": str(folder / "mails"),
        **changes,
    }
    settings = Settings(**{name.lower(): value for name, value in environment.items()})  # type: ignore[arg-type]
    async with open_resources(settings) as resources:
        service = Service(resources, workers, environment)
        try:
            yield service
        finally:
            await service.stop()
