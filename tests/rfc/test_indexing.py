from __future__ import annotations

import os
import signal
import sys
import tempfile
import threading
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from netlab.rfc.entries import Entry
from netlab.rfc.indexing import Indexing
from netlab.rfc.search import Search

ENTRIES = (Entry(1, "Host Software"), Entry(2, "More of it"))
PATIENCE = 60


class IndexingTests(SynchronousTestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.path = self.folder / "search"

    def write(self, *numbers: int, word: str = "coffee") -> None:
        for number in numbers:
            (self.folder / f"rfc{number}.txt").write_text(f"{word} number{number}")

    def started(self) -> Indexing:
        indexing = Indexing(self.folder, self.path)
        indexing.start()
        indexing.learn(ENTRIES)
        self.addCleanup(indexing.stop)
        return indexing

    def put(self, *numbers: int, is_new: bool = True) -> Indexing:
        """What has taken in these, and is at its end."""
        indexing = self.started()
        for number in numbers:
            indexing.put(number, is_new=is_new)
        indexing.finish(lambda: None)
        return indexing

    def found(self, query: str) -> list[int]:
        with Search(self.path) as search:
            return sorted(hit.entry.number for hit in search.search(query, 1000).hits)

    def wait_for(self, indexing: Indexing, count: int) -> None:
        """Returns when so many can be searched."""
        enough = threading.Event()
        for _ in range(PATIENCE * 100):
            if indexing.count >= count:
                return
            enough.wait(0.01)
        self.fail(f"{indexing.count} instead of {count} can be searched: {indexing.why}")

    def test_all(self) -> None:
        self.write(1, 2, 3)
        indexing = self.put(1, 2, 3)
        self.assertEqual((indexing.count, indexing.why), (3, ""))
        self.assertEqual(self.found("coffee"), [1, 2, 3])
        self.assertEqual(self.found("software"), [1])

    def test_while_they_come(self) -> None:
        """A text can be searched before the next one comes."""
        self.write(*range(1, 8))
        indexing = self.started()
        for number in (1, 2, 3, 4):
            indexing.put(number, is_new=True)
            self.wait_for(indexing, number)
        for number in (5, 6, 7):
            indexing.put(number, is_new=True)
        indexing.finish(lambda: None)
        self.assertEqual((indexing.count, indexing.why), (7, ""))
        self.assertEqual(self.found("coffee"), [1, 2, 3, 4, 5, 6, 7])

    def test_many(self) -> None:
        """More than are taken in at once, and more than a pipe holds."""
        numbers = range(10_001, 10_000 + 3001)
        self.write(*numbers)
        told: list[None] = []
        indexing = self.started()
        for _ in range(10):
            for number in numbers:
                indexing.put(number, is_new=True)
        indexing.finish(lambda: told.append(None))
        self.assertEqual((indexing.count, indexing.why), (3000, ""))

    def test_known(self) -> None:
        """What is known is read again only when it is new."""
        self.write(1, 2)
        self.put(1)
        self.write(1, 2, word="tea")
        self.assertEqual(self.put(1, 2, is_new=False).count, 2)
        self.assertEqual((self.found("coffee"), self.found("tea")), ([1], [2]))
        self.put(1)
        self.assertEqual((self.found("coffee"), self.found("tea")), ([], [1, 2]))

    def test_no_texts(self) -> None:
        indexing = self.started()
        for number in (0, 9):  # which is not there
            indexing.put(number, is_new=True)
        indexing.finish(lambda: None)
        self.assertEqual((indexing.count, indexing.why), (0, ""))

    def test_stopped(self) -> None:
        """What was taken in is kept."""
        self.write(*range(1, 101))
        indexing = self.started()
        for number in range(1, 51):
            indexing.put(number, is_new=True)
        self.wait_for(indexing, 50)
        for number in range(51, 101):
            indexing.put(number, is_new=True)
        indexing.stop()
        found = self.found("coffee")
        self.assertEqual(found[:50], list(range(1, 51)))
        self.assertEqual(indexing.count, len(found))
        self.assertEqual(self.put(*range(1, 101), is_new=False).count, 100)

    def test_never_started(self) -> None:
        indexing = Indexing(self.folder, self.path)
        indexing.put(1, is_new=True)
        indexing.stop()
        self.assertEqual((indexing.count, self.path.exists()), (0, False))

    def test_no_search(self) -> None:
        self.path.mkdir()
        self.write(1)
        indexing = self.put(1)
        self.assertIn(f"search index '{self.path}': ", indexing.why)

    def test_a_part_cannot_be_written(self) -> None:
        """The other part is there all the same, and nobody waits for the first."""
        self.write(1, 2, 3)
        indexing = self.started()
        self.wait_for(indexing, 0)
        with Search(self.path) as search:
            search.add_text(5, b"coffee")
        db = self.folder / "search-texts2"
        for each in (db, *self.folder.glob("search-texts2-*")):
            each.write_bytes(b"\xff" * each.stat().st_size)
        for number in (1, 2, 3):
            indexing.put(number, is_new=True)
        indexing.finish(lambda: None)
        self.assertIn("search index ", indexing.why)
        self.assertNotIn("Traceback", indexing.why)

    def test_modules_of_others(self) -> None:
        """What lies in the current folder is not imported."""
        self.write(1)
        (self.folder / "sqlite3.py").write_text("raise SystemExit('not this one')")
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(self.folder)
        indexing = self.put(1)
        self.assertEqual((indexing.count, indexing.why), (1, ""))

    def test_no_program(self) -> None:
        self.patch(sys, "executable", str(self.folder / "python"))
        self.assertIn("No such file", self.put(1).why)

    def test_killed(self) -> None:
        """What ends without a word is told, too."""
        self.write(1)
        indexing = self.started()
        for process in indexing._processes:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
        for _ in range(3):
            indexing.put(1, is_new=True)
        indexing.finish(lambda: None)
        self.assertEqual(indexing.why, "its process ended with -9")

    def test_nobody_is_left_behind(self) -> None:
        """Its processes end when this one does, whatever becomes of it: their input ends."""
        indexing = self.started()
        processes = list(indexing._processes)
        for process in processes:
            assert process.stdin is not None
            process.stdin.close()
        for process in processes:
            self.assertEqual(process.wait(PATIENCE), 0)
