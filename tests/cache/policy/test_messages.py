"""The options of a cache."""

# trial's assertions have no annotations:
# mypy: allow-untyped-calls

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from netlab.cache.policy import DEFAULTS, Options
from netlab.errors import ConfigurationError


class OptionsOfACache(SynchronousTestCase):
    def test_defaults(self) -> None:
        """As the origin says, and nothing invented."""
        self.assertEqual(
            DEFAULTS,
            Options(
                targets=("CDN-Cache-Control",),
                heuristic=False,
                stale_if_error=0,
                errors=frozenset({500, 502, 503, 504}),
            ),
        )

    def test_refused(self) -> None:
        for make, said in (
            (lambda: Options(targets=("a b",)), "targets: 'a b' is not the name of a field"),
            (
                lambda: Options(stale_if_error=-1),
                "stale_if_error must be 0 or more seconds, not -1",
            ),
            (lambda: Options(stale_if_error=float("nan")), "not nan"),
            (lambda: Options(errors=frozenset({200})), "errors: 200 is no error"),
        ):
            with self.assertRaises(ConfigurationError) as caught:
                make()
            self.assertIn(said, str(caught.exception))
