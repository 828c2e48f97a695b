"""What a store finds when it is opened: files and index that do not agree."""

from __future__ import annotations

import random
import sqlite3
from pathlib import Path

from msgspec.structs import replace

from netlab.cache.store import Store
from netlab.cache.store.index import Index
from tests.cache.store.support import KEY, StoreCase, entry, files, opened, put

OTHER = "http://example.org/b"


class Recovery(StoreCase):
    def setUp(self) -> None:
        super().setUp()
        store = self.open()
        self.stored = put(store, entry(), b"one")
        self.other = put(store, entry(OTHER), b"two")
        store.close()
        self.index = self.folder / "index.sqlite"

    def content(self, digest: str) -> Path:
        return self.folder / "contents" / digest[:2] / digest

    def record(self) -> Path:
        return min((self.folder / "entries").rglob("?" * 64))

    def assert_all(self, store: Store) -> None:
        self.assertEqual(store.entries(KEY), (self.stored,))
        self.assertEqual(store.entries(OTHER), (self.other,))
        self.assertEqual(store.content(self.stored), b"one")
        self.assertEqual(opened(store, self.other), b"two")
        self.assertEqual(store.stats.entries, 2)
        self.assertEqual(store.stats.bytes_on_disk, 4 * 4096)

    def test_index_deleted(self) -> None:
        self.index.unlink()
        self.assert_all(self.open())
        self.assertEqual(
            self.notes,
            [f"cache folder '{self.folder}': its index was missing and is made anew: 2 entries"],
        )

    def test_index_deleted_but_for_its_log(self) -> None:
        self.index.unlink()
        for suffix in ("-wal", "-shm"):
            self.index.with_name(f"index.sqlite{suffix}").write_bytes(b"what is left" * 1000)
        self.assert_all(self.open())

    def test_index_damaged(self) -> None:
        whole = self.index.read_bytes()
        for data in (b"", b"not a database" * 999, whole[:5000], whole[:100], bytes(len(whole))):
            self.index.write_bytes(data)
            store = self.open()
            self.assert_all(store)
            store.close()
        self.assertIn("its index was damaged and is made anew: 2 entries", self.notes[1])

    def test_index_with_any_damage(self) -> None:
        """Wherever a byte changes: what is there is right, or missing."""
        whole, dice = self.index.read_bytes(), random.Random(9111)
        for _ in range(40):
            data = bytearray(whole)
            for _ in range(dice.choice([1, 1, 20])):
                data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
            self.index.write_bytes(data)
            store = self.open()
            for key, stored, content in (
                (KEY, self.stored, b"one"),
                (OTHER, self.other, b"two"),
            ):
                self.assertIn(store.entries(key), ((), (stored,)))
                if store.entries(key):
                    self.assertEqual(store.content(stored), content)
                else:
                    put(store, stored, content)
            store.close()

    def test_index_of_another_version(self) -> None:
        db = sqlite3.connect(self.index)
        db.execute("PRAGMA user_version = 77")
        db.close()
        self.assert_all(self.open())

    def test_index_made_halfway(self) -> None:
        """The process ends while it makes the index anew: the next one begins anew."""
        self.index.unlink()

        def fails(*_arguments: object) -> None:
            raise KeyboardInterrupt

        patched = self.patch(Index, "put", fails)
        with self.assertRaises(KeyboardInterrupt):
            self.open()
        patched.restore()
        self.assert_all(self.open())

    def test_index_that_cannot_be_opened(self) -> None:
        self.index.unlink()
        self.index.mkdir()
        with self.assertRaisesRegex(ValueError, "unable to open database file"):
            self.open()
        self.index.rmdir()
        self.assert_all(self.open())  # nobody holds the lock

    def test_left_overs(self) -> None:
        """What a process that was ended has left aside, or without an entry, is deleted."""
        before = files(self.folder)
        (self.folder / "tmp" / "7").write_bytes(b"half of a resp")
        (self.folder / "tmp" / "8" / "ab").mkdir(parents=True)
        (self.folder / "tmp" / "8" / "ab" / "file").touch()
        self.content("ab" * 32).write_bytes(b"of nobody")
        (self.folder / "entries" / "ab" / ("ab" * 32)).write_bytes(b"half")
        self.assert_all(self.open())
        self.assertEqual(files(self.folder), before)
        self.assertEqual(self.notes, [])

    def test_content_missing(self) -> None:
        self.content(self.stored.body_digest).unlink()
        store = self.open()
        self.assertEqual(store.entries(KEY), ())
        self.assertEqual(store.entries(OTHER), (self.other,))
        self.assertEqual(len(files(self.folder)), 2)

    def test_entry_missing(self) -> None:
        """It was being removed."""
        self.record().unlink()
        store = self.open()
        self.assertEqual(store.stats.entries, 1)
        self.assertEqual(len(files(self.folder)), 2)

    def test_entry_damaged(self) -> None:
        """The index does not believe it."""
        record = self.record()
        record.write_bytes(record.read_bytes().replace(b"200", b"404"))
        self.assert_all(self.open())
        self.index.unlink()

    def test_entries_damaged(self) -> None:
        whole = self.record().read_bytes()
        for data in (whole.replace(b"200", b"404"), whole[:-1], whole[:40], b"", b"\xff" * 99):
            self.record().write_bytes(data)
            self.index.unlink()
            store = self.open()
            self.assertEqual(store.stats.entries, 1)
            store.purge_all()
            self.stored, self.other = put(store, self.stored, b"one"), put(store, self.other)
            store.close()

    def test_entry_under_another_name(self) -> None:
        record = self.record()
        record.rename(record.with_name(record.name[:2] + "0" * 62))
        self.index.unlink()
        self.assertEqual(self.open().stats.entries, 1)

    def test_replaced_entries_after_index_lost(self) -> None:
        """What was updated, replaced or removed does not come back."""
        store = self.open()
        new = replace(self.stored, response_time=2e9, selecting=(("accept", None),))
        store.update(self.stored, new)
        put(store, entry(OTHER, at=2e9), b"three")
        store.flush()
        last = put(store, entry(OTHER, at=3e9), b"three")
        store.close()
        self.index.unlink()
        store = self.open()
        self.assertEqual(store.entries(KEY), (new,))
        self.assertEqual(store.entries(OTHER), (last,))
        store.purge(KEY)
        store.remove(last)
        store.close()
        self.index.unlink()
        self.assertEqual(self.open().stats.entries, 0)
        self.assertEqual(files(self.folder), set())

    def test_row_damaged(self) -> None:
        """A row in the index with a wrong checksum, whatever SQLite thinks of it."""
        db = sqlite3.connect(self.index)
        db.execute("UPDATE entries SET record = CAST(replace(record, '200', '404') AS BLOB)")
        db.commit()
        db.close()
        store = self.open()
        self.assertEqual(store.entries(KEY), ())
        self.assertEqual(store.entries(OTHER), ())
        self.assertEqual((store.stats.damaged, store.stats.entries), (2, 0))
        self.assertIn("1 damaged entries are removed", self.notes[0])
