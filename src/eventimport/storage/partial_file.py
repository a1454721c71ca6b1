"""A file that comes into being whole or not at all: written beside, fsynced, renamed."""

import itertools
import os
import secrets
import threading
from pathlib import Path

from eventimport.storage.direct_io import DirectFile

_DIRECTORY_ATTEMPTS = 10

# Unique among all machines that share a folder, without asking for random bytes each time.
_PROCESS = secrets.token_hex(8)
_numbers = itertools.count(1)


class PartialFile:
    """A file under a temporary name until `commit`; all methods block, so call them in a thread.

    Nothing touches the disk before the first `write` or `commit`. `discard` may be called at any
    time, from another thread too, while a `write` or `commit` still runs: it waits for that, and
    afterwards neither the temporary file nor the destination exists. A `private` file, and the
    folders that are made for it, can be read by no other account of the machine.
    """

    def __init__(
        self, directory: Path, destination: Path, *, prefix: str = "", private: bool = False
    ) -> None:
        """The temporary file lies in the directory; its name begins with the prefix."""
        self._temporary = directory / f"{prefix}-{_PROCESS}-{os.getpid()}-{next(_numbers)}"
        self._destination = destination
        self._private = private
        self._descriptor: int | None = None
        self._lock = threading.Lock()
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
            self._opened().finish(rest)
            self.size += len(rest)
            self._close()
            self._give_name()

    def discard(self) -> None:
        """Remove whatever there is; harmless when there is nothing."""
        self._discarded = True
        with self._lock:
            self._close()
            self._temporary.unlink(missing_ok=True)
            if self._committed:
                self._destination.unlink(missing_ok=True)

    def _opened(self) -> DirectFile:
        if self._discarded:
            raise FileNotFoundError(f"{self._temporary} was discarded")
        if self._descriptor is None:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            mode = 0o600 if self._private else 0o644
            self._descriptor = os.open(self._temporary, flags, mode)
            self._file = DirectFile(self._descriptor)
        return self._file

    def _close(self) -> None:
        if self._descriptor is not None:
            descriptor, self._descriptor = self._descriptor, None
            os.close(descriptor)

    def _give_name(self) -> None:
        folder = self._destination.parent
        for attempt in range(_DIRECTORY_ATTEMPTS):
            try:
                make_directories(folder, mode=0o700 if self._private else 0o777)
                self._temporary.rename(self._destination)
                self._committed = True
                break
            except FileNotFoundError:
                # A deletion pruned the still empty folder, or one above it, in between.
                if attempt + 1 == _DIRECTORY_ATTEMPTS:
                    raise
        _sync_directory(folder)


def make_directories(folder: Path, *, mode: int = 0o777) -> None:
    """Make the folder and its parents, each entry on disk before anything relies on it."""
    if folder.is_dir():
        return
    make_directories(folder.parent, mode=mode)
    folder.mkdir(mode=mode, exist_ok=True)
    _sync_directory(folder.parent)


def _sync_directory(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
