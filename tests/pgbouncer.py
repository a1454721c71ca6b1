"""PgBouncer in transaction mode, for tests, if it is installed."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sqlalchemy import make_url

from eventimport.embedded.server import free_port

PGBOUNCER = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
BACKENDS = 2
"""PgBouncer's connections to PostgreSQL: fewer than the service's connections to PgBouncer."""


@contextmanager
def running_pgbouncer(database_url: str, folder: Path) -> Iterator[str]:
    """The URL of the same database, behind a PgBouncer of its own."""
    assert PGBOUNCER is not None
    url = make_url(database_url)
    port = free_port()
    configuration = folder / "pgbouncer.ini"
    configuration.write_text(
        f"""
[databases]
{url.database} = host={url.host} port={url.port} user={url.username} password={url.password}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = {BACKENDS}
max_client_conn = 100
logfile =
pidfile =
"""
    )
    command = [PGBOUNCER, "--quiet", str(configuration)]
    if os.geteuid() == 0:
        # It refuses to run as root.
        configuration.chmod(0o644)
        for path in (folder, *folder.parents):
            if not path.stat().st_mode & 0o001:
                path.chmod(path.stat().st_mode | 0o001)
        command = [PGBOUNCER, "--quiet", "--user", "nobody", str(configuration)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            _wait_for(port, process)
            yield url.set(port=port).render_as_string(hide_password=False)
        finally:
            process.terminate()


def _wait_for(port: int, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.02)
    raise TimeoutError("PgBouncer did not start")
