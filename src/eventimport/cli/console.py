"""What the commands say to a person, and how they end."""

from typing import NoReturn

import typer
from rich.console import Console
from rich.markup import escape

IMPORT_FAILED = 1
UNUSABLE = 2
INTERRUPTED = 130

console = Console(stderr=True, highlight=False)
"""For people: progress, advice, errors. Results go to standard output, to be piped."""

out = Console(highlight=False, soft_wrap=True)


def fail(message: str, status: int = UNUSABLE) -> NoReturn:
    """Say what is wrong and end the command with this exit status."""
    console.print(f"[bold red]Error:[/] {escape(message)}", soft_wrap=True)
    raise typer.Exit(status)
