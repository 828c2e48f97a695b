"""Flow: slow readers, slow handlers, memory that is bounded, and everybody's turn.

What stock Twisted does here: the write buffer of a peer that never reads has no
bound, and a connection that floods holds up all the others.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any
from unittest import mock

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import ensureDeferred
from twisted.trial.unittest import SynchronousTestCase

from netlab import ConnectionClosed, LengthPrefix, Limits
from netlab.errors import IncomingFrameTooLong, SlowPeer
from netlab.message.connection import BUDGET
from netlab.testing import Faults, serve

from .support import Recording, Waiting, frames

LIMITS = Limits(high_water=8_000, low_water=2_000, max_buffered=20_000)
KERNEL = Faults(capacity=4_000)


class Growing(Recording):
    """Answers with as many bytes as the message says."""

    def message_received(self, message: bytes) -> Any:
        return bytes(int(message))


class GrowingReady(Recording):
    async def message_received(self, message: bytes) -> bytes:
        return bytes(int(message))


class GrowingCopy(Recording):
    def message_received(self, message: bytes) -> Any:
        return bytearray(int(message))


class Memory(SynchronousTestCase):
    """What waits for a peer that does not read is bounded, whatever it asks for."""

    def flood(
        self, protocol: type[Recording], size: int, count: int, piece: int
    ) -> tuple[int, int]:
        """Asks for much and reads nothing; returns the most that waited, and what was taken."""
        link = serve(protocol, limits=LIMITS, faults=KERNEL)
        peer = link.connect_raw()
        peer.pause()
        (stream,) = link.server.streams.streams
        wire = memoryview(frames(*[b"%d" % size] * count))
        most = taken = stalled = 0
        while taken < len(wire) and stalled < 3:
            try:
                sent = peer.socket.send(bytes(wire[taken : taken + piece]))
            except BlockingIOError:
                stalled += 1
                sent = 0
            taken += sent
            link.advance()
            most = max(most, stream.buffered)
        link.close()
        return most, taken

    @settings(max_examples=25)
    @given(
        protocol=st.sampled_from((Growing, GrowingReady, GrowingCopy)),
        size=st.sampled_from((1, 50, 1_000, 7_000, 30_000)),
        piece=st.sampled_from((7, 100, 4_000)),
    )
    def test_answers(self, protocol: type[Recording], size: int, piece: int) -> None:
        most, taken = self.flood(protocol, size, 40_000 // max(size // 50, 1), piece)
        bound = LIMITS.max_buffered + size + 4
        self.assertLessEqual(most, bound, f"{most} bytes waited")
        # Nor is more read than can be answered: TCP holds the peer back.
        answerable = (bound + KERNEL.capacity) // (size + 4) + 1
        question = 4 + len(b"%d" % size)
        slack = KERNEL.capacity + piece + BUDGET * question
        self.assertLessEqual(taken, answerable * question + slack)

    @settings(max_examples=25)
    @given(
        first=st.sampled_from((0, 100, 4_100, 9_000, 13_000)),
        size=st.sampled_from((0, 100, 7_000, 30_000)),
    )
    def test_pushed_without_waiting(self, first: int, size: int) -> None:
        """``send`` that is not awaited: a little is fine, more cuts the connection."""
        with serve(Recording, limits=LIMITS, faults=KERNEL) as link:
            peer = link.connect_raw()
            peer.pause()
            (protocol,) = link.protocols
            (stream,) = link.server.streams.streams
            protocol.send(bytes(first))
            link.advance()
            most = 0
            for n in range(10_000):
                protocol.send(bytes(size))
                most = max(most, stream.buffered)
                if n % 10 == 0:
                    link.advance()
            link.advance(1)
            self.assertLessEqual(most, LIMITS.max_buffered + max(size, first) + 4)
            self.assertEqual(link.stats.errors, {"slow_peer": 1})
            assert isinstance(protocol, Recording)
            self.assertIsInstance(protocol.reasons[0], SlowPeer)
            self.assertTrue(peer.was_reset)

    def test_awaiting_is_never_cut(self) -> None:
        class Pushing(Recording):
            async def message_received(self, message: bytes) -> None:
                for _ in range(100):
                    await self.send(bytes(7_000))

        with serve(Pushing, limits=LIMITS, faults=KERNEL) as link:
            peer = link.connect_raw()
            peer.send_message(b"go")
            peer.pause()
            (stream,) = link.server.streams.streams
            most = 0
            for _ in range(2_000):
                most = max(most, stream.buffered)
                if peer.socket.ready() & 1:
                    peer.readable()
                link.advance(0.1)
            self.assertLessEqual(most, LIMITS.high_water + 7_004)
            self.assertEqual(len(peer.messages), 100)
            self.assertEqual(link.stats.errors, {})

    def test_slow_handler(self) -> None:
        """What is cut already waits; nothing more is read."""
        with serve(Waiting, faults=KERNEL) as link:
            peer = link.connect_raw()
            peer.send(frames(b"x" * 100))
            wire = frames(b"x" * 100) * 100
            sent = 0
            for _ in range(5):
                try:
                    sent += peer.socket.send(wire)
                except BlockingIOError:
                    break
                link.advance(1)
            self.assertLessEqual(sent, 2 * KERNEL.capacity)

    def test_announced_is_not_reserved(self) -> None:
        """A length alone costs nothing; the longest message allowed is read in bounded pieces."""
        with serve(Recording, framing=LengthPrefix(max_message=1 << 30)) as link:
            peer = link.connect_raw()
            (stream,) = link.server.streams.streams
            peer.send(b"\x40\0\0\0")
            self.assertLessEqual(stream.read_size, 1 << 20)
            peer.send(bytes(100_000))
            self.assertFalse(peer.gone)


class WaterMarks(SynchronousTestCase):
    def test_reading_stops_and_goes_on(self) -> None:
        with serve(Growing, limits=LIMITS, faults=KERNEL) as link:
            peer = link.connect_raw()
            peer.pause()
            (stream,) = link.server.streams.streams
            (protocol,) = link.protocols
            assert isinstance(protocol, Recording)
            peer.send_message(b"8000")  # 4,000 of it go to the kernel
            self.assertFalse(stream.full)
            peer.send_message(b"6000")
            link.advance()
            self.assertTrue(stream.full)
            peer.send_message(b"1")
            link.advance(1)
            self.assertEqual(link.stats.messages_in, 2)
            while stream.buffered > LIMITS.low_water:
                self.assertTrue(stream.full)
                self.assertEqual(link.stats.messages_in, 2)
                peer.readable()
                link.advance()
            self.assertFalse(stream.full)
            self.assertEqual(link.stats.messages_in, 3)
            peer.resume()
            self.assertEqual([len(each) for each in peer.messages], [8000, 6000, 1])

    def test_senders_wait_and_go_on(self) -> None:
        with serve(Recording, limits=LIMITS, faults=KERNEL) as link:
            peer = link.connect_raw()
            peer.pause()
            (protocol,) = link.protocols
            (stream,) = link.server.streams.streams

            async def send(size: int) -> None:
                await protocol.send(bytes(size))

            self.successResultOf(ensureDeferred(send(11_996)))  # 8,000 of it wait
            waiting = [ensureDeferred(send(100)) for _ in range(3)]
            self.assertTrue(stream.full)
            for each in waiting:
                self.assertNoResult(each)
            peer.resume()
            for each in waiting:
                self.successResultOf(each)
            self.assertFalse(stream.full)

    def test_order_of_answers_and_pushes(self) -> None:
        """A sender that wakes up in the middle of it all disturbs nothing."""

        class Pushing(Recording):
            async def message_received(self, message: bytes) -> bytes:
                for n in range(5):
                    await self.send((message + b"%d" % n).ljust(3_000))
                return message.ljust(3_000)

        with serve(Pushing, limits=LIMITS, faults=KERNEL) as link:
            peer = link.connect_raw()
            peer.send(frames(b"a", b"b", b"c"))
            link.advance(5)
            wanted = [each + n for each in (b"a", b"b", b"c") for n in (*b"0 1 2 3 4".split(), b"")]
            self.assertEqual([each.strip() for each in peer.messages], wanted)


class Fairness(SynchronousTestCase):
    def test_slow_handler_holds_up_only_its_own(self) -> None:
        class Mixed(Waiting):
            def message_received(self, message: bytes) -> Any:
                return super().message_received(message) if message == b"slow" else message

        with serve(Mixed) as link:
            slow, fast = link.connect_raw(), link.connect_raw()
            slow.send(frames(b"slow", b"quick"))
            for n in range(10):
                fast.send_message(b"%d" % n)
                self.assertEqual(len(fast.messages), n + 1)
            self.assertEqual(slow.messages, [])

    def flood(self, answer: Callable[[bytes], Any], most: int = BUDGET) -> None:
        """One connection sends 10,000 empty messages, another asks for five answers.

        No more than ``most`` are to be answered at a time.
        """
        served: list[bytes] = []
        turns: list[int] = []

        class Counting(Recording):
            def message_received(self, message: bytes) -> Any:
                served.append(message)
                return answer(message)

        with serve(Counting, faults=Faults(capacity=1 << 30)) as link:
            finish_turn = link.hub._finish_turn

            def finish() -> None:
                finish_turn()
                turns.append(len(served))

            flooding, other = link.connect_raw(), link.connect()

            async def ask() -> None:
                for _ in range(5):
                    await other.request(b"other")

            with mock.patch.object(link.hub, "_finish_turn", finish):
                flooding.socket.send(frames(*[b""] * 10_000))
                link.run(ask())
                link.advance(1)
            self.assertEqual(len(served), 10_005)
        # In a turn it is read from once, and goes on once with what was put off.
        self.assertLessEqual(max(b - a for a, b in pairwise([0, *turns])), 2 * most + 1)
        # There and back again takes a few turns.
        places = [n for n, each in enumerate(served) if each]
        self.assertLessEqual(max(b - a for a, b in pairwise([0, *places])), 12 * most)

    def test_flood_of_empty_messages(self) -> None:
        async def ready(message: bytes) -> bytes:
            return message

        for answer in (lambda message: message, ready):
            self.flood(answer)

    def test_flood_of_questions_with_long_answers(self) -> None:
        """They are made for one turn only, also when the peer takes them all at once."""
        self.flood(lambda message: message or bytes(Limits().high_water // 4), 5)


class MaxMessage(SynchronousTestCase):
    """An oversize length: said out loud, and what came before is answered once.

    Stock Twisted closes without a word, and delivers the earlier messages again.
    """

    def check(self, protocol: type[Recording], count: int) -> None:
        with serve(protocol, framing=LengthPrefix(max_message=100)) as link:
            peer = link.connect_raw()
            found: Any = link.protocols[0]
            good = [b"%d" % n for n in range(count)]
            peer.send(frames(*good) + (101).to_bytes(4, "big") + bytes(101) + frames(b"behind"))
            link.advance(5)
            if isinstance(found, Waiting):
                for each in found.waiting:
                    each.callback(b"ok")
                    link.advance()
            link.advance(5)
            self.assertEqual(found.seen, good)
            self.assertEqual(len(peer.messages), count)
            self.assertTrue(peer.ended)
            self.assertEqual(link.stats.errors, {"frame_too_long": 1})
            (reason,) = found.reasons
            self.assertIsInstance(reason, IncomingFrameTooLong)
            self.assertEqual((reason.announced, reason.limit), (101, 100))

    def test_answered_at_once(self) -> None:
        for count in (0, 1, 2, 255, 256, 257, 600):
            self.check(Recording, count)

    def test_answered_later(self) -> None:
        for count in (1, 2):
            self.check(Waiting, count)

    def test_byte_order(self) -> None:
        with serve(Recording) as link:
            peer = link.connect_raw()
            found: Any = link.protocols[0]
            peer.send(b"\5\0\0\0hello")
            link.advance(1)
            self.assertIn("is the peer's byte order wrong?", str(found.reasons[0]))

    def test_longest(self) -> None:
        with serve(Recording, framing=LengthPrefix(max_message=100)) as link:
            peer = link.connect_raw()
            peer.send_message(bytes(100))
            self.assertEqual(peer.messages, [bytes(100)])


class Cut(SynchronousTestCase):
    def test_waiting_for_room_while_it_is_cut(self) -> None:
        """The handler that waits hears of the end; nobody else does."""
        outcome: list[BaseException] = []

        class Pushing(Recording):
            async def message_received(self, message: bytes) -> None:
                try:
                    await self.send(bytes(30_000))
                except ConnectionClosed as error:
                    outcome.append(error)
                    raise

        with serve(Pushing, limits=LIMITS, faults=KERNEL) as link:
            peer = link.connect_raw()
            peer.pause()
            peer.send_message(b"go")
            link.advance(31)
            self.assertTrue(peer.was_reset)
        self.assertEqual([getattr(each, "kind", "") for each in outcome], ["write_timeout"])
        self.assertEqual(self.flushLoggedErrors(), [])
