"""A regular tick from the monotonic clock, as a file descriptor.

Twisted's ``callLater`` follows the wall clock: set it an hour ahead and every
60 s timer fires at once, set it back and none does for an hour. Linux's
timerfd counts on CLOCK_MONOTONIC and is waited for like a socket.
"""

from __future__ import annotations

import ctypes
import os
import sys
from functools import cache

_CLOCK_MONOTONIC = 1
_TFD_FLAGS = os.O_NONBLOCK | getattr(os, "O_CLOEXEC", 0)


class _TimeSpec(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


class _TimerSpec(ctypes.Structure):
    _fields_ = (("interval", _TimeSpec), ("value", _TimeSpec))


def monotonic_timer(interval: float) -> int | None:
    """A descriptor that becomes readable every ``interval`` seconds (timerfd_create(2)).

    With 0 it waits for ``ring_once``. Read 8 bytes from it to re-arm; close it when
    done. ``None`` where the system has no such thing; the caller then falls back on
    its reactor. ``os.timerfd_create`` came with Python 3.13; before it, the C library
    is asked.
    """
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None, use_errno=True)
    try:
        create = libc.timerfd_create
    except AttributeError:
        return None
    fd = int(create(_CLOCK_MONOTONIC, _TFD_FLAGS))
    if fd < 0:
        return None
    if not _set(libc, fd, interval, interval):
        os.close(fd)
        return None
    return fd


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def ring_once(fd: int, delay: float) -> None:
    """Lets a ``monotonic_timer`` become readable ``delay`` seconds from now, and only then."""
    _set(_libc(), fd, max(delay, 1e-9), 0.0)


def _set(libc: ctypes.CDLL, fd: int, first: float, interval: float) -> bool:
    spec = _TimerSpec(_time_spec(interval), _time_spec(first))
    return int(libc.timerfd_settime(fd, 0, ctypes.byref(spec), None)) == 0


def _time_spec(seconds: float) -> _TimeSpec:
    whole = int(seconds)
    return _TimeSpec(whole, int((seconds - whole) * 1e9))
