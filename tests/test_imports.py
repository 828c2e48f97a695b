"""The floors of the house: who imports whom, read from the source."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import netlab

ROOT = Path(netlab.__file__).resolve().parent
SANS_IO = (
    *("netlab.framing", "netlab.errors", "netlab.target", "netlab.escaping", "netlab.impair"),
    *(
        "netlab.cache.policy",
        "netlab.rfc.names",
        "netlab.rfc.entries",
        "netlab.rfc.index",
        "netlab.fields",
    ),
    *("netlab.datagram.pings", "netlab.datagram.roundtrips", "netlab.datagram.plot"),
    *("netlab.datagram.destination", "netlab.datagram.exchange"),
    *("netlab.ledger.packets", "netlab.ledger.pcapng", "netlab.ledger.records"),
    *("netlab.ledger.lines", "netlab.ledger.capture", "netlab.api.jsonrpc", "netlab.api.declare"),
    *("netlab.api.context", "netlab.api.description", "netlab.api.kinds", "netlab.api.signature"),
    *("netlab.api.wire", "netlab.api.openrpc", "netlab.api.reference", "netlab.api.dissector"),
    *("netlab.api.vectors", "netlab.api.samples", "netlab.api.lua"),
    *("netlab.api.rooms.names", "netlab.api.rooms.model", "netlab.api.rooms.store"),
    "netlab.api.rooms.memory",
)
IMPURE = ("twisted", "socket", "ssl", "asyncio", "time", "logging", "select", "selectors", "os")
SERVICES = ("message", "datagram", "http", "cache", "rfc", "api")
STANDS_ON = {"cache": {"http"}, "rfc": {"http", "cache"}, "api": {"message"}}
TOP = ("netlab.tap", "netlab.services", "netlab.options", "netlab.cli")
CONVENIENCES = (
    *("netlab.message.server", "netlab.message.client"),
    *("netlab.datagram.server", "netlab.datagram.client", "netlab.http.server"),
    "netlab.api.client",
)
NO_TWISTED = (
    *("netlab.ledger", "netlab.blocking", "netlab.blocking_datagram", "netlab.pipe", "netlab.cli"),
    "netlab.scaffold",
    *("netlab.datagram.pings", "netlab.datagram.roundtrips", "netlab.datagram.plot"),
    *("netlab.datagram.destination", "netlab.datagram.exchange", "netlab.datagram.pinging"),
    *("netlab.datagram.lookup", "netlab.datagram.connected"),
    *("netlab.cache.store", "netlab.rfc.terminal", "netlab.rfc.search", "netlab.rfc.freshness"),
    *("netlab.rfc.coding", "netlab.rfc.asking", "netlab.rfc.keeping", "netlab.rfc.direct"),
    *("netlab.rfc.proxied", "netlab.rfc.metadata", "netlab.rfc.mirroring", "netlab.rfc.records"),
    "netlab.rfc.copying",
    *("netlab.rfc.pace", "netlab.rfc.places", "netlab.api.blocking", "netlab.api.caller"),
)
LONGEST = 600


@dataclass(frozen=True)
class Import:
    """One name that a module imports: where, what, and whether within a function."""

    line: int
    name: str
    in_function: bool
    for_types: bool


@dataclass(frozen=True)
class Module:
    """A module of netlab as its source is written."""

    name: str
    path: Path
    tree: ast.Module

    @property
    def imports(self) -> list[Import]:
        """All of its imports, as absolute names."""
        return list(_imports(self, self.tree, in_function=False, for_types=False))

    @property
    def package(self) -> str:
        """What its relative imports are relative to."""
        return self.name if self.path.name == "__init__.py" else self.name.rpartition(".")[0]


def _imports(
    module: Module, node: ast.AST, *, in_function: bool, for_types: bool
) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        names: list[str] = []
        if isinstance(child, ast.Import):
            names = [each.name for each in child.names]
        elif isinstance(child, ast.ImportFrom):
            base = child.module or ""
            if child.level:
                parent = module.package.split(".")[
                    : len(module.package.split(".")) - child.level + 1
                ]
                base = ".".join([*parent, *([base] if base else [])])
            names = [f"{base}.{each.name}" for each in child.names]
        for name in names:
            yield Import(getattr(child, "lineno", 0), name, in_function, for_types)
        function = isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef))
        types = isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)
        yield from _imports(
            module, child, in_function=in_function or function, for_types=for_types or types
        )


def _modules() -> list[Module]:
    found = []
    for path in sorted(ROOT.rglob("*.py")):
        parts = ["netlab", *path.relative_to(ROOT).with_suffix("").parts]
        name = ".".join(parts).removesuffix(".__init__")
        found.append(Module(name, path, ast.parse(path.read_text())))
    return found


MODULES = _modules()


def within(name: str, *packages: str) -> bool:
    """Whether ``name`` is one of ``packages``, or below one."""
    return any(name == each or name.startswith(f"{each}.") for each in packages)


def service_of(name: str) -> str | None:
    """The service that a module belongs to."""
    return next((each for each in SERVICES if within(name, f"netlab.{each}")), None)


class Reading(SynchronousTestCase):
    """The reader of imports itself."""

    def test_kinds(self) -> None:
        source = (
            "import os.path\nfrom . import one\nfrom .two import three\nfrom .. import four\n"
            "def f():\n    from twisted.internet import reactor\n"
            "if TYPE_CHECKING:\n    from .five import six\n"
        )
        module = Module("netlab.http.head", Path("head.py"), ast.parse(source))
        self.assertEqual(
            [(each.name, each.in_function, each.for_types) for each in module.imports],
            [
                ("os.path", False, False),
                ("netlab.http.one", False, False),
                ("netlab.http.two.three", False, False),
                ("netlab.four", False, False),
                ("twisted.internet.reactor", True, False),
                ("netlab.http.five.six", False, True),
            ],
        )
        package = Module("netlab.http", Path("__init__.py"), ast.parse("from .head import a"))
        self.assertEqual(package.imports[0].name, "netlab.http.head.a")

    def test_finds_modules(self) -> None:
        names = {each.name for each in MODULES}
        self.assertLessEqual(
            {"netlab", "netlab.errors", "netlab.framing", "netlab.transport.hub", "netlab.tap"},
            names,
        )


class Floors(SynchronousTestCase):
    def assert_none(self, wrong: list[str]) -> None:
        """Nothing is wrong; what is, is shown whole."""
        self.assertEqual(wrong, [], "\n".join(["", *wrong]))

    def test_sans_io(self) -> None:
        """No network, file, clock or log on the ground floor."""
        allowed = ("netlab.errors", "netlab.escaping", *SANS_IO)
        self.assert_none(
            [
                f"{module.name}:{each.line} imports {each.name}"
                for module in MODULES
                if within(module.name, *SANS_IO)
                for each in module.imports
                if within(each.name, *IMPURE)
                or (within(each.name, "netlab") and not within(each.name, *allowed))
            ]
        )

    def test_transport(self) -> None:
        """The transport knows no service, and nothing of the top floor."""
        self.assert_none(
            [
                f"{module.name}:{each.line} imports {each.name}"
                for module in MODULES
                if within(module.name, "netlab.transport")
                for each in module.imports
                if service_of(each.name) or within(each.name, "netlab.testing", *TOP)
            ]
        )

    def test_ledger(self) -> None:
        """The ledger is told by others; it knows none of them."""
        allowed = ("netlab.ledger", "netlab.errors", "netlab.escaping")
        self.assert_none(
            [
                f"{module.name}:{each.line} imports {each.name}"
                for module in MODULES
                if within(module.name, "netlab.ledger")
                for each in module.imports
                if within(each.name, "netlab") and not within(each.name, *allowed)
            ]
        )

    def test_without_twisted(self) -> None:
        """What scripts and the command line use comes up quickly."""
        self.assert_none(
            [
                f"{module.name}:{each.line} imports {each.name}"
                for module in MODULES
                if within(module.name, *NO_TWISTED)
                for each in module.imports
                if within(each.name, "twisted")
            ]
        )

    def test_services(self) -> None:
        """A service stands on no other, but for the two that say so; nor on the top floor."""
        wrong = []
        for module in MODULES:
            ours = service_of(module.name)
            if ours is None:
                continue
            allowed = {ours} | STANDS_ON.get(ours, set())
            wrong += [
                f"{module.name}:{each.line} imports {each.name}"
                for each in module.imports
                if (service_of(each.name) or ours) not in allowed
                or within(each.name, "netlab.testing", *TOP)
            ]
        self.assert_none(wrong)

    def test_nobody_needs_the_test_kit(self) -> None:
        """What serves does not import what tests."""
        self.assert_none(
            [
                f"{module.name}:{each.line} imports {each.name}"
                for module in MODULES
                if not within(module.name, "netlab.testing", *TOP)
                for each in module.imports
                if within(each.name, "netlab.testing")
            ]
        )

    def test_reactor(self) -> None:
        """The global reactor: only on the top floor and in conveniences, within a function."""
        wrong = []
        for module in MODULES:
            for each in module.imports:
                if each.name != "twisted.internet.reactor":
                    continue
                allowed = within(module.name, *TOP) or module.name in CONVENIENCES
                if not (allowed and each.in_function):
                    wrong.append(f"{module.name}:{each.line}")
        self.assert_none(wrong)

    def test_no_printing(self) -> None:
        """No module prints, but for the programs."""
        self.assert_none(
            [
                f"{module.name}:{node.lineno} prints"
                for module in MODULES
                if not within(module.name, *TOP, "netlab.startup", "netlab.testing")
                for node in ast.walk(module.tree)
                if isinstance(node, ast.Call) and ast.unparse(node.func) == "print"
            ]
        )


class Shape(SynchronousTestCase):
    def test_docstrings(self) -> None:
        """Each module says what it is."""
        without = [each.name for each in MODULES if not ast.get_docstring(each.tree)]
        self.assertEqual(without, [])

    def test_length(self) -> None:
        """A module of more than 600 lines is two modules."""
        lengths = {each.name: len(each.path.read_text().splitlines()) for each in MODULES}
        self.assertEqual({name: n for name, n in lengths.items() if n > LONGEST}, {})


class Plugin(SynchronousTestCase):
    def test_source(self) -> None:
        """The plugin file imports ``ServiceMaker`` and nothing else."""
        path = ROOT.parent / "twisted" / "plugins" / "netlab_plugin.py"
        module = Module("twisted.plugins.netlab_plugin", path, ast.parse(path.read_text()))
        self.assertEqual(
            [each.name for each in module.imports], ["twisted.application.service.ServiceMaker"]
        )
        self.assertTrue(ast.get_docstring(module.tree))

    def run_python(self, code: str) -> str:
        """What a new interpreter prints."""
        ended = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            cwd=ROOT.parent,
        )
        self.assertEqual((ended.returncode, ended.stderr), (0, ""))
        return ended.stdout

    def test_listing(self) -> None:
        """Listing twistd's commands names netlab and imports nothing of it."""
        code = (
            "import sys\n"
            "from twisted.plugin import getPlugins\n"
            "from twisted.application.service import IServiceMaker\n"
            "made = {each.tapname: each for each in getPlugins(IServiceMaker)}\n"
            "print(made['netlab'].description)\n"
            "print(sorted(each for each in sys.modules if each.split('.')[0] == 'netlab'))"
        )
        description, imported = self.run_python(code).splitlines()
        self.assertTrue(description)
        self.assertEqual(imported, "[]")

    def test_plugin_module(self) -> None:
        """Importing the plugin itself imports neither netlab nor a reactor."""
        code = (
            "import sys, twisted.plugins.netlab_plugin as plugin\n"
            "print([each for each in sys.modules if each.startswith('netlab')])\n"
            "print('twisted.internet.reactor' in sys.modules)\n"
            "print(plugin.netlab.tapname, plugin.netlab.module)"
        )
        self.assertEqual(
            self.run_python(code).split("\n")[:3], ["[]", "False", "netlab netlab.tap"]
        )

    def test_no_reactor_installed(self) -> None:
        """Importing any module of netlab leaves the choice of a reactor open."""
        names = [each.name for each in MODULES if not each.name.endswith("__main__")]
        code = (
            "import importlib, sys\n"
            f"for name in {names!r}: importlib.import_module(name)\n"
            "print('twisted.internet.reactor' in sys.modules)"
        )
        self.assertEqual(self.run_python(code), "False\n")
