"""Writing a large file past the page cache, where the system and the file system can.

A file that is on disk before anybody is told of it gains nothing from the cache: its pages have to
be found, filled, handed to the disk and given up. Written directly, the same bytes are copied once,
into memory that the disk reads from, and the cache is left to files that somebody reads.
"""

import errno
import fcntl
import mmap
import os

BUFFER_BYTES = 1024 * 1024
"""Written at once; a multiple of every disk's block. More falls out of the processor's cache."""


def new_buffer() -> memoryview:
    """Memory for `BUFFER_BYTES` that a disk can read from: it begins with a page."""
    return memoryview(mmap.mmap(-1, BUFFER_BYTES, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS))


class DirectFile:
    """An empty file that is written to, buffer by buffer. All methods block and raise OSError."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._direct = False
        self._begun = False

    def write(self, buffer: memoryview) -> None:
        """Append a buffer, all of it."""
        if not self._begun:
            self._begun = True
            self._direct = set_direct(self._descriptor, on=True)
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

    def finish(self, rest: memoryview) -> None:
        """Append what is left, which is no whole buffer, and have all of it on disk."""
        self._give_up()
        self._write_all(rest)
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
