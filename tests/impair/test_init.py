# trial's assertions have no annotations:
# mypy: allow-untyped-calls

from __future__ import annotations

import doctest

from twisted.trial.unittest import SynchronousTestCase

from netlab import impair


class PublicNames(SynchronousTestCase):
    def test_all(self) -> None:
        self.assertEqual(
            impair.__all__,
            [
                *("Conditions", "Fate", "Impairment", "Link", "StreamConditions"),
                *("StreamImpairment", "StreamLink", "parse", "parse_stream"),
            ],
        )
        for name in impair.__all__:
            self.assertTrue(hasattr(impair, name))

    def test_example(self) -> None:
        """What the package's docstring shows is true."""
        self.assertEqual(doctest.testmod(impair).failed, 0)
