"""Several threads at one store, and the thread of its own."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from functools import partial

from netlab.cache.store import Store
from netlab.cache.store.publishing import Publisher
from tests.cache.store.support import StoreCase, entry, opened, put

KEYS = [f"http://example.org/{number}" for number in range(8)]


class Threads(StoreCase):
    def run_all(self, *work: Callable[[], None]) -> None:
        """Runs in threads; an error in any of them fails the test."""
        errors: list[BaseException] = []

        def run(each: Callable[[], None]) -> None:
            try:
                each()
            except BaseException as error:
                errors.append(error)

        threads = [threading.Thread(target=run, args=(each,)) for each in work]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(errors, [])

    def work(self, store: Store, seed: int) -> None:
        dice = random.Random(seed)
        for number in range(60):
            key = dice.choice(KEYS)
            for each in store.entries(key):
                content = (each.fields.get("content-type") or "").encode()
                self.assertIn(store.content(each), (None, b"text/plain"[: each.body_size]))
                self.assertIn(opened(store, each), (None, b"text/plain"[: each.body_size]))
                self.assertEqual(content, b"text/plain")
                if dice.random() < 0.2:
                    store.remove(each)
            if dice.random() < 0.05:
                store.purge_all()
            elif dice.random() < 0.1:
                store.flush()
            else:
                put(store, entry(key, at=1e9 + number), b"text/plain"[: dice.randrange(10)])

    def test_all_at_once(self) -> None:
        for store in (self.open(max_bytes=1 << 22, memory_bytes=1 << 16), self.open(memory=True)):
            self.run_all(*[partial(self.work, store, seed) for seed in range(4)])
            store.flush()
            for key in KEYS:
                for each in store.entries(key):
                    self.assertEqual(opened(store, each), b"text/plain"[: each.body_size])
            self.assertEqual(store.stats.unsynced, 0)
        self.assertEqual(self.notes, [])

    def test_reading_while_it_grows(self) -> None:
        store = self.open()
        writing = store.begin()
        data = bytes(range(256)) * 4000
        written = threading.Event()
        read = bytearray()

        def write() -> None:
            for at in range(0, len(data), 10_000):
                writing.write(data[at : at + 10_000])
            writing.commit(entry())
            written.set()

        def follow() -> None:
            while len(read) < len(data):
                over = written.is_set()
                part = writing.read(len(read), 3000)
                self.assertTrue(part or not over)
                read.extend(part)

        self.run_all(write, follow)
        self.assertEqual(read, data)
        writing.close()

    def test_no_thread_without_need(self) -> None:
        store = self.open()
        before = threading.active_count()
        store.entries(KEYS[0])
        store.flush()
        self.assertEqual(threading.active_count(), before)
        put(store, entry())
        self.assertEqual(threading.active_count(), before + 1)
        store.close()
        self.assertEqual(threading.active_count(), before)

    def test_unexpected_error(self) -> None:
        """A mistake in the thread is told; it goes on."""
        store = self.open()

        def fails(*_arguments: object) -> None:
            raise ZeroDivisionError("a mistake")

        patched = self.patch(Publisher, "_make_room", fails)
        stored = put(store, entry())
        store.flush()
        patched.restore()
        self.assertEqual(store.entries(stored.key), ())
        self.assertIn("a mistake", self.notes[0])
        again = put(store, entry())
        store.flush()
        self.assertEqual(opened(store, again), b"content")
