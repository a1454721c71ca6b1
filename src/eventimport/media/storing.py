"""Storing one media file of an import: from its source to its object, and to its sizes."""

import asyncio
import logging
import mimetypes
from collections import deque
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Collection,
    Iterable,
    Mapping,
)
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import dataclass, field
from functools import partial
from pathlib import PurePosixPath
from typing import Final, Protocol, TypeVar

import httpx
from tenacity import (
    AsyncRetrying,
    retry_if_exception,
    stop_after_attempt,
    wait_exponential,
    wait_random,
)

from eventimport.errors import size_in_words
from eventimport.media.image_metadata import without_metadata
from eventimport.media.image_processes import ImageProcesses
from eventimport.media.images import (
    ImageInfo,
    ImageLimits,
    ImageRefusedError,
    ImageSize,
    ImageSizes,
    ProcessedImage,
)
from eventimport.media.sources import (
    ImportFetchLimits,
    NotMovedError,
    Outcome,
    Source,
    Sources,
    without_pages,
)
from eventimport.storage.content_types import OCTET_STREAM, content_type_of
from eventimport.storage.keys import PRIVATE_PREFIX, media_key, safe_name
from eventimport.storage.protocol import Storage, StorageError
from eventimport.storage.stored_file import Field, Moved, PlannedFile, StoredFile

_EVENT_IMAGE: Final = ("events", "original_image_url")
_SPEAKER_IMAGE: Final = ("speakers", "photo_url")
IMAGES_WITH_SIZES: Final = (_EVENT_IMAGE, _SPEAKER_IMAGE)
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
# Without the machine's own tables, so that two machines give one name.
_EXTENSIONS: Final = mimetypes.MimeTypes(filenames=())
_CHUNK: Final = 1024 * 1024
_T = TypeVar("_T")

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferConfig:
    """`concurrency` files of the archive are read at once; `batch` files are stored and recorded
    together. `max_bytes` bounds each file, and `max_stored_bytes` all that one import stores. What
    storage refuses for now is tried `storage_attempts` times, after `storage_wait` seconds, then
    twice that, …"""

    concurrency: int = 4
    batch: int = 32
    max_bytes: int = 512 * 1024 * 1024
    max_stored_bytes: int = 4 * 1024 * 1024 * 1024
    fetches: ImportFetchLimits = field(default_factory=ImportFetchLimits)
    image_limits: ImageLimits = field(default_factory=ImageLimits)
    image_sizes: ImageSizes = field(default_factory=ImageSizes)
    keep_image_metadata: bool = False
    storage_attempts: int = 4
    storage_wait: float = 0.5


class FileRows(Protocol):
    """The rows of files that are being stored, on behalf of one attempt at a task.

    `reserve` raises EventImportError, and has changed nothing then, if the attempt does not count
    any more."""

    async def empty_fields(
        self, table: str, row_ids: Collection[int], fields: Collection[str]
    ) -> Mapping[int, Collection[str]]:
        """For each row, those of the fields in which it holds nothing."""
        ...

    async def reserve(self, storage: str, keys: Collection[str]) -> None:
        """Record the files that are going to be stored under these keys."""
        ...

    async def give_up(self, storage: str, keys: Collection[str]) -> Collection[str]:
        """Mark those of the files for deletion that no row uses; returns their keys. None are
        returned if the database is unavailable: then they are left to the clean-up."""
        ...

    async def forget(self, storage: str, keys: Collection[str]) -> None:
        """Record that files that were given up are deleted."""
        ...


class StoredBytes:
    """How many bytes an import has stored. Once they exceed the limit, nothing more is stored."""

    def __init__(self, limit: int, used: int) -> None:
        self._limit = limit
        self._used = used
        self._exceeded = used >= limit

    def check(self) -> None:
        """Raise NotMovedError if the limit was exceeded before."""
        if self._exceeded:
            raise NotMovedError(
                "TOO_LARGE",
                "the media files of the import exceed"
                f" {size_in_words(self._limit)} in total. The limit is set by"
                " MAX_STORED_BYTES_PER_IMPORT",
            )

    def add(self, size: int) -> None:
        """Count bytes before they are stored. Raises NotMovedError if they are too many."""
        if self._used + size > self._limit:
            self._exceeded = True
        self.check()
        self._used += size

    def give_back(self, size: int) -> None:
        """Bytes that were counted were not stored, or were deleted again."""
        self._used -= size


@dataclass(frozen=True, slots=True)
class ReadyFile:
    """A file that is fit. `contents` are what is still to be stored, with their types, by key: a
    checked image and its sizes. A streamed file is stored already."""

    file: PlannedFile
    moved: Moved
    contents: Mapping[str, tuple[bytes, str]] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """The bytes that are still to be stored."""
        return sum(len(content) for content, _ in self.contents.values())


class MediaStorer:
    """Stores files that it has recorded before. A file that is not fit raises NotMovedError, and
    storage that goes on failing StorageError."""

    def __init__(
        self,
        records: FileRows,
        storage: Storage,
        sources: Sources,
        images: ImageProcesses,
        config: TransferConfig,
        *,
        stored_bytes: StoredBytes,
    ) -> None:
        self._records = records
        self._storage = storage
        self._sources = sources
        self._images = images
        self._config = config
        self._bytes = stored_bytes
        self._empty: dict[tuple[str, int], Collection[str]] = {}

    async def read_empty_fields(self, files: Iterable[PlannedFile]) -> None:
        """Find out which sizes the rows of these files lack, before the files are prepared."""
        rows: dict[Field, set[int]] = {}
        for file in files:
            for item in file.items:
                rows.setdefault((item.table_name, item.field), set()).add(item.row_id)
        for place in IMAGES_WITH_SIZES:
            if place in rows:
                table, fields = place[0], [_field_of_size(name) for name in self._sizes_of(place)]
                empty = await self._records.empty_fields(table, rows[place], fields)
                self._empty |= {(table, row_id): names for row_id, names in empty.items()}

    async def prepare(self, file: PlannedFile) -> ReadyFile:
        """Check an image and make the sizes that its rows lack; store any other file. If it raises,
        nothing is left behind."""
        self._bytes.check()
        if file.is_image:
            return await self._prepare_image(file)
        return ReadyFile(file, await self._store_file(file))

    async def put(self, files: Iterable[ReadyFile]) -> None:
        """Store what is still to be stored of the files, and record it before. If it raises, the
        caller gives up all keys of the files."""
        contents = {key: value for file in files for key, value in file.contents.items()}
        if contents:
            await self._put_all(contents)

    async def _store_file(self, file: PlannedFile) -> Moved:
        """As a stream, from the source right into storage."""
        reserved: list[str] = []

        async def store() -> Moved:
            async with _open(self._sources, file, self._config.max_bytes) as source:
                if not reserved:
                    reserved.append(_new_key(file, _name(file, source.content_type, source.name)))
                    await self._records.reserve(self._storage.name, reserved)
                key = reserved[0]
                chunks = source.chunks if file.origin != "remote" else without_pages(source)
                size = await self._put_stream(key, chunks)
                return Moved(self._storage.name, self._stored(key, size))

        try:
            return await self._with_retries(store)
        except BaseException:
            await self.give_up(reserved)
            raise

    async def _put_stream(self, key: str, chunks: AsyncGenerator[bytes]) -> int:
        size = 0

        async def counted() -> AsyncGenerator[bytes]:
            nonlocal size
            async with aclosing(chunks):
                async for chunk in chunks:
                    self._bytes.add(len(chunk))
                    size += len(chunk)
                    yield chunk

        try:
            async with aclosing(counted()) as passing:
                await self._storage.put(key, passing, content_type=content_type_of(key))
        except BaseException:
            self._bytes.give_back(size)
            raise
        return size

    async def _prepare_image(self, file: PlannedFile) -> ReadyFile:
        """In whole, once it is known to be an image; its sizes along with it."""
        content, server_name = await self.read_image(file)
        sizes = self._sizes_wanted(file)
        info, made = await self._check(content, sizes)
        if not self._config.keep_image_metadata:
            # Copying a large image would hold the event loop.
            content = await asyncio.to_thread(without_metadata, content)
        self._bytes.add(len(content) + sum(len(image.data) for image in made.values()))
        name = with_extension(_name(file, "", server_name), info.content_type, info.extension)
        drawing = made.pop("", None)
        key = _new_key(file, name + drawing.extension if drawing else name)
        original = f"{PRIVATE_PREFIX}{_folder(key)}/{safe_name(name)}" if drawing else key
        keys = {name: _key_of_size(key, name, image) for name, image in made.items()}
        # The original of a drawing may contain scripts: it is kept, and never served.
        contents = {original: (content, info.content_type)}
        if drawing is not None:
            contents[key] = drawing.data, drawing.content_type
        for name, image in made.items():
            contents[keys[name]] = image.data, image.content_type
        files = {name: self._stored(keys[name], len(image.data)) for name, image in made.items()}
        moved = Moved(
            self._storage.name,
            self._stored(key, len(drawing.data if drawing else content)),
            {
                place: {_field_of_size(name): files[_made_name(place, name)] for name in wanted}
                for place, wanted in sizes.items()
            },
            info.repair,
            {original: len(content)} if drawing else {},
        )
        return ReadyFile(file, moved, contents)

    async def read_image(self, file: PlannedFile) -> tuple[bytes, str]:
        """The image's bytes, and its name as the server says it."""
        async with _open(self._sources, file, self._config.image_limits.max_bytes) as source:
            return b"".join([chunk async for chunk in source.chunks]), source.name

    async def store_sizes(self, file: PlannedFile, content: bytes) -> Mapping[str, StoredFile]:
        """Store the sizes that an image's row lacks, by the row's fields, but not the image."""
        await self.read_empty_fields([file])
        sizes = self._sizes_wanted(file)
        _, made = await self._check(content, sizes)
        made.pop("", None)
        size = sum(len(image.data) for image in made.values())
        self._bytes.add(size)
        try:
            key = _new_key(file, _name(file, "", ""))
            keys = {name: _key_of_size(key, name, image) for name, image in made.items()}
            await self._put_all(
                {keys[name]: (image.data, image.content_type) for name, image in made.items()}
            )
        except BaseException:
            self._bytes.give_back(size)
            await self.give_up(keys.values())
            raise
        return {
            _field_of_size(name): self._stored(keys[made_name], len(made[made_name].data))
            for place, wanted in sizes.items()
            for name in wanted
            for made_name in (_made_name(place, name),)
        }

    async def _check(
        self, content: bytes, sizes: Mapping[Field, Mapping[str, ImageSize]]
    ) -> tuple[ImageInfo, dict[str, ProcessedImage]]:
        try:
            return await self._images.check(content, self._config.image_limits, _by_name(sizes))
        except ImageRefusedError as error:
            outcome = _IMAGE_OUTCOMES.get(error.code, "NOT_AN_IMAGE")
            raise NotMovedError(outcome, str(error)) from error

    async def _put_all(self, contents: Mapping[str, tuple[bytes, str]]) -> None:
        """Record contents with their types, by key, and store them."""
        await self._records.reserve(self._storage.name, contents)
        waiting = deque(contents.items())

        async def put() -> None:
            while waiting:
                key, (content, content_type) = waiting.popleft()
                try:
                    await self._put(key, content, content_type)
                except BaseException:
                    waiting.clear()
                    raise

        results = await asyncio.gather(
            *(put() for _ in range(min(self._config.batch, len(contents)))), return_exceptions=True
        )
        for result in results:
            if result is not None:
                raise result

    def _sizes_wanted(self, file: PlannedFile) -> Mapping[Field, Mapping[str, ImageSize]]:
        """For each field that the file is for, the sizes that at least one of its rows lacks."""
        wanted: dict[Field, dict[str, ImageSize]] = {}
        for item in file.items:
            place = (item.table_name, item.field)
            if place in IMAGES_WITH_SIZES:
                empty = self._empty.get((item.table_name, item.row_id), ())
                wanted.setdefault(place, {}).update(
                    (name, size)
                    for name, size in self._sizes_of(place).items()
                    if _field_of_size(name) in empty
                )
        return wanted

    def _sizes_of(self, place: Field) -> Mapping[str, ImageSize]:
        sizes = self._config.image_sizes
        return sizes.speaker if place == _SPEAKER_IMAGE else sizes.event

    def _stored(self, key: str, size: int) -> StoredFile:
        return StoredFile(key, self._storage.public_url(key), size)

    async def _put(self, key: str, content: bytes, content_type: str) -> None:
        async def put() -> None:
            await self._storage.put(key, _slices(content), content_type=content_type)

        await self._with_retries(put)

    async def give_up(self, keys: Collection[str]) -> None:
        """Delete files that no row uses. What can't be deleted now is left to the clean-up."""
        if keys:
            await asyncio.shield(asyncio.ensure_future(self._give_up(keys)))

    async def _give_up(self, keys: Collection[str]) -> None:
        unused = await self._records.give_up(self._storage.name, keys)
        try:
            for key in unused:
                await self._with_retries(partial(self._storage.delete, key))
        except StorageError:
            logger.warning("the clean-up deletes the remaining files: %s", unused, exc_info=True)
        else:
            await self._records.forget(self._storage.name, unused)

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
    sources: Sources, file: PlannedFile, max_bytes: int
) -> AbstractAsyncContextManager[Source]:
    if file.origin == "remote":
        return sources.link(file.source, max_bytes)
    if file.origin == "inline":
        return sources.inline(file.source, max_bytes)
    if file.entry is None:
        raise NotMovedError("MISSING", "the archive does not contain this file")
    return sources.entry(file.entry, max_bytes)


def _name(file: PlannedFile, content_type: str, server_name: str) -> str:
    if file.origin == "remote":
        return link_name(file.source, content_type, server_name)
    if file.origin == "inline":
        return inline_name(content_type)
    return entry_name(file.entry or file.source)


def entry_name(source: str) -> str:
    """The name of a file of the archive; `storage.keys.safe_name` is still to be applied."""
    return source.replace("\\", "/").rpartition("/")[2]


def link_name(source: str, content_type: str, server_name: str = "") -> str:
    """The name of a file behind a link: the one that the server says, else the last part of the
    link's path. It gets an extension after the content type if its own says nothing."""
    name = entry_name(server_name) or httpx.URL(source).path.rpartition("/")[2]
    if content_type_of(name) == OCTET_STREAM and content_type:
        name += _EXTENSIONS.guess_extension(content_type) or ""
    return name


def inline_name(content_type: str) -> str:
    """The name of a file that has none, after its type."""
    return "file" + (_EXTENSIONS.guess_extension(content_type) or "")


def with_extension(name: str, content_type: str, extension: str) -> str:
    """The name, with the extension added where its own stands for another type."""
    return name if content_type_of(name) == content_type else (name or "file") + extension


def _made_name(place: Field, size: str) -> str:
    """A size's name in keys: an event's thumbnail is not that of a speaker."""
    return f"event{size}" if place == _EVENT_IMAGE else size


def _by_name(sizes: Mapping[Field, Mapping[str, ImageSize]]) -> Mapping[str, ImageSize]:
    return {
        _made_name(place, name): size
        for place, wanted in sizes.items()
        for name, size in wanted.items()
    }


def _field_of_size(name: str) -> str:
    return f"{name}_image_url"


def _new_key(file: PlannedFile, name: str) -> str:
    item = file.items[0]
    return media_key(file.event_id, item.table_name, item.row_id, item.field, name)


def _key_of_size(key: str, size: str, image: ProcessedImage) -> str:
    return f"{_folder(key)}-{size}/{PurePosixPath(key).stem}{image.extension}"


def _folder(key: str) -> str:
    return key.rpartition("/")[0]


def _may_pass(error: BaseException) -> bool:
    return isinstance(error, StorageError) and error.retryable


async def _slices(content: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(content), _CHUNK):
        yield content[start : start + _CHUNK]
