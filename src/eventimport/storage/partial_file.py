"""A file that appears whole or not at all: written under another name, fsynced, renamed."""

import errno
import fcntl
import itertools
import mmap
import os
import secrets
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import ClassVar, TypeVar

_Item = TypeVar("_Item")

BUFFER_BYTES = 1024 * 1024
"""Written at once; a multiple of every disk's block. More falls out of the processor's cache."""
_DIRECTORY_ATTEMPTS = 10

_THREADS = 16
_DISK = ThreadPoolExecutor(_THREADS, "disk")
"""Several threads wait for the disk at the same time: it writes what they wait for together."""

# Unique among all machines that share a folder, without asking for random bytes each time.
_PROCESS = secrets.token_hex(8)
_numbers = itertools.count(1)


def new_buffer() -> memoryview:
    """Memory for `BUFFER_BYTES` that a disk can read from: it begins with a page."""
    return memoryview(mmap.mmap(-1, BUFFER_BYTES, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS))


class DirectFile:
    """Writes an empty file past the page cache, if the file system supports it.

    A file that is on disk before the client gets its answer gains nothing from the cache: its pages
    are found, filled, handed to the disk and given up. Written directly, the same bytes are copied
    once, into memory that the disk reads from. Without `direct`, all of it goes through the cache.
    All methods block and raise OSError.
    """

    def __init__(self, descriptor: int, *, direct: bool) -> None:
        self._descriptor = descriptor
        self._wanted = direct
        self._direct = False
        self._begun = False

    def write(self, buffer: memoryview) -> None:
        """Append a buffer, all of it."""
        if not self._begun:
            self._begun = True
            self._direct = self._wanted and set_direct(self._descriptor, on=True)
        written = 0
        if self._direct:
            try:
                written = os.write(self._descriptor, buffer)
            except OSError as error:
                # Some file systems say only now that they cannot, or want larger blocks.
                if error.errno != errno.EINVAL:
                    raise
            if written < len(buffer):
                self._give_up()
        self._write_all(buffer[written:])

    def append(self, rest: memoryview) -> None:
        """Append the last buffer, which may be shorter."""
        self._give_up()
        self._write_all(rest)

    def sync(self) -> None:
        """Wait until all is on disk."""
        os.fsync(self._descriptor)

    def _give_up(self) -> None:
        if self._direct:
            set_direct(self._descriptor, on=False)
            self._direct = False

    def _write_all(self, content: memoryview) -> None:
        while content:
            content = content[os.write(self._descriptor, content) :]


def set_direct(descriptor: int, *, on: bool) -> bool:
    """Whether writes of this descriptor go past the cache from now on, as asked."""
    if not hasattr(os, "O_DIRECT"):
        return False
    flags = fcntl.fcntl(descriptor, fcntl.F_GETFL)
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETFL, flags | os.O_DIRECT if on else flags & ~os.O_DIRECT)
    except OSError:
        return False
    return True


class PartialFile:
    """A file under a temporary name until `commit`; all methods block, so call them in a thread.

    Nothing touches the disk before the first `write` or `commit`. `discard` may be called at any
    time, from another thread too, while a `write` or `commit` still runs: it waits for that, and
    afterwards neither the temporary file nor the destination exists. A `private` file, and the
    folders that are made for it, can be read by no other account of the machine.
    """

    def __init__(
        self,
        directory: Path,
        destination: Path,
        *,
        prefix: str = "",
        private: bool = False,
        direct: bool = True,
    ) -> None:
        """The temporary file lies in the directory; its name begins with the prefix."""
        self._temporary = directory / f"{prefix}-{_PROCESS}-{os.getpid()}-{next(_numbers)}"
        self._destination = destination
        self._private = private
        self._direct = direct
        self._descriptor: int | None = None
        self._lock = threading.RLock()
        self._discarded = False
        self._committed = False
        self._file: DirectFile
        self.size = 0

    def write(self, buffer: memoryview) -> None:
        """Append a whole buffer, of `BUFFER_BYTES`, that `new_buffer` made."""
        with self._lock:
            self._opened().write(buffer)
            self.size += len(buffer)

    def commit(self, rest: memoryview) -> None:
        """Append what is left and give the file its name, once all of it is on disk."""
        with self._lock:
            self.fill(rest)
            self.sync()
            entries = NewEntries()
            self.name(entries)
            entries.sync()

    def fill(self, rest: memoryview) -> None:
        """Append what is left; `sync` waits until it is on disk."""
        with self._lock:
            self._opened().append(rest)
            self.size += len(rest)

    def sync(self) -> None:
        """Wait until the content is on disk."""
        with self._lock:
            self._opened().sync()
            self._close()

    def name(self, entries: "NewEntries") -> None:
        """Give the file its name. It has it for good once the entries are on disk."""
        with self._lock:
            self._check_kept()
            self._give_name(entries)

    def discard(self) -> None:
        """Remove whatever there is; harmless when there is nothing."""
        with self._lock:
            self._discarded = True
            self._close()
            self._temporary.unlink(missing_ok=True)
            if self._committed:
                self._destination.unlink(missing_ok=True)

    def _opened(self) -> DirectFile:
        self._check_kept()
        if self._descriptor is None:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            mode = 0o600 if self._private else 0o644
            self._descriptor = os.open(self._temporary, flags, mode)
            self._file = DirectFile(self._descriptor, direct=self._direct)
        return self._file

    def _check_kept(self) -> None:
        if self._discarded:
            raise FileNotFoundError(f"{self._temporary} was discarded")

    def _close(self) -> None:
        if self._descriptor is not None:
            descriptor, self._descriptor = self._descriptor, None
            os.close(descriptor)

    def _give_name(self, entries: "NewEntries") -> None:
        folder = self._destination.parent
        for attempt in range(_DIRECTORY_ATTEMPTS):
            try:
                entries.make_folder(folder, mode=0o700 if self._private else 0o777)
                self._temporary.rename(self._destination)
                self._committed = True
                break
            except FileNotFoundError:
                # A deletion pruned the still empty folder, or one above it, in between.
                if attempt + 1 == _DIRECTORY_ATTEMPTS:
                    raise
        entries.add(self._destination)


def commit_together(files: Mapping[PartialFile, memoryview]) -> Mapping[PartialFile, OSError]:
    """Commit files, each with what is left of it; returns the errors of those that failed.

    The disk gets all contents before it is waited for, and each folder is waited for once. Making a
    file or a folder may wait for the disk, too: several threads do each step.
    """
    failed: dict[PartialFile, OSError] = {}
    entries = NewEntries()

    def attempt(step: Callable[[PartialFile], None], file: PartialFile) -> None:
        try:
            step(file)
        except OSError as error:
            failed[file] = error

    for step in (
        lambda file: file.fill(files[file]),
        PartialFile.sync,
        lambda file: file.name(entries),
    ):
        _in_threads(partial(attempt, step), [file for file in files if file not in failed])
    try:
        entries.sync()
    except OSError as error:
        return dict.fromkeys(files, error) | failed
    return failed


def _in_threads(work: Callable[[_Item], None], items: Sequence[_Item]) -> None:
    """Do the work for each item, for several of them at the same time. Raises what it raises."""

    def do_some(first: int) -> None:
        for item in items[first::_THREADS]:
            work(item)

    for _ in _DISK.map(do_some, range(min(_THREADS, len(items)))):
        pass


class NewEntries:
    """New files and folders whose names are not on disk yet, and the folders to sync for them."""

    _unsynced: ClassVar[set[Path]] = set()
    """Folders of all threads that are made, and may not be on disk."""

    def __init__(self) -> None:
        self._made: set[Path] = set()
        self._folders: dict[Path, None] = {}

    def add(self, path: Path) -> None:
        """A file or folder that has its name."""
        self._folders[path.parent] = None

    def make_folder(self, folder: Path, *, mode: int = 0o777) -> None:
        """Make the folder and its parents. What another thread has just made may not be on disk:
        it is synced here, too."""
        exists = folder.is_dir()
        if exists and (folder in self._made or folder not in self._unsynced):
            return
        self._unsynced.add(folder)
        self._made.add(folder)
        if not exists:
            try:
                folder.mkdir(mode=mode, exist_ok=True)
            except FileNotFoundError:
                self.make_folder(folder.parent, mode=mode)
                folder.mkdir(mode=mode, exist_ok=True)
        if folder.parent in self._unsynced:
            self.make_folder(folder.parent, mode=mode)
        self.add(folder)

    def sync(self) -> None:
        """Wait until all names are on disk."""
        _in_threads(_sync_directory, list(self._folders))
        self._unsynced.difference_update(self._made)


def make_directories(folder: Path, *, mode: int = 0o777) -> None:
    """Make the folder and its parents, each entry on disk before anything relies on it."""
    entries = NewEntries()
    entries.make_folder(folder, mode=mode)
    entries.sync()


def _sync_directory(folder: Path) -> None:
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        # A folder that was deleted meanwhile holds no file any more.
        return
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
