# trial's assertions have no annotations:
# mypy: allow-untyped-calls

from __future__ import annotations

import gc
import tracemalloc
from itertools import pairwise
from math import inf, sqrt

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from netlab.errors import ConfigurationError
from netlab.impair import Conditions, Fate, Link, parse
from tests.impair.support import (
    FLOW,
    OTHER,
    SIGMAS,
    TEXTS,
    bursts,
    fates,
    left,
    link,
    mean,
    share_bound,
)


class Schedule(SynchronousTestCase):
    def test_delay(self) -> None:
        under_test = link("delay 50ms")
        self.assertEqual((len(under_test), under_test.next_due), (0, inf))
        cargo = object()
        fate = under_test.offer(1.0, FLOW, b"a", cargo)
        self.assertEqual(fate, Fate(0, None, (0.05,), None, False))
        self.assertEqual((len(under_test), under_test.next_due), (1, 1.05))
        under_test.offer(1.01, FLOW, b"b")
        self.assertEqual((len(under_test), under_test.next_due), (2, 1.05))
        self.assertEqual(under_test.take(1.0499), [])
        self.assertEqual(under_test.take(1.05), [(b"a", cargo)])
        self.assertEqual((len(under_test), under_test.next_due), (1, 1.06))
        self.assertEqual(under_test.take(9.0), [(b"b", None)])
        self.assertEqual((len(under_test), under_test.next_due), (0, inf))

    def test_at_once(self) -> None:
        under_test = link("loss 0%")
        self.assertEqual(under_test.offer(5.0, FLOW, b"a").delays, (0.0,))
        self.assertEqual(under_test.next_due, 5.0)
        self.assertEqual(left(under_test, 5.0), [b"a"])

    def test_order(self) -> None:
        """What is due together leaves in the order in which it came."""
        under_test = link("delay 50ms")
        sent = [bytes([each]) for each in range(100)]
        for each in sent:
            under_test.offer(0.0, (f"192.0.2.{each[0] % 7}", 1), each, each)
        self.assertEqual(left(under_test, 1.0), sent)

    def test_jitter_overtakes(self) -> None:
        under_test = link("delay 50ms 40ms")
        dues = []
        for index in range(200):
            (delay,) = under_test.offer(index / 1000, FLOW, b"%d" % index).delays
            dues.append((index / 1000 + delay, b"%d" % index))
        came = [(at / 100, data) for at in range(50) for data in left(under_test, at / 100)]
        self.assertEqual([data for _, data in came], [data for _, data in sorted(dues)])
        self.assertNotEqual(dues, sorted(dues))
        for (at, data), (due, _) in zip(came, sorted(dues), strict=True):
            self.assertTrue(at - 0.0101 <= due <= at, data)

    def test_clear(self) -> None:
        under_test = link("delay 50ms 10ms loss 20% rate 8bit")
        first = [under_test.offer(0.0, FLOW, b"a") for _ in range(20)]
        under_test.clear()
        self.assertEqual((len(under_test), under_test.next_due), (0, inf))
        self.assertEqual(under_test.take(99.0), [])
        self.assertEqual([under_test.offer(0.0, FLOW, b"a") for _ in range(20)], first)

    def test_nothing_else(self) -> None:
        """Every packet leaves as often as its fate says, at the moment that it says."""
        under_test = link(
            "loss 10% delay 20ms 10ms duplicate 10% corrupt 10% reorder 10% rate 1mbit slot 5ms"
        )
        expected = []
        for index in range(500):
            data = b"%d" % index
            fate = under_test.offer(index / 1000, FLOW, data, index)
            expected += [(index / 1000 + delay, index) for delay in fate.delays]
            self.assertEqual(fate.delays == (), fate.dropped is not None)
        while len(under_test):
            now = under_test.next_due
            for _, cargo in under_test.take(now):
                match = next(each for each in expected if each[1] == cargo)
                self.assertAlmostEqual(match[0], now, 9)
                expected.remove(match)
        self.assertEqual(expected, [])


class Limits(SynchronousTestCase):
    def test_limit(self) -> None:
        under_test = link("delay 50ms limit 3")
        made = [under_test.offer(0.0, (f"192.0.2.{n}", 1), b"x") for n in range(5)]
        self.assertEqual([fate.dropped for fate in made], [None, None, None, "limit", "limit"])
        self.assertEqual((made[3].delays, made[3].words()), ((), "dropped: limit"))
        self.assertEqual((made[3].flipped, made[3].reordered), (None, False))
        self.assertEqual(len(under_test), 3)
        under_test.take(0.05)
        self.assertIsNone(under_test.offer(0.06, FLOW, b"x").dropped)

    def test_default(self) -> None:
        under_test = link("delay 50ms")
        made = [under_test.offer(0.0, FLOW, b"x").dropped for _ in range(1002)]
        self.assertEqual(made, [None] * 1000 + ["limit"] * 2)

    def test_copies_count(self) -> None:
        under_test = link("duplicate 100% delay 1s limit 5")
        made = [under_test.offer(0.0, FLOW, b"x") for _ in range(4)]
        self.assertEqual([len(fate.delays) for fate in made], [2, 2, 1, 0])
        self.assertEqual(made[2].words(), "delayed 1000 ms")
        self.assertEqual(len(under_test), 5)

    def test_fates_go_on(self) -> None:
        """What the limit drops, and the rate, changes no later fate."""
        text = "loss 10% 20% delay 50ms 20ms 30% corrupt 20% 10% duplicate 10% reorder 20% gap 3"
        free = fates(text, 300)
        under_test = link(f"{text} limit 5")
        for index, expected in enumerate(free):
            fate = under_test.offer(float(index), FLOW, b"hello")
            self.assertIn(fate.dropped, (expected.dropped, "limit"))
            if fate.dropped is None:
                self.assertEqual(fate[3:], expected[3:])
                self.assertEqual(fate.delays, expected.delays[: len(fate.delays)])
            if index % 7 == 0:
                under_test.take(inf)

    def test_flows(self) -> None:
        """The flow that was not used for longest is forgotten, and begins again."""
        under_test = link("loss 0%", max_flows=3)
        flows = [(f"192.0.2.{n}", 1) for n in range(4)]
        for flow in flows[:3] * 2:
            under_test.offer(0.0, flow, b"")
        self.assertEqual(under_test.offer(0.0, flows[0], b"").index, 2)
        self.assertEqual(under_test.offer(0.0, flows[3], b"").index, 0)  # in place of 1
        self.assertEqual(under_test.offer(0.0, flows[2], b"").index, 2)
        self.assertEqual(under_test.offer(0.0, flows[0], b"").index, 3)
        self.assertEqual(under_test.offer(0.0, flows[1], b"").index, 0)

    def test_no_flows(self) -> None:
        error = self.assertRaises(
            ConfigurationError, Link, Conditions(), seed=0, direction="in", max_flows=0
        )
        self.assertEqual(str(error), "max_flows must be 1 or more, not 0")

    def test_memory(self) -> None:
        """A flood from ever new addresses takes no more memory than the first of it."""
        under_test = link("loss 10% 5% delay 50ms 10ms rate 1mbit limit 100", max_flows=200)

        def flood(first: int) -> int:
            for n in range(first, first + 1000):
                under_test.offer(n / 1000, (f"h{n}", n), b"x" * 64)
                under_test.take(n / 1000)
            gc.collect()
            return tracemalloc.get_traced_memory()[0]

        tracemalloc.start()
        try:
            flood(10_000)
            before = flood(20_000)
            after = flood(30_000)
        finally:
            tracemalloc.stop()
        self.assertLess(abs(after - before), 20_000)
        self.assertLess(before, 1_000_000)


class Impairments(SynchronousTestCase):
    def test_loss(self) -> None:
        n = 20_000
        made = fates("loss 10% delay 50ms 10ms", n)
        lost = [fate.dropped == "loss" for fate in made]
        self.assertLess(abs(mean(lost) - 0.1), share_bound(0.1, n))
        for fate in made:
            if fate.dropped:
                self.assertEqual(fate[1:], ("loss", (), None, False))
            else:
                self.assertTrue(0.04 <= fate.delays[0] < 0.06)

    def test_models(self) -> None:
        n = 20_000
        for text, share, burst in (
            ("loss gemodel 2% 20%", 0.02 / 0.22, 5),
            ("loss state 2% 20%", 0.02 / 0.22, 5),
        ):
            lost = [fate.dropped == "loss" for fate in fates(text, n)]
            self.assertLess(abs(mean(lost) - share), 0.02)
            lengths = bursts(lost)
            bound = SIGMAS * sqrt(0.8) / 0.2 / sqrt(len(lengths))
            self.assertLess(abs(mean(lengths) - burst), bound)

    def test_duplicate(self) -> None:
        n = 20_000
        made = fates("duplicate 5% delay 50ms 10ms", n)
        twice = [len(fate.delays) == 2 for fate in made]
        self.assertLess(abs(mean(twice) - 0.05), share_bound(0.05, n))
        for fate in made:
            self.assertEqual(len(set(fate.delays)), len(fate.delays))
        under_test = link("duplicate 100%")
        under_test.offer(0.0, FLOW, b"a", 1)
        under_test.offer(0.0, FLOW, b"b", 2)
        self.assertEqual(under_test.take(0.0), [(b"a", 1), (b"a", 1), (b"b", 2), (b"b", 2)])

    def test_lost_is_lost(self) -> None:
        """A duplicate does not save a lost packet."""
        self.assertEqual(
            {fate.dropped for fate in fates("loss 100% duplicate 100%", 100)}, {"loss"}
        )

    def test_corrupt(self) -> None:
        n = 20_000
        made = fates("corrupt 5%", n, data=bytes(8))
        bits = [fate.flipped for fate in made if fate.flipped is not None]
        self.assertLess(abs(len(bits) / n - 0.05), share_bound(0.05, n))
        self.assertEqual(set(bits), set(range(64)))
        self.assertLess(abs(mean(bits) - 31.5), SIGMAS * 64 / sqrt(12 * len(bits)))

    @given(st.binary(min_size=1, max_size=100), st.integers(0, 99))
    def test_exactly_one_bit(self, data: bytes, seed: int) -> None:
        under_test = link("corrupt 100% duplicate 100%", seed)
        bit = under_test.offer(0.0, FLOW, data).flipped
        assert bit is not None
        first, second = left(under_test, 0.0)
        self.assertEqual(second, data)
        a, b = int.from_bytes(first, "little"), int.from_bytes(data, "little")
        self.assertEqual((a ^ b, len(first)), (1 << bit, len(data)))
        self.assertIs(type(first), bytes)

    def test_nothing_to_corrupt(self) -> None:
        under_test = link("corrupt 100%")
        self.assertIsNone(under_test.offer(0.0, FLOW, b"").flipped)
        self.assertEqual(left(under_test, 0.0), [b""])

    def test_whole_range(self) -> None:
        """A packet of the greatest length has a bit of its last byte flipped, too."""
        size = 65_507
        made = fates("corrupt 100%", 2000, data=bytes(size))
        bits = [fate.flipped for fate in made if fate.flipped is not None]
        self.assertTrue(0 <= min(bits) < size // 10 and size * 7 < max(bits) < size * 8)

    def test_reorder(self) -> None:
        n = 20_000
        made = fates("delay 50ms reorder 25%", n)
        jumped = [fate.reordered for fate in made]
        self.assertLess(abs(mean(jumped) - 0.25), share_bound(0.25, n))
        for fate in made:
            self.assertEqual(fate.delays, (0.0,) if fate.reordered else (0.05,))

    def test_gap(self) -> None:
        """The repeatable pattern of tc-netem(8): every fifth."""
        made = fates("delay 10ms reorder 100% gap 5", 20)
        self.assertEqual([fate.index for fate in made if fate.reordered], [4, 9, 14, 19])

    def test_gap_by_chance(self) -> None:
        """After a gap of 4, by chance: the distance is 4 + geometric, 1 / (4 + 1/P) jump."""
        n = 20_000
        made = [fate.reordered for fate in fates("delay 10ms reorder 25% gap 5", n)]
        self.assertLess(abs(mean(made) - 1 / (4 + 1 / 0.25)), share_bound(1 / 8, n))
        jumps = [index for index, jumped in enumerate(made) if jumped]
        self.assertEqual(min(b - a for a, b in pairwise(jumps)), 5)

    def test_reorder_overtakes(self) -> None:
        under_test = link("delay 10ms reorder 100% gap 3")
        for data in b"abcdef":
            under_test.offer(0.0, FLOW, bytes([data]))
        self.assertEqual(left(under_test, 0.0), [b"c", b"f"])
        self.assertEqual(left(under_test, 0.01), [b"a", b"b", b"d", b"e"])


class Promise(SynchronousTestCase):
    """A fate depends on the seed, the host, the direction and the packet's number."""

    TEXT = (
        "loss 20% 10% delay 50ms 20ms 30% distribution normal duplicate 20% corrupt 20%"
        " reorder 20% 10% gap 2"
    )

    def test_same(self) -> None:
        self.assertEqual(fates(self.TEXT, 200), fates(self.TEXT, 200))

    def test_ports_apart(self) -> None:
        """Asked for it, a link draws for each port of a host anew, and the same again."""
        conditions = parse(self.TEXT).outward
        assert conditions is not None

        def offered(port: int) -> list[Fate]:
            apart = Link(conditions, seed=7, direction="out", ports_apart=True)
            return [apart.offer(0.0, (FLOW[0], port), b"hello") for _ in range(50)]

        self.assertEqual(offered(40000), offered(40000))
        self.assertNotEqual(offered(40000), offered(40001))

    def test_differ(self) -> None:
        made = [fates(self.TEXT, 50, seed) for seed in (0, 1, 2, (1 << 64) - 1)]
        conditions = parse(self.TEXT).outward
        assert conditions is not None
        other = Link(conditions, seed=0, direction="in")
        made.append([other.offer(0.0, FLOW, b"hello") for _ in range(50)])
        made.append([link(self.TEXT, 0).offer(0.0, OTHER, b"hello") for _ in range(50)])
        for a, one in enumerate(made):
            for another in made[:a]:
                self.assertNotEqual(one, another)

    def test_port(self) -> None:
        """A client that comes again from another port meets the same."""
        under_test = link(self.TEXT)
        first = [under_test.offer(0.0, FLOW, b"hello") for _ in range(50)]
        again = [under_test.offer(0.0, (FLOW[0], 50_000), b"hello") for _ in range(50)]
        self.assertEqual(first, again)
        self.assertEqual([fate.index for fate in again], list(range(50)))

    @settings(max_examples=50)
    @given(
        TEXTS,
        st.lists(st.sampled_from([FLOW, OTHER, (FLOW[0], 1), ("2001:db8::1", 9)]), max_size=60),
    )
    def test_interleaving(self, text: str, flows: list[tuple[str, int]]) -> None:
        """Other clients' packets change nothing of mine, whatever the conditions."""
        impairment = parse(text + ("" if "limit" in text.lower() else " limit 1000"))
        conditions = impairment.outward or impairment.inward
        assert conditions is not None
        mixed = Link(conditions, seed=impairment.seed or 0, direction="out")
        mine: dict[tuple[str, int], list[tuple[float, Fate]]] = {}
        for index, flow in enumerate(flows):
            fate = mixed.offer(index / 16, flow, b"x" * (index % 5))
            mine.setdefault(flow, []).append((index / 16, fate))
            if fate.dropped == "limit":  # memory is shared, and says so
                return
        for flow, expected in mine.items():
            alone = Link(conditions, seed=impairment.seed or 0, direction="out")
            lengths = [index % 5 for index, each in enumerate(flows) if each == flow]
            made = [
                (now, alone.offer(now, flow, b"x" * length))
                for (now, _), length in zip(expected, lengths, strict=True)
            ]
            self.assertEqual(made, expected)

    def test_words_are_independent(self) -> None:
        """A word does the same whatever stands beside it."""
        n = 500
        for correlation in ("", " 40%"):
            text = (
                f"loss 20%{correlation} delay 50ms 20ms{correlation} duplicate 20%{correlation}"
                f" corrupt 20%{correlation} reorder 20%{correlation} gap 3"
            )
            every = fates(text, n)
            loss = fates(f"loss 20%{correlation}", n)
            delay = fates(f"delay 50ms 20ms{correlation}", n)
            duplicate = fates(f"duplicate 20%{correlation}", n)
            corrupt = fates(f"corrupt 20%{correlation}", n)
            reorder = fates(f"delay 1ms reorder 20%{correlation} gap 3", n)
            for index, fate in enumerate(every):
                self.assertEqual(fate.dropped, loss[index].dropped)
                if fate.dropped:
                    continue
                self.assertEqual(fate.flipped, corrupt[index].flipped)
                self.assertEqual(fate.reordered, reorder[index].reordered)
                self.assertEqual(len(fate.delays), len(duplicate[index].delays))
                if not fate.reordered:
                    self.assertEqual(fate.delays[0], delay[index].delays[0])

    @given(TEXTS, st.integers(0, 3))
    def test_any(self, text: str, size: int) -> None:
        """Whatever the conditions, what was offered leaves at most twice, in order of time."""
        impairment = parse(text)
        conditions = impairment.outward or impairment.inward
        assert conditions is not None
        under_test = Link(conditions, seed=impairment.seed or 0, direction="in")
        copies = 0
        for index in range(30):
            fate = under_test.offer(index / 8, FLOW, bytes(size), index)
            copies += len(fate.delays)
            self.assertTrue(all(delay >= 0 for delay in fate.delays), fate)
            self.assertTrue(fate.words())
            self.assertEqual(fate.index, index)
        self.assertEqual(len(under_test), copies)
        last = 0.0
        while len(under_test):
            self.assertGreaterEqual(under_test.next_due, last)
            last = under_test.next_due
            copies -= len(under_test.take(last))
        self.assertEqual((copies, under_test.next_due), (0, inf))
