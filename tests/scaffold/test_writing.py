# trial's assertions have no annotations:
# mypy: allow-untyped-calls

from __future__ import annotations

import errno
import os
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import SkipTest

from twisted.trial.unittest import SynchronousTestCase

from netlab.errors import ConfigurationError
from netlab.scaffold import Project, write_project

PROJECT = Project("greeter")
OPEN = Path.open


class _Failing:
    """Opens files, of which one can be written for so many characters and no further."""

    def __init__(self, broken: Path, length: int, error: BaseException) -> None:
        self.broken = broken
        self.length = length
        self.error = error

    def __call__(self, real: Any, path: Path, *rest: Any, **named: Any) -> Any:
        file = real(path, *rest, **named)
        if path == self.broken:
            whole = file.write

            def write(text: str) -> None:
                whole(text[: self.length])
                raise self.error

            file.write = write
        return file


class Writing(SynchronousTestCase):
    def setUp(self) -> None:
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name)
        self.target = self.folder / "target"

    def found(self, folder: Path) -> list[str]:
        """All that is in ``folder``."""
        return sorted(str(each.relative_to(folder)) for each in folder.rglob("*"))

    def refused(self, folder: Path) -> str:
        return str(self.assertRaises(ConfigurationError, write_project, PROJECT, folder))

    def test_whole(self) -> None:
        """Each file has its text, and the modes that the user wants new files to have."""
        before = os.umask(0o027)
        self.addCleanup(os.umask, before)
        written = write_project(PROJECT, self.target)
        texts = dict(PROJECT.files())
        self.assertEqual(written, list(texts))
        for path, text in texts.items():
            self.assertEqual((self.target / path).read_bytes(), text.encode())
        files = {each for each in self.found(self.target) if (self.target / each).is_file()}
        self.assertEqual(files, set(map(str, texts)))
        for path, mode in ((self.target, 0o750), (self.target / "README.md", 0o640)):
            self.assertEqual(stat.S_IMODE(path.stat().st_mode), mode)

    def test_empty_folder(self) -> None:
        """One that is there stays the same folder."""
        self.target.mkdir()
        before = self.target.stat().st_ino
        write_project(PROJECT, self.target)
        self.assertEqual(self.target.stat().st_ino, before)
        self.assertTrue((self.target / "README.md").exists())

    def test_not_empty(self) -> None:
        """A folder with anything in it is left as it is."""
        self.target.mkdir()
        (self.target / ".hidden").write_text("mine")
        self.assertEqual(
            self.refused(self.target), f"{self.target} is not empty: nothing was written"
        )
        self.assertEqual(self.found(self.target), [".hidden"])

    def test_twice(self) -> None:
        write_project(PROJECT, self.target)
        self.assertIn("is not empty", self.refused(self.target))
        self.assertTrue((self.target / "README.md").exists())

    def test_no_folder(self) -> None:
        self.target.write_text("mine")
        self.assertIn("is there already, and is no folder", self.refused(self.target))
        self.assertEqual(self.target.read_text(), "mine")
        self.assertIn("is not there: make that folder first", self.refused(self.folder / "a" / "b"))
        self.assertIn("a\\nb is not there", self.refused(self.folder / "a\nb" / "c"))
        self.assertEqual(self.found(self.folder), ["target"])

    def test_odd_folder(self) -> None:
        """One in which no folder can be made is not said to be missing."""
        if not Path("/proc/self").is_dir():
            raise SkipTest("there is no /proc")
        self.assertRaises(OSError, write_project, PROJECT, Path("/proc/target"))

    def test_dangling_link(self) -> None:
        """A link to nowhere is no folder."""
        self.target.symlink_to(self.folder / "nowhere")
        self.assertIn("is there already, and is no folder", self.refused(self.target))

    def opening(self, instead: Callable[..., Any]) -> None:
        """Files are opened by ``instead(open, path, ...)``."""
        self.patch(Path, "open", lambda path, *rest, **named: instead(OPEN, path, *rest, **named))

    def test_failing(self) -> None:
        """Wherever it breaks off, by an error or by Ctrl-C: nothing is left."""
        for there in (False, True):
            if there:
                self.target.mkdir()
            for broken, text in PROJECT.files():
                for error in (OSError(errno.ENOSPC, "full"), KeyboardInterrupt()):
                    self.opening(_Failing(self.target / broken, len(text) // 2, error))
                    with self.assertRaises(type(error)):
                        write_project(PROJECT, self.target)
                    self.assertEqual(self.found(self.folder), ["target"] if there else [])

    def test_somebody_else(self) -> None:
        """A file that somebody writes there meanwhile is neither overwritten nor removed."""

        def open_(real: Any, path: Path, *rest: Any, **named: Any) -> Any:
            if path.name == "pyproject.toml":
                with real(path, "w") as file:
                    file.write("mine")
            return real(path, *rest, **named)

        self.target.mkdir()
        self.opening(open_)
        self.assertRaises(FileExistsError, write_project, PROJECT, self.target)
        self.assertEqual(self.found(self.target), ["pyproject.toml"])

    def test_not_allowed(self) -> None:
        if os.geteuid() == 0:
            raise SkipTest("root may write anywhere")
        self.folder.chmod(0o500)
        self.addCleanup(self.folder.chmod, 0o700)
        self.assertRaises(PermissionError, write_project, PROJECT, self.target)
