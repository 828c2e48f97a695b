# trial's assertions have no annotations:
# mypy: allow-untyped-calls
"""``MODULE:CLASS``: one line that says what is wrong with a name, whatever it is."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from netlab.application import load
from netlab.errors import ConfigurationError

GOOD = """
class Good: can_be_served = True
class Better: can_be_served = True
class Bad: pass
nothing = None
"""


def can_be_served(value: Any) -> bool:
    return getattr(value, "can_be_served", False) is True


class Applications(SynchronousTestCase):
    """A folder with modules in it is the current one."""

    def setUp(self) -> None:
        temporary = TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name).resolve()
        before, path, known = Path.cwd(), list(sys.path), set(sys.modules)

        def restore() -> None:
            os.chdir(before)
            sys.path[:] = path
            for name in set(sys.modules) - known:
                if name.startswith("nl_"):
                    del sys.modules[name]

        self.addCleanup(restore)
        os.chdir(self.folder)
        self.write("nl_good", GOOD)

    def write(self, name: str, text: str) -> None:
        """A module in the current folder."""
        path = self.folder / f"{name}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)

    def load(self, name: str) -> Any:
        """As services do."""
        built_in = {"echo": "the echo", "other": "another"}
        return load(name, built_in, can_be_served, bases="good.Things", example="names:Names")

    def error(self, name: str) -> str:
        """What is said of a bad name, in one printable line that repeats it."""
        text = str(self.assertRaises(ConfigurationError, self.load, name))
        self.assertTrue(text.isprintable(), text)
        self.assertTrue(text.startswith("application '"), text)
        return text

    def test_built_in(self) -> None:
        """A short name, whatever modules there are."""
        self.assertEqual(self.load("echo"), "the echo")

    def test_module(self) -> None:
        """A module of the current folder, which then comes first, once."""
        for _ in range(3):
            self.assertEqual(self.load("nl_good:Good").__name__, "Good")
        self.assertEqual(sys.path.count(str(self.folder)), 1)

    def test_package(self) -> None:
        """A module within a package."""
        self.write("nl_package/inner", GOOD)
        self.assertEqual(self.load("nl_package.inner:Better").__name__, "Better")

    def test_not_a_name(self) -> None:
        """What has no colon, or nothing on one side of it."""
        for name in ("", "shout", "nl_good:", ":Good", ":"):
            said = "write MODULE:CLASS, as in names:Names, or one of: echo, other"
            self.assertIn(said, self.error(name))

    def test_no_module(self) -> None:
        """A module, or a part of its path, that is not there; and where it was looked for."""
        for name in ("nl_nowhere", "nl_nowhere.deep", "nl_good.deep", "..", ".x"):
            self.error(f"{name}:Good")
        said = f"there is no module 'nl_nowhere' in {self.folder} or among what is installed"
        self.assertIn(said, self.error("nl_nowhere:Good"))

    def test_no_class(self) -> None:
        """A name that is not there: the nearest that is, or all of them."""
        self.assertIn("has no 'Goood'; it has Good", self.error("nl_good:Goood"))
        self.assertIn("it has Good, Better", self.error("nl_good:Zzz"))
        self.write("nl_empty", "")
        self.assertTrue(self.error("nl_empty:Good").endswith("has no 'Good'"))
        self.assertIn("has no 'nothing'", self.error("nl_good:nothing"))

    def test_something_else(self) -> None:
        """What is there, and cannot be served."""
        self.assertIn("Bad is not a subclass of good.Things", self.error("nl_good:Bad"))

    def test_failing_modules(self) -> None:
        """What a module raises is told with its place."""
        for text, said in (
            ("import nl_not_there", "'nl_bad' imports 'nl_not_there', which is missing"),
            ("\n\n1 / 0", f"ZeroDivisionError: division by zero ({self.folder}/nl_bad.py, line 3)"),
            ("class Good(:\n", f"SyntaxError: invalid syntax ({self.folder}/nl_bad.py, line 1)"),
            ("import sys\nsys.exit(3)", "SystemExit: 3"),
            ("from nl_good import no_such", "ImportError: cannot import name 'no_such'"),
            ("raise ValueError('\\x1b[31m\\nroot logged in')", "ValueError: \\x1b[31m\\nroot"),
            ("raise Exception('x' * 100_000)", "Exception: xxx"),
        ):
            self.write("nl_bad", text)
            line = self.error("nl_bad:Good")
            self.assertIn(said, line)
            self.assertLess(len(line), 1000)
            sys.modules.pop("nl_bad", None)
            for cached in self.folder.glob("__pycache__/nl_bad*"):
                cached.unlink()

    def test_interrupt(self) -> None:
        """Ctrl-C while a module loads is not its mistake."""
        self.write("nl_slow", "raise KeyboardInterrupt")
        self.assertRaises(KeyboardInterrupt, self.load, "nl_slow:Good")

    @given(st.text(max_size=30), st.sampled_from(["", "nl_good:", "nl_good.", "nl_"]))
    def test_anything(self, text: str, before: str) -> None:
        """Any name is an application, or one printable line."""
        if not (before + text).startswith("nl_"):
            text = f"nl_{text}"  # so that no other module is imported
        try:
            self.load(before + text)
        except ConfigurationError as error:
            self.assertTrue(str(error).isprintable(), str(error))
