"""How fast an import stores its media, beside a plain script that does the same work.

    python benchmarks/media_speed.py [--images 100 1000] [--links 1000] [--rounds 3]

The archives hold images that are drawn here: photos of speakers, of which sizes are made, and logos
of sponsors, each of which several sponsors name. For each archive it runs, interleaved:

- the import, by the code of the worker, over an embedded PostgreSQL and local disk;
- the plain script, in a process of its own: a loop that reads each file from the zip, decodes it,
  makes the same sizes with Pillow, writes all of them to a folder and syncs each file. It checks no
  limit, knows no database, and uses one process.

Then it imports links to loopback servers: one that answers, one that is slow, one that answers 503,
one that refuses connections, and one that accepts them and stays silent. It prints seconds,
processor seconds, ratios, statements and fsyncs per image, and peaks of memory.

Processor seconds count this process and the image processes, not PostgreSQL. On a busy machine they
and the counts say more than the seconds.
"""

import argparse
import asyncio
import io
import json
import logging
import os
import re
import statistics
import sys
import tempfile
import time
import zipfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

from PIL import Image, ImageDraw
from sqlalchemy import event

from eventimport.database import migrations
from eventimport.database.models import ImportJob, User
from eventimport.embedded import start_postgres
from eventimport.imports.accept import Upload, accept_import
from eventimport.imports.run import run_import
from eventimport.media.images import ImageSizes
from eventimport.resources import Resources, open_resources
from eventimport.settings import Settings

NO_REDIS = "redis://127.0.0.1:1/0"
NAMED_BY = 3
"""Sponsors that name the same logo."""


@dataclass
class Figures:
    """What was measured of one archive, a value a round."""

    whole: list[float] = field(default_factory=list)
    media: list[float] = field(default_factory=list)
    script: list[float] = field(default_factory=list)
    media_cpu: list[float] = field(default_factory=list)
    script_cpu: list[float] = field(default_factory=list)
    statements: int = 0
    fsyncs: int = 0


def drawn(number: int, width: int, height: int, name: str) -> bytes:
    """An image that differs from all others."""
    image = Image.radial_gradient("L").resize((width, height)).convert("RGB")
    draw = ImageDraw.Draw(image)
    for step in range(40):
        x, y = (number * 37 + step * 91) % width, (number * 53 + step * 67) % height
        draw.ellipse((x, y, x + 60, y + 60), fill=(number % 256, step * 6, (x + y) % 256))
    target = io.BytesIO()
    image.save(target, name, **({"quality": 90} if name == "JPEG" else {}))
    return target.getvalue()


def archive_of(images: int, link: str | None = None, links: int = 0) -> bytes:
    """An archive with this many images, two thirds of them photos; or with links instead."""
    photos = images * 2 // 3
    speakers = [
        {"id": n, "name": f"Speaker {n}", "photo-url": f"images/{n}.jpg"} for n in range(photos)
    ]
    sponsors = [
        {"id": n, "name": f"Sponsor {n}", "logo-url": f"images/logo{n // NAMED_BY}.png"}
        for n in range((images - photos) * NAMED_BY)
    ]
    sponsors += [
        {"id": 100_000 + n, "name": f"Link {n}", "logo-url": f"{link}/{n}.png"}
        for n in range(links)
    ]
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("event", json.dumps({"id": 1, "name": "Media"}))
        archive.writestr("speakers", json.dumps(speakers))
        archive.writestr("sponsors", json.dumps(sponsors))
        for n in range(photos):
            archive.writestr(f"images/{n}.jpg", drawn(n, 1200, 900, "JPEG"))
        for n in range(images - photos):
            archive.writestr(f"images/logo{n}.png", drawn(n, 400, 300, "PNG"))
    return content.getvalue()


def plain_script(archive: Path, folder: Path) -> None:
    """Do the same with nothing around it; print the seconds and the processor seconds."""
    folder.mkdir()
    before, used = time.monotonic(), time.process_time()
    sizes = ImageSizes().speaker

    def write(name: str, content: bytes) -> None:
        with (folder / name).open("wb") as target:
            target.write(content)
            target.flush()
            os.fsync(target.fileno())

    with zipfile.ZipFile(archive) as file:
        for name in file.namelist():
            if not name.startswith("images/"):
                continue
            content = file.read(name)
            image = Image.open(io.BytesIO(content))
            image.load()
            short = Path(name).name
            write(short, content)
            for size, wanted in sizes.items() if name.endswith(".jpg") else ():
                height = max(1, round(image.height * wanted.width / image.width))
                smaller = image.resize(
                    (wanted.width, height), Image.Resampling.LANCZOS, reducing_gap=3
                )
                target = io.BytesIO()
                smaller.save(target, "JPEG", quality=85)
                write(f"{size}-{short}", target.getvalue())
    print(time.monotonic() - before, time.process_time() - used)


async def run_script(archive: Path, folder: Path) -> tuple[float, float]:
    """Run the plain script; its seconds and processor seconds, without its start."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, __file__, "--script", str(archive), str(folder)),
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate()
    seconds, used = output.split()
    return float(seconds), float(used)


def processor_seconds(resources: Resources) -> float:
    """What this process and its image processes have used."""
    total = time.process_time()
    for pid in resources.images.pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        total += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return total


class Counts:
    """Statements and fsyncs of this process."""

    def __init__(self, resources: Resources) -> None:
        self.statements = self.fsyncs = 0
        self._fsync = os.fsync
        event.listen(resources.engine.sync_engine, "before_cursor_execute", self._statement)
        event.listen(resources.engine.sync_engine, "commit", self._commit)
        os.fsync = self._synced  # type: ignore[assignment]

    def _statement(self, *_args: Any) -> None:
        self.statements += 1

    def _commit(self, *_args: Any) -> None:
        self.statements += 1

    def _synced(self, descriptor: Any) -> None:
        self.fsyncs += 1
        self._fsync(descriptor)

    def take(self) -> tuple[int, int]:
        """What was counted since the last time."""
        taken = self.statements, self.fsyncs
        self.statements = self.fsyncs = 0
        return taken


async def imported(resources: Resources, content: bytes, counts: Counts) -> tuple[float, ImportJob]:
    """Import an archive; the seconds that it took, and the job."""

    async def chunks() -> AsyncIterator[bytes]:
        yield content

    async def receive() -> Upload:
        return Upload("archive.zip", chunks())

    async with resources.sessions.begin() as session:
        user = User(email=f"{uuid4()}@example.org", password_hash="none")
        session.add(user)
    job_id = await accept_import(resources, user.id, receive)
    counts.take()
    before = time.monotonic()
    await run_import(resources, job_id)
    seconds = time.monotonic() - before
    async with resources.sessions() as session:
        job = await session.get_one(ImportJob, job_id)
        assert job.status == "SUCCESS", job.errors
        return seconds, job


async def measure(resources: Resources, images: int, rounds: int, folder: Path) -> Figures:
    """Rounds of the import and of the script."""
    content = archive_of(images)
    path = folder / "archive.zip"
    path.write_bytes(content)
    figures = Figures()
    counts = Counts(resources)
    for number in range(rounds):
        used = processor_seconds(resources)
        whole, job = await imported(resources, content, counts)
        figures.media_cpu.append(processor_seconds(resources) - used)
        figures.statements, figures.fsyncs = counts.take()
        assert (job.report or {})["media"]["outcomes"].keys() == {"MOVED"}
        figures.whole.append(whole)
        figures.media.append((job.stage_seconds or {})["media"])
        script, script_cpu = await run_script(path, folder / f"script-{images}-{number}")
        figures.script.append(script)
        figures.script_cpu.append(script_cpu)
    return figures


async def measure_links(resources: Resources, links: int) -> None:
    """The time until links of each kind are settled."""
    logo = drawn(1, 40, 30, "PNG")
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(logo)}\r\n\r\n".encode()

    async def good(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readuntil(b"\r\n\r\n"):
            writer.write(head + logo)
            await writer.drain()

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readuntil(b"\r\n\r\n"):
            await asyncio.sleep(0.05)
            writer.write(head + logo)
            await writer.drain()

    async def busy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readuntil(b"\r\n\r\n"):
            writer.write(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")
            await writer.drain()

    async def silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.read()

    for name, serve in (("good", good), ("slow", slow), ("503", busy), ("silent", silent)):
        async with AsyncExitStack() as stack:

            async def quietly(reader: Any, writer: Any, serve: Any = serve) -> None:
                try:
                    await serve(reader, writer)
                except (asyncio.IncompleteReadError, ConnectionError):
                    pass
                finally:
                    writer.close()

            server = await stack.enter_async_context(
                await asyncio.start_server(quietly, "127.0.0.1", 0)
            )
            port = server.sockets[0].getsockname()[1]
            await _print_links(resources, name, f"http://127.0.0.1:{port}", links)
    await _print_links(resources, "refused", "http://127.0.0.1:1", links)


async def _print_links(resources: Resources, name: str, link: str, links: int) -> None:
    seconds, job = await imported(resources, archive_of(0, link, links), Counts(resources))
    outcomes = (job.report or {})["media"]["outcomes"]
    print(f"{links} links, {name:8} {seconds:7.2f} s  {outcomes}")


def peak_memory(pid: int | str = "self") -> float:
    """The most that a process has held, in MiB."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) / 1024


async def run(arguments: argparse.Namespace, folder: Path, url: str) -> None:
    """All measurements, in one process."""
    settings = Settings(
        database_url=url,
        redis_url=NO_REDIS,
        secret_key="a key for a benchmark, which guards nothing",
        local_storage_path=folder / "storage",
        frontend_url="https://events.example",
        fetch_allowed_hosts=("127.0.0.1",),
    )
    async with open_resources(settings) as resources:
        for images in arguments.images:
            figures = await measure(resources, images, arguments.rounds, folder)
            media, script = statistics.median(figures.media), statistics.median(figures.script)
            whole = statistics.median(figures.whole)
            print(
                f"{images} images: import {whole:.2f} s, media {media:.2f} s,"
                f" script {script:.2f} s, media / script {media / script:.2f};"
                f" processor seconds of the import {min(figures.media_cpu):.2f}, of the script"
                f" {min(figures.script_cpu):.2f},"
                f" ratio {min(figures.media_cpu) / min(figures.script_cpu):.2f};"
                f" per image {figures.statements / images:.1f} statements,"
                f" {figures.fsyncs / images:.1f} fsyncs"
            )
        if arguments.links:
            await measure_links(resources, arguments.links)
        children = ", ".join(f"{peak_memory(pid):.0f}" for pid in resources.images.pids)
        print(f"peak memory: {peak_memory():.0f} MiB; image processes: {children} MiB")


def main() -> None:
    """Read the arguments, start PostgreSQL, and measure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--images", type=int, nargs="*", default=[100, 1000])
    parser.add_argument("--links", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--script", type=Path, nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.script:
        plain_script(*arguments.script)
        return
    logging.getLogger("eventimport").setLevel(logging.ERROR)  # There is no queue.
    with tempfile.TemporaryDirectory(prefix="media-speed-") as name:
        folder = Path(name)
        with start_postgres(folder / "postgres") as server:
            migrations.upgrade(server.url)
            asyncio.run(run(arguments, folder, server.url))


if __name__ == "__main__":
    main()
