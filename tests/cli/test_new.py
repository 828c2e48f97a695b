# trial's assertions have no annotations:
# mypy: allow-untyped-calls

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path

from click.testing import CliRunner, Result
from twisted.trial.unittest import SynchronousTestCase

from netlab.cli import INTERRUPTED, main
from netlab.cli import new as module
from netlab.scaffold import LONGEST

PRINTED = """\
In greeter:
  README.md
  pyproject.toml
  .gitignore
  greeter/__init__.py
  greeter/api.py
  greeter/tap.py
  greeter/py.typed
  twisted/plugins/greeter_plugin.py
  tests/test_api.py

To install it in this environment, test it and serve it:

  cd greeter
  pip install -e '.[test]'
  python -m pytest
  twistd -n greeter

And in another terminal: netlab describe. README.md says more.
"""


class New(SynchronousTestCase):
    def setUp(self) -> None:
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(temporary.name)

    def run_new(self, *arguments: str) -> Result:
        return CliRunner().invoke(main, ["new", *arguments], prog_name="netlab")

    def made(self, *arguments: str) -> str:
        """What is printed when all goes well."""
        result = self.run_new(*arguments)
        self.assertEqual((result.exit_code, result.stderr), (0, ""))
        return result.stdout

    def refused(self, *arguments: str) -> str:
        """The one line that says what is wrong; nothing is made."""
        before = sorted(Path().rglob("*"))
        result = self.run_new(*arguments)
        self.assertEqual((result.exit_code, result.stdout), (1, ""))
        self.assertRegex(result.stderr, r"\Anetlab: [^\n]+\n\Z")
        self.assertEqual(sorted(Path().rglob("*")), before)
        return result.stderr

    def test_printed(self) -> None:
        """What was made, which is there, and what to type next."""
        self.assertEqual(self.made("greeter"), PRINTED)
        for line in PRINTED.partition("\n\n")[0].splitlines()[1:]:
            self.assertTrue((Path("greeter") / line.strip()).is_file(), line)

    def test_folder(self) -> None:
        """Where it shall be."""
        Path("lab").mkdir()
        self.assertIn("\n  cd lab/mine\n", self.made("greeter", "lab/mine"))
        self.assertTrue(Path("lab/mine/greeter/api.py").exists())
        self.assertIn("\n  cd 'my own'\n", self.made("greeter", "my own"))

    def test_here(self) -> None:
        """In this folder, which is empty; then there is none to go to."""
        self.assertNotIn("cd ", self.made("greeter", "."))
        self.assertTrue(Path("greeter/api.py").exists())

    def test_width(self) -> None:
        for line in self.made("x" * LONGEST).splitlines():
            self.assertLessEqual(len(line), 80)

    def test_wrong_name(self) -> None:
        self.assertEqual(self.refused("Greeter"), "netlab: name 'Greeter': write greeter\n")
        self.assertIn("already", self.refused("json"))
        self.assertIn(r"\u202e", self.refused("\u202e"))

    def test_wrong_folder(self) -> None:
        Path("mine").write_text("")
        self.assertEqual(
            self.refused("greeter", "."), "netlab: . is not empty: nothing was written\n"
        )
        self.assertIn("is there already, and is no folder", self.refused("greeter", "mine"))
        self.assertIn("nowhere is not there", self.refused("greeter", "nowhere/greeter"))
        self.made("greeter")
        self.assertEqual(
            self.refused("greeter"), "netlab: greeter is not empty: nothing was written\n"
        )

    def test_cannot_write(self) -> None:
        """What the disk says is said, and of what."""

        def fail(*arguments: object) -> None:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), "greeter")

        self.patch(module, "write_project", fail)
        self.assertEqual(
            self.refused("greeter"), "netlab: cannot write greeter: permission denied\n"
        )

    def test_interrupted(self) -> None:
        """Ctrl-C while it writes."""

        def interrupt(*arguments: object) -> None:
            raise KeyboardInterrupt

        self.patch(module, "write_project", interrupt)
        result = self.run_new("greeter")
        self.assertEqual((result.exit_code, result.output), (INTERRUPTED, ""))

    def test_usage(self) -> None:
        result = self.run_new()
        self.assertEqual(result.exit_code, 2)
        self.assertIn("Missing argument 'NAME'", result.stderr)
        for line in self.made("--help").splitlines():
            self.assertLessEqual(len(line), 80)
