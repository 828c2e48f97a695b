"""The access log: lines, logrotate, and disks that are full."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path
from typing import Any
from unittest import mock

from twisted.internet.address import IPv4Address
from twisted.internet.task import Clock
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from netlab.errors import ConfigurationError
from netlab.http import Access, Request
from netlab.services.access import AccessFile

PEER = IPv4Address("TCP", "192.0.2.7", 999)


def entry(target: str = "/a") -> Access:
    return Access(PEER, Request("GET", target), 200, 5, 0.25, 1_000_000_000.0)


class Files(SynchronousTestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name) / "access.log"
        self.clock = Clock()
        self.log = AccessFile(str(self.path), "combined")
        self.addCleanup(self.log.close)
        self.said: list[str] = []
        observer: Any = self._observe
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)

    def _observe(self, event: dict[str, Any]) -> None:
        if "access log" in str(event.get("name")):
            self.said.append(str(event.get("why", "again")))

    def lines(self) -> list[str]:
        return [line.split('"')[1] for line in self.path.read_text().splitlines()]

    def test_lines(self) -> None:
        """They are there half a second later, also the last one."""
        self.log.open(self.clock)
        self.log(entry("/a"))
        self.log(entry("/b"))
        self.assertEqual(self.lines(), [])
        self.clock.advance(0.5)
        self.assertEqual(self.lines(), ["GET /a HTTP/1.1", "GET /b HTTP/1.1"])
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.log(entry("/c"))
        self.log.close()
        self.assertEqual(len(self.lines()), 3)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_appended(self) -> None:
        """What is in the file stays."""
        self.path.write_text('x "GET /0 HTTP/1.1"\n')
        self.log.open(self.clock)
        self.log(entry())
        self.log.close()
        self.assertEqual(self.lines(), ["GET /0 HTTP/1.1", "GET /a HTTP/1.1"])

    def test_moved(self) -> None:
        """A file that was moved away is followed by a new one; so is one that was deleted."""
        self.log.open(self.clock)
        self.log(entry("/1"))
        self.clock.advance(1)
        old = self.path.with_suffix(".1")
        os.rename(self.path, old)
        self.log(entry("/2"))
        self.clock.advance(1)
        self.assertEqual(self.lines(), ["GET /2 HTTP/1.1"])
        self.assertEqual(old.read_text().count("\n"), 1)
        self.path.unlink()
        self.log(entry("/3"))
        self.clock.advance(1)
        self.assertEqual(self.lines(), ["GET /3 HTTP/1.1"])

    def test_full_disk(self) -> None:
        """It is told once; the lines wait, and come when there is room."""
        self.log.open(self.clock)
        full = OSError(errno.ENOSPC, "No space left on device")
        with mock.patch("netlab.services.access.os.write", side_effect=full):
            for number in range(5):
                self.log(entry(f"/{number}"))
                self.clock.advance(1)
        self.assertEqual(self.said, ["no space left on device"])
        self.log(entry("/5"))
        self.clock.advance(1)
        self.assertEqual(self.lines(), [f"GET /{number} HTTP/1.1" for number in range(6)])
        self.assertEqual(len(self.said), 2)

    def test_full_for_long(self) -> None:
        """The memory is not filled in the place of the disk; what is written are whole lines."""
        self.log.open(self.clock)
        full = OSError(errno.ENOSPC, "No space left on device")
        with mock.patch("netlab.services.access.os.write", side_effect=full):
            for number in range(2000):
                self.log(entry(f"/{number:01500d}"))
                if number % 100 == 99:
                    self.clock.advance(1)
        self.assertLess(len(self.log._waiting), (1 << 20) + 1)
        self.log(entry("/end"))
        self.clock.advance(1)
        lines = self.lines()
        self.assertEqual(lines[-1], "GET /end HTTP/1.1")
        self.assertTrue(all(line.startswith("GET /") for line in lines))

    def test_folder_gone(self) -> None:
        """A folder that was deleted while it ran does no harm."""
        self.log.open(self.clock)
        self.path.unlink()
        self.path.parent.rmdir()
        self.log(entry())
        self.clock.advance(1)
        self.assertEqual(self.said, ["no such file or directory"])
        self.path.parent.mkdir()
        self.log(entry())
        self.clock.advance(1)
        self.assertEqual(len(self.lines()), 2)

    def test_refused(self) -> None:
        """A format that is none, and files that cannot be written."""
        with self.assertRaisesRegex(ConfigurationError, "use combined or json"):
            AccessFile("x", "xml")
        for path in (str(self.path.parent), str(self.path / "x"), "/no/such/folder/x"):
            with self.assertRaisesRegex(ConfigurationError, "name a file that can be written"):
                AccessFile(path, "json").open(self.clock)
