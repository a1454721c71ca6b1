"""The objects of an event, wherever they lie."""

import logging

from eventimport.storage.factory import StorageSet
from eventimport.storage.protocol import StorageError
from eventimport.storage.removal import take_back

_logger = logging.getLogger(__name__)


async def remove_event_objects(storages: StorageSet, event_id: int) -> None:
    """Delete an event's objects in every backend, once the event is gone.

    What cannot be deleted is logged, and left to the clean-up: nothing is raised for it.
    """
    for name in storages.names:
        storage = storages.get(name)
        try:
            keys = [stored.key async for stored in storage.keys(f"events/{event_id}/")]
        except StorageError:
            _logger.exception("the objects of event %d in %s are left behind", event_id, name)
            continue
        await take_back(storage, keys)
