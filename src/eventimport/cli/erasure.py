"""`eventimport erase`: erases a person who asks for it."""

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from eventimport.cli.console import fail, out, plain

if TYPE_CHECKING:
    from eventimport.settings import Settings


def erase(
    email: Annotated[str, typer.Option(help="The e-mail address of the person.")],
) -> None:
    """Erase a person from all events: the speaker with this address, the speaker's files, and the
    address and name in reports. Archives and exports with the person in them are deleted, too.

    An account with this address stays: delete it with `eventimport user delete`. Backups of the
    database and of the storage keep the person until you delete them.
    """
    from eventimport.cli.schema import UNREACHABLE, require_schema, unreachable
    from eventimport.settings import load_settings

    if "@" not in email.strip("@ "):
        fail(f"{plain(email)} is not an e-mail address.")
    settings = load_settings()
    require_schema(settings.database)
    try:
        counts, has_account = asyncio.run(_erase(settings, email))
    except UNREACHABLE as error:
        fail(unreachable(error))
    for kind, count in counts.items():
        out.print(f"{count:>8,}  {kind}", markup=False)
    if has_account:
        out.print("An account has this address. To delete it, run `eventimport user delete`.")


async def _erase(settings: "Settings", email: str) -> tuple[dict[str, int], bool]:
    from eventimport.accounts.erasing import erase as erase_person
    from eventimport.database.accounts import find_by_address
    from eventimport.resources import open_resources

    async with open_resources(settings) as resources:
        counts = await erase_person(resources, email, actor=None)
        async with resources.engine.connect() as connection:
            return counts, await find_by_address(connection, email) is not None
