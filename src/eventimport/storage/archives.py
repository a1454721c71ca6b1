"""The archives of imports, once nobody needs them any more."""

import logging

from eventimport.storage.factory import StorageSet
from eventimport.storage.protocol import StorageError

_logger = logging.getLogger(__name__)


async def remove_archive(storages: StorageSet, storage_name: str, key: str) -> bool:
    """Delete an archive; whether it is gone. What cannot be deleted is logged, and left to the
    clean-up: nothing is raised for it."""
    if storage_name not in storages.names:
        _logger.warning("%s lies in %r, which is not configured here", key, storage_name)
        return False
    try:
        await storages.get(storage_name).delete(key)
    except StorageError:
        _logger.warning("%s could not be deleted", key, exc_info=True)
        return False
    return True
