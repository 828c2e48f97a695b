"""Streams above a detour, in memory: what an impairment does, to the millisecond, and no more."""

from __future__ import annotations

import random

from hypothesis import example, given, settings
from hypothesis import strategies as st

from netlab import Limits
from netlab.errors import WriteTimeout
from netlab.impair import StreamLink, parse_stream
from netlab.testing import Faults
from netlab.transport.limits import TICK
from tests.testing import test_stream_ends
from tests.transport import test_stream
from tests.transport.detours import DetourCase

WORDS = (
    "delay 50ms",
    "in delay 50ms 40ms out delay 80ms 40ms",
    "in rate 100kbit limit 500 out rate 300kbit limit 1000",
    "in segment 50 300 out segment 100 2000",
    "in stall 10% 500ms out stall 10% 500ms",
    "in limit 1k out limit 1k",
    "in delay 10ms 5ms rate 1mbit stall 5% 1s limit 2k out delay 10ms 5ms segment 1 9000 limit 5k",
)


class Times(DetourCase):
    """Each word does what it says; the clock is the test's."""

    def arrivals(self, step: float, count: int) -> list[int]:
        """How many bytes the peer gets in each of ``count`` steps of time."""
        sizes = []
        for _ in range(count):
            self.turn(step)
            sizes.append(len(self.read()))
        return sizes

    def test_nothing(self) -> None:
        """A detour that only records costs no time."""
        self.impair(None)
        self.give(b"hello")
        self.assertEqual(self.received, b"hello")
        self.write(5)
        self.turn()
        self.assertEqual(self.read(), bytes(5))

    def test_delay_out(self) -> None:
        self.impair("delay 50ms")
        self.give(b"hello")
        self.assertEqual(self.received, b"hello")  # what comes in is left alone
        self.write(5)
        self.turn(0.0499)
        self.assertEqual(self.read(), b"")
        self.turn(0.0002)
        self.assertEqual(self.read(), bytes(5))

    def test_delay_in(self) -> None:
        self.impair("in delay 50ms")
        self.write(5)
        self.turn()
        self.assertEqual(self.read(), bytes(5))
        self.give(b"hello")
        self.turn(0.0499)
        self.assertEqual(self.received, b"")
        self.turn(0.0002)
        self.assertEqual(self.received, b"hello")

    def test_delay_of_the_end(self) -> None:
        """Also of an end without any bytes, in both directions."""
        self.impair("in delay 50ms out delay 70ms")
        self.peer.shutdown(1)
        self.turn(0.0499)
        self.assertEqual(self.calls(), ["connected"])
        self.turn(0.0002)
        self.assertEqual(self.calls(), ["connected", "end"])
        self.close()
        self.turn(0.0699)
        self.assertRaises(BlockingIOError, self.peer.recv, 10)
        self.turn(0.0002)
        self.assertEqual(self.peer.recv(10), b"")
        self.check_lost(None)

    def test_jitter(self) -> None:
        """The very times of the link: the same seed gives the same again, another others."""

        def times(seed: int) -> list[float]:
            self.impair(f"delay 50ms 40ms seed {seed}", capacity=1 << 20)
            found: list[float] = []
            for step in range(4000):
                if not step % 200 and step < 2000:
                    self.write(1460)
                self.turn(0.0001)
                found += [step] * (len(self.read()) // 1460)
            return found

        conditions = parse_stream("delay 50ms 40ms").outward
        assert conditions is not None
        link = StreamLink(conditions, seed=3, direction="out", host="127.0.0.1")
        expected: list[float] = []
        for step in range(4000):
            if not step % 200 and step < 2000:
                link.offer(step * 0.0001, bytes(1460))
            expected += [step] * (sum(map(len, link.take((step + 1) * 0.0001))) // 1460)
        first = times(3)
        self.assertEqual(len(first), 10)
        for time, due in zip(first, expected, strict=True):
            self.assertAlmostEqual(time, due, delta=1)
        self.assertEqual(times(3), first)
        self.assertNotEqual(times(4), first)

    def test_rate(self) -> None:
        """1,460 bytes at 11,680 bit/s: a second for each piece."""
        self.impair("rate 11680bit")
        self.write(4 * 1460)
        self.turn(0.5)
        self.assertEqual(self.arrivals(1.0, 5), [1460] * 4 + [0])

    def test_segment_in(self) -> None:
        """What was sent in one go comes in pieces, each by itself."""
        self.impair("in segment 3 8")
        sizes: list[int] = []
        received = self.receiver.data_received

        def data_received(data: bytes) -> None:
            sizes.append(len(data))
            received(data)

        self.receiver.data_received = data_received  # type: ignore[method-assign]
        self.give(bytes(100))
        self.turn(1)
        self.assertEqual(sum(sizes), 100)
        self.assertEqual((min(sizes[:-1]) >= 3, max(sizes)), (True, 8))
        self.assertGreater(len(set(sizes)), 3)

    def test_segment_out(self) -> None:
        self.impair("segment 7", capacity=1000)
        self.write(20)
        self.turn(1)
        pieces = [self.peer.recv(1000) for _ in range(3)]
        self.assertEqual([len(each) for each in pieces], [7, 7, 6])

    def test_stall(self) -> None:
        self.impair("stall 100% 2s", capacity=1 << 20)
        self.write(3 * 1460)
        self.turn(1.0)
        self.assertEqual(self.arrivals(2.0, 4), [1460, 1460, 1460, 0])

    def test_two_directions(self) -> None:
        """Each has a link of its own."""
        self.impair("in rate 8kbit out delay 1s")
        self.receiver.echo = True
        self.give(bytes(200))
        self.turn(0.199)
        self.assertEqual(self.received, b"")
        self.turn(0.002)
        self.assertEqual(self.received, bytes(200))
        self.assertEqual(self.arrivals(0.499, 3), [0, 0, 200])


class Bytes(DetourCase):
    """What goes in comes out, whatever lies between."""

    @settings(max_examples=25)
    @example(
        words="out limit 1k",
        faults=Faults(),
        writes=[[40_000, 40_000, 1]],  # more than goes out in one buffer
        said=[],
        peer_first=False,
    )
    @given(
        words=st.none() | st.sampled_from(WORDS),
        faults=st.builds(
            Faults,
            seed=st.integers(0, 99),
            chunk=st.none() | st.integers(100, 2000),
            coalesce=st.sampled_from((0.0, 0.5)),
            delay=st.sampled_from((0.0, 0.1)),
            capacity=st.sampled_from((5000, 64 * 1024)),
        ),
        writes=st.lists(st.lists(st.sampled_from((1, 100, 3000, 40_000)), max_size=3), max_size=4),
        said=st.lists(st.integers(1, 700)),
        peer_first=st.booleans(),
    )
    def test_bytes(
        self,
        words: str | None,
        faults: Faults,
        writes: list[list[int]],
        said: list[int],
        peer_first: bool,
    ) -> None:
        self.words = words
        limits = Limits(write_timeout=None, high_water=1 << 16, max_buffered=1 << 20)
        self.start(faults, limits)
        answers = b"".join(random.Random(1).randbytes(size) for each in writes for size in each)
        questions = random.Random(2).randbytes(sum(said))
        got = b""
        asked = answered = 0
        ended = False
        for step in range(max(len(writes), len(said))):
            for size in writes[step] if step < len(writes) else ():
                self.receiver.call(self.stream.write, answers[answered : answered + size])
                answered += size
            asked += self.send(questions[asked : asked + (said[step] if step < len(said) else 0)])
            self.turn(0.05)
            got += self.read()
        for _ in range(2000):
            if asked < len(questions):
                asked += self.send(questions[asked:])
            elif peer_first and not ended:
                self.peer.shutdown(1)
                ended = True
            if len(self.received) == len(questions) and ended == ("end" in self.calls()):
                self.receiver.call(self.stream.finish)
            self.turn(1)
            got += self.read()
            if self.stream.closing and len(got) == len(answers):
                break
        self.turn(5)
        self.assertEqual((got, self.received), (answers, questions))
        self.assertEqual(self.peer.recv(1), b"")
        self.peer.close()
        self.turn(5)
        self.check_lost(None)
        (flow,) = self.tape.flows
        self.assertEqual(flow.said, {"in": questions, "out": answers})
        self.assertEqual(flow.end, ("", False, "in" if peer_first else "out"))

    def send(self, data: bytes) -> int:
        try:
            return self.peer.send(data) if data else 0
        except BlockingIOError:
            return 0


class BackPressure(DetourCase):
    """Nobody can fill this process's memory by way of a slow link."""

    def pour(self, most: int) -> int:
        """The peer sends what it can, at once; how much that was."""
        poured = 0
        while poured < most:
            try:
                poured += self.peer.send(bytes(most - poured))
            except BlockingIOError:
                break
            self.turn()
        return poured

    def test_fast_sender(self) -> None:
        """More than ``limit`` and a read are not taken in; all of it arrives."""
        self.impair("in rate 80kbit limit 5k", capacity=1000)
        poured = self.pour(100_000)
        self.assertLessEqual(poured, 5 * 1024 + 2 * 1000)
        while poured < 30_000:
            self.turn(0.01)
            poured += self.pour(30_000 - poured)
            self.assertLessEqual(poured - len(self.received), 5 * 1024 + 2 * 1000)
        self.turn(5)
        self.assertEqual(len(self.received), 30_000)

    def test_slow_receiver(self) -> None:
        """What it does not read stays where it is, and then in the peer."""
        for words in (None, "in delay 10ms limit 2k"):
            self.impair(words, capacity=1000)
            self.stream.pause()
            poured = 0
            for _ in range(20):
                poured += self.pour(100_000)
                self.turn(1)
            self.assertEqual(self.received, b"")
            self.assertLessEqual(poured, 2 * 1024 + 4 * 1000)
            self.stream.resume()
            self.turn(1)
            self.assertEqual(len(self.received), poured)

    def test_full(self) -> None:
        """Water marks hold above a link that is full; who waits for it is told."""
        limits = Limits(high_water=1000, low_water=200, max_buffered=5000)
        self.impair("rate 80kbit limit 4k", limits, capacity=1 << 20)
        self.write(4096 + 1000)
        self.turn()
        self.assertEqual((self.stream.buffered, self.stream.full), (1000, False))
        self.write(1)
        self.assertEqual((self.stream.full, self.stream.blocked), (True, True))
        self.turn(0.5)
        self.assertFalse(self.stream.full)
        self.assertEqual(self.calls(), ["connected", "can_write"])
        self.turn(1)
        self.assertEqual(len(self.read()), 5097)

    def test_write_timeout(self) -> None:
        """A peer that reads nothing is cut in time, and by no other reason."""
        for words in (None, "delay 100ms", "delay 1s limit 500"):
            self.impair(words, Limits(write_timeout=10), capacity=500)
            self.write(3000)
            self.turn(9.9)
            self.assertFalse(self.stream.closing)
            self.turn(1.2 + 2 * TICK)
            self.check_lost(WriteTimeout)
            self.assertRaises(ConnectionResetError, self.peer.recv, 1)

    def test_write_timeout_of_a_link(self) -> None:
        """A network that moves nothing for so long is cut off, as it would be."""
        self.impair("delay 60s limit 1k", Limits(write_timeout=10), capacity=1 << 20)
        self.write(3000)
        self.turn(10 + TICK)
        self.check_lost(WriteTimeout)

    def test_slow_link_is_no_slow_peer(self) -> None:
        """Far longer than ``write_timeout``, but something moves."""
        self.impair("rate 800bit limit 1k", Limits(write_timeout=20), capacity=1 << 20)
        self.write(10_000)
        self.turn(101)
        self.assertEqual(len(self.read()), 10_000)
        self.assertFalse(self.stream.closing)


class PromisedReading(test_stream.Reading, DetourCase):
    """What holds for every stream holds above a detour; here one without links."""


class PromisedDeadlines(test_stream.Deadlines, DetourCase):
    pass


class PromisedClose(test_stream_ends.Closing, DetourCase):
    def test_last_words_are_dropped(self) -> None:
        """Read, so that the kernel sends no reset, and not handed on; nor are they counted."""
        self.close()
        self.turn()
        for _ in range(5):
            self.peer.send(bytes(500))
            self.turn()
        self.assertEqual(self.calls(), ["connected"])
        self.peer.shutdown(1)
        self.turn()
        self.check_lost(None)
        self.assertEqual(self.peer.recv(10), b"")


class PromisedAbort(test_stream_ends.Aborting, DetourCase):
    pass


class Linked(DetourCase):
    """With links that hold nothing up."""

    words = "in limit 64k out limit 64k"


class LinkedReading(PromisedReading, Linked):
    pass


class LinkedDeadlines(PromisedDeadlines, Linked):
    pass


class LinkedClose(PromisedClose, Linked):
    pass


class LinkedAbort(PromisedAbort, Linked):
    pass
