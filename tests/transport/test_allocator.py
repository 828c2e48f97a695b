"""glibc's thresholds."""

from __future__ import annotations

import ctypes
import subprocess
import sys
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from netlab.transport.allocator import keep_big_buffers


class Allocator(SynchronousTestCase):
    def patch_library(self, library: object) -> None:
        """Puts ``library`` in the place of the C library."""
        self.patch(sys, "platform", "linux")
        self.patch(ctypes, "CDLL", lambda name: library)

    def test_for_real(self) -> None:
        """It acts on the whole process, so it is tried in another one."""
        code = "from netlab.transport.allocator import *; print(keep_big_buffers())"
        ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        self.assertIn(ended.stdout, ("True\n", "False\n"))
        self.assertEqual((ended.returncode, ended.stderr), (0, ""))

    def test_options(self) -> None:
        """The three options of mallopt(3), by their numbers, with values that fit an int."""
        calls: dict[int, int] = {}

        class Library:
            def mallopt(self, option: int, value: int) -> int:
                calls[option] = value
                return 1

        self.patch_library(Library())
        self.assertTrue(keep_big_buffers())
        trim, top_pad, mmap = -1, -2, -3
        self.assertEqual(set(calls), {trim, top_pad, mmap})
        self.assertTrue(all(1 << 20 <= value < 1 << 31 for value in calls.values()))
        self.assertLessEqual(calls[mmap], 32 << 20)  # more is refused by glibc

    def test_refused(self) -> None:
        """What the library refuses is said."""

        class Library:
            def mallopt(self, option: int, value: int) -> int:
                return 0

        self.patch_library(Library())
        self.assertFalse(keep_big_buffers())

    def test_elsewhere(self) -> None:
        """Another C library, another system."""
        other: Any = object()
        self.patch_library(other)
        self.assertFalse(keep_big_buffers())
        self.patch(sys, "platform", "darwin")
        self.assertFalse(keep_big_buffers())
