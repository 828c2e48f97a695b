from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterable
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from netlab.rfc import indexing as module
from netlab.rfc.index import Entry
from netlab.rfc.indexing import Indexing
from netlab.rfc.search import Search
from netlab.rfc.texts import read_text

ENTRIES = (Entry(1, "Host Software"), Entry(2, "More of it"))


class IndexingTests(SynchronousTestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.path = self.folder / "search"

    def write(self, *numbers: int, word: str = "coffee") -> None:
        for number in numbers:
            (self.folder / f"rfc{number}.txt").write_text(f"{word} number{number}")

    def put(self, *numbers: int, is_new: bool = True) -> Indexing:
        """What has taken in these, and is at its end."""
        indexing = Indexing(self.folder, self.path)
        for number in numbers:
            indexing.put(f"rfc{number}.txt", is_new=is_new)
        indexing.start(ENTRIES)
        indexing.finish(lambda: None)
        return indexing

    def found(self, query: str) -> list[int]:
        with Search(self.path) as search:
            return sorted(hit.entry.number for hit in search.search(query, 1000).hits)

    def test_all(self) -> None:
        self.write(1, 2, 3)
        indexing = self.put(1, 2, 3)
        self.assertEqual((indexing.count, indexing.why), (3, ""))
        self.assertEqual(self.found("coffee"), [1, 2, 3])
        self.assertEqual(self.found("software"), [1])

    def test_while_they_come(self) -> None:
        """What is put later is taken in as well, and what comes together, together."""
        self.write(*range(1, 8))
        self.patch(module, "_MOST", 2)
        taken: list[int] = []
        some = threading.Event()

        def add_texts(search: Search, texts: Iterable[tuple[int, bytes]]) -> int:
            added = add(search, texts)
            taken.append(added)
            some.set()
            return added

        add = Search.add_texts
        self.patch(Search, "add_texts", add_texts)
        indexing = Indexing(self.folder, self.path)
        for number in (1, 2, 3):
            indexing.put(f"rfc{number}.txt", is_new=True)
        indexing.start(ENTRIES)
        self.assertTrue(some.wait(30))
        for number in (4, 5, 6, 7):
            indexing.put(f"rfc{number}.txt", is_new=True)
        indexing.finish(lambda: None)
        self.assertEqual((sum(taken), max(taken)), (7, 2))
        self.assertEqual(self.found("coffee"), [1, 2, 3, 4, 5, 6, 7])

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
        indexing = Indexing(self.folder, self.path)
        for name in ("rfc-index.xml", "rfc1.html", "rfc01.txt", "rfc9.txt"):  # 9 is not there
            indexing.put(name, is_new=True)
        indexing.start(ENTRIES)
        indexing.finish(lambda: None)
        self.assertEqual((indexing.count, indexing.why), (0, ""))

    def test_stopped(self) -> None:
        """What was taken in is kept; the rest is not waited for."""
        self.write(*range(1, 101))
        indexing = Indexing(self.folder, self.path)
        stop, stopped = threading.Event(), threading.Event()

        def stop_soon(path: Path) -> bytes | None:
            if path.name == "rfc50.txt":
                stop.set()
                stopped.wait(30)
            return read_text(path)

        self.patch(module, "read_text", stop_soon)
        for number in range(1, 101):
            indexing.put(f"rfc{number}.txt", is_new=True)
        indexing.start(ENTRIES)
        self.assertTrue(stop.wait(30))
        self.patch(indexing, "finish", lambda waiting: stopped.set())
        indexing.stop()
        Indexing.finish(indexing, lambda: None)
        self.assertEqual(self.found("coffee"), list(range(1, 51)))
        self.assertEqual(indexing.count, 50)

    def test_never_started(self) -> None:
        Indexing(self.folder, self.path).stop()
        self.assertFalse(self.path.exists())

    def test_no_search(self) -> None:
        self.path.mkdir()
        indexing = self.put(1)
        self.assertIn(f"search index '{self.path}': ", indexing.why)

    def test_damaged(self) -> None:
        self.write(1)
        self.put(1)
        size = self.path.stat().st_size
        self.path.write_bytes(b"SQLite format 3\0" + b"\xff" * (size - 16))
        self.assertIn("search index", self.put(1).why)
