"""How fast files are received, beside what a server could do at best and what others do.

    python benchmarks/upload_speed.py [--size 1024] [--rounds 5] [--folder FOLDER]

One file of 1 GiB, and 200 files of 100 kB at once, go to

- local disk, through the service's own application, past the page cache and through it;
- S3 (moto's server), through the same;
- (a) Starlette's `UploadFile`, saved in chunks; with the allocator tuned as the service's own is,
  and as it comes; and a third time as a route that looks up who uploads and syncs what it saves, as
  the service does. That route records nothing and has no quota: it needs neither of the service's
  two transactions, and no folder per file;
- (b) the service, draining the body and throwing it away;
- (c) Flask under gunicorn, saving the file;
- (d) for the small files, a loop of `put_object` into the same S3 server, on the server's core,
  over one connection that stays open. The loop receives nothing, knows no account and records
  nothing. The service sends one request to S3 for each file, too, over up to 50 connections.

The servers run on one core, the client (and moto, PostgreSQL and Valkey) on another. The rounds are
interleaved, the figures are medians, processor time is per GiB (of small files, in ms a file), the
memory is the growth of the server's peak over what it held before the upload. What was saved is
removed after each upload, which isn't counted. Only the service and the third `UploadFile` have
what they save on disk (fsync) when they answer. It needs the packages of the groups `test` and
`benchmark`, two cores and as much disk as two files take.
"""

import argparse
import contextlib
import math
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import botocore.session
import httpx

from eventimport.database import migrations
from eventimport.embedded import start_postgres, start_valkey

MIB = 1024 * 1024
SERVER_CORE, CLIENT_CORE = 0, 1
SMALL_FILES, SMALL_SIZE = 200, 100_000
PART_MIB, PARTS_IN_FLIGHT = 8, 4
BUCKET = "uploads"
CACHED = {"LOCAL_DIRECT_IO": "false"}
DIRECT_CPU_SAVED, DIRECT_SPEED = 0.3, 1.3
"""What direct I/O has to save, in seconds a GiB, or by which factor it has to be faster."""
MOST_CPU = 1.1
"""Seconds of processor time a GiB, with direct I/O."""
SYNCED = "UploadFile, synced"
HERE = Path(__file__).parent
BOUNDARY = "a-boundary-as-curl-makes-them-0123456789"


@dataclass
class Variant:
    """One server and route; `cleanup` removes what was saved there."""

    name: str
    port: int
    pids: list[int]
    path: str
    cleanup: Callable[[], None]
    token: str = ""
    rounds: int = 0
    seconds: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    growth: list[float] = field(default_factory=list)
    small: list[float] = field(default_factory=list)
    small_cpu: list[float] = field(default_factory=list)


def request_head(variant: Variant, size: int) -> tuple[bytes, bytes]:
    """The head of a request with one file of that size, and what follows the file."""
    before = (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="a.bin"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    )
    after = f"\r\n--{BOUNDARY}--\r\n"
    token = f"Authorization: Bearer {variant.token}\r\n" if variant.token else ""
    head = (
        f"POST {variant.path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n{token}"
        f"Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n"
        f"Content-Length: {len(before) + size + len(after)}\r\n\r\n{before}"
    )
    return head.encode(), after.encode()


def send(variant: Variant, source: Path, size: int) -> None:
    """Send one file, 64 KiB at a time as curl does, and wait for the answer."""
    head, after = request_head(variant, size)
    buffer = memoryview(bytearray(64 * 1024))
    with (
        source.open("rb", buffering=0) as file,
        socket.create_connection(("127.0.0.1", variant.port)) as connection,
    ):
        connection.sendall(head)
        left = size
        while left:
            count = file.readinto(buffer[: min(left, len(buffer))])
            connection.sendall(buffer[:count])
            left -= count
        connection.sendall(after)
        answer = b""
        while received := connection.recv(65536):
            answer += received
    if b" 200 " not in answer.partition(b"\r\n")[0]:
        raise SystemExit(f"{variant.name}: {answer.decode(errors='replace')}")


def send_small(variant: Variant, source: Path) -> float:
    """Send all small files at once; how many a second were answered."""
    computed = cpu_seconds(variant.pids)
    begin = threading.Barrier(SMALL_FILES + 1)

    def send_one() -> None:
        begin.wait()
        send(variant, source, SMALL_SIZE)

    threads = [threading.Thread(target=send_one) for _ in range(SMALL_FILES)]
    for thread in threads:
        thread.start()
    begin.wait()
    started = time.perf_counter()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - started
    variant.small_cpu.append((cpu_seconds(variant.pids) - computed) / SMALL_FILES * 1000)
    return SMALL_FILES / seconds


def put_small(client: Any, content: bytes) -> float:
    """Put all small files into the bucket, one after the other; how many a second."""
    os.sched_setaffinity(0, {SERVER_CORE})
    try:
        started = time.perf_counter()
        for number in range(SMALL_FILES):
            client.put_object(Bucket=BUCKET, Key=f"uploads/loop/{number}", Body=content)
        return SMALL_FILES / (time.perf_counter() - started)
    finally:
        os.sched_setaffinity(0, {CLIENT_CORE})


def memory(pids: list[int], figure: str) -> float:
    """The sum of a figure in /proc/…/status, in MiB."""
    total = 0
    for pid in pids:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        total += next(int(line.split()[1]) for line in lines if line.startswith(f"{figure}:"))
    return total / 1024


def cpu_seconds(pids: list[int]) -> float:
    """The time that the processes have computed, in user and system mode."""
    ticks = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def measure_large(variant: Variant, source: Path, size: int) -> None:
    """One upload of the large file."""
    for pid in variant.pids:
        Path(f"/proc/{pid}/clear_refs").write_text("5")  # the peak begins anew
    held, computed = memory(variant.pids, "VmRSS"), cpu_seconds(variant.pids)
    started = time.perf_counter()
    send(variant, source, size)
    variant.seconds.append(time.perf_counter() - started)
    variant.cpu.append(cpu_seconds(variant.pids) - computed)
    variant.growth.append(memory(variant.pids, "VmHWM") - held)
    variant.cleanup()


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


@contextmanager
def started(command: list[str], port: int, environment: dict[str, str]) -> Iterator[list[int]]:
    """A server, listening; its process ids, the workers' if it has any."""
    with subprocess.Popen(command, cwd=HERE, env={**os.environ, **environment}) as process:
        try:
            deadline = time.monotonic() + 60
            while True:
                with contextlib.suppress(ConnectionError):
                    socket.create_connection(("127.0.0.1", port)).close()
                    break
                if process.poll() is not None or time.monotonic() > deadline:
                    sys.exit(f"{command} did not start")
                time.sleep(0.05)
            children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
            yield [int(pid) for pid in children] or [process.pid]
        finally:
            process.send_signal(signal.SIGTERM)


def emptied(folder: Path) -> Callable[[], None]:
    """Removes all files of a folder, and lets the disk come to rest."""

    def empty() -> None:
        for path in folder.rglob("*"):
            if path.is_file():
                path.unlink()
        os.sync()

    return empty


def s3_client(endpoint: str) -> Any:
    """A client of the S3 server, whose bucket is made."""
    client = botocore.session.get_session().create_client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    client.create_bucket(Bucket=BUCKET)
    return client


def emptied_bucket(client: Any) -> Callable[[], None]:
    """Removes all objects of the bucket."""

    def empty() -> None:
        for found in client.list_objects_v2(Bucket=BUCKET).get("Contents", []):
            client.delete_object(Bucket=BUCKET, Key=found["Key"])

    return empty


def sign_up(port: int) -> str:
    """Make an account; its access token."""
    account = {"email": "ada@example.org", "password": "no password at all"}
    with httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
        client.post("/v1/users", json=account).raise_for_status()
        answer = client.post("/v1/auth/session", json=account).raise_for_status()
    return str(answer.json()["access_token"])


def start_all(stack: ExitStack, folder: Path) -> tuple[list[Variant], Any]:
    """Start all servers and sign in; also returns a client of the S3 server."""
    database = stack.enter_context(start_postgres(folder / "postgres", durable=False))
    migrations.upgrade(database.url)
    limits = stack.enter_context(start_valkey(folder / "valkey", durable=False))
    saved = folder / "saved"
    saved.mkdir()
    s3_port = free_port()
    endpoint = f"http://127.0.0.1:{s3_port}"
    environment = {
        "DATABASE_URL": database.url,
        "REDIS_URL": limits.url,
        "SECRET_KEY": "a key for a benchmark, which guards nothing",
        "REQUESTS_PER_MINUTE": "0",
        "LOCAL_STORAGE_PATH": str(saved),
        "S3_BUCKET": BUCKET,
        "S3_ENDPOINT_URL": endpoint,
        "S3_ACCESS_KEY": "test",
        "S3_SECRET_KEY": "test",
        "S3_PATH_STYLE": "true",
        "STORAGE_PART_BYTES": str(PART_MIB * MIB),
        "STORAGE_PARTS_IN_FLIGHT": str(PARTS_IN_FLIGHT),
        "UPLOAD_BENCHMARK_FOLDER": str(saved),
    }
    script = [sys.executable, str(HERE / "upload_servers.py")]

    def start(*arguments: str, **more: str) -> tuple[int, list[int]]:
        port = free_port()
        command = [*script, "service", "--port", str(port), "--core", str(SERVER_CORE), *arguments]
        return port, stack.enter_context(started(command, port, {**environment, **more}))

    flask_port = free_port()
    gunicorn = [
        *("taskset", "--cpu-list", str(SERVER_CORE), sys.executable, "-m", "gunicorn"),
        *("--bind", f"127.0.0.1:{flask_port}", "--workers", "1", "--timeout", "600"),
        *("--backlog", "2048", "--log-level", "error", "upload_servers:flask_app()"),
    ]
    flask = (flask_port, stack.enter_context(started(gunicorn, flask_port, environment)))
    moto = [*script, "moto", "--port", str(s3_port), "--core", str(CLIENT_CORE)]
    stack.enter_context(started(moto, s3_port, environment))
    client = s3_client(endpoint)
    empty, empty_bucket = emptied(saved), emptied_bucket(client)
    upload = "/v1/upload/file"
    local = start()
    token = sign_up(local[0])
    variants = [
        Variant("local", *local, upload, empty, token),
        Variant("local, cached", *start(**CACHED), upload, empty, token),
        Variant("drain", *start(), "/drain", empty),
        Variant("UploadFile", *start(), "/upload-file", empty),
        Variant(SYNCED, *start(), "/upload-file-synced", empty, token),
        Variant("UploadFile, untuned", *start("--untuned"), "/upload-file", empty),
        Variant("Flask", *flask, "/upload", empty),
        Variant("S3", *start(STORAGE_PLACE="s3"), upload, empty_bucket, token),
    ]
    return variants, client


def print_figures(variants: list[Variant], size: int, puts: list[float]) -> None:
    """The table."""
    print(
        f"{'':20} {'MB/s':>7} {'of drain':>9} {'CPU s/GiB':>9} {'MiB more':>9} {'small/s':>8}"
        f" {'CPU ms':>7}"
    )
    gib = size / 1024 / MIB
    drains = [statistics.median(v.seconds) for v in variants if v.name == "drain"] or [math.nan]
    for variant in variants:
        seconds = statistics.median(variant.seconds)
        print(
            f"{variant.name:20} {size / seconds / 1e6:7.0f} {drains[0] / seconds:9.2f}"
            f" {statistics.median(variant.cpu) / gib:9.2f} {max(variant.growth):9.1f}"
            f" {statistics.median(variant.small):8.0f} {statistics.median(variant.small_cpu):7.2f}"
        )
    if puts:
        print(f"{'put_object':20} {statistics.median(puts):45.0f}")


def print_bars(variants: list[Variant], size: int, puts: list[float]) -> bool:
    """Each bar, and whether it is reached; whether all are."""
    by_name = {variant.name: variant for variant in variants}
    seconds = {name: statistics.median(found.seconds) for name, found in by_name.items()}
    local, s3 = by_name["local"], by_name["S3"]
    gib = size / 1024 / MIB
    cpu = {name: statistics.median(found.cpu) / gib for name, found in by_name.items()}
    small = {name: statistics.median(found.small) for name, found in by_name.items()}
    bars = [
        ("local disk, of drain", seconds["drain"] / seconds["local"], ">=", 0.8),
        ("local disk, of UploadFile as it comes", 0.0, ">=", 1.7),
        ("local disk, of UploadFile, tuned", seconds["UploadFile"] / seconds["local"], ">=", 1.7),
        ("local disk, of Flask", seconds["Flask"] / seconds["local"], ">=", 5.0),
        ("local disk, MiB more a GiB", max(local.growth) / gib, "<=", 16.0),
        ("local disk, CPU s a GiB", cpu["local"], "<=", MOST_CPU),
        ("local disk, CPU s of UploadFile's", cpu["local"] / cpu["UploadFile"], "<=", 0.4),
        ("small files, of UploadFile, synced", small["local"] / small[SYNCED], ">=", 0.9),
        ("small files, S3, of put_object", small["S3"] / statistics.median(puts), ">=", 0.8),
        ("S3, MiB more", max(s3.growth), "<=", (2 * PARTS_IN_FLIGHT + 4) * PART_MIB),
    ]
    bars[1] = (bars[1][0], seconds["UploadFile, untuned"] / seconds["local"], *bars[1][2:])
    cached = by_name["local, cached"]
    saved = cpu[cached.name] - cpu["local"]
    faster = seconds["local, cached"] / seconds["local"]
    # LOCAL_DIRECT_IO is worth its code if it reaches either of the two.
    if saved >= DIRECT_CPU_SAVED:
        bars.append(("direct I/O, CPU s saved a GiB", saved, ">=", DIRECT_CPU_SAVED))
    else:
        bars.append(("direct I/O, times as fast", faster, ">=", DIRECT_SPEED))
    reached = True
    for name, figure, sense, bar in bars:
        met = figure >= bar if sense == ">=" else figure <= bar
        reached = reached and met
        print(f"{'reached' if met else 'MISSED':8} {name:40} {figure:7.2f} {sense} {bar:g}")
    return reached


def main() -> None:
    """Run all rounds and print what was measured; exits with 1 if a bar is missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--size", type=int, default=1024, help="of the large file, in MiB")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="*", help="names of variants")
    parser.add_argument("--folder", type=Path, help="on the disk to be written to")
    given = parser.parse_args()
    size = given.size * MIB
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=given.folder)))
        source = folder / "source"
        source.write_bytes(os.urandom(MIB) * given.size)
        os.sched_setaffinity(0, {CLIENT_CORE})
        puts: list[float] = []
        variants, client = start_all(stack, folder)
        variants = [v for v in variants if not given.only or v.name in given.only]
        for variant in variants:
            send(variant, source, min(size, 20 * MIB))
            variant.cleanup()
        for number in range(given.rounds):
            for variant in variants:
                # moto takes 20 s for what the others take 2 s for; its bar is one of memory.
                if variant.name != "S3" or number < 2:
                    measure_large(variant, source, size)
                    variant.small.append(send_small(variant, source))
                    variant.cleanup()
                if variant.name == "S3":
                    puts.append(put_small(client, source.read_bytes()[:SMALL_SIZE]))
                    variant.cleanup()
    print_figures(variants, size, puts)
    if not given.only and not print_bars(variants, size, puts):
        sys.exit(1)


if __name__ == "__main__":
    main()
