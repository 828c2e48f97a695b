"""``pair``, ``serve`` and ``RawPeer``: what their documentation says."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import deferLater
from twisted.trial.unittest import SynchronousTestCase

from netlab import (
    Backoff,
    ConnectionClosed,
    ConnectionReset,
    LengthPrefix,
    Limits,
    MessageFactory,
    MessageProtocol,
    Netstring,
)
from netlab.message import Echo
from netlab.testing import Faults, MemoryServer, Pair, pair, serve


class Recording(MessageProtocol):
    def __init__(self) -> None:
        self.seen: list[bytes] = []
        self.reasons: list[Any] = []

    def message_received(self, message: bytes) -> bytes:
        self.seen.append(message)
        return message

    def disconnected(self, reason: object) -> None:
        self.reasons.append(reason)


@contextmanager
def soon() -> Iterator[None]:
    """Fails when what is inside takes a real second or two: it hangs."""

    def hangs(*arguments: Any) -> None:
        raise AssertionError("it hangs")

    before = signal.signal(signal.SIGALRM, hangs)
    signal.alarm(5)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


class Pairs(SynchronousTestCase):
    def test_as_documented(self) -> None:
        class Shout(MessageProtocol):
            def message_received(self, message: bytes) -> bytes:
                return message.upper()

        with pair(Shout, faults=Faults(seed=7, chunk=3)) as link:
            self.assertEqual(link.run(link.client.request(b"hello")), b"HELLO")

    def test_parts(self) -> None:
        with pair(Recording) as link:
            self.assertIsInstance(link, Pair)
            self.assertIsInstance(link.protocol, Recording)
            self.assertEqual(link.protocols, [link.protocol])
            self.assertIs(link.stats, link.server.stats)
            self.assertIs(link.socket, link.sockets[-1])
            self.assertTrue(link.client.connected)
            self.assertEqual(link.stats.active, 1)

    def test_options(self) -> None:
        limits = Limits(max_per_address=5)
        with pair(Recording, framing=Netstring(), limits=limits) as link:
            self.assertEqual(link.server.framing, Netstring())
            self.assertEqual(link.server.limits, limits)
            self.assertEqual(link.run(link.client.request(b"x")), b"x")
        with pair(Recording) as link:
            self.assertEqual(link.server.framing, LengthPrefix())

    def test_reset(self) -> None:
        with pair(Recording) as link:
            protocol: Any = link.protocol
            link.socket.reset()
            self.assertRaises(ConnectionReset, link.run, link.client.receive())
            self.assertIsInstance(protocol.reasons[0], ConnectionReset)

    def test_leaves_nothing(self) -> None:
        told: list[str] = []

        class Told(MessageFactory):
            protocol = Recording

            def started(self) -> None:
                told.append("started")

            def stopped(self) -> None:
                told.append("stopped")

        with pair(Told) as link:
            self.assertEqual(told, ["started"])
            link.run(link.client.request(b"x"))
        self.assertEqual(told, ["started", "stopped"])
        self.assertEqual(link.clock.getDelayedCalls(), [])
        self.assertEqual(link.server.streams.streams, set())
        self.assertFalse(link.client.connected)

    def test_leaves_nothing_under_way(self) -> None:
        """Pieces that are late do not stay on the clock."""
        for seed in range(225, 240):
            with pair(Echo, faults=Faults(seed=seed, delay=0.1, jitter=1.0)) as link:
                link.advance(1)
            self.assertEqual(link.clock.getDelayedCalls(), [], f"seed {seed}")

    def test_several_clients(self) -> None:
        with serve(Echo) as link:
            clients = [link.connect(faults=Faults(seed=n, chunk=n + 1)) for n in range(5)]
            for n, client in enumerate(clients):
                self.assertEqual(link.run(client.request(b"%d" % n)), b"%d" % n)
            self.assertEqual(len(link.sockets), 5)

    def test_reconnect(self) -> None:
        with serve(Echo) as link:
            client = link.connect(reconnect=Backoff(initial=1, jitter=0, attempts=2))
            link.sockets[-1].reset()
            link.listening = False
            link.advance(1.5)
            link.listening = True
            link.advance(2)
            self.assertEqual(link.run(client.request(b"x")), b"x")
            link.run(client.close())

    def test_stopped_server_takes_no_more(self) -> None:
        """A client that comes back finds what it would find on a network: nobody."""
        link = serve(Echo)
        client = link.connect(reconnect=Backoff(initial=1, jitter=0, attempts=2))
        stopping = link.server.stop(5)
        link.advance(10)
        self.successResultOf(stopping)
        self.assertFalse(client.connected)
        self.assertEqual(link.stats.active, 0)
        self.assertEqual(link.clock.getDelayedCalls(), [])

    def test_max_connections(self) -> None:
        """The limit holds here as it does on sockets."""
        with serve(Echo, limits=Limits(max_connections=2)) as link:
            peers = [link.connect_raw() for _ in range(3)]
            self.assertEqual([each.gone for each in peers], [False, False, True])
            self.assertEqual(link.stats.refused, {"max_connections": 1})


class Time(SynchronousTestCase):
    def test_advance(self) -> None:
        """Each timer at its time, those that timers start included."""
        with serve(Echo) as link:
            seen: list[float] = []

            def tick() -> None:
                seen.append(link.clock.seconds())
                if len(seen) < 4:
                    link.clock.callLater(0.3, tick)

            link.clock.callLater(0.3, tick)
            link.advance(1)
            self.assertEqual([round(each, 3) for each in seen], [0.3, 0.6, 0.9])
            self.assertEqual(link.clock.seconds(), 1)
            link.advance()
            self.assertEqual(link.clock.seconds(), 1)

    def test_run(self) -> None:
        async def program() -> float:
            await deferLater(link.clock, 3600, lambda: None)
            return link.clock.seconds()

        with serve(Echo) as link:
            self.assertEqual(link.run(program()), 3600)
            self.assertEqual(link.run(succeed("done")), "done")

    def test_run_raises(self) -> None:
        async def program() -> None:
            raise ZeroDivisionError

        with serve(Echo) as link:
            self.assertRaises(ZeroDivisionError, link.run, program())

    def test_run_is_stuck(self) -> None:
        """Something that never happens: said, after a day or when no timer is left."""
        with serve(Echo) as link:
            never: Deferred[None] = Deferred()
            error = self.assertRaises(AssertionError, link.run, never)
            self.assertIn("never happens", str(error))
            self.assertGreater(link.clock.seconds(), 23 * 3600)
        self.assertRaises(AssertionError, link.run, Deferred())


class RawPeers(SynchronousTestCase):
    def setUp(self) -> None:
        self.link: MemoryServer = serve(Recording)
        self.addCleanup(self.link.close)
        self.peer = self.link.connect_raw()
        self.protocol: Any = self.link.protocols[0]

    def test_sends_and_receives(self) -> None:
        self.peer.send_message(b"1")
        self.peer.send(b"\0\0\0\1")
        self.assertEqual(self.peer.messages, [b"1"])
        self.peer.send(b"2")
        self.assertEqual(self.peer.messages, [b"1", b"2"])
        self.assertEqual(bytes(self.peer.received), b"\0\0\0\x011\0\0\0\x012")
        self.assertEqual(self.link.clock.seconds(), 0)

    def test_sends_much(self) -> None:
        self.peer.send_message(bytes(1_000_000))
        self.assertEqual(self.peer.messages, [bytes(1_000_000)])

    def test_sends_more_than_is_taken(self) -> None:
        self.peer.pause()
        error = self.assertRaises(AssertionError, self.flood)
        self.assertIn("takes no more", str(error))

    def flood(self) -> None:
        for _ in range(100):
            self.peer.send_message(bytes(100_000))

    def test_half_close(self) -> None:
        self.peer.send_message(b"1")
        self.peer.half_close()
        self.assertEqual(self.peer.messages, [b"1"])
        self.assertTrue(self.peer.ended)
        self.assertTrue(self.peer.gone)
        self.assertFalse(self.peer.was_reset)
        self.assertEqual(self.protocol.reasons, [None])

    def test_reset(self) -> None:
        self.peer.reset()
        self.assertIsInstance(self.protocol.reasons[0], ConnectionReset)

    def test_close(self) -> None:
        self.peer.close()
        self.assertEqual(self.protocol.reasons, [None])

    def test_close_with_bytes_unread(self) -> None:
        self.peer.pause()
        self.protocol.send(b"unread")
        self.link.advance()
        self.peer.close()
        self.assertIsInstance(self.protocol.reasons[0], ConnectionReset)

    def test_server_aborts(self) -> None:
        self.protocol.abort()
        self.link.advance()
        self.assertTrue(self.peer.was_reset)
        self.assertTrue(self.peer.gone)
        self.assertFalse(self.peer.ended)

    def test_server_aborts_a_slow_reader(self) -> None:
        """A reset is seen also by one who does not read."""
        self.peer.pause()
        self.protocol.abort()
        self.link.advance()
        self.assertTrue(self.peer.was_reset)

    def test_pause(self) -> None:
        self.peer.pause()
        self.peer.send_message(b"1")
        self.link.advance(1)
        self.assertEqual(self.peer.messages, [])
        self.peer.resume()
        self.assertEqual(self.peer.messages, [b"1"])

    def test_pause_and_both_ends(self) -> None:
        """It does not read, and both have ended: nothing happens, but time goes on."""
        with soon():
            self.peer.pause()
            self.peer.half_close()
            self.link.advance(5)
            self.assertFalse(self.peer.gone)
            self.assertEqual(self.link.stats.active, 0)
            self.peer.resume()
            self.assertTrue(self.peer.ended)

    def test_after_the_end(self) -> None:
        """What a peer does when the server has hung up is its own affair: no strange errors."""
        self.protocol.close()
        self.link.advance(1)
        self.assertTrue(self.peer.ended)
        self.peer.pause()
        self.peer.resume()
        self.peer.close()
        self.peer.close()

    def test_left_open(self) -> None:
        """A server that is closed leaves the clock clean, whatever its peers hold open."""
        peer = self.link.connect_raw()
        peer.pause()
        self.link.protocols[-1].close()
        self.link.advance(5)
        self.link.close()
        self.link.advance(1)
        self.assertEqual(self.link.clock.getDelayedCalls(), [])
        self.link = serve(Recording)

    def test_faults(self) -> None:
        peer = self.link.connect_raw(faults=Faults(delay=1))
        peer.send_message(b"x")
        self.link.advance(1.9)
        self.assertEqual(peer.messages, [])
        self.link.advance(0.2)
        self.assertEqual(peer.messages, [b"x"])

    def test_client_is_told(self) -> None:
        client = self.link.connect()
        self.link.protocols[-1].abort()
        self.link.protocols[0].abort()
        self.link.advance()
        self.assertRaises(ConnectionClosed, self.link.run, client.receive())
