# mypy: allow-untyped-calls

from __future__ import annotations

from netlab.api import describe
from netlab.api.reference import reference
from tests.api.described import Calculator
from tests.cli.test_declared import API, DeclaredCase


class Docs(DeclaredCase):
    def test_whole(self) -> None:
        self.assertEqual(self.printed("docs", API), reference(describe(Calculator)))
