# mypy: allow-untyped-calls

from __future__ import annotations

import json

from netlab.api import describe
from netlab.api.vectors import vectors
from tests.api.described import Calculator
from tests.cli.test_declared import API, DeclaredCase


class Vectors(DeclaredCase):
    def test_whole(self) -> None:
        made = json.loads(self.printed("vectors", API))
        self.assertEqual(made, vectors(describe(Calculator)))

    def test_what_cannot_be_made_up(self) -> None:
        result = self.run_command("vectors", "tests.api.described:Awkward")
        self.assertEqual(result.exit_code, 0)
        self.assertEqual(result.stderr, "netlab: no valid value is known for matched: text\n")
        self.assertEqual(json.loads(result.stdout)["untested"], ["matched: text"])
