"""Storing the media files files files files of an import into storage: each file once, each outcome
recorded.

An attempt may be killed at any moment, and the next may begin while it still runs. So each attempt
makes keys of its own, and records a file before it stores it: a file that no row uses in the end is
deleted by the clean-up.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, Protocol

from eventimport.media.fetch import Fetcher, host_of
from eventimport.media.image_processes import ImageProcesses
from eventimport.media.sources import ImportFetches, NotMovedError, OpenEntry, Outcome, Sources
from eventimport.media.storing import (
    IMAGES_WITH_SIZES,
    FileRows,
    MediaStorer,
    StoredBytes,
    TransferConfig,
)
from eventimport.storage.protocol import Storage
from eventimport.storage.stored_file import Field, Moved, PlannedFile

__all__ = ["MediaTransfer", "TransferConfig"]

BATCH: Final = 500
"""Files that are read from the database at once."""


CHANGED: Final = "the field was changed during the import and keeps its new value"


class MediaRecords(FileRows, Protocol):
    """The media of one import, on behalf of one attempt at it.

    `reserve`, `settle` and `settle_moved` are transactions. They raise EventImportError if the
    attempt does not count any more, and have changed nothing then.
    """

    async def planned(self, limit: int, *, last: Collection[Field]) -> Sequence[PlannedFile]:
        """The next files that are not settled; those that a field of `last` refers to, last."""
        ...

    async def counts(self) -> Mapping[str, int]:
        """How many items there are of each outcome, `PLANNED` included."""
        ...

    async def stored_bytes(self) -> int:
        """The size of all files that the import has stored."""
        ...

    async def settle(self, ids: Collection[int], outcome: str, detail: str) -> None:
        """Record why the file of these items is not moved."""
        ...

    async def settle_moved(self, event_id: int, ids: Collection[int], moved: Moved) -> bool:
        """Record that the file of these items is moved: their fields hold its URL from now on, and
        other fields of their rows those of its sizes, if they are empty. The files are linked with
        the rows.

        A field that holds something else by now than what the archive said keeps it, and its item
        is recorded as refused. False, and nothing is changed, if no field takes the URL."""
        ...


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
        show: Callable[[str, int, int], None] = lambda _message, _done, _total: None,
    ) -> None:
        self._records = records
        self._storage = storage
        self._images = images
        self._config = config
        self._show = show
        self._fetches = ImportFetches(fetcher, config.fetches)
        self._done = 0
        self._total = 0

    async def run(self, open_entry: OpenEntry) -> Mapping[str, int]:
        """Move everything; return how many items there are of each outcome.

        `open_entry` is called in a thread, one call at a time; `show` as `show("Storing media
        files", done, total)` after each item. Raises EventImportError of the records when the
        attempt is over, and StorageError when storage goes on failing: what is settled by then
        stays so, and the next run goes on with the rest.
        """
        counts = await self._records.counts()
        self._total = sum(counts.values())
        self._done = self._total - counts.get("PLANNED", 0)
        with ThreadPoolExecutor(1, "archive") as reader:
            storer = MediaStorer(
                self._records,
                self._storage,
                Sources(open_entry, self._fetches, reader),
                self._images,
                self._config,
                stored_bytes=StoredBytes(
                    self._config.max_stored_bytes, await self._records.stored_bytes()
                ),
            )
            while files := await self._records.planned(BATCH, last=IMAGES_WITH_SIZES):
                # Which sizes the archive has brought is known once its own images are moved.
                await self._move_all(storer, [file for file in files if not file.last])
                await self._move_all(storer, [file for file in files if file.last])
        return await self._records.counts()

    async def _move_all(self, storer: MediaStorer, files: Sequence[PlannedFile]) -> None:
        """Files of the archive and links at the same time; links of each host in their own lanes,
        so that a slow host does not hold up the others."""
        lanes: dict[str | None, deque[PlannedFile]] = {}
        for file in files:
            host = host_of(file.source) if file.origin == "remote" else None
            lanes.setdefault(host, deque()).append(file)

        async def work(host: str | None, waiting: deque[PlannedFile]) -> None:
            while waiting:
                file = waiting.popleft()
                try:
                    refusal = self._fetches.refusal(host) if host is not None else None
                    if refusal is None:
                        await self._move(storer, file)
                    else:
                        rest = [file, *waiting]
                        waiting.clear()
                        await self._settle(rest, refusal.outcome, refusal.detail)
                except BaseException:
                    # The others finish what they have begun: cut off, it would lie unrecorded.
                    for lane in lanes.values():
                        lane.clear()
                    raise

        per_host = self._config.fetches.at_once_per_host
        workers = (
            work(host, lane)
            for host, lane in lanes.items()
            for _ in range(min(self._config.concurrency if host is None else per_host, len(lane)))
        )
        for result in await asyncio.gather(*workers, return_exceptions=True):
            if isinstance(result, BaseException):
                raise result

    async def _move(self, storer: MediaStorer, file: PlannedFile) -> None:
        try:
            moved = await storer.store(file)
        except NotMovedError as error:
            await self._settle([file], error.outcome, error.detail)
        else:
            await self._record(storer, file, moved)
            self._count([file])

    async def _settle(self, files: Sequence[PlannedFile], outcome: Outcome, detail: str) -> None:
        """Record why files are not moved, all of them for the same reason."""
        await self._records.settle(
            [item.id for file in files for item in file.items], outcome, detail
        )
        self._count(files)

    def _count(self, files: Sequence[PlannedFile]) -> None:
        self._done += sum(len(file.items) for file in files)
        self._show("Storing media files", self._done, self._total)

    async def _record(self, storer: MediaStorer, file: PlannedFile, moved: Moved) -> None:
        try:
            recorded = await self._records.settle_moved(file.event_id, _ids(file), moved)
        except BaseException:
            # It may be recorded after all; then nothing is given up.
            await storer.give_up(moved.keys)
            raise
        if not recorded:
            await storer.give_up(moved.keys)
            await self._records.settle(_ids(file), "REFUSED", CHANGED)


def _ids(file: PlannedFile) -> Sequence[int]:
    return [item.id for item in file.items]
