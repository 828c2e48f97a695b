"""A ``Stream`` over any Twisted transport.

Servers on TCP and UNIX sockets own their sockets (``netlab.transport.server``).
Clients, and endpoints that come from plug-ins, bring a transport of their own;
here it plays the part of the socket *and* of the hub that watches it, so that
the very same ``SocketStream`` runs on it, deadlines and water marks included.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from time import monotonic
from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import (
    IHalfCloseableProtocol,
    IHandshakeListener,
    INegotiated,
    IPushProducer,
    ITransport,
)
from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure
from zope.interface import implementer

from .hub import READ, WRITE, Descriptor, Hub
from .stream import JOIN

_ERROR = 8  # EPOLLERR, which nobody asks for and everybody hears
_FD = 0  # the bridge watches one "descriptor"; its number means nothing


@implementer(IHalfCloseableProtocol, IHandshakeListener, IPushProducer)
class Bridge(Protocol):
    """One connection: a protocol to Twisted, a socket and a hub to the stream.

    ``made(bridge)`` is called when the transport is connected, on TLS when the
    handshake is done; it builds the stream with the bridge as its ``hub`` and
    ``sock`` and starts it. ``failed(failure)`` is called instead when the
    transport is lost before that. A handshake may take ``timeout`` seconds.
    """

    def __init__(
        self,
        hub: Hub,
        made: Callable[[Bridge], None],
        failed: Callable[[Failure], None] = lambda failure: None,
        timeout: float | None = None,
    ) -> None:
        self._hub = hub
        self._made = made
        self._failed = failed
        self._timeout = timeout
        self._deadline = float("inf")
        self._is_made = False
        self._stream: Descriptor | None = None
        self._mask = 0
        self._inbox: list[bytes] = []
        self._waiting = 0
        self._reading = True
        self._blocked = False
        self._ended = False
        self._error: OSError | None = None
        self._abort_on_close = False
        self._announced = False
        self._encrypted = False

    # -- as Twisted's protocol

    def connectionMade(self) -> None:
        """See ``IProtocol``."""
        transport: Any = self.transport
        if hasattr(transport, "setTcpNoDelay"):
            transport.setTcpNoDelay(True)
            transport.setTcpKeepAlive(True)
        self._encrypted = INegotiated.providedBy(transport)
        if not self._encrypted:
            self._begin()
        elif self._timeout is not None:
            self._deadline = self._hub.time() + self._timeout
            self._hub.start_ticking(self._tick)

    def handshakeCompleted(self) -> None:
        """See ``IHandshakeListener``."""
        self._hub.stop_ticking(self._tick)
        self._begin()

    def _begin(self) -> None:
        transport: Any = self.transport
        self._is_made = True
        transport.registerProducer(self, True)
        self._made(self)

    def _tick(self, now: float) -> None:
        transport: Any = self.transport
        if now >= self._deadline and transport is not None:
            self._hub.stop_ticking(self._tick)
            transport.abortConnection()

    def dataReceived(self, data: bytes) -> None:
        """See ``IProtocol``."""
        self._inbox.append(data)
        self._waiting += len(data)
        if self._waiting > JOIN and self._reading:
            self._reading = False
            self._producer().pauseProducing()
        self._announce()

    def readConnectionLost(self) -> None:
        """See ``IHalfCloseableProtocol``."""
        self._ended = True
        self._announce()

    def writeConnectionLost(self) -> None:
        """See ``IHalfCloseableProtocol``."""

    def connectionLost(self, reason: Failure = Failure(ConnectionDone())) -> None:  # noqa: B008
        """See ``IProtocol``."""
        self._ended = True
        self.transport = None
        if not self._is_made:
            self._hub.stop_ticking(self._tick)
            self._failed(reason)
            return
        if not reason.check(ConnectionDone):
            self._error = ConnectionResetError(104, reason.getErrorMessage())
        self._announce()

    def pauseProducing(self) -> None:
        """See ``IPushProducer``: the transport has enough for now."""
        self._blocked = True

    def resumeProducing(self) -> None:
        """See ``IPushProducer``: the transport takes more."""
        self._blocked = False
        self._announce()

    def stopProducing(self) -> None:
        """See ``IPushProducer``; ``connectionLost`` follows."""
        self._blocked = False

    # -- as the stream's hub

    @property
    def now(self) -> float:
        """See ``Hub``."""
        return self._hub.time()

    @property
    def mark(self) -> float:
        """See ``Hub``."""
        return self._hub.mark

    @mark.setter
    def mark(self, time: float) -> None:
        self._hub.mark = time

    @property
    def turning(self) -> bool:
        """See ``Hub``."""
        return self._hub.turning

    @property
    def dirty(self) -> list[Descriptor]:
        """See ``Hub``."""
        return self._hub.dirty

    def time(self) -> float:
        """See ``Hub``."""
        return self._hub.time()

    def soon(self, function: Callable[[], None]) -> None:
        """See ``Hub``."""
        self._hub.soon(function)

    def mark_dirty(self, descriptor: Descriptor) -> None:
        """See ``Hub``."""
        self._hub.mark_dirty(descriptor)

    def register(self, fd: int, descriptor: Descriptor, mask: int) -> None:
        """See ``Hub``."""
        self._stream = descriptor
        self._mask = mask
        self._announce()

    def modify(self, fd: int, mask: int) -> None:
        """See ``Hub``."""
        self._mask = mask
        self._announce()

    def unregister(self, fd: int) -> None:
        """See ``Hub``."""
        self._stream = None

    def _ready(self) -> int:
        mask = 0
        if self._inbox or self._ended:
            mask |= READ
        if not self._blocked:
            mask |= WRITE
        mask &= self._mask
        # What came goes first, also when it has to wait: through Twisted's TLS an end
        # without close_notify looks like a reset. On plain TCP a reset is a reset.
        if self._error is None or (self._inbox and (mask & READ or self._encrypted)):
            return mask
        return mask | _ERROR

    def _announce(self) -> None:
        """Tells the stream in the hub's next turn that it can go on."""
        if not self._announced and self._stream is not None and self._ready():
            self._announced = True
            self._hub.soon(self._serve)

    def _serve(self) -> None:
        self._announced = False
        self._hub.mark = monotonic()
        ready = self._ready()
        if self._stream is None or not ready:
            return
        try:
            if ready == READ:
                self._stream.readable()
            else:
                self._stream.event(ready)
        except Exception:
            self._hub.log.failure("internal error in {stream}", stream=self._stream)
            if self._stream is not None:
                self._stream.failed()
        self._announce()

    # -- as the stream's socket

    def fileno(self) -> int:
        """A stand-in; the bridge is the only one who hears it."""
        return _FD

    def recv(self, size: int) -> bytes:
        """See ``socket.recv``."""
        if not self._inbox:
            if self._error is not None:
                raise self._error
            if self._ended:
                return b""
            raise BlockingIOError
        data = b"".join(self._inbox) if len(self._inbox) > 1 else self._inbox[0]
        self._inbox = [data[size:]] if len(data) > size else []
        data = data[:size]
        self._waiting -= len(data)
        if not self._reading and self._waiting <= JOIN // 4 and self.transport is not None:
            self._reading = True
            self._producer().resumeProducing()
        return data

    def send(self, data: bytes) -> int:
        """See ``socket.send``."""
        return self.sendmsg([data])

    def sendmsg(self, buffers: list[bytes]) -> int:
        """See ``socket.sendmsg``."""
        if self.transport is None:
            raise BrokenPipeError(32, "the connection is gone")
        if self._blocked:
            raise BlockingIOError
        # No more than the transport calls full: what it holds has no deadline.
        sent = 0
        for data in buffers:
            piece = bytes(memoryview(data)[: JOIN - sent])
            self.transport.write(piece)
            sent += len(piece)
            if self._blocked or sent == JOIN:
                break
        return sent

    def shutdown(self, how: int) -> None:
        """See ``socket.shutdown``."""
        transport: Any = self.transport
        if transport is None:
            raise OSError(107, "not connected")
        transport.unregisterProducer()
        # TLS has no half-close in Twisted: its goodbye ends both directions.
        if INegotiated.providedBy(transport) or not hasattr(transport, "loseWriteConnection"):
            transport.loseConnection()
        else:
            transport.loseWriteConnection()

    def setsockopt(self, level: int, option: int, value: Any) -> None:
        """The one option that a stream sets: to reset when it closes."""
        if option == socket.SO_LINGER:
            self._abort_on_close = True

    def getsockopt(self, level: int, option: int) -> int:
        """The one option that a stream asks for: the pending error."""
        return 0 if self._error is None else self._error.errno or 0

    def getsockname(self) -> Any:
        """See ``socket.getsockname``; a Twisted address."""
        return None if self.transport is None else self.transport.getHost()

    def close(self) -> None:
        """See ``socket.close``."""
        transport: Any = self.transport
        if transport is not None:
            transport.unregisterProducer()
            # Without the peer's end, loseConnection might wait for ever.
            aborting = self._abort_on_close or not self._ended
            if aborting and hasattr(transport, "abortConnection"):
                transport.abortConnection()
            else:
                transport.loseConnection()

    def _producer(self) -> Any:
        transport: ITransport | None = self.transport
        return transport
