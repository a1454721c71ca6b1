"""Accepting an export: find the task that makes the same file, or add one and wake a worker."""

from uuid import UUID

from eventimport.database.export_jobs import TooManyExportsError, find_or_add_export, find_view
from eventimport.database.visibility import Viewer
from eventimport.errors import refuse
from eventimport.formats import Format
from eventimport.resources import Resources


async def accept_export(
    resources: Resources, viewer: Viewer, user_id: int, event_key: int | str, exported: Format
) -> UUID | None:
    """The id of the task that exports the event as the user may see it; None if they may not see
    the event. Raises 429 for one export too many."""
    most = resources.settings.max_exports_per_user
    async with resources.engine.begin() as connection:
        found = await find_view(connection, event_key, viewer)
        if found is None:
            return None
        event, view = found
        try:
            task_id, is_new = await find_or_add_export(
                connection,
                event,
                view,
                exported.name,
                user_id=user_id,
                most=most,
            )
        except TooManyExportsError:
            raise refuse(
                429,
                "too-many-exports",
                "Too many exports",
                f"You have {most} exports that have not ended. The limit is set by"
                " MAX_EXPORTS_PER_USER. Try again when one of them has ended.",
                headers={"Retry-After": "30"},
            ) from None
    if is_new:
        await resources.wake_worker()
    return task_id
