"""`eventimport dev` and `demo`: everything on this machine, for trying out and for developing."""

import asyncio
import os
import secrets
import socket
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack, ExitStack, suppress
from pathlib import Path
from typing import Annotated

import typer

from eventimport.cli.accounts import PASSWORD_VARIABLE, create_account
from eventimport.cli.console import IMPORT_FAILED, console, fail
from eventimport.cli.example_archive import NotAnArchiveDirectoryError, write_archive
from eventimport.cli.processes import Child, ChildDiedError, Children, stop_signal

HOST = "127.0.0.1"
"""Only this address: the password of the demo account is public."""

DEMO_EMAIL = "demo@example.org"
DEMO_PASSWORD = "demo-password"  # noqa: S105 - printed on purpose, exists in `dev` alone
START_SECONDS = 180.0
"""To load the service takes a slow machine a minute."""
POLL_SECONDS = 0.05

Port = Annotated[int, typer.Option(help="The port of the API on 127.0.0.1.", min=1, max=65535)]
DataDir = Annotated[Path, typer.Option(help="The directory for all data.", file_okay=False)]


def run_dev(port: Port = 8000, data_dir: DataDir = Path(".eventimport")) -> None:
    """Run PostgreSQL, Valkey, the API and a worker, with a demo account, until Ctrl-C.

    Needs the extra `dev`. Sets its own DATABASE_URL, REDIS_URL and SECRET_KEY, and reads all other
    settings from the environment.
    """
    with ExitStack() as servers:
        environment = _prepare(servers, data_dir, port)
        raise typer.Exit(asyncio.run(_serve(environment, port)))


def run_demo(
    directory: Annotated[
        Path,
        typer.Argument(
            exists=True, file_okay=False, help="The directory with JSON documents and media files."
        ),
    ],
    port: Port = 8000,
    data_dir: DataDir = Path(".eventimport"),
    once: Annotated[
        bool, typer.Option("--once", help="Exit after the result of the import.")
    ] = False,
) -> None:
    """Run `dev`, import a directory through the HTTP API, and keep serving.

    With --once, the exit status is 0 if the import succeeded. The API and the worker write their
    logs to the data directory.
    """
    data_dir.mkdir(parents=True, exist_ok=True)
    archive = data_dir / f"{directory.resolve().name}.zip"
    try:
        write_archive(directory, archive)
    except NotAnArchiveDirectoryError as error:
        fail(str(error))
    with ExitStack() as servers:
        environment = _prepare(servers, data_dir, port)
        serving = _serve(environment, port, logs=data_dir, archive=archive, once=once)
        raise typer.Exit(asyncio.run(serving))


def _prepare(servers: ExitStack, data_dir: Path, port: int) -> dict[str, str]:
    """Start the embedded servers, bring the database up to date, add the demo account."""
    from eventimport.database import migrations
    from eventimport.database.accounts import EmailTakenError
    from eventimport.database.engine import DatabaseConfig
    from eventimport.embedded import EmbeddedServerError, start_postgres, start_valkey

    if not _is_free(port):
        fail(f"Port {port} is in use. Choose another with --port (or make … PORT=).")
    data_dir.mkdir(parents=True, exist_ok=True)
    try:
        with console.status("Starting PostgreSQL and Valkey"):
            postgres = servers.enter_context(start_postgres(data_dir / "postgres"))
            valkey = servers.enter_context(start_valkey(data_dir / "valkey"))
    except EmbeddedServerError as error:
        fail(str(error))
    with console.status("Preparing the database"):
        migrations.upgrade(postgres.url)
        account = create_account(
            DatabaseConfig(url=postgres.url), DEMO_EMAIL, DEMO_PASSWORD, is_admin=True
        )
        with suppress(EmailTakenError):
            asyncio.run(account)
    defaults = {
        "PUBLIC_URL": f"http://{HOST}:{port}",
        "LOCAL_STORAGE_PATH": str((data_dir / "storage").resolve()),
        "MAIL_FOLDER": str((data_dir / "mails").resolve()),
        "SHUTDOWN_GRACE": "5",
    }
    own = {
        "DATABASE_URL": postgres.url,
        "REDIS_URL": valkey.url,
        "SECRET_KEY": _secret(data_dir / "secret"),
    }
    return defaults | dict(os.environ) | own


async def _serve(
    environment: dict[str, str],
    port: int,
    *,
    logs: Path | None = None,
    archive: Path | None = None,
    once: bool = False,
) -> int:
    """Run API and worker until a signal, or, with `once`, until the archive is imported. Returns
    the exit status."""
    stop = stop_signal()
    url = f"http://{HOST}:{port}"
    api = Child("API", ["serve", "--host", HOST, "--port", str(port)], _log(logs, "api"))
    worker = Child("worker", ["worker"], _log(logs, "worker"))
    try:
        async with AsyncExitStack() as stack:
            children = await stack.enter_async_context(Children.start([api, worker], environment))
            if await children.until(_answers(f"{url}/healthz"), stop) is None:
                return 0
            _welcome(url, environment)
            if archive:
                status = await children.until(
                    children.run(_import(archive, url), environment | _credentials()), stop
                )
                if status is None or once:
                    return status or 0
            console.print("Press Ctrl-C to stop.")
            await children.until(stop.wait(), stop)
    except (ChildDiedError, TimeoutError) as error:
        console.print(str(error), style="red", markup=False, soft_wrap=True)
        return IMPORT_FAILED
    else:
        return 0


def _import(archive: Path, url: str) -> Child:
    arguments = [str(archive), "--url", url, "--email", DEMO_EMAIL, "--publish"]
    return Child("import", ["import", *arguments])


def _credentials() -> dict[str, str]:
    return {PASSWORD_VARIABLE: DEMO_PASSWORD}


def _welcome(url: str, environment: Mapping[str, str]) -> None:
    console.print(f"[bold]eventimport[/] is running at {url}")
    console.print(f"API documentation: {url}/docs")
    console.print(f"Demo account: {DEMO_EMAIL}, password {DEMO_PASSWORD}")
    if not environment.get("SMTP_URL"):
        folder = environment["MAIL_FOLDER"]
        console.print(
            f"No mail is sent. Mails are written to {folder}", markup=False, soft_wrap=True
        )


def _log(folder: Path | None, name: str) -> Path | None:
    return folder / f"{name}.log" if folder else None


async def _answers(url: str) -> bool:
    """Wait until the URL answers with 200. Raises TimeoutError."""
    import httpx

    deadline = time.monotonic() + START_SECONDS
    async with httpx.AsyncClient(trust_env=False) as client:
        while time.monotonic() < deadline:
            with suppress(httpx.HTTPError):
                if (await client.get(url)).status_code == 200:
                    return True
            await asyncio.sleep(POLL_SECONDS)
    raise TimeoutError(f"{url} did not answer within {START_SECONDS:.0f} seconds.")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def _secret(path: Path) -> str:
    """The key that signs this data directory's tokens, made on first use."""
    if not path.exists():
        with open(path, "x", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            file.write(secrets.token_hex(32))
    return path.read_text()
