"""``Stats``: plain data."""

from __future__ import annotations

import dataclasses
import json

from twisted.trial.unittest import SynchronousTestCase

from netlab.transport import Stats


class Counting(SynchronousTestCase):
    def test_nothing_yet(self) -> None:
        """A new one has counted nothing."""
        for name, value in Stats().as_dict().items():
            self.assertEqual(value, {} if name in ("refused", "errors") else 0)

    def test_as_dict(self) -> None:
        """Everything, in types that JSON knows."""
        stats = Stats(accepted=3, active=2, bytes_in=10, handler_seconds=0.5)
        stats.refused["max_connections"] += 1
        stats.errors["tls_failed"] += 2
        plain = json.loads(json.dumps(stats.as_dict()))
        self.assertEqual(set(plain), {each.name for each in dataclasses.fields(Stats)})
        self.assertEqual(plain["accepted"], 3)
        self.assertEqual(plain["active"], 2)
        self.assertEqual(plain["bytes_in"], 10)
        self.assertEqual(plain["refused"], {"max_connections": 1})
        self.assertEqual(plain["errors"], {"tls_failed": 2})
        self.assertEqual(plain["handler_seconds"], 0.5)

    def test_copy(self) -> None:
        """What was read does not change with the counters."""
        stats = Stats()
        before = stats.as_dict()
        stats.errors["tls_failed"] += 1
        stats.accepted += 1
        self.assertEqual((before["errors"], before["accepted"]), ({}, 0))
        self.assertIs(type(before["errors"]), dict)

    def test_apart(self) -> None:
        """Two servers do not count into each other."""
        one, other = Stats(), Stats()
        one.refused["max_per_address"] += 1
        self.assertEqual(other.refused["max_per_address"], 0)

    def test_documented(self) -> None:
        """Each counter is explained."""
        for each in dataclasses.fields(Stats):
            self.assertRegex(Stats.__doc__ or "", rf"(?m)^    {each.name} ")

    def test_no_other(self) -> None:
        """A misspelt counter is an error, not a new counter."""
        with self.assertRaises(AttributeError):
            Stats().acepted = 1  # type: ignore[attr-defined]
