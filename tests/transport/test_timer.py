"""The monotonic tick."""

from __future__ import annotations

import ctypes
import fcntl
import os
import select
import sys
import time

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from netlab.transport.timer import monotonic_timer, ring_once
from tests.transport.support import DEADLINE


class Timer(SynchronousTestCase):
    def make(self, interval: float) -> int:
        """A timer that is closed at the end of the test."""
        fd = monotonic_timer(interval)
        if fd is None:
            raise SkipTest("this system has no timerfd")
        self.addCleanup(os.close, fd)
        return fd

    def test_again_and_again(self) -> None:
        """It becomes readable after each interval, and not before."""
        fd = self.make(0.02)
        begun = time.monotonic()
        for _ in range(3):
            self.assertEqual(select.select([fd], [], [], DEADLINE)[0], [fd])
            self.assertGreaterEqual(int.from_bytes(os.read(fd, 8), sys.byteorder), 1)
        self.assertGreaterEqual(time.monotonic() - begun, 0.06)

    def test_not_at_once(self) -> None:
        """Before its time there is nothing to read, and reading does not block."""
        fd = self.make(3600)
        self.assertEqual(select.select([fd], [], [], 0)[0], [])
        self.assertRaises(BlockingIOError, os.read, fd, 8)

    def test_whole_seconds(self) -> None:
        """Seconds and their fraction both count: 3600.5 s is not half a second."""
        fd = self.make(3600.5)
        self.assertEqual(select.select([fd], [], [], 0.6)[0], [])

    def test_ring_once(self) -> None:
        """With an interval of 0 it waits to be told when, and rings once for each time."""
        fd = self.make(0)
        self.assertEqual(select.select([fd], [], [], 0.02)[0], [])
        for delay in (0.01, 0.0, -5.0):
            begun = time.monotonic()
            ring_once(fd, delay)
            self.assertEqual(select.select([fd], [], [], DEADLINE)[0], [fd])
            self.assertGreaterEqual(time.monotonic() - begun, delay)
            self.assertEqual(int.from_bytes(os.read(fd, 8), sys.byteorder), 1)
            self.assertEqual(select.select([fd], [], [], 0.02)[0], [])

    def test_ring_at_another_time(self) -> None:
        """The last word counts: later, then sooner."""
        fd = self.make(0)
        ring_once(fd, 0.0)
        ring_once(fd, 3600)
        self.assertEqual(select.select([fd], [], [], 0.02)[0], [])
        ring_once(fd, 0.01)
        self.assertEqual(select.select([fd], [], [], DEADLINE)[0], [fd])

    def test_flags(self) -> None:
        """It is not inherited by other programs."""
        fd = self.make(1)
        self.assertTrue(fcntl.fcntl(fd, fcntl.F_GETFD) & fcntl.FD_CLOEXEC)
        self.assertTrue(fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_NONBLOCK)

    def test_elsewhere(self) -> None:
        """Where there is no such thing, there is none."""
        self.patch(sys, "platform", "darwin")
        self.assertIsNone(monotonic_timer(0.5))

    def test_poor_library(self) -> None:
        """A C library without it, and one that refuses."""

        class Poor:
            pass

        class Refusing:
            def timerfd_create(self, clock: int, flags: int) -> int:
                return -1

            timerfd_settime = timerfd_create

        self.patch(sys, "platform", "linux")
        for library in (Poor(), Refusing()):
            self.patch(ctypes, "CDLL", lambda *_, library=library, **__: library)
            self.assertIsNone(monotonic_timer(0.5))

    def test_refused_setting(self) -> None:
        """What cannot be set is closed again."""
        read, write = os.pipe()
        self.addCleanup(os.close, write)

        class Half:
            def timerfd_create(self, clock: int, flags: int) -> int:
                return read

            def timerfd_settime(self, *arguments: object) -> int:
                return -1

        self.patch(sys, "platform", "linux")
        self.patch(ctypes, "CDLL", lambda *_, **__: Half())
        self.assertIsNone(monotonic_timer(0.5))
        self.assertRaises(OSError, os.fstat, read)
