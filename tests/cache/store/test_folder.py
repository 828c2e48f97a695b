"""Which folders a store takes, and which it refuses."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from netlab.cache.store import folder as module
from netlab.cache.store import open_store
from netlab.errors import ConfigurationError
from tests.cache.store.support import KEY, StoreCase, entry, put


class Refused(StoreCase):
    def refusal(self) -> str:
        with self.assertRaises(ConfigurationError) as caught:
            self.open()
        message = str(caught.exception)
        self.assertNotIn("\n", message)
        return message

    def test_foreign_files(self) -> None:
        self.folder.mkdir()
        (self.folder / "thesis.txt").write_text("years of work")
        self.assertIn("there is a 'thesis.txt' in it", self.refusal())
        (self.folder / "tmp").mkdir()
        (self.folder / "thesis.txt").rename(self.folder / "tmp" / "thesis.txt")
        self.assertIn("there is a 'tmp' in it", self.refusal())
        self.assertEqual((self.folder / "tmp" / "thesis.txt").read_text(), "years of work")

    def test_other_cache(self) -> None:
        self.folder.mkdir()
        tag = self.folder / "CACHEDIR.TAG"
        tag.write_text("Signature: 8a477f597d28d172789f06886806bc55\n# made by a browser\n")
        self.assertIn("not a cache of netlab, its tag says so", self.refusal())

    def test_other_version(self) -> None:
        self.open().close()
        tag = self.folder / "CACHEDIR.TAG"
        tag.write_text(tag.read_text().replace("layout 1", "layout 2"))
        self.assertIn("another version of netlab", self.refusal())

    def test_in_use(self) -> None:
        self.open()
        self.assertIn(f"process {os.getpid()} is using it", self.refusal())

    def test_in_use_by_another_process(self) -> None:
        program = (
            "import sys, pathlib\n"
            "from netlab.cache.store import open_store\n"
            "store = open_store(pathlib.Path(sys.argv[1]))\n"
            "print(flush=True); sys.stdin.read()"
        )
        with subprocess.Popen(
            [sys.executable, "-c", program, str(self.folder.absolute())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=Path(module.__file__).parents[3],
        ) as process:
            assert process.stdout is not None
            process.stdout.readline()
            self.assertIn(f"process {process.pid} is using it", self.refusal())
            process.kill()
        self.open()

    def test_file(self) -> None:
        self.folder.write_text("a file")
        self.assertIn("File exists; name a folder", self.refusal())

    def test_not_writable(self) -> None:
        real = os.open

        def refuse(path: Any, flags: int, mode: int = 0o777) -> int:
            if flags & os.O_CREAT:
                raise OSError(errno.EROFS, os.strerror(errno.EROFS))
            return real(path, flags, mode)

        self.patch(os, "open", refuse)
        self.assertEqual(
            self.refusal(),
            f"cache folder '{self.folder}': Read-only file system; "
            "name a folder that this program may write in",
        )

    def test_sizes(self) -> None:
        with self.assertRaises(ConfigurationError):
            open_store(self.folder, max_bytes=1000)
        with self.assertRaises(ConfigurationError):
            open_store(None, memory_bytes=0)


class Taken(StoreCase):
    def test_file_system_root(self) -> None:
        (self.folder / "lost+found").mkdir(parents=True)
        self.open()

    def test_parents(self) -> None:
        self.folder = self.folder / "var" / "cache"
        self.open()
        self.assertEqual(self.folder.stat().st_mode & 0o777, 0o700)

    def test_half_made(self) -> None:
        """The process that made it has ended early."""
        self.folder.mkdir()
        (self.folder / "lock").touch()
        (self.folder / "CACHEDIR.TAG").write_bytes(b"Signature: 8a4")
        self.open()

    def test_more_in_it(self) -> None:
        """Once it is a cache, what others put beside is left alone."""
        store = self.open()
        stored = put(store, entry())
        (self.folder / "README").write_text("a cache")
        (self.folder / "contents" / "00" / "README").write_text("contents")
        store = self.reopened(store)
        self.assertEqual(store.entries(KEY), (stored,))
        self.assertTrue((self.folder / "contents" / "00" / "README").exists())
