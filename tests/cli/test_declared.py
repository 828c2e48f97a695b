# trial's assertions have no annotations:
# mypy: allow-untyped-calls

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from click.testing import CliRunner, Result
from twisted.trial.unittest import SynchronousTestCase

from netlab.api import ApiFactory
from netlab.cli import main
from tests.api.described import Calculator

ROOT = Path(__file__).parents[2]
PATIENCE = 30.0  # seconds until a test that hangs gives up
COMMANDS = ("docs", "dissector", "vectors")
API = "tests.api.described:Calculator"
OWN = '''\
from netlab.api import Api, method

class Größe(Api):
    """Ä."""

    @method
    def get(self) -> int:
        raise SystemExit("called")
'''

INSTANCE = Calculator()
SERVICE = ApiFactory(Calculator)


class DeclaredCase(SynchronousTestCase):
    """Runs commands that are given ``MODULE:CLASS``."""

    def run_command(self, *arguments: str) -> Result:
        return CliRunner().invoke(main, arguments, prog_name="netlab")

    def printed(self, *arguments: str) -> str:
        result = self.run_command(*arguments)
        self.assertEqual((result.exit_code, result.stderr), (0, ""))
        return result.stdout

    def refused(self, *arguments: str) -> str:
        """The line that says what is wrong."""
        result = self.run_command(*arguments)
        self.assertEqual((result.exit_code, result.stdout), (2, ""))
        return result.stderr.splitlines()[-1]


class Names(DeclaredCase):
    def test_wrong(self) -> None:
        for command in COMMANDS:
            for name, reason in (
                (
                    "tests.api.described",
                    "write MODULE:CLASS, as in calculator:Calculator, or rooms",
                ),
                (":X", "write MODULE:CLASS"),
                ("tests.api.described:Calculater", "it has Calculator"),
                ("tests.api.described:Point", "Point is not a subclass of netlab.api.Api"),
                ("netlab.api:Api", "Api is not a subclass of netlab.api.Api"),
                ("no_such_module:X", "there is no module 'no_such_module'"),
                ("x\x1b[2J", r"'x\x1b[2J' names no api"),
            ):
                said = self.refused(command, name)
                self.assertIn(reason, said)
                self.assertNotIn("application", said)

    def test_what_app_takes(self) -> None:
        """An object of the class, or of an ``ApiFactory``."""
        for name in ("INSTANCE", "SERVICE"):
            self.assertTrue(self.printed("docs", f"{__name__}:{name}").startswith("# Calculator\n"))

    def test_built_in(self) -> None:
        self.assertTrue(self.printed("docs", "rooms").startswith("# Rooms\n"))

    def test_process(self) -> None:
        """In a process of its own: UTF-8 in any locale, no Twisted, and nothing is called."""
        with TemporaryDirectory() as folder:
            Path(folder, "own.py").write_text(OWN, "utf-8")
            code = (
                "import sys; from netlab.cli import main; main(standalone_mode=False); "
                "print('twisted' in sys.modules, file=sys.stderr)"
            )
            for command in COMMANDS:
                ended = subprocess.run(
                    [sys.executable, "-c", code, command, "own:Größe"],
                    cwd=folder,
                    env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "ascii"},
                    capture_output=True,
                    timeout=PATIENCE,
                )
                self.assertEqual((ended.returncode, ended.stderr), (0, b"False\n"), command)
                wanted = r"Gr\195\182\195\159e" if command == "dissector" else "Größe"
                self.assertIn(wanted, ended.stdout.decode())
