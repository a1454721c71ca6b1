"""Storing the media files of an import into storage: each file once, each outcome recorded.

An attempt may be killed at any moment, and the next may begin while it still runs. So each attempt
makes keys of its own, and records a file before it stores it: a file that no row uses in the end is
deleted by the clean-up.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, Protocol

from eventimport.media.fetch import Fetcher, host_of
from eventimport.media.image_processes import ImageProcesses
from eventimport.media.sources import ImportFetches, NotMovedError, OpenEntry, Outcome, Sources
from eventimport.media.storing import (
    IMAGES_WITH_SIZES,
    FileRows,
    MediaStorer,
    ReadyFile,
    StoredBytes,
    TransferConfig,
)
from eventimport.storage.protocol import Storage
from eventimport.storage.stored_file import Field, Moved, PlannedFile

__all__ = ["MediaTransfer", "TransferConfig"]

BATCH: Final = 500
"""Files that are read from the database at once."""

BATCH_BYTES: Final = 16 * 1024 * 1024
"""A batch of checked images with more bytes is stored although it has few files."""

LONGEST_WAIT: Final = 1.0
"""Seconds that a batch waits for further files."""


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

    async def settle_moved(self, files: Sequence[tuple[PlannedFile, Moved]]) -> Collection[str]:
        """Record that files are moved: their fields hold the URLs from now on, and other fields of
        their rows those of the sizes, if they are empty. The files are linked with the rows.

        A field that holds something else by now than what the archive said keeps it, and its item
        is recorded as refused. Returns the keys that no field took."""
        ...


@dataclass(frozen=True, slots=True)
class RefusedFiles:
    """Files that are not stored, for one reason."""

    files: Sequence[PlannedFile]
    outcome: Outcome
    detail: str


class Batches:
    """Files that are ready, or refused, until they are settled together."""

    def __init__(self, files: int) -> None:
        self._most = files
        self._waiting: deque[ReadyFile | RefusedFiles] = deque()
        self._bytes = 0
        self._changed = asyncio.Condition()
        self._closed = False

    async def add(self, file: ReadyFile | RefusedFiles) -> None:
        """Add a file, once the bytes that wait leave space for it."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._closed or self._bytes < BATCH_BYTES)
            self._waiting.append(file)
            self._bytes += _size(file)
            self._changed.notify_all()

    async def close(self) -> None:
        """No more files are expected."""
        async with self._changed:
            self._closed = True
            self._changed.notify_all()

    async def take(self) -> Sequence[ReadyFile | RefusedFiles]:
        """The next batch; empty after the last."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._closed or self._waiting)
            with suppress(TimeoutError):
                async with asyncio.timeout(LONGEST_WAIT):
                    await self._changed.wait_for(self._is_full)
            batch = [self._waiting.popleft() for _ in range(min(self._most, len(self._waiting)))]
            self._bytes -= sum(map(_size, batch))
            self._changed.notify_all()
            return batch

    def _is_full(self) -> bool:
        return self._closed or self._bytes >= BATCH_BYTES or len(self._waiting) >= self._most

    def left(self) -> set[str]:
        """The keys of files that are stored, and that no batch will contain."""
        return {
            key
            for file in self._waiting
            if isinstance(file, ReadyFile) and not file.contents
            for key in file.moved.keys
        }


def _size(file: ReadyFile | RefusedFiles) -> int:
    return file.size if isinstance(file, ReadyFile) else 0


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
        so that a slow host does not hold up the others. What the lanes have made ready is stored
        and recorded in batches meanwhile."""
        lanes: dict[str | None, deque[PlannedFile]] = {}
        for file in files:
            host = host_of(file.source) if file.origin == "remote" else None
            lanes.setdefault(host, deque()).append(file)
        batches = Batches(self._config.batch)

        def stop() -> None:
            """The others finish what they have begun: cut off, it would lie unrecorded."""
            for lane in lanes.values():
                lane.clear()

        async def work(host: str | None, waiting: deque[PlannedFile]) -> None:
            while waiting:
                file = waiting.popleft()
                try:
                    refusal = self._fetches.refusal(host) if host is not None else None
                    if refusal is None:
                        await batches.add(await _prepared(storer, file))
                    else:
                        rest = [file, *waiting]
                        waiting.clear()
                        await batches.add(RefusedFiles(rest, refusal.outcome, refusal.detail))
                except BaseException:
                    stop()
                    raise

        async def work_all() -> None:
            per_host = self._config.fetches.at_once_per_host
            workers = (
                work(host, lane)
                for host, lane in lanes.items()
                for _ in range(
                    min(self._config.concurrency if host is None else per_host, len(lane))
                )
            )
            try:
                await _all_ended(*workers)
            finally:
                await batches.close()

        async def settle_all() -> None:
            try:
                while batch := await batches.take():
                    await self._settle(storer, batch)
            except BaseException:
                stop()
                await batches.close()
                raise

        await storer.read_empty_fields(file for file in files if file.last)
        try:
            await _all_ended(work_all(), settle_all())
        finally:
            await storer.give_up(batches.left())

    async def _settle(self, storer: MediaStorer, batch: Sequence[ReadyFile | RefusedFiles]) -> None:
        """Store what is ready and record it, and record why other files are not stored."""
        ready = [file for file in batch if isinstance(file, ReadyFile)]
        if ready:
            try:
                await storer.put(ready)
                unused = await self._records.settle_moved([(one.file, one.moved) for one in ready])
            except BaseException:
                # They may be recorded after all; then nothing is given up.
                await storer.give_up([key for one in ready for key in one.moved.keys])
                raise
            await storer.give_up(unused)
        refused: dict[tuple[Outcome, str], list[PlannedFile]] = {}
        for one in batch:
            if isinstance(one, RefusedFiles):
                refused.setdefault((one.outcome, one.detail), []).extend(one.files)
        for (outcome, detail), files in refused.items():
            ids = [item.id for file in files for item in file.items]
            await self._records.settle(ids, outcome, detail)
        for one in batch:
            for file in one.files if isinstance(one, RefusedFiles) else [one.file]:
                self._done += len(file.items)
                self._show("Storing media files", self._done, self._total)


async def _prepared(storer: MediaStorer, file: PlannedFile) -> ReadyFile | RefusedFiles:
    try:
        return await storer.prepare(file)
    except NotMovedError as error:
        return RefusedFiles([file], error.outcome, error.detail)


async def _all_ended(*steps: Coroutine[Any, Any, None]) -> None:
    """Wait for the end of all, and raise the first error."""
    for result in await asyncio.gather(*steps, return_exceptions=True):
        if result is not None:
            raise result
