"""`eventimport serve`, as a process: it has the limits, and believes no proxy."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.http.conftest import PATIENCE, read_all

from eventimport.embedded.server import free_port

pytestmark = pytest.mark.slow


@dataclass
class Served:
    """A served process, its port and the file of its log."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    def wait(self) -> int:
        """Wait for its end; its exit status. Fails with all stacks and the log if it goes on."""
        try:
            return self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGABRT)
            self.process.wait(PATIENCE)
            pytest.fail(f"the process goes on:\n{self.log.read_text()}")


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    """A service without a database, which it does not need for this."""
    found = free_port()
    settings = {
        "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nothing",
        "REDIS_URL": "redis://127.0.0.1:1/0",
        "SECRET_KEY": "a key for tests, which guards nothing",
        "MAX_HEADER_BYTES": "2000",
        "LOCAL_STORAGE_PATH": str(tmp_path),
        "FORWARDED_ALLOW_IPS": "*",
    }
    options = ["-X", "faulthandler", "-m", "eventimport.cli", "serve", "--port", str(found)]
    path = tmp_path / "serve.log"
    with (
        path.open("wb") as log,
        subprocess.Popen(
            [sys.executable, *options], env=os.environ | settings, stdout=log, stderr=log
        ) as process,
    ):
        try:
            deadline = time.monotonic() + PATIENCE
            while not ask(found, "/healthz").startswith(b"HTTP/1.1 200"):
                assert process.poll() is None, path.read_text()
                assert time.monotonic() < deadline, path.read_text()
                time.sleep(0.1)
            yield Served(process, found, path)
        finally:
            # Not SIGTERM: whether that ends it is for a test to find out.
            process.kill()


@pytest.fixture
def port(served: Served) -> int:
    """The port of the service."""
    return served.port


def ask(port: int, path: str, headers: str = "") -> bytes:
    """All that the service answers; nothing while nothing listens."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as client:
            head = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n"
            client.sendall(head.encode())
            return read_all(client)
    except ConnectionRefusedError:
        return b""


def test_the_process_has_limits_and_trusts_no_proxy(port: int) -> None:
    answers = {
        "metrics": ask(port, "/metrics"),
        "forwarded": ask(port, "/metrics", "X-Forwarded-For: 127.0.0.1\r\n"),
        "large": ask(port, "/healthz", f"X: {'x' * 3000}\r\n"),
        "document": ask(port, "/openapi.json"),
    }

    statuses = {name: answer.split(b" ", 2)[1] for name, answer in answers.items()}
    assert statuses == {
        "metrics": b"200",
        "forwarded": b"403",
        "large": b"431",
        "document": b"200",
    }


def test_a_process_that_is_told_to_stop_ends_well(served: Served) -> None:
    served.process.send_signal(signal.SIGTERM)

    assert served.wait() == 0
