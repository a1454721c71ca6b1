"""Deleting an account, and erasing a person who asks for it, each with all files."""

from eventimport.database.accounts import delete_user
from eventimport.database.audit import record_act
from eventimport.database.erasure import erase_person
from eventimport.resources import Resources
from eventimport.stored_objects import delete_objects


async def close_account(
    resources: Resources, user_id: int, *, actor: int | None, client: str | None = None
) -> None:
    """Delete the account, its imports, uploads and notifications, the events that no other user
    owns, and their files. `actor` is None for the operator."""
    async with resources.engine.begin() as connection:
        files = await delete_user(connection, user_id)
        await record_act(
            connection, "account-delete", actor=actor, subject=("user", user_id), client=client
        )
    await delete_objects(resources.engine, resources.storages, files)


async def erase(
    resources: Resources,
    email: str,
    *,
    event_id: int | None = None,
    actor: int | None,
    client: str | None = None,
) -> dict[str, int]:
    """Erase the person with this address from an event, or, without one, from all of them. Returns
    what was erased, counted by kind. `actor` is None for the operator."""
    async with resources.engine.begin() as connection:
        erased = await erase_person(connection, email, event_id=event_id)
        counts = {**erased.counts, "files": len(erased.files)}
        # Without the address, which is to be gone.
        await record_act(
            connection,
            "erase",
            actor=actor,
            subject=None if event_id is None else ("event", event_id),
            client=client,
            detail=counts,
        )
    await delete_objects(resources.engine, resources.storages, erased.files)
    return counts
