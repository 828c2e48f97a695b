"""``Limits``: the defaults are the promised ones, and what cannot work is refused in words."""

from __future__ import annotations

import dataclasses
import resource
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from netlab.errors import ConfigurationError
from netlab.transport import Limits, default_max_connections
from netlab.transport.limits import TICK

FIELDS = [each.name for each in dataclasses.fields(Limits)]
SIZES = ["max_connections", "max_per_address", "high_water", "low_water", "max_buffered"]
TIMES = [each for each in FIELDS if each not in SIZES]
OPTIONAL = [each for each in FIELDS if each not in ("close_timeout", *SIZES[2:])]


def limits(**options: Any) -> Limits:
    """``Limits`` of options that a type checker would not let through."""
    return Limits(**options)


class Defaults(SynchronousTestCase):
    def test_values(self) -> None:
        """The documented defaults, all of them."""
        self.assertEqual(
            dataclasses.asdict(Limits()),
            {
                "max_connections": None,
                "max_per_address": None,
                "idle_timeout": 600.0,
                "frame_timeout": 30.0,
                "write_timeout": 30.0,
                "handshake_timeout": 5.0,
                "close_timeout": 2.0,
                "high_water": 65536,
                "low_water": 16384,
                "max_buffered": 262144,
            },
        )

    def test_documented(self) -> None:
        """Each is explained in the docstring."""
        for name in FIELDS:
            self.assertRegex(Limits.__doc__ or "", rf"(?m)^    {name} ")

    def test_frozen(self) -> None:
        """Limits are a value: they compare, and do not change."""
        self.assertEqual(Limits(idle_timeout=5), Limits(idle_timeout=5))
        change: Any = Limits()
        with self.assertRaises(dataclasses.FrozenInstanceError):
            change.idle_timeout = 1.0

    def test_keyword_only(self) -> None:
        """Nobody can mistake one number for another."""
        positional: Any = Limits
        self.assertRaises(TypeError, positional, 100)

    def test_tick(self) -> None:
        """Deadlines are late by less than the shortest default."""
        self.assertLess(TICK, Limits().close_timeout)

    def test_max_connections(self) -> None:
        """Half of the descriptor limit, whatever that is."""
        for soft, expected in ((1024, 512), (20000, 10000), (1, 1), (-1, 65536)):
            self.patch(resource, "getrlimit", lambda what, soft=soft: (soft, -1))
            self.assertEqual(default_max_connections(), expected)


class Refused(SynchronousTestCase):
    def assert_refused(self, name: str, value: Any) -> None:
        """It is refused with the option's name, what would be right, and what was given."""
        error = self.assertRaises(ConfigurationError, limits, **{name: value})
        what = "a whole number" if name in SIZES else "seconds"
        none = ", or None for no limit" if name in OPTIONAL else ""
        self.assertEqual(
            str(error), f"{name} must be {what} above 0 and up to {10**9}{none}, not {value!r}"
        )

    def test_types(self) -> None:
        """A text, a truth value, or a fraction where a count is meant."""
        for name in FIELDS:
            wrong: list[Any] = ["5", True, [], 1j, b"5"]
            for value in wrong:
                self.assert_refused(name, value)
        for name in SIZES:
            self.assert_refused(name, 5.0)

    def test_ranges(self) -> None:
        """Nothing that is not above 0, finite, and of this world."""
        for name in FIELDS:
            for value in (0, -1, 10**400):
                self.assert_refused(name, value)
        for name in TIMES:
            for number in (-0.5, 0.0, float("inf"), float("-inf"), float("nan")):
                self.assert_refused(name, number)

    def test_none(self) -> None:
        """A close always ends, and water marks cannot be left out."""
        for name in FIELDS:
            if name not in OPTIONAL:
                self.assert_refused(name, None)

    def test_water_marks(self) -> None:
        """They rise."""
        for low, high, most in ((5, 5, 9), (6, 5, 9), (1, 10, 9), (1, 2, 1)):
            error = self.assertRaises(
                ConfigurationError, limits, low_water=low, high_water=high, max_buffered=most
            )
            self.assertIn(f"not {low}, {high}, {most}", str(error))


class Accepted(SynchronousTestCase):
    def test_none(self) -> None:
        """No limit."""
        for name in OPTIONAL:
            self.assertIsNone(getattr(limits(**{name: None}), name))

    def test_smallest(self) -> None:
        """One connection, and a few bytes."""
        made = Limits(max_connections=1, low_water=1, high_water=2, max_buffered=2)
        self.assertEqual((made.low_water, made.high_water, made.max_buffered), (1, 2, 2))

    @given(
        st.sampled_from(FIELDS),
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    )
    def test_anything(self, name: str, value: Any) -> None:
        """Any value is taken as it is, or refused with the option's name."""
        try:
            made = limits(**{name: value})
        except ConfigurationError as error:
            self.assertIn(name, str(error))
        else:
            self.assertEqual(getattr(made, name), value)
