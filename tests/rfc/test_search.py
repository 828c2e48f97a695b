# trial's assertions have no annotations:
# mypy: allow-untyped-calls

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from netlab.errors import ConfigurationError
from netlab.rfc import search as module
from netlab.rfc.database import SearchFailed
from netlab.rfc.entries import Entry
from netlab.rfc.search import Search
from tests.rfc.support import index, text

AT_HAND = (237, 768, 2324, 9515)
TYPED = st.text("\"*^:(){}+-~ ANDORcofe'\\;%_") | st.text()

WRITER = """
import sys
from netlab.rfc.search import Search
search = Search(sys.argv[1])
first = int(sys.argv[2])
print("ready", flush=True)
sys.stdin.readline()
for number in range(first, first + 40):
    search.add_text(number, b"word number%d " % number * 50)
print("done", flush=True)
"""

ENDLESS = """
import sys
from netlab.rfc.search import Search
search = Search(sys.argv[1])
def texts():
    for number in range(1, 100000):
        if number == 1500:
            print("writing", flush=True)
        yield number, b"word number%d " % number * 20
search.add_texts(texts())
"""


class Case(SynchronousTestCase):
    def file(self) -> str:
        """The path of a file that is not there yet."""
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        return f"{folder.name}/search"

    def setUp(self) -> None:
        self.path = self.file()
        self.asked: list[int] = []
        self.search = self.opened()

    def opened(self) -> Search:
        """The index, opened once more."""
        search = Search(self.path, self.text)
        self.addCleanup(search.close)
        return search

    def text(self, number: int) -> bytes | None:
        self.asked.append(number)
        return text(number) if number in AT_HAND else None

    def fill(self) -> None:
        self.search.update_entries(index().entries.values())
        self.search.add_texts((number, text(number)) for number in AT_HAND)

    def numbers(self, query: str) -> list[int]:
        return [hit.entry.number for hit in self.search.search(query).hits]


class Finding(Case):
    def setUp(self) -> None:
        super().setUp()
        self.fill()

    def test_names(self) -> None:
        """A document that is named comes first, and the members of a series."""
        for query in ("2324", "RFC 2324", "rfc2324.txt", "https://www.ietf.org/rfc/rfc2324.txt"):
            self.assertEqual(self.numbers(query)[0], 2324, query)
        self.assertEqual(self.numbers("bcp14")[:2], [2119, 8174])
        self.assertEqual(self.numbers("STD 62"), [3411])
        self.assertEqual(self.numbers("rfc99999"), [])

    def test_words(self) -> None:
        self.assertEqual(self.numbers("coffee pot"), [2324, 7168])
        self.assertEqual(self.numbers('"user datagram"'), [768])
        self.assertIn(9110, self.numbers("semantics"))
        self.assertEqual(self.numbers("masinter coffee"), [2324])

    def test_forms(self) -> None:
        self.assertEqual(self.numbers("diagnose"), [2324])

    def test_authors(self) -> None:
        """The RFCs of a person come before those that speak of fields."""
        found = self.numbers("fielding")
        self.assertLessEqual({9110, 7231, 2616}, set(found))
        self.assertEqual(set(found[:3]), {9110, 7231, 2616})

    def test_author_in_snippet(self) -> None:
        """A name is not marked where a text has another form of it: the authors are shown."""
        entry = Entry(9999, "Fences", authors=("R. Fielding",), abstract="It has header fields.")
        self.search.update_entries([entry])
        (hit,) = self.search.search("fielding").hits
        self.assertEqual([part.text for part in hit.snippet if part.found], [])

    def test_title_is_its_name(self) -> None:
        """What a title names before a colon is what the document is of."""
        titles = ("Using TLS to Secure QUIC", "QUIC: A Multiplexed Transport", "QUIC Properties")
        self.search.update_entries(
            Entry(number, title, abstract="About QUIC.") for number, title in enumerate(titles, 1)
        )
        self.assertEqual(self.numbers("quic")[0], 2)

    def test_text(self) -> None:
        """What only the text says is found, and shown."""
        (hit,) = self.search.search("espressoly").hits
        self.assertEqual(hit.entry.number, 2324)
        self.assertTrue(hit.at_hand)
        self.assertIn("espressoly", [part.text for part in hit.snippet if part.found])
        self.assertEqual(self.asked, [2324])

    def test_abstract(self) -> None:
        """What the abstract says is shown from there; the text is not asked for."""
        (hit,) = self.search.search('"coffee pots"').hits[:1]
        said = "".join(part.text for part in hit.snippet)
        self.assertTrue(said.startswith("This document describes HTCPCP, "), said)
        self.assertEqual(self.asked, [])

    def test_not_at_hand(self) -> None:
        hits = {hit.entry.number: hit for hit in self.search.search("coffee").hits}
        self.assertFalse(hits[7168].at_hand)
        self.assertTrue(hits[2324].at_hand)

    def test_obsolete(self) -> None:
        """What is obsolete is found, behind what replaced it."""
        found = self.numbers("transmission control protocol")
        self.assertEqual(found[:2], [9293, 793])
        entry = self.search.search("rfc793").hits[0].entry
        self.assertEqual(entry.obsoleted_by, (9293,))

    def test_beginning(self) -> None:
        """If no document has a word, it may be the beginning of one."""
        results = self.search.search("tea efflu")
        self.assertEqual([hit.entry.number for hit in results.hits], [7168])
        self.assertTrue(results.every)

    def test_some(self) -> None:
        """If none has all words, those with some are there, and it is said."""
        results = self.search.search("coffee zzzzz")
        self.assertEqual(results.hits[0].entry.number, 2324)
        self.assertFalse(results.every)

    def test_nothing(self) -> None:
        for query in ("zzzzz", "", "!?", "\0", "the"):
            results = self.search.search(query)
            self.assertTrue(results.every)
            self.assertEqual(results.total, len(results.hits))
        self.assertEqual(self.search.search("zzzzz").hits, ())

    def test_common_words(self) -> None:
        """Words that all texts have are looked for in titles, names and keywords."""
        found = self.numbers("protocol")
        self.assertLessEqual({768, 793, 2324}, set(found))
        self.assertNotIn(9515, found)  # its text and abstract have it

    def test_pages(self) -> None:
        every = self.numbers("protocol")
        self.assertGreater(len(every), 4)
        for offset in range(0, len(every) + 2, 2):
            results = self.search.search("protocol", 2, offset)
            self.assertEqual(results.total, len(every))
            self.assertEqual([hit.entry.number for hit in results.hits], every[offset : offset + 2])
        self.assertEqual(self.search.search("protocol", 0).hits, ())
        self.assertEqual(self.search.search("protocol", -1, -1).hits, ())

    def test_gone_text(self) -> None:
        """A text that cannot be had after all is not shown, and no error."""
        self.search.close()
        with Search(self.path) as search:
            (hit,) = search.search("espressoly").hits
        self.assertTrue(hit.snippet)

    @given(TYPED, st.integers(-5, 50), st.integers(-5, 50))
    @settings(max_examples=60)
    def test_any_query(self, query: str, limit: int, offset: int) -> None:
        """Whatever is typed is answered."""
        results = self.search.search(query, limit, offset)
        self.assertLessEqual(len(results.hits), max(limit, 0))

    def test_long_query(self) -> None:
        self.search.search("coffee " * 100_000)
        self.search.search('"' * 100_000)
        self.search.search("x" * 1_000_000)


class Filling(Case):
    def test_entries(self) -> None:
        entries = list(index().entries.values())
        self.assertEqual(self.search.update_entries(entries), len(entries))
        self.assertEqual(self.search.update_entries(entries), 0)
        self.assertEqual(self.search.entry(2324), index().entries[2324])
        self.assertIsNone(self.search.entry(1))

    def test_changed_entry(self) -> None:
        self.fill()
        entry = replace(index().entries[2324], title="Tea pots", abstract="", is_also=())
        others = [each for number, each in index().entries.items() if number not in (2324, 7168)]
        self.assertEqual(self.search.update_entries([*others, entry]), 2)
        self.assertEqual(self.numbers('"tea pots"'), [2324])
        self.assertEqual(self.numbers('"coffee pot" hyper'), [2324])  # its text has it still
        self.assertIsNone(self.search.entry(7168))
        self.assertEqual(self.numbers("efflux"), [])

    def test_without_index(self) -> None:
        """A text without an entry is found, by its number and its words."""
        self.assertTrue(self.search.add_text(2324, text(2324)))
        for query in ("2324", "coffee"):
            (hit,) = self.search.search(query).hits
            self.assertEqual(hit.entry, Entry(2324, ""))
            self.assertTrue(hit.at_hand)

    def test_texts(self) -> None:
        pairs = [(number, text(number)) for number in AT_HAND]
        self.assertEqual(self.search.add_texts(pairs), 4)
        self.assertEqual(self.search.add_texts(pairs), 0)
        self.assertFalse(self.search.add_text(2324, text(2324)))
        self.assertEqual(self.search.at_hand(), AT_HAND)

    def test_new_edition(self) -> None:
        """Of a text that changed, the old words are not found any more."""
        self.search.add_text(2324, b"old espresso")
        self.assertTrue(self.search.add_text(2324, b"new ristretto"))
        self.assertTrue(self.search.add_text(2324, b"newest cortado"))
        self.assertEqual(self.numbers("espresso"), [])
        self.assertEqual(self.numbers("ristretto"), [])
        self.assertEqual(self.numbers("cortado"), [2324])
        self.assertTrue(self.search.add_text(2324, b"old espresso"))
        self.assertEqual(self.numbers("espresso"), [2324])
        self.assertEqual(self.search.at_hand(), (2324,))

    def test_removed(self) -> None:
        """What was at hand once is found still, but marked as not at hand."""
        self.fill()
        self.search.remove_texts([2324])
        self.search.remove_texts([1])
        self.assertEqual(self.search.at_hand(), (237, 768, 9515))
        (hit,) = self.search.search("espressoly").hits
        self.assertFalse(hit.at_hand)
        self.assertEqual(self.asked, [])
        self.assertTrue(self.search.add_text(2324, text(2324)))
        self.assertEqual(self.search.at_hand(), AT_HAND)

    def test_batches(self) -> None:
        """Every text of many is there, whatever the size of a transaction."""
        self.patch(module, "_BATCH", 3)
        pairs = [(number, b"number%d" % number) for number in range(1, 11)]
        self.assertEqual(self.search.add_texts(iter(pairs)), 10)
        self.assertEqual(self.search.at_hand(), tuple(range(1, 11)))
        self.assertEqual(self.numbers("number10"), [10])

    def test_broken_off(self) -> None:
        """If the texts end with an error, whole batches stay, and nothing else."""
        self.patch(module, "_BATCH", 2)

        def texts() -> object:
            yield from ((number, b"word") for number in (1, 2, 3))
            raise RuntimeError

        self.assertRaises(RuntimeError, self.search.add_texts, texts())
        self.assertEqual(self.search.at_hand(), (1, 2))


class Files(Case):
    def test_kept(self) -> None:
        self.fill()
        self.search.close()
        with self.opened() as again:
            self.assertEqual(again.search("espressoly").hits[0].entry.number, 2324)
            self.assertEqual(again.at_hand(), AT_HAND)

    def test_other_version(self) -> None:
        """The tables of another version are made anew; other tables are left alone."""
        self.fill()
        self.search.close()
        db = sqlite3.connect(self.path)
        db.execute("PRAGMA user_version = 77")
        db.execute("CREATE TABLE mine (x)")
        db.commit()
        db.close()
        with self.opened() as again:
            self.assertEqual(again.entry(2324), None)
            self.assertEqual(again.at_hand(), AT_HAND)  # these files are of this version
        db = sqlite3.connect(self.path)
        self.assertEqual(db.execute("SELECT count(*) FROM mine").fetchone(), (0,))
        db.close()

    def test_no_database(self) -> None:
        path = self.file()
        Path(path).write_bytes(b"This is no database at all. " * 100)
        error = self.assertRaises(ConfigurationError, Search, path)
        self.assertIn("file is not a database; if it is damaged, delete it", str(error))

    def test_no_folder(self) -> None:
        error = self.assertRaises(ConfigurationError, Search, self.file() + "/not/here")
        self.assertIn("its folder must be there", str(error))

    def test_closed(self) -> None:
        self.search.close()
        self.search.close()
        for call in (
            lambda: self.search.search("coffee"),
            lambda: self.search.add_text(1, b""),
            lambda: self.search.update_entries([]),
            lambda: self.search.remove_texts([1]),
            lambda: self.search.entry(1),
            lambda: self.search.at_hand(),
        ):
            error = self.assertRaises(SearchFailed, call)
            self.assertIn(f"search index '{self.path}", str(error))

    def test_a_part_is_damaged(self) -> None:
        """All files are closed again."""
        self.fill()
        self.search.close()
        Path(f"{self.path}-texts2").write_bytes(b"no database" * 1000)
        error = self.assertRaises(ConfigurationError, self.opened)
        self.assertIn(f"search index '{self.path}-texts2': file is not a database", str(error))

    def test_two_at_once(self) -> None:
        """One that is open sees what another writes."""
        other = self.opened()
        self.fill()
        self.assertEqual(other.search("espressoly").total, 1)
        other.add_text(1, b"macchiato")
        self.assertEqual(self.numbers("macchiato"), [1])


class Processes(Case):
    def start(self, code: str, *arguments: str) -> subprocess.Popen[str]:
        """Another process, with the index of this test."""
        process = subprocess.Popen(
            [sys.executable, "-c", code, self.path, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.addCleanup(self.end, process)
        return process

    def end(self, process: subprocess.Popen[str]) -> None:
        process.kill()
        process.communicate()

    def line(self, process: subprocess.Popen[str]) -> str:
        assert process.stdout is not None
        return process.stdout.readline().strip()

    def test_writers(self) -> None:
        """Several processes that make the same file and write to it at once: all is there."""
        self.path = self.file()  # not there yet
        writers = [self.start(WRITER, str(first)) for first in (100, 200, 300)]
        for writer in writers:
            self.assertEqual(self.line(writer), "ready")
        for writer in writers:
            assert writer.stdin is not None
            writer.stdin.write("\n")
            writer.stdin.flush()
        for writer in writers:
            self.assertEqual(self.line(writer), "done")
        with self.opened() as search:
            self.assertEqual(len(search.at_hand()), 120)
            self.assertEqual(search.search("word", 200).total, 120)
            self.assertEqual(search.search("number339").hits[0].entry.number, 339)

    def test_killed(self) -> None:
        """Killed in the middle of writing: what was whole is there, and the file is good."""
        process = self.start(ENDLESS)
        self.assertEqual(self.line(process), "writing")
        process.send_signal(signal.SIGKILL)
        process.wait()
        with self.opened() as search:
            found = search.at_hand()
            self.assertEqual(len(found) % 250, 0)  # of each part, whole batches
            self.assertGreaterEqual(len(found), 500)
            self.assertEqual(search.search("word").total, len(found))
            self.assertTrue(search.add_text(99999, b"after"))
        for part in (1, 2):
            db = sqlite3.connect(f"{self.path}-texts{part}")
            self.addCleanup(db.close)
            self.assertEqual(db.execute("PRAGMA integrity_check").fetchall(), [("ok",)])
            db.execute("INSERT INTO bodies (bodies) VALUES ('integrity-check')")
