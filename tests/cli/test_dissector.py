# mypy: allow-untyped-calls

from __future__ import annotations

from netlab.api import describe
from netlab.api.dissector import dissector
from netlab.framing import Line
from tests.api.described import Calculator
from tests.cli.test_declared import API, DeclaredCase


class Dissector(DeclaredCase):
    def test_whole(self) -> None:
        self.assertEqual(self.printed("dissector", API), dissector(describe(Calculator)))

    def test_options(self) -> None:
        self.assertEqual(
            self.printed("dissector", API, "--framing", r"line:delimiter=\0", "--port", "7"),
            dissector(describe(Calculator), Line(delimiter=b"\0"), 7),
        )

    def test_wrong(self) -> None:
        self.assertIn("unknown framing 'lime'", self.refused("dissector", API, "--framing", "lime"))
        self.assertIn("range 1<=x<=65535", self.refused("dissector", API, "--port", "0"))
