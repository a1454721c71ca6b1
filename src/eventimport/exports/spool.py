"""An event's records in a temporary file, from which writers read them as often as they like.

They are read in one snapshot: the file is that of one moment, and the transaction ends before a
slow writer, or a slow storage, makes it wait. The file is unlinked from the beginning, so that it
goes away with the process.
"""

import asyncio
import pickle
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from datetime import tzinfo
from functools import cached_property, lru_cache
from itertools import islice
from typing import Any, Final
from urllib.parse import unquote

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from eventimport.conference.conference import Record, Reference
from eventimport.conference.kinds import IMPORT_ORDER, LEVELS, SHAPES, Kind
from eventimport.conference.report import Check, go_on
from eventimport.conference.stored import zone_of
from eventimport.database.conference_reader import (
    BatchLimits,
    Selection,
    read_batches,
    read_links,
    snapshot,
)
from eventimport.database.event_versions import event_revision
from eventimport.database.export_jobs import kept_objects
from eventimport.storage.factory import StorageSet

BATCH: Final = BatchLimits(max_rows=2_000, max_bytes=2 * 1024 * 1024)
CACHE_KIB: Final = 2048
PACKED: Final = 50
"""Records that are written, and read, as one."""

KNOWN_NAMES: Final = 2_000
REFERRED_TO: Final = frozenset(ref.kind for ref in LEVELS[Kind.SESSION].references)
KINDS: Final = tuple(level.kind for level in IMPORT_ORDER)
_REFERENCES: Final = [
    (ref.field, ref.column, ref.kind, ref.many) for ref in LEVELS[Kind.SESSION].references
]

StoredFileAt = tuple[str, str]
"""The name of a storage, and a key."""

_TABLES: Final = """
    CREATE TABLE records (kind INTEGER, position INTEGER, content BLOB,
        PRIMARY KEY (kind, position));
    CREATE TABLE links (session_id INTEGER, speaker_id INTEGER,
        PRIMARY KEY (session_id, speaker_id)) WITHOUT ROWID;
    CREATE TABLE names (id INTEGER, kind INTEGER, key TEXT, label TEXT,
        PRIMARY KEY (id, kind)) WITHOUT ROWID;
    CREATE TABLE media (url TEXT PRIMARY KEY, storage TEXT, key TEXT) WITHOUT ROWID;
"""


class Spool:
    """A stored conference on disk. `check` is called for each record that is read, and raises an
    exception if the work must stop; `on_record` gets the kind, and how many of its records were
    read. Threads may use it in turns."""

    def __init__(self, check: Check = go_on) -> None:
        # Without a name, SQLite's file is deleted as soon as it is open.
        self._file = sqlite3.connect("", check_same_thread=False, isolation_level=None)
        self._file.executescript(
            f"PRAGMA cache_size = -{CACHE_KIB}; PRAGMA journal_mode = OFF;"
            f"PRAGMA synchronous = OFF; PRAGMA temp_store = FILE; {_TABLES}"
        )
        self._counts = dict.fromkeys(KINDS, 0)
        self._named = lru_cache(KNOWN_NAMES)(self._find_name)
        self._check = check
        self.on_record: Callable[[Kind, int], None] = lambda _kind, _count: None

    def close(self) -> None:
        """Delete the file."""
        self._file.close()

    def add(self, kind: Kind, records: Iterable[Record]) -> None:
        """Add records of a kind, in the order of their ids."""
        number = KINDS.index(kind)
        label = LEVELS[kind].label
        rows, names = [], []
        waiting = iter(records)
        while batch := list(islice(waiting, PACKED)):
            # Together they are smaller: the names of their fields are in it once.
            content = [
                (each.index, each.key, each.values, each.extra, each.new_id, each.foreign_keys)
                for each in batch
            ]
            rows.append((number, self._counts[kind], pickle.dumps(content, -1)))
            if kind in REFERRED_TO:
                names += [(each.new_id, number, each.key, each.values.get(label)) for each in batch]
            self._counts[kind] += len(batch)
        self._file.executemany("INSERT INTO records VALUES (?, ?, ?)", rows)
        self._file.executemany("INSERT INTO names VALUES (?, ?, ?, ?)", names)

    def add_links(self, links: Iterable[tuple[int, int]]) -> None:
        """Add links of sessions with speakers."""
        self._file.executemany("INSERT INTO links VALUES (?, ?)", links)

    def add_media(self, files: Mapping[str, StoredFileAt]) -> None:
        """Add stored files by their URLs."""
        rows = [(url, storage, key) for url, (storage, key) in files.items()]
        self._file.executemany("INSERT OR IGNORE INTO media VALUES (?, ?, ?)", rows)

    def file_at(self, url: str) -> StoredFileAt | None:
        """Where the file with this URL is stored; None if the URL is a link to another site."""
        found = self._file.execute("SELECT storage, key FROM media WHERE url = ?", (url,))
        row: StoredFileAt | None = found.fetchone()
        return row

    @cached_property
    def event(self) -> Record:
        """The event itself."""
        return next(self.records(Kind.EVENT))

    @cached_property
    def zone(self) -> tzinfo:
        """The event's time zone."""
        return zone_of(self.event)

    def records(self, kind: Kind) -> Iterator[Record]:
        """The records of a kind."""
        statement = "SELECT content FROM records WHERE kind = ? ORDER BY position"
        rows = self._file.execute(statement, (KINDS.index(kind),))
        speakers = self._speakers() if kind is Kind.SESSION else None
        done = 0
        for (packed,) in rows:
            # The spool's own content, in a file without a name.
            for index, key, values, extra, new_id, keys in pickle.loads(packed):  # noqa: S301
                done += 1
                self._check()
                self.on_record(kind, done)
                record = Record(index, key, values, extra, {}, new_id, keys)
                if speakers is not None:
                    self._refer(record, speakers(new_id))
                yield record

    def keys(self, kind: Kind) -> Iterator[str | None]:
        """The source ids of a kind that sessions refer to."""
        statement = "SELECT key FROM names WHERE kind = ? ORDER BY id"
        for (key,) in self._file.execute(statement, (KINDS.index(kind),)):
            yield key

    def _refer(self, session: Record, speakers: list[int]) -> None:
        """Set the references of a session. What is not in the spool is not referred to."""
        named, keys = self._named, session.foreign_keys
        for field, column, kind, many in _REFERENCES:
            if many:
                found = [named(kind, number) for number in speakers]
                given = tuple(reference for reference in found if reference is not None)
            else:
                number = keys.get(column)
                one = None if number is None else named(kind, number)
                given = () if one is None else (one,)
                if one is None:
                    keys.pop(column, None)
            if given:
                session.references[field] = given

    def _speakers(self) -> Callable[[int], list[int]]:
        """What returns the ids of a session's speakers; call it for the sessions in order."""
        links = self.links()
        link = next(links, None)

        def speakers_of(session_id: int) -> list[int]:
            nonlocal link
            found = []
            while link is not None and link[0] <= session_id:
                if link[0] == session_id:
                    found.append(link[1])
                link = next(links, None)
            return found

        return speakers_of

    def _find_name(self, kind: Kind, number: int) -> Reference | None:
        statement = "SELECT key, label FROM names WHERE id = ? AND kind = ?"
        row = self._file.execute(statement, (number, KINDS.index(kind))).fetchone()
        return None if row is None else Reference(kind, *row)

    def links(self) -> Iterator[tuple[int, int]]:
        """The links of sessions with speakers."""
        yield from self._file.execute("SELECT * FROM links ORDER BY session_id, speaker_id")

    def count(self, kind: Kind) -> int:
        """The number of records of a kind."""
        return self._counts[kind]


async def spool_event(
    engine: AsyncEngine,
    storages: StorageSet,
    event_id: int,
    spool: Spool,
    *,
    selection: Selection = Selection(),  # noqa: B008 - frozen
    beside: Callable[[AsyncConnection], Any] | None = None,
) -> tuple[int, Any] | None:
    """Read an event into the spool, as it is at one moment. Returns its revision, and what `beside`
    returns on the same snapshot. None if the event is gone."""
    places = _Places(storages)
    async with snapshot(engine) as connection:
        revision = await event_revision(connection, event_id)
        if revision is None:
            return None
        other = await beside(connection) if beside is not None else None
        for kind in KINDS:
            batches = read_batches(
                connection, event_id, kind, selection, limits=BATCH, with_references=False
            )
            await _add(connection, spool, kind, batches, places)
        links = []
        async for link in read_links(connection, event_id, selection, limits=BATCH):
            links.append(link)
            if len(links) == BATCH.max_rows:
                spool.add_links(links)
                links = []
        spool.add_links(links)
    return (revision, other) if spool.count(Kind.EVENT) else None


async def _add(
    connection: AsyncConnection,
    spool: Spool,
    kind: Kind,
    batches: AsyncIterator[Iterator[Record]],
    places: "_Places",
) -> None:
    """Add batches, each while the next is read."""

    def add(batch: Iterator[Record]) -> dict[str, StoredFileAt]:
        records = list(batch)
        spool.add(kind, records)
        return places.of_media(kind, records)

    async def settle(adding: asyncio.Task[dict[str, StoredFileAt]]) -> None:
        possible = await adding
        if possible:
            kept = await kept_objects(connection, set(possible.values()))
            spool.add_media({url: at for url, at in possible.items() if at in kept})

    adding: asyncio.Task[dict[str, StoredFileAt]] | None = None
    try:
        async for batch in batches:
            if adding is not None:
                await settle(adding)
            adding = asyncio.create_task(asyncio.to_thread(add, batch))
        if adding is not None:
            await settle(adding)
    finally:
        if adding is not None and not adding.done():
            # The thread must not write into a closed spool.
            await asyncio.shield(asyncio.wait([adding]))


class _Places:
    """Where files are stored, by their URLs."""

    def __init__(self, storages: StorageSet) -> None:
        self._storages = {name: storages.get(name) for name in storages.names}
        self._bases = {
            name: storage.public_url("x").removesuffix("x")
            for name, storage in self._storages.items()
        }

    def of_media(self, kind: Kind, records: Iterable[Record]) -> dict[str, StoredFileAt]:
        """Where the media files of records would be, by their URLs."""
        urls = (
            url
            for name in SHAPES[kind].media
            for record in records
            if (url := record.values.get(name)) is not None
        )
        return {url: at for url in urls if (at := self.of(url)) is not None}

    def of(self, url: str) -> StoredFileAt | None:
        """Where a file with this URL would be; None if the URL is not one of ours."""
        for name, base in self._bases.items():
            if url.startswith(base):
                key = unquote(url[len(base) :])
                try:
                    if self._storages[name].public_url(key) == url:
                        return name, key
                except ValueError:
                    pass
        return None
