"""How fast a task is polled while imports run, beside the same server answering a constant.

    python benchmarks/polling_speed.py [--seconds 5] [--rounds 3] [--connections 16]

Starts the service as it runs in production: one server process, one worker, a database and a queue
(those of DATABASE_URL and REDIS_URL, else embedded ones; use empty ones). Imports of a large
conference are kept running all the while. Each round polls `GET /v1/tasks/{id}` of a running import
and `GET /healthz`, which answers a constant through the same server and the same middleware, over
keep-alive connections that ask again as soon as they are answered. It prints requests a second,
median and 99th percentile of both, and their ratio. The client is a process of its own, but shares
the machine with all the rest.
"""

import argparse
import asyncio
import contextlib
import os
import secrets
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import httpx

from conference_archive import write_archive
from eventimport.database import migrations
from eventimport.embedded import start_postgres, start_valkey

EMAIL, PASSWORD = f"{secrets.token_hex(6)}@example.org", secrets.token_hex(8)
SCALE = 5
OPEN_IMPORTS = 3
"""More than a worker runs at once, so that it is never idle."""
PATIENCE = 60.0


@dataclass
class Figures:
    """What was measured of one path: requests a second by round, all latencies in seconds."""

    rates: list[float] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        return statistics.median(self.rates)

    def percentile(self, percent: int) -> float:
        return statistics.quantiles(self.latencies, n=100)[percent - 1]


@contextmanager
def started(arguments: list[str], environment: dict[str, str]) -> Iterator[None]:
    """Run a command of the service's own until the block ends."""
    command = [sys.executable, "-m", "eventimport.cli", *arguments]
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def sign_in(client: httpx.AsyncClient) -> None:
    """Wait for the service, make an account, and use it from now on."""
    deadline = time.monotonic() + PATIENCE
    while True:
        with contextlib.suppress(httpx.TransportError):
            if (await client.get("/healthz")).status_code == 200:
                break
        if time.monotonic() > deadline:
            raise TimeoutError("the service does not start")
        await asyncio.sleep(0.1)
    account = {"email": EMAIL, "password": PASSWORD}
    (await client.post("/v1/users", json=account)).raise_for_status()
    answer = await client.post("/v1/auth/session", json=account)
    client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"


class Imports:
    """Imports that run all the while; `task_url` is that of the latest."""

    def __init__(self, client: httpx.AsyncClient, archive: bytes) -> None:
        self._client = client
        self._archive = archive
        self._open: list[str] = []
        self.task_url = ""
        self.ended = 0

    async def refill(self) -> None:
        """Forget what has ended, and have as many open as there should be."""
        for url in self._open[:]:
            task = (await self._client.get(url)).json()
            if task["state"] not in {"PENDING", "STARTED"}:
                assert task["state"] == "SUCCESS", task
                self._open.remove(url)
                self.ended += 1
        while len(self._open) < OPEN_IMPORTS:
            answer = await self._client.post(
                "/v1/events/import/json", files={"file": ("a.zip", self._archive)}
            )
            answer.raise_for_status()
            url = answer.json()["task_url"]
            UUID(url.split("/")[3])
            self._open.append(url)
            self.task_url = url

    async def keep_running(self) -> None:
        while True:
            await self.refill()
            await asyncio.sleep(0.5)


async def ask(port: int, request: bytes, until: float, latencies: list[float]) -> None:
    """One connection: ask, read the whole answer, ask again."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        while (begun := time.perf_counter()) < until:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200"), head
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            await reader.readexactly(length)
            latencies.append(time.perf_counter() - begun)
    finally:
        writer.close()


async def measure(
    port: int, path: str, token: str, figures: Figures, *, connections: int, seconds: float
) -> None:
    """Ask for one path over all connections."""
    request = (
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: {token}\r\n\r\n"
    ).encode()
    latencies: list[float] = []
    begun = time.perf_counter()
    await asyncio.gather(
        *(ask(port, request, begun + seconds, latencies) for _ in range(connections))
    )
    figures.rates.append(len(latencies) / (time.perf_counter() - begun))
    figures.latencies += latencies


async def run(port: int, archive: bytes, options: argparse.Namespace) -> dict[str, Figures]:
    """All rounds, interleaved."""
    figures = {"task": Figures(), "constant": Figures()}
    timeout = httpx.Timeout(PATIENCE)
    async with httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{port}", timeout=timeout, trust_env=False
    ) as client:
        await sign_in(client)
        imports = Imports(client, archive)
        await imports.refill()
        running = asyncio.create_task(imports.keep_running())
        try:
            token = client.headers["Authorization"]
            for _ in range(options.rounds):
                for name, path in (("task", imports.task_url), ("constant", "/healthz")):
                    await measure(
                        port,
                        path,
                        token,
                        figures[name],
                        connections=options.connections,
                        seconds=options.seconds,
                    )
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
        print(f"{imports.ended} imports of {SCALE} x a large conference ended meanwhile")
    return figures


def show(figures: dict[str, Figures]) -> None:
    print(f"{'':24}{'requests/s':>12}{'p50':>10}{'p99':>10}{'requests':>12}")
    for name, title in (("task", "GET /v1/tasks/{id}"), ("constant", "a constant")):
        told = figures[name]
        median, slowest = told.percentile(50) * 1000, told.percentile(99) * 1000
        print(
            f"{title:24}{told.rate:>12,.0f}{median:>7.1f} ms{slowest:>7.1f} ms"
            f"{len(told.latencies):>12,}"
        )
    print(f"a task costs {figures['constant'].rate / figures['task'].rate:.2f} x a constant")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--connections", type=int, default=16)
    options = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        database_url = os.environ.get("DATABASE_URL") or (
            stack.enter_context(start_postgres(folder / "postgres", durable=False)).url
        )
        redis_url = os.environ.get("REDIS_URL") or (
            stack.enter_context(start_valkey(folder / "valkey", durable=False)).url
        )
        migrations.upgrade(database_url)
        archive = folder / "conference.zip"
        write_archive(archive, SCALE)
        port = free_port()
        environment = {
            **os.environ,
            "DATABASE_URL": database_url,
            "REDIS_URL": redis_url,
            "SECRET_KEY": secrets.token_hex(32),
            "LOCAL_STORAGE_PATH": str(folder / "storage"),
            "REQUESTS_PER_MINUTE": "0",
            "FETCH_MEDIA": "false",
        }
        stack.enter_context(started(["serve", "--port", str(port)], environment))
        stack.enter_context(started(["worker"], environment))
        show(asyncio.run(run(port, archive.read_bytes(), options)))


if __name__ == "__main__":
    main()
