"""The C library's heap. A page that is fresh from the system costs more time than most arithmetic on it.

Of the GNU C library alone; elsewhere nothing happens.
"""

from __future__ import annotations

import ctypes

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # as <malloc.h> numbers them
_LARGEST = 32 * 2**20  # bytes; mallopt takes no more
_NEVER = 2**31 - 1


def keep_freed_memory() -> None:
    """Have memory that is freed, in pieces up to 32 MiB, stay with the process for what is needed next."""
    if set_option := getattr(ctypes.CDLL(None), "mallopt", None):
        set_option(_MMAP_THRESHOLD, _LARGEST)
        set_option(_TRIM_THRESHOLD, _NEVER)


def return_freed_memory() -> None:
    """Give the system back what is free."""
    if trim := getattr(ctypes.CDLL(None), "malloc_trim", None):
        trim(0)
