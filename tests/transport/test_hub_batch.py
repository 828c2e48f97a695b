"""Descriptors that are served as a batch: all that are ready, and only those."""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from netlab.transport.hub import READ, EpollHub, Hub


class QuietReactor(Clock):
    """A clock that takes readers and leaves it to the test to call them."""

    def addReader(self, reader: Any) -> None:
        """See ``IReactorFDSet``."""

    def removeReader(self, reader: Any) -> None:
        """See ``IReactorFDSet``."""


class Batched:
    """Reads its socket, in batches."""

    batches: list[int]

    def __init__(self, hub: EpollHub, batches: list[int]) -> None:
        self.hub = hub
        self.batches = batches
        self.here, self.there = socket.socketpair()
        self.here.setblocking(False)
        self.got = b""
        self.events: list[int] = []
        hub.register(self.here.fileno(), self, READ)

    @staticmethod
    def serve_batch(hub: Hub, descriptors: list[Batched]) -> None:
        descriptors[0].batches.append(len(descriptors))
        for each in descriptors:
            each.got += each.here.recv(100)

    def readable(self) -> None:
        raise AssertionError("it is served in a batch instead")

    def event(self, mask: int) -> None:
        self.events.append(mask)
        self.close()

    def flush(self) -> None:
        raise AssertionError("nothing is written here")

    def failed(self) -> None:
        raise AssertionError("nothing fails here")

    def close(self) -> None:
        self.hub.unregister(self.here.fileno())
        self.here.close()
        self.there.close()


class Batches(SynchronousTestCase):
    def test_the_ready_ones(self) -> None:
        """One batch holds all that have something to read; a hang-up is no part of it."""
        hub = EpollHub(QuietReactor())
        batches: list[int] = []
        each = [Batched(hub, batches) for _ in range(4)]
        for one in each[:2]:
            one.there.send(b"hello")
        each[3].there.close()
        hub.doRead()
        self.assertEqual([one.got for one in each], [b"hello", b"hello", b"", b""])
        self.assertEqual(batches, [2])
        self.assertEqual([bool(one.events) for one in each], [False, False, False, True])
        for one in each[:3]:
            one.close()
