"""``StreamServer``: limits, counters, and an end that is clean."""

from __future__ import annotations

import socket
import stat
import struct
from typing import Any

from twisted.internet.address import UNIXAddress
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IStreamServerEndpoint
from zope.interface import implementer

from netlab import MessageProtocol
from netlab.errors import ConfigurationError, ListenFailed
from netlab.message import MessageServer
from netlab.transport import Limits, Stats, default_max_connections, has_ipv6
from tests.transport.support import (
    LOOPBACK,
    Lines,
    Recorder,
    ServerCase,
    dial,
    eventually,
    in_thread,
    reactor,
)

RESET = struct.pack("ii", 1, 0)


class Caps(ServerCase):
    async def test_max_connections(self) -> None:
        """One more than the limit is closed and counted; a place that is free is given again.

        Stock Twisted has no limit that works with its endpoints.
        """
        server, port = await self.serve(limits=Limits(max_connections=2))
        lines = Lines(self)
        kept = [self.dial(port) for _ in range(2)]
        await eventually(lambda: server.stats.active == 2)
        for number in range(1, 21):
            self.assertIn(await self.ends(self.dial(port)), (b"", "reset"))
            self.assertEqual(server.stats.refused["max_connections"], number)
        said = lines.with_("connection refused: max_connections is 2")
        self.assertIn(len(said), (1, 2))
        self.assertIn("1 refused so far", said[0])
        kept[0].close()
        await eventually(lambda: server.stats.active == 1)
        again = self.dial(port)
        again.sendall(b"again")
        self.assertEqual(await in_thread(again.recv, 5), b"again")
        self.assertEqual(server.stats.accepted, 3)

    async def test_max_per_address(self) -> None:
        """So many from one address, whoever else is there.

        Stock Twisted's ``LimitConnectionsByPeer`` raises a TypeError.
        """
        server, port = await self.serve(limits=Limits(max_per_address=2))
        lines = Lines(self)
        first = self.dial(port)
        self.dial(port)
        await eventually(lambda: server.stats.active == 2)
        for _ in range(5):
            self.assertIn(await self.ends(self.dial(port)), (b"", "reset"))
        self.assertEqual(server.stats.refused, {"max_per_address": 5})
        self.assertIn(len(lines.with_("max_per_address is 2")), (1, 2))
        other = socket.socket()
        self.addCleanup(other.close)
        other.bind(("127.0.0.2", 0))
        other.connect(("127.0.0.1", port))
        await eventually(lambda: server.stats.active == 3)
        first.close()
        await eventually(lambda: server.stats.active == 2)
        self.dial(port)
        await eventually(lambda: server.stats.active == 3)

    async def test_behind_a_balancer(self) -> None:
        """The address that counts is the one in the PROXY header."""
        limits = Limits(max_per_address=1)
        server, port = await self.serve(f"haproxy:{LOOPBACK}", limits)
        for host in (b"192.0.2.1", b"192.0.2.2", b"192.0.2.1"):
            sock = self.dial(port)
            sock.sendall(b"PROXY TCP4 " + host + b" 192.0.2.9 1 2\r\nhello")
            if server.stats.active < 2:
                self.assertEqual(await in_thread(sock.recv, 5), b"hello")
        await eventually(lambda: server.stats.refused["max_per_address"] == 1)
        hosts = {each.stream.peer.host for each in self.receivers}  # type: ignore[attr-defined]
        self.assertEqual(hosts, {"192.0.2.1", "192.0.2.2"})

    async def test_headers_count(self) -> None:
        """Who has not sent a PROXY header yet takes a place too, and loses it in time."""
        limits = Limits(max_connections=1, handshake_timeout=0.3)
        server, port = await self.serve(f"haproxy:{LOOPBACK}", limits)
        waiting = self.dial(port)
        await eventually(lambda: len(server._headers) == 1)
        self.assertIn(await self.ends(self.dial(port)), (b"", "reset"))
        self.assertEqual(server.stats.refused["max_connections"], 1)
        self.assertIn(await self.ends(waiting), (b"", "reset"))
        self.assertEqual(server.stats.errors, {"handshake_timeout": 1})
        self.assertEqual(self.receivers, [])

    async def test_default(self) -> None:
        """Without a limit it is half of the descriptors."""
        self.assertEqual(self.server().max_connections, default_max_connections())


class Counting(ServerCase):
    async def test_stats(self) -> None:
        """Connections and bytes; the counters may be brought along."""
        stats = Stats()
        server, port = await self.serve(stats=stats)
        self.assertIs(server.stats, stats)
        for _ in range(3):
            sock = self.dial(port)
            sock.sendall(b"12345")
            sock.shutdown(socket.SHUT_WR)
            self.assertEqual(await self.ends(sock), b"12345")
        await eventually(lambda: stats.active == 0)
        self.assertEqual((stats.accepted, stats.bytes_in, stats.bytes_out), (3, 15, 15))
        self.assertEqual((stats.errors, stats.refused), ({}, {}))

    async def test_errors(self) -> None:
        """A connection that ends badly is counted by kind."""
        server, port = await self.serve()
        sock = self.dial(port)
        await eventually(lambda: server.stats.active == 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        sock.close()
        await eventually(lambda: server.stats.active == 0)
        self.assertEqual(server.stats.errors, {"connection_reset": 1})

    async def test_one_line_a_second(self) -> None:
        """A hundred bad peers are one line or two, not a hundred."""
        server, port = await self.serve(f"haproxy:{LOOPBACK}")
        lines = Lines(self)
        for _ in range(100):
            with dial(port) as sock:
                sock.sendall(b"GET / HTTP/1.1\r\n\r\n")
                await self.ends(sock)
        await eventually(lambda: server.stats.errors["corrupted_frame"] == 100)
        said = lines.with_("not a PROXY header")
        self.assertIn(len(said), (1, 2))
        self.assertIn("server: connection from 127.0.0.1:", said[0])

    async def test_receiver_cannot_be_made(self) -> None:
        """An application whose factory raises loses that connection, not the server."""

        def broken() -> Recorder:
            if len(made) < 2:
                made.append(1)
                raise ZeroDivisionError
            return self.receiver()

        made: list[int] = []
        server, port = await self.serve(make_receiver=broken)
        socks = [self.dial(port) for _ in range(2)]
        await eventually(lambda: len(made) == 2)
        last = self.dial(port)
        last.sendall(b"fine")
        self.assertEqual(await in_thread(last.recv, 4), b"fine")
        for sock in socks:
            sock.settimeout(2)
            self.assertIn(await self.ends(sock), (b"", "reset"))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 2)
        self.assertEqual(server.stats.active, 1)


@implementer(IStreamServerEndpoint)
class Late:
    """An endpoint that takes its time."""

    def __init__(self) -> None:
        self.asked: Deferred[None] = Deferred()

    def listen(self, factory: Any) -> Deferred[Any]:
        return self.asked.addCallback(
            lambda _: maybeDeferred(reactor.listenTCP, 0, factory, interface="127.0.0.1")
        )


class Listening(ServerCase):
    async def test_errors(self) -> None:
        """A busy port, and a string that means nothing; the other listeners go on."""
        server, port = await self.serve()
        busy = f"tcp:{port}:interface=127.0.0.1"
        error = await self.assertFailure(server.listen(busy), ListenFailed)
        self.assertEqual(str(error), f"cannot listen on {busy}: address already in use")
        await self.assertFailure(server.listen("nonsense"), ConfigurationError)
        self.assertEqual(len(server.addresses), 1)
        self.dial(port)
        await eventually(lambda: server.stats.active == 1)

    async def test_several(self) -> None:
        """One server, several endpoints, one set of limits."""
        server, port = await self.serve(limits=Limits(max_connections=1))
        second = (await server.listen(LOOPBACK)).getHost().port  # type: ignore[attr-defined]
        self.assertEqual([each.port for each in server.addresses], [port, second])  # type: ignore[attr-defined]
        self.dial(port)
        await eventually(lambda: server.stats.active == 1)
        self.dial(second)
        await eventually(lambda: server.stats.refused["max_connections"] == 1)

    async def test_ipv6(self) -> None:
        """The IPv6 loopback address."""
        if not has_ipv6():
            self.skipTest("this machine has no IPv6")
        _, port = await self.serve(r"tcp6:0:interface=\:\:1")
        with socket.create_connection(("::1", port)) as sock:
            sock.sendall(b"six")
            self.assertEqual(await in_thread(sock.recv, 3), b"six")
            peer: Any = self.receivers[0].stream.peer
            self.assertEqual((peer.host, peer.port), sock.getsockname()[:2])

    async def test_late(self) -> None:
        """An endpoint that listens only after the server has stopped is closed again."""
        late, server = Late(), self.server()
        listening = server.listen(late).addErrback(lambda failure: None)
        await self.stop(server)
        late.asked.callback(None)
        port: Any = await listening
        if server.ports:
            for each in server._acceptors:
                each.close()
            await port.stopListening()
            self.fail("it listens on")


class Unix(ServerCase):
    def connect(self, path: Any) -> socket.socket:
        """A connection to a UNIX socket."""
        sock = socket.socket(socket.AF_UNIX)
        self.addCleanup(sock.close)
        sock.settimeout(10)
        sock.connect(str(path))
        return sock

    async def test_socket(self) -> None:
        """It has the mode that was asked for, is echoed on, and is gone afterwards."""
        path = self.folder / "s"
        server, _ = await self.serve(f"unix:{path}:mode=660")
        self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o660)
        sock = self.connect(path)
        sock.sendall(b"local")
        self.assertEqual(await in_thread(sock.recv, 5), b"local")
        self.assertIsInstance(self.receivers[0].stream.peer, UNIXAddress)
        sock.shutdown(socket.SHUT_WR)
        self.assertEqual(await self.ends(sock), b"")
        await self.stop(server)
        self.assertFalse(path.exists())

    async def test_all_that_was_sent(self) -> None:
        """Messages of a peer that has closed are handled to the last, as they are on TCP.

        A UNIX socket says at once that its peer has hung up; what it sent
        before is there to be read all the same. Stock Twisted delivers it.
        """

        class Slow(MessageProtocol):
            handled = 0

            def message_received(self, message: bytes) -> None:
                Slow.handled += 1

        for endpoint in (LOOPBACK, f"unix:{self.folder}/s"):
            Slow.handled = 0
            server = MessageServer(Slow, reactor=reactor)
            self.servers.append(server)
            port = await server.listen(endpoint)
            if endpoint == LOOPBACK:
                sock = self.dial(port.getHost().port)
            else:
                sock = self.connect(self.folder / "s")
            sock.sendall(b"\0\0\0\1x" * 20000)
            sock.close()
            await eventually(lambda: server.stats.accepted == 1)  # noqa: B023
            await eventually(lambda: server.stats.active == 0)  # noqa: B023
            self.assertEqual((Slow.handled, server.stats.errors), (20000, {}), endpoint)
