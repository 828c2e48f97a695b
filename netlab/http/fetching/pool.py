"""Connections to origins, kept for the next request: Twisted's pool with our protocol in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from twisted.internet.defer import Deferred, fail, gatherResults
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.error import DNSLookupError
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IStreamClientEndpoint
from twisted.internet.protocol import Factory
from twisted.python.failure import Failure
from twisted.web.client import HTTPConnectionPool
from zope.interface import implementer

from netlab.fields import ProxyError

from .connection import Upstream
from .errors import FetchError
from .fetched import Fetched
from .limits import FetchLimits
from .sending import Outgoing
from .trust import Verifier
from .uris import Where, check_host

IDLE_TIMEOUT = 30
"""Seconds after which a connection that nobody uses is closed; many servers do so after 60."""
_MOST_VERIFIERS = 64


class Pool(HTTPConnectionPool):
    """Makes connections, and keeps up to ``max_connections`` idle ones for each origin.

    ``twisted.web.client.Agent`` is not between this and the fetcher: it drops an empty
    query, reads a path that begins with // as a host, and sorts the fields.
    """

    def __init__(self, reactor: Any, limits: FetchLimits, roots: Any) -> None:
        super().__init__(reactor, persistent=True)  # type: ignore[no-untyped-call]
        self.cachedConnectionTimeout = IDLE_TIMEOUT
        self.maxPersistentPerHost = limits.max_connections
        self._limits = limits
        self._roots = roots
        self._verifiers: dict[str, Verifier] = {}
        self._alive: set[Upstream] = set()

    def _factory(  # type: ignore[override]
        self, quiescent: Callable[[Upstream], None], _: object
    ) -> Any:
        """What makes the protocol of a new connection, for the pool."""
        return _UpstreamFactory(
            lambda: Upstream(
                self._reactor, self._limits, quiescent, self._alive.add, self._alive.discard
            )
        )

    def send(self, outgoing: Outgoing) -> Deferred[Fetched]:
        """Sends a request, on a connection of its own if it cannot be sent twice.

        A server may close an idle connection at any moment (RFC 9112, 9.3.1): a request
        that may be repeated is then sent once more, on a new connection.
        """
        where = outgoing.where
        key = (where.scheme, where.host, where.port)
        try:
            check_host(where.host)
            endpoint = self._endpoint(where)
        except ValueError:
            return fail(_no_name(where.origin))
        getting = self.getConnection if outgoing.repeatable else self._newConnection
        connected: Deferred[Any] = getting(key, endpoint)
        return connected.addCallback(lambda connection: connection.request(outgoing))

    def close(self) -> Deferred[None]:
        """Closes all connections, idle or not; fires when they are."""
        closing = [self.closeCachedConnections()]  # type: ignore[no-untyped-call]
        closing += [each.abort() for each in list(self._alive)]
        return gatherResults(closing).addCallback(lambda _: None)

    # -- of Twisted's pool: its closes never end if a TLS peer does not answer them

    def _putConnection(self, key: Any, connection: Upstream) -> None:
        if len(self._connections.get(key, ())) >= self.maxPersistentPerHost:
            connection.close()
        else:
            super()._putConnection(key, connection)  # type: ignore[no-untyped-call]

    def _removeConnection(self, key: Any, connection: Upstream) -> None:
        connection.close()
        super()._removeConnection(key, connection)  # type: ignore[no-untyped-call]

    # -- connecting

    def _endpoint(self, where: Where) -> IStreamClientEndpoint:
        # Ours is the shorter time-out, or each address of the host would have its own.
        limit = self._limits.connect_timeout
        endpoint: IStreamClientEndpoint = HostnameEndpoint(
            self._reactor, where.host.encode("ascii"), where.port, timeout=2 * limit
        )
        if where.scheme == "https":
            endpoint = wrapClientTLS(self._verifier(where.host), endpoint)
        return _InTime(endpoint, self._reactor, limit, where.origin)

    def _verifier(self, host: str) -> Verifier:
        """The platform's authorities take a while to load: they are not for each request."""
        found = self._verifiers.get(host)
        if found is None:
            if len(self._verifiers) >= _MOST_VERIFIERS:
                self._verifiers.clear()
            found = self._verifiers[host] = Verifier(host, self._roots)
        return found


class _UpstreamFactory(Factory):
    """For Twisted's endpoints."""

    noisy = False

    def __init__(self, build: Callable[[], Upstream]) -> None:
        self._build = build

    def buildProtocol(self, _: object) -> Upstream:
        return self._build()


@implementer(IStreamClientEndpoint)
class _InTime:
    """An endpoint with one time-out for looking up the name and connecting."""

    def __init__(self, endpoint: Any, reactor: Any, seconds: float, where: str) -> None:
        self._endpoint = endpoint
        self._reactor = reactor
        self._seconds = seconds
        self._where = where

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        connecting: Deferred[IProtocol] = self._endpoint.connect(protocolFactory)
        connecting.addErrback(self._misnamed)
        return connecting.addTimeout(self._seconds, self._reactor, self._late)

    def _misnamed(self, failure: Failure) -> Failure:
        return Failure(_no_name(self._where)) if failure.check(ValueError) else failure

    def _late(self, failure: object, seconds: float) -> NoReturn:
        looking_up = isinstance(failure, Failure) and failure.check(DNSLookupError)
        kind = ProxyError.DNS_TIMEOUT if looking_up else ProxyError.CONNECTION_TIMEOUT
        what = "the host name was not found" if looking_up else "no connection came about"
        raise FetchError(kind, f"{self._where}: {what} within {seconds:g} s")


def _no_name(where: str) -> FetchError:
    return FetchError(ProxyError.DNS_ERROR, f"{where}: the host name is not one")
