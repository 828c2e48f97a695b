"""Descriptors whose reading and handling are apart: a bug in one ends only that one."""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from netlab.transport.hub import READ, EpollHub


class QuietReactor(Clock):
    """A clock that takes readers and leaves it to the test to call them."""

    def addReader(self, reader: Any) -> None:
        """See ``IReactorFDSet``."""

    def removeReader(self, reader: Any) -> None:
        """See ``IReactorFDSet``."""


class Fetching:
    """Reads its socket; ``breaks`` says in which of the two calls it raises."""

    def __init__(self, hub: EpollHub, breaks: str = "") -> None:
        self.hub = hub
        self.breaks = breaks
        self.here, self.there = socket.socketpair()
        self.here.setblocking(False)
        self.got = b""
        self.ended = False
        hub.register(self.here.fileno(), self, READ)

    def fetch(self) -> bytes | None:
        if self.breaks == "fetch":
            raise ZeroDivisionError
        return self.here.recv(100)

    def fetched(self, data: bytes) -> None:
        if self.breaks == "fetched":
            raise ZeroDivisionError
        self.got += data

    def readable(self) -> None:
        raise AssertionError("it is fetched instead")

    def event(self, mask: int) -> None:
        raise AssertionError("nothing but reads happen here")

    def flush(self) -> None:
        raise AssertionError("nothing is written here")

    def failed(self) -> None:
        self.close()

    def close(self) -> None:
        if not self.ended:
            self.ended = True
            self.hub.unregister(self.here.fileno())
            self.here.close()
            self.there.close()


class Faults(SynchronousTestCase):
    def test_one_breaks(self) -> None:
        for breaks in ("fetch", "fetched"):
            hub = EpollHub(QuietReactor())
            each = [Fetching(hub), Fetching(hub, breaks), Fetching(hub)]
            for one in each:
                one.there.send(b"hello")
            hub.doRead()
            self.assertEqual([one.got for one in each], [b"hello", b"", b"hello"])
            self.assertEqual([one.ended for one in each], [False, True, False])
            self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
            for one in each:
                one.close()
