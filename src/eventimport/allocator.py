"""glibc's allocator, set up for a process through which large chunks flow.

By default each chunk over 128 KiB is a mapping of its own, given back to the system as soon as it
is freed: receiving one GiB costs 218,000 page faults, more than all else together. With higher
thresholds the same memory is used again.
"""

import ctypes
import os

MIB = 1024 * 1024

# The numbers of <malloc.h>. Both thresholds are needed: a higher trim threshold alone is a loss.
_SETTINGS = {
    -3: 32 * MIB,  # M_MMAP_THRESHOLD: the highest that glibc takes
    -1: 64 * MIB,  # M_TRIM_THRESHOLD
    -2: 1 * MIB,  # M_TOP_PAD
}


def keep_freed_memory() -> bool:
    """Have this process keep up to 64 MiB of freed memory for the next chunks.

    Call it once, at the start. Returns False, and changes nothing, where there is no glibc.
    """
    try:
        version = os.confstr("CS_GNU_LIBC_VERSION")
    except (AttributeError, ValueError):
        return False
    if not version:
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return all(mallopt(name, value) == 1 for name, value in _SETTINGS.items())
