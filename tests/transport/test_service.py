"""Servers as services: they start or say why not, and drain when they stop."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable
from typing import Any

from twisted.application.service import MultiService
from twisted.internet.defer import Deferred

from netlab.errors import ConfigurationError, ListenFailed
from netlab.transport import StreamServer
from netlab.transport.service import DrainingService, ServerService
from tests.transport.support import (
    LOOPBACK,
    Lazy,
    Lines,
    Recorder,
    TransportCase,
    connect_peer,
    dial,
    eventually,
    in_thread,
    reactor,
    read_all,
)

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class ServiceCase(TransportCase):
    def make(self) -> StreamServer:
        """What a service runs."""
        server = StreamServer(reactor, self.receiver)
        self.made.append(server)
        return server

    def setUp(self) -> None:
        super().setUp()
        self.made: list[StreamServer] = []

    def service(self, *endpoints: str, grace: float = 10.0) -> ServerService:
        """A service on these endpoints."""
        return ServerService("echo", self.make, endpoints or [LOOPBACK], grace=grace)

    def port(self, service: ServerService) -> int:
        """Where it listens."""
        assert service.server is not None
        address: Any = service.server.addresses[0]
        number: int = address.port
        return number


class Starting(ServiceCase):
    async def test_privileged(self) -> None:
        """It listens before privileges are dropped, once, and says where."""
        lines = Lines(self)
        service = self.service()
        service.privilegedStartService()
        port = self.port(service)
        service.startService()
        self.assertEqual(self.port(service), port)
        self.assertEqual(len(self.made), 1)
        self.assertEqual(lines.with_("listens"), [f"echo listens on 127.0.0.1:{port}"])
        self.assertTrue(service.running)
        await service.stopService()
        self.assertFalse(service.running)

    async def test_unprivileged(self) -> None:
        """Started alone, as by ``setServiceParent`` of a running parent, it listens as well."""
        parent = MultiService()
        parent.startService()
        service = self.service()
        service.setServiceParent(parent)
        sock = await in_thread(dial, self.port(service))
        sock.close()
        await parent.stopService()

    async def test_busy(self) -> None:
        """A busy port is an error, and the listener before it is closed again.

        Stock Twisted's ``StreamServerEndpointService`` logs it and runs on
        without a listener.
        """
        with socket.create_server(("127.0.0.1", 0)) as taken:
            busy = f"tcp:{taken.getsockname()[1]}:interface=127.0.0.1"
            for start in ("privilegedStartService", "startService"):
                service = self.service(LOOPBACK, busy)
                error = self.assertRaises(ListenFailed, getattr(service, start))
                self.assertIn(f"cannot listen on {busy}: address already in use", str(error))
                self.assertIsNone(service.server)
                await eventually(lambda: self.made[-1].ports == [])
                await service.stopService()

    async def test_nonsense(self) -> None:
        """So is an endpoint that means nothing."""
        service = self.service("nonsense")
        self.assertRaises(ConfigurationError, service.privilegedStartService)

    async def test_again(self) -> None:
        """Stopped and started again: a new server."""
        service = self.service()
        for count in (1, 2):
            service.startService()
            self.assertEqual(len(self.made), count)
            await service.stopService()


class Stopping(ServiceCase):
    async def test_never_started(self) -> None:
        """Stopping what never started is done at once."""
        await self.service().stopService()

    async def test_drain(self) -> None:
        """Its Deferred fires when the last connection is done.

        Stock Twisted drops the answers in flight on SIGTERM.
        """
        service = self.service()
        service.startService()
        peer = await connect_peer(self.port(service))
        peer.transport.write(b"hello")
        await peer.until(lambda: peer.received == b"hello")
        stopped = service.stopService()
        await peer.until(lambda: peer.over)
        self.assertFalse(stopped.called)
        peer.transport.loseConnection()
        await stopped
        self.assertEqual(self.receivers[0].calls[-2:], ["drain", "lost"])

    async def test_grace(self) -> None:
        """Its grace is the server's."""
        service = self.service(grace=0)
        service.startService()
        sock = await in_thread(dial, self.port(service))
        self.addCleanup(sock.close)
        await eventually(lambda: self.made[0].stats.active == 1)
        await service.stopService()
        await self.assertFailure(
            Deferred.fromCoroutine(in_thread(read_all, sock)), ConnectionResetError
        )


class Draining(ServiceCase):
    def receiver(self) -> Recorder:
        made = Lazy()
        self.receivers.append(made)
        return made

    async def running(self, count: int = 2) -> DrainingService:
        """So many services with a connection each that does not end by itself."""
        self.handlers: dict[int, Callable[..., Any] | int | None] = {
            each: signal.getsignal(each) for each in SIGNALS
        }
        service = DrainingService(reactor)
        for number in range(count):
            each = self.service(grace=600)
            each.setName(f"service {number}")
            each.setServiceParent(service)
        service.privilegedStartService()
        service.startService()
        for each in service:
            sock = await in_thread(dial, self.port(each))
            self.addCleanup(sock.close)
        await eventually(lambda: len(self.receivers) == count)
        return service

    def assert_handlers(self, *, as_before: bool) -> None:
        """Whether the signals are handled as they were before the stop."""
        for each in SIGNALS:
            self.assertEqual(signal.getsignal(each) == self.handlers[each], as_before)

    async def test_second_signal(self) -> None:
        """While it drains, SIGINT or SIGTERM ends it at once; then they are what they were."""
        for number in SIGNALS:
            self.receivers.clear()
            service = await self.running()
            stopped = service.stopService()
            self.assert_handlers(as_before=False)
            self.assertFalse(stopped.called)
            os.kill(os.getpid(), number)
            await stopped
            self.assert_handlers(as_before=True)
            for each in self.receivers:
                self.assertEqual(each.calls, ["connected", "drain", "lost"])

    async def test_no_signal(self) -> None:
        """It also ends by itself, and the handlers are restored."""
        service = await self.running(1)
        stopped = service.stopService()
        self.receivers[0].stream.abort()
        await stopped
        self.assert_handlers(as_before=True)

    async def test_nothing_to_drain(self) -> None:
        """Nothing was connected."""
        service = await self.running(0)
        await service.stopService()
        self.assert_handlers(as_before=True)

    async def test_not_the_main_thread(self) -> None:
        """Where signals are someone else's, it drains all the same."""

        def refuse(*_: object) -> None:
            raise ValueError("signal only works in main thread of the main interpreter")

        service = await self.running(1)
        self.patch(signal, "signal", refuse)
        stopped = service.stopService()
        self.receivers[0].stream.abort()
        await stopped

    async def test_foreign_handler(self) -> None:
        """A handler that was not installed from Python cannot be put back, and need not be."""
        service = await self.running(1)
        self.patch(signal, "getsignal", lambda number: None)
        before = [signal.signal(each, signal.SIG_IGN) for each in SIGNALS]
        stopped = service.stopService()
        self.receivers[0].stream.abort()
        try:
            await stopped
        finally:
            for each, handler in zip(SIGNALS, before, strict=True):
                signal.signal(each, handler)
