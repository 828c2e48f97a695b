from __future__ import annotations

import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from netlab.rfc.bodies import Bodies


class IndexerTests(SynchronousTestCase):
    """The program as another one starts it."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.part = str(self.folder / "part")

    def run_it(self, given: bytes) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [sys.executable, "-m", "netlab.rfc.indexer", self.part, self.folder],
            input=given,
            capture_output=True,
            timeout=60,
            check=False,
        )

    def test_all(self) -> None:
        for number in range(1, 1200):
            (self.folder / f"rfc{number}.txt").write_text(f"coffee number{number}")
        given = b"".join(b"%d\n" % number for number in range(1, 1201))  # 1200 is not there
        done = self.run_it(given)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, b"", b""))
        with closing(Bodies(self.part)) as bodies:
            self.assertEqual(sorted(bodies.at_hand()), list(range(1, 1200)))
            self.assertEqual(len(bodies.matches("coffee")), 1199)

    def test_nothing(self) -> None:
        self.assertEqual(self.run_it(b"").returncode, 0)

    def test_half_a_line(self) -> None:
        """Who was ended in the middle of a number meant another one."""
        (self.folder / "rfc23.txt").write_text("coffee")
        self.assertEqual(self.run_it(b"23").returncode, 0)
        with closing(Bodies(self.part)) as bodies:
            self.assertEqual(bodies.at_hand(), [])

    def test_no_database(self) -> None:
        Path(self.part).write_bytes(b"no database" * 1000)
        done = self.run_it(b"1\n")
        self.assertEqual((done.returncode, done.stderr.count(b"\n")), (1, 1))
        self.assertIn(b"file is not a database", done.stderr)
