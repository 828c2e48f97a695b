# trial's assertions have no annotations:
# mypy: allow-untyped-calls

from __future__ import annotations

from itertools import pairwise
from math import exp, pi, pow, sqrt

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from netlab.impair.conditions import Between, Chance, Delay
from netlab.impair.draws import (
    BEFORE_FIRST,
    Lane,
    Lanes,
    Memory,
    below,
    blocks,
    chance,
    delays,
    table,
    threshold,
    value,
    waits,
)
from tests.impair.support import SIGMAS, mean, share_bound

N = 20_000
BLOCK = blocks("datagram", 7, "out", "192.0.2.7")
LANES = [BLOCK(index) for index in range(N)]


def variance(numbers: list[float]) -> float:
    centre = mean(numbers)
    return mean((each - centre) ** 2 for each in numbers)


def lag_one(numbers: list[float]) -> float:
    """The correlation of each number with the one before."""
    centre = mean(numbers)
    products = ((a - centre) * (b - centre) for a, b in pairwise(numbers))
    return mean(products) / variance(numbers)


def drawn(delay: Delay) -> list[float]:
    """The delays of a flow's packets."""
    memory = Memory(BLOCK(BEFORE_FIRST))
    draw, _ = delays(delay)
    return [draw(lanes, memory) for lanes in LANES]


class Blocks(SynchronousTestCase):
    def test_differ(self) -> None:
        made = [
            blocks(kind, seed, direction, host)(index)
            for kind in ("datagram", "stream")
            for seed in (0, 1, (1 << 64) - 1)
            for direction in ("in", "out")
            for host in ("192.0.2.7", "2001:db8::7", "\udcff", "")
            for index in (0, 1, BEFORE_FIRST)
        ]
        self.assertEqual(len(set(made)), len(made))
        self.assertEqual(BLOCK(5), blocks("datagram", 7, "out", "192.0.2.7")(5))

    def test_uniform(self) -> None:
        """Each lane is uniform, and tells nothing of the others."""
        columns = [list(map(value, column)) for column in zip(*LANES, strict=True)]
        self.assertEqual(len(columns), 8)
        bound = SIGMAS / sqrt(12 * N)
        for column in columns:
            self.assertLess(abs(mean(column) - 0.5), bound)
            self.assertLess(abs(variance(column) - 1 / 12), SIGMAS * sqrt(1 / 180 / N))
            self.assertLess(abs(lag_one(column)), SIGMAS / sqrt(N))
            tenths = [0] * 10
            for each in column:
                tenths[int(each * 10)] += 1
            for count in tenths:
                self.assertLess(abs(count / N - 0.1), share_bound(0.1, N))
        for a in range(8):
            for b in range(a):
                both = mean(
                    (x - 0.5) * (y - 0.5) for x, y in zip(columns[a], columns[b], strict=True)
                )
                self.assertLess(abs(both), SIGMAS / 12 / sqrt(N))

    def test_threshold(self) -> None:
        self.assertEqual((threshold(0.0), threshold(1.0)), (0, 1 << 64))

    @given(st.floats(0, 1), st.integers(0, (1 << 64) - 1))
    def test_threshold_is_value(self, p: float, lane: int) -> None:
        for each in (lane, max(0, threshold(p) - 1), min(threshold(p), (1 << 64) - 1)):
            self.assertEqual(each < threshold(p), value(each) < p)

    @given(st.integers(0, (1 << 64) - 1), st.integers(1, 1 << 32))
    def test_below(self, lane: int, n: int) -> None:
        self.assertTrue(0 <= below(lane, n) < n)

    def test_below_is_even(self) -> None:
        counts = [0] * 5
        for lanes in LANES:
            counts[below(lanes[Lane.BIT], 5)] += 1
        for count in counts:
            self.assertLess(abs(count / N - 0.2), share_bound(0.2, N))
        self.assertEqual((below(0, 5), below((1 << 64) - 1, 5)), (0, 4))


class Chances(SynchronousTestCase):
    def share(self, made: Chance, lane: int = Lane.CORRUPT) -> float:
        memory = Memory(BLOCK(BEFORE_FIRST))
        hits = chance(made, lane)
        return mean(hits(lanes, memory) for lanes in LANES)

    def test_share(self) -> None:
        for p in (0.001, 0.1, 0.5, 0.9):
            self.assertLess(abs(self.share(Chance(p)) - p), share_bound(p, N))

    def test_never_and_always(self) -> None:
        for correlation in (0.0, 0.25, 0.9, 1.0):
            self.assertEqual(self.share(Chance(0.0, correlation)), 0.0)
            self.assertEqual(self.share(Chance(1.0, correlation)), 1.0)

    @given(st.floats(0, 1))
    def test_the_very_last_number(self, rho: float) -> None:
        """A mean of numbers below 1 stays below 1, so that 100 % always hits."""
        lanes: Lanes = ((1 << 64) - 1,) * 8
        memory = Memory(lanes)
        hits = chance(Chance(1.0, rho), 0)
        self.assertTrue(all(hits(lanes, memory) for _ in range(20)))
        draw, copy = delays(Delay(1.0, 1.0, rho, "normal"))
        for each in (draw, copy):
            self.assertAlmostEqual(each(lanes, memory), 1.0 + table("normal")[-1] / 8192)

    def test_full_correlation(self) -> None:
        """Only the number before the first counts: all packets fare alike."""
        first = value(BLOCK(BEFORE_FIRST)[Lane.CORRUPT])
        self.assertEqual(self.share(Chance(first + 0.01, 1.0)), 1.0)
        self.assertEqual(self.share(Chance(first - 0.01, 1.0)), 0.0)

    def test_correlated_share(self) -> None:
        """The numbers gather in the middle: fewer are below a small P, as in netem."""
        # With rho = 1/2 a number is u/2 + u'/4 + u''/8 + ...; to be below 10 % takes u < 20 %
        # and much more. Its variance is (1-rho)/(1+rho)/12 = 1/36: nearly a normal one's.
        share = self.share(Chance(0.1, 0.5))
        self.assertLess(share, 0.02)
        self.assertGreater(share, 0.0)
        self.assertLess(abs(self.share(Chance(0.5, 0.5)) - 0.5), 3 * share_bound(0.5, N))


class Correlation(SynchronousTestCase):
    def test_lag_and_variance(self) -> None:
        """An autoregressive process of order 1: correlation rho, variance (1-rho)/(1+rho)/12."""
        for rho in (0.1, 0.25, 0.5, 0.9):
            # TIME 1, JITTER 1/2: the delay less 1/2 is the number that was drawn.
            numbers = [each - 0.5 for each in drawn(Delay(1.0, 0.5, rho))]
            expected = (1 - rho) / (1 + rho) / 12
            spread = SIGMAS * sqrt(expected * (1 + rho) / (1 - rho) / N)
            self.assertLess(abs(mean(numbers) - 0.5), spread)
            self.assertLess(abs(lag_one(numbers) - rho), SIGMAS * sqrt((1 - rho**2) / N))
            self.assertLess(abs(variance(numbers) / expected - 1), 0.15)

    def test_recurrence(self) -> None:
        rho = 0.3
        numbers = drawn(Delay(1.0, 0.5, rho))
        last = value(BLOCK(BEFORE_FIRST)[Lane.DELAY])
        for lanes, number in zip(LANES[:100], numbers, strict=False):
            last = value(lanes[Lane.DELAY]) * (1 - rho) + last * rho
            self.assertAlmostEqual(number, 0.5 + last, 12)

    def test_correlated_delays_are_alike(self) -> None:
        """With a table as well, where netem's are not."""
        self.assertGreater(lag_one(drawn(Delay(9.0, 1.0, 0.5, "normal"))), 0.45)


def numeric(distribution: str) -> tuple[float, float]:
    """The mean and the standard deviation of a distribution of [-4, 4), by integration."""

    def pareto(q: float) -> float:
        return min(4.0, (pow(1 - q, -1 / 3) - 1.5) * 4 / 3)

    steps = 200_000
    first = second = 0.0
    x, q, width = -6.0, 0.0, 12.0 / steps
    for _ in range(steps):  # over x, with the normal density; q is the distribution function
        weight = exp(-((x + width / 2) ** 2) / 2) / sqrt(2 * pi) * width
        middle = min(q + weight / 2, 1 - 1e-12)
        normal = max(-4.0, min(4.0, x + width / 2))
        number = {
            "normal": normal,
            "pareto": pareto(middle),
            "paretonormal": normal / 4 + 3 * pareto(middle) / 4,
        }[distribution]
        first += number * weight
        second += number * number * weight
        x += width
        q += weight
    return first, sqrt(second - first * first)


class Distributions(SynchronousTestCase):
    def test_uniform(self) -> None:
        numbers = drawn(Delay(0.05, 0.01))
        self.assertGreaterEqual(min(numbers), 0.04)
        self.assertLess(max(numbers), 0.06)
        self.assertLess(abs(mean(numbers) - 0.05), SIGMAS * 0.01 / sqrt(3 * N))
        self.assertLess(abs(variance(numbers) * 3 / 0.0001 - 1), 0.03)

    def test_mean_and_deviation(self) -> None:
        for distribution in ("normal", "pareto", "paretonormal"):
            centre, deviation = numeric(distribution)
            entries = [each / 8192 for each in table(distribution)]
            self.assertLess(abs(mean(entries) - centre), 0.001, distribution)
            self.assertLess(abs(sqrt(variance(entries)) - deviation), 0.005, distribution)
            numbers = drawn(Delay(0.05, 0.01, 0.0, distribution))
            spread = SIGMAS * deviation * 0.01 / sqrt(N)
            self.assertLess(abs(mean(numbers) - 0.05 - 0.01 * centre), spread, distribution)
            self.assertLess(abs(sqrt(variance(numbers)) / 0.01 / deviation - 1), 0.03)
        self.assertLess(abs(numeric("normal")[1] - 1), 0.001)  # the integration itself

    def test_closed_form(self) -> None:
        """Pareto's own mean: the integral of u^(-1/3) from 0 to 1, cut off at u = 4.5^-3."""
        c = 4.5**-3
        centre = 4 / 3 * (1.5 * (1 - c ** (2 / 3)) + 4.5 * c - 1.5)
        self.assertLess(abs(numeric("pareto")[0] - centre), 0.001)

    def test_tables(self) -> None:
        for distribution in ("normal", "pareto", "paretonormal"):
            made = table(distribution)
            self.assertEqual(len(made), 4096)
            self.assertEqual(sorted(made), list(made))
            self.assertTrue(made[0] >= -32768 and made[-1] <= 32767)
            self.assertIs(made, table(distribution))
        normal = table("normal")
        self.assertEqual([-each for each in reversed(normal)], list(normal))
        # The quantiles of the standard normal distribution, from any table of it.
        for share, sigma in ((0.5, 0.0), (0.8413447, 1.0), (0.9772499, 2.0), (0.9986501, 3.0)):
            self.assertLess(abs(normal[int(share * 4096)] / 8192 - sigma), 0.03)
        # Pareto begins at (1 - 3/2) * 4/3, and the last 1.1 % are clipped.
        self.assertLess(abs(table("pareto")[0] / 8192 + 2 / 3), 0.001)
        self.assertEqual(table("pareto").count(32767), round(4096 * 4.5**-3))

    def test_never_negative(self) -> None:
        for distribution in ("uniform", "normal", "pareto", "paretonormal"):
            for correlation in (0.0, 0.5):
                numbers = drawn(Delay(0.001, 0.05, correlation, distribution))
                self.assertEqual(min(numbers), 0.0)
                self.assertGreater(max(numbers), 0.01)

    def test_constant(self) -> None:
        for delay in (Delay(0.05), Delay(0.05, 0.0, 0.5)):
            self.assertEqual(set(drawn(delay)), {0.05})

    def test_copies(self) -> None:
        """A second copy's delay has a lane of its own, and the packet's correlation."""
        for correlation in (0.0, 0.5):
            draw, copy = delays(Delay(1.0, 0.5, correlation))
            memory = Memory(BLOCK(BEFORE_FIRST))
            pairs = [(draw(lanes, memory), copy(lanes, memory)) for lanes in LANES]
            self.assertEqual([pair[0] for pair in pairs], drawn(Delay(1.0, 0.5, correlation)))
            both = mean((a - 1) * (b - 1) for a, b in pairs)
            both /= sqrt(
                mean((a - 1) ** 2 for a, _ in pairs) * mean((b - 1) ** 2 for _, b in pairs)
            )
            self.assertLess(abs(both - correlation), SIGMAS / sqrt(N))


class Waits(SynchronousTestCase):
    def test_between(self) -> None:
        draw = waits(Between(0.02, 0.03))
        times = [draw(lanes[Lane.SLOT]) for lanes in LANES]
        self.assertTrue(0.02 <= min(times) < 0.0201 < 0.0299 < max(times) <= 0.03)
        self.assertEqual(waits(Between(0.02, 0.02))(12345), 0.02)

    def test_distributed(self) -> None:
        draw = waits(Delay(0.02, 0.03, 0.0, "normal"))
        times = [draw(lanes[Lane.SLOT]) for lanes in LANES]
        self.assertEqual(min(times), 0.0)
        self.assertLess(abs(sorted(times)[N // 2] - 0.02), 0.001)
        self.assertEqual(waits(Delay(0.02, 0.01))(1 << 63), 0.02)
