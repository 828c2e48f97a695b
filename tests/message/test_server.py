"""``MessageServer`` and ``serve``: from an application to listening, and back to nothing."""

from __future__ import annotations

import socket
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from twisted.internet import reactor as global_reactor
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import SynchronousTestCase, TestCase

from netlab import (
    ConfigurationError,
    ConnectFailed,
    Limits,
    Line,
    ListenFailed,
    MessageFactory,
    MessageServer,
    Netstring,
    connect,
    serve,
)
from netlab.message import Echo, factory_for
from netlab.testing import serve as serve_in_memory
from netlab.transport import hub_for

from .support import Recording, frames

reactor: Any = global_reactor
ANY = "tcp:0:interface=127.0.0.1"


class Factories(SynchronousTestCase):
    def test_of_a_class(self) -> None:
        factory = factory_for(Echo)
        self.assertIs(type(factory), MessageFactory)
        self.assertIsInstance(factory.build(), Echo)
        self.assertIsNot(factory.build(), factory.build())

    def test_of_a_factory(self) -> None:
        class Mine(MessageFactory):
            protocol = Echo

        mine = Mine()
        self.assertIs(factory_for(mine), mine)
        self.assertIsInstance(factory_for(Mine), Mine)
        self.assertIsNot(factory_for(Mine), factory_for(Mine))

    def test_framing_of_a_factory(self) -> None:
        """A factory may say what its messages look like; the caller has the last word."""

        class Lines(MessageFactory):
            protocol = Echo
            framing = Line()

        with serve_in_memory(Lines) as link:
            peer = link.connect_raw()
            peer.send(b"hello\n")
            self.assertEqual(bytes(peer.received), b"hello\n")
        with serve_in_memory(Lines, framing=Netstring()) as link:
            self.assertEqual(link.server.factory.framing, Netstring())

    def test_of_something_else(self) -> None:
        wrong: Any
        for wrong in (None, "Echo", Echo(), object, 5):
            error = self.assertRaises(ConfigurationError, factory_for, wrong)
            self.assertIn("cannot be served", str(error))


class Life(SynchronousTestCase):
    def test_stop_twice(self) -> None:
        """The second one finds nothing to do; it does not wait for ever."""
        link = serve_in_memory(Recording)
        link.connect_raw()
        for _ in range(3):
            link.run(link.server.stop())

    def test_stop_before_it_began(self) -> None:
        link = serve_in_memory(Recording)
        server = MessageServer(Recording, reactor=link.clock, hub=link.hub)
        link.run(server.stop())
        link.close()

    def test_build_fails(self) -> None:
        """The connection ends with one logged error; the next one is served."""

        class Failing(MessageFactory):
            broken = True

            def build(self) -> Recording:
                if self.broken:
                    raise ZeroDivisionError
                return Recording()

        factory = Failing()
        link = serve_in_memory(factory)
        try:
            peer = link.connect_raw()
        except ZeroDivisionError:
            self.fail("the factory's error came out of the server")
        self.assertTrue(peer.gone)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        factory.broken = False
        peer = link.connect_raw()
        peer.send_message(b"x")
        self.assertEqual(peer.messages, [b"x"])
        link.close()


def talk(port: int, data: bytes) -> bytes:
    """Sends ``data``, half-closes, and returns all that comes until the end."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as sock:
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)
        received = b""
        while part := sock.recv(65536):
            received += part
        return received


class Loopback(TestCase):
    """The same on real sockets."""

    timeout = 20

    def run_program(self, program: Any) -> Deferred[None]:
        return ensureDeferred(program)

    def test_serves(self) -> Deferred[None]:
        async def program() -> None:
            async with serve(Echo, ANY, reactor=reactor) as server:
                port = server.addresses[0].port  # type: ignore[attr-defined]
                wire = frames(*(b"%d" % n for n in range(1000)))
                self.assertEqual(await deferToThread(talk, port, wire), wire)
                async with connect(f"tcp:127.0.0.1:{port}", reactor=reactor) as client:
                    self.assertEqual(await client.request(b"hello"), b"hello")
                    big = bytes(1 << 20)
                    self.assertEqual(await client.request(big), big)
                self.assertEqual(server.stats.accepted, 2)
            self.assertEqual(server.addresses, [])
            self.assertEqual(server.stats.errors, {})
            self.assertEqual(server.stats.messages_in, 1002)
            self.assertEqual(server.stats.messages_out, 1002)

        return self.run_program(program())

    def test_own_close_is_orderly(self) -> Deferred[None]:
        made: list[Recording] = []

        class Closing(Recording):
            def message_received(self, message: bytes) -> bytes:
                made.append(self)
                self.send(message)
                self.close()
                return b"too late"

        async def program() -> None:
            async with serve(Closing, ANY, reactor=reactor) as server:
                port = server.addresses[0].port  # type: ignore[attr-defined]
                async with connect(f"tcp:127.0.0.1:{port}", reactor=reactor) as client:
                    self.assertEqual(await client.request(b"bye"), b"bye")
            self.assertEqual(made[0].reasons, [None])
            self.assertEqual(server.stats.errors, {})

        return self.run_program(program())

    def test_framing_and_limits(self) -> Deferred[None]:
        async def program() -> None:
            limits = Limits(max_connections=1)
            framing = Netstring(max_message=100)
            opening = serve(Echo, ANY, framing=framing, limits=limits, reactor=reactor)
            async with opening as server:
                self.assertEqual((server.framing, server.limits), (framing, limits))
                port = server.addresses[0].port  # type: ignore[attr-defined]
                endpoint = f"tcp:127.0.0.1:{port}"
                async with connect(endpoint, framing=Netstring(), reactor=reactor) as client:
                    self.assertEqual(await client.request(b"5"), b"5")
                    self.assertEqual(await deferToThread(talk, port, b""), b"")
                self.assertEqual(server.stats.refused, {"max_connections": 1})

        return self.run_program(program())

    def test_started_and_stopped(self) -> Deferred[None]:
        told: list[str] = []

        class Told(MessageFactory):
            protocol = Recording

            def started(self) -> None:
                told.append("started")

            def stopped(self) -> None:
                told.append(f"stopped with {self.stats.active}")

        async def program() -> None:
            async with serve(Told, ANY, ANY, reactor=reactor) as server:
                self.assertEqual(told, ["started"])
                self.assertEqual(len(server.addresses), 2)
                client = await connect(
                    f"tcp:127.0.0.1:{server.addresses[0].port}",  # type: ignore[attr-defined]
                    reactor=reactor,
                )
            self.assertEqual(told, ["started", "stopped with 0"])
            await client.close()

        return self.run_program(program())

    def test_port_in_use(self) -> Deferred[None]:
        """An error, and nothing is left listening; stock services log it and run on."""

        async def program() -> None:
            with socket.create_server(("127.0.0.1", 0)) as taken:
                port = taken.getsockname()[1]
                factory = MessageFactory()
                factory.protocol = Echo
                for endpoints in ((f"tcp:{port}:interface=127.0.0.1",), (ANY, f"tcp:{port}")):
                    with self.assertRaises(ListenFailed) as caught:
                        await serve(Echo, *endpoints, reactor=reactor)
                    self.assertIn(str(port), str(caught.exception))

        return self.run_program(program())

    def test_bad_endpoint(self) -> Deferred[None]:
        async def program() -> None:
            for endpoint in ("nonsense", "tcp:", "tcp:notaport", ""):
                with self.assertRaises(ConfigurationError):
                    await serve(Echo, endpoint, reactor=reactor)
                with self.assertRaises(ConfigurationError):
                    await connect(endpoint, reactor=reactor)

        return self.run_program(program())

    def test_nobody_there(self) -> Deferred[None]:
        async def program() -> None:
            with socket.create_server(("127.0.0.1", 0)) as taken:
                port = taken.getsockname()[1]
            with self.assertRaises(ConnectFailed) as caught:
                await connect(f"tcp:127.0.0.1:{port}", reactor=reactor)
            self.assertIn(f"cannot connect to tcp:127.0.0.1:{port}", str(caught.exception))

        return self.run_program(program())

    def test_exit_in_a_handler(self) -> Deferred[None]:
        """``sys.exit()`` ends one connection; all others go on, and new ones come in."""

        class Exiting(Recording):
            def message_received(self, message: bytes) -> bytes:
                if message == b"exit":
                    raise SystemExit(3)
                return message

        async def program() -> None:
            server = await serve(Exiting, ANY, reactor=reactor)
            endpoint = f"tcp:127.0.0.1:{server.addresses[0].port}"  # type: ignore[attr-defined]
            before = await connect(endpoint, reactor=reactor)
            bad = await connect(endpoint, reactor=reactor)
            await bad.send(b"exit")
            try:
                self.assertEqual(await before.request(b"x", timeout=1), b"x")
                async with connect(endpoint, reactor=reactor) as after:
                    self.assertEqual(await after.request(b"y", timeout=1), b"y")
            finally:
                hub: Any = hub_for(reactor)
                reactor.addReader(hub)  # where it still is, unless the exit has thrown it out
                before.abort()
                bad.abort()
                await server.stop(0)
            self.assertEqual(len(self.flushLoggedErrors(SystemExit)), 1)

        return self.run_program(program())

    def test_unix_socket(self) -> Deferred[None]:
        """Also when the caller hangs up at once: what it said is heard to the end."""
        made: list[Recording] = []

        class Slow(Recording):
            async def message_received(self, message: bytes) -> None:
                made.append(self)
                self.seen.append(message)
                pause: Deferred[None] = Deferred()
                reactor.callLater(0.01, pause.callback, None)
                await pause

        async def program(path: Path) -> None:
            server = await serve(Slow, f"unix:{path}", reactor=reactor)
            with socket.socket(socket.AF_UNIX) as sock:
                sock.connect(str(path))
                sock.sendall(frames(b"1", b"2", b"3"))
            while not (made and made[0].reasons):
                pause: Deferred[None] = Deferred()
                reactor.callLater(0.01, pause.callback, None)
                await pause
            await server.stop()
            self.assertEqual(made[0].seen, [b"1", b"2", b"3"])

        temporary = TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        return self.run_program(program(Path(temporary.name) / "s"))
