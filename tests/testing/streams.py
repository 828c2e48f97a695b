"""A stream on a socket in memory, for tests of the stream itself."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from netlab import Limits, NetlabError, Stats
from netlab.testing import Faults, MemoryHub, MemorySocket, socket_pair
from netlab.transport import NEVER
from netlab.transport.sockets import SocketStream
from tests.transport.support import Lines, Recorder, advance

LIMITS = Limits(high_water=1000, low_water=200, max_buffered=5000, write_timeout=10)


class Polite(Recorder):
    """Leaves it to the test to close; notes whether it is ever called from within its own call."""

    def __init__(self) -> None:
        super().__init__()
        self.within: list[str] = []
        self.calling = False
        self.due = NEVER

    def _told(self, call: str) -> None:
        super()._told(call)
        if self.calling:
            self.within.append(call)

    def end_received(self) -> None:
        self._told("end")

    def drain(self) -> None:
        self._told("drain")

    def check(self, now: float) -> float:
        self._told("check")
        return self.due

    def call(self, function: Any, *arguments: Any) -> None:
        """Calls the stream, which must not call back."""
        self.calling = True
        function(*arguments)
        self.calling = False


class StreamCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.lines = Lines(self)
        self.start(Faults(capacity=500))
        self.addCleanup(lambda: self.assertEqual(self.lines.with_("internal error"), []))
        self.addCleanup(lambda: self.assertEqual(self.receiver.within, []))

    def start(self, faults: Faults, limits: Limits = LIMITS) -> None:
        self.clock = Clock()
        self.hub = MemoryHub(self.clock)
        here, self.peer = socket_pair(self.hub, faults)
        sock: Any = here
        self.sock: MemorySocket = here
        self.lost: list[NetlabError | None] = []
        self.stats = Stats()
        self.receiver = Polite()
        self.stream = SocketStream(
            self.hub,
            sock,
            self.receiver,
            limits=limits,
            stats=self.stats,
            peer=self.peer.address,
            on_lost=lambda stream, reason: self.lost.append(reason),
        )
        self.hub.start_ticking(self.tick)
        self.receiver.call(self.stream.start)
        self.receiver.within.clear()  # connected() comes from start()

    def tick(self, now: float) -> None:
        if self.stream.next_check <= now:
            self.stream.check(now)

    def turn(self, seconds: float = 0.0) -> None:
        advance(self.clock, seconds)

    def write(self, size: int) -> None:
        self.receiver.call(self.stream.write, bytes(size))

    def close(self, reason: NetlabError | None = None) -> None:
        self.receiver.call(self.stream.close, reason)

    def read(self, size: int = 1 << 20) -> bytes:
        """What the peer gets now, up to ``size`` bytes."""
        got = b""
        while len(got) < size:
            try:
                part = self.peer.recv(size - len(got))
            except OSError:
                break  # nothing yet, or reset
            if not part:
                break
            got += part
        self.turn()
        return got

    def read_all(self) -> bytes:
        self.turn()
        got = b""
        while part := self.read():
            got += part
        return got

    def calls(self) -> list[str]:
        return [each for each in self.receiver.calls if each != "check"]

    def check_lost(self, kind: type[NetlabError] | None) -> None:
        """It is over, and everybody has been told once."""
        self.assertEqual(self.calls().count("lost"), 1)
        self.assertEqual(self.calls()[-1], "lost")
        self.assertEqual(self.lost, [self.receiver.reason])
        self.assertEqual(type(self.receiver.reason), type(None) if kind is None else kind)
        self.assertTrue(self.stream.closing)
        self.assertEqual(self.stream.buffered, 0)
        self.hub.stop_ticking(self.tick)
        self.turn()
        self.assertEqual(self.clock.getDelayedCalls(), [])
