"""What an import costs the API, the workers and PostgreSQL, with 1, 2 and 4 of each.

    python benchmarks/scale.py [--processes 1 2 4] [--imports 24] [--users 4] [--json FILE]

Starts PostgreSQL and Valkey from wheels, and for each number of processes that many API processes
and workers, as they run in production. Several users upload archives to all API processes in turn,
poll their tasks, and read each event once. There are two archives: a large conference (500
sessions, no files) and the example (42 sessions, 36 media files). It prints imports a minute,
processor seconds an import of each part, bytes, and connections. Signing in is not counted.

All parts share this machine, so imports a minute stop growing when its processors are full. The
processor seconds are what you can plan with. A busy machine makes them larger, not smaller.
"""

import argparse
import asyncio
import contextlib
import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path

import asyncpg
import httpx

from conference_archive import write_archive
from eventimport.cli.example_archive import write_archive as write_example
from eventimport.database import migrations
from eventimport.embedded import start_postgres, start_valkey
from eventimport.embedded.server import EmbeddedServer, free_port

EXAMPLE = Path(__file__).resolve().parent.parent / "examples/lantern-open-2027"
TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
PATIENCE = 600.0
IN_FLIGHT_PER_WORKER = 4


def processor_seconds(pid: int) -> float:
    """What the process and its children have used so far, those that have ended included."""
    total = 0.0
    for process in (pid, *descendants(pid)):
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
            total += sum(map(int, fields[11:15])) / TICKS
    return total


def descendants(pid: int) -> Iterator[int]:
    """The processes that it has started, and those that they have started."""
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                yield int(child)
                yield from descendants(int(child))


def resident_bytes(pid: int) -> int:
    """Memory of the process and its children; what they share counts several times."""
    total = 0
    for process in (pid, *descendants(pid)):
        with contextlib.suppress(OSError):
            total += int(Path(f"/proc/{process}/statm").read_text().split()[1]) * PAGE
    return total


@dataclass
class Figures:
    """One line of the table. Bytes and seconds are those of one import."""

    archive: str
    processes: int
    imports: int = 0
    per_minute: float = 0.0
    api_seconds: float = 0.0
    worker_seconds: float = 0.0
    postgres_seconds: float = 0.0
    upload_bytes: int = 0
    database_bytes: float = 0.0
    wal_bytes: float = 0.0
    stored_bytes: float = 0.0
    connections: int = 0
    api_memory: int = 0
    worker_memory: int = 0


@dataclass
class Service:
    """API processes and workers."""

    environment: dict[str, str]
    apis: list[subprocess.Popen[bytes]] = field(default_factory=list)
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)
    urls: list[str] = field(default_factory=list)

    def start(self, count: int, logs: Path) -> None:
        for number in range(count):
            port = free_port()
            self.urls.append(f"http://127.0.0.1:{port}")
            log = logs / f"api-{number}.log"
            self.apis.append(self._run(["serve", "--port", str(port)], log))
            self.workers.append(self._run(["worker"], logs / f"worker-{number}.log"))

    def _run(self, arguments: list[str], log: Path) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "eventimport.cli", *arguments]
        with log.open("wb") as output:
            return subprocess.Popen(command, env=self.environment, stdout=output, stderr=output)

    def stop(self) -> None:
        for process in (*self.apis, *self.workers):
            process.terminate()
        for process in (*self.apis, *self.workers):
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()


async def until_ready(urls: list[str]) -> None:
    deadline = time.monotonic() + PATIENCE
    async with httpx.AsyncClient(trust_env=False) as client:
        for url in urls:
            while True:
                with contextlib.suppress(httpx.TransportError):
                    if (await client.get(f"{url}/readyz")).status_code == 200:
                        break
                if time.monotonic() > deadline:
                    raise TimeoutError(f"{url} is not ready")
                await asyncio.sleep(0.2)


async def tokens(url: str, users: int) -> list[str]:
    found = []
    async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=60) as client:
        for _ in range(users):
            email, password = f"{secrets.token_hex(6)}@example.org", secrets.token_hex(10)
            account = {"email": email, "password": password}
            (await client.post("/v1/users", json=account)).raise_for_status()
            answer = await client.post("/v1/auth/session", json=account)
            found.append(f"Bearer {answer.json()['access_token']}")
    return found


async def import_once(client: httpx.AsyncClient, token: str, archive: bytes) -> None:
    """As a client does: upload, poll once a second, read the event."""
    headers = {"Authorization": token}
    answer = await client.post(
        "/v1/events/import/json", files={"file": ("a.zip", archive)}, headers=headers
    )
    answer.raise_for_status()
    url = answer.json()["task_url"]
    deadline = time.monotonic() + PATIENCE
    while (task := (await client.get(url, headers=headers)).json())["state"] != "SUCCESS":
        assert task["state"] in {"PENDING", "STARTED"}, task
        assert time.monotonic() < deadline, task
        await asyncio.sleep(1)
    path = f"/v1/events/{task['event']['id']}"
    (await client.get(path, headers=headers)).raise_for_status()


async def load(service: Service, archive: bytes, imports: int, keys: list[str]) -> float:
    """Import, and return the seconds that it took."""
    waiting = list(range(imports))
    begun = time.perf_counter()
    async with contextlib.AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(
                httpx.AsyncClient(base_url=url, trust_env=False, timeout=120)
            )
            for url in service.urls
        ]

        async def one_after_another() -> None:
            while waiting:
                number = waiting.pop()
                client = clients[number % len(clients)]
                await import_once(client, keys[number % len(keys)], archive)

        at_once = IN_FLIGHT_PER_WORKER * len(service.workers)
        await asyncio.gather(*(one_after_another() for _ in range(at_once)))
    return time.perf_counter() - begun


async def watch(database: asyncpg.Connection, service: Service, figures: Figures) -> None:
    """Note the peaks, until cancelled."""
    while True:
        figures.connections = max(
            figures.connections,
            await database.fetchval(
                "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'eventimport'"
            ),
        )
        figures.api_memory = max(
            figures.api_memory, *(resident_bytes(one.pid) for one in service.apis)
        )
        figures.worker_memory = max(
            figures.worker_memory, *(resident_bytes(one.pid) for one in service.workers)
        )
        await asyncio.sleep(0.25)


def size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


async def measure(
    service: Service,
    postgres: EmbeddedServer,
    figures: Figures,
    archive: bytes,
    options: argparse.Namespace,
) -> None:
    await until_ready(service.urls)
    keys = await tokens(service.urls[0], options.users)
    await load(service, archive, len(service.workers), keys)
    storage = Path(service.environment["LOCAL_STORAGE_PATH"])
    database = await asyncpg.connect(postgres.url)
    try:
        sizes = "SELECT pg_database_size(current_database()), pg_current_wal_lsn()::text"
        rows, wal = await database.fetchrow(sizes)
        stored = size_of(storage)
        roles = {
            "api_seconds": service.apis,
            "worker_seconds": service.workers,
            "postgres_seconds": [postgres.process],
        }
        before = {name: sum(processor_seconds(p.pid) for p in roles[name]) for name in roles}
        watching = asyncio.create_task(watch(database, service, figures))
        seconds = await load(service, archive, options.imports, keys)
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        for name, value in before.items():
            used = sum(processor_seconds(p.pid) for p in roles[name]) - value
            setattr(figures, name, used / options.imports)
        figures.imports = options.imports
        figures.per_minute = options.imports / seconds * 60
        rows_after = await database.fetchval("SELECT pg_database_size(current_database())")
        figures.database_bytes = (rows_after - rows) / options.imports
        figures.wal_bytes = (
            float(await database.fetchval("SELECT pg_current_wal_lsn() - $1::text::pg_lsn", wal))
            / options.imports
        )
        figures.stored_bytes = (size_of(storage) - stored) / options.imports
        figures.upload_bytes = len(archive)
    finally:
        await database.close()


def run(count: int, name: str, archive: bytes, options: argparse.Namespace) -> Figures:
    """One line of the table, with servers of its own."""
    figures = Figures(archive=name, processes=count)
    with tempfile.TemporaryDirectory(prefix="eventimport-scale-") as folder, ExitStack() as servers:
        data = Path(folder)
        postgres = servers.enter_context(start_postgres(data / "postgres"))
        valkey = servers.enter_context(start_valkey(data / "valkey"))
        migrations.upgrade(postgres.url)
        service = Service(
            {
                **os.environ,
                "DATABASE_URL": postgres.url,
                "REDIS_URL": valkey.url,
                "SECRET_KEY": secrets.token_hex(32),
                "LOCAL_STORAGE_PATH": str(data / "storage"),
                "MAX_IMPORTS_PER_USER": "1000",
                "LOG_LEVEL": "warning",
            }
        )
        servers.callback(service.stop)
        service.start(count, data)
        work = measure(service, postgres, figures, archive, options)
        asyncio.run(work)
    return figures


def show(table: list[Figures]) -> None:
    mega = 1_000_000
    print(
        "| archive | API processes and workers | imports a minute | processor seconds an import:"
        " API | worker | PostgreSQL | MB an import: upload | files | database | WAL"
        " | connections | MB of memory: API | worker |"
    )
    print("| --- |" + " ---: |" * 12)
    for one in table:
        print(
            f"| {one.archive} | {one.processes} + {one.processes} | {one.per_minute:.0f} |"
            f" {one.api_seconds:.3f} | {one.worker_seconds:.3f} | {one.postgres_seconds:.3f} |"
            f" {one.upload_bytes / mega:.2f} | {one.stored_bytes / mega:.2f} |"
            f" {one.database_bytes / mega:.2f} | {one.wal_bytes / mega:.2f} |"
            f" {one.connections} | {one.api_memory / mega:.0f} | {one.worker_memory / mega:.0f} |"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--imports", type=int, default=24)
    parser.add_argument("--users", type=int, default=4)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="eventimport-scale-") as folder:
        large, example = Path(folder, "large.zip"), Path(folder, "example.zip")
        write_archive(large, 1)
        write_example(EXAMPLE, example)
        archives = {"large": large.read_bytes(), "example": example.read_bytes()}
    table = []
    for name, archive in archives.items():
        for count in options.processes:
            table.append(run(count, name, archive, options))
            print(f"{name}, {count} + {count}: done", file=sys.stderr)
    show(table)
    if options.json:
        options.json.write_text(json.dumps([asdict(one) for one in table], indent=1))


if __name__ == "__main__":
    main()
