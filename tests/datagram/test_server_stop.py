# trial's assertions have no annotations:
# mypy: allow-untyped-calls
"""Stopping: what is owed is sent, nobody can hold the end up, and nothing is left."""

from __future__ import annotations

import errno
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, succeed

from netlab import DatagramApp, DatagramServer
from netlab.datagram import Echo, Peer
from netlab.impair import parse
from tests.datagram.support import CLIENT, HERE, MemoryCase, Noting, Slow, trouble

OTHER_PORT = "udp:9001:interface=127.0.0.1"


class Noted(Slow):
    """Slow, and notes its end."""

    ended = False

    def stopped(self) -> None:
        self.ended = True


class Stopping(MemoryCase):
    def assert_stopped(self, server: DatagramServer, stopped: Deferred[None]) -> None:
        """It has stopped, now, and nothing of it is left."""
        self.assertIsNone(self.successResultOf(stopped))
        self.assertEqual(server.addresses, [])
        self.assertTrue(all(each.closed for each in self.sockets))
        self.assertEqual(self.alarms, [])

    def test_idle(self) -> None:
        """With nothing to wait for it ends at once."""
        server = self.serve(Echo, HERE, OTHER_PORT)
        self.assertEqual(self.ask(b"hello"), [b"hello"])
        self.assert_stopped(server, server.stop(10))
        self.assert_stopped(server, server.stop(10))

    def test_never_listened(self) -> None:
        """What never began ends as well."""
        server = DatagramServer(Echo, reactor=self.clock, hub=self.hub)
        self.successResultOf(server.stop())

    def test_pending(self) -> None:
        """An answer that is owed is sent; nothing new is taken while it is awaited."""
        app = Noted()
        server = self.serve(app)
        self.arrive(b"1")
        stopped = server.stop(10)
        self.arrive(b"2")
        self.advance(5)
        self.assertEqual((len(app.waiting), server.stats.datagrams_in, app.ended), (1, 1, False))
        self.assertNoResult(stopped)
        app.go_on()
        self.assertEqual(self.sent(), [b"1"])
        self.assertTrue(app.ended)
        self.assert_stopped(server, stopped)

    def test_grace(self) -> None:
        """What is not done within the grace is cancelled."""
        app = Noted()
        server = self.serve(app)
        self.arrive(b"1", b"2")
        stopped = server.stop(3)
        self.advance(2.9)
        self.assertNoResult(stopped)
        self.advance(0.2)
        self.assert_stopped(server, stopped)
        self.assertEqual((app.cancelled, app.ended, self.sent()), (2, True, []))
        self.assertEqual((server.stats.pending, server.stats.dropped), (0, {}))

    def test_at_once(self) -> None:
        """Without a grace it is over before ``stop`` returns."""
        app = Noted()
        server = self.serve(app)
        self.arrive(b"1")
        self.assert_stopped(server, server.stop(0))
        self.assertEqual(app.cancelled, 1)

    def test_twice(self) -> None:
        """The shorter grace holds, whoever asked for it, and all hear of the end."""
        app = Noted()
        for graces in ((10, 2), (2, 10), (2, 2)):
            server = self.serve(app)
            self.arrive(b"1")
            stops = [server.stop(each) for each in graces]
            self.advance(1.9)
            for each in stops:
                self.assertNoResult(each)
            self.advance(0.2)
            for each in stops:
                self.assert_stopped(server, each)

    def test_second_ends_it(self) -> None:
        """As a second signal does: 10 s of grace, and then none."""
        server = self.serve(Noted())
        self.arrive(b"1")
        first = server.stop(10)
        self.advance(1)
        second = server.stop(0)
        self.assert_stopped(server, second)
        self.assert_stopped(server, first)

    def test_again(self) -> None:
        """A server that listens again has a grace again."""
        app = Noted()
        server = self.serve(app)
        self.successResultOf(server.stop(1))
        self.advance(100)
        self.successResultOf(server.listen(HERE))
        self.arrive(b"1")
        stopped = server.stop(5)
        self.advance(4)
        self.assertNoResult(stopped)
        self.advance(2)
        self.assert_stopped(server, stopped)

    def test_nothing_left(self) -> None:
        """The grace is not waited for by others, when it was not needed."""
        self.serve(Echo, "udp:9002")
        app = Noted()
        server = self.serve(app)
        self.arrive(b"1")
        stopped = server.stop(10)
        app.go_on()
        self.successResultOf(stopped)
        self.assertEqual(self.alarms, [])

    def test_will_not_be_cancelled(self) -> None:
        """A handler that goes on after its time answers nobody, and disturbs nobody."""

        class Stubborn(DatagramApp):
            async def datagram_received(self, data: bytes, peer: Peer) -> bytes:
                try:
                    await first
                except CancelledError:
                    await second
                return data

        first: Deferred[None] = Deferred()
        second: Deferred[None] = Deferred()
        server = self.serve(Stubborn)
        self.arrive(b"1")
        self.assert_stopped(server, server.stop(0))
        self.successResultOf(server.listen(OTHER_PORT))
        second.callback(None)
        self.assertEqual([each.sent for each in self.sockets], [[], []])
        self.assertEqual((server.stats.errors, server.stats.pending), ({}, 0))
        self.assertEqual(server.stats.datagrams_out, 0)

    def test_by_a_handler(self) -> None:
        """A handler may stop its server: all that came with it is answered."""

        class Quitting(Noting):
            def datagram_received(self, data: bytes, peer: Peer) -> Any:
                if data == b"quit":
                    stops.append(self.server.stop())
                self.notes.append(data)
                return succeed(data) if data == b"3" else data

        stops: list[Deferred[None]] = []
        for impair in (None, parse("in delay 10ms out delay 10ms")):
            app = Quitting()
            server = self.serve(app, impair=impair)
            self.arrive(b"1", b"quit", b"3", b"4")
            self.advance(1)
            self.assertEqual(sorted(self.sent()), [b"1", b"3", b"4", b"quit"])
            self.assertEqual(app.notes, ["started", b"1", b"quit", b"3", b"4", "stopped"])
            self.assert_stopped(server, stops.pop())

    def test_stopped_raises(self) -> None:
        """An application that fails at its end does not hold it up: ``stop`` says so."""

        class Bad(Slow):
            def stopped(self) -> None:
                raise ZeroDivisionError

        server = self.serve(Bad())
        self.failureResultOf(server.stop(), ZeroDivisionError)
        app = Bad()
        server = self.serve(app)
        self.arrive(b"1")
        stops = [server.stop(), server.stop()]
        app.go_on()
        for each in stops:
            self.failureResultOf(each, ZeroDivisionError)
        self.assertEqual((self.sent(), server.addresses), ([b"1"], []))
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_while_it_fails(self) -> None:
        """A port that just had an error, or has no socket, is no obstacle."""
        for errors in (1, 3):
            server = self.serve(Echo)
            self.cannot_bind[:] = [errno.ENOBUFS] * 5
            self.arrive(*[trouble(errno.ENOMEM)] * errors)
            self.advance(0.35)
            self.assert_stopped(server, server.stop(10))
            self.advance(10)
            self.assertTrue(self.socket.closed)
            self.cannot_bind.clear()


class UnderWay(MemoryCase):
    """Datagrams that are delayed when the server is told to stop."""

    def test_sent(self) -> None:
        """They are delivered, answered and sent at their time; then it ends."""
        app = Noting(lambda data: data)
        server = self.serve(app, impair=parse("in delay 1s out delay 2s"))
        self.arrive(b"1", b"2")
        stopped = server.stop(10)
        self.advance(1.1)
        self.assertEqual(app.notes, ["started", (b"1", CLIENT), (b"2", CLIENT)])
        self.assertEqual(self.sent(), [])
        self.assertNoResult(stopped)
        self.advance(1.8)
        self.assertNoResult(stopped)
        self.advance(0.2)
        self.assertEqual(self.sent(), [b"1", b"2"])
        self.assertEqual(app.notes[-1], "stopped")
        self.assertIsNone(self.successResultOf(stopped))

    def test_pending_too(self) -> None:
        """An answer that is owed and then delayed is waited for twice."""
        app = Slow()
        server = self.serve(app, impair=parse("delay 1s"))
        self.arrive(b"1")
        stopped = server.stop(10)
        self.advance(2)
        app.go_on()
        self.assertNoResult(stopped)
        self.advance(1.1)
        self.assertEqual(self.sent(), [b"1"])
        self.successResultOf(stopped)

    def test_lost_at_last(self) -> None:
        """When the last of them is lost on its way out, that is the end too."""
        server = self.serve(Echo, impair=parse("in delay 1s out loss 100%"))
        self.arrive(b"1")
        stopped = server.stop(10)
        self.advance(1.1)
        self.successResultOf(stopped)
        self.assertEqual(server.stats.dropped, {"out_loss": 1})

    def test_two_ports(self) -> None:
        """Those of one port do not end it for those of the other, due at the same time."""

        class Promising(Noting):
            def datagram_received(self, data: bytes, peer: Peer) -> Any:
                super().datagram_received(data, peer)
                return succeed(data)

        app = Promising()
        server = self.serve(app, HERE, OTHER_PORT, impair=parse("in delay 1s"))
        for at in (0, 1, 0):
            self.arrive(b"%d" % at, at=at)
        stopped = server.stop(10)
        self.advance(1.1)
        self.assertEqual([self.sent(0), self.sent(1)], [[b"0", b"0"], [b"1"]])
        self.assertEqual(app.notes[-1], "stopped")
        self.successResultOf(stopped)

    def test_grace(self) -> None:
        """Beyond the grace they are lost."""
        server = self.serve(Echo, impair=parse("delay 5s"))
        self.arrive(b"1")
        stopped = server.stop(2)
        self.advance(2.1)
        self.successResultOf(stopped)
        self.advance(10)
        self.assertEqual(self.sent(), [])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_at_once(self) -> None:
        """Or at once."""
        server = self.serve(Echo, impair=parse("in delay 5s out delay 5s"))
        self.arrive(b"1")
        self.advance(6)
        self.arrive(b"2")
        self.successResultOf(server.stop(0))
        self.advance(10)
        self.assertEqual(self.sent(), [])
