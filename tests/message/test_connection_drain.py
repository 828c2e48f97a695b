"""Draining: what had arrived is answered, and the end comes within the grace.

Stock Twisted closes its listeners at SIGTERM and ends; replies in flight are lost.
"""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.trial.unittest import SynchronousTestCase

from netlab import Limits, MessageProtocol
from netlab.testing import Faults, MemoryServer, serve

from .support import Recording, Waiting, blank, frames, slow_server


class Drain(SynchronousTestCase):
    """``stop(grace)``: nothing that had arrived is left without its answer."""

    def finish(self, link: MemoryServer, stopping: Deferred[None], seconds: float) -> None:
        link.advance(seconds)
        self.successResultOf(stopping)
        self.assertTrue(blank(link))

    def test_idle(self) -> None:
        link = serve(Recording)
        peers = [link.connect_raw() for _ in range(3)]
        self.finish(link, link.server.stop(10), 0)
        self.assertEqual([each.ended for each in peers], [True] * 3)
        self.assertEqual(link.stats.errors, {})

    def test_nobody(self) -> None:
        link = serve(Recording)
        self.finish(link, link.server.stop(10), 0)

    @settings(max_examples=20)
    @given(
        count=st.sampled_from((1, 255, 256, 257, 1000)),
        chunk=st.none() | st.integers(200, 5000),
        size=st.sampled_from((0, 50)),
    )
    def test_what_had_arrived(self, count: int, chunk: int | None, size: int) -> None:
        """Also what the system holds and netlab has not read yet."""
        link = serve(Recording, faults=Faults(chunk=chunk, capacity=1 << 20))
        peer = link.connect_raw()
        messages = [(b"%d" % n).ljust(size) for n in range(count)]
        peer.socket.send(frames(*messages))
        pieces = link.clock.getDelayedCalls()
        self.assertTrue(pieces)
        stopping: list[Deferred[None]] = []
        link.clock.callLater(0, lambda: stopping.append(link.server.stop(10)))
        link.advance()
        self.finish(link, stopping[0], 1)
        self.assertEqual(peer.messages, messages)
        self.assertTrue(peer.ended)

    def test_slow_handlers(self) -> None:
        link = slow_server()
        peers = [link.connect_raw() for _ in range(3)]
        for peer in peers:
            peer.send(frames(*[b"x"] * 40))
        stopping = link.server.stop(10)
        link.advance(3.9)
        self.assertNoResult(stopping)
        self.finish(link, stopping, 0.2)
        self.assertEqual([len(each.messages) for each in peers], [40] * 3)
        self.assertEqual(link.stats.errors, {})

    def test_message_half_arrived(self) -> None:
        link = serve(Recording)
        peer = link.connect_raw()
        frame = frames(b"hello")
        peer.send(frames(b"first") + frame[:6])
        stopping = link.server.stop(10)
        link.advance(5)
        self.assertNoResult(stopping)
        peer.send(frame[6:])
        self.finish(link, stopping, 0)
        self.assertEqual(peer.messages, [b"first", b"hello"])

    def test_message_never_arrives(self) -> None:
        link = serve(Recording)
        peer = link.connect_raw()
        peer.send(b"\0\0")
        stopping = link.server.stop(10)
        link.advance(9)
        self.assertNoResult(stopping)
        self.finish(link, stopping, 2)
        self.assertTrue(peer.was_reset)
        self.assertEqual(link.stats.errors, {"server_stopping": 1})

    def test_grace(self) -> None:
        """A handler that takes too long is cancelled; the others are not hurt."""
        link = serve(Waiting)
        peer, idle = link.connect_raw(), link.connect_raw()
        protocols: list[Any] = link.protocols
        peer.send_message(b"x")
        stopping = link.server.stop(10)
        link.advance()
        self.assertTrue(idle.ended)
        link.advance(9)
        self.assertFalse(peer.gone)
        self.finish(link, stopping, 2)
        self.assertTrue(peer.was_reset)
        (waiting,) = [each.waiting[0] for each in protocols if each.waiting]
        self.assertTrue(waiting.called, "not cancelled")
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_second_time_at_once(self) -> None:
        link = serve(Waiting)
        peer = link.connect_raw()
        peer.send_message(b"x")
        first = link.server.stop(1000)
        link.advance(5)
        second = link.server.stop(0)
        self.finish(link, first, 0)
        self.successResultOf(second)
        self.assertTrue(peer.was_reset)

    def test_shorter_grace(self) -> None:
        link = serve(Waiting)
        link.connect_raw().send_message(b"x")
        first = link.server.stop(1000)
        second = link.server.stop(3)
        link.advance(2.5)
        self.assertNoResult(second)
        self.finish(link, first, 1)
        self.successResultOf(second)

    def test_slow_reader(self) -> None:
        link = serve(Recording)
        peer = link.connect_raw()
        peer.pause()
        for _ in range(8):
            peer.send(frames(bytes(20_000)))
        stopping = link.server.stop(10)
        link.advance(1)
        peer.resume()
        self.finish(link, stopping, 1)
        self.assertEqual(peer.messages, [bytes(20_000)] * 8)

    def test_peer_never_reads(self) -> None:
        link = serve(Recording)
        peer = link.connect_raw()
        peer.pause()
        link.protocols[0].send(bytes(200_000))
        self.finish(link, link.server.stop(10), 11)
        self.assertTrue(peer.was_reset)

    def test_peer_keeps_the_line(self) -> None:
        """Everything is sent; it only does not end: not worth the whole grace."""
        link = serve(Recording)
        peer = link.connect_raw()
        peer.pause()
        stopping = link.server.stop(10)
        link.advance(3)
        self.successResultOf(stopping)
        peer.resume()
        self.assertTrue(blank(link))

    def test_ping_pong(self) -> None:
        """A client that asks again at each answer does not hold up the end."""
        link = serve(Recording)
        client = link.connect()
        answers = []

        async def ask() -> None:
            while True:
                answers.append(await client.request(b"x"))
                if len(answers) == 50:
                    stopping.append(link.server.stop(10))

        stopping: list[Deferred[None]] = []
        asking = ensureDeferred(ask())
        link.advance(1)
        self.failureResultOf(asking)
        self.assertIn(len(answers), (50, 51))
        link.run(client.close())
        self.finish(link, stopping[0], 1)

    def test_while_connected_waits(self) -> None:
        ready: Deferred[None] = Deferred()

        class Preparing(Recording):
            async def connected(self) -> None:
                await ready

        link = serve(Preparing)
        peer = link.connect_raw()
        peer.send_message(b"early")
        stopping = link.server.stop(10)
        link.advance(1)
        self.assertNoResult(stopping)
        ready.callback(None)
        self.finish(link, stopping, 1)
        self.assertEqual(peer.messages, [b"early"])


class LimitsInUse(SynchronousTestCase):
    def test_per_address(self) -> None:
        with serve(Recording, limits=Limits(max_per_address=2)) as link:
            peers = [link.connect_raw() for _ in range(3)]
            self.assertEqual([each.gone for each in peers], [False, False, True])
            self.assertEqual(link.stats.refused, {"max_per_address": 1})
            peers[0].close()
            peers.append(link.connect_raw())
            peers[-1].send_message(b"x")
            self.assertEqual(peers[-1].messages, [b"x"])

    def test_counted_to_the_end(self) -> None:
        """A handler's errors, resets, deadlines: every way out gives the place back."""

        class Ending(Recording):
            def message_received(self, message: bytes) -> Any:
                if message == b"raise":
                    raise ZeroDivisionError
                return getattr(self, message.decode())()

        protocol: type[MessageProtocol] = Ending
        with serve(protocol, limits=Limits(max_per_address=1)) as link:
            for message in (b"raise", b"close", b"abort"):
                peer = link.connect_raw()
                peer.send_message(message)
                link.advance(1)
                self.assertEqual(link.stats.active, 0)
            for action in ("reset", "close", "half_close"):
                getattr(link.connect_raw(), action)()
                link.advance(1)
                self.assertEqual(link.stats.active, 0)
            self.assertEqual(link.stats.accepted, 6)
            self.assertEqual(link.stats.refused, {})
        self.flushLoggedErrors(ZeroDivisionError)
