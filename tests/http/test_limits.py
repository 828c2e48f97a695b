"""The limits of HTTP, and those that it has from the transport."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields

from twisted.trial.unittest import SynchronousTestCase

from netlab.errors import ConfigurationError
from netlab.http import HttpLimits
from netlab.transport import Limits

COUNTS = ("max_head", "max_fields", "max_target", "max_body", "max_unread", "min_body_rate")


class Values(SynchronousTestCase):
    def test_defaults(self) -> None:
        limits = HttpLimits()
        self.assertEqual((limits.frame_timeout, limits.idle_timeout), (10.0, 75.0))
        self.assertEqual(
            (limits.max_head, limits.max_fields, limits.max_target), (32768, 100, 8192)
        )
        self.assertEqual(limits.write_timeout, Limits().write_timeout)

    def test_frozen(self) -> None:
        with self.assertRaises(FrozenInstanceError):
            HttpLimits().max_head = 1  # type: ignore[misc]

    def test_documented(self) -> None:
        """Each of its own is explained."""
        own = {each.name for each in fields(HttpLimits)} - {each.name for each in fields(Limits)}
        for name in (*own, "idle_timeout", "frame_timeout"):
            self.assertIn(f"    {name} ", HttpLimits.__doc__ or "")
        self.assertEqual(own, {*COUNTS, "body_timeout"})

    def test_wrong(self) -> None:
        for name in COUNTS:
            for value in (0, -1, 1.5, "1", True, 10**16):
                with self.assertRaisesRegex(ConfigurationError, f"{name} must be a whole number"):
                    HttpLimits(**{name: value})  # type: ignore[arg-type]
            if name != "max_body":
                with self.assertRaisesRegex(ConfigurationError, name):
                    HttpLimits(**{name: None})  # type: ignore[arg-type]
        for value in (0, -1, "1", True):
            with self.assertRaisesRegex(ConfigurationError, "body_timeout must be seconds"):
                HttpLimits(body_timeout=value)  # type: ignore[arg-type]
        with self.assertRaisesRegex(ConfigurationError, "water marks"):
            HttpLimits(low_water=9, high_water=8)
        with self.assertRaisesRegex(ConfigurationError, "max_target must be below max_head"):
            HttpLimits(max_head=8192)

    def test_none(self) -> None:
        limits = HttpLimits(max_body=None, body_timeout=None, idle_timeout=None, frame_timeout=None)
        self.assertIsNone(limits.max_body)
