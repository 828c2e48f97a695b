"""What the tests of files and threads share."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from twisted.trial.unittest import SynchronousTestCase

PATIENCE = 20.0  # seconds; only a test that fails waits so long


def wait_for(condition: Callable[[], bool]) -> None:
    """Returns once ``condition()`` holds; another thread or process sees to that."""
    until = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > until:
            raise AssertionError("it did not happen")
        time.sleep(0.002)


def run_python(code: str, *arguments: str) -> str:
    """What a new interpreter prints; what it complains about fails the test."""
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, *arguments],
        capture_output=True,
        text=True,
        timeout=PATIENCE * 3,
    )
    if ended.returncode or ended.stderr:
        raise AssertionError(f"status {ended.returncode}: {ended.stderr}")
    return ended.stdout


class FileCase(SynchronousTestCase):
    """A test with a directory of its own."""

    def setUp(self) -> None:
        temporary = TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.directory = Path(temporary.name)
        self.errors: list[str] = []

    def path(self, name: str) -> str:
        return str(self.directory / name)

    def read(self, name: str) -> bytes:
        return (self.directory / name).read_bytes()

    def names(self) -> list[str]:
        return sorted(os.listdir(self.directory))

    def fifo(self, name: str = "fifo") -> tuple[str, int]:
        """A named pipe, and its reading end, which does not block."""
        path = self.path(name)
        os.mkfifo(path)
        reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        self.addCleanup(_close, reader)
        return path, reader


def _close(fd: int) -> None:
    try:
        os.close(fd)
    except OSError:
        pass  # the test has closed it
