"""Moving a large file through the page cache instead of filling it.

A file that will be fsynced gains nothing from waiting in the cache: the disk may begin at once, so
that the fsync at the end has little left to do. And pages that are on disk may be used again for
what comes next: in a virtual machine every fresh page may cost a fault in the host as well, which
made writing one GiB up to five times as expensive as with the same few pages.
"""

import ctypes
import errno
import os
from collections.abc import Callable

_WAIT_BEFORE, _WRITE, _WAIT_AFTER = 1, 2, 4


def _find() -> Callable[[int, int, int, int], int] | None:
    try:
        function = ctypes.CDLL(None, use_errno=True).sync_file_range
    except (AttributeError, OSError):
        return None
    function.argtypes = (ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint)
    return function


_sync_file_range = _find()


def begin_writeback(descriptor: int, offset: int, length: int) -> None:
    """Have the disk begin with this range; nothing is waited for.

    Does nothing where there is no Linux: the fsync then takes the longer.
    """
    _sync(descriptor, offset, length, _WRITE)


def finish_writeback(descriptor: int, offset: int, length: int) -> None:
    """Wait until the disk has this range, then give up its pages. Raises OSError.

    It bounds what waits in memory for a slow disk. It is no fsync: the file's size and the disk's
    own cache are not seen to.
    """
    if _sync(descriptor, offset, length, _WAIT_BEFORE | _WRITE | _WAIT_AFTER):
        os.posix_fadvise(descriptor, offset, length, os.POSIX_FADV_DONTNEED)


def _sync(descriptor: int, offset: int, length: int, flags: int) -> bool:
    if _sync_file_range is None:
        return False
    if _sync_file_range(descriptor, offset, length, flags) == 0:
        return True
    number = ctypes.get_errno()
    if number in {errno.EIO, errno.ENOSPC, errno.EDQUOT}:
        raise OSError(number, os.strerror(number))
    return False
