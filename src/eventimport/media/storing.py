"""Storing one medium of an import: from its source to its object, and to its sizes."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import dataclass, field
from functools import partial
from pathlib import PurePosixPath
from typing import Final, TypeVar

from tenacity import (
    AsyncRetrying,
    retry_if_exception,
    stop_after_attempt,
    wait_exponential,
    wait_random,
)

from eventimport.media.image_processes import ImageProcesses
from eventimport.media.images import (
    ImageLimits,
    ImageRefusedError,
    ImageSize,
    ImageSizes,
    ProcessedImage,
)
from eventimport.media.names import entry_name, link_name, with_extension
from eventimport.media.records import MediaRecords, MediaToMove
from eventimport.media.sources import NotMovedError, Outcome, Source, Sources, without_pages
from eventimport.storage.content_types import content_type_of
from eventimport.storage.keys import media_key
from eventimport.storage.protocol import Storage, StorageError

_EVENT_IMAGE: Final = ("events", "original_image_url")
_SPEAKER_IMAGE: Final = ("speakers", "photo_url")
IMAGES_WITH_SIZES: Final = frozenset({_EVENT_IMAGE, _SPEAKER_IMAGE})
"""The fields (table, field) of whose images sizes are made: the size `icon` for the row's field
`icon_image_url`, and so on."""

_IMAGE_OUTCOMES: Final[Mapping[str, Outcome]] = {
    "format-not-allowed": "REFUSED",
    "too-slow": "REFUSED",
    "too-much-memory": "REFUSED",
    "unprocessable": "REFUSED",
    "too-large": "TOO_LARGE",
    "too-many-pixels": "TOO_LARGE",
}
_CHUNK: Final = 1024 * 1024
_T = TypeVar("_T")

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferConfig:
    """`concurrency` media are moved at once; `max_bytes` bounds each of them. What storage refuses
    for now is tried `storage_attempts` times, after `storage_wait` seconds, then twice that, …"""

    concurrency: int = 4
    max_bytes: int = 512 * 1024 * 1024
    image_limits: ImageLimits = field(default_factory=ImageLimits)
    image_sizes: ImageSizes = field(default_factory=ImageSizes)
    storage_attempts: int = 4
    storage_wait: float = 0.5


@dataclass(frozen=True, slots=True)
class Moved:
    """The stored object of an item, its size in bytes, and the keys of the sizes by their field."""

    key: str
    size: int
    made: Mapping[str, str] = field(default_factory=dict)


class MediaStorer:
    """Stores media under keys that it has written to their items before. A medium that is not fit
    raises NotMovedError, and storage that goes on failing StorageError; either way nothing of it is
    left behind."""

    def __init__(
        self,
        records: MediaRecords,
        storage: Storage,
        sources: Sources,
        images: ImageProcesses,
        config: TransferConfig,
        *,
        other_storages: Sequence[Storage] = (),
    ) -> None:
        self._records = records
        self._storage = storage
        self._sources = sources
        self._images = images
        self._config = config
        self._other_storages = other_storages

    async def store(self, item: MediaToMove) -> Moved:
        """Store the object of an item, and the sizes of an image that lacks them."""
        if item.media_type == "image":
            return await self._store_image(item)
        return await self._store_file(item)

    async def _store_file(self, item: MediaToMove) -> Moved:
        """As a stream, from the source right into storage."""
        reserved: list[str] = []

        async def store() -> Moved:
            async with _open(self._sources, item, self._config.max_bytes) as source:
                if not reserved:
                    reserved.append(await self._reserve(item, _name(item, source.content_type)))
                key = reserved[0]
                content_type = content_type_of(key)
                if item.origin == "archive":
                    stored = await self._storage.put(key, source.chunks, content_type=content_type)
                else:
                    async with aclosing(without_pages(source)) as chunks:
                        stored = await self._storage.put(key, chunks, content_type=content_type)
            return Moved(key, stored.size)

        try:
            return await self._with_retries(store)
        except BaseException:
            if reserved:
                await self.give_up(reserved[0])
            raise

    async def _store_image(self, item: MediaToMove) -> Moved:
        """In whole, once it is known to be an image; its sizes along with it."""
        async with _open(self._sources, item, self._config.image_limits.max_bytes) as source:
            content = b"".join([chunk async for chunk in source.chunks])
        sizes = await self._sizes_wanted(item)
        try:
            info, made = await self._images.check(content, self._config.image_limits, sizes)
        except ImageRefusedError as error:
            outcome = _IMAGE_OUTCOMES.get(error.code, "NOT_AN_IMAGE")
            raise NotMovedError(outcome, str(error)) from error
        name = with_extension(_name(item, ""), info.content_type, info.extension)
        key = await self._reserve(item, name)
        keys = {name: _key_of_size(key, name, image) for name, image in made.items()}
        try:
            await self._put(key, content, info.content_type)
            for name, image in made.items():
                await self._put(keys[name], image.data, image.content_type)
        except BaseException:
            await self.give_up(key)
            raise
        return Moved(key, len(content), {_field_of_size(name): keys[name] for name in keys})

    async def _sizes_wanted(self, item: MediaToMove) -> Mapping[str, ImageSize]:
        if not has_sizes(item):
            return {}
        speaker = (item.table_name, item.field) == _SPEAKER_IMAGE
        sizes = self._config.image_sizes.speaker if speaker else self._config.image_sizes.event
        fields = {_field_of_size(name): name for name in sizes}
        empty = await self._records.empty_fields(item.table_name, item.row_id, fields)
        return {fields[name]: sizes[fields[name]] for name in empty}

    async def _reserve(self, item: MediaToMove, name: str) -> str:
        key = media_key(item.event_id, item.table_name, item.row_id, item.field, name)
        await self._records.reserve(item.id, key)
        return key

    async def _put(self, key: str, content: bytes, content_type: str) -> None:
        async def put() -> None:
            await self._storage.put(key, _slices(content), content_type=content_type)

        await self._with_retries(put)

    async def discard(self, key: str) -> None:
        """Remove an item's object and the sizes made of it. Raises StorageError."""

        await self._with_retries(partial(_remove, self._storage, key))

    async def discard_earlier(self, key: str) -> None:
        """Remove what an earlier attempt has left, which may have stored it elsewhere. Raises
        StorageError of the storage in use alone: without one of the others, the import goes on."""
        await self.discard(key)
        for storage in self._other_storages:
            try:
                await _remove(storage, key)
            except StorageError:
                logger.warning("could not look for %s in %s", key, storage.name, exc_info=True)

    async def give_up(self, key: str) -> None:
        """Remove what was stored in vain; an error is under way already, and is the one to tell."""
        try:
            await asyncio.shield(self.discard(key))
        except StorageError:
            logger.warning("could not remove %s; the next attempt will", key, exc_info=True)

    async def _with_retries(self, step: Callable[[], Awaitable[_T]]) -> _T:
        wait = self._config.storage_wait
        retrying = AsyncRetrying(
            retry=retry_if_exception(_may_pass),
            stop=stop_after_attempt(self._config.storage_attempts),
            wait=wait_exponential(multiplier=wait, max=30) + wait_random(0, wait),
            reraise=True,
        )
        # tenacity awaits what a coroutine function gives, and only that.
        return await retrying(step)


def _open(
    sources: Sources, item: MediaToMove, max_bytes: int
) -> AbstractAsyncContextManager[Source]:
    if item.origin == "remote":
        return sources.link(item.source, max_bytes)
    if item.entry is None:
        raise NotMovedError("MISSING", "the archive does not hold this file")
    return sources.entry(item.entry, max_bytes)


def _name(item: MediaToMove, content_type: str) -> str:
    if item.origin == "remote":
        return link_name(item.source, content_type)
    return entry_name(item.entry or item.source)


def has_sizes(item: MediaToMove) -> bool:
    """Whether the item is an image of which sizes are made."""
    return item.media_type == "image" and (item.table_name, item.field) in IMAGES_WITH_SIZES


def _field_of_size(name: str) -> str:
    return f"{name}_image_url"


def _folder(key: str) -> str:
    """What an object's key and those of its sizes begin with, and no other: it ends in the key's
    random part."""
    return key.rpartition("/")[0]


def _key_of_size(key: str, size: str, image: ProcessedImage) -> str:
    return f"{_folder(key)}-{size}/{PurePosixPath(key).stem}{image.extension}"


async def _remove(storage: Storage, key: str) -> None:
    for found in [stored.key async for stored in storage.keys(_folder(key))]:
        await storage.delete(found)


def _may_pass(error: BaseException) -> bool:
    return isinstance(error, StorageError) and error.retryable


async def _slices(content: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(content), _CHUNK):
        yield content[start : start + _CHUNK]
