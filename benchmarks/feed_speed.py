"""How many requests a second for public feeds a server answers, beside static files of its own.

    python benchmarks/feed_speed.py [--seconds 5] [--rounds 3] [--connections 16] [--scale 1]

Starts the service as it runs in production: one server process, one worker, a database and a queue
(those of DATABASE_URL and REDIS_URL, else embedded ones; use empty ones). Imports a conference of
`scale` times the usual size, publishes it, and asks for schedule.xml over keep-alive connections:
with the ETag of the current version (304), and without (200, gzip). The static files are those of
the service's pages: a 304 of one, and the largest one as a 200. The client is a process of its own,
but shares the machine with all the rest.
"""

import argparse
import asyncio
import os
import secrets
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import httpx

from conference_archive import write_archive
from eventimport.database import migrations
from eventimport.embedded import start_postgres, start_valkey
from polling_speed import PATIENCE, Figures, free_port, sign_in, started

SMALL, LARGE = "/static/pages.css", "/docs/swagger-ui-bundle.js"


async def import_and_publish(client: httpx.AsyncClient, archive: bytes) -> str:
    """The path of the schedule.xml of an event that is now public."""
    answer = await client.post("/v1/events/import/json", files={"file": ("a.zip", archive)})
    answer.raise_for_status()
    url, deadline = answer.json()["task_url"], time.monotonic() + PATIENCE
    while (task := (await client.get(url)).json())["state"] in {"PENDING", "STARTED"}:
        assert time.monotonic() < deadline, task
        await asyncio.sleep(0.2)
    assert task["state"] == "SUCCESS", task
    event = task["event"]
    (await client.post(f"/v1/events/{event['id']}/publish")).raise_for_status()
    return f"/events/{event['identifier']}/schedule.xml"


async def ask(port: int, request: bytes, status: int, until: float, latencies: list[float]) -> int:
    """One connection: ask, read the whole answer, ask again. Returns the bytes of a body."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    length = 0
    try:
        while (begun := time.perf_counter()) < until:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 %d" % status), head
            if status == 200:
                said = head.lower().partition(b"content-length: ")[2]
                length = int(said.partition(b"\r\n")[0])
                await reader.readexactly(length)
            latencies.append(time.perf_counter() - begun)
    finally:
        writer.close()
    return length


async def run(port: int, archive: bytes, options: argparse.Namespace) -> None:
    """All rounds, interleaved, and the table."""
    async with httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE, trust_env=False
    ) as client:
        await sign_in(client)
        feed = await import_and_publish(client, archive)
        cases: dict[str, tuple[str, str, int]] = {}
        for name, path in (("a static file", SMALL), ("the feed", feed)):
            answer = await client.get(path)
            answer.raise_for_status()
            headers = f"If-None-Match: {answer.headers['etag']}\r\nAccept-Encoding: gzip\r\n"
            cases[f"304 of {name}"] = (path, headers, 304)
        cases["200 of a static file"] = (LARGE, "", 200)
        cases["200 of the feed, plain"] = (feed, "Accept-Encoding: identity\r\n", 200)
        cases["200 of the feed, gzip"] = (feed, "Accept-Encoding: gzip\r\n", 200)
    figures = {name: Figures() for name in cases}
    sizes = dict.fromkeys(cases, 0)
    for _ in range(options.rounds):
        for name, (path, headers, status) in cases.items():
            request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{headers}\r\n".encode()
            latencies: list[float] = []
            begun = time.perf_counter()
            until = begun + options.seconds
            lengths = await asyncio.gather(
                *(ask(port, request, status, until, latencies) for _ in range(options.connections))
            )
            sizes[name] = max(lengths)
            figures[name].rates.append(len(latencies) / (time.perf_counter() - begun))
            figures[name].latencies += latencies
    print(f"{'':26}{'requests/s':>12}{'p50':>11}{'p99':>11}{'KB':>8}{'MB/s':>8}")
    for name, found in figures.items():
        median, slowest = found.percentile(50) * 1000, found.percentile(99) * 1000
        volume = found.rate * sizes[name] / 1e6
        print(
            f"{name:26}{found.rate:>12,.0f}{median:>8.1f} ms{slowest:>8.1f} ms"
            f"{sizes[name] / 1000:>8,.0f}{volume:>8,.0f}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--scale", type=int, default=1)
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
        write_archive(archive, options.scale)
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
        asyncio.run(run(port, archive.read_bytes(), options))


if __name__ == "__main__":
    main()
