"""Connecting: an endpoint string, a deadline, and errors a person can read."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import SSL
from service_identity import VerificationError
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.error import ConnectError, ConnectingCancelledError, DNSLookupError
from twisted.internet.interfaces import IAddress, IStreamClientEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.ssl import Certificate, optionsForClientTLS, trustRootFromCertificates
from twisted.python.failure import Failure

from netlab.errors import ConfigurationError, ConnectFailed, NetlabError
from netlab.escaping import escape
from netlab.target import parse_target

from .bridge import Bridge
from .deadline import Deadline
from .endpoints import parse_client_endpoint, reason_text
from .hub import Hub, hub_for
from .limits import Limits
from .receiver import Receiver
from .sockets import SocketStream
from .stats import Stats
from .stream import Stream
from .tls import reason_of


def connect_stream(
    reactor: Any,
    endpoint: str | IStreamClientEndpoint,
    receiver: Receiver,
    *,
    timeout: float,
    limits: Limits | None = None,
    stats: Stats | None = None,
    ca_file: str | None = None,
) -> Deferred[Stream]:
    """Connects to ``endpoint`` and serves the connection by ``receiver``.

    endpoint  a Twisted client endpoint string, or an ``IStreamClientEndpoint``
    timeout   seconds until the connection, TLS included, must be there
    ca_file   a PEM file of certificates to trust instead of the system's
              (with ``tls:HOST:PORT`` only)

    Host names are verified by service-identity. The Deferred fails with
    ``ConnectFailed``; ``ConfigurationError`` is raised at once.
    """
    name = endpoint if isinstance(endpoint, str) else repr(endpoint)
    if ca_file is not None:
        endpoint = _trusting(reactor, name, ca_file)
    elif isinstance(endpoint, str):
        if ":[" in endpoint:  # tcp:[::1]:8032, which Twisted writes with backslashes
            endpoint = str(parse_target(endpoint))
        endpoint = parse_client_endpoint(reactor, endpoint)
    return _Attempt(
        reactor, endpoint, name, receiver, timeout, limits or Limits(), stats or Stats()
    ).done


class _Attempt:
    """One try to connect; ``done`` fires with the stream, or with why there is none."""

    def __init__(
        self,
        reactor: Any,
        endpoint: IStreamClientEndpoint,
        name: str,
        receiver: Receiver,
        timeout: float,
        limits: Limits,
        stats: Stats,
    ) -> None:
        self.name = name
        self.receiver = receiver
        self.timeout = timeout
        self.limits = limits
        self.stats = stats
        self.hub: Hub = hub_for(reactor)
        self.done: Deferred[Stream] = Deferred(lambda _: self._give_up())
        self._over = False
        self._bridge: Bridge | None = None
        self._deadline = Deadline(self.hub, reactor, timeout, self._expired)
        factory = _OneProtocol(self._build)
        self._connecting: Deferred[Any] = endpoint.connect(factory)
        self._connecting.addErrback(self._failed)

    def _build(self) -> Bridge:
        self._bridge = Bridge(self.hub, self._made, self._failed)
        return self._bridge

    def _made(self, bridge: Bridge) -> None:
        if self._over:
            bridge.close()
            return
        self._end()
        plugged: Any = bridge
        peer: Any = bridge.transport
        stream = SocketStream(
            plugged,
            plugged,
            self.receiver,
            limits=self.limits,
            stats=self.stats,
            peer=peer.getPeer(),
            on_lost=self._lost,
            reads_when_full=True,
        )
        self.stream = stream
        self.hub.start_ticking(self._sweep)
        stream.start()
        self.done.callback(stream)

    def _sweep(self, now: float) -> None:
        if self.stream.next_check <= now:
            self.stream.check(now)

    def _lost(self, stream: Stream, reason: NetlabError | None) -> None:
        self.hub.stop_ticking(self._sweep)
        if reason is not None:
            self.stats.errors[reason.kind] += 1

    def _failed(self, failure: Failure) -> None:
        if not self._over:
            self._end()
            self.done.errback(
                ConnectFailed(f"cannot connect to {escape(self.name)}: {_why(failure)}")
            )

    def _expired(self) -> None:
        if not self._over:
            self._end()
            text = f"cannot connect to {escape(self.name)}: no answer within {self.timeout:g} s"
            self._let_go()
            self.done.errback(ConnectFailed(text))

    def _give_up(self) -> None:
        self._end()
        self._let_go()

    def _end(self) -> None:
        self._over = True
        self._deadline.cancel()

    def _let_go(self) -> None:
        self._connecting.cancel()
        if self._bridge is not None:
            self._bridge.close()


class _OneProtocol(Factory):
    noisy = False

    def __init__(self, build: Any) -> None:
        self.build = build

    def buildProtocol(self, addr: IAddress | None) -> Protocol | None:
        protocol: Protocol = self.build()
        return protocol


def _why(failure: Failure) -> str:
    error = failure.value
    if isinstance(error, (CancelledError, ConnectingCancelledError)):
        return "given up"
    if isinstance(error, DNSLookupError):
        return "the host name is not known"
    if isinstance(error, VerificationError):
        return "its certificate is not for that host name"
    if isinstance(error, SSL.Error):
        return f"TLS failed: {reason_of(error)}"
    if isinstance(error, ConnectError) and isinstance(error.osError, int):
        return reason_text(OSError(error.osError, os.strerror(error.osError)))
    return reason_text(error)


def _trusting(reactor: Any, name: str, ca_file: str) -> IStreamClientEndpoint:
    target = parse_target(name)
    if target.kind != "tls":
        raise ConfigurationError(f"a CA file goes with tls:HOST:PORT, not with {escape(name)!r}")
    try:
        found = x509.load_pem_x509_certificates(Path(ca_file).read_bytes())
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"CA file {escape(ca_file)!r}: {reason_text(error)}") from error
    roots = trustRootFromCertificates(
        [Certificate.loadPEM(each.public_bytes(Encoding.PEM)) for each in found]
    )
    try:
        options = optionsForClientTLS(target.host, trustRoot=roots)
    except ValueError as error:  # idna's errors are such
        text = f"endpoint {escape(name)!r}: {escape(target.host)!r} is no host name: {error}"
        raise ConfigurationError(text) from error
    return wrapClientTLS(options, HostnameEndpoint(reactor, target.host, target.port))
