# trial's assertions have no annotations:
# mypy: allow-untyped-calls
"""Limits: what cannot work is said when it is built."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from netlab import ConfigurationError, DatagramLimits


class Limits(SynchronousTestCase):
    def test_defaults(self) -> None:
        """Those that are documented."""
        limits = DatagramLimits()
        self.assertEqual(
            (limits.source_rate, limits.total_rate, limits.refuse_low_ports, limits.max_pending),
            (1000, 100_000, False, 1000),
        )

    def test_frozen(self) -> None:
        """A value, that does not change under who holds it."""
        with self.assertRaises(FrozenInstanceError):
            DatagramLimits().source_rate = 5  # type: ignore[misc]
        self.assertEqual(DatagramLimits(total_rate=7), DatagramLimits(total_rate=7))

    def test_good(self) -> None:
        """From nothing, which is no limit, to a thousand million."""
        for number in (0, 1, 10**9):
            self.assertEqual(DatagramLimits(source_rate=number).source_rate, number)
            self.assertEqual(DatagramLimits(total_rate=number).total_rate, number)
        self.assertEqual(DatagramLimits(max_pending=1).max_pending, 1)

    def test_bad(self) -> None:
        """Named, with what would be right."""
        bad: list[Any] = [-1, 10**9 + 1, 1.5, "5", None, True, float("nan")]
        for name, least in (("source_rate", 0), ("total_rate", 0), ("max_pending", 1)):
            for value in (*bad, least - 1):
                error = self.assertRaises(ConfigurationError, DatagramLimits, **{name: value})
                self.assertIn(f"{name} must be a whole number from {least} to", str(error))
                self.assertIn(repr(value), str(error))
                self.assertEqual("0 for no limit" in str(error), least == 0)
