"""HTTP servers: a handler, endpoints, and ``serve``, which brings them together."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress

from netlab.errors import ConfigurationError
from netlab.transport import (
    DEFAULT_GRACE,
    Detours,
    Hub,
    Log,
    Opening,
    StreamServer,
    listen_on,
    loopback,
)

from .access import Access, AccessLog
from .connection import HttpConnection
from .dates import Dates
from .head import HeadReader
from .limits import HttpLimits
from .message import Request, Response
from .stats import HttpStats

DEFAULT_PORT = 8080

Answer = Response | Awaitable[Response]


class Handler(Protocol):
    """What answers requests; a plain callable that does the same will do as well.

    The response may be there at once, which costs least, or be waited for. An error that
    a handler raises is a 500 for the client and a line in the log, with a number that both
    have; a ``RequestError`` is the answer that it says. When the client goes away, a
    handler that waits is cancelled.
    """

    def handle(self, request: Request) -> Answer:
        """The response to ``request``, or an awaitable of it."""


AnyHandler = Handler | Callable[[Request], Answer]


def handler_of(handler: AnyHandler) -> Callable[[Request], Answer]:
    """The function that answers requests. Raises ``ConfigurationError`` if there is none."""
    found: Any = getattr(handler, "handle", handler)
    if isinstance(handler, type) or not callable(found):
        raise ConfigurationError(
            f"{handler!r} cannot be served: give a function of a Request, or an object "
            "with a method handle(request)"
        )
    function: Callable[[Request], Answer] = found
    return function


class HttpServer:
    """Serves one handler on any number of endpoints.

    handler     see ``Handler``
    limits      the defaults of ``HttpLimits`` unless given
    access_log  is called with an ``Access`` for each response
    detours     impairs or records each connection; see ``netlab.transport.Detours``
    key_log     is given TLS secrets, for a capture; see ``netlab.ledger.open_key_log``

    ``stats`` counts what it does; ``addresses`` are where it listens.
    """

    log = Log()

    def __init__(
        self,
        handler: AnyHandler,
        *,
        reactor: Any,
        limits: HttpLimits | None = None,
        name: str = "http",
        hub: Hub | None = None,
        access_log: AccessLog | None = None,
        detours: Detours | None = None,
        key_log: Callable[[Any, bytes], None] | None = None,
    ) -> None:
        if not isinstance(limits, HttpLimits | None):
            raise ConfigurationError(f"limits must be HttpLimits, not {type(limits).__name__}")
        self.handler = handler_of(handler)
        self.limits = limits or HttpLimits()
        self.name = name
        self.stats = HttpStats()
        self.reader = HeadReader(
            self.limits.max_fields, self.limits.max_target, self.limits.max_body
        )
        self.dates = Dates()
        self.access_log = None if access_log is None else self._log_access
        self._write_access = access_log
        self._access_log_failed = False
        self.streams = StreamServer(
            reactor,
            self.make_receiver,
            limits=self.limits,
            name=name,
            stats=self.stats,
            hub=hub,
            detours=detours,
            key_log=key_log,
            protocols=(b"http/1.1",),
        )

    def make_receiver(self) -> HttpConnection:
        """The machine for one more connection."""
        return HttpConnection(self)

    @property
    def addresses(self) -> list[IAddress]:
        """Where this server listens now."""
        return self.streams.addresses

    def listen(self, endpoint: Any) -> Deferred[Any]:
        """Listens on one more endpoint; see ``StreamServer.listen``."""
        return self.streams.listen(endpoint)

    def stop(self, grace: float = DEFAULT_GRACE) -> Deferred[None]:
        """Finishes the answers under way and ends; see ``StreamServer.stop``."""
        return self.streams.stop(grace)

    def _log_access(self, entry: Access) -> None:
        """A log that cannot be written must not take the service with it."""
        assert self._write_access is not None
        try:
            self._write_access(entry)
            self._access_log_failed = False
        except Exception:
            if not self._access_log_failed:  # not once for each request
                self.log.failure("{name}: the access log cannot be written", name=self.name)
            self._access_log_failed = True


def serve(
    handler: AnyHandler,
    *endpoints: Any,
    limits: HttpLimits | None = None,
    access_log: AccessLog | None = None,
    reactor: Any = None,
) -> Opening[HttpServer]:
    """Serves ``handler``: ``server = await serve(hello, "tcp:8080")``.

    endpoints   Twisted endpoint strings, or ``IStreamServerEndpoint`` objects; none means
                port 8080 on this machine's own addresses
    limits      the defaults of ``HttpLimits`` unless given
    access_log  see ``HttpServer``
    reactor     the global reactor unless given

    The result can be awaited for the running ``HttpServer``, or be entered with
    ``async with``, which stops the server at the end. Raises ``ConfigurationError``
    and ``ListenFailed``; then nothing is left listening.
    """
    if reactor is None:
        from twisted.internet import reactor

    async def open_() -> HttpServer:
        server = HttpServer(handler, reactor=reactor, limits=limits, access_log=access_log)
        await listen_on(server, endpoints or loopback(DEFAULT_PORT))
        return server

    return Opening(open_(), lambda server: server.stop())
