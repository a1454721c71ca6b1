"""Commands that run and prepare the service."""

import signal
import sys
from contextlib import suppress
from pathlib import Path
from pkgutil import resolve_name
from types import FrameType
from typing import Annotated

import typer
import uvicorn

from eventimport.allocator import keep_freed_memory
from eventimport.cli.console import fail, out, plain
from eventimport.cli.example_archive import NotAnArchiveDirectoryError, write_archive
from eventimport.cli.schema import UNREACHABLE, require_schema, unreachable
from eventimport.database import migrations
from eventimport.http.server import server_config
from eventimport.settings import load_settings

# By name, as uvicorn wants it: the roots of the program know nothing of each other.
WEB_APPLICATION = "eventimport.main:app_from_environment"
WORKER = "eventimport.jobs.worker:run_worker"

SWITCH_SECONDS = 0.001
"""After how long a thread that renders a large page gives way to the event loop. Each request needs
several turns, so at Python's 5 ms the others would take a tenth of a second longer."""
STARTUP_FAILURE = 3
"""uvicorn's own exit status for an application that did not start."""


class Server(uvicorn.Server):
    """uvicorn's server; it also tells the application at once that it is to stop."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Set the resources' `stopping`, then do what uvicorn does on a signal."""
        state = self.lifespan.state if hasattr(self, "lifespan") else {}
        if "resources" in state:
            state["resources"].stopping.set()
        super().handle_exit(sig, frame)


def serve(
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port to listen on.", max=65535)] = 8000,
) -> None:
    """Serve the HTTP API. Settings come from the environment."""
    settings = load_settings()
    require_schema(settings.database, must_answer=False)
    keep_freed_memory()
    sys.setswitchinterval(SWITCH_SECONDS)
    config = server_config(WEB_APPLICATION, settings, factory=True, host=host, port=port)
    server = Server(config)

    def end(_number: int, _frame: FrameType | None) -> None:
        # uvicorn raises the signal again once it has stopped: by then, all is done.
        if not server.should_exit:
            raise SystemExit(0)

    signal.signal(signal.SIGTERM, end)
    # As `uvicorn.run` does: Ctrl-C is no error, but an application that cannot start is one.
    with suppress(KeyboardInterrupt):
        server.run()
    if not server.started:
        raise typer.Exit(STARTUP_FAILURE)


def work() -> None:
    """Run a worker: it takes accepted imports from the queue. Start as many as you like."""
    settings = load_settings()
    require_schema(settings.database, must_answer=False)
    resolve_name(WORKER)(settings)


def migrate() -> None:
    """Create or upgrade the tables in DATABASE_URL."""
    settings = load_settings()
    try:
        migrations.upgrade(settings.database_url.get_secret_value())
    except UNREACHABLE as error:
        fail(unreachable(error))
    out.print("The database is up to date.")


def make_archive(
    directory: Annotated[
        Path, typer.Argument(exists=True, file_okay=False, help="JSON documents and media.")
    ],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="The zip to write.", show_default="DIRECTORY.zip"),
    ] = None,
) -> None:
    """Zip a directory into an archive that can be imported."""
    folder = directory.resolve()
    target = output or folder.with_name(f"{folder.name}.zip")
    try:
        count = write_archive(directory, target)
    except NotAnArchiveDirectoryError as error:
        fail(str(error))
    size = f"{target.stat().st_size:,} bytes"
    out.print(f"{plain(target)}: {count} entries, {size}")
