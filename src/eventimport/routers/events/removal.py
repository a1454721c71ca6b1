"""Removing an event's files."""

import logging
from typing import Final

from eventimport.storage.factory import StorageSet
from eventimport.storage.protocol import StorageError
from eventimport.storage.removal import take_back

_logger: Final = logging.getLogger(__name__)


async def remove_objects(storages: StorageSet, event_id: int) -> None:
    """Delete the event's objects in every backend. What cannot be deleted is logged: the event is
    gone by now, and its files must not keep the client from learning so."""
    for name in storages.names:
        storage = storages.get(name)
        try:
            keys = [stored.key async for stored in storage.keys(f"events/{event_id}/")]
        except StorageError:
            _logger.exception("the objects of event %d in %s are left behind", event_id, name)
            continue
        await take_back(storage, keys)
