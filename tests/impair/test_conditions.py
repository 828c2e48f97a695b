# trial's assertions have no annotations:
# mypy: allow-untyped-calls

from __future__ import annotations

import copy
import pickle

from twisted.trial.unittest import SynchronousTestCase

from netlab.impair import Conditions, parse, parse_stream
from netlab.impair.conditions import Rate


class Written(SynchronousTestCase):
    def test_canonical(self) -> None:
        for text, canonical in (
            ("loss random 10", "loss 10%"),
            ("delay 50000 LOSS 7% seed 3", "loss 7% delay 50ms seed 3"),
            ("out loss 10%", "loss 10%"),
            ("out limit 5 in limit 1000", "in limit 1000 out limit 5"),
            ("in loss 10%", "in loss 10%"),
            ("limit 1000", "limit 1000"),
            ("limit 1000 loss 1%", "loss 1%"),
            ("loss gemodel 1%", "loss gemodel 1% 99% 100% 0%"),
            ("loss state 1%", "loss state 1% 99% 0% 100% 0%"),
            ("delay 1 0 5%", "delay 1us 0ns 5%"),
            (
                "delay 5ms 1ms distribution normal reorder 5% 10% gap 3",
                "delay 5ms 1ms distribution normal reorder 5% 10% gap 3",
            ),
            ("rate 1000kbit 0 48", "rate 1mbit 0 48"),
            ("rate 1mbit 28 48 5", "rate 1mbit 28 48 5"),
            ("slot 5ms 5ms bytes 1k packets 2", "slot 5ms packets 2 bytes 1024"),
            (
                "slot distribution uniform 5ms 1ms",
                "slot distribution uniform 5ms 1ms",
            ),
            ("duplicate 1% 2% corrupt 3%", "duplicate 1% 2% corrupt 3%"),
        ):
            made = parse(text)
            self.assertEqual(str(made), canonical)
            self.assertEqual(repr(made), f"parse({canonical!r})")
            self.assertEqual(parse(canonical), made)

    def test_canonical_streams(self) -> None:
        for text, canonical in (
            ("reset 1% stall 5 1s", "stall 5% 1s reset 1%"),
            ("segment 1 1", "segment 1"),
            ("limit 64k", "limit 65536"),
            (
                "in rate 1kbps out segment 1 9 limit 9",
                "in rate 8kbit out segment 1 9 limit 9",
            ),
        ):
            made = parse_stream(text)
            self.assertEqual(str(made), canonical)
            self.assertEqual(repr(made), f"parse_stream({canonical!r})")

    def test_evaluates(self) -> None:
        made = parse("in loss 10% out delay 50ms seed 7")
        self.assertEqual(eval(repr(made)), made)


class Values(SynchronousTestCase):
    def test_values(self) -> None:
        made = parse("loss 10% 5% delay 50ms 1ms slot 5ms rate 1mbit")
        self.assertEqual(hash(made), hash(parse(str(made))))
        self.assertEqual(copy.deepcopy(made), made)
        self.assertEqual(pickle.loads(pickle.dumps(made)), made)
        self.assertNotEqual(made, parse(str(made), seed=1))
        with self.assertRaises(AttributeError):
            made.seed = 5  # type: ignore[misc]
        with self.assertRaises(AttributeError):
            Conditions().limit = 5  # type: ignore[misc]

    def test_rate(self) -> None:
        for rate, length, size in (
            (Rate(8), 5, 5),
            (Rate(8, 28), 5, 33),
            (Rate(8, -14), 20, 6),
            (Rate(8, -14), 10, 0),
            # From tc-netem(8): 50 bytes in cells of ATM are two cells, of 53 bytes each.
            (Rate(8, 0, 48, 5), 50, 106),
            (Rate(8, 0, 48, 5), 48, 53),
            (Rate(8, 0, 48, -8), 49, 80),
            (Rate(8, 0, 48, 5), 0, 0),
        ):
            self.assertEqual(rate.seconds(length), size)
