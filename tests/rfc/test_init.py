from __future__ import annotations

import subprocess
import sys

from twisted.trial.unittest import SynchronousTestCase

MODULES = (
    *("names", "index", "errata", "pagination", "sections", "references", "text", "queries"),
    *("results", "snippets", "search", "markup", "style", "pages", "reader", "ranking", "terminal"),
)


class Lazy(SynchronousTestCase):
    def imported(self, names: tuple[str, ...]) -> set[str]:
        """The top-level packages, and netlab's modules, that importing ``names`` brings in."""
        code = (
            "import importlib, sys\n"
            f"for name in {names!r}: importlib.import_module('netlab.rfc.' + name)\n"
            "print(*sys.modules)"
        )
        ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        self.assertEqual((ended.returncode, ended.stderr), (0, ""))
        return set(ended.stdout.split())

    def test_names(self) -> None:
        """Names come alone: no Twisted, no database, nothing else of this package."""
        imported = self.imported(("names",))
        ours = {name for name in imported if name.startswith("netlab.rfc.")}
        self.assertEqual(ours, {"netlab.rfc.names"})
        self.assertFalse({"twisted", "sqlite3", "xml"} & imported)

    def test_no_twisted(self) -> None:
        """Nothing here needs Twisted; only the search needs a database."""
        self.assertNotIn("twisted", self.imported(MODULES))
        without = tuple(name for name in MODULES if name != "search")
        self.assertNotIn("sqlite3", self.imported(without))
