"""The hub in memory: readiness as epoll has it, time as the clock has it."""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from netlab.testing import Faults, MemoryHub, MemorySocket, socket_pair
from netlab.transport.limits import TICK

READ, ERROR, HANGUP = 1, 8, 16


class Watching:
    """A descriptor that keeps what it was told."""

    def __init__(self, sock: MemorySocket) -> None:
        self.sock = sock
        self.told: list[Any] = []

    def readable(self) -> None:
        self.told.append(self.sock.recv(100))

    def event(self, mask: int) -> None:
        self.told.append(mask)

    def failed(self) -> None:
        self.told.append("failed")

    def flush(self) -> None:
        self.told.append("flush")


class Hub(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.hub = MemoryHub(self.clock)
        self.here, self.there = socket_pair(self.hub, Faults())
        self.watching = Watching(self.here)
        self.fd = self.here.fileno()

    def test_tells(self) -> None:
        self.hub.register(self.fd, self.watching, READ)
        self.there.send(b"x")
        self.clock.advance(0)
        self.assertEqual(self.watching.told, [b"x"])
        self.hub.modify(self.fd, 0)
        self.there.send(b"y")
        self.clock.advance(0)
        self.assertEqual(self.watching.told, [b"x"])
        self.hub.modify(self.fd, READ)
        self.clock.advance(0)
        self.assertEqual(self.watching.told, [b"x", b"y"])
        self.hub.unregister(self.fd)
        self.there.send(b"z")
        self.clock.advance(0)
        self.assertEqual(self.watching.told, [b"x", b"y"])

    def test_time_is_the_clock(self) -> None:
        self.clock.advance(5)
        self.assertEqual(self.hub.time(), 5.0)

    def test_ticks_while_it_waits_for_something(self) -> None:
        seen: list[float] = []
        self.hub.start_ticking(seen.append)
        for _ in range(4):
            self.clock.advance(TICK)
        self.assertEqual(seen, [TICK * n for n in range(1, 5)])
        self.hub.stop_ticking(seen.append)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.hub.stop_ticking(seen.append)

    def test_clean_when_nobody_is_left(self) -> None:
        self.hub.register(self.fd, self.watching, READ)
        self.assertTrue(self.clock.getDelayedCalls())
        self.hub.unregister(self.fd)
        self.hub.unregister(self.fd)
        self.clock.advance(0)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_errors_come_unasked(self) -> None:
        self.hub.register(self.fd, self.watching, 0)
        self.there.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"")
        self.there.close()

        def event(mask: int) -> None:
            self.watching.told.append(mask)
            self.hub.unregister(self.fd)

        self.watching.event = event  # type: ignore[method-assign]
        self.clock.advance(0)
        self.assertEqual([each & (ERROR | HANGUP) for each in self.watching.told], [ERROR | HANGUP])
