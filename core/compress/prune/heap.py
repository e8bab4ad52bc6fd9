"""The C library's heap: a page newly mapped by the system costs more time than most arithmetic on it.

Both functions need the GNU C library and do nothing elsewhere.
"""

from __future__ import annotations

import ctypes

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # as <malloc.h> numbers them
_LARGEST = 32 * 2**20  # bytes; mallopt takes no more
_NEVER = 2**31 - 1


def keep_freed_memory() -> None:
    """Keep freed memory in the process for reuse, in pieces of up to 32 MiB."""
    if set_option := getattr(ctypes.CDLL(None), "mallopt", None):
        set_option(_MMAP_THRESHOLD, _LARGEST)
        set_option(_TRIM_THRESHOLD, _NEVER)


def return_freed_memory() -> None:
    """Return freed memory to the system."""
    if trim := getattr(ctypes.CDLL(None), "malloc_trim", None):
        trim(0)
