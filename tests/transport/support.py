"""What the tests of the transport share: a receiver that records, peers, and ways to wait.

A test waits for an event and is ended by trial's own time-out when it does not
come. ``eventually`` looks again and again, for what nobody announces.
"""

from __future__ import annotations

import shutil
import socket
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from twisted.internet import reactor as _reactor
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import (
    IHalfCloseableProtocol,
    IListeningPort,
    IStreamServerEndpoint,
)
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock, deferLater
from twisted.internet.threads import deferToThread
from twisted.logger import ILogObserver, LogEvent, formatEvent, globalLogPublisher
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface import implementer

from netlab.errors import NetlabError
from netlab.transport import NEVER, Limits, Stream, StreamServer, hub

reactor: Any = _reactor
DEADLINE = 20.0
"""Seconds until an event is given up; far more than any of them needs."""
LOOPBACK = "tcp:0:interface=127.0.0.1"


TWISTED_USES_X509 = pytest.mark.filterwarnings(
    "ignore:Passing pyOpenSSL:DeprecationWarning", r"ignore:X509\.get_:DeprecationWarning"
)
"""For ``pytestmark`` where there is TLS: what Twisted's endpoints do is theirs to change."""


class Watch:
    """Something that changes, and says so to who waits for it."""

    def __init__(self) -> None:
        self._waiting: list[tuple[Callable[[], bool], Deferred[None]]] = []

    def until(self, condition: Callable[[], bool]) -> Deferred[None]:
        """Fires when ``condition`` holds; it is looked at after each change."""
        done: Deferred[None] = Deferred()
        self._waiting.append((condition, done))
        self.changed()
        return done

    def changed(self) -> None:
        """Something has changed."""
        for each in list(self._waiting):
            condition, done = each
            if condition():
                self._waiting.remove(each)
                done.callback(None)


class Recorder(Watch):
    """A receiver that keeps what it is told; ``echo`` sends it back."""

    stream: Stream

    def __init__(self, *, echo: bool = False) -> None:
        super().__init__()
        self.echo = echo
        self.calls: list[str] = []
        self.received = bytearray()
        self.reason: NetlabError | None = None

    @property
    def is_lost(self) -> bool:
        """Whether ``lost`` was called."""
        return "lost" in self.calls

    def _told(self, call: str) -> None:
        self.calls.append(call)
        self.changed()

    def connected(self, stream: Stream) -> None:
        self.stream = stream
        self._told("connected")

    def data_received(self, data: bytes) -> None:
        self.received += data
        if self.echo:
            self.stream.write(data)
        self._told("data")

    def end_received(self) -> None:
        self.stream.close()
        self._told("end")

    def can_write(self) -> None:
        self._told("can_write")

    def check(self, now: float) -> float:
        return NEVER

    def drain(self) -> None:
        self.stream.close()
        self._told("drain")

    def lost(self, reason: NetlabError | None) -> None:
        self.reason = reason
        self._told("lost")


class Lazy(Recorder):
    """A receiver that is never done when the server stops."""

    def drain(self) -> None:
        self._told("drain")

    def end_received(self) -> None:
        self._told("end")


@implementer(IHalfCloseableProtocol)
class Peer(Watch, Protocol):
    """A peer on a plain Twisted transport, which keeps its half when the other one ends."""

    transport: Any

    def __init__(self) -> None:
        super().__init__()
        self.received = bytearray()
        self.ended = False
        self.lost: BaseException | None = None

    @property
    def over(self) -> bool:
        """Whether nothing more will come."""
        return self.ended or self.lost is not None

    def connectionMade(self) -> None:
        self.changed()

    def dataReceived(self, data: bytes) -> None:
        self.received += data
        self.changed()

    def readConnectionLost(self) -> None:
        self.ended = True
        self.changed()

    def writeConnectionLost(self) -> None:
        pass

    def connectionLost(self, reason: Failure = Failure(ConnectionDone())) -> None:  # noqa: B008
        self.lost = reason.value
        self.changed()


@implementer(IListeningPort)
class ForeignPort:
    """A port that tells nothing of its factory or its socket."""

    def __init__(self, port: Any) -> None:
        self._port = port

    def startListening(self) -> None:
        pass

    def stopListening(self) -> Any:
        return self._port.stopListening()

    def getHost(self) -> Any:
        return self._port.getHost()


@implementer(IStreamServerEndpoint)
class Foreign:
    """An endpoint as a plug-in might bring it; ``tls`` wraps it as stock endpoints do."""

    def __init__(self, tls: Any = None) -> None:
        self.tls = tls

    def listen(self, factory: Any) -> Deferred[Any]:
        if self.tls is not None:
            factory = TLSMemoryBIOFactory(self.tls, False, factory)
        port = maybeDeferred(reactor.listenTCP, 0, factory, interface="127.0.0.1")
        return port.addCallback(ForeignPort)


def connect_peer(port: int) -> Deferred[Peer]:
    """A ``Peer`` connected to ``port`` of this machine."""
    endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", port, timeout=DEADLINE)
    connecting: Deferred[Any] = endpoint.connect(Factory.forProtocol(Peer))
    return connecting


async def eventually(condition: Callable[[], bool], seconds: float = DEADLINE) -> None:
    """Waits until ``condition`` holds, where nothing tells when it does."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds:g} s")
        await deferLater(reactor, 0.005)


async def in_thread(function: Callable[..., Any], *arguments: Any) -> Any:
    """What ``function`` returns, run where it may block."""
    return await deferToThread(function, *arguments)


def advance(clock: Clock, seconds: float) -> None:
    """Lets ``seconds`` pass, each timer at its time."""
    target = clock.seconds() + seconds
    while True:
        due = min((each.getTime() for each in clock.getDelayedCalls()), default=None)
        if due is None or due > target:
            break
        clock.advance(max(0.0, due - clock.seconds()))
    clock.advance(max(0.0, target - clock.seconds()))


def dial(port: int, receive_buffer: int | None = None) -> socket.socket:
    """A blocking connection to ``port``, for use in a thread."""
    sock = socket.socket()
    try:
        if receive_buffer is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        sock.settimeout(DEADLINE)
        sock.connect(("127.0.0.1", port))
    except BaseException:
        sock.close()
        raise
    return sock


def read_all(sock: Any) -> bytes:
    """All that comes up to the end."""
    data = bytearray()
    while more := sock.recv(65536):
        data += more
    return bytes(data)


def read_exactly(sock: Any, size: int) -> bytes:
    """``size`` bytes; ``EOFError`` if the stream ends before."""
    data = bytearray()
    while len(data) < size:
        more = sock.recv(min(size - len(data), 65536))
        if not more:
            raise EOFError(bytes(data))
        data += more
    return bytes(data)


@implementer(ILogObserver)
class Lines:
    """The log while it is watched, as text."""

    def __init__(self, case: SynchronousTestCase) -> None:
        self.events: list[LogEvent] = []
        globalLogPublisher.addObserver(self)
        case.addCleanup(globalLogPublisher.removeObserver, self)

    def __call__(self, event: LogEvent) -> None:
        self.events.append(event)

    def with_(self, text: str) -> list[str]:
        """The lines that contain ``text``."""
        return [line for line in map(formatEvent, self.events) if text in line]


class TransportCase(TestCase):
    """A case with servers on loopback, which are stopped at its end."""

    timeout = 30

    def setUp(self) -> None:
        self.patch(hub, "_hubs", {})  # each with a hub of its own
        self.folder = Path(tempfile.mkdtemp(prefix="netlab-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.receivers: list[Recorder] = []
        self.servers: list[Any] = []
        self.addCleanup(self._stop_all)

    async def _stop_all(self) -> None:
        for each in list(self.servers):
            await self.stop(each)

    def receiver(self) -> Recorder:
        """A receiver for one more connection; override it for another."""
        receiver = Recorder(echo=True)
        self.receivers.append(receiver)
        return receiver

    def server(self, limits: Limits | None = None, **options: Any) -> StreamServer:
        """A server of ``self.receiver``; it does not listen yet."""
        make = options.pop("make_receiver", self.receiver)
        server = StreamServer(reactor, make, limits=limits, **options)
        self.servers.append(server)
        return server

    async def serve(
        self, endpoint: Any = LOOPBACK, limits: Limits | None = None, **options: Any
    ) -> tuple[StreamServer, int]:
        """A server that listens on ``endpoint``, and its port."""
        server = self.server(limits, **options)
        port = await server.listen(endpoint)
        return server, getattr(port.getHost(), "port", 0)

    async def stop(self, server: Any, grace: float = 0.0) -> None:
        """Stops ``server``, once."""
        self.servers.remove(server)
        await server.stop(grace)


class ServerCase(TransportCase):
    """A case whose clients are plain sockets."""

    def dial(self, port: int) -> socket.socket:
        """A connection that is closed at the end of the test."""
        sock = dial(port)
        self.addCleanup(sock.close)
        return sock

    async def ends(self, sock: socket.socket) -> bytes | str:
        """What comes up to the end, or ``reset``."""
        try:
            data: bytes = await in_thread(read_all, sock)
        except ConnectionResetError:
            return "reset"
        return data
