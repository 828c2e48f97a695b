"""``netlab.fields`` as a whole."""

# trial's assertions have no annotations:
# mypy: allow-untyped-calls

from __future__ import annotations

import doctest
import importlib
import pkgutil

from twisted.trial.unittest import SynchronousTestCase

from netlab import fields


class Package(SynchronousTestCase):
    def test_names(self) -> None:
        self.assertEqual(fields.__all__, sorted(fields.__all__, key=_as_ruff_sorts))
        for name in fields.__all__:
            self.assertTrue(hasattr(fields, name), name)

    def test_examples(self) -> None:
        """What the docstrings show is so."""
        tried = 0
        for found in pkgutil.walk_packages(fields.__path__, "netlab.fields."):
            result = doctest.testmod(importlib.import_module(found.name))
            self.assertEqual(result.failed, 0, found.name)
            tried += result.attempted
        self.assertGreater(tried, 4)


def _as_ruff_sorts(name: str) -> tuple[int, str]:
    """Constants, classes, functions."""
    return (0 if name.isupper() else 1 if name[0].isupper() else 2), name
