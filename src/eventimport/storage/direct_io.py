"""Writing a large file past the page cache, where the system and the file system can.

A file that is on disk before anybody is told of it gains nothing from the cache: its pages have to
be found, filled, handed to the disk and given up. Written directly, the same bytes are copied once,
into memory that the disk reads from: that takes half of the processor's time, and leaves the cache
to files that somebody reads.
"""

import errno
import fcntl
import mmap
import os
from collections.abc import Sequence
from typing import Self

BUFFER_BYTES = 1024 * 1024
"""Written at once; a multiple of every disk's block, in memory that begins with a page."""


class DirectWriter:
    """Gathers bytes in a buffer and writes it whenever it is full. All methods block."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._view = memoryview(mmap.mmap(-1, BUFFER_BYTES))
        self._filled = 0
        self._direct = True

    @classmethod
    def begin(cls, descriptor: int) -> Self | None:
        """A writer for a file that is empty; None where it cannot be written directly."""
        return cls(descriptor) if set_direct(descriptor, on=True) else None

    def write(self, chunks: Sequence[bytes]) -> None:
        """Append the chunks. Raises OSError."""
        view, filled = self._view, self._filled
        for chunk in chunks:
            rest = memoryview(chunk)
            while rest:
                part = rest[: BUFFER_BYTES - filled]
                rest = rest[len(part) :]
                view[filled : filled + len(part)] = part
                filled += len(part)
                if filled == BUFFER_BYTES:
                    self._write_out(view)
                    filled = 0
        self._filled = filled

    def finish(self) -> None:
        """Write what is left, which is no whole block. Raises OSError."""
        self._give_up()
        write_all(self._descriptor, self._view[: self._filled])

    def _write_out(self, view: memoryview) -> None:
        written = 0
        if self._direct:
            try:
                written = os.write(self._descriptor, view)
            except OSError as error:
                # Some file systems say only now that they cannot, or want larger blocks.
                if error.errno != errno.EINVAL:
                    raise
            if written < len(view):
                self._give_up()
        write_all(self._descriptor, view[written:])

    def _give_up(self) -> None:
        if self._direct:
            set_direct(self._descriptor, on=False)
            self._direct = False


def write_all(descriptor: int, content: memoryview) -> None:
    """Write all of it, however often the system takes only a part. Raises OSError."""
    while content:
        content = content[os.write(descriptor, content) :]


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
