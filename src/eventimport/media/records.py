"""What the transfer of media asks of the database."""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

Field = tuple[str, str]
"""A table, and one of its columns that holds the URL of a media file."""


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
    `earlier_keys` are those that an earlier attempt, which did not end, has reserved.
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
    @property
    def earlier_keys(self) -> Collection[str]: ...


class MediaRecords(Protocol):
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

    async def empty_fields(
        self, table: str, row_ids: Collection[int], fields: Collection[str]
    ) -> Collection[str]:
        """Those of the fields in which at least one of the rows holds nothing."""
        ...

    async def reserve(self, ids: Collection[int], key: str) -> None:
        """Write to the items the key of the object that is going to be stored."""
        ...

    async def settle(self, ids: Collection[int], outcome: str, detail: str) -> None:
        """Record why the file of these items is not moved."""
        ...

    async def settle_moved(
        self,
        event_id: int,
        ids: Collection[int],
        url: str,
        size: int,
        *,
        made: Mapping[Field, Mapping[str, str]],
        detail: str | None = None,
    ) -> bool:
        """Record that the file of these items is moved: their fields hold `url` from now on.

        `made` holds, for a field, the URLs for other fields of its row, which get them if they are
        empty.

        A field that holds something else by now than what the archive said keeps it, and its item
        is recorded as refused. False, and nothing is changed, if no field takes the URL."""
        ...
