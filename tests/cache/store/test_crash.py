"""The process ends at any instant: what is there afterwards is right."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import netlab

ROOT = Path(netlab.__file__).resolve().parent.parent
FAST = Path("/dev/shm")  # the end of a process is the same on each file system


class Crash(SynchronousTestCase):
    def run_program(self, *arguments: str) -> int:
        """What the program has printed."""
        place = FAST if FAST.is_dir() else None
        with tempfile.TemporaryDirectory(dir=place, ignore_cleanup_errors=True) as folder:
            ended = subprocess.run(
                [sys.executable, "-m", "tests.cache.store.crashing", f"{folder}/cache", *arguments],
                capture_output=True,
                text=True,
                cwd=ROOT,
            )
        self.assertEqual((ended.returncode, ended.stderr), (0, ""))
        return int(ended.stdout)

    def test_points(self) -> None:
        """At calls of the operating system and statements of the index."""
        self.assertGreater(self.run_program("points", "23"), 400)

    def test_kills(self) -> None:
        """``kill -9`` at moments that nobody has chosen."""
        self.assertEqual(self.run_program("kills", "25"), 25)
