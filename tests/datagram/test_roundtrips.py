"""The figures of round-trip times."""

from __future__ import annotations

import math
import statistics

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from netlab.datagram import roundtrips
from netlab.datagram.roundtrips import RoundTrips

TIMES = st.lists(st.floats(0, 1000, allow_subnormal=False), min_size=1, max_size=60)


def trips(times: list[float]) -> RoundTrips:
    figures = RoundTrips()
    for each in times:
        figures.add(each)
    return figures


class Figures(SynchronousTestCase):
    def test_none(self) -> None:
        figures = RoundTrips()
        self.assertEqual(
            (figures.count, figures.minimum, figures.mean, figures.maximum, figures.mdev),
            (0, 0.0, 0.0, 0.0, 0.0),
        )
        self.assertEqual((figures.percentile(50), figures.jitter), (0.0, 0.0))

    def test_one(self) -> None:
        figures = trips([0.25])
        self.assertEqual(
            (figures.count, figures.minimum, figures.mean, figures.maximum, figures.mdev),
            (1, 0.25, 0.25, 0.25, 0.0),
        )
        self.assertEqual((figures.percentile(1), figures.percentile(99)), (0.25, 0.25))

    @given(TIMES)
    def test_against_statistics(self, times: list[float]) -> None:
        figures = trips(times)
        self.assertEqual(figures.count, len(times))
        self.assertEqual((figures.minimum, figures.maximum), (min(times), max(times)))
        self.assertAlmostEqual(figures.mean, statistics.fmean(times), 9)
        self.assertAlmostEqual(figures.mdev, statistics.pstdev(times), 6)

    def test_small_differences(self) -> None:
        """Far from zero, where a difference of sums of squares would be nothing but noise."""
        figures = trips([1e6 + 0.001, 1e6 + 0.002, 1e6 + 0.003])
        self.assertAlmostEqual(figures.mdev, math.sqrt(2 / 3) / 1000, 7)

    def test_percentiles(self) -> None:
        """The nearest rank: of 1 to 100, the percentile is the number."""
        figures = trips([float(number) for number in range(100, 0, -1)])
        for percent in (1, 7, 50, 90, 99, 100):
            self.assertEqual(figures.percentile(percent), percent)
        figures = trips([3.0, 1.0, 2.0])
        self.assertEqual([figures.percentile(each) for each in (0, 33, 34, 67)], [1, 1, 2, 3])

    @given(TIMES, st.integers(1, 100))
    def test_percentile_is_one_of_them(self, times: list[float], percent: int) -> None:
        value = trips(times).percentile(percent)
        self.assertIn(value, times)
        self.assertGreaterEqual(sum(each <= value for each in times) * 100, percent * len(times))
        self.assertLess(sum(each < value for each in times) * 100, percent * len(times))


class Jitter(SynchronousTestCase):
    """RFC 3550, section 6.4.1: J(i) = J(i-1) + (|D(i-1,i)| - J(i-1)) / 16."""

    def test_by_hand(self) -> None:
        figures = trips([1.0, 1.016])
        self.assertAlmostEqual(figures.jitter, 0.001)
        figures.add(1.0)
        self.assertAlmostEqual(figures.jitter, 0.001 + (0.016 - 0.001) / 16)

    def test_steady(self) -> None:
        self.assertEqual(trips([0.5] * 20).jitter, 0.0)

    def test_converges(self) -> None:
        """Times that go up and down by 1 have a jitter of 1."""
        self.assertAlmostEqual(trips([1.0, 2.0] * 200).jitter, 1.0, 6)


class Sample(SynchronousTestCase):
    def test_bounded(self) -> None:
        self.patch(roundtrips, "SAMPLE", 100)
        figures = trips([float(number) for number in range(10_000)])
        self.assertEqual(len(figures._sample), 100)
        self.assertEqual((figures.count, figures.maximum), (10_000, 9999.0))
        # The median of 100 out of 10,000 evenly spread has a standard deviation of 500.
        self.assertTrue(2500 < figures.percentile(50) < 7500)

    def test_repeatable(self) -> None:
        self.patch(roundtrips, "SAMPLE", 10)
        times = [float(number) for number in range(1000)]
        self.assertEqual(trips(times)._sample, trips(times)._sample)
