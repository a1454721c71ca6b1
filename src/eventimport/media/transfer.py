"""Moving the media of an import into storage: one object at a time, each outcome recorded.

An attempt may be killed at any moment, and the next may begin while it still runs. So an object's
key is written to its item before the object is stored, and each attempt makes keys of its own:
whoever finds a key on an item that is not settled removes what an earlier attempt left there, and
nobody ever removes what a later one has stored.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from eventimport.errors import EventImportError
from eventimport.media.fetch import Fetcher
from eventimport.media.image_processes import ImageProcesses
from eventimport.media.records import MediaRecords, MediaToMove
from eventimport.media.sources import NotMovedError, OpenEntry, Sources
from eventimport.media.storing import (
    IMAGES_WITH_SIZES,
    MediaStorer,
    Moved,
    TransferConfig,
    has_sizes,
)
from eventimport.storage.protocol import Storage

__all__ = ["MediaTransfer", "TransferConfig"]

BATCH: Final = 500
"""So many items are read from the database at once."""


class MediaTransfer:
    """Moves what is still planned of one import's media; made anew for each run."""

    def __init__(
        self,
        records: MediaRecords,
        storage: Storage,
        fetcher: Fetcher,
        images: ImageProcesses,
        config: TransferConfig,
        *,
        other_storages: Sequence[Storage] = (),
        tell: Callable[[str, int, int], None] = lambda _message, _done, _total: None,
    ) -> None:
        """`other_storages` are those that an earlier attempt may have stored to."""
        self._records = records
        self._storage = storage
        self._fetcher = fetcher
        self._images = images
        self._config = config
        self._other_storages = other_storages
        self._tell = tell
        self._done = 0
        self._total = 0

    async def run(self, open_entry: OpenEntry) -> Mapping[str, int]:
        """Move everything; return how many items there are of each outcome.

        `open_entry` is called in a thread, one call at a time; `tell` as `tell("Moving media",
        done, total)` after each item. Raises EventImportError of the records when the attempt is
        over, and StorageError when storage goes on failing: what is settled by then stays so, and
        the next run goes on with the rest.
        """
        counts = await self._records.counts()
        self._total = sum(counts.values())
        self._done = self._total - counts.get("PLANNED", 0)
        with ThreadPoolExecutor(1, "archive") as reader:
            storer = MediaStorer(
                self._records,
                self._storage,
                Sources(open_entry, self._fetcher, reader),
                self._images,
                self._config,
                other_storages=self._other_storages,
            )
            while items := await self._records.planned(BATCH, last=IMAGES_WITH_SIZES):
                # Which sizes the archive has brought is known once its own images are moved.
                await self._move_all(storer, [item for item in items if not has_sizes(item)])
                await self._move_all(storer, [item for item in items if has_sizes(item)])
        return await self._records.counts()

    async def _move_all(self, storer: MediaStorer, items: Sequence[MediaToMove]) -> None:
        waiting = deque(items)

        async def work() -> None:
            while waiting:
                item = waiting.popleft()
                try:
                    await self._move(storer, item)
                except BaseException:
                    # The others finish what they have begun: cut off, it would lie unrecorded.
                    waiting.clear()
                    raise

        workers = (work() for _ in range(min(self._config.concurrency, len(items))))
        for result in await asyncio.gather(*workers, return_exceptions=True):
            if isinstance(result, BaseException):
                raise result

    async def _move(self, storer: MediaStorer, item: MediaToMove) -> None:
        if item.object_key is not None:
            await storer.discard_earlier(item.object_key)
        try:
            moved = await storer.store(item)
        except NotMovedError as error:
            await self._records.settle(item.id, error.outcome, detail=error.detail)
        else:
            await self._record(storer, item, moved)
        self._done += 1
        self._tell("Moving media", self._done, self._total)

    async def _record(self, storer: MediaStorer, item: MediaToMove, moved: Moved) -> None:
        settling = asyncio.create_task(self._settle_moved(item, moved))
        try:
            recorded = await asyncio.shield(settling)
        except asyncio.CancelledError:
            # Cut off, nobody would know whether the object is in use: it might lie there for ever.
            await asyncio.wait([settling])
            if not settling.cancelled():
                error = settling.exception()
                if isinstance(error, EventImportError) or (error is None and not settling.result()):
                    await storer.give_up(moved.key)
            raise
        except EventImportError:
            # Nothing was recorded, for certain; of other errors that is not known, and whoever
            # goes on with this import looks at the item again.
            await storer.give_up(moved.key)
            raise
        if not recorded:
            await storer.discard(moved.key)
            detail = "the field was changed meanwhile, and keeps what it holds"
            await self._records.settle(item.id, "REFUSED", detail=detail)

    async def _settle_moved(self, item: MediaToMove, moved: Moved) -> bool:
        return await self._records.settle(
            item.id,
            "MOVED",
            url=self._storage.public_url(moved.key),
            size=moved.size,
            made={name: self._storage.public_url(key) for name, key in moved.made.items()},
        )
