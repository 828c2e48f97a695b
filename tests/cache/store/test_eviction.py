"""Room: what was not used for longest goes."""

from __future__ import annotations

import os

from netlab.cache.store import Store, StoreFailed
from tests.cache.store.support import StoreCase, entry, files, opened, put

BLOCK = 4096


def key(number: int) -> str:
    return f"http://example.org/{number}"


class Eviction(StoreCase):
    def there(self, store: Store, most: int = 100) -> list[int]:
        """Which are there; to ask is to use them."""
        return [number for number in range(most) if store.entries(key(number))]

    def test_oldest_first(self) -> None:
        store = self.open(max_bytes=40 * BLOCK)
        for number in range(30):
            put(store, entry(key(number)), b"%d" % number)
            store.entries(key(0))
            store.flush()
            self.assertLessEqual(store.stats.bytes_on_disk, 40 * BLOCK)
        there = self.there(store)
        self.assertEqual(there, [0, *range(11, 30)])
        self.assertEqual(store.stats.evictions, 10)
        self.assertEqual(len(files(self.folder)), 2 * len(there))

    def test_use_is_remembered(self) -> None:
        store = self.open(max_bytes=40 * BLOCK)
        for number in range(18):
            put(store, entry(key(number)), b"%d" % number)
            store.flush()
        store.entries(key(0))
        store.close()
        store = self.open(max_bytes=40 * BLOCK)
        for number in range(18, 25):
            put(store, entry(key(number)), b"%d" % number)
            store.flush()
        self.assertEqual(self.there(store), [0, *range(7, 25)])

    def test_smaller_than_before(self) -> None:
        store = self.open()
        for number in range(60):
            put(store, entry(key(number)), b"%d" % number)
        store.close()
        store = self.open(max_bytes=40 * BLOCK)
        put(store, entry(key(60)), b"60")
        store.flush()
        self.assertLessEqual(store.stats.bytes_on_disk, 40 * BLOCK)
        self.assertIn(60, self.there(store))

    def test_shared_content(self) -> None:
        """It goes with the last of its entries."""
        store = self.open(max_bytes=40 * BLOCK)
        for number in range(60):
            put(store, entry(key(number)), b"the same")
            store.flush()
        for number in self.there(store):
            (found,) = store.entries(key(number))
            self.assertEqual(opened(store, found), b"the same")
        self.assertGreater(len(self.there(store)), 35)

    def test_open_descriptor(self) -> None:
        store = self.open(max_bytes=40 * BLOCK)
        first = put(store, entry(key(0)), b"first")
        store.flush()
        descriptor = store.open(first)
        assert descriptor is not None
        for number in range(1, 30):
            put(store, entry(key(number)), b"%d" % number)
            store.flush()
        self.assertIsNone(store.open(first))
        with os.fdopen(descriptor, "rb") as file:
            self.assertEqual(file.read(), b"first")

    def test_what_comes_takes_room(self) -> None:
        """A response that is not complete yet makes others go; half of all is for those."""
        store = self.open(max_bytes=40 * BLOCK)
        for number in range(15):
            put(store, entry(key(number)), b"%d" % number)
            store.flush()
        writing, other = store.begin(), store.begin()
        writing.write(bytes(18 * BLOCK))
        store.flush()
        self.assertEqual(self.there(store), list(range(5, 15)))
        with self.assertRaisesRegex(StoreFailed, "take 81920 bytes already"):
            other.write(bytes(3 * BLOCK))
        other.close()
        with self.assertRaisesRegex(StoreFailed, "only responses of up to 81920 bytes"):
            writing.write(bytes(3 * BLOCK))
        writing.close()
        self.assertEqual(store.stats.bytes_on_disk, 20 * BLOCK)

    def test_memory(self) -> None:
        store = self.open(memory=True, memory_bytes=1 << 16)
        for number in range(100):
            put(store, entry(key(number)), b"%d" % number * 1000)
            store.entries(key(0))
            self.assertLessEqual(store.stats.bytes_in_memory, 1 << 16)
        there = self.there(store)
        self.assertEqual(there[0], 0)
        self.assertEqual(there[1:], list(range(101 - len(there), 100)))
        self.assertEqual(store.stats.evictions, 100 - len(there))
        for number in there:
            (found,) = store.entries(key(number))
            self.assertEqual(store.content(found), b"%d" % number * 1000)

    def test_memory_of_a_disk(self) -> None:
        """Only so much of it is kept in memory; the rest is read again."""
        store = self.open(memory_bytes=1 << 16)
        stored = [put(store, entry(key(number)), b"%d" % number * 1000) for number in range(50)]
        store.flush()
        for number, each in enumerate(stored):
            self.assertEqual(store.entries(key(number)), (each,))
            self.assertEqual(store.content(each), b"%d" % number * 1000)
            self.assertLessEqual(store.stats.bytes_in_memory, 1 << 16)
