# trial's assertions have no annotations:
# mypy: allow-untyped-calls

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from netlab.impair import Fate


class Words(SynchronousTestCase):
    def test_words(self) -> None:
        for fate, words in (
            (Fate(0, None, (0.0,), None, False), "delivered"),
            (Fate(0, "loss", (), None, False), "dropped: loss"),
            (Fate(0, "limit", (), None, False), "dropped: limit"),
            (Fate(0, None, (0.073,), None, False), "delayed 73 ms"),
            (Fate(0, None, (0.073, 0.08), None, False), "delayed 73 ms, duplicated"),
            (
                Fate(0, None, (0.073, 0.08), 17, False),
                "delayed 73 ms, duplicated, corrupted: bit 17",
            ),
            (Fate(0, None, (0.0,), 0, True), "delivered, corrupted: bit 0, reordered"),
            (Fate(0, None, (0.0, 0.05), None, True), "delivered, duplicated, reordered"),
        ):
            self.assertEqual(fate.words(), words)

    def test_delays(self) -> None:
        for seconds, words in (
            (1e-9, "delivered"),
            (4e-7, "delivered"),
            (6e-7, "delayed 0.001 ms"),
            (0.00025, "delayed 0.25 ms"),
            (0.0005004, "delayed 0.5 ms"),
            (0.001, "delayed 1 ms"),
            (0.0512345, "delayed 51.2 ms"),
            (0.1234, "delayed 123 ms"),
            (3600.0, "delayed 3600000 ms"),
        ):
            self.assertEqual(Fate(0, None, (seconds,), None, False).words(), words)

    def test_value(self) -> None:
        fate = Fate(5, None, (0.1,), 3, True)
        self.assertEqual((fate.index, fate.dropped, fate.delays), (5, None, (0.1,)))
        self.assertEqual((fate.flipped, fate.reordered), (3, True))
        self.assertEqual(fate, Fate(5, None, (0.1,), 3, True))
        with self.assertRaises(AttributeError):
            fate.flipped = 4  # type: ignore[misc]
        self.assertFalse(hasattr(fate, "__dict__"))
