"""Contents that are not what was written: never given to anybody."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

from netlab.cache.policy import Entry
from netlab.cache.store import Store, StoreFailed
from netlab.cache.store.disk import SMALL
from tests.cache.store.support import KEY, StoreCase, entry, files, opened, put

LARGE = bytes(range(256)) * (SMALL // 256 + 1)


class Damage(StoreCase):
    def file(self, stored: Entry) -> Path:
        digest = stored.body_digest
        return self.folder / "contents" / digest[:2] / digest

    def assert_gone(self, store: Store, stored: Entry) -> None:
        self.assertIsNone(store.content(stored))
        self.assertIsNone(store.open(stored))
        self.assertEqual(store.entries(stored.key), ())
        self.assertEqual(files(self.folder), set())
        self.assertEqual(store.stats.damaged, 2)
        self.assertEqual(store.stats.entries, 0)

    def test_changed_while_closed(self) -> None:
        """One bit, a cut, more than there was: in a small and a large content."""
        for data in (b"small content", LARGE):
            flipped = bytearray(data)
            flipped[len(data) // 2] ^= 4
            for wrong in (bytes(flipped), data[:-1], b"", data + b"x"):
                store = self.open()
                stored = put(store, entry(), data)
                put(store, entry("http://example.org/b"), data)
                store.close()
                self.file(stored).write_bytes(wrong)
                self.notes.clear()
                store = self.open()
                self.assertEqual(store.entries(KEY), (stored,))
                if data is LARGE:
                    self.assertIsNone(store.content(stored))
                    self.assertIsNone(store.open(stored))
                self.assert_gone(store, stored)
                self.assertIn("is damaged", self.notes[0])
                self.assertEqual(len(self.notes), 1)
                self.assertEqual(store.content(put(store, entry(), b"new")), b"new")
                store.purge_all()
                store.close()

    def test_large_changed_while_open(self) -> None:
        """A file that was verified is read again when it was written to."""
        store = self.open()
        stored = put(store, entry(), LARGE)
        put(store, entry("http://example.org/b"), LARGE)
        store.flush()
        self.assertTrue(store.verified(stored))
        self.assertEqual(opened(store, stored), LARGE)
        self.file(stored).write_bytes(LARGE[:-1] + b"x")
        self.assert_gone(store, stored)

    def test_deleted_while_open(self) -> None:
        store = self.open()
        stored = put(store, entry(), LARGE)
        put(store, entry("http://example.org/b"), LARGE)
        store.flush()
        self.file(stored).unlink()
        self.assert_gone(store, stored)
        self.assertIn("is missing", self.notes[0])

    def test_damaged_before_it_is_named(self) -> None:
        store = self.open()
        stored = put(store, entry(), LARGE)
        store.flush()
        other = put(store, entry("http://example.org/b"), b"b" * len(LARGE))
        with store._shelf.lock:  # type: ignore[attr-defined]
            for item in store._shelf.waiting.with_content(other.body_digest):  # type: ignore[attr-defined]
                Path(item.aside).write_bytes(b"")
                self.assertIsNone(store.open(other))
                self.assertEqual(store.entries(other.key), ())
        store.flush()
        self.assertEqual(opened(store, stored), LARGE)

    def test_unreadable(self) -> None:
        store = self.open()
        stored = put(store, entry(), LARGE)
        put(store, entry("http://example.org/b"), LARGE)
        store = self.reopened(store)

        def fails(*_arguments: Any) -> bytes:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

        self.patch(os, "pread", fails)
        self.assert_gone(store, stored)

    def test_no_descriptor(self) -> None:
        """That it cannot be opened now says nothing about it."""
        store = self.open()
        small, large = put(store, entry(), b"x"), put(store, entry("http://example.org/b"), LARGE)
        store = self.reopened(store)

        def fails(*_arguments: Any) -> int:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

        patched = self.patch(os, "open", fails)
        self.assertIsNone(store.content(small))
        self.assertRaises(StoreFailed, store.open, small)
        self.assertRaises(StoreFailed, store.open, large)
        self.assertRaises(StoreFailed, store.begin)
        patched.restore()
        self.assertEqual(store.content(small), b"x")
        self.assertEqual(opened(store, large), LARGE)
        self.assertEqual(len(self.notes), 1)

    def test_damaged_content_is_healed(self) -> None:
        """The same content comes again: it takes the place of the damaged file."""
        store = self.open()
        stored = put(store, entry(), LARGE)
        store = self.reopened(store)
        self.file(stored).write_bytes(b"damage")
        again = put(store, entry(at=2e9), LARGE)
        store = self.reopened(store)
        self.assertEqual(opened(store, again), LARGE)
