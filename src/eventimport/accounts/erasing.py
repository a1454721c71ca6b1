"""Erasing a person who asks for it, with all files that have the person in them."""

from eventimport.database.audit import record_act
from eventimport.database.erasure import erase_person
from eventimport.resources import Resources
from eventimport.stored_objects import delete_objects


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
