# trial's assertions have no annotations:
# mypy: allow-untyped-calls

from __future__ import annotations

import errno
import json
import os
import socket
import stat
from pathlib import Path
from typing import Any
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st

from netlab.errors import ConfigurationError
from netlab.ledger.lines import whole_lines
from netlab.ledger.writer import RETRY, RecordFile, harmless
from tests.ledger.support import FileCase, run_python

BIG = 1 << 30


class Numbered:
    """Lines, with a header and a footer."""

    what = "list"

    def header(self) -> bytes:
        return b"# a list of things\n"

    def is_ours(self, head: bytes) -> bool:
        return head.startswith(b"#")

    def whole(self, data: Any) -> int:
        return whole_lines(data)


HEAD, FOOT = b"# a list of things\n", b"# end\n"


class WriterCase(FileCase):
    def setUp(self) -> None:
        super().setUp()
        self.time = 100.0

    def open(self, name: str = "list", **options: Any) -> RecordFile:
        path = name if name.startswith("/") else self.path(name)
        given: dict[str, Any] = {"mode": 0o640, "max_bytes": BIG, **options}
        file = RecordFile(
            path,
            Numbered(),
            footer=lambda: FOOT,
            on_error=self.errors.append,
            clock=lambda: self.time,
            **given,
        )
        self.addCleanup(file.close)
        return file

    def refused(self, name: str, **options: Any) -> str:
        """Why ``name`` cannot be opened, in one line that names it."""
        with self.assertRaises(ConfigurationError) as caught:
            self.open(name, **options)
        said = str(caught.exception)
        self.assertNotIn("\n", said)
        self.assertTrue(said.startswith("list '"), said)
        return said.partition("': ")[2]


class Writing(WriterCase):
    def test_file(self) -> None:
        file = self.open()
        self.assertEqual(file.write(()), 0)
        self.assertEqual(self.read("list"), HEAD)
        self.assertEqual(file.write([b"1\n", b"2\n"]), 2)
        self.assertEqual(self.read("list"), HEAD + b"1\n2\n")
        self.assertEqual(file.write([b"3\n"]), 1)
        file.close()
        file.close()
        self.assertEqual(self.read("list"), HEAD + b"1\n2\n3\n" + FOOT)
        self.assertEqual(self.errors, [])

    def test_mode(self) -> None:
        for umask, mode, expected in (
            (0o000, 0o640, 0o640),
            (0o077, 0o640, 0o600),
            (0o022, 0o600, 0o600),
        ):
            before = os.umask(umask)
            try:
                self.open(f"list{umask}", mode=mode)
            finally:
                os.umask(before)
            found = stat.S_IMODE(os.stat(self.path(f"list{umask}")).st_mode)
            self.assertEqual(found, expected)

    def test_directory_may_change(self) -> None:
        """A relative name stays where it was, also when a new file begins."""
        before = os.getcwd()
        self.addCleanup(os.chdir, before)
        os.chdir(self.directory)
        file = RecordFile("list", Numbered(), mode=0o640, max_bytes=40, on_error=self.errors.append)
        os.chdir("/")
        file.write([b"1" * 15 + b"\n", b"2" * 15 + b"\n"])
        file.close()
        self.assertEqual(self.names(), ["list", "list.1"])


class Opening(WriterCase):
    def test_refused(self) -> None:
        os.mkdir(self.path("directory"))
        os.mkfifo(self.path("fifo"))
        unix = socket.socket(socket.AF_UNIX)
        self.addCleanup(unix.close)
        before = os.getcwd()
        self.addCleanup(os.chdir, before)
        os.chdir(self.directory)  # the name of a socket must be short
        unix.bind("socket")
        for name, why in (
            ("directory", "is a directory"),
            ("missing/list", "no such file or directory"),
            ("fifo", "nobody reads this pipe yet: start its reader first"),
            ("socket", "it is neither a file, a pipe nor a terminal"),
        ):
            self.assertEqual(self.refused(name), why)
        with self.assertRaises(ConfigurationError) as caught:
            RecordFile("-", Numbered(), mode=0o640, max_bytes=1, on_error=self.errors.append)
        self.assertEqual(
            str(caught.exception),
            "list '-': give the name of a file; standard output is /dev/stdout",
        )

    def test_regular(self) -> None:
        path, _ = self.fifo()
        self.assertEqual(self.refused(path, regular=True), "it must be a file")

    def test_locked(self) -> None:
        """No two write to one file, by whatever name; when it is closed, another may."""
        first = self.open()
        os.symlink("list", self.path("other"))
        for name in ("list", "other"):
            self.assertEqual(
                self.refused(name), "it is being written already; each needs its own file"
            )
        first.close()
        self.open("other").write([b"1\n"])
        self.assertEqual(self.read("list"), HEAD + FOOT + HEAD + b"1\n")

    def test_without_locks(self) -> None:
        """A file system that has none is no reason not to write."""
        with patch("fcntl.flock", side_effect=OSError(errno.ENOLCK, "No locks available")):
            file = self.open()
        self.assertEqual(file.write([b"1\n"]), 1)

    def test_continued(self) -> None:
        for number in (b"1\n", b"2\n"):
            file = self.open()
            file.write([number])
            file.close()
        self.assertEqual(self.read("list"), (HEAD + b"1\n" + FOOT) + (HEAD + b"2\n" + FOOT))

    def test_something_else(self) -> None:
        """Another's file stays as it is."""
        for content in (b"Dear diary\n", b"D", HEAD[1:], b"\0" * 100):
            Path(self.path("list")).write_bytes(content)
            self.assertEqual(
                self.refused("list"),
                "it exists and is no list; name another, or move it away",
            )
            self.assertEqual(self.read("list"), content)

    def test_torn(self) -> None:
        """Half a record, left by a crash, does not stay; what was whole does."""
        whole = HEAD + b"1\n2\n"
        for end in range(1, len(whole) + 1):
            Path(self.path("list")).write_bytes(whole[:end])
            file = self.open()
            file.write([b"3\n"])
            file.close()
            kept = whole[: whole[:end].rfind(b"\n") + 1]
            self.assertEqual(self.read("list"), kept + HEAD + b"3\n" + FOOT)
        self.assertEqual(self.names(), ["list"])

    def test_damaged(self) -> None:
        """What is more than half a record is kept, elsewhere."""
        damaged = HEAD + b"1\n" + b"x" * 300_000
        Path(self.path("list")).write_bytes(damaged)
        self.open().write([b"2\n"])
        self.assertEqual(self.read("list.1"), damaged)
        self.assertEqual(self.read("list"), HEAD + b"2\n")


class Bounded(WriterCase):
    def test_rotation(self) -> None:
        """Each file is whole, and within the bound; the last but one is kept."""
        file = self.open(max_bytes=40)
        sizes = []
        for number in range(10):
            self.assertEqual(file.write([b"%d....\n" % number] * 3), 3)
            sizes.append(len(self.read("list")))
        file.close()
        self.assertLessEqual(max(sizes), 40)
        # There is room for two of 7 bytes between 19 and 6 bytes around them.
        self.assertEqual(self.read("list.1"), HEAD + b"8....\n9....\n" + FOOT)
        self.assertEqual(self.read("list"), HEAD + b"9....\n9....\n" + FOOT)
        self.assertEqual(self.names(), ["list", "list.1"])

    def test_nothing_is_missing(self) -> None:
        """From file to file, in one write or in many."""
        for many in (False, True):
            file = self.open(f"list{many}", max_bytes=60)
            records = [b"%05d\n" % number for number in range(9)]
            if many:
                self.assertEqual(sum(file.write([each]) for each in records), 9)
            else:
                self.assertEqual(file.write(records), 9)
            file.close()
            found = self.read(f"list{many}.1") + self.read(f"list{many}")
            self.assertEqual(
                [line for line in found.split() if line.isdigit()], [each[:-1] for each in records]
            )

    def test_long_record(self) -> None:
        """It gets a file for itself."""
        file = self.open(max_bytes=40)
        file.write([b"1\n", b"x" * 100 + b"\n"])
        self.assertEqual(self.read("list.1"), HEAD + b"1\n" + FOOT)
        file.write([b"2\n"])
        self.assertEqual(self.read("list.1"), HEAD + b"x" * 100 + b"\n" + FOOT)
        self.assertEqual(self.read("list"), HEAD + b"2\n")

    def test_continued_file_is_full(self) -> None:
        Path(self.path("list")).write_bytes(HEAD + b"1\n" * 50)
        self.open(max_bytes=40).write([b"2\n"])
        self.assertEqual(self.read("list"), HEAD + b"2\n")
        self.assertIn(b"1\n1\n", self.read("list.1"))

    def test_moved_by_others(self) -> None:
        """As logrotate does; FILE.1 is then not ours to replace."""
        file = self.open(max_bytes=40)
        file.write([b"1\n"])
        os.rename(self.path("list"), self.path("away"))
        Path(self.path("list.1")).write_bytes(b"other")
        file.write([b"2....\n", b"3....\n", b"4....\n"])
        self.assertEqual(self.read("away"), HEAD + b"1\n2....\n3....\n" + FOOT)
        self.assertEqual(self.read("list"), HEAD + b"4....\n")
        self.assertEqual(self.read("list.1"), b"other")

    def test_replaced_by_others(self) -> None:
        """What is there now is not ours to move: it is continued."""
        file = self.open(max_bytes=40)
        file.write([b"1\n"])
        os.rename(self.path("list"), self.path("away"))
        Path(self.path("list")).write_bytes(b"")
        file.write([b"2....\n", b"3....\n", b"4....\n"])
        self.assertEqual(self.read("list"), HEAD + b"4....\n")
        self.assertEqual(self.names(), ["away", "list"])

    def test_cannot_be_moved(self) -> None:
        """That is a failure to write, tried again; the old file is whole, and stays."""
        os.mkdir(self.path("list.1"))
        file = self.open(max_bytes=40)
        self.assertEqual(file.write([b"1....\n", b"2....\n", b"3....\n"]), 2)
        self.assertEqual(len(self.errors), 1)
        self.assertFalse(file.ready())
        self.time += RETRY
        self.assertEqual(file.write([b"4....\n"]), 0)
        self.assertEqual(self.read("list"), HEAD + b"1....\n2....\n" + FOOT)
        os.rmdir(self.path("list.1"))
        self.time += RETRY
        self.assertEqual(file.write([b"5....\n"]), 1)
        self.assertEqual(self.read("list"), HEAD + b"5....\n")
        self.assertEqual(len(self.errors), 1)


class Failing(WriterCase):
    def test_full_disk(self) -> None:
        file = self.open("/dev/full")
        self.assertTrue(file.ready())
        self.assertEqual(file.write([b"1\n", b"2\n"]), 0)
        self.assertEqual(
            self.errors,
            ["list '/dev/full': no space left on device; until that changes records are lost"],
        )
        self.assertFalse(file.ready())
        self.time += RETRY
        self.assertTrue(file.ready())
        self.assertEqual(file.write([b"3\n"]), 0)
        self.assertFalse(file.ready())
        file.close()
        self.assertEqual(len(self.errors), 1)

    @settings(max_examples=60)
    @given(
        st.lists(st.lists(st.binary(min_size=1, max_size=9), max_size=4), max_size=8),
        st.lists(st.integers(0, 12), max_size=40),
        st.integers(30, 90),
    )
    def test_any_shortage(
        self, batches: list[list[bytes]], room: list[int], max_bytes: int
    ) -> None:
        """However little the disk takes at a time, the file has whole records, in order."""
        for name in self.names():
            os.unlink(self.path(name))
        write, moved = os.write, bytearray()
        rooms = iter(room)

        def short(fd: int, data: bytes) -> int:
            size = next(rooms, len(data))
            if not size:
                raise OSError(28, "No space left on device")
            return write(fd, data[:size])

        def replace(source: str, target: str) -> None:
            moved.extend(Path(source).read_bytes())
            os.rename(source, target)

        taken = []
        number = 0
        with patch("os.write", short), patch("os.replace", replace):
            file = self.open(max_bytes=max_bytes)
            for batch in batches:
                records = []
                for each in batch:
                    records.append(b"%d:%s\n" % (number, each.hex().encode()))
                    number += 1
                self.time += RETRY
                taken += records[: file.write(records)]
            cut = file.close()
        if cut:
            taken.pop()
        found = bytes(moved) + self.read("list")
        self.assertEqual(
            [line + b"\n" for line in found.splitlines() if not line.startswith(b"#")], taken
        )
        self.assertEqual(found.replace(HEAD, b"").replace(FOOT, b""), b"".join(taken))

    def test_limit(self) -> None:
        """With a real limit: half a record is finished, or cut off at the end."""
        code = """
import json, os, resource, sys
from netlab.ledger.lines import Ledger
from netlab.ledger.writer import RecordFile

def limit(size):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

said, steps = [], []
for ending in ("finished", "cut"):
    file = RecordFile(sys.argv[1] + ending, Ledger(), mode=0o640, max_bytes=1 << 20,
        on_error=said.append)
    limit(35)
    steps.append(file.write([b'{"line":%d}\\n' % n for n in range(9)]))  # of 11 bytes
    steps.append(os.path.getsize(sys.argv[1] + ending))
    if ending == "finished":
        limit(resource.RLIM_INFINITY)
        steps.append(file.write([b'{"line":9}\\n']))
    steps.append(file.close())
print(json.dumps([said, steps]))
"""
        said, steps = json.loads(run_python(code, self.path("list-")))
        self.assertEqual(steps, [4, 35, 1, 0, 4, 35, 1])
        self.assertEqual(len(said), 2)
        self.assertIn("file too large", said[0])
        written = b"".join(b'{"line":%d}\n' % number for number in (0, 1, 2, 3, 9))
        self.assertEqual(self.read("list-finished"), written)
        self.assertEqual(self.read("list-cut"), written[:33])

    def test_worse(self) -> None:
        """Nothing is raised either when cutting and closing fail too."""
        file = self.open()
        file.write([b"1\n"])
        os.truncate(self.path("list"), 500)  # so that there is something to cut

        def full(fd: int, data: bytes) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

        def broken(fd: int, size: int = 0) -> None:
            raise OSError(errno.EIO, "Input/output error")

        fd, close = file._fd, os.close
        with (
            patch("os.write", full),
            patch("os.close", broken),
            patch("os.ftruncate", broken),
        ):
            self.assertEqual(file.close(), 0)
        close(fd)
        self.assertEqual(len(self.errors), 1)

    def test_harmless(self) -> None:
        harmless(None)("nobody listens")
        harmless(self.errors.append)("one")
        self.assertEqual(self.errors, ["one"])
        harmless(lambda text: self.fail("it fails itself"))("two")


class Pipes(WriterCase):
    def test_readers(self) -> None:
        """Each reader gets a header first; while there is none, nothing is written."""
        path, reader = self.fifo()
        file = self.open(path, max_bytes=30)
        self.assertEqual(file.write([b"x" * 20 + b"\n"] * 3), 3)
        self.assertEqual(os.read(reader, 1000), HEAD + (b"x" * 20 + b"\n") * 3)
        os.close(reader)
        self.assertEqual(file.write([b"2\n"]), 0)
        self.assertEqual(len(self.errors), 1)
        self.assertIn("broken pipe", self.errors[0])
        again = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        self.addCleanup(os.close, again)
        self.time += RETRY
        self.assertEqual(file.write([b"3\n"]), 1)
        self.assertEqual(os.read(again, 1000), HEAD + b"3\n")
        file.close()
        self.assertEqual(os.read(again, 1000), FOOT)

    def test_standard_output(self) -> None:
        code = """
from netlab.ledger.lines import Ledger
from netlab.ledger.writer import RecordFile
file = RecordFile("/dev/stdout", Ledger(), mode=0o640, max_bytes=10, on_error=print)
file.write([b'{"line":1}\\n'] * 3)
file.close()
"""
        self.assertEqual(run_python(code), '{"line":1}\n' * 3)
