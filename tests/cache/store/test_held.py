"""What is forgotten and still being sent."""

from __future__ import annotations

from collections.abc import Iterator

from twisted.trial.unittest import SynchronousTestCase

from netlab.cache.store.held import Held
from tests.cache.store.support import KEY, StoreCase, entry, put

SIZE = 1 << 20


def contents() -> Iterator[bytes]:
    for number in range(256):
        yield bytes([number]) * SIZE


class Weighing(SynchronousTestCase):
    def test_until_nobody_has_it(self) -> None:
        held = Held()
        self.assertEqual(held.weigh(), 0)
        reading = [bytes(SIZE), bytes(SIZE + 1)]
        for each in reading:
            held.add(each)
        del each
        held.add(bytes(SIZE))
        view = memoryview(reading[1])
        self.assertEqual(held.weigh(), 2 * SIZE + 1)
        reading.pop()
        self.assertEqual(held.weigh(), 2 * SIZE + 1)
        view.release()
        self.assertEqual(held.weigh(), SIZE)
        reading.clear()
        self.assertEqual((held.weigh(), held._contents), (0, []))

    def test_small(self) -> None:
        held = Held()
        small = bytes(1000)
        held.add(small)
        self.assertEqual(held.weigh(), 0)


class SlowReaders(StoreCase):
    """Each has the content that it asked for, long after it had to go from the memory."""

    def test_memory(self) -> None:
        store = self.open(memory=True, memory_bytes=4 * SIZE)
        reading = []
        for number, content in zip(range(30), contents(), strict=False):
            stored = put(store, entry(f"{KEY}/{number}"), content)
            reading.append(store.content(stored))
        there = [each for each in reading if each is not None]
        self.assertEqual(sum(map(len, there)), len(there) * SIZE)
        self.assertLessEqual(len(there), 9)
        reading.clear()
        there.clear()
        stored = put(store, entry(f"{KEY}/last"), bytes(SIZE))
        self.assertEqual(store.content(stored), bytes(SIZE))

    def test_disk(self) -> None:
        """Those that do not fit any more are read from their files."""
        store = self.open(memory_bytes=4 * SIZE, max_bytes=256 * SIZE)
        reading = []
        for number, content in zip(range(30), contents(), strict=False):
            stored = put(store, entry(f"{KEY}/{number}"), content)
            reading.append(store.content(stored))
            self.assertIsNotNone(store.entries(f"{KEY}/{number}"))
        there = [each for each in reading if each is not None]
        self.assertLessEqual(len(there), 8)
        self.assertGreaterEqual(len(there), 3)
        reading.clear()
        there.clear()
        self.assertEqual(store.content(stored), content)
