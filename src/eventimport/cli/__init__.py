"""The command line. A command's module imports at its top only what `--help` needs.

A command's body imports the rest (the settings, the database, the web server, the worker) when it
runs, so that `eventimport --help` and `eventimport import` start quickly."""

from typing import Annotated

import typer

from eventimport import __version__
from eventimport.cli import (
    accounts,
    audit_log,
    clean_up,
    client_command,
    dev,
    erasure,
    operations,
    take_downs,
)
from eventimport.cli.console import out

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
app.command("dev")(dev.run_dev)
app.command("demo")(dev.run_demo)
app.command("serve")(operations.serve)
app.command("worker")(operations.work)
app.command("migrate")(operations.migrate)
app.command("clean-up")(clean_up.clean_up)
app.command("audit")(audit_log.show_audit_log)
app.command("take-down")(take_downs.take_down)
app.command("reinstate")(take_downs.reinstate)
app.command("erase")(erasure.erase)
app.add_typer(accounts.app, name="user")
app.command("import")(client_command.import_archive)
app.command("export")(client_command.export_event)
app.command("fetch-media")(client_command.fetch_media)
app.command("archive")(operations.make_archive)


def _tell_version(asked: bool) -> None:
    if asked:
        out.print(f"eventimport {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_tell_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Import whole conferences, and export them."""


def main() -> None:
    """The entry point of the `eventimport` program."""
    app(prog_name="eventimport")
