"""A ``Stream`` over any Twisted transport.

Servers on TCP and UNIX sockets own their sockets (``netlab.transport.server``).
Clients, and endpoints that come from plug-ins, bring a transport of their own;
here it is plugged in below the very same ``SocketStream`` (see ``Plug``).
"""

from __future__ import annotations

from collections.abc import Callable
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

from .hub import READ, Hub
from .plug import Plug
from .sockets import unsent
from .stream import JOIN


@implementer(IHalfCloseableProtocol, IHandshakeListener, IPushProducer)
class Bridge(Plug, Protocol):
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
        super().__init__(hub)
        self._made = made
        self._failed = failed
        self._timeout = timeout
        self._deadline = float("inf")
        self._is_made = False
        self._reading = True
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

    # -- as the stream's socket

    def _first_read(self, mask: int) -> bool:
        # Through Twisted's TLS an end without close_notify looks like a reset, so what
        # came goes first there, also when it has to wait.
        return bool(self._inbox and (mask & READ or self._encrypted))

    def _taken(self) -> None:
        if not self._reading and self._waiting <= JOIN // 4 and self.transport is not None:
            self._reading = True
            self._producer().resumeProducing()

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

    @property
    def unsent(self) -> int:
        """Bytes that the transport or the kernel still has, as far as Twisted's own tell."""
        transport: Any = self.transport
        while hasattr(transport, "transport"):  # TLS, or another that wraps one
            transport = transport.transport
        waiting = getattr(transport, "_tempDataLen", 0)
        waiting += len(getattr(transport, "dataBuffer", b"")) - getattr(transport, "offset", 0)
        get_handle = getattr(transport, "getHandle", None)
        return waiting + (unsent(get_handle()) if get_handle is not None else 0)

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
