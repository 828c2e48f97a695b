# trial's assertions have no annotations:
# mypy: allow-untyped-calls
"""What the tests of datagrams share: sockets in memory, on a clock that tests advance.

The server's own code runs on them, unchanged. A ``MemorySocket`` hands out what the
test puts in, errors as well, and keeps what is sent.
"""

from __future__ import annotations

import errno
import os
import socket
from collections import deque
from itertools import count
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import ILogObserver, LogEvent, formatEvent, globalLogPublisher
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from netlab.datagram import DatagramApp, DatagramServer, Peer
from netlab.datagram import port as port_module
from netlab.testing import MemoryHub
from netlab.transport import datagrams
from netlab.transport.datagrams import BATCH, Datagram, Name, Way
from netlab.transport.hub import READ
from tests.transport.support import advance

CLIENT = ("192.0.2.7", 40000)
OTHER = ("192.0.2.8", 40000)
SIX = ("2001:db8::7", 40000, 0, 0)
HERE = "udp:9000:interface=127.0.0.1"
_fds = count(5000)
_ports = count(30000)


def trouble(number: int) -> OSError:
    """An error of the system."""
    return OSError(number, os.strerror(number))


class MemorySocket:
    """A ``DatagramSocket``, and the socket within it. Names are addresses."""

    def __init__(self, host: str, port: int) -> None:
        self.sock: Any = self
        self.family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.address = (host, port or next(_ports))
        self.inbox: deque[Datagram | OSError] = deque()
        self.sent: list[Datagram] = []
        self.refusals: list[int] = []  # errors of the next calls of ``send``
        self.room = BATCH  # datagrams that one call of ``send`` takes
        self.error = 0
        self.closed = False
        self.calls = 0  # of ``receive``
        self.mask = READ
        self._fd = next(_fds)

    # -- as DatagramSocket

    def receive(self, most: int = BATCH) -> list[Datagram]:
        self._check()
        self.calls += 1
        if self.inbox and isinstance(self.inbox[0], OSError):
            raise self.inbox.popleft()  # type: ignore[misc]
        batch: list[Datagram] = []
        while self.inbox and len(batch) < BATCH and not isinstance(self.inbox[0], OSError):
            batch.append(self.inbox.popleft())  # type: ignore[arg-type]
        return batch

    def send(self, datagrams: list[Datagram]) -> int:
        self._check()
        assert 0 < len(datagrams) <= BATCH
        if self.refusals:
            raise trouble(self.refusals.pop(0))
        taken = datagrams[: self.room]
        self.sent += taken
        return len(taken)

    def peer(self, name: Name) -> Peer:
        return tuple(name)

    def name(self, peer: Peer) -> Name:
        host, *others = datagrams.PlainSocket(self.sock).name(peer)
        return host, *others

    def host(self, way: Way) -> str:
        return way.decode() or self.address[0]

    def source(self, name: Name) -> str:
        return str(name[0])

    def port(self, name: Name) -> int:
        return int(name[1])

    # -- as a socket, and for a hub

    def fileno(self) -> int:
        return -1 if self.closed else self._fd

    def getsockname(self) -> tuple[str, int]:
        return self.address

    def getsockopt(self, level: int, option: int) -> int:
        self.error, error = 0, self.error
        return error

    def close(self) -> None:
        self.closed = True

    def ready(self) -> int:
        return self.mask if self.inbox or self.error else 0

    def _check(self) -> None:
        if self.closed:
            raise trouble(errno.EBADF)


@implementer(ILogObserver)
class Lines:
    """The log while it is watched, as text; and whether a traceback was in it."""

    def __init__(self, case: SynchronousTestCase) -> None:
        self.lines: list[str] = []
        globalLogPublisher.addObserver(self)
        case.addCleanup(globalLogPublisher.removeObserver, self)

    def __call__(self, event: LogEvent) -> None:
        self.lines.append(formatEvent(event))


class MemoryCase(SynchronousTestCase):
    """A case whose sockets are in memory."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.hub = MemoryHub(self.clock)
        self.sockets: list[MemorySocket] = []
        self.cannot_bind: list[int] = []  # errors of the next calls of ``bind``
        self.patch(port_module, "bind", self._bind)
        self.servers: list[DatagramServer] = []
        self.addCleanup(self._assert_clean)

    def _bind(self, host: str, port: int) -> MemorySocket:
        if self.cannot_bind:
            raise trouble(self.cannot_bind.pop(0))
        if any((host, port) == each.address and not each.closed for each in self.sockets):
            raise trouble(errno.EADDRINUSE)
        made = MemorySocket(host, port)
        known: Any = made
        self.hub.add(known)
        self.sockets.append(made)
        return made

    def _assert_clean(self) -> None:
        """When all servers have stopped, nothing is open and no time is waited for."""
        for each in self.servers:
            self.successResultOf(each.stop(0))
        self.advance()
        self.assertEqual([each for each in self.sockets if not each.closed], [])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def serve(self, app: Any, *endpoints: str, **options: Any) -> DatagramServer:
        """A server that listens; it is stopped at the end of the test."""
        server = DatagramServer(app, reactor=self.clock, hub=self.hub, **options)
        self.servers.append(server)
        for each in endpoints or (HERE,):
            self.successResultOf(server.listen(each))
        self.advance()
        return server

    @property
    def socket(self) -> MemorySocket:
        """The one that was bound last."""
        return self.sockets[-1]

    @property
    def alarms(self) -> list[float]:
        """When calls are to be made."""
        return sorted(each.when for each in self.hub._alarms._heap if each.function is not None)

    def advance(self, seconds: float = 0.0) -> None:
        """Lets ``seconds`` pass; 0 does what is due now."""
        advance(self.clock, seconds)
        advance(self.clock, 0.0)

    def arrive(
        self, *data: bytes | OSError, peer: Peer = CLIENT, way: Way = b"", at: int = -1
    ) -> None:
        """``data`` come from ``peer`` to the socket ``at``."""
        sock = self.sockets[at]
        sock.inbox += [each if isinstance(each, OSError) else (each, peer, way) for each in data]
        self.hub.poke()
        self.advance()

    def sent(self, at: int = -1) -> list[bytes]:
        """What was sent since this was asked last."""
        sock = self.sockets[at]
        data = [each[0] for each in sock.sent]
        sock.sent.clear()
        return data

    def ask(self, *data: bytes, peer: Peer = CLIENT) -> list[bytes]:
        """What is sent at once in answer to ``data``."""
        self.sent()
        self.arrive(*data, peer=peer)
        return self.sent()


class Noting(DatagramApp):
    """Notes all that happens to it, and answers as it was told to."""

    def __init__(self, answer: Any = None) -> None:
        self.notes: list[Any] = []
        self.answer = answer

    def started(self) -> None:
        self.notes.append("started")

    def datagram_received(self, data: bytes, peer: Peer) -> Any:
        self.notes.append((data, peer))
        return self.answer(data) if callable(self.answer) else self.answer

    def stopped(self) -> None:
        self.notes.append("stopped")


class Slow(DatagramApp):
    """Answers with the request, when the test says so."""

    def __init__(self) -> None:
        self.waiting: list[Deferred[Any]] = []
        self.cancelled = 0

    def datagram_received(self, data: bytes, peer: Peer) -> Any:
        waiting: Deferred[Any] = Deferred(self._cancel)
        self.waiting.append(waiting)
        return waiting.addCallback(lambda answer: data if answer is None else answer)

    def _cancel(self, waiting: Deferred[Any]) -> None:
        self.cancelled += 1

    def go_on(self, answer: bytes | Failure | None = None) -> None:
        """Answers the oldest request."""
        self.waiting.pop(0).callback(answer)
