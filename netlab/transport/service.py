"""Servers as Twisted services: started with the application, drained when it stops."""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any, Protocol

from twisted.application.service import MultiService, Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress
from twisted.python.failure import Failure

from .addresses import address_text
from .log import Log
from .server import DEFAULT_GRACE


class Server(Protocol):
    """What a ``ServerService`` runs."""

    @property
    def addresses(self) -> list[IAddress]:
        """Where it listens."""

    def listen(self, endpoint: Any) -> Deferred[Any]:
        """Listens on one more endpoint."""

    def stop(self, grace: float = DEFAULT_GRACE) -> Deferred[None]:
        """Finishes what has begun, for ``grace`` seconds at the most."""


class ServerService(Service):
    """Listens when it is started, and fails to start if it cannot.

    make_server  makes the server; called at each start
    endpoints    Twisted endpoint strings
    grace        seconds for connections that are not done when it stops

    Twisted's own ``StreamServerEndpointService`` logs a busy port and goes on
    without a listener; here ``privilegedStartService`` raises ``ListenFailed``.
    """

    log = Log()

    def __init__(
        self,
        name: str,
        make_server: Callable[[], Server],
        endpoints: Sequence[str],
        *,
        grace: float = DEFAULT_GRACE,
    ) -> None:
        self.setName(name)
        self.make_server = make_server
        self.endpoints = list(endpoints)
        self.grace = grace
        self.server: Server | None = None
        self._last: list[Callable[[], None]] = []

    def when_stopped(self, function: Callable[[], None]) -> None:
        """Calls ``function`` each time the service has stopped."""
        self._last.append(function)

    def privilegedStartService(self) -> None:
        """Listens, with the privileges the process began with. Raises ``ListenFailed``."""
        self._listen()

    def startService(self) -> None:
        """See ``IService``."""
        if self.server is None:
            self._listen()
        super().startService()

    def stopService(self) -> Deferred[None]:
        """Drains; the Deferred fires when no connection is left."""
        super().stopService()
        server, self.server = self.server, None
        if server is None:
            done: Deferred[None] = Deferred()
            done.callback(None)
            return done
        return server.stop(self.grace).addBoth(self._stopped)

    def _stopped(self, result: Any) -> Any:
        for function in self._last:
            function()
        if isinstance(result, Failure):
            self.log.failure("{service} did not stop in good order", result, service=self.name)
            return None
        return result

    def _listen(self) -> None:
        self.server = server = self.make_server()
        for endpoint in self.endpoints:
            failures: list[Failure] = []
            server.listen(endpoint).addErrback(failures.append)
            if failures:
                self.server = None
                server.stop(0)
                failures[0].raiseException()
        for address in server.addresses:
            self.log.info(
                "{service} listens on {address}", service=self.name, address=address_text(address)
            )


class DrainingService(MultiService):
    """Services that stop together; a second SIGINT or SIGTERM stops them at once."""

    def __init__(self, reactor: Any) -> None:
        super().__init__()
        self.reactor = reactor

    def stopService(self) -> Any:
        """Drains them all; see ``ServerService.stopService``."""
        servers = [each.server for each in self if isinstance(each, ServerService)]
        reactor = self.reactor
        numbers = (signal.SIGINT, signal.SIGTERM)
        before = {each: signal.getsignal(each) for each in numbers}

        def stop_now() -> None:
            for server in servers:
                if server is not None:
                    server.stop(0)

        def at_once(number: int, frame: FrameType | None) -> None:
            # Python runs this between any two instructions; the reactor, at its turn.
            reactor.callFromThread(stop_now)

        def restore(result: Any) -> Any:
            for each, handler in before.items():
                if handler is not None:  # None: not installed by Python, and cannot be
                    signal.signal(each, handler)
            return result

        stopped = super().stopService()
        try:
            for each in numbers:
                signal.signal(each, at_once)
        except ValueError:  # not in the main thread: the signals are someone else's
            return stopped
        return stopped.addBoth(restore)
