"""The objects of an event, wherever they lie."""

import logging
from collections.abc import Iterable

from eventimport.storage.claim import CLAIM_KEY, is_foreign
from eventimport.storage.keys import EVENT_PREFIX, PRIVATE_PREFIX
from eventimport.storage.protocol import Storage, StorageError
from eventimport.storage.removal import take_back

_logger = logging.getLogger(__name__)


async def remove_event_objects(
    storages: Iterable[Storage], event_id: int, installation: str | None
) -> None:
    """Delete an event's objects in every backend, once the event is gone; not in another
    installation's, where an event of its own has the number.

    What cannot be deleted is logged, and left to the clean-up: nothing is raised for it.
    """
    for storage in storages:
        try:
            if await is_foreign(storage, installation):
                _logger.error(
                    "the objects of event %d stay in %s: another installation has it, says its"
                    " object %s",
                    event_id,
                    storage.name,
                    CLAIM_KEY,
                )
                continue
            keys = [
                stored.key
                for prefix in ("", PRIVATE_PREFIX)
                async for stored in storage.keys(f"{prefix}{EVENT_PREFIX}{event_id}/")
            ]
        except StorageError:
            _logger.exception(
                "the objects of event %d in %s are left to the clean-up", event_id, storage.name
            )
            continue
        await take_back(storage, keys)
