# trial's assertions have no annotations:
# mypy: allow-untyped-calls
"""Every way of installing netlab gives the command, the twistd plugin and the types.

Each is tried in a fresh virtual environment that borrows this one's
dependencies, by links that leave netlab itself out, so that nothing is
downloaded and no netlab but the one just installed can be found.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.system.peers import connect, request
from tests.system.processes import ROOT, Server, SystemCase

_TWISTD = "from twisted.scripts.twistd import run; run()"
_CHECK = """
import netlab, twisted, twisted.internet.reactor, twisted.plugins
from importlib.metadata import version
from twisted.plugin import getPlugins
from twisted.application.service import IServiceMaker
print(netlab.__file__)
print(twisted.__file__)
print(version("netlab"))
print([each.module for each in getPlugins(IServiceMaker) if each.tapname == "netlab"])
"""


def copy_tree(target: Path) -> None:
    """Copies the files that belong to the project, and nothing that building left here."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout
    except (OSError, subprocess.CalledProcessError):  # not a clone: an unpacked archive
        junk = shutil.ignore_patterns(".*", "*.egg-info", "build", "dist", "__pycache__")
        shutil.copytree(ROOT, target, ignore=junk)
        return
    for name in filter(None, listed.decode().split("\0")):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, target / name)


def link_dependencies(target: Path) -> None:
    """Fills ``target`` with links to all that is installed here, except netlab."""
    for folder in map(Path, sys.path):
        if folder.name in ("site-packages", "dist-packages") and folder.is_dir():
            _link(folder, target)


def _link(source: Path, target: Path) -> None:
    target.mkdir(exist_ok=True)
    for each in source.iterdir():
        # An ordinary installation puts netlab's plugin among Twisted's own.
        if each.name in ("twisted", "plugins"):
            _link(each, target / each.name)
        elif "netlab" not in each.name and each.name not in ("dropin.cache", "__pycache__"):
            link = target / each.name
            if not (link.exists() or each.suffix == ".pth"):
                link.symlink_to(each)


class Installing(SystemCase):
    def setUp(self) -> None:
        super().setUp()
        self.tree = self.folder / "tree"
        copy_tree(self.tree)
        self.libraries = self.folder / "libraries"
        link_dependencies(self.libraries)

    def run_python(self, python: Path | str, *arguments: str, folder: Path | None = None) -> str:
        """Runs Python where nothing of the project is in sight; returns its output."""
        environ = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "PIP_"))}
        environ |= {"PIP_NO_INDEX": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
        done = subprocess.run(
            [str(python), *arguments],
            cwd=folder or self.empty,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=self.deadline,
        )
        self.assertEqual(done.returncode, 0, f"{arguments}: {done.stdout}")
        return done.stdout

    @property
    def empty(self) -> Path:
        """A folder with nothing in it."""
        folder = self.folder / "empty"
        folder.mkdir(exist_ok=True)
        return folder

    def environment(self, name: str) -> Path:
        """A fresh virtual environment; returns its Python."""
        folder = self.folder / name
        venv.create(folder, with_pip=False, symlinks=True)
        python = folder / "bin" / "python"
        code = "import sysconfig; print(sysconfig.get_path('purelib'))"
        site = Path(self.run_python(python, "-c", code).strip())
        (site / "zz_libraries.pth").write_text(f"{self.libraries}\n")
        return python

    def install(self, python: Path, *what: str) -> None:
        """Installs with this environment's pip, as ``pip install`` in the new one would."""
        words = ["-m", "pip", "--python", str(python), "install", "--quiet"]
        self.run_python(
            sys.executable, *words, "--no-deps", "--no-build-isolation", *what, folder=self.tree
        )

    def check_installed(self, python: Path, where: Path) -> None:
        """What must be there after any way of installing."""
        checked = self.run_python(python, "-P", "-c", _CHECK).splitlines()
        self.assertTrue(checked[0].startswith(f"{where}{os.sep}"), checked[0])
        self.assertTrue(checked[1].endswith("twisted/__init__.py"), checked[1])
        self.assertEqual(checked[3], "['netlab.tap']")
        for listing in (
            self.run_python(python, "-P", "-c", _TWISTD, "--help"),
            self.run_python(python, "-P", "-m", "twisted", "--help"),
        ):
            line = [each for each in listing.splitlines() if each.split()[:1] == ["netlab"]]
            self.assertEqual(len(line), 1, listing)
        text = self.run_python(python, "-P", "-c", _TWISTD, "-n", "netlab", "message", "--help")
        self.assertIn("--max-connections", text)
        command = python.with_name("netlab")
        self.assertIn(checked[2], self.run_python(python, str(command), "--version"))
        self.check_serves(python)

    def check_serves(self, python: Path) -> None:
        """The plugin runs, and answers."""
        listen = "--listen=tcp:0:interface=127.0.0.1"
        words = [str(python), "-P", "-c", _TWISTD, "-n", "--pidfile=", "netlab", "message", listen]
        server = Server(words, self.empty)
        try:
            server.wait_until_up()
            with connect(server.address) as sock:
                self.assertEqual(request(sock, b"installed"), b"installed")
            self.assert_stops_cleanly(server)
        finally:
            server.kill()

    def at_once(self, *steps: Callable[[], None]) -> None:
        """Does ``steps`` in parallel; they mostly wait for processes."""
        with ThreadPoolExecutor() as pool:
            for each in [pool.submit(step) for step in steps]:
                each.result()

    def test_pip(self) -> None:
        """``pip install .`` and ``pip install -e .``."""
        second = self.folder / "second"
        shutil.copytree(self.tree, second)

        def plain() -> None:
            python = self.environment("plain")
            self.install(python, ".")
            shutil.rmtree(self.tree)
            self.check_installed(python, self.folder / "plain")

        def editable() -> None:
            python = self.environment("editable")
            self.install(python, "--editable", str(second))
            self.check_installed(python, second)
            # What makes it editable: a change is there without installing again.
            source = second / "netlab" / "__init__.py"
            source.write_text(source.read_text() + "\nchanged = True\n")
            self.run_python(python, "-P", "-c", "import netlab; assert netlab.changed")

        self.at_once(plain, editable)

    def test_build(self) -> None:
        """A wheel that was built from the source archive, as a release is."""
        words = ["-m", "build", "--no-isolation", "--outdir", str(self.folder / "dist")]
        self.run_python(sys.executable, *words, folder=self.tree)
        (archive,) = (self.folder / "dist").glob("*.tar.gz")
        (wheel,) = (self.folder / "dist").glob("*.whl")
        self.check_wheel(wheel)
        with tarfile.open(archive) as opened:
            inside = {each.partition("/")[2] for each in opened.getnames()}
        self.assertLessEqual({"setup.cfg", "pyproject.toml", "LICENSE"}, inside)
        python = self.environment("wheel")
        self.install(python, str(wheel))
        self.check_installed(python, self.folder / "wheel")

    def check_wheel(self, wheel: Path) -> None:
        """All of the package, the plugin, and nothing else."""
        with zipfile.ZipFile(wheel) as opened:
            names = set(opened.namelist())
        sources = {
            each.relative_to(self.tree).as_posix() for each in (self.tree / "netlab").rglob("*.py")
        }
        self.assertEqual(sources - names, set())
        self.assertIn("netlab/py.typed", names)
        self.assertIn("twisted/plugins/netlab_plugin.py", names)
        code = {each for each in names if ".dist-info/" not in each}
        self.assertEqual(
            {each for each in code if each.startswith("twisted/")},
            {"twisted/plugins/netlab_plugin.py"},
        )
        self.assertEqual({each.partition("/")[0] for each in code}, {"netlab", "twisted"})
