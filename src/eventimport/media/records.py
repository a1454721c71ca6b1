"""What the transfer of media asks of the database."""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from eventimport.storage.stored_file import Field, Moved


class MediaItem(Protocol):
    """A field of a row that refers to a media file, with the columns of `media_items`."""

    @property
    def id(self) -> int: ...
    @property
    def table_name(self) -> str: ...
    @property
    def row_id(self) -> int: ...
    @property
    def field(self) -> str: ...


class FileToMove(Protocol):
    """A file that is not settled, and all items that refer to it: it is stored once.

    `source` is the link, or the reference as the archive spells it; `entry` is the archive's entry.
    """

    @property
    def event_id(self) -> int: ...
    @property
    def source(self) -> str: ...
    @property
    def origin(self) -> str: ...
    @property
    def is_image(self) -> bool: ...
    @property
    def entry(self) -> str | None: ...
    @property
    def items(self) -> Sequence[MediaItem]: ...
    @property
    def last(self) -> bool: ...


class FileRows(Protocol):
    """The rows of files that are being stored, on behalf of one attempt at a task.

    `reserve` raises EventImportError, and has changed nothing then, if the attempt does not count
    any more."""

    async def empty_fields(
        self, table: str, row_ids: Collection[int], fields: Collection[str]
    ) -> Collection[str]:
        """Those of the fields in which at least one of the rows holds nothing."""
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


class MediaRecords(FileRows, Protocol):
    """The media of one import, on behalf of one attempt at it.

    `reserve`, `settle` and `settle_moved` are transactions. They raise EventImportError if the
    attempt does not count any more, and have changed nothing then.
    """

    async def planned(self, limit: int, *, last: Collection[Field]) -> Sequence[FileToMove]:
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
