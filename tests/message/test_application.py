"""``load_application``: one line that says what is wrong."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from twisted.trial.unittest import SynchronousTestCase

from netlab import ConfigurationError
from netlab.message import Echo, load_application
from netlab.testing import pair

GOOD = """
from netlab import MessageFactory, MessageProtocol

class Shout(MessageProtocol):
    def message_received(self, message):
        return message.upper()

class Room(MessageFactory):
    protocol = Shout

room = Room()
number = 5

class Other:
    pass
"""


class Applications(SynchronousTestCase):
    """A folder with modules in it is the current one."""

    def setUp(self) -> None:
        temporary = TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        folder = self.folder = Path(temporary.name).resolve()
        before, path = Path.cwd(), list(sys.path)
        known = set(sys.modules)

        def restore() -> None:
            os.chdir(before)
            sys.path[:] = path
            for name in set(sys.modules) - known:
                if name.startswith("nl_"):
                    del sys.modules[name]

        self.addCleanup(restore)
        os.chdir(folder)
        self.write("nl_good", GOOD)

    def write(self, name: str, text: str) -> None:
        (self.folder / f"{name}.py").write_text(text)

    def error(self, name: str) -> str:
        error = self.assertRaises(ConfigurationError, load_application, name)
        text = str(error)
        self.assertEqual(text.splitlines(), [text], "more than one line")
        return text

    def test_built_in(self) -> None:
        self.assertIs(load_application("echo"), Echo)

    def test_from_the_current_folder(self) -> None:
        for name in ("Shout", "Room", "room"):
            with pair(load_application(f"nl_good:{name}")) as link:
                self.assertEqual(link.run(link.client.request(b"hello")), b"HELLO")

    def test_not_a_name(self) -> None:
        for name in ("", "nl_good", "nl_good:", ":Shout", ":"):
            self.assertIn("write MODULE:CLASS, as in shout:Shout", self.error(name))

    def test_no_module(self) -> None:
        text = self.error("nl_nowhere:Shout")
        self.assertIn("no module 'nl_nowhere'", text)
        self.assertIn(str(self.folder), text)
        self.assertIn("no module 'nl_nowhere.deep'", self.error("nl_nowhere.deep:Shout"))

    def test_no_class(self) -> None:
        self.assertIn("has no 'Shot'; it has Shout", self.error("nl_good:Shot"))
        text = self.error("nl_good:Zzz")
        for name in ("Shout", "Room", "room"):
            self.assertIn(name, text)

    def test_nothing_to_serve(self) -> None:
        self.write("nl_empty", "")
        text = self.error("nl_empty:Shout")
        self.assertTrue(text.endswith("has no 'Shout'"), text)

    def test_something_else(self) -> None:
        for name in ("number", "Other", "MessageProtocol", "MessageFactory"):
            self.assertIn("not a subclass of netlab.MessageProtocol", self.error(f"nl_good:{name}"))

    def test_module_imports_what_is_missing(self) -> None:
        self.write("nl_missing", "import nl_not_there")
        text = self.error("nl_missing:Shout")
        self.assertIn("'nl_missing' imports 'nl_not_there', which is missing", text)

    def test_module_raises(self) -> None:
        self.write("nl_raising", "\n\nraise ZeroDivisionError('in\\nthe module')")
        text = self.error("nl_raising:Shout")
        self.assertIn("ZeroDivisionError", text)
        self.assertIn(f"{self.folder}/nl_raising.py, line 3", text)

    def test_syntax_error(self) -> None:
        self.write("nl_syntax", "class Shout(:\n")
        text = self.error("nl_syntax:Shout")
        self.assertIn("SyntaxError", text)
        self.assertIn(f"{self.folder}/nl_syntax.py, line 1", text)

    def test_module_exits(self) -> None:
        """A script without a main guard must not end the server with a strange code."""
        self.write("nl_exiting", "import sys\nsys.exit(3)")
        self.assertIn("SystemExit", self.error("nl_exiting:Shout"))

    def test_odd_names(self) -> None:
        for name in ("a b:c", "..:x", ".x:y", "nl_good:Shout:Shout", "nl_good:Shout.x", "\n:\x1b"):
            self.error(name)
