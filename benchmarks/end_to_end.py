"""How long a user waits for an import, from the request to the event and to the last media file.

    python benchmarks/end_to_end.py [--images 0 50 350] [--rounds 3] [--others 10]

It starts the service as operators run it: `eventimport serve` and one `eventimport worker`, each a
process of its own, over an embedded PostgreSQL and Valkey and local disk. It posts archives of the
size of real conferences, with images that are drawn here, and follows the task as the front page
does, over its event stream. It prints the seconds from the beginning of the POST until

- the response (`202`),
- the task shows the event, and a GET of the event succeeds,
- the task is SUCCESS;

once while the service is idle, and once while ten imports of other users, each with 50 images, wait
for the worker. The figures are medians; on a busy machine only their ratios mean something.
"""

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from eventimport.database import migrations
from eventimport.embedded import start_postgres, start_valkey
from media_speed import archive_of

IMAGES_OF_OTHERS = 50
STARTUP_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Waits:
    """Seconds from the beginning of the POST."""

    accepted: float
    visible: float
    ended: float


class Client:
    """A user of the service, signed up and signed in."""

    def __init__(self, url: str, number: int) -> None:
        self._http = httpx.Client(base_url=url, timeout=600)
        account = {"email": f"user-{number}@example.org", "password": "no password at all"}
        self._http.post("/v1/users", json=account).raise_for_status()
        answer = self._http.post("/v1/auth/session", json=account).raise_for_status()
        self._http.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def post(self, archive: bytes) -> str:
        """Begin an import; the URL of its task."""
        files = {"file": ("conference.zip", archive, "application/zip")}
        answer = self._http.post("/v1/events/import/auto", files=files).raise_for_status()
        return str(answer.json()["task_url"])

    def import_and_wait(self, archive: bytes) -> Waits:
        """Import an archive, and note when what is reached."""
        begun = time.monotonic()
        task_url = self.post(archive)
        accepted = time.monotonic() - begun
        visible = 0.0
        for task in self.follow(task_url):
            if task["event"] and not visible:
                event = f"/v1/events/{task['event']['identifier']}"
                self._http.get(event).raise_for_status()
                visible = time.monotonic() - begun
        assert task["state"] == "SUCCESS", task
        assert task["result"]["report"]["media"].get("outcomes", {}).keys() <= {"MOVED"}
        return Waits(accepted, visible, time.monotonic() - begun)

    def follow(self, task_url: str) -> Iterator[dict[str, Any]]:
        """The states of a task, to its end."""
        with self._http.stream("GET", f"{task_url}/events") as stream:
            for line in stream.iter_lines():
                if line.startswith("data:"):
                    yield json.loads(line.removeprefix("data:"))


@contextmanager
def service(folder: Path) -> Iterator[str]:
    """The service; its URL."""
    with ExitStack() as stack:
        database = stack.enter_context(start_postgres(folder / "postgres"))
        valkey = stack.enter_context(start_valkey(folder / "valkey"))
        migrations.upgrade(database.url)
        with socket.create_server(("127.0.0.1", 0)) as found:
            port = found.getsockname()[1]
        environment = {
            **os.environ,
            "DATABASE_URL": database.url,
            "REDIS_URL": valkey.url,
            "SECRET_KEY": "a key for a benchmark, which guards nothing",
            "LOCAL_STORAGE_PATH": str(folder / "storage"),
            "SIGN_INS_PER_MINUTE": "0",
            "LOG_LEVEL": "error",
        }
        for command in (["serve", "--port", str(port)], ["worker"]):
            process = subprocess.Popen(
                [sys.executable, "-m", "eventimport.cli", *command],
                env=environment,
                stdout=subprocess.DEVNULL,
            )
            stack.callback(process.wait)
            stack.callback(process.terminate)
        url = f"http://127.0.0.1:{port}"
        wait_until_ready(url)
        yield url


def wait_until_ready(url: str) -> None:
    """Wait for the web server."""
    deadline = time.monotonic() + STARTUP_SECONDS
    while True:
        try:
            httpx.get(f"{url}/healthz").raise_for_status()
        except httpx.HTTPError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--images", type=int, nargs="+", default=[0, 50, 350])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--others", type=int, default=10)
    given = parser.parse_args()
    archives = {images: archive_of(images) for images in {*given.images, IMAGES_OF_OTHERS}}
    found: dict[tuple[str, int], list[Waits]] = {}
    with tempfile.TemporaryDirectory(prefix="end-to-end-") as name, service(Path(name)) as url:
        user = Client(url, 0)
        others = [Client(url, number) for number in range(1, given.others + 1)]
        user.import_and_wait(archives[IMAGES_OF_OTHERS])  # The image processes start once.
        for _ in range(given.rounds):
            for images in given.images:
                waits = user.import_and_wait(archives[images])
                found.setdefault(("idle", images), []).append(waits)
                tasks = [other.post(archives[IMAGES_OF_OTHERS]) for other in others]
                waits = user.import_and_wait(archives[images])
                found.setdefault((f"{given.others} others", images), []).append(waits)
                for other, task_url in zip(others, tasks, strict=True):
                    for _task in other.follow(task_url):
                        pass
    print(f"{'':10} {'images':>6} {'accepted':>9} {'visible':>9} {'SUCCESS':>9}   seconds")
    for (load, images), rounds in sorted(found.items(), reverse=True):
        columns = zip(*((one.accepted, one.visible, one.ended) for one in rounds), strict=True)
        figures = " ".join(f"{statistics.median(column):9.2f}" for column in columns)
        print(f"{load:10} {images:6} {figures}")


if __name__ == "__main__":
    main()
