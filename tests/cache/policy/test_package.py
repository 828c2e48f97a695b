"""``netlab.cache.policy`` as a whole."""

# trial's assertions have no annotations:
# mypy: allow-untyped-calls

from __future__ import annotations

import doctest
import importlib
import pkgutil

from twisted.trial.unittest import SynchronousTestCase

from netlab.cache import policy


class Package(SynchronousTestCase):
    def test_names(self) -> None:
        for name in policy.__all__:
            self.assertTrue(hasattr(policy, name), name)
        self.assertEqual(len(policy.__all__), len(set(policy.__all__)))

    def test_examples(self) -> None:
        """What the docstrings show is so."""
        tried = 0
        for found in pkgutil.walk_packages(policy.__path__, "netlab.cache.policy."):
            result = doctest.testmod(importlib.import_module(found.name))
            self.assertEqual(result.failed, 0, found.name)
            tried += result.attempted
        self.assertGreater(tried, 2)
