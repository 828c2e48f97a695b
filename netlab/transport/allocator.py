"""Keeps big message buffers in the process instead of giving them back each time."""

from __future__ import annotations

import ctypes
import sys

_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_THRESHOLD = -1, -2, -3
_KEEP = 64 * 1024 * 1024


def keep_big_buffers() -> bool:
    """Raises glibc's thresholds (mallopt(3)); returns whether that was possible.

    By default every block above 128 KiB is mapped for one message and unmapped
    after it, and nearly all of the cost of a 1 MiB message is the page faults
    of that. With the thresholds at 64 MiB such blocks come from a heap that
    stays. It acts on the whole process, so only programs call it, not libraries.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:  # another C library, such as musl
        return False
    return all(
        mallopt(option, value) == 1
        for option, value in (
            (_M_MMAP_THRESHOLD, 32 * 1024 * 1024),  # glibc's upper bound on 64-bit systems
            (_M_TRIM_THRESHOLD, _KEEP),
            (_M_TOP_PAD, 1024 * 1024),
        )
    )
