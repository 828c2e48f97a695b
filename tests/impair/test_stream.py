# trial's assertions have no annotations:
# mypy: allow-untyped-calls

from __future__ import annotations

from math import inf, sqrt

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from netlab.impair import StreamLink, parse_stream
from netlab.impair.stream import FULL_SEGMENT
from tests.impair.support import SIGMAS, STREAM_TEXTS, mean, share_bound, stream

BYTES = bytes(range(256)) * 1024


def feed(under_test: StreamLink, data: bytes, now: float = 0.0, step: int = 1 << 16) -> None:
    """Offers ``data`` in pieces of ``step`` at most, at one moment."""
    for at in range(0, len(data), step):
        under_test.offer(now, data[at : at + step])


def come(under_test: StreamLink) -> list[tuple[float, bytes]]:
    """All that comes out of the link, each piece with its moment."""
    found = []
    while len(under_test):
        now = under_test.next_due
        found += [(now, piece) for piece in under_test.take(now)]
    return found


class Schedule(SynchronousTestCase):
    def test_delay(self) -> None:
        under_test = stream("delay 50ms")
        self.assertEqual((len(under_test), under_test.next_due), (0, inf))
        self.assertEqual(under_test.take(0.0), [])
        under_test.offer(1.0, b"hello ")
        under_test.offer(1.0, b"world")
        self.assertEqual((len(under_test), under_test.next_due), (11, 1.05))
        under_test.offer(1.02, b"!")
        self.assertEqual(under_test.take(1.04), [])
        self.assertEqual(under_test.take(1.06), [b"hello world"])
        self.assertEqual((len(under_test), under_test.next_due), (1, 1.07))
        self.assertEqual(under_test.take(2.0), [b"!"])
        self.assertEqual((len(under_test), under_test.next_due), (0, inf))
        self.assertFalse(under_test.reset_due(inf))

    def test_empty(self) -> None:
        under_test = stream("reset 100%")
        under_test.offer(0.0, b"")
        self.assertEqual((len(under_test), under_test.next_due), (0, inf))
        self.assertFalse(under_test.reset_due(0.0))

    def test_whole(self) -> None:
        """Without anything that tells pieces apart, nothing is cut."""
        under_test = stream("delay 5ms limit 1m")
        under_test.offer(0.0, BYTES)
        (piece,) = under_test.take(1.0)
        self.assertEqual(piece, BYTES)

    def test_never_overtaking(self) -> None:
        under_test = stream("delay 50ms 50ms segment 10 limit 1m")
        for at in range(0, 5000, 10):
            under_test.offer(at / 10_000, BYTES[at : at + 10])
        found = come(under_test)
        self.assertEqual(b"".join(piece for _, piece in found), BYTES[:5000])
        self.assertEqual([due for due, _ in found], sorted(due for due, _ in found))
        self.assertGreater(len({due for due, _ in found}), 20)

    def test_rate(self) -> None:
        """1 byte in 1 ms; what is not cut arrives as it comes off the wire."""
        under_test = stream("rate 8kbit")
        under_test.offer(0.0, bytes(2 * FULL_SEGMENT))
        self.assertAlmostEqual(under_test.next_due, FULL_SEGMENT / 1000)
        self.assertEqual(under_test.take(1.5), [bytes(FULL_SEGMENT)])
        self.assertEqual(under_test.take(2.919), [])
        self.assertEqual(under_test.take(2.921), [bytes(FULL_SEGMENT)])
        under_test.offer(9.0, b"x")
        self.assertAlmostEqual(under_test.next_due, 9.001)

    def test_delay_first(self) -> None:
        under_test = stream("rate 8kbit delay 1s segment 10")
        under_test.offer(0.0, bytes(20))
        for due, (now, piece) in zip((1.01, 1.02), come(under_test), strict=True):
            self.assertAlmostEqual(now, due)
            self.assertEqual(len(piece), 10)


class Room(SynchronousTestCase):
    def test_room(self) -> None:
        under_test = stream("delay 50ms limit 10")
        self.assertEqual(under_test.room(), 10)
        under_test.offer(0.0, bytes(4))
        self.assertEqual((under_test.room(), len(under_test)), (6, 4))
        under_test.offer(0.0, bytes(6))
        self.assertEqual(under_test.room(), 0)
        under_test.take(1.0)
        self.assertEqual((under_test.room(), len(under_test)), (10, 0))

    def test_over(self) -> None:
        """What was read cannot be given back, so it is taken."""
        under_test = stream("delay 50ms limit 10")
        under_test.offer(0.0, bytes(25))
        self.assertEqual((under_test.room(), len(under_test)), (0, 25))
        self.assertEqual(under_test.take(0.05), [bytes(25)])
        self.assertEqual(under_test.room(), 10)

    def test_default(self) -> None:
        self.assertEqual(stream("delay 50ms").room(), 65_536)


class Segments(SynchronousTestCase):
    def test_sizes(self) -> None:
        under_test = stream("segment 100")
        under_test.offer(0.0, BYTES[:1050])
        pieces = under_test.take(1.0)
        self.assertEqual([len(piece) for piece in pieces], [100] * 10 + [50])
        self.assertEqual(b"".join(pieces), BYTES[:1050])
        under_test.offer(1.0, BYTES[1050:1200])  # the piece that was begun is finished first
        self.assertEqual([len(piece) for piece in under_test.take(2.0)], [50, 100])

    def test_apart(self) -> None:
        """Each comes by itself, or the reader would see nothing of it."""
        under_test = stream("segment 10")
        under_test.offer(1.0, bytes(25))
        self.assertEqual(
            [(round(due, 6), len(p)) for due, p in come(under_test)],
            [(1.0, 10), (1.001, 10), (1.002, 5)],
        )

    def test_random_sizes(self) -> None:
        under_test = stream("segment 5 24 limit 1m")
        under_test.offer(0.0, BYTES)
        sizes = [len(piece) for piece in under_test.take(1e6)][:-1]
        self.assertEqual(set(sizes), set(range(5, 25)))
        spread = SIGMAS * sqrt((20**2 - 1) / 12 / len(sizes))
        self.assertLess(abs(mean(sizes) - 14.5), spread)

    def test_bytewise(self) -> None:
        under_test = stream("segment 1")
        under_test.offer(0.0, b"hello")
        self.assertEqual(under_test.take(1.0), [b"h", b"e", b"l", b"l", b"o"])


class Stalls(SynchronousTestCase):
    def test_stall(self) -> None:
        """Nothing moves, the pieces behind it included."""
        under_test = stream("segment 10 stall 100% 1s")
        under_test.offer(0.0, bytes(25))
        self.assertEqual([(due, len(p)) for due, p in come(under_test)], [(1, 10), (2, 10), (3, 5)])
        under_test.offer(5.0, bytes(5))  # the rest of a piece does not stall again
        self.assertEqual(under_test.next_due, 5.0)

    def test_share(self) -> None:
        under_test = stream("segment 10 stall 5% 1s limit 1m")
        under_test.offer(0.0, BYTES[:100_000])
        stalls = come(under_test)[-1][0]
        self.assertLess(abs(stalls / 10_000 - 0.05), share_bound(0.05, 10_000))


class Resets(SynchronousTestCase):
    def test_at_once(self) -> None:
        under_test = stream("reset 100% delay 50ms")
        under_test.offer(1.0, b"hello")
        self.assertEqual((len(under_test), under_test.room(), under_test.next_due), (0, 0, 1.05))
        self.assertEqual(under_test.take(2.0), [])
        self.assertFalse(under_test.reset_due(1.04))
        self.assertTrue(under_test.reset_due(1.05))
        under_test.offer(2.0, b"more")
        self.assertEqual((len(under_test), under_test.next_due), (0, 1.05))

    def test_earlier_pieces_first(self) -> None:
        under_test = stream("segment 10 reset 2% rate 8kbit limit 1m")
        under_test.offer(0.0, BYTES)
        count = len(under_test)
        self.assertTrue(0 < count < len(BYTES))
        self.assertEqual(count % 10, 0)
        end = count / 1000
        self.assertFalse(under_test.reset_due(end + 1))  # they have not been taken
        self.assertEqual(b"".join(under_test.take(end - 0.005)), BYTES[: count - 10])
        self.assertFalse(under_test.reset_due(end + 1))
        self.assertEqual(b"".join(under_test.take(end + 1e-6)), BYTES[count - 10 : count])
        self.assertAlmostEqual(under_test.next_due, end)
        self.assertTrue(under_test.reset_due(end + 1e-6))

    def test_share(self) -> None:
        """Which piece it is, is geometric: 1 / P on average."""
        pieces = []
        for seed in range(1000):
            under_test = stream("segment 1 reset 5%", seed)
            under_test.offer(0.0, bytes(400))
            pieces.append(len(under_test) + 1)
        self.assertLess(abs(mean(pieces) - 20), SIGMAS * sqrt(0.95) / 0.05 / sqrt(1000))

    def test_never(self) -> None:
        under_test = stream("reset 0% limit 1m")
        under_test.offer(0.0, BYTES)
        self.assertEqual(b"".join(under_test.take(0.0)), BYTES)
        self.assertFalse(under_test.reset_due(inf))


class Promise(SynchronousTestCase):
    TEXT = "segment 3 9 delay 50ms 20ms 30% distribution normal stall 5% 100ms reset 0.5% limit 1m"

    def test_same(self) -> None:
        made = []
        for _ in range(2):
            under_test = stream(self.TEXT)
            under_test.offer(0.0, BYTES)
            made.append((come(under_test), under_test.next_due))
        self.assertEqual(made[0], made[1])

    def test_differ(self) -> None:
        conditions = parse_stream(self.TEXT).outward
        assert conditions is not None
        made = []
        for seed, direction, host in (
            *((0, "out", "192.0.2.7"), (1, "out", "192.0.2.7"), (0, "in", "192.0.2.7")),
            (0, "out", "192.0.2.8"),
        ):
            under_test = StreamLink(conditions, seed=seed, direction=direction, host=host)
            under_test.offer(0.0, BYTES)
            made.append(come(under_test)[:20])
        for a, one in enumerate(made):
            for another in made[:a]:
                self.assertNotEqual(one, another)

    @given(st.lists(st.integers(1, 50), min_size=1, max_size=30), st.integers(0, 9))
    def test_chunking(self, sizes: list[int], seed: int) -> None:
        """However the bytes are offered, each is due at the same moment, and the reset too."""
        total = sum(sizes)
        whole = stream(self.TEXT, seed)
        whole.offer(0.0, BYTES[:total])
        parts = stream(self.TEXT, seed)
        at = 0
        for size in sizes:
            parts.offer(0.0, BYTES[at : at + size])
            at += size
        self.assertEqual(
            [(due, byte) for due, piece in come(whole) for byte in piece],
            [(due, byte) for due, piece in come(parts) for byte in piece],
        )
        self.assertEqual(whole.next_due, parts.next_due)
        self.assertEqual(whole.room(), parts.room())

    @given(
        STREAM_TEXTS,
        st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 100)), max_size=20),
    )
    def test_bytes(self, text: str, steps: list[tuple[int, int]]) -> None:
        """Whatever the conditions, the same bytes come out, or the first of them and a reset."""
        impairment = parse_stream(text)
        conditions = impairment.outward or impairment.inward
        assert conditions is not None
        under_test = StreamLink(conditions, seed=impairment.seed or 0, direction="in", host="::1")
        sent, came, now, last = b"", b"", 0.0, 0.0
        for size, wait in steps:
            data = BYTES[len(sent) : len(sent) + min(size, under_test.room())]
            under_test.offer(now, data)
            sent += data
            now += wait / 100
            came += b"".join(under_test.take(now))
            if not under_test.room() and under_test.next_due < inf and not len(under_test):
                self.assertEqual(under_test.reset_due(now), under_test.next_due <= now)
        while len(under_test):
            self.assertGreaterEqual(under_test.next_due, last)
            self.assertFalse(under_test.reset_due(inf))
            last = under_test.next_due
            came += b"".join(under_test.take(last))
        self.assertTrue(sent.startswith(came))
        if under_test.next_due == inf:
            self.assertEqual(came, sent)
            self.assertEqual(under_test.room(), conditions.limit)
        else:
            self.assertTrue(under_test.reset_due(under_test.next_due))
            self.assertEqual(under_test.room(), 0)
