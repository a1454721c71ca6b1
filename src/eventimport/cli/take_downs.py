"""`eventimport take-down` and `reinstate`: hide an event or a user's uploads from the public."""

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from eventimport.cli.console import fail, out

if TYPE_CHECKING:
    from eventimport.settings import Settings

Event = Annotated[int | None, typer.Option(help="The id of an event.")]
User = Annotated[int | None, typer.Option(help="The id of a user, for all of the user's uploads.")]


def take_down(
    *,
    reason: Annotated[str, typer.Option(help="The reason. The owner sees it.")],
    event: Event = None,
    user: User = None,
) -> None:
    """Hide an event, or all files that a user has uploaded, from the public. `reinstate` ends
    this."""
    if not reason.strip():
        fail("--reason is empty. Enter the reason, which the owner sees.")
    _run(event, user, reason)


def reinstate(*, event: Event = None, user: User = None) -> None:
    """End the take-down of an event, or of a user's uploads."""
    _run(event, user, None)


def _run(event: int | None, user: int | None, reason: str | None) -> None:
    from eventimport.cli.schema import UNREACHABLE, require_schema, unreachable
    from eventimport.settings import load_settings

    if (event is None) == (user is None):
        fail("Set either --event or --user.")
    settings = load_settings()
    require_schema(settings.database)
    try:
        moved = asyncio.run(_change(settings, event, user, reason))
    except UNREACHABLE as error:
        fail(unreachable(error))
    if moved is None:
        fail(f"Unknown {'user' if event is None else 'event'} {user if event is None else event}.")
    out.print(f"{'Reinstated' if reason is None else 'Taken down'}; {moved:,} files were moved.")


async def _change(
    settings: "Settings", event: int | None, user: int | None, reason: str | None
) -> int | None:
    from eventimport.database.take_down import take_event_down, take_user_files_down
    from eventimport.resources import open_resources
    from eventimport.stored_objects import move_files

    async with open_resources(settings) as resources:
        async with resources.engine.begin() as connection:
            if event is not None:
                files = await take_event_down(connection, event, reason, actor=None)
            else:
                files = await take_user_files_down(connection, user or 0, reason, actor=None)
        if files is None:
            return None
        return len(files) - await move_files(resources.engine, resources.storages, files)
