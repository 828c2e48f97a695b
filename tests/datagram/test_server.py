# trial's assertions have no annotations:
# mypy: allow-untyped-calls
"""The server: what comes is answered, exactly and by nobody's leave, and counted."""

from __future__ import annotations

import errno
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet import reactor as _reactor
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.trial.unittest import SynchronousTestCase

from netlab import (
    ConfigurationError,
    DatagramApp,
    DatagramLimits,
    DatagramServer,
    ListenFailed,
    LocalProtocolError,
)
from netlab.datagram import Echo
from netlab.impair import parse
from netlab.transport.datagrams import DROP_BROADCAST, DROP_MULTICAST, LONGEST
from tests.datagram.support import CLIENT, HERE, OTHER, SIX, Lines, MemoryCase, Noting, trouble

reactor: Any = _reactor


class Replies(MemoryCase):
    def test_echo(self) -> None:
        """Each datagram comes back as it was, to who sent it, by the way it came."""
        server = self.serve(Echo)
        data = [b"", b"hello", bytes(range(256)), bytes(LONGEST)]
        self.arrive(*data, way=b"way")
        self.arrive(b"other", peer=OTHER)
        expected = [(each, CLIENT, b"way") for each in data] + [(b"other", OTHER, b"")]
        self.assertEqual([tuple(each[:3]) for each in self.socket.sent], expected)
        size = sum(map(len, data)) + 5
        stats = server.stats
        self.assertEqual((stats.datagrams_in, stats.datagrams_out), (5, 5))
        self.assertEqual((stats.bytes_in, stats.bytes_out), (size, size))
        self.assertEqual((stats.dropped, stats.errors, stats.pending), ({}, {}, 0))

    @given(st.lists(st.binary(max_size=100), max_size=200))
    def test_any_bytes(self, data: list[bytes]) -> None:
        """Whatever they hold, and however many."""
        if not self.servers:
            self.serve(Echo, limits=DatagramLimits(source_rate=0, total_rate=0))
        self.assertEqual(self.ask(*data), data)

    def test_application(self) -> None:
        """The application sees data and peer; ``None`` is no reply."""
        app = Noting()
        self.serve(app, HERE, "udp6:9000:interface=::1")
        self.arrive(b"four", at=0)
        self.arrive(b"six", peer=SIX, at=1)
        self.assertEqual(app.notes, ["started", (b"four", CLIENT), (b"six", SIX)])
        self.assertEqual([each.sent for each in self.sockets], [[], []])
        self.assertEqual(self.servers[0].stats.dropped, {})

    def test_never_longer(self) -> None:
        """A reply is not longer than its request: a forged one would flood somebody else.

        Stock Twisted sends whatever it is given to whoever seems to have asked.
        """
        log = Lines(self)
        app = Noting(lambda data: data[:-1] or b"more than that")
        server = self.serve(app)
        self.assertEqual(self.ask(b"ab", b"x", b""), [b"a"])
        app.answer = lambda data: data
        self.assertEqual(self.ask(b"same", b""), [b"same", b""])
        app.answer = lambda data: bytearray(data + b"!")
        self.assertEqual(self.ask(b"mutable"), [])
        self.assertEqual(server.stats.dropped, {"reply_too_long": 3})
        (line,) = log.lines
        self.assertIn("Noting: a reply of 14 bytes to a request of 1 is not sent: ", line)

    def test_handler_seconds(self) -> None:
        """The time that handlers take is counted."""
        server = self.serve(Echo)
        self.ask(b"hello")
        self.assertGreater(server.stats.handler_seconds, 0)

    def test_not_sent(self) -> None:
        """A reply that the system refuses is counted by its error, and not as sent."""
        server = self.serve(Echo)
        self.socket.refusals = [errno.ENOBUFS, errno.EPERM]
        self.assertEqual(self.ask(b"1", b"22", b"333"), [b"333"])
        stats = server.stats
        self.assertEqual(stats.errors, {"ENOBUFS": 1, "EPERM": 1})
        self.assertEqual((stats.datagrams_out, stats.bytes_out), (1, 3))

    def test_receive_error(self) -> None:
        """An error of the system is counted, and a second later all is as before."""
        server = self.serve(Echo)
        self.arrive(trouble(errno.ENOMEM), b"hello")
        self.assertEqual(server.stats.errors, {"ENOMEM": 1})
        self.advance(1)
        self.assertEqual(self.sent(), [b"hello"])

    def test_no_application(self) -> None:
        """What cannot be served is refused at once; a base class answers with an error."""
        for wrong in (None, 5, str, "echo", SynchronousTestCase):
            self.assertRaises(ConfigurationError, self.serve, wrong)
        self.serve(DatagramApp)
        self.assertEqual(self.ask(b"hello"), [])
        (failure,) = self.flushLoggedErrors(NotImplementedError)
        self.assertIn("DatagramApp does not say what a datagram means", str(failure.value))


class Refusing(MemoryCase):
    """Row 12: what a forged source would make of a server. Test_guard.py has the details."""

    def test_causes(self) -> None:
        """Each is counted by its cause; the application never hears of it."""
        app = Noting(lambda data: data)
        limits = DatagramLimits(source_rate=2, total_rate=4, refuse_low_ports=True)
        server = self.serve(app, limits=limits)
        for port in (0, 7, 19, 53, 123, 8007, 9000):
            self.arrive(b"forged", peer=("192.0.2.7", port))
        self.arrive(b"low", peer=("192.0.2.7", 80))
        self.arrive(b"all", way=DROP_BROADCAST)
        self.arrive(b"group", way=DROP_MULTICAST)
        self.arrive(b"1", b"2", b"3", b"4", b"5")
        self.arrive(*[b"6"] * 2, peer=("192.0.2.8", 40000))
        self.arrive(*[b"7"] * 2, peer=("192.0.2.9", 40000))
        self.assertEqual(self.sent(), [b"1", b"2", b"6", b"6"])
        self.assertEqual(len(app.notes), 1 + 4)
        dropped = {"source_port": 7, "low_port": 1, "broadcast": 1, "multicast": 1}
        self.assertEqual(server.stats.dropped, {**dropped, "source_rate": 3, "total_rate": 2})
        self.assertEqual(server.stats.datagrams_in, 19)
        self.assertEqual(server.stats.datagrams_out, 4)

    def test_told(self) -> None:
        """That rates hold somebody back is said once a second; it may be an honest crowd."""
        log = Lines(self)
        self.serve(Echo, limits=DatagramLimits(source_rate=10))
        for _ in range(30):
            self.arrive(*[b"x"] * 5)
            self.advance(0.1)
        self.assertTrue(1 <= len(log.lines) <= 4, log.lines)
        self.assertIn(
            "Echo: more comes than source_rate (10) or total_rate (100000) allow", log.lines[0]
        )

    def test_every_own_port(self) -> None:
        """Several listeners: none is answered as a peer of another."""
        server = self.serve(Echo, "udp:9001", "udp:0", "udp6:9003")
        ports = [each.number for each in server.ports]
        for port in ports:
            for at, host in ((0, "127.0.0.1"), (1, "127.0.0.1"), (2, "::1")):
                self.arrive(b"loop", peer=(host, port), at=at)
        self.assertEqual(server.stats.dropped, {"source_port": 9})

    def test_again_later(self) -> None:
        """Time gives back what was taken, at the rate and no faster."""
        self.serve(Echo, limits=DatagramLimits(source_rate=2))
        self.assertEqual(len(self.ask(*[b"x"] * 9)), 2)
        self.advance(0.6)
        self.assertEqual(len(self.ask(*[b"x"] * 9)), 1)
        self.advance(100)
        self.assertEqual(len(self.ask(*[b"x"] * 9)), 2)

    def test_rate_by_the_clock(self) -> None:
        """A quiet second by the clock is one for the guard, though nothing woke the hub."""
        self.serve(Echo, limits=DatagramLimits(source_rate=10))
        self.assertEqual(len(self.ask(*[b"x"] * 20)), 10)
        self.clock.advance(0.21)
        self.assertEqual(len(self.ask(*[b"x"] * 20)), 2)


class Sending(MemoryCase):
    """Datagrams that are no replies."""

    def setUp(self) -> None:
        super().setUp()
        self.app = Noting()

    def test_families(self) -> None:
        """They go from the first address of the peer's family, however long they are."""
        listen = ("udp6:9000:interface=::1", HERE, "udp:9001:interface=127.0.0.2")
        server = self.serve(self.app, *listen)
        self.app.send(b"four", CLIENT)
        self.app.send(bytes(LONGEST), SIX)
        self.app.send(b"six", SIX[:2])
        self.assertEqual(
            [self.sent(at) for at in range(3)], [[bytes(LONGEST), b"six"], [b"four"], []]
        )
        self.assertIs(self.app.stats, server.stats)
        self.assertEqual(server.stats.datagrams_out, 3)
        self.assertEqual(server.stats.bytes_out, LONGEST + 7)

    def test_mutable(self) -> None:
        """Later changes of a buffer do not reach what was sent."""
        self.serve(self.app, impair=parse("delay 100ms"))
        buffer: Any = bytearray(b"before")
        self.app.send(buffer, CLIENT)
        view: Any = memoryview(buffer)
        self.app.send(view, CLIENT)
        buffer[:] = b"after!"
        self.advance(1)
        self.assertEqual(self.sent(), [b"before"] * 2)

    def test_impossible(self) -> None:
        """What cannot be sent is said to who sends it, and nothing goes."""
        self.serve(self.app, impair=parse("delay 100ms"))
        wrong: list[Any] = [("nowhere", 5), ("192.0.2.300", 5), (), ("192.0.2.7",), None, 5, SIX]
        for peer in wrong:
            error = self.assertRaises(LocalProtocolError, self.app.send, b"x", peer)
            self.assertIn(f"{peer!r} cannot be sent to: ", str(error))
        error = self.assertRaises(LocalProtocolError, self.app.send, bytes(LONGEST + 1), CLIENT)
        self.assertIn("at most 65507 bytes, not 65508", str(error))
        data: list[Any] = ["text", None, 5, [b"x"], ["x"]]
        for each in data:
            self.assertRaises(TypeError, self.app.send, each, CLIENT)
        self.advance(1)
        self.assertEqual(self.sent(), [])

    def test_no_longer(self) -> None:
        """A server that has stopped, or never listened, sends nothing."""
        server = self.serve(self.app)
        self.successResultOf(server.stop())
        self.assertRaises(LocalProtocolError, self.app.send, b"late", CLIENT)
        self.assertEqual(self.sent(), [])

    def test_refused(self) -> None:
        """The system's refusal is counted."""
        server = self.serve(self.app)
        self.socket.refusals = [errno.ENETUNREACH]
        self.app.send(b"lost", CLIENT)
        self.assertEqual((server.stats.errors, server.stats.datagrams_out), ({"ENETUNREACH": 1}, 0))


class Listening(MemoryCase):
    def test_hooks(self) -> None:
        """Started before the first listener is there, stopped after the last is gone; each once."""

        class App(Noting):
            def started(self) -> None:
                self.notes.append(("started", self.server.addresses))

            def stopped(self) -> None:
                self.notes.append(("stopped", self.server.addresses))

        app = App()
        server = self.serve(app, HERE, "udp:9001")
        self.assertIs(app.server, server)
        self.successResultOf(server.stop())
        self.successResultOf(server.stop())
        self.assertEqual(app.notes, [("started", []), ("stopped", [])])
        self.assertTrue(all(each.closed for each in self.sockets))

    def test_addresses(self) -> None:
        """Where it listens, in the order in which that was asked for."""
        server = self.serve(Echo, HERE, "udp6:9001", "udp:0")
        self.assertEqual(
            server.addresses,
            [
                IPv4Address("UDP", "127.0.0.1", 9000),
                IPv6Address("UDP", "::", 9001),
                IPv4Address("UDP", "0.0.0.0", self.socket.address[1]),
            ],
        )

    def test_cannot(self) -> None:
        """A string that means nothing, a busy port: the Deferred fails, the rest goes on."""
        app = Noting(lambda data: data)
        server = self.serve(app)
        self.failureResultOf(server.listen("8007"), ConfigurationError)
        self.failureResultOf(server.listen(HERE), ListenFailed)
        self.assertEqual(len(server.addresses), 1)
        self.assertEqual(self.ask(b"hello"), [b"hello"])

    def test_cannot_at_all(self) -> None:
        """Whatever the first listener comes to, started and stopped go together."""
        app = Noting()
        for listen, calls in (("8007", []), (HERE, ["started", "stopped"])):
            app.notes.clear()
            self.cannot_bind[:] = [errno.EACCES]
            server = DatagramServer(app, reactor=self.clock, hub=self.hub)
            self.failureResultOf(server.listen(listen), ConfigurationError, ListenFailed)
            self.successResultOf(server.stop(0))
            self.assertEqual(app.notes, calls)

    def test_failing_start(self) -> None:
        """An application that cannot start is told so; nothing listens."""

        class Bad(DatagramApp):
            def started(self) -> None:
                raise ZeroDivisionError

        server = DatagramServer(Bad, reactor=self.clock, hub=self.hub)
        self.assertRaises(ZeroDivisionError, lambda: self.failureResultOf(server.listen(HERE)))
        self.assertEqual(self.sockets, [])

    def test_again(self) -> None:
        """After a stop it can listen again, as if it were new."""
        app = Noting(lambda data: data)
        server = self.serve(app)
        self.successResultOf(server.stop())
        self.successResultOf(server.listen(HERE))
        self.assertEqual(self.ask(b"hello"), [b"hello"])
        self.assertEqual(app.notes, ["started", "stopped", "started", (b"hello", CLIENT)])
