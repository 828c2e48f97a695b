"""One direction of a detour: all bytes, in order, and then the end."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from netlab.impair import StreamLink, parse_stream
from netlab.transport import NEVER
from netlab.transport.way import Way

WORDS = (
    "delay 50ms",
    "delay 50ms 40ms",
    "delay 20ms 20ms 25% distribution pareto",
    "rate 8kbit",
    "rate 100kbit limit 100",
    "segment 1 7",
    "segment 3 limit 10 delay 5ms",
    "stall 20% 500ms",
    "delay 10ms 5ms rate 1mbit segment 1 300 stall 5% 1s limit 500",
    "limit 1",
)


def way(words: str, seed: int = 0) -> Way:
    """A way with a link that does what ``words`` say."""
    conditions = parse_stream(words).outward
    assert conditions is not None
    return Way(StreamLink(conditions, seed=seed, direction="out", host="192.0.2.7"))


class Whole(SynchronousTestCase):
    @given(
        words=st.none() | st.sampled_from(WORDS),
        seed=st.integers(0, 99),
        sizes=st.lists(st.integers(0, 700), max_size=12),
        waits=st.lists(st.sampled_from((0.0, 0.001, 0.1, 3.0)), max_size=30),
        patient=st.booleans(),
    )
    def test_bytes_and_end(
        self, words: str | None, seed: int, sizes: list[int], waits: list[float], patient: bool
    ) -> None:
        """However they are put in and taken out; ``patient`` ones mind the room."""
        one = Way(None) if words is None else way(words, seed)
        sent = bytearray()
        came = bytearray()
        now = 0.0
        todo = [bytes((n + at) % 256 for at in range(size)) for n, size in enumerate(sizes)]
        steps = iter(waits)
        while True:
            while todo and (not patient or one.room > 0):
                data = todo.pop(0)
                if patient and len(data) > one.room:
                    todo.insert(0, data[one.room :])
                    data = data[: one.room]
                one.put(now, data)
                sent += data
            if not todo:
                one.end(now)
            self.assertFalse(one.over)
            came += b"".join(one.take(now))
            self.assertTrue(sent.startswith(came))
            if one.over:
                break
            if todo and one.room > 0:
                continue
            due = one.next_due
            self.assertTrue(now < due < NEVER, (now, due))
            now = max(now, min(due, now + next(steps, NEVER)))
        self.assertEqual(came, sent)
        self.assertEqual(one.under_way, 0)
        self.assertEqual(one.take(now + 1), [])
        self.assertFalse(one.resets(now))


class Ends(SynchronousTestCase):
    def test_end_alone(self) -> None:
        """It is as late as a byte."""
        one = way("delay 50ms")
        one.end(1.0)
        one.end(1.01)  # once is enough
        self.assertEqual((one.under_way, one.take(1.049), one.over), (1, [], False))
        self.assertAlmostEqual(one.next_due, 1.05)
        self.assertEqual((one.take(1.051), one.over, one.under_way), ([], True, 0))

    def test_behind_the_last_piece(self) -> None:
        one = way("segment 2")
        one.put(0.0, b"abc")
        one.end(0.0)
        pieces = one.take(1.0)
        self.assertEqual((pieces, one.over), ([b"ab", b"c"], True))

    def test_no_link(self) -> None:
        one = Way(None)
        self.assertGreater(one.room, 0)
        one.put(0.0, b"ab")
        one.put(0.0, b"c")
        self.assertEqual((one.under_way, one.next_due), (3, NEVER))
        self.assertEqual((one.take(0.0), one.over), ([b"ab", b"c"], False))
        one.end(0.0)
        self.assertEqual((one.take(0.0), one.over), ([], True))

    def test_reset(self) -> None:
        """What is before its place comes; the end never does."""
        for seed in range(20):
            one = way("delay 50ms reset 20%", seed)
            sent = bytes(range(256)) * 100
            one.put(0.0, sent)
            one.end(0.0)
            self.assertEqual(one.room, 0)
            self.assertFalse(one.resets(0.049))
            came = b"".join(one.take(0.051))
            self.assertTrue(one.resets(0.051))
            self.assertFalse(one.over)
            self.assertTrue(sent.startswith(came))
            self.assertEqual(len(came) % 1460, 0)

    def test_reset_at_once(self) -> None:
        """Of the very first byte."""
        one = way("reset 100%")
        one.put(0.0, b"hello")
        self.assertEqual((one.take(0.0), one.resets(0.0), one.room), ([], True, 0))

    def test_clear(self) -> None:
        for one in (way("delay 50ms"), way("reset 100%"), Way(None)):
            one.put(0.0, b"hello")
            one.clear()
            one.put(0.0, b"more")
            one.end(0.0)
            self.assertEqual((one.take(9.0), one.under_way, one.next_due), ([], 0, NEVER))
            self.assertFalse(one.resets(9.0))
