"""Media files of rows: which are to be stored, and which were."""

from collections.abc import Mapping
from dataclasses import dataclass, field

Field = tuple[str, str]
"""A table, and one of its columns that holds the URL of a media file."""


@dataclass(frozen=True, slots=True)
class PlannedItem:
    """A field of a row that refers to a media file which is still to be stored."""

    id: int
    table_name: str
    row_id: int
    field: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedFile:
    """A file that planned items of one event refer to. It is stored once, after the others if it is
    `last`. `source` is the link, or the reference as the archive spells it; `entry` is the
    archive's entry."""

    event_id: int
    source: str
    origin: str
    is_image: bool
    entry: str | None
    items: tuple[PlannedItem, ...]
    last: bool


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A stored file, and its size in bytes."""

    key: str
    url: str
    size: int


@dataclass(frozen=True, slots=True)
class Moved:
    """A media file, and the sizes made of an image: for each field that the file is for, those by
    the row's other fields. All of them are in one storage. `detail` says what is odd about the
    file. `private` are files without a URL that belong to it, with their sizes in bytes."""

    storage: str
    file: StoredFile
    made: Mapping[Field, Mapping[str, StoredFile]] = field(default_factory=dict)
    detail: str | None = None
    private: Mapping[str, int] = field(default_factory=dict)

    @property
    def keys(self) -> set[str]:
        """The keys of all files."""
        sizes = {size.key for sizes in self.made.values() for size in sizes.values()}
        return {self.file.key, *self.private} | sizes
