"""A running service, and a browser. `make test-browser` runs these tests; `make test` does not."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from eventimport.cli.example_archive import write_archive
from eventimport.embedded.server import free_port

EXAMPLE = Path(__file__).parents[2] / "examples" / "lantern-open-2027"
START_SECONDS = 300
STOP_SECONDS = 60
URL = "/v1/events/import/json?publish=true"
ACCOUNT = {"email": "ada@example.org", "password": "tea and cables"}
API_SECONDS = 60.0
# A page on a busy machine may take long; nothing here is about its speed.
expect.set_options(timeout=60_000)
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
# No sandbox, because CI runs as root; nothing that would ask hosts outside of this machine.
CHROMIUM_OPTIONS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
VIEWPORTS = {"phone": (390, 844), "desktop": (1280, 900)}

OpenPage = Callable[..., Page]


@dataclass
class Processes:
    """The service as it runs in production: an API, and a worker once somebody wants one."""

    url: str
    _environment: dict[str, str]
    _folder: Path
    _running: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self, *arguments: str) -> None:
        """Start `eventimport <arguments>`; what it says goes into a file."""
        with (self._folder / f"{arguments[0]}.log").open("wb") as log:
            command = [sys.executable, "-m", "eventimport.cli", *arguments]
            process = subprocess.Popen(
                command, env=self._environment, stdout=log, stderr=subprocess.STDOUT
            )
        self._running.append(process)

    def with_folder(self, folder: Path) -> "Processes":
        """The same API, with workers of its own that write logs and mails into the folder."""
        return Processes(
            self.url, self._environment | {"MAIL_FOLDER": str(folder / "mails")}, folder
        )

    def start_worker(self) -> None:
        """Start a worker."""
        self.start("worker")

    def wait_until_it_answers(self) -> None:
        """Wait for the API."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            with suppress(httpx.TransportError):
                if httpx.get(f"{self.url}/healthz", trust_env=False).status_code == 200:
                    return
            time.sleep(0.05)
        pytest.fail((self._folder / "serve.log").read_text())

    def stop(self) -> None:
        """Stop all, as a process manager does; what does not stop is killed, and fails the test."""
        for process in self._running:
            process.terminate()
        stuck = []
        for process in self._running:
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                stuck.append(process.args)
        assert not stuck, [log.read_text()[-4000:] for log in self._folder.glob("*.log")]


@contextmanager
def running_api(database_url: str, redis_url: str, folder: Path) -> Iterator[Processes]:
    """An API of its own, whose files and logs are in the folder."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    environment = {
        **{name: value for name, value in os.environ.items() if name in {"PATH", "PYTHONPATH"}},
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "SECRET_KEY": "a key for tests, which guards nothing; long enough for every HMAC",
        "PUBLIC_URL": url,
        "LOCAL_STORAGE_PATH": str(folder / "storage"),
        "MAIL_FOLDER": str(folder / "mails"),
        "SHUTDOWN_GRACE": "5",
        # All tests sign in to the same account, from the same address.
        "SIGN_INS_PER_MINUTE": "0",
        "SIGN_INS_PER_CLIENT": "0",
    }
    processes = Processes(url, environment, folder)
    try:
        processes.start("serve", "--port", str(port))
        processes.wait_until_it_answers()
        yield processes
    finally:
        processes.stop()


@pytest.fixture(scope="session")
def shared_api(
    database_url: str, redis_database: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Processes]:
    """The API of all tests of this process. To start it takes longer than most of them."""
    with running_api(database_url, redis_database, tmp_path_factory.mktemp("api")) as processes:
        yield processes


@pytest.fixture
def service(
    shared_api: Processes, database_url: str, redis_url: str, tmp_path: Path
) -> Iterator[Processes]:
    """A running API over empty databases. It has no worker yet; that of a test is its own."""
    processes = shared_api.with_folder(tmp_path)
    try:
        yield processes
    finally:
        processes.stop()


@pytest.fixture
def api(service: Processes) -> Iterator[httpx.Client]:
    """A client of the API, signed in to a new account."""
    with httpx.Client(base_url=service.url, trust_env=False, timeout=API_SECONDS) as client:
        client.post("/v1/users", json=ACCOUNT).raise_for_status()
        token = client.post("/v1/auth/session", json=ACCOUNT).json()["access_token"]
        client.headers["Authorization"] = f"Bearer {token}"
        yield client


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A headless Chromium: the system's own, or that of CHROMIUM."""
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, CHROMIUM)), None)
    assert found, "no Chromium: install it (Debian: apt-get install chromium), or set CHROMIUM"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=found, args=CHROMIUM_OPTIONS, timeout=300_000
        )
        yield browser
        browser.close()


@pytest.fixture(params=VIEWPORTS)
def viewport(request: pytest.FixtureRequest) -> str:
    """Each size of screen."""
    return str(request.param)


@pytest.fixture
def open_page(service: Processes, browser: Browser) -> Iterator[OpenPage]:
    """Opens a path in a browser of its own, which knows nothing of the others.

    A test fails where a page says anything in its console: what a policy of ours forbids, a file
    that isn't there, an exception.
    """
    complaints: list[str] = []
    with ExitStack() as stack:

        def open_page(
            path: str = "/", *, viewport: str = "desktop", javascript: bool = True
        ) -> Page:
            width, height = VIEWPORTS[viewport]
            context = browser.new_context(
                base_url=service.url,
                viewport={"width": width, "height": height},
                java_script_enabled=javascript,
            )
            stack.callback(context.close)
            context.set_default_timeout(60_000)
            context.on("console", lambda told: complaints.append(told.text))
            context.on("weberror", lambda told: complaints.append(str(told.error)))
            page = context.new_page()
            page.goto(path)
            return page

        yield open_page
    expected = "the server responded with a status of 4"
    assert [told for told in complaints if expected not in told] == []


@pytest.fixture(scope="session")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example conference, as a zip."""
    path = tmp_path_factory.mktemp("example") / "lantern.zip"
    write_archive(EXAMPLE, path)
    return path


@pytest.fixture
def task_url(api: httpx.Client, example: Path) -> str:
    """Where the import of the example conference is told of, posted over the API."""
    with example.open("rb") as file:
        return str(api.post(URL, files={"file": file}).json()["task_url"])
