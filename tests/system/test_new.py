# trial's assertions have no annotations:
# mypy: allow-untyped-calls
"""``netlab new``: what it writes is installed, tested, served and called, as a user does it.

Each way of installing is tried in a fresh virtual environment that finds netlab and all
else where it is here, so that nothing is downloaded.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import venv
from importlib.util import find_spec
from pathlib import Path
from unittest import SkipTest

from tests.system.processes import LOOPBACK, ROOT, Program, SystemCase

_TWISTD = "from twisted.scripts.twistd import run; run()"
_INSTALL = ("--no-index", "--no-build-isolation", "--disable-pip-version-check", "--quiet")
LONG = "a-rather-long-name-for-a-lab-2"


class New(SystemCase):
    deadline = 300  # pip and mypy take their time

    def setUp(self) -> None:
        super().setUp()
        self.environ = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PYTHON", "PIP_"))
        }
        # What Hypothesis works out once, of all characters, it need not work out again.
        self.environ["HYPOTHESIS_STORAGE_DIRECTORY"] = str(ROOT / ".hypothesis")

    def done(self, *arguments: str, folder: Path | None = None) -> str:
        """What a Python program prints; it ends with status 0."""
        program = Program(arguments, folder or self.folder, env=self.environ)
        self.addCleanup(program.kill)
        self.assertEqual(program.wait(self.deadline), 0, str(program))
        return program.out

    def make(self, name: str) -> Path:
        """A new project."""
        self.done(sys.executable, "-m", "netlab", "new", name)
        return self.folder / name

    def environment(self) -> str:
        """A fresh virtual environment with what is installed here; its Python."""
        venv.create(self.folder / "venv", with_pip=False, symlinks=True)
        python = str(self.folder / "venv" / "bin" / "python")
        code = "import sysconfig; print(sysconfig.get_path('purelib'))"
        site = Path(self.done(python, "-c", code).strip())
        here = [each for each in sys.path if each.endswith(("site-packages", "dist-packages"))]
        (site / "zz_here.pth").write_text("\n".join([str(ROOT), *here]))
        return python

    def install(self, python: str, project: Path, *what: str) -> None:
        """What the project needs must be there, as pip is told to ask nobody."""
        words = (sys.executable, "-m", "pip", "--python", python, "install", *_INSTALL)
        self.done(*words, *what, folder=project)

    def check_serves(self, python: str, name: str, readme: str) -> None:
        """``twistd -n NAME`` finds the plugin, says what to try, and answers."""
        words = ("-P", "-c", _TWISTD, "-n", "--pidfile=", name, "--listen", LOOPBACK)
        server = self.program(python, *words, env=self.environ)
        row = rf"^{name} +127\.0\.0\.1:\d+ +netlab describe (tcp:localhost:\d+)$"
        endpoint = server.wait_for(row)[1]
        netlab = (python, "-P", "-m", "netlab")
        self.assertIn("watch() -> items of integer", self.done(*netlab, "describe", endpoint))
        watching = self.program(*netlab, "call", endpoint, "watch", env=self.environ)
        watching.wait_for("^0$")
        self.assertEqual(self.done(*netlab, "call", endpoint, "add", "amount=5"), "5\n")
        self.assertEqual(self.done(*netlab, "call", endpoint, "current"), "5\n")
        watching.wait_for("^5$")
        snippet = re.search(r"^```python\n(.*?)^```$", readme, re.MULTILINE | re.DOTALL)
        assert snippet is not None
        code = snippet[1].replace("tcp:localhost:8032", endpoint)
        self.assertEqual(self.done(python, "-P", "-c", code), "10\n")
        wrong = self.program(*netlab, "call", endpoint, "add", "amount=101", env=self.environ)
        self.assertEqual(wrong.wait(), 1)
        self.assertIn("amount", wrong.err)
        self.assert_stops_cleanly(server)

    def test_editable(self) -> None:
        """``pip install -e '.[test]'``, tests, server."""
        project, python = self.make("my-lab"), self.environment()
        self.install(python, project, "-e", ".[test]")
        self.assertIn("4 passed", self.done(python, "-m", "pytest", folder=project))
        self.check_serves(python, "my-lab", (project / "README.md").read_text())
        version = ("-P", "-c", _TWISTD, "my-lab", "--version")
        self.assertEqual(self.done(python, *version), "my-lab 0.1.0\n")

    def test_plain(self) -> None:
        """``pip install .``: all that is needed is installed, the types too."""
        project, python = self.make("greeter"), self.environment()
        self.install(python, project, ".")
        readme = (project / "README.md").read_text()
        shutil.rmtree(project)
        self.check_serves(python, "greeter", readme)
        code = (
            "import greeter, pathlib; print(list(pathlib.Path(greeter.__file__).parent.iterdir()))"
        )
        self.assertIn("py.typed", self.done(python, "-P", "-c", code))

    def test_style(self) -> None:
        """ruff finds nothing, whatever the name."""
        if find_spec("ruff") is None:
            raise SkipTest("ruff is not here: pip install -e '.[dev]'")
        for name in ("x", "a", "my-lab", "zoo", LONG):
            project = self.make(name)
            self.done(sys.executable, "-m", "ruff", "check", folder=project)
            self.done(sys.executable, "-m", "ruff", "format", "--check", folder=project)

    def test_types(self) -> None:
        """mypy finds nothing."""
        if find_spec("mypy") is None:
            raise SkipTest("mypy is not here: pip install -e '.[dev]'")
        project = self.make("my-lab")
        self.done(sys.executable, "-m", "mypy", "--strict", ".", folder=project)
