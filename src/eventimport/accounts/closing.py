"""Deleting an account with all that is its user's."""

from eventimport.database.accounts import delete_user
from eventimport.database.audit import record_act
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
