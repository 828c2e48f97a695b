# trial's assertions have no annotations:
# mypy: allow-untyped-calls

from __future__ import annotations

import ast
import configparser
import os
import re
import sys
import tempfile
import tomllib
import types
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from twisted.application.service import IServiceMaker
from twisted.plugin import getPlugins
from twisted.trial.unittest import SynchronousTestCase

from netlab.errors import ConfigurationError
from netlab.escaping import escape
from netlab.scaffold import LONGEST, Project
from netlab.scaffold.project import COMMANDS
from netlab.scaffold.template import IMPORTED

LONG = "a1-" * (LONGEST // 3 - 1) + "b23"
NAMES = ("x", "greeter", "my-lab", "my_lab", "lab2", "matches", LONG)
WIDEST = 100  # columns of a line of Python
ROOT = Path(__file__).parents[2]

names = st.from_regex(r"[a-z][a-z0-9]{0,5}([-_][a-z0-9]{1,4}){0,3}", fullmatch=True)


class Names(SynchronousTestCase):
    def refused(self, name: str) -> str:
        """Why ``name`` is none, on one line."""
        said = str(self.assertRaises(ConfigurationError, Project, name))
        self.assertTrue(said.startswith("name '"), said)
        self.assertEqual(said, escape(said, limit=None))
        return said

    def test_good(self) -> None:
        for name, package, class_name in (
            ("greeter", "greeter", "Greeter"),
            ("my-lab", "my_lab", "MyLab"),
            ("my_lab", "my_lab", "MyLab"),
            ("lab-2-go", "lab_2_go", "Lab2Go"),
            ("x", "x", "X"),
        ):
            project = Project(name)
            self.assertEqual(
                (project.name, project.package, project.class_name), (name, package, class_name)
            )
        self.assertEqual(len(LONG), LONGEST)
        self.assertEqual(Project(LONG).name, LONG)

    def test_form(self) -> None:
        """What is written otherwise, and how it would be right."""
        for name, hint in (
            ("Greeter", "greeter"),
            ("my lab", "my-lab"),
            ("my--lab", "my-lab"),
            ("_lab-", "lab"),
            ("my.lab", "my-lab"),
            ("../lab", "lab"),
            ("2nd", "nd"),
            ("--help", "help"),
            ("a\nb", "a-b"),
            ("", "lower-case letters, as in greeter"),
            ("7", "lower-case letters, as in greeter"),
            ("größe", "gr-e"),
            ("\u202ex", "x"),
        ):
            self.assertTrue(self.refused(name).endswith(f": write {hint}"), name)

    def test_taken(self) -> None:
        """What means something else already."""
        for name, why in (
            ("class", "a word of Python's own"),
            ("none", "a word of Python's own"),
            ("json", "Python has a module json already"),
            ("email", "Python has a module email already"),
            ("tests", "a project has something else that is called so"),
            ("build", "a project has something else that is called so"),
            ("rpc-error", "a project has something else that is called so"),
            ("web", "there is a `twistd web` already"),
            ("netlab", "a package netlab is installed here already"),
            ("twisted", "a package twisted is installed here already"),
            ("msgspec", "a package msgspec is installed here already"),
            ("zope", "a package zope is installed here already"),
            ("a" * (LONGEST + 1), f"longer than {LONGEST} characters"),
            ("a" * 10_000, f"longer than {LONGEST} characters"),
        ):
            self.assertIn(why, self.refused(name))
            self.assertLessEqual(len(f"netlab: {self.refused(name)}"), 80)

    def test_broken_package(self) -> None:
        """A module that is there, whatever is wrong with it, is there."""
        module = types.ModuleType("broken")
        module.__spec__ = None  # importlib.util.find_spec raises ValueError
        self.patch(sys, "modules", {**sys.modules, "broken": module})
        self.assertIn("a package broken is installed here already", self.refused("broken"))

    def test_folder_is_no_package(self) -> None:
        """A folder of that name may be here: it is about to be filled."""
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "greeter").mkdir()
            self.addCleanup(os.chdir, os.getcwd())
            os.chdir(folder)
            self.patch(sys, "path", ["", *sys.path])
            Project("greeter")

    def test_commands(self) -> None:
        """Those that come with Twisted."""
        found = {each.tapname for each in getPlugins(IServiceMaker)}
        self.assertEqual(found - {"netlab"}, set(COMMANDS))

    def test_imported(self) -> None:
        """Each class that a file imports; none of them can be the project's."""
        found: set[str] = set()
        for path, text in Project("greeter").files():
            if path.suffix == ".py":
                for node in ast.walk(ast.parse(text)):
                    if isinstance(node, ast.ImportFrom):
                        found |= {each.name for each in node.names}
        taken = {each for each in found if each[0].isupper()} - {"Greeter"}
        # Those of a module that has not the project's class in it do no harm.
        self.assertEqual(taken - {"MessageOptions", "ServiceMaker"}, set(IMPORTED))

    @given(st.one_of(names, st.text(max_size=LONGEST + 5)))
    def test_any(self, name: str) -> None:
        """A name is good, or it is said why not."""
        try:
            project = Project(name)
        except ConfigurationError:
            self.refused(name)
        else:
            self.assertTrue(project.package.isidentifier() and project.class_name.isidentifier())


class Files(SynchronousTestCase):
    def test_paths(self) -> None:
        self.assertEqual(
            [str(path) for path, _ in Project("my-lab").files()],
            [
                "README.md",
                "pyproject.toml",
                ".gitignore",
                "my_lab/__init__.py",
                "my_lab/api.py",
                "my_lab/tap.py",
                "my_lab/py.typed",
                "twisted/plugins/my_lab_plugin.py",
                "tests/test_api.py",
            ],
        )

    def test_texts(self) -> None:
        """No placeholder is left, and lines are not too long for any name."""
        for name in NAMES:
            for path, text in Project(name).files():
                self.assertNotRegex(text, "PROJECT|PACKAGE|CLASS|NETLAB")
                if path.suffix == ".py":
                    compile(text, path, "exec")
                    self.assertTrue(ast.get_docstring(ast.parse(text)), path)
                if path.suffix == ".py":
                    self.assertLessEqual(max(map(len, text.splitlines()), default=0), WIDEST)

    def test_metadata(self) -> None:
        texts = {str(path): text for path, text in Project("my-lab").files()}
        metadata = tomllib.loads(texts["pyproject.toml"])
        self.assertEqual(metadata["project"]["name"], "my-lab")
        self.assertRegex(metadata["project"]["dependencies"][0], r"\Anetlab>=\d+\.\d+[\w.]*\Z")
        self.assertEqual(
            metadata["tool"]["setuptools"]["packages"]["find"]["include"],
            ["my_lab", "my_lab.*", "twisted.plugins"],
        )

    def test_readme(self) -> None:
        """It tells each of the Python files that there is something to say of."""
        texts = {str(path): text for path, text in Project("my-lab").files()}
        for name in texts:
            if name.endswith((".py", ".toml")) and "__init__" not in name:
                self.assertIn(f"| `{name}`", texts["README.md"])
        for command in ("pip install", "python -m pytest", "twistd -n my-lab", "netlab describe"):
            self.assertIn(command, texts["README.md"])

    def test_unit(self) -> None:
        """The unit file is that of docs/deployment.md, but for what is started."""
        texts = {str(path): text for path, text in Project("my-lab").files()}
        own = unit(texts["README.md"], "/etc/systemd/system/my-lab.service")
        other = unit((ROOT / "docs" / "deployment.md").read_text(), "netlab.service")
        self.assertEqual(
            own["Service"].pop("ExecStart"),
            "/opt/my-lab/bin/twistd -n --pidfile= my-lab --listen tcp6:8032",
        )
        self.assertEqual(own["Unit"].pop("Description"), "my-lab")
        for section, name in (
            *(("Service", "ExecStart"), ("Service", "WorkingDirectory")),
            ("Unit", "Description"),
        ):
            del other[section][name]
        self.assertEqual(own, other)


def unit(text: str, name: str) -> dict[str, dict[str, str]]:
    """The unit file called ``name`` in a document."""
    found = re.search(rf"^```ini\n# \S*{name}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert found is not None
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read_string(found[1])
    return {each: dict(parser[each]) for each in parser.sections()}
