"""A UDP peer in a thread that does what a script says: plain sockets, no Twisted."""

# trial's assertions have no annotations:
# mypy: allow-untyped-calls

from __future__ import annotations

import heapq
import select
import socket
import threading
from collections.abc import Callable, Iterable
from itertools import count
from time import monotonic

from twisted.trial.unittest import SynchronousTestCase

PATIENCE = 10.0  # seconds until a test that hangs gives up

Answers = Iterable[bytes | tuple[float, bytes]]
Script = Callable[[int, bytes], Answers]
"""Says of the n-th datagram what goes back: bytes at once, or after so many seconds."""


def echo(number: int, data: bytes) -> Answers:
    """It goes back as it came."""
    return [data]


def silence(number: int, data: bytes) -> Answers:
    """It is lost."""
    return []


def flip(data: bytes, *bits: int) -> bytes:
    """``data`` with these bits wrong: bit n is bit n % 8 of byte n // 8."""
    wrong = bytearray(data)
    for bit in bits:
        wrong[bit // 8] ^= 1 << bit % 8
    return bytes(wrong)


class Peer:
    """Answers on ``port`` until ``stop``. ``received`` is what came, ``sources`` from where."""

    def __init__(self, script: Script, host: str = "127.0.0.1") -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.script = script
        self.received: list[bytes] = []
        self.sources: list[tuple[str, int]] = []
        self.socket = socket.socket(family, socket.SOCK_DGRAM)
        try:
            self.socket.bind((host, 0))
        except BaseException:
            self.socket.close()
            raise
        self.other = socket.socket(family, socket.SOCK_DGRAM)  # to answer from a wrong port
        self.other.bind((host, 0))
        self.host = f"[{host}]" if ":" in host else host
        self.port: int = self.socket.getsockname()[1]
        self.problem: BaseException | None = None
        self._news = threading.Condition()
        self._stop, self._stopper = socket.socketpair()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    @property
    def address(self) -> str:
        """Where it listens, as HOST:PORT."""
        return f"{self.host}:{self.port}"

    def wait_for(self, count: int) -> list[bytes]:
        """Returns ``received`` once there are so many."""
        with self._news:
            if not self._news.wait_for(lambda: len(self.received) >= count, PATIENCE):
                raise AssertionError(f"only {len(self.received)} of {count} datagrams came")
        return self.received

    def stop(self) -> None:
        """Ends it; what went wrong in its script is raised here."""
        self._stopper.close()
        self._thread.join()
        for each in (self._stop, self.socket, self.other):
            each.close()
        if self.problem is not None:
            raise self.problem

    def _run(self) -> None:
        try:
            self._serve()
        except BaseException as error:
            self.problem = error

    def _serve(self) -> None:
        numbers = count()
        later: list[tuple[float, int, bytes, tuple[str, int]]] = []
        while True:
            left = max(0.0, later[0][0] - monotonic()) if later else PATIENCE
            ready, _, _ = select.select([self.socket, self._stop], [], [], left)
            if self._stop in ready:
                return
            if self.socket in ready:
                data, source = self.socket.recvfrom(65535)
                number = len(self.received)
                with self._news:
                    self.sources.append(source)
                    self.received.append(data)
                    self._news.notify_all()
                for answer in self.script(number, data):
                    delay, reply = (0.0, answer) if isinstance(answer, bytes) else answer
                    if delay:
                        heapq.heappush(later, (monotonic() + delay, next(numbers), reply, source))
                    else:
                        self.socket.sendto(reply, source)
            while later and later[0][0] <= monotonic():
                _, _, reply, source = heapq.heappop(later)
                self.socket.sendto(reply, source)


class PeerCase(SynchronousTestCase):
    """Tests with peers that end when the test does."""

    def peer(self, script: Script = echo, host: str = "127.0.0.1") -> Peer:
        peer = Peer(script, host)
        self.addCleanup(peer.stop)
        return peer


def closed_port() -> int:
    """A port where nothing listens (nobody else is given it so soon)."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def has_ipv6() -> bool:
    """Whether ``::1`` can be listened on."""
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True
