"""Message servers: an application, endpoints, and ``serve``, which brings them together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress

from netlab.errors import ConfigurationError
from netlab.framing import Framing
from netlab.transport import (
    DEFAULT_GRACE,
    Detours,
    Hub,
    Limits,
    Opening,
    Stats,
    StreamServer,
    listen_on,
    loopback,
)

from .connection import MessageConnection
from .protocol import MessageFactory, MessageProtocol

DEFAULT_PORT = 8032


class Served(Protocol):
    """A class, or an object, that knows how messages serve it; an ``Api`` is one."""

    @staticmethod
    def __message_factory__(app: Any, /) -> MessageFactory:
        """A factory that serves ``app``."""


Application = type[MessageProtocol] | type[MessageFactory] | MessageFactory | Served


def factory_for(app: Application) -> MessageFactory:
    """A factory of ``app``: a protocol class, a factory class, a factory, or an ``Api``.

    Raises ``ConfigurationError`` for anything else.
    """
    if isinstance(app, MessageFactory):
        return app
    if isinstance(app, type) and issubclass(app, MessageFactory):
        return app()
    if isinstance(app, type) and issubclass(app, MessageProtocol):
        factory = MessageFactory()
        factory.protocol = app
        return factory
    if hasattr(app, "__message_factory__"):
        return app.__message_factory__(app)
    raise ConfigurationError(
        f"{app!r} cannot be served: give a subclass of MessageProtocol, MessageFactory or Api"
    )


class MessageServer:
    """Serves one application on any number of endpoints.

    detours  impairs or records each connection; see ``netlab.transport.Detours``
    key_log  is given TLS secrets, for a capture; see ``netlab.ledger.open_key_log``

    ``stats`` counts what it does; ``addresses`` are where it listens.
    """

    def __init__(
        self,
        app: Application,
        *,
        reactor: Any,
        framing: Framing | None = None,
        limits: Limits | None = None,
        name: str = "message",
        hub: Hub | None = None,
        detours: Detours | None = None,
        key_log: Callable[[Any, bytes], None] | None = None,
    ) -> None:
        self.factory = factory_for(app)
        self.framing = framing or self.factory.framing
        self.limits = limits or Limits()
        self.stats = Stats()
        self.factory.framing = self.framing
        self.factory.stats = self.stats
        self.streams = StreamServer(
            reactor,
            self.make_receiver,
            limits=self.limits,
            name=name,
            stats=self.stats,
            hub=hub,
            detours=detours,
            key_log=key_log,
        )
        self._started = False

    def make_receiver(self) -> MessageConnection:
        """The machine for one more connection."""
        protocol = self.factory.build()
        protocol.factory = self.factory
        return MessageConnection(protocol, self.framing, self.limits)

    @property
    def addresses(self) -> list[IAddress]:
        """Where this server listens now."""
        return self.streams.addresses

    def listen(self, endpoint: Any) -> Deferred[Any]:
        """Listens on one more endpoint; see ``StreamServer.listen``."""
        self.start()
        return self.streams.listen(endpoint)

    def start(self) -> None:
        """Tells the factory that it begins; ``listen`` does it."""
        if not self._started:
            self._started = True
            self.factory.started()
            self.streams.start()

    def stop(self, grace: float = DEFAULT_GRACE) -> Deferred[None]:
        """Finishes what has begun and ends; see ``StreamServer.stop``."""

        def stopped(result: None) -> None:
            if self._started:
                self._started = False
                self.factory.stopped()

        return self.streams.stop(grace).addCallback(stopped)


def serve(
    app: Application,
    *endpoints: Any,
    framing: Framing | None = None,
    limits: Limits | None = None,
    reactor: Any = None,
) -> Opening[MessageServer]:
    """Serves ``app``: ``server = await serve(Shout, "tcp:8032")``.

    endpoints  Twisted endpoint strings, or ``IStreamServerEndpoint`` objects; none means
               port 8032 on this machine's own addresses
    framing    the factory's, which is ``LengthPrefix()``, unless given
    limits     the defaults of ``Limits`` unless given
    reactor    the global reactor unless given

    The result can be awaited for the running ``MessageServer``, or be entered with
    ``async with``, which stops the server at the end. Raises ``ConfigurationError``
    and ``ListenFailed``; then nothing is left listening.
    """
    if reactor is None:
        from twisted.internet import reactor

    async def open_() -> MessageServer:
        server = MessageServer(app, reactor=reactor, framing=framing, limits=limits)
        await listen_on(server, endpoints or loopback(DEFAULT_PORT))
        return server

    return Opening(open_(), lambda server: server.stop())
