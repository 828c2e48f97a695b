from __future__ import annotations

import sqlite3
import threading
from pathlib import Path
from tempfile import TemporaryDirectory

from twisted.trial.unittest import SynchronousTestCase

from netlab.errors import ConfigurationError
from netlab.rfc.database import Database, SearchFailed

TABLES = "CREATE TABLE words (word TEXT PRIMARY KEY);\nCREATE TABLE more (word TEXT)"


class DatabaseTests(SynchronousTestCase):
    def setUp(self) -> None:
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = str(Path(folder.name, "words"))
        self.database = self.opened()

    def opened(self, version: int = 1, path: str | None = None) -> Database:
        database = Database(path or self.path, version, TABLES, ("words", "more"))
        self.addCleanup(database.close)
        return database

    def add(self, word: str, database: Database | None = None) -> None:
        with (database or self.database).writing() as db:
            db.execute("INSERT INTO words VALUES (?)", (word,))

    def words(self, database: Database | None = None) -> list[str]:
        with (database or self.database).reading() as db:
            return [word for (word,) in db.execute("SELECT word FROM words ORDER BY word")]

    def test_whole_or_not_at_all(self) -> None:
        self.add("one")
        with self.assertRaises(ZeroDivisionError), self.database.writing() as db:
            db.execute("INSERT INTO words VALUES ('two')")
            raise ZeroDivisionError
        error = self.assertRaises(SearchFailed, self.add, "one")
        self.assertIn(f"search index '{self.path}': UNIQUE", str(error))
        self.add("three")
        self.assertEqual(self.words(), ["one", "three"])

    def test_reading_does_not_wait(self) -> None:
        """Another thread reads what was there before, in the middle of a transaction."""
        self.add("one")
        found: list[str] = []
        with self.database.writing() as db:
            db.execute("INSERT INTO words VALUES ('two')")
            reader = threading.Thread(target=lambda: found.extend(self.words()), daemon=True)
            reader.start()
            reader.join(30)
        self.assertEqual(found, ["one"])
        self.assertEqual(self.words(), ["one", "two"])

    def test_of_one_moment(self) -> None:
        other = self.opened()
        with self.database.reading() as db:
            self.assertEqual(db.execute("SELECT count(*) FROM words").fetchone(), (0,))
            self.add("one", other)
            self.assertEqual(db.execute("SELECT count(*) FROM words").fetchone(), (0,))
        self.assertEqual(self.words(), ["one"])

    def test_in_memory(self) -> None:
        database = self.opened(path=":memory:")
        self.add("one", database)
        self.assertEqual(self.words(database), ["one"])
        self.assertEqual(self.words(), [])

    def test_versions(self) -> None:
        """Of another version nothing is kept; what is somebody else's, is."""
        self.add("one")
        with self.database.writing() as db:
            db.execute("CREATE TABLE others (word TEXT)")
        self.assertEqual(self.words(self.opened()), ["one"])
        again = self.opened(version=2)
        self.assertEqual(self.words(again), [])
        with again.reading() as db:
            self.assertEqual(db.execute("SELECT * FROM others").fetchall(), [])

    def test_log_is_taken_away(self) -> None:
        self.add("one")
        self.database.close()
        self.assertEqual([each.name for each in Path(self.path).parent.iterdir()], ["words"])

    def test_closed(self) -> None:
        self.database.close()
        self.database.close()
        self.assertRaises(SearchFailed, self.words)
        self.assertRaises(SearchFailed, self.add, "one")

    def test_no_database(self) -> None:
        self.database.close()
        Path(self.path).write_bytes(b"no database" * 1000)
        error = self.assertRaises(ConfigurationError, self.opened)
        self.assertIn("if it is damaged, delete it", str(error))
        error = self.assertRaises(ConfigurationError, lambda: self.opened(path="/nowhere/words"))
        self.assertIn("its folder must be there", str(error))

    def test_disk_full(self) -> None:
        """SQLite ends such a transaction itself."""
        with self.database.writing() as db:
            (pages,) = db.execute("PRAGMA page_count").fetchone()
            db.execute(f"PRAGMA max_page_count = {pages}")
        error = self.assertRaises(SearchFailed, self.add, "x" * 100_000)
        self.assertIn("full", str(error))
        self.assertIsInstance(error.__cause__, sqlite3.Error)
        self.add("one")
        self.assertEqual(self.words(), ["one"])
