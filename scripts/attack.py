"""Attack a service of our own with hostile requests and archives while a pulse asks `/healthz`.

Starts PostgreSQL, Valkey, the API and a worker, and prints for each attack how it was answered and
the slowest pulse meanwhile, then the peaks of memory. Exits with 1 if a bound is broken: a pulse
that is too slow, too much memory, an answer of 500, or an import that does not end.
"""

import argparse
import asyncio
import base64
import io
import json
import os
import random
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from PIL import Image

from eventimport.cli.accounts import create_account
from eventimport.database import migrations
from eventimport.database.engine import DatabaseConfig
from eventimport.embedded import start_postgres, start_valkey

MIB = 1024 * 1024
PULSE_SECONDS = 0.05
IMPORT_SECONDS = 180.0
FINAL = {"SUCCESS", "FAILURE", "REVOKED"}
PASSWORD = "correct horse battery"
HOSTILE = ['"\\', '"', "\\", ",", ";", "=", " ", "\t", ";q=", '",', "a,", "%", "/", ".", "(", "é"]
"""Units that headers, parameters and texts are made of."""


# The pulse: a process of its own, so that nothing that the attacks do holds it up.
def pulse(port: int, pid: int) -> None:
    """Ask until the end; print when each pulse began, how long it took, and how long of that the
    API's main thread and this process were ready and had no processor."""
    request = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
    while True:
        began, waited = time.monotonic(), waiting_time(pid) + waiting_time(os.getpid())
        answer = b""
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 60) as client:
            client.sendall(request)
            while chunk := client.recv(4096):
                answer += chunk
        seconds = time.monotonic() - began if b" 200 " in answer else 60.0
        waited = waiting_time(pid) + waiting_time(os.getpid()) - waited
        print(began, seconds, min(seconds, waited), flush=True)
        time.sleep(max(0.0, PULSE_SECONDS - seconds))


def waiting_time(pid: int) -> float:
    """How long a process's main thread has waited for a processor, in seconds."""
    with suppress(OSError):
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e9
    return 0.0


@dataclass
class Target:
    """The service under attack."""

    port: int
    processes: Mapping[str, int]
    token: str
    pulses: Path
    peaks: Counter[str] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Where the API is."""
        return f"http://127.0.0.1:{self.port}"

    @asynccontextmanager
    async def client(self, *, anonymous: bool = False) -> AsyncIterator[httpx.AsyncClient]:
        """A client, signed in or not."""
        headers = {} if anonymous else {"Authorization": f"Bearer {self.token}"}
        # The API closes a connection that is idle for 5 seconds, which is httpx's limit, too.
        limits = httpx.Limits(keepalive_expiry=2)
        async with httpx.AsyncClient(
            base_url=self.url, headers=headers, timeout=120, trust_env=False, limits=limits
        ) as client:
            yield client

    def slowest(self, since: float, until: float) -> tuple[float, float]:
        """The slowest pulse that began in this time, and the slowest without what it waited for a
        processor."""
        slowest = alone = 0.0
        for line in self.pulses.read_text().splitlines():
            words = [float(word) for word in line.split()]
            if len(words) == 3 and since <= words[0] <= until:
                slowest = max(slowest, words[1])
                alone = max(alone, words[1] - words[2])
        return slowest, alone

    def measure(self) -> None:
        """Note the peaks of the processes and of their children."""
        for name, pid in self.processes.items():
            self.peaks[name] = max(self.peaks[name], peak_of(pid))
            for child in children_of(pid):
                who = f"{name}'s children"
                self.peaks[who] = max(self.peaks[who], peak_of(child))


def peak_of(pid: int) -> int:
    """The most memory that a process has had, in bytes."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) * 1024
    return 0


def children_of(pid: int) -> Iterator[int]:
    """All processes below one."""
    with suppress(OSError):
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            yield int(child)
            yield from children_of(int(child))


Answers = Counter[str]


# Requests.
async def hostile_headers(target: Target) -> Answers:
    """Headers of 15 KB that are hard to read."""
    names = [
        *("Accept", "Content-Type", "If-Match", "If-None-Match", "Range", "If-Range", "Cookie"),
        *("Authorization", "Accept-Language", "Forwarded", "X-Forwarded-For", "traceparent"),
        *("Idempotency-Key", "X-Request-ID", "Origin", "Host"),
    ]
    requests = []
    for name in names:
        for unit in HOSTILE:
            value = (unit * 15_000).encode("latin-1")[:15_000]
            path = random.choice(["/v1/events", "/media/x", "/events/x", "/healthz", "/metrics"])
            requests.append(
                b"GET %s HTTP/1.1\r\nHost: localhost\r\n%s: x%s\r\nConnection: close\r\n\r\n"
                % (path.encode(), name.encode(), value)
            )
    return await send_raw(target, requests)


async def hostile_forms(target: Target) -> Answers:
    """Uploads whose Content-Type or part headers are hard to read."""
    answers: Answers = Counter()
    async with target.client() as client:
        for unit in HOSTILE:
            for content_type, part in (
                ("multipart/form-data; boundary=" + unit * 4000, unit),
                ("multipart/form-data; " + unit * 4000 + "; boundary=b", unit),
                ("multipart/form-data; boundary=b", unit * 30_000),
            ):
                body = (
                    f'--b\r\nContent-Disposition: form-data; name="file"; filename={part}\r\n'
                    "\r\nx\r\n--b--\r\n"
                ).encode()
                for path in ("/v1/upload/file", "/v1/events/import/json", "/v1/upload/image"):
                    headers = {b"Content-Type": content_type.encode() + b"x"}
                    answer = await client.post(path, content=body, headers=headers)
                    answers[str(answer.status_code)] += 1
    return answers


async def too_much(target: Target) -> Answers:
    """Headers, URLs and trailers without an end."""
    get = b"GET / HTTP/1.1\r\nHost: localhost\r\n"
    chunked = b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    return await send_raw(
        target,
        [
            get + b"X: " + b"x" * 50 * MIB,
            get + b"X: 1\r\n" * 5 * MIB,
            get + b"x" * 20 * MIB,
            b"GET /" + b"x" * 20 * MIB,
            chunked + b"0\r\nX: " + b"x" * 20 * MIB,
            chunked + b"0\r\n" + b"X: 1\r\n" * MIB,
            chunked + b"1;" + b"x" * 20 * MIB,
            b"\r\n" * 10 * MIB,
            20_000 * (get + b"\r\n"),
        ]
        * 3,
    )


async def unfinished(target: Target) -> Answers:
    """Connections that send half of a request, and connections that read nothing."""
    waiting = []
    for number in range(300):
        reader, writer = await asyncio.open_connection("127.0.0.1", target.port)
        writer.write(b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n")
        if number % 10 == 0:
            writer.write(b"\r\n" + 10 * b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n")
            writer.transport.pause_reading()  # type: ignore[attr-defined]
        waiting.append((reader, writer))
    await asyncio.sleep(15)
    for _, writer in waiting:
        writer.transport.abort()
    return Counter({"connections": len(waiting)})


async def hostile_bodies(target: Target) -> Answers:
    """JSON that costs more than it weighs."""
    many = {f"k{number}": number for number in range(70_000)}
    bodies = [
        b"[" * 60_000,
        b'{"a":' * 10_000,
        b"[" + b"{}," * 20_000 + b"{}]",
        b'"' + b'\\"' * 30_000,
        b'{"email": "' + b"a" * 60_000 + b'@b", "password": "x"}',
        json.dumps({"data": {"type": "event", "id": "1", "attributes": many}}).encode()[: MIB - 1],
        json.dumps({"data": {"type": "event", "id": "1", "attributes": many}}).encode(),
        b"1" * 60_000,
        b'{"email": ' + b"9" * 60_000 + b"}",
        b"\xff" * 60_000,
        b'{"a": "' + b"\\ud800" * 10_000 + b'"}',
    ]
    answers: Answers = Counter()
    async with target.client() as client:
        for body in bodies:
            for method, path, kind in (
                ("POST", "/v1/users", "application/json"),
                ("POST", "/v1/auth/session", "application/json"),
                ("PATCH", "/v1/events/1", "application/vnd.api+json"),
                ("PATCH", "/v1/settings", "application/json"),
                ("PATCH", "/v1/notifications/1", "application/json"),
                ("POST", "/v1/upload/image", "application/json"),
            ):
                headers = {"Content-Type": kind}
                answer = await client.request(method, path, content=body, headers=headers)
                answers[str(answer.status_code)] += 1
                if len(answer.content) > 10_000:
                    target.broken.append(f"{method} {path} answered {len(answer.content)} bytes")
        for body in (b"[]," * 13 * MIB, b'{"data": "data:image/png;base64,' + b"A" * 40 * MIB):
            headers = {"Content-Type": "application/json"}
            answer = await client.post("/v1/upload/image", content=body, headers=headers)
            answers[str(answer.status_code)] += 1
    return answers


async def hostile_queries(target: Target) -> Answers:
    """Queries with thousands of parameters, and long ones."""
    unknown = "&".join(f"k{number}=1" for number in range(700))
    paths = ("/v1/notifications", "/v1/events", "/v1/import-jobs", "/v1/events/1/sessions")
    names = ("include", "sort", "filter[name]", "page[size]", "fields[event]")
    queries = [unknown, "a" * 8000, "%" * 8000, "&" * 8000]
    queries += [f"{name}={unit * 7000}"[:8000] for name in names for unit in (",", "a,", ".", "9")]
    answers: Answers = Counter()
    async with target.client() as client:
        for path in paths:
            for query in queries:
                answer = await client.get(f"{path}?{query}")
                answers[str(answer.status_code)] += 1
                if answer.status_code >= 400 and len(answer.content) > 10_000:
                    target.broken.append(f"{path} answered {len(answer.content)} bytes")
    return answers


async def event_streams(target: Target) -> Answers:
    """400 event streams by one user, of a task that stays as it is."""
    answers: Answers = Counter()
    os.kill(target.processes["worker"], signal.SIGSTOP)
    async with target.client() as client:
        task_url = await post_archive(client, archive(event_of(name="Streamed")))

        async def watch() -> None:
            async with client.stream("GET", f"{task_url}/events") as answer:
                answers[str(answer.status_code)] += 1
                async for _ in answer.aiter_bytes():
                    pass

        try:
            async with asyncio.timeout(20):
                client.timeout = httpx.Timeout(60, pool=None)
                await asyncio.gather(*(watch() for _ in range(400)))
        except TimeoutError:
            pass
        finally:
            os.kill(target.processes["worker"], signal.SIGCONT)
    return answers


async def send_raw(target: Target, requests: list[bytes]) -> Answers:
    """Send bytes, each over a connection of its own, a few at once."""
    answers: Answers = Counter()
    room = asyncio.Semaphore(8)

    async def send(request: bytes) -> None:
        async with room:
            reader, writer = await asyncio.open_connection("127.0.0.1", target.port)
            answer = b""
            with suppress(OSError, TimeoutError):
                async with asyncio.timeout(60):
                    writer.write(request)
                    answer = await reader.read(64)
                    await writer.drain()
            writer.transport.abort()
            status = answer.split(b" ", 2)[1:2]
            answers[status[0].decode("latin-1") if status else "closed"] += 1

    await asyncio.gather(*map(send, requests))
    return answers


# Archives.
def event_of(**changes: Any) -> dict[str, Any]:
    """An event's document."""
    return {
        "id": 1,
        "name": "Attack",
        "starts_at": "2027-01-01T09:00:00Z",
        "ends_at": "2027-01-02T17:00:00Z",
        "timezone": "UTC",
        "state": "published",
        "privacy": "public",
        **changes,
    }


def archive(event: Any, **documents: Any) -> bytes:
    """A zip of documents; bytes are entries as they are."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as file:
        for name, value in {"event": event, **documents}.items():
            if isinstance(value, bytes):
                file.writestr(name, value)
            else:
                file.writestr(name, json.dumps(value))
    return content.getvalue()


def named(count: int, **values: Any) -> list[dict[str, Any]]:
    """Records with ids from 1."""
    return [{"id": number + 1, "name": f"n{number}", **values} for number in range(count)]


def sessions(count: int, **values: Any) -> list[dict[str, Any]]:
    """Sessions with ids from 1."""
    return [{"id": number + 1, "title": f"s{number}", **values} for number in range(count)]


def jpeg_with_segments(count: int) -> bytes:
    """A small JPEG with many EXIF segments."""
    content = io.BytesIO()
    Image.new("RGB", (8, 8)).save(content, "JPEG")
    segment = b"\xff\xe1\x00\x10Exif\x00\x00" + bytes(8)
    return content.getvalue()[:2] + segment * count + content.getvalue()[2:]


def large_png(side: int) -> bytes:
    """A PNG of one colour."""
    content = io.BytesIO()
    Image.new("1", (side, side)).save(content, "PNG")
    return content.getvalue()


def hostile_archives() -> Iterator[tuple[str, bytes]]:
    """All archives of the issue's table, and more of their kinds."""
    spaces = " " * 60_000
    for name in ("timezone", "name", "starts_at", "email", "logo_url", "description", "state"):
        for unit in (" ", "a ", "<", "&", "http://x ", "0", "\u00a0", "-", "[", "%", "/"):
            yield f"{name}: {unit!r}", archive(event_of(**{name: (unit * 60_000)[:60_000]}))
    yield "spaces", archive(event_of(timezone=spaces))
    links = "".join(f"<a href='http://x{n}.example/'>x</a>" for n in range(20_000))
    yield "a list of links", archive(event_of(description=links))
    addresses = " ".join(f"http://x{n}.example/?a=b" for n in range(20_000))
    yield "a list of addresses", archive(event_of(description=addresses))
    yield "nested tags", archive(event_of(description="<b>" * 100_000))
    yield "one id for all tracks", archive(event_of(), tracks=[{"id": 1, "name": "t"}] * 16_000)
    yield "one id for all sessions", archive(event_of(), sessions=[{"id": 1, "title": "t"}] * 8_000)
    huge = [{"id": str(n) + "9" * 1_000_000, "name": "s"} for n in range(12)]
    yield "speakers with huge ids", archive(event_of(), speakers=huge)
    digits = b'[{"id": ' + b"9" * 500_000 + b', "name": "s"}]'
    yield "a number of 500,000 digits", archive(event_of(), speakers=digits)
    yield "empty lists", archive(event_of(), sessions=b"[" + b"[]," * 10_000_000 + b"[]]")
    yield "empty objects", archive(event_of(), sessions=b"[" + b"{}," * 3_000_000 + b"{}]")
    yield "deep lists", archive(event_of(), sessions=b"[" * 1_000_000)
    yield "numbers", archive(event_of(x=b"".decode()), meta=b"[" + b"1," * 5_000_000 + b"1]")
    unknown = {f"key{number}": "x" for number in range(100_000)}
    yield "unknown keys", archive(event_of(**unknown))
    yield "many sessions", archive(event_of(), sessions=sessions(4_000, speakers=[1]))
    wrong = sessions(20_000, speakers=[999], track={"id": 999}, starts_at="never")
    yield "many findings", archive(event_of(), sessions=wrong)
    yield (
        "all with all",
        archive(
            event_of(),
            speakers=named(500),
            sessions=sessions(500, speakers=[{"id": n + 1} for n in range(500)]),
        ),
    )
    big = random.Random(1).randbytes(10 * MIB)
    slides = sessions(40, slides="/slides/x.pdf", slides_url="/slides/x.pdf")
    yield "one entry for 40 sessions", archive(event_of(), sessions=slides, **{"slides/x.pdf": big})
    for name, image in (
        ("EXIF segments", jpeg_with_segments(120_000)),
        ("a bomb", large_png(30_000)),
        ("a large image", large_png(7_000)),
        ("half an image", large_png(3_000)[:200]),
    ):
        photo = named(3, photo="/images/x.png", photo_url="/images/x.png")
        yield name, archive(event_of(), speakers=photo, **{"images/x.png": image})
    hosts = [{"id": n + 1, "name": "s", "photo_url": f"http://a.invalid/{n}"} for n in range(2000)]
    yield "2,000 links to one host", archive(event_of(), speakers=hosts)
    inside = [
        {"id": n + 1, "name": "s", "photo_url": url}
        for n, url in enumerate(["http://127.0.0.1:1/", "http://169.254.169.254/", "http://[::1]/"])
    ]
    yield "links inside", archive(event_of(), speakers=inside)
    yield "a zip bomb", archive(event_of(), sessions=b" " * 200 * MIB)
    yield "many entries", archive(event_of(), **{f"x/{n}": b"" for n in range(20_000)})
    yield "long names", archive(event_of(), **{f"{n}/" + "x/" * 30_000: b"" for n in range(20)})
    yield "no zip", b"PK\x03\x04" + bytes(100_000)
    whole = archive(event_of(), sessions=sessions(100))
    chance = random.Random(2)
    for number in range(60):
        changed = bytearray(whole)
        for _ in range(chance.randrange(1, 20)):
            changed[chance.randrange(4, len(changed))] = chance.randrange(256)
        yield f"damaged {number}", bytes(changed)


async def post_archive(client: httpx.AsyncClient, content: bytes) -> str:
    """Have an archive imported; the task's URL."""
    while True:
        files = {"file": ("attack.zip", content, "application/zip")}
        answer = await client.post("/v1/events/import/json", files=files)
        if answer.status_code == 429:
            await asyncio.sleep(1)
            continue
        answer.raise_for_status()
        return str(answer.json()["task_url"])


async def import_all(target: Target) -> Answers:
    """Import every hostile archive, and look at what came out of it."""
    answers: Answers = Counter()
    room = asyncio.Semaphore(4)
    async with target.client() as client, target.client(anonymous=True) as visitor:

        async def run(name: str, content: bytes) -> None:
            async with room:
                try:
                    task_url = await post_archive(client, content)
                except httpx.HTTPStatusError as error:
                    answers[f"refused {error.response.status_code}"] += 1
                    return
                began = time.monotonic()
                task: dict[str, Any] = {"state": None}
                while task["state"] not in FINAL:
                    if time.monotonic() - began > IMPORT_SECONDS:
                        target.broken.append(f"{name}: the import did not end")
                        answers["endless"] += 1
                        await client.delete(task_url)
                        return
                    await asyncio.sleep(0.2)
                    answer = await client.get(task_url)
                    task = answer.json()
                answers[str(task["state"])] += 1
                if time.monotonic() - began > IMPORT_SECONDS / 6:
                    print(f"    {name}: {task['state']} after {time.monotonic() - began:.0f} s")
                if len(answer.content) > 2 * MIB:
                    target.broken.append(f"{name}: a task of {len(answer.content)} bytes")
                if task["state"] == "SUCCESS" and task["result"].get("id"):
                    await look(client, visitor, task["result"])

        for name, content in await asyncio.to_thread(lambda: list(hostile_archives())):
            await room.acquire()
            room.release()
            task = asyncio.create_task(run(name, content))
            RUNNING.add(task)
            task.add_done_callback(RUNNING.discard)
        while RUNNING:
            await asyncio.gather(*RUNNING)
    return answers


RUNNING: set[asyncio.Task[None]] = set()


async def look(client: httpx.AsyncClient, visitor: httpx.AsyncClient, event: Any) -> None:
    """Publish an event, and ask for everything that there is to see."""
    await client.post(f"/v1/events/{event['id']}/publish?confirm=true")
    for path in (
        f"/events/{event['identifier']}",
        f"/v1/events/{event['id']}?include=sessions.speakers,tracks,speakers,sponsors",
        f"/v1/events/{event['id']}?include=sessions",
        f"/v1/events/{event['id']}/sessions?page[size]=100&include=speakers",
    ):
        await visitor.get(path)


async def hostile_changes(target: Target) -> Answers:
    """PATCH an event with values that are hard to check."""
    answers: Answers = Counter()
    async with target.client() as client:
        task_url = await post_archive(client, archive(event_of()))
        task: dict[str, Any] = {"state": None}
        while task["state"] not in FINAL:
            await asyncio.sleep(0.1)
            task = (await client.get(task_url)).json()
        event = task["result"]
        attributes = ("timezone", "name", "starts-at", "email", "logo-url", "description", "state")
        for name in attributes:
            for unit in (" ", "a ", "<b>", "&", "http://x ", "0", "-", "@", "<a href='", "\\", "/"):
                value = (unit * 60_000)[:150_000]
                document = {
                    "data": {"type": "event", "id": event["id"], "attributes": {name: value}}
                }
                headers = {"Content-Type": "application/vnd.api+json"}
                path = f"/v1/events/{event['id']}"
                answer = await client.patch(path, json=document, headers=headers)
                answers[str(answer.status_code)] += 1
                await client.get(f"/events/{event['identifier']}")
    return answers


async def hostile_images(target: Target) -> Answers:
    """Images that cost more than they weigh."""
    answers: Answers = Counter()
    images = [jpeg_with_segments(120_000), large_png(30_000), large_png(7_000), large_png(100)[:60]]
    async with target.client() as client:
        for image in images * 3:
            data = f"data:image/png;base64,{base64.b64encode(image).decode()}"
            first = await client.post("/v1/upload/image?size=large&size=icon", json={"data": data})
            second = await client.post("/v1/upload/image", files={"file": ("a.png", image)})
            answers[str(first.status_code)] += 1
            answers[str(second.status_code)] += 1
    return answers


ATTACKS: list[Callable[[Target], Awaitable[Answers]]] = [
    hostile_headers,
    hostile_forms,
    too_much,
    unfinished,
    hostile_bodies,
    hostile_queries,
    hostile_changes,
    hostile_images,
    event_streams,
    import_all,
]


async def attack(target: Target, options: argparse.Namespace) -> None:
    """Run all attacks, one after the other."""
    for each in ATTACKS:
        if options.only and options.only not in each.__name__:
            continue
        began = time.monotonic()
        measuring = asyncio.create_task(keep_measuring(target))
        try:
            answers = await each(target)
        except httpx.HTTPError as error:
            answers = Counter({type(error).__name__: 1})
            target.broken.append(f"{each.__name__}: {error!r:.200}")
        finally:
            measuring.cancel()
        ended = time.monotonic()
        await asyncio.sleep(2 * PULSE_SECONDS)
        slowest, alone = target.slowest(began, ended)
        told = ", ".join(f"{what}: {count}" for what, count in sorted(answers.items()))
        name = each.__name__.replace("_", " ")
        print(
            f"{name:<16} {ended - began:6.1f} s  slowest pulse {slowest:.3f} s"
            f" ({alone:.3f} s on a processor of its own)  {told}",
            flush=True,
        )
        counted = alone if options.shared else slowest
        if counted >= options.pulse:
            target.broken.append(f"{name}: a pulse took {counted:.3f} s")
        if answers["500"]:
            target.broken.append(f"{name}: {answers['500']} answers of 500")


async def keep_measuring(target: Target) -> None:
    """Measure until cancelled."""
    while True:
        target.measure()
        await asyncio.sleep(0.1)


def start(stack: ExitStack, folder: Path, port: int) -> Target:
    """Start everything in a folder; it ends with the stack."""
    postgres = stack.enter_context(start_postgres(folder / "postgres", durable=False))
    valkey = stack.enter_context(start_valkey(folder / "valkey", durable=False))
    migrations.upgrade(postgres.url)
    account = create_account(
        DatabaseConfig(url=postgres.url), "a@b.example", PASSWORD, is_admin=True
    )
    asyncio.run(account)
    environment = {
        **os.environ,
        "DATABASE_URL": postgres.url,
        "REDIS_URL": valkey.url,
        "SECRET_KEY": secrets.token_hex(32),
        "LOCAL_STORAGE_PATH": str(folder / "storage"),
        "REQUESTS_PER_MINUTE": "0",
        "SIGN_INS_PER_MINUTE": "0",
        "SIGN_INS_PER_CLIENT": "0",
        "LOG_FORMAT": "json",
    }
    processes = {}
    for name, command in (("API", ["serve", "--port", str(port)]), ("worker", ["worker"])):
        log = stack.enter_context((folder / f"{name}.log").open("wb"))
        process = subprocess.Popen(
            [sys.executable, "-m", "eventimport.cli", *command],
            env=environment,
            stdout=log,
            stderr=log,
        )
        stack.callback(process.wait)
        stack.callback(process.terminate)
        processes[name] = process.pid
    deadline = time.monotonic() + 120
    while True:
        with suppress(httpx.HTTPError):
            if httpx.get(f"http://127.0.0.1:{port}/readyz", trust_env=False).status_code == 200:
                break
        if time.monotonic() > deadline:
            raise SystemExit(f"the service is not ready; see {folder}")
        time.sleep(0.2)
    answer = httpx.post(
        f"http://127.0.0.1:{port}/v1/auth/session",
        json={"email": "a@b.example", "password": PASSWORD},
        trust_env=False,
    )
    pulses = folder / "pulses"
    beating = subprocess.Popen(
        [sys.executable, __file__, "--pulse-of", str(port), str(processes["API"])],
        stdout=stack.enter_context(pulses.open("wb")),
    )
    stack.callback(beating.wait)
    stack.callback(beating.terminate)
    while not pulses.stat().st_size:
        time.sleep(0.1)
    return Target(port, processes, answer.json()["access_token"], pulses)


def main() -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pulse", type=float, default=0.5, help="the slowest pulse, in seconds")
    parser.add_argument("--memory", type=int, default=500, help="API and worker each, in MiB")
    parser.add_argument("--only", help="attacks whose name contains this")
    parser.add_argument("--keep", action="store_true", help="keep the folder with the logs")
    parser.add_argument(
        "--shared", action="store_true", help="do not count waiting for a processor of this machine"
    )
    parser.add_argument("--pulse-of", type=int, nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.pulse_of:
        pulse(*options.pulse_of)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    folder = Path(tempfile.mkdtemp(prefix="eventimport-attack-"))
    print(f"logs are in {folder}", flush=True)
    with ExitStack() as stack:
        target = start(stack, folder, port)
        target.measure()
        idle = dict(target.peaks)
        asyncio.run(attack(target, options))
        target.measure()
        for name, peak in sorted(target.peaks.items()):
            at_first = idle.get(name, 0) // MIB
            print(f"peak of {name}: {peak // MIB} MiB (idle {at_first} MiB)")
            if name in target.processes and peak > options.memory * MIB:
                target.broken.append(f"{name} had {peak // MIB} MiB")
    for line in target.broken:
        print(f"BROKEN: {line}")
    return 1 if target.broken else 0


if __name__ == "__main__":
    sys.exit(main())
