"""Objects on local disk, under one root; a key is a path below it."""

import asyncio
import errno
import hashlib
import os
import shutil
import tempfile
from collections.abc import (
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Mapping,
    Sequence,
)
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from io import FileIO
from pathlib import Path
from stat import S_ISREG
from typing import Final, ParamSpec, TypeVar
from urllib.parse import quote

from eventimport.groups import Groups
from eventimport.storage.config import MIB, LocalConfig
from eventimport.storage.content_types import content_type_of
from eventimport.storage.keys import PRIVATE_FOLDER, check_key, check_public, visibility_of
from eventimport.storage.partial_file import (
    BUFFER_BYTES,
    PartialFile,
    commit_together,
    make_directories,
    new_buffer,
)
from eventimport.storage.protocol import (
    ObjectNotFoundError,
    Storage,
    StorageError,
    StoredObject,
    Visibility,
)

COMMITTED_TOGETHER: Final = 64
"""Files whose descriptors are open at once."""

_ADVICE: Final = {
    errno.ENOSPC: "The disk is full. Enlarge it, or free space on it.",
    errno.EDQUOT: "The disk quota is used up. Raise it, or free space.",
    errno.EROFS: "The disk is read-only. Make LOCAL_STORAGE_PATH a writable folder.",
    errno.EACCES: "The service may not write there. Make its user the owner of LOCAL_STORAGE_PATH.",
    errno.EPERM: "The service may not write there. Make its user the owner of LOCAL_STORAGE_PATH.",
    errno.EIO: "The disk is failing. Replace it.",
    errno.EMFILE: "The process has too many open files. Raise its limit, `ulimit -n`.",
}

_P = ParamSpec("_P")
_T = TypeVar("_T")


class LocalStorage:
    """A `Storage` on local disk.

    The type of an object follows from its name, because files have no type. Temporary files
    are in `.incoming` below the root, where no key can reach.
    """

    def __init__(self, config: LocalConfig) -> None:
        self._root = config.root.absolute()
        self._incoming = self._root / ".incoming"
        self._private = self._root / PRIVATE_FOLDER
        self._base_url = config.base_url.rstrip("/")
        self._direct_io = config.direct_io
        self._ready = False
        self._commits = Groups(_commit, most=COMMITTED_TOGETHER)

    @property
    def name(self) -> str:
        """Always `local`."""
        return "local"

    async def put(
        self,
        key: str,
        chunks: AsyncIterable[bytes],
        *,
        content_type: str,  # noqa: ARG002 - the port has it; a file has no place for its type
    ) -> StoredObject:
        """Store the chunks: written beside, fsynced, renamed."""
        check_key(key)
        await self._prepare()
        private = visibility_of(key) is Visibility.PRIVATE
        file = PartialFile(
            self._incoming,
            self._root / key,
            prefix=_digest(key),
            private=private,
            direct=self._direct_io,
        )
        try:
            rest = await _write(file, chunks)
            if file.size == 0:
                # Small files that are ready at the same time: the disk is waited for once. A large
                # one is not among them, as the others would wait for it.
                await _told(self._commits.ask((file, rest)))
            else:
                await _run(file.commit, rest)
        except BaseException:
            await asyncio.shield(asyncio.get_running_loop().run_in_executor(None, file.discard))
            raise
        return StoredObject(key, file.size, content_type_of(key), datetime.now(UTC))

    @asynccontextmanager
    async def open(self, key: str) -> AsyncIterator[AsyncIterator[bytes]]:
        """Read the object's chunks."""
        file = await _run(self._open, check_key(key))
        try:
            yield _read(file)
        finally:
            file.close()

    async def path(self, key: str) -> Path:
        """Where the object lies, to be read only. Raises ObjectNotFoundError."""
        if await self.stat(key) is None:
            raise ObjectNotFoundError(key)
        return self._root / key

    async def public_path(self, key: str) -> Path:
        """Where a public object lies. Raises ObjectNotFoundError, also where the disk leads to a
        private object under this name."""
        path = await self.path(check_public(key))
        if not await _run(self._is_public, path):
            raise ObjectNotFoundError(key)
        return path

    async def stat(self, key: str) -> StoredObject | None:
        """The object's facts; None for a folder, too."""
        return await _run(self._stat, check_key(key))

    async def delete(self, key: str) -> None:
        """Remove the object, and the folders that it leaves empty."""
        await _run(self._delete, self._root / check_key(key))

    async def move(self, key: str, new_key: str) -> None:
        """Rename the file, and remove the folders that it leaves empty."""
        await self._prepare()
        await _run(self._move, check_key(key), check_key(new_key))

    async def delete_unfinished(self, key: str) -> None:
        """Delete the temporary files of the key."""
        await _run(self._delete_unfinished, check_key(key))

    def public_url(self, key: str) -> str:
        """`{base_url}/media/{key}`, which the media router serves."""
        return f"{self._base_url}/media/{quote(check_public(key))}"

    async def free_bytes(self) -> int:
        """How many bytes the disk has free. Raises StorageError."""
        await self._prepare()
        usage = await _run(shutil.disk_usage, self._root)
        return usage.free

    async def close(self) -> None:
        """Do nothing: there is no connection."""

    async def _prepare(self) -> None:
        if not self._ready:
            await _run(self._make_folders)
            self._ready = True

    def _make_folders(self) -> None:
        """Make the folder of temporary files, and close those that earlier versions left open."""
        make_directories(self._root)
        make_directories(self._incoming, mode=0o700)
        for folder in (self._incoming, self._private):
            with suppress(OSError):
                folder.chmod(0o700)

    def _open(self, key: str) -> FileIO:
        if self._stat(key) is None:
            raise ObjectNotFoundError(key)
        try:
            return (self._root / key).open("rb", buffering=0)
        except FileNotFoundError:
            raise ObjectNotFoundError(key) from None

    def _stat(self, key: str) -> StoredObject | None:
        try:
            found = (self._root / key).stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        return _stored(key, found) if S_ISREG(found.st_mode) else None

    def _is_public(self, path: Path) -> bool:
        """Whether the file lies outside of the private folder. Compared by what the disk says of
        the folders, not by their names."""
        private = _identity(self._private)
        return private is None or private not in map(_identity, path.resolve().parents)

    def _delete(self, path: Path) -> None:
        with suppress(FileNotFoundError, IsADirectoryError, NotADirectoryError):
            path.unlink()
        for folder in path.parents:
            if folder == self._root:
                break
            try:
                folder.rmdir()
            except OSError:
                break

    def _move(self, key: str, new_key: str) -> None:
        private = visibility_of(new_key) is Visibility.PRIVATE
        source, target = self._root / key, self._root / new_key
        if self._stat(key) is None:
            raise ObjectNotFoundError(key)
        make_directories(target.parent, mode=0o700 if private else 0o777)
        source.replace(target)
        target.chmod(0o600 if private else 0o644)
        self._delete(source)

    def _delete_unfinished(self, key: str) -> None:
        for path in self._incoming.glob(f"{_digest(key)}-*"):
            path.unlink(missing_ok=True)


@asynccontextmanager
async def local_copy(storage: Storage, key: str) -> AsyncIterator[Path]:
    """The path of a file with the object's content, to be read only, gone afterwards.

    On local disk it is the object itself: nothing is copied. Raises ObjectNotFoundError and
    StorageError.
    """
    if isinstance(storage, LocalStorage):
        yield await storage.path(key)
        return
    with tempfile.NamedTemporaryFile(prefix="eventimport-") as file:
        async with storage.open(key) as chunks:
            async for chunk in chunks:
                await asyncio.to_thread(file.write, chunk)
        await asyncio.to_thread(file.flush)
        yield Path(file.name)


async def _commit(
    files: Sequence[tuple[PartialFile, memoryview]],
) -> Sequence[OSError | None]:
    return await asyncio.to_thread(_commit_all, dict(files))


def _commit_all(files: Mapping[PartialFile, memoryview]) -> Sequence[OSError | None]:
    if len(files) > 1:
        failed = commit_together(files)
        return [failed.get(file) for file in files]
    for file, rest in files.items():
        try:
            file.commit(rest)
        except OSError as error:
            return [error]
    return [None]


async def _write(file: PartialFile, chunks: AsyncIterable[bytes]) -> memoryview:
    """Gather the chunks in one buffer while a thread writes the other; returns what is left.

    Each is copied as it comes, and its memory is free for the next: what was received is still in
    the processor's cache then, and is not when a whole buffer of it has come. A small file needs no
    buffer: finding the memory for one takes longer than writing the file.
    """
    loop = asyncio.get_running_loop()
    writing: asyncio.Future[None] | None = None
    small: list[bytes] = []
    buffer: memoryview | None = None
    other: memoryview | None = None
    filled = 0
    try:
        async for chunk in chunks:
            if buffer is None:
                small.append(chunk)
                filled += len(chunk)
                if filled < BUFFER_BYTES:
                    continue
                chunk, buffer, filled = b"".join(small), new_buffer(), 0  # noqa: PLW2901
                small.clear()
            rest = memoryview(chunk)
            while rest:
                part = rest[: BUFFER_BYTES - filled]
                rest = rest[len(part) :]
                buffer[filled : filled + len(part)] = part
                filled += len(part)
                if filled == BUFFER_BYTES:
                    if writing is not None:
                        await _told(writing)
                    writing = loop.run_in_executor(None, file.write, buffer)
                    buffer, other = other or new_buffer(), buffer
                    filled = 0
        if writing is not None:
            await _told(writing)
        return memoryview(b"".join(small)) if buffer is None else buffer[:filled]
    finally:
        if writing is not None:
            writing.cancel()


async def _read(file: FileIO) -> AsyncIterator[bytes]:
    while chunk := await _run(file.read, MIB):
        yield chunk


async def _run(function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
    return await _told(asyncio.to_thread(function, *args, **kwargs))


async def _told(working: Awaitable[_T]) -> _T:
    try:
        return await working
    except OSError as error:
        raise disk_error(error) from error


def disk_error(error: OSError) -> StorageError:
    """What an operating system's error means for the storage."""
    return StorageError(
        f"local disk: {error}",
        code=errno.errorcode.get(error.errno or 0, type(error).__name__),
        advice=_ADVICE.get(error.errno or 0, ""),
    )


def _identity(folder: Path) -> tuple[int, int] | None:
    try:
        found = folder.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def _digest(key: str) -> str:
    """What the names of the key's temporary files begin with."""
    return hashlib.sha256(key.encode()).hexdigest()[:32]


def _stored(key: str, found: os.stat_result) -> StoredObject:
    modified = datetime.fromtimestamp(found.st_mtime, UTC)
    return StoredObject(key, found.st_size, content_type_of(key), modified)
