"""The command line. Each command's module is imported when the program starts; what is heavy (the
web server, the worker) is loaded by its name, when it is asked for."""

import typer

from eventimport.cli import accounts, client_command, dev, operations

app = typer.Typer(
    help="Imports whole conferences from Open Event archives: a zip goes in, an event comes out.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
app.command("dev")(dev.run_dev)
app.command("demo")(dev.run_demo)
app.command("serve")(operations.serve)
app.command("worker")(operations.work)
app.command("migrate")(operations.migrate)
app.add_typer(accounts.app, name="user")
app.command("import")(client_command.import_archive)
app.command("archive")(operations.make_archive)


def main() -> None:
    """The entry point of the `eventimport` program."""
    app()
