"""Back-off and circuit breakers."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from netlab.cache.gateway import breaker
from netlab.cache.gateway.breaker import FAILURES, FIRST, LONGEST, Breaker, Breakers

STEPS = st.lists(
    st.one_of(
        st.just("ask"),
        st.sampled_from(["succeed", "fail", "give up"]),
        st.floats(0, 200).map(lambda seconds: ("wait", seconds)),
        st.floats(0, 5000).map(lambda seconds: ("retry", seconds)),
    ),
    max_size=80,
)


class OneBreaker(SynchronousTestCase):
    def opened(self) -> Breaker:
        """A breaker that has opened at 0."""
        found = Breaker()
        for _ in range(FAILURES):
            self.assertTrue(found.allows(0))
            found.failed(0)
        return found

    def test_opens(self) -> None:
        found = self.opened()
        self.assertTrue(found.open)
        self.assertFalse(found.allows(0))
        self.assertFalse(found.allows(FIRST - 0.01))

    def test_half_open_allows_one(self) -> None:
        found = self.opened()
        self.assertTrue(found.allows(FIRST))
        self.assertFalse(found.allows(FIRST))
        self.assertFalse(found.allows(FIRST + 0.99))

    def test_half_open_allows_another_when_one_takes_long(self) -> None:
        """It may be the only one that does; and that it fails in the end is counted once."""
        found = self.opened()
        for _ in range(5):
            found.failed(found.until - 0.5)  # stragglers
        now = found.until
        self.assertTrue(found.allows(now))
        self.assertTrue(found.allows(now + FIRST))
        self.assertFalse(found.allows(now + FIRST))
        found.failed(now + 1.5)
        found.failed(now + 1.6)
        self.assertEqual(found.until, now + 1.5 + 2 * FIRST)
        now = found.until
        self.assertTrue(found.allows(now))
        self.assertFalse(found.allows(now + FIRST))
        found.succeeded()
        self.assertTrue(found.allows(now))

    def test_success_closes(self) -> None:
        found = self.opened()
        found.allows(FIRST)
        found.succeeded()
        self.assertFalse(found.open)
        self.assertTrue(found.allows(FIRST))

    def test_success_forgets_failures(self) -> None:
        found = Breaker()
        for _ in range(10):
            found.failed(0)
            found.failed(0)
            found.succeeded()
        self.assertFalse(found.open)

    def test_rests_longer_each_time(self) -> None:
        found = self.opened()
        now = 0.0
        rests = []
        for _ in range(9):
            rests.append(found.until - now)
            now = found.until
            self.assertTrue(found.allows(now))
            found.failed(now)
        self.assertEqual(rests, [1, 2, 4, 8, 16, 32, 60, 60, 60])

    def test_those_under_way_fail_too(self) -> None:
        """A hundred that were sent before it opened do not make it a minute."""
        found = self.opened()
        for _ in range(100):
            found.failed(0.5)
        self.assertTrue(found.allows(FIRST))
        found.failed(FIRST)
        self.assertEqual(found.until, FIRST + 2 * FIRST)

    def test_given_up_lets_the_next_one(self) -> None:
        found = self.opened()
        self.assertTrue(found.allows(FIRST))
        found.given_up()
        self.assertTrue(found.allows(FIRST))

    def test_retry_after_opens_at_once(self) -> None:
        found = Breaker()
        found.failed(0, 30)
        self.assertFalse(found.allows(29.9))
        self.assertTrue(found.allows(30))

    def test_retry_after_is_bounded(self) -> None:
        found = Breaker()
        found.failed(0, 1e9)
        self.assertTrue(found.allows(3600))

    def test_retry_after_of_a_straggler(self) -> None:
        found = self.opened()
        found.failed(0.5, 30)
        self.assertFalse(found.allows(30))
        self.assertTrue(found.allows(30.5))

    @given(STEPS)
    def test_any_history(self, steps: list[object]) -> None:
        """One attempt for each rest while it is open, and none before its time; never stuck."""
        found = Breaker()
        now = 0.0
        failures = 0
        probing = False
        held_until = 0.0
        for step in steps:
            if step == "ask":
                allowed = found.allows(now)
                if failures >= FAILURES:
                    held = probing and now < held_until
                    self.assertEqual(allowed, not held and now >= found.until)
                    if allowed:
                        probing, held_until = True, found._held_until
                        self.assertTrue(held_until - now + 1e-6 >= FIRST)
                        self.assertTrue(held_until - now <= LONGEST + 1e-6)
                else:
                    self.assertTrue(allowed)
            elif step == "succeed":
                found.succeeded()
                failures, probing = 0, False
            elif step == "give up":
                found.given_up()
                probing = False
            elif step == "fail":
                found.failed(now)
                failures, probing = failures + 1, False
                self.assertLessEqual(found.until - now, 3600)
            elif isinstance(step, tuple) and step[0] == "wait":
                now += step[1]
            elif isinstance(step, tuple):
                found.failed(now, step[1])
                failures = max(failures + 1, FAILURES if step[1] else 0)
                probing = False
                self.assertGreaterEqual(found.until - now, min(step[1], 3600) - 1e-6)
            self.assertEqual(found.open, failures >= FAILURES)
        found.given_up()
        self.assertTrue(found.allows(now + 3600 + LONGEST))


class ManyBreakers(SynchronousTestCase):
    def test_each_name_for_itself(self) -> None:
        found = Breakers(1)
        found.failed("a", 0)
        self.assertFalse(found.allows("a", 0))
        self.assertTrue(found.allows("b", 0))
        found.given_up("b")
        found.succeeded("b")
        self.assertEqual(len(found), 1)
        found.succeeded("a")
        self.assertEqual(len(found), 0)
        self.assertTrue(found.allows("a", 0))

    def test_bounded(self) -> None:
        self.patch(breaker, "KNOWN", 3)
        found = Breakers(1)
        for name in ["a", "b", "c", "a", "d"]:
            found.failed(name, 0)
        self.assertEqual(len(found), 3)
        self.assertIsNone(found.get("b"))
        self.assertIsNotNone(found.get("a"))
