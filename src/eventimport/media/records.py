"""What the transfer of media asks of the database."""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol


class MediaToMove(Protocol):
    """An item that is not settled, with the columns of `media_items`. `object_key` is what an
    earlier attempt, which did not end, has reserved."""

    @property
    def id(self) -> int: ...
    @property
    def event_id(self) -> int: ...
    @property
    def table_name(self) -> str: ...
    @property
    def row_id(self) -> int: ...
    @property
    def field(self) -> str: ...
    @property
    def source(self) -> str: ...
    @property
    def origin(self) -> str: ...
    @property
    def media_type(self) -> str: ...
    @property
    def entry(self) -> str | None: ...
    @property
    def object_key(self) -> str | None: ...


class MediaRecords(Protocol):
    """The media of one import, on behalf of one attempt at it.

    `reserve` and `settle` are transactions. They raise EventImportError where the attempt does not
    count any more, and have changed nothing then.
    """

    async def planned(
        self, limit: int, *, last: Collection[tuple[str, str]]
    ) -> Sequence[MediaToMove]:
        """The next items that are not settled; those of the (table, field) pairs `last` last."""
        ...

    async def counts(self) -> Mapping[str, int]:
        """How many items there are of each outcome, `PLANNED` included."""
        ...

    async def empty_fields(
        self, table: str, row_id: int, fields: Collection[str]
    ) -> Collection[str]:
        """Those of the fields in which the row holds nothing."""
        ...

    async def reserve(self, item_id: int, key: str) -> None:
        """Write to the item the key of the object that is going to be stored."""
        ...

    async def settle(
        self,
        item_id: int,
        outcome: str,
        *,
        detail: str | None = None,
        url: str | None = None,
        size: int | None = None,
        made: Mapping[str, str] | None = None,
    ) -> bool:
        """Record the outcome. With `url`, the item's field holds it from now on, and each field of
        `made` its own URL, where it is empty. False, and nothing is changed, where the item's field
        holds something else by now than what the archive said, or the item is gone."""
        ...
