"""What the tests of impaired connections share."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock

from netlab import Limits, NetlabError, Stats
from netlab.impair import parse_stream
from netlab.testing import Faults, MemoryHub, MemoryServer, MemorySocket, serve, socket_pair
from netlab.transport import Detours
from netlab.transport.impaired import ImpairedStream
from netlab.transport.sockets import SocketStream
from tests.testing.streams import LIMITS, Polite, StreamCase


class Tape:
    """A recorder that keeps what it is told: ``flows`` in their order."""

    def __init__(self) -> None:
        self.flows: list[TapedFlow] = []

    def stream(self, peer: tuple[str, int], host: tuple[str, int]) -> TapedFlow:
        """See ``netlab.ledger.Recorder``."""
        flow = TapedFlow(peer, host)
        self.flows.append(flow)
        return flow


class TapedFlow:
    """One connection on the tape; ``end`` is the comment, whether reset, and who was first."""

    def __init__(self, peer: tuple[str, int], host: tuple[str, int]) -> None:
        self.peer = peer
        self.host = host
        self.said = {"in": bytearray(), "out": bytearray()}
        self.end: tuple[str, bool, str] | None = None

    def data(self, direction: str, data: bytes, comment: str = "") -> None:
        """See ``netlab.ledger.Flow``."""
        assert self.end is None
        self.said[direction] += data

    def ended(self, comment: str = "", reset: bool = False, direction: str = "in") -> None:
        """See ``netlab.ledger.Flow``."""
        assert self.end is None
        self.end = (comment, reset, direction)


def detours(words: str | None, recorder: Any = None) -> Detours:
    """What ``--impair words`` makes."""
    return Detours(None if words is None else parse_stream(words), recorder)


def impaired(app: Any, words: str | None, recorder: Any = None, **options: Any) -> MemoryServer:
    """``netlab.testing.serve``, but for connections that take a detour."""
    link = serve(app, **options)
    link.server.streams._detours = detours(words, recorder)
    return link


class DetourCase(StreamCase):
    """A ``StreamCase`` whose stream has a detour below it; ``words`` impair it."""

    words: str | None = None
    stream: Any

    def start(self, faults: Faults, limits: Limits = LIMITS) -> None:
        """As that of ``StreamCase``."""
        self.clock = Clock()
        self.hub = MemoryHub(self.clock)
        here, self.peer = socket_pair(self.hub, faults)
        self.sock: MemorySocket = here
        self.lost: list[NetlabError | None] = []
        self.stats = Stats()
        self.receiver = Polite()
        self.tape = Tape()
        self.stream: ImpairedStream = detours(self.words, self.tape).stream(
            SocketStream,
            self.hub,
            here,
            self.receiver,
            limits=limits,
            stats=self.stats,
            peer=self.peer.address,
            on_lost=lambda stream, reason: self.lost.append(reason),
        )
        self.hub.start_ticking(self.tick)
        self.receiver.call(self.stream.start)
        self.receiver.within.clear()  # connected() comes from start()

    def impair(self, words: str | None, limits: Limits | None = None, **faults: Any) -> None:
        """Begins again, impaired by ``words``."""
        self.words = words
        self.start(Faults(**faults), limits or Limits())

    @property
    def received(self) -> bytes:
        """What the receiver was given."""
        return bytes(self.receiver.received)

    def give(self, data: bytes) -> None:
        """The peer sends ``data``."""
        assert self.peer.send(data) == len(data)
        self.turn()
