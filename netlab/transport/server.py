"""A server of streams: endpoints in, connections within limits, and an end that is clean."""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from OpenSSL import SSL
from twisted.internet import tcp, unix
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IAddress, IListeningPort
from twisted.internet.protocol import Factory, Protocol
from twisted.protocols.haproxy._wrapper import HAProxyWrappingFactory
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure

from netlab.errors import (
    DeadlineExceeded,
    ListenFailed,
    NetlabError,
    RemoteProtocolError,
    ServerStopping,
    TLSFailed,
)
from netlab.escaping import escape

from .acceptor import Acceptor
from .addresses import RawAddress, address_of, address_text
from .bridge import Bridge
from .contexts import KeyLog, Wishes
from .endpoints import server_endpoint
from .hub import Hub, hub_for
from .impaired import Detours
from .limits import Limits, default_max_connections
from .log import Log, debugging
from .proxyheader import ProxyHeader
from .receiver import Receiver
from .sockets import SocketStream
from .stats import Stats
from .stream import Stream
from .tls import TLSStream, context_of, reason_of, tls_stream

DEFAULT_GRACE = 10.0
"""Seconds that ``stop`` gives to connections which are not done."""


class StreamServer:
    """Serves connections on any number of endpoints, with one set of limits.

    reactor        the reactor to listen with
    make_receiver  called for each connection; returns the ``Receiver`` that serves it
    limits         see ``Limits``
    name           what log lines call this server
    detours        impairs or records each connection; see ``Detours``
    key_log        is told TLS secrets; see ``netlab.transport.contexts``
    protocols      that are spoken here, as ALPN names them (RFC 7301); see there

    ``stats`` counts; ``streams`` are the connections open now.
    """

    log = Log()

    def __init__(
        self,
        reactor: Any,
        make_receiver: Callable[[], Receiver],
        *,
        limits: Limits | None = None,
        name: str = "server",
        stats: Stats | None = None,
        hub: Hub | None = None,
        detours: Detours | None = None,
        key_log: KeyLog | None = None,
        protocols: Sequence[bytes] = (),
    ) -> None:
        self.reactor = reactor
        self.limits = limits or Limits()
        self.max_connections = self.limits.max_connections or default_max_connections()
        self.name = name
        self.stats = stats or Stats()
        self.streams: set[Stream] = set()
        self.ports: list[IListeningPort] = []
        self._make_receiver = make_receiver
        self._hub = hub or hub_for(reactor)
        self._acceptors: list[Acceptor] = []
        self._headers: set[ProxyHeader] = set()
        self._bridges: set[Bridge] = set()  # in a TLS handshake
        self._detours = detours
        self._key_log = key_log
        self._tls_stream = tls_stream(Wishes(tuple(protocols), key_log))
        self._by_address: Counter[str] = Counter()
        self._factory = _BridgeFactory(self)
        self._stop_at = float("inf")
        self._stopping: Deferred[None] | None = None
        self._waiting_to_stop: list[Deferred[None]] = []
        self._complained: dict[str, float] = {}

    # -- listening

    def listen(self, endpoint: Any) -> Deferred[IListeningPort]:
        """Listens on ``endpoint``: a Twisted endpoint string, or an ``IStreamServerEndpoint``.

        The Deferred fires when connections are taken, or fails with
        ``ConfigurationError`` (a string that means nothing) or ``ListenFailed``.
        """
        listening: Deferred[IListeningPort] = server_endpoint(self.reactor, endpoint, self._factory)
        return listening.addCallback(self._adopt)

    def start(self) -> None:
        """Begins to look at the deadlines; ``listen`` does it, ``accepted`` alone needs it."""
        if self._stopping is None:
            self._hub.start_ticking(self._sweep)

    @property
    def addresses(self) -> list[IAddress]:
        """Where this server listens."""
        return [port.getHost() for port in self.ports]

    def _adopt(self, port: IListeningPort) -> IListeningPort:
        """Takes the listening socket over from ``port``, which keeps its clean-up duties.

        Twisted's endpoints wrap the factory for TLS and for PROXY headers;
        both are understood here. Any other port goes on by itself, and its
        connections come in through ``Bridge``.
        """
        if self.stopping:
            port.stopListening()
            raise ListenFailed(f"{self.name} stopped before it listened")
        self.ports.append(port)
        self.start()
        factory: Any = getattr(port, "factory", None)
        tls: TLSMemoryBIOFactory | None = None
        proxied = False
        while factory is not self._factory:
            if type(factory) is TLSMemoryBIOFactory:
                tls = factory
            elif type(factory) is HAProxyWrappingFactory:
                proxied = True
            else:
                return self._go_on_by_itself(port)
            factory = factory.wrappedFactory
        if not isinstance(port, (tcp.Port, unix.Port)):
            return self._go_on_by_itself(port)
        port.stopReading()

        def accepted(sock: socket.socket, address: Any) -> None:
            self.accepted(sock, address, tls, proxied)

        self._acceptors.append(
            Acceptor(
                self._hub,
                port.socket,
                accepted,
                lambda: self._count("accept_error"),
                port.backlog or 0,
            )
        )
        return port

    def _go_on_by_itself(self, port: IListeningPort) -> IListeningPort:
        if self._key_log is not None:
            self.log.warn(
                "{name}: the key log gets no secrets of connections to {address}: "
                "its endpoint brings transports of its own",
                name=self.name,
                address=address_text(port.getHost()),
            )
        return port

    # -- connections

    def accepted(
        self,
        sock: socket.socket,
        address: RawAddress,
        tls: TLSMemoryBIOFactory | None = None,
        proxied: bool = False,
    ) -> None:
        """Takes on a connected, non-blocking socket, or closes it: there is no room.

        ``tls`` is a Twisted endpoint's way to encrypt; ``proxied``: a PROXY header comes first.
        """
        if not self._room("max_connections"):
            sock.close()
        elif proxied:
            self._await_header(sock, address, tls)
        else:
            self._connect(sock, address, tls)

    def _await_header(
        self, sock: socket.socket, address: Any, tls: TLSMemoryBIOFactory | None
    ) -> None:
        def done(
            sock: socket.socket,
            peer: IAddress | None,
            host: IAddress | None,
            error: NetlabError | None,
        ) -> None:
            self._headers.discard(header)
            if error is None:
                self._connect(sock, peer or address, tls, host)
                return
            sock.close()
            self._ended_badly(address, error)
            self._check_stopped()

        header = ProxyHeader(self._hub, sock, self.limits.handshake_timeout, done)
        self._headers.add(header)

    def _connect(
        self,
        sock: socket.socket,
        peer: RawAddress,
        tls: TLSMemoryBIOFactory | None = None,
        host: RawAddress = None,
    ) -> None:
        """Serves ``sock``, known by ``peer`` and ``host``, if its address has room."""
        key = _host_of(peer)
        if not self._room("max_per_address", key):
            sock.close()
            return
        context = None
        if tls is not None:
            try:
                context = context_of(tls)
            except Exception as error:
                sock.close()
                self._ended_badly(peer, TLSFailed(f"no TLS context: {error}"))
                return
        receiver = self._receiver()
        if receiver is None:
            sock.close()
            return
        kind = SocketStream if context is None else self._tls_stream
        stream = self._stream(kind, self._hub, sock, receiver, peer, host)
        self._add(stream, key)
        if context is None:
            stream.start()
        else:
            try:
                stream.start_tls(context)
            except SSL.Error as error:
                stream.abort(TLSFailed(f"no TLS connection: {reason_of(error)}"))

    def _stream(
        self,
        kind: type[SocketStream] | type[TLSStream],
        hub: Any,
        sock: Any,
        receiver: Receiver,
        peer: RawAddress,
        host: RawAddress = None,
    ) -> Any:
        make: Any = kind if self._detours is None else partial(self._detours.stream, kind)
        return make(
            hub,
            sock,
            receiver,
            limits=self.limits,
            stats=self.stats,
            peer=peer,
            host=host,
            on_lost=self._lost,
        )

    def bridge(self, address: IAddress | None) -> Protocol:
        """A Twisted protocol for one connection of a foreign port; it hangs up without room."""
        key = _host_of(address)
        if self.stopping or not (
            self._room("max_connections") and self._room("max_per_address", key)
        ):
            return _Refused()

        def made(bridge: Bridge) -> None:
            self._bridges.discard(bridge)
            plugged: Any = bridge
            receiver = self._receiver()
            if receiver is None:
                plugged.close()
                return
            stream = self._stream(SocketStream, plugged, plugged, receiver, address)
            self._add(stream, key)
            stream.start()

        def failed(failure: Failure) -> None:
            self._bridges.discard(bridge)
            self._check_stopped()

        bridge = Bridge(self._hub, made, failed, self.limits.handshake_timeout)
        self._bridges.add(bridge)
        return bridge

    def _receiver(self) -> Receiver | None:
        try:
            return self._make_receiver()
        except Exception:
            self.log.failure("{name}: no protocol for a connection", name=self.name)
            self.stats.errors["handler_failed"] += 1
            return None

    def _add(self, stream: Stream, key: str) -> None:
        self.streams.add(stream)
        if self.limits.max_per_address is not None:
            self._by_address[key] += 1
        self.stats.accepted += 1
        self.stats.active = len(self.streams)
        if debugging():
            self.log.debug(
                "{name}: connection from {peer}", name=self.name, peer=address_text(stream.peer)
            )

    def _lost(self, stream: Stream, reason: NetlabError | None) -> None:
        self.streams.discard(stream)
        self.stats.active = len(self.streams)
        if self.limits.max_per_address is not None:
            key = _host_of(stream.peer)
            self._by_address[key] -= 1
            if not self._by_address[key]:
                del self._by_address[key]
        if reason is not None:
            self._ended_badly(stream.peer, reason)
        elif debugging():
            self.log.debug(
                "{name}: connection from {peer} ended",
                name=self.name,
                peer=address_text(stream.peer),
            )
        self._check_stopped()

    def _ended_badly(self, peer: RawAddress, error: NetlabError) -> None:
        self.stats.errors[error.kind] += 1
        # A peer's mistake is worth a line, but no more than one a second: who
        # makes many must not fill the log. The rest are at debug.
        telling = isinstance(error, (RemoteProtocolError, DeadlineExceeded, TLSFailed))
        if debugging() or (telling and self._once_a_second(error.kind)):
            (self.log.info if telling else self.log.debug)(
                "{name}: connection from {peer}: {error}",
                name=self.name,
                peer=address_text(address_of(peer)),
                error=escape(str(error), 400),
                kind=error.kind,
            )

    def _room(self, cause: str, key: str = "") -> bool:
        if cause == "max_connections":
            limit: int | None = self.max_connections
            count = len(self.streams) + len(self._headers) + len(self._bridges)
        else:
            limit = self.limits.max_per_address
            count = self._by_address[key] if limit is not None else 0
        if limit is None or count < limit:
            return True
        self._count(cause)
        if self._once_a_second(cause):
            self.log.warn(
                "{name}: connection refused: {cause} is {limit} ({refused} refused so far)",
                name=self.name,
                cause=cause,
                limit=limit,
                refused=self.stats.refused[cause],
            )
        return False

    def _count(self, cause: str) -> None:
        self.stats.refused[cause] += 1

    def _once_a_second(self, topic: str) -> bool:
        now = self._hub.time()
        if now - self._complained.get(topic, float("-inf")) < 1.0:
            return False
        self._complained[topic] = now
        return True

    # -- time and the end

    def _sweep(self, now: float) -> None:
        for stream in [each for each in self.streams if each.next_check <= now]:
            stream.check(now)
        if now >= self._stop_at:
            self.abort()

    def stop(self, grace: float = DEFAULT_GRACE) -> Deferred[None]:
        """Listens no more, lets every connection finish what it has begun, and closes it.

        The Deferred fires when the last one is gone. What is not done after
        ``grace`` seconds is aborted. Calling it again waits for the same end
        with the shorter grace.
        """
        done: Deferred[None] = Deferred()
        self._waiting_to_stop.append(done)
        self._stop_at = min(self._stop_at, self._hub.time() + grace)
        if self._stopping is None:
            for acceptor in self._acceptors:
                acceptor.close()
            self._stopping = Deferred()
            closing = [_maybe_deferred(port.stopListening()) for port in self.ports]
            DeferredList(closing, consumeErrors=True).addCallback(self._ports_closed)
            for header in list(self._headers):
                header.finish(None, None, ServerStopping("the server is stopping"))
            for bridge in list(self._bridges):
                bridge.close()
            for stream in list(self.streams):
                self._hub.soon(stream.drain)
        if grace <= 0:
            self.abort()
        self._hub.soon(self._check_stopped)
        return done

    @property
    def stopping(self) -> bool:
        """Whether ``stop`` was called: no new connection is taken."""
        return self._stopping is not None

    def abort(self) -> None:
        """Ends every connection at once."""
        for stream in list(self.streams):
            stream.abort(ServerStopping("the server stopped before the connection was done"))

    def _ports_closed(self, results: list[tuple[bool, object]]) -> None:
        for worked, result in results:
            if not worked and isinstance(result, Failure):
                self.log.failure("closing a listener of {name}", failure=result, name=self.name)
        self.ports.clear()
        self._acceptors.clear()
        self._check_stopped()

    def _check_stopped(self) -> None:
        if self._stopping is None or self.streams or self._headers or self._bridges or self.ports:
            return
        self._hub.stop_ticking(self._sweep)
        waiting, self._waiting_to_stop = self._waiting_to_stop, []
        for each in waiting:
            each.callback(None)


class _Refused(Protocol):
    """Hangs up. A wrapper's factory cannot do without a protocol, so ``None`` will not do."""

    def connectionMade(self) -> None:
        transport: Any = self.transport
        getattr(transport, "abortConnection", transport.loseConnection)()


class _BridgeFactory(Factory):
    """What endpoints are given to listen with."""

    noisy = False

    def __init__(self, server: StreamServer) -> None:
        self.server = server

    def buildProtocol(self, addr: IAddress | None) -> Protocol | None:
        return self.server.bridge(addr)

    def logPrefix(self) -> str:
        return self.server.name


def _host_of(address: RawAddress) -> str:
    if isinstance(address, tuple):
        return str(address[0])
    return str(getattr(address, "host", ""))


def _maybe_deferred(result: Any) -> Deferred[Any]:
    if isinstance(result, Deferred):
        return result
    done: Deferred[Any] = Deferred()
    done.callback(result)
    return done
