# trial's assertions have no annotations:
# mypy: allow-untyped-calls

from __future__ import annotations

from itertools import pairwise
from math import sqrt

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from netlab.impair.conditions import Chance, FourState, GilbertElliott, Loss
from netlab.impair.draws import Memory, blocks
from netlab.impair.loss import losses
from tests.impair.support import SIGMAS, bursts, mean, share_bound

N = 60_000
BLOCK = blocks("datagram", 11, "out", "192.0.2.7")
LANES = [BLOCK(index) for index in range(N)]


def lost(loss: Loss, n: int = N) -> list[bool]:
    """Which of a flow's first packets are lost."""
    memory = Memory(BLOCK((1 << 64) - 1))
    hits = losses(loss)
    return [hits(lanes, memory) for lanes in LANES[:n]]


class Random(SynchronousTestCase):
    def test_share(self) -> None:
        for p in (0.01, 0.1, 0.3, 0.9):
            found = lost(Chance(p))
            self.assertLess(abs(mean(found) - p), share_bound(p, N))
            # Losses do not know of each other: a burst lasts 1 / (1 - p).
            lengths = bursts(found)
            spread = SIGMAS * sqrt(p) / (1 - p) / sqrt(len(lengths))
            self.assertLess(abs(mean(lengths) - 1 / (1 - p)), spread)


class GilbertElliotts(SynchronousTestCase):
    def assert_like_theory(self, model: GilbertElliott) -> None:
        """The loss and the mean length of a burst are those of the Markov chain."""
        found = lost(model)
        bad = model.p / (model.p + model.r)
        good = 1 - bad
        share = bad * model.bad_loss + good * model.good_loss
        # A burst begins where a packet that arrives is followed by one that does not.
        bad_then = good * (1 - model.good_loss) * model.p + bad * (1 - model.bad_loss) * (
            1 - model.r
        )
        good_then = (
            good * (1 - model.good_loss) * (1 - model.p) + bad * (1 - model.bad_loss) * model.r
        )
        begins = bad_then * model.bad_loss + good_then * model.good_loss
        # Neighbours are correlated by (1 - p - r), so that the share spreads more widely.
        memory = 1 - model.p - model.r
        spread = share_bound(share, N) * sqrt((1 + memory) / (1 - memory))
        self.assertLess(abs(mean(found) - share), spread, model)
        lengths = bursts(found)
        expected = share / begins
        deviation = sqrt(mean((each - expected) ** 2 for each in lengths))
        bound = SIGMAS * deviation / sqrt(len(lengths)) + 1e-9
        self.assertLess(abs(mean(lengths) - expected), bound, model)

    def test_theory(self) -> None:
        for model in (
            GilbertElliott(0.01, 0.1),
            GilbertElliott(0.05, 0.5),
            GilbertElliott(0.01, 0.1, 0.7),
            GilbertElliott(0.02, 0.2, 0.8, 0.01),
            GilbertElliott(0.3, 0.4, 0.5, 0.1),
        ):
            self.assert_like_theory(model)

    def test_simple(self) -> None:
        """Simple Gilbert: a burst lasts 1/r packets, p/(p+r) are lost."""
        found = lost(GilbertElliott(0.02, 0.25))
        lengths = bursts(found)
        self.assertLess(abs(mean(lengths) - 4), SIGMAS * sqrt(0.75) / 0.25 / sqrt(len(lengths)))
        self.assertLess(abs(mean(found) - 0.02 / 0.27), 0.008)

    def test_bernoulli(self) -> None:
        """With r = 1 - p the state does not depend on the one before."""
        found = lost(GilbertElliott(0.1, 0.9))
        self.assertLess(abs(mean(found) - 0.1), share_bound(0.1, N))
        self.assertLess(abs(mean(bursts(found)) - 1 / 0.9), 0.02)

    def test_as_netem(self) -> None:
        """The state that a packet finds decides; only then it may change."""
        self.assertEqual(lost(GilbertElliott(1.0, 1.0), 6), [False, True] * 3)
        self.assertEqual(lost(GilbertElliott(1.0, 0.0), 4), [False, True, True, True])
        self.assertEqual(lost(GilbertElliott(0.0, 1.0, 1.0, 1.0), 3), [True] * 3)
        self.assertFalse(any(lost(GilbertElliott(0.5, 0.5, 0.0, 0.0), 1000)))

    @settings(max_examples=15)
    @given(
        st.floats(0.05, 0.95),
        st.floats(0.05, 0.95),
        st.floats(0.1, 0.9),
        st.floats(0.1, 0.9),
    )
    def test_any_share(self, p: float, r: float, bad_loss: float, good_loss: float) -> None:
        model = GilbertElliott(p, r, bad_loss, good_loss)
        bad = p / (p + r)
        share = bad * bad_loss + (1 - bad) * good_loss
        memory = abs(1 - p - r)
        n = 10_000
        bound = 6 / SIGMAS * share_bound(share, n) * sqrt((1 + memory) / (1 - memory))
        self.assertLess(abs(mean(lost(model, n)) - share), bound)


class FourStates(SynchronousTestCase):
    def share(self, model: FourState) -> float:
        """The stationary probability of states 3 and 4, from the flows between states."""
        three = model.p13 / model.p31
        two = model.p32 / model.p23 * three
        return (three + model.p14) / (1 + two + three + model.p14)

    def test_stationary(self) -> None:
        for model in (
            FourState(0.01, 0.1),
            FourState(0.05, 0.3, 0.2, 0.4),
            FourState(0.05, 0.3, 0.2, 0.4, 0.05),
            FourState(0.1, 0.9),
            FourState(0.02, 0.2, 0.1, 0.7, 0.1),
        ):
            share = self.share(model)
            self.assertLess(abs(mean(lost(model)) - share), 5 * share_bound(share, N), model)

    def test_single_losses(self) -> None:
        """With p14 alone no two packets in a row are lost, and p14/(1+p14) are."""
        found = lost(FourState(0.0, 1.0, 0.0, 1.0, 0.2))
        self.assertEqual(set(bursts(found)), {1})
        self.assertLess(abs(mean(found) - 0.2 / 1.2), share_bound(0.2 / 1.2, N))

    def test_two_states(self) -> None:
        """p13 and p31 alone: bursts of 1/p31."""
        lengths = bursts(lost(FourState(0.02, 0.2)))
        self.assertLess(abs(mean(lengths) - 5), SIGMAS * sqrt(0.8) / 0.2 / sqrt(len(lengths)))

    def test_bernoulli(self) -> None:
        found = lost(FourState(0.1, 0.9))
        self.assertLess(abs(mean(found) - 0.1), share_bound(0.1, N))

    def test_as_netem(self) -> None:
        """The chain moves first; from 4 it goes back to 1, and p14 is asked before p13."""
        self.assertEqual(lost(FourState(0.0, 1.0, 0.0, 1.0, 1.0), 4), [True, False] * 2)
        self.assertEqual(lost(FourState(1.0, 0.0), 3), [True] * 3)
        self.assertEqual(lost(FourState(1.0, 0.0, 1.0, 0.0), 4), [True, False, False, False])
        self.assertEqual(lost(FourState(1.0, 0.0, 1.0, 1.0), 4), [True, False] * 2)
        self.assertEqual(lost(FourState(1.0, 1.0), 4), [True, False] * 2)
        self.assertFalse(any(lost(FourState(0.0, 1.0), 100)))

    def test_sums_to_all(self) -> None:
        """Percentages that make 100 % leave nothing over for rounding to fall into."""
        found = lost(FourState(0.7, 0.5, 0.0, 1.0, 0.3))  # 0.7 + 0.3: never from 1 to 1
        for before, after in pairwise(found):
            self.assertTrue(before or after)
