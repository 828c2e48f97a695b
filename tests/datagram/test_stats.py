"""The counters: plain data."""

from __future__ import annotations

import json

from twisted.trial.unittest import SynchronousTestCase

from netlab import DatagramStats


class Counters(SynchronousTestCase):
    def test_zero(self) -> None:
        """All begin at nothing, each server's its own."""
        one, other = DatagramStats(), DatagramStats()
        one.dropped["source_rate"] += 1
        one.datagrams_in += 1
        self.assertEqual(other, DatagramStats())
        self.assertEqual(other.dropped["source_rate"], 0)

    def test_as_dict(self) -> None:
        """A copy of all of them that JSON can say."""
        stats = DatagramStats(datagrams_in=3, handler_seconds=0.5)
        stats.dropped["source_rate"] += 2
        values = stats.as_dict()
        self.assertEqual(json.loads(json.dumps(values)), values)
        self.assertEqual(list(values), list(DatagramStats.__dataclass_fields__))
        self.assertEqual((values["datagrams_in"], values["dropped"]), (3, {"source_rate": 2}))
        stats.dropped["source_rate"] += 1
        self.assertEqual(values["dropped"], {"source_rate": 2})
        self.assertEqual({type(each) for each in values.values()}, {int, float, dict})
