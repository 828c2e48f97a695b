# trial's assertions have no annotations:
# mypy: allow-untyped-calls
"""Alarms: each rings once, at its time, in order; those taken back never, and cost nothing."""

from __future__ import annotations

from functools import partial

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from netlab.transport.alarm import Alarm, Alarms

INFINITY = float("inf")


class Ringing(SynchronousTestCase):
    def setUp(self) -> None:
        self.alarms = Alarms()
        self.notes: list[str] = []

    def add(self, when: float, name: str) -> Alarm:
        """An alarm that notes its name."""
        return self.alarms.add(when, lambda: self.notes.append(name))

    def ring(self, now: float) -> list[str]:
        """What rings at ``now``."""
        self.notes.clear()
        for each in self.alarms.due(now):
            each.ring()
        return list(self.notes)

    def test_none(self) -> None:
        """Nothing is due, ever."""
        self.assertEqual(self.alarms.next_time, INFINITY)
        self.assertEqual(self.alarms.due(1e9), [])

    def test_order(self) -> None:
        """In the order of their times, each at its own or later, and once."""
        for when in (3.0, 1.0, 2.0):
            self.add(when, str(when))
        self.assertEqual(self.alarms.next_time, 1.0)
        self.assertEqual(self.ring(0.999), [])
        self.assertEqual(self.ring(1.0), ["1.0"])
        self.assertEqual(self.ring(9.0), ["2.0", "3.0"])
        self.assertEqual(self.ring(9.0), [])
        self.assertEqual(self.alarms.next_time, INFINITY)

    def test_cancel(self) -> None:
        """One that was taken back never rings; to take it back again, or too late, is harmless."""
        one, two = self.add(1.0, "one"), self.add(1.0, "two")
        one.cancel()
        one.cancel()
        self.assertEqual(self.ring(1.0), ["two"])
        two.cancel()
        self.assertEqual(self.ring(9.0), [])

    def test_cancel_between(self) -> None:
        """One that is due in the same turn as the one that takes it back does not ring."""
        self.alarms.add(1.0, lambda: two.cancel())
        two = self.add(2.0, "two")
        self.assertEqual(self.ring(5.0), [])

    def test_rings_once(self) -> None:
        """An alarm that is rung twice makes one call, and lets go of what it held."""
        one = self.add(1.0, "one")
        one.ring()
        one.ring()
        self.assertEqual(self.notes, ["one"])
        self.assertIsNone(one.function)

    def test_clear(self) -> None:
        """All are forgotten."""
        one = self.add(1.0, "one")
        self.alarms.clear()
        self.assertEqual(self.alarms.next_time, INFINITY)
        one.cancel()
        self.assertEqual(self.ring(9.0), [])

    def test_memory(self) -> None:
        """Time-outs that are set and taken back, a million of them, are not kept."""
        kept = self.add(5e6, "kept")
        for number in range(20_000):
            self.add(1e6 + number, "never").cancel()
            self.assertLess(len(self.alarms._heap), 200)
        self.assertEqual(self.ring(1e9), ["kept"])
        kept.cancel()

    def test_text(self) -> None:
        """The log says what it was for."""
        self.assertIn("test_text", repr(self.alarms.add(1.0, self.test_text)))

    @given(
        st.lists(
            st.one_of(
                st.tuples(st.just("add"), st.integers(0, 50)),
                st.tuples(st.just("cancel"), st.integers(0, 200)),
                st.tuples(st.just("pass"), st.integers(0, 10)),
            ),
            max_size=300,
        )
    )
    def test_anything(self, steps: list[tuple[str, int]]) -> None:
        """Against the plainest list of calls there is."""
        alarms, rung = Alarms(), list[int]()
        made: list[Alarm] = []
        expected: dict[int, float] = {}
        now = 0.0
        for step, number in steps:
            if step == "add":
                index = len(made)
                made.append(alarms.add(now + number, partial(rung.append, index)))
                expected[index] = now + number
            elif step == "cancel" and made:
                made[number % len(made)].cancel()
                expected.pop(number % len(made), None)
            elif step == "pass":
                now += number
                due = [index for index, when in expected.items() if when <= now]
                del rung[:]
                for each in alarms.due(now):
                    each.ring()
                self.assertEqual(sorted(rung), sorted(due))
                self.assertEqual(
                    [made[index].when for index in rung], sorted(expected[each] for each in due)
                )
                for index in due:
                    del expected[index]
            self.assertLessEqual(alarms.next_time, min(expected.values(), default=INFINITY))
            self.assertGreaterEqual(len(alarms._heap), len(expected))
