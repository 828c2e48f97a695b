"""What a store keeps: the same on a disk and in memory."""

from __future__ import annotations

import hashlib
import os

from msgspec.structs import replace

from netlab.cache.store import Store, StoreFailed
from netlab.errors import LocalProtocolError
from netlab.fields import Fields
from tests.cache.store.support import KEY, StoreCase, entry, files, opened, put


class MemoryCase(StoreCase):
    """What both do."""

    room = 1 << 22

    def store(self) -> Store:
        return self.open(memory=True)

    def test_nothing(self) -> None:
        store = self.store()
        self.assertEqual(store.entries(KEY), ())
        self.assertEqual(store.purge(KEY), 0)
        self.assertEqual(store.purge_all(), 0)
        self.assertEqual(store.stats.entries, 0)

    def test_commit(self) -> None:
        store = self.store()
        writing = store.begin()
        writing.write(b"one ")
        writing.write(b"two")
        digest = hashlib.sha256(b"one two").hexdigest()
        self.assertEqual((writing.size, writing.digest()), (7, digest))
        self.assertEqual(store.entries(KEY), ())
        stored = writing.commit(entry())
        writing.close()
        self.assertEqual((stored.body_digest, stored.body_size), (digest, 7))
        self.assertEqual(store.entries(KEY), (stored,))
        self.assertEqual(store.content(stored), b"one two")
        self.assertEqual(opened(store, stored), b"one two")
        store.flush()
        self.assertEqual(store.content(stored), b"one two")
        self.assertEqual(opened(store, stored), b"one two")
        self.assertTrue(store.verified(stored))
        self.assertEqual((store.stats.entries, store.stats.unsynced), (1, 0))

    def test_empty_content(self) -> None:
        store = self.store()
        stored = store.begin().commit(entry())
        store.flush()
        self.assertEqual(store.content(stored), b"")
        self.assertEqual(opened(store, stored), b"")

    def test_variants(self) -> None:
        store = self.store()
        english = put(store, entry(selecting=(("accept-language", "en"),)), b"hello")
        german = put(store, entry(selecting=(("accept-language", "de"),)), b"hallo")
        none = put(store, entry(selecting=(("accept-language", None),)), b"hello")
        self.assertEqual(set(store.entries(KEY)), {english, german, none})
        again = put(store, entry(selecting=german.selecting, at=2e9), b"servus")
        self.assertEqual(set(store.entries(KEY)), {english, again, none})
        store.flush()
        self.assertIsNone(store.content(german))
        store.remove(english)
        self.assertEqual(store.content(none), b"hello")
        self.assertEqual(store.purge(KEY), 2)
        self.assertEqual(store.entries(KEY), ())

    def test_content_length(self) -> None:
        store = self.store()
        writing = store.begin()
        writing.write(b"too short")
        with self.assertRaises(LocalProtocolError):
            writing.commit(entry(fields=Fields([("Content-Length", "10")])))
        writing.close()
        self.assertEqual(store.entries(KEY), ())

    def test_announced_too_long(self) -> None:
        """What is announced to be too long is not begun; what turns out to be is broken off."""
        store = self.store()
        longest = self.room // 2
        store.begin(longest).close()
        with self.assertRaisesRegex(StoreFailed, f"up to .*{longest} bytes"):
            store.begin(longest + 1)
        writing = store.begin()
        with self.assertRaisesRegex(StoreFailed, f"up to .*{longest} bytes"):
            writing.write(bytes(longest + 1))
        writing.close()

    def test_room_of_what_is_still_read(self) -> None:
        """What could not be stored takes its room until nobody reads it."""
        store = self.store()
        writing = store.begin()
        writing.write(bytes(self.room // 3))
        with self.assertRaises(StoreFailed):
            writing.write(bytes(self.room // 3))
        other = store.begin()
        with self.assertRaises(StoreFailed):
            other.write(bytes(self.room // 3))
        self.assertEqual(writing.read(0, 3), bytes(3))
        writing.close()
        other.close()
        other = store.begin()
        other.write(bytes(self.room // 3))
        other.close()

    def test_growing(self) -> None:
        store = self.store()
        writing = store.begin()
        self.assertEqual(writing.read(0, 10), b"")
        writing.write(b"abc")
        writing.write(b"def")
        self.assertEqual(writing.read(0, 10), b"abcdef")
        self.assertEqual(writing.read(2, 2), b"cd")
        stored = writing.commit(entry())
        self.assertEqual(writing.read(4, 2), b"ef")
        with self.assertRaises(StoreFailed):
            writing.write(b"more")
        with self.assertRaises(StoreFailed):
            writing.commit(entry())
        writing.abort()
        writing.close()
        writing.close()
        with self.assertRaises(StoreFailed):
            writing.read(0, 1)
        self.assertEqual(store.content(stored), b"abcdef")

    def test_abort(self) -> None:
        store = self.store()
        for end in ("abort", "close"):
            writing = store.begin()
            writing.write(b"abc")
            getattr(writing, end)()
            self.assertRaises(StoreFailed, writing.read, 0, 1)
            self.assertRaises(StoreFailed, writing.write, b"")
        self.assertEqual(store.entries(KEY), ())
        self.assertEqual(store.stats.bytes_on_disk, 0)

    def test_let_go(self) -> None:
        store = self.store()
        store.begin().write(b"abc")
        self.assertEqual(store.stats.bytes_on_disk, 0)
        self.assertEqual(store.stats.bytes_in_memory, 0)

    def test_same_content(self) -> None:
        store = self.store()
        one, other = put(store, entry()), put(store, entry("http://example.org/b"))
        store.flush()
        store.remove(one)
        self.assertEqual(store.content(other), b"content")
        self.assertEqual(opened(store, other), b"content")
        store.remove(other)
        self.assertIsNone(store.content(other))
        self.assertIsNone(store.open(other))

    def test_update(self) -> None:
        store = self.store()
        old = put(store, entry())
        new = replace(old, response_time=2e9)
        store.update(old, new)
        self.assertEqual(store.entries(KEY), (new,))
        store.flush()
        newer = replace(old, response_time=3e9, selecting=(("accept", "text/plain"),))
        store.update(new, newer)
        self.assertEqual(store.entries(KEY), (newer,))
        store.update(new, replace(old, response_time=4e9))
        self.assertEqual(store.entries(KEY), (newer,))
        self.assertEqual(store.content(newer), b"content")
        with self.assertRaises(ValueError):
            store.update(newer, replace(newer, key="http://example.org/b"))
        with self.assertRaises(ValueError):
            store.update(newer, replace(newer, body_digest="0" * 64))

    def test_update_takes_a_place(self) -> None:
        """Vary has changed, and another variant has these selecting fields already."""
        for flush in (True, False):
            store = self.store()
            store.purge_all()
            one = put(store, entry(selecting=(("accept", "a"),)), b"one")
            other = put(store, entry(selecting=(("accept", "b"),)), b"other")
            if flush:
                store.flush()
            new = replace(one, selecting=other.selecting)
            store.update(one, new)
            store.flush()
            self.assertEqual(store.entries(KEY), (new,))
            self.assertIsNone(store.content(other))
            self.assertEqual(store.content(new), b"one")
            store.close()

    def test_remove_what_was_replaced(self) -> None:
        """A gateway removes what a new response supersedes after it has stored that."""
        store = self.store()
        old = put(store, entry())
        new = put(store, entry(at=2e9))
        store.remove(old)
        self.assertEqual(store.entries(KEY), (new,))
        self.assertEqual(store.content(new), b"content")

    def test_invalidate(self) -> None:
        store = self.store()
        put(store, entry())
        store.invalidate(KEY)
        self.assertEqual(store.entries(KEY), ())

    def test_purge_all(self) -> None:
        store = self.store()
        for number in range(5):
            put(store, entry(f"http://example.org/{number}"), b"%d" % number)
            if number == 2:
                store.flush()
        again = put(store, entry("http://example.org/1", at=2e9), b"again")
        descriptor = store.open(again)
        assert descriptor is not None
        self.assertEqual(store.purge_all(), 5)
        self.assertEqual(store.entries("http://example.org/1"), ())
        self.assertIsNone(store.content(again))
        with os.fdopen(descriptor, "rb") as file:
            self.assertEqual(file.read(), b"again")
        stored = put(store, entry(), b"new")
        store.flush()
        self.assertEqual(opened(store, stored), b"new")
        self.assertEqual(store.stats.entries, 1)

    def test_too_long(self) -> None:
        store = self.store()
        half = store.begin()
        half.write(bytes(1 << 20))
        writing = store.begin()
        with self.assertRaises(StoreFailed):
            for _ in range(9):
                writing.write(bytes(1 << 20))
        self.assertEqual(writing.read(0, 2), b"\0\0")
        with self.assertRaises(StoreFailed):
            writing.commit(entry())
        writing.close()
        stored = half.commit(entry())
        half.close()
        self.assertEqual(store.content(stored), bytes(1 << 20))
        self.assertEqual(store.stats.failures, 1)


class Disk(MemoryCase):
    room = 1 << 24

    def store(self) -> Store:
        return self.open()

    def test_files(self) -> None:
        store = self.store()
        stored = put(store, entry())
        store.flush()
        digest = stored.body_digest
        found = files(self.folder)
        self.assertIn(f"contents/{digest[:2]}/{digest}", found)
        self.assertEqual(len(found), 2)
        store.remove(stored)
        self.assertEqual(files(self.folder), set())

    def test_restart(self) -> None:
        store = self.store()
        kept = put(store, entry())
        changed = put(store, entry("http://example.org/b"), b"b")
        gone = put(store, entry("http://example.org/c"), b"c")
        store.flush()
        new = replace(changed, response_time=2e9)
        store.update(changed, new)
        store.remove(gone)
        last = put(store, entry("http://example.org/d"), b"d")
        before = store.stats
        store = self.reopened(store)
        self.assertEqual(store.stats.bytes_on_disk, 3 * 8192)
        self.assertEqual(before.entries, store.stats.entries)
        self.assertEqual(store.entries(KEY), (kept,))
        self.assertEqual(store.entries(new.key), (new,))
        self.assertEqual(store.entries(gone.key), ())
        self.assertEqual(store.content(last), b"d")
        self.assertFalse(store.verified(kept))
        self.assertEqual(opened(store, kept), b"content")
        self.assertTrue(store.verified(kept))
        self.assertEqual(self.notes, [])
