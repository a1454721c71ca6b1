"""The output of the commands, and how they end."""

from typing import Any, NoReturn

import typer
from rich.console import Console
from rich.markup import escape

from eventimport.observability.visible_text import visible

IMPORT_FAILED = 1
UNUSABLE = 2
INTERRUPTED = 130


class SafeConsole(Console):
    """A console that no printed text can drive: escapes of foreign text are shown, not obeyed.

    What is printed as text is made safe here. Cells of tables and descriptions of progress are
    made safe by `plain`, where they are made.
    """

    def print(self, *objects: Any, **options: Any) -> None:
        """Print as `Console.print` does."""
        shown = [visible(each, keep="\n\t") if isinstance(each, str) else each for each in objects]
        super().print(*shown, **options)


console = SafeConsole(stderr=True, highlight=False)
"""For people: progress, advice, errors. Results go to standard output."""

out = SafeConsole(highlight=False, soft_wrap=True)


def plain(value: object) -> str:
    """A value from outside as one line of text without rich's markup."""
    return escape(visible(str(value)))


def fail(message: str, status: int = UNUSABLE) -> NoReturn:
    """Show the error and end the command with this exit status."""
    console.print(f"[bold red]Error:[/] {escape(message)}", soft_wrap=True)
    raise typer.Exit(status)
