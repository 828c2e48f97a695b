"""A regular tick from the monotonic clock, as a file descriptor.

Twisted's ``callLater`` follows the wall clock: set it an hour ahead and every
60 s timer fires at once, set it back and none does for an hour. Linux's
timerfd counts on CLOCK_MONOTONIC and is waited for like a socket.
"""

from __future__ import annotations

import ctypes
import os
import sys

_CLOCK_MONOTONIC = 1
_TFD_FLAGS = os.O_NONBLOCK | getattr(os, "O_CLOEXEC", 0)


class _TimeSpec(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


class _TimerSpec(ctypes.Structure):
    _fields_ = (("interval", _TimeSpec), ("value", _TimeSpec))


def monotonic_timer(interval: float) -> int | None:
    """A descriptor that becomes readable every ``interval`` seconds (timerfd_create(2)).

    Read 8 bytes from it to re-arm; close it when done. ``None`` where the
    system has no such thing; the caller then falls back on its reactor.
    ``os.timerfd_create`` came with Python 3.13; before it, the C library is asked.
    """
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None, use_errno=True)
    try:
        create, settime = libc.timerfd_create, libc.timerfd_settime
    except AttributeError:
        return None
    fd = int(create(_CLOCK_MONOTONIC, _TFD_FLAGS))
    if fd < 0:
        return None
    whole = int(interval)
    step = _TimeSpec(whole, int((interval - whole) * 1e9))
    if settime(fd, 0, ctypes.byref(_TimerSpec(step, step)), None) != 0:
        os.close(fd)
        return None
    return fd
