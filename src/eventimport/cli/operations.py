"""Commands that run and prepare the service."""

from pathlib import Path
from pkgutil import resolve_name
from typing import Annotated

import typer

from eventimport.cli.console import fail, out, plain
from eventimport.cli.example_archive import NotAnArchiveDirectoryError, write_archive

WORKER = "eventimport.jobs.worker:run_worker"
"""A name, not an import: the programs do not import each other."""

STARTUP_FAILURE = 3
"""uvicorn's own exit status for an application that did not start."""


def serve(
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port to listen on.", max=65535)] = 8000,
) -> None:
    """Serve the HTTP API. Settings come from the environment."""
    from eventimport.cli.schema import require_schema
    from eventimport.cli.web_server import run_web_server
    from eventimport.settings import load_settings

    settings = load_settings()
    require_schema(settings.database, must_answer=False)
    if not run_web_server(settings, host=host, port=port):
        raise typer.Exit(STARTUP_FAILURE)


def work() -> None:
    """Run a worker for imports, exports and other tasks. You can run any number of workers."""
    from eventimport.cli.schema import require_schema
    from eventimport.settings import load_settings

    settings = load_settings()
    require_schema(settings.database, must_answer=False)
    resolve_name(WORKER)(settings)


def migrate() -> None:
    """Create or upgrade the tables in DATABASE_URL."""
    from eventimport.cli.schema import UNREACHABLE, unreachable
    from eventimport.database import migrations
    from eventimport.settings import load_settings

    settings = load_settings()
    try:
        migrations.upgrade(settings.database_url.get_secret_value())
    except UNREACHABLE as error:
        fail(unreachable(error))
    out.print("The database is up to date.")


def make_archive(
    directory: Annotated[
        Path,
        typer.Argument(
            exists=True, file_okay=False, help="The directory with JSON documents and media files."
        ),
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
