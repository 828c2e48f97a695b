"""A disk that is full or fails: nothing is stored, all else goes on, and it is told once."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from typing import Any

from msgspec.structs import replace
from twisted.python.monkey import MonkeyPatcher

from netlab.cache.store import StoreFailed
from netlab.cache.store.disk import DiskStore
from tests.cache.store.support import KEY, StoreCase, entry, files, opened, put

OTHER = "http://example.org/b"


def failing(number: int) -> Callable[..., Any]:
    def fails(*_arguments: Any, **_options: Any) -> Any:
        raise OSError(number, os.strerror(number))

    return fails


class Faults(StoreCase):
    def setUp(self) -> None:
        super().setUp()
        store = self.open()
        assert isinstance(store, DiskStore)
        self.store = store
        self.stored = put(store, entry())
        store.flush()
        self.before = files(self.folder)

    def failing(self, name: str, number: int) -> MonkeyPatcher:
        return self.patch(os, name, failing(number))  # type: ignore[no-any-return]

    def full_index(self) -> Callable[[], None]:
        """The index can grow no more, as on a full disk."""
        db = self.store._shelf.index._db
        pages = db.execute("PRAGMA page_count").fetchone()[0]
        with self.store._shelf.lock:
            db.execute(f"PRAGMA max_page_count = {pages}")
            db.execute(
                "CREATE TEMP TRIGGER full BEFORE DELETE ON entries BEGIN"
                " SELECT RAISE(FAIL, 'database or disk is full'); END"
            )

        def again() -> None:
            with self.store._shelf.lock:
                db.execute("PRAGMA max_page_count = 100000")
                db.execute("DROP TRIGGER full")

        return again

    def assert_as_before(self) -> None:
        self.assertEqual(self.store.entries(KEY), (self.stored,))
        self.assertEqual(self.store.content(self.stored), b"content")
        self.assertEqual(opened(self.store, self.stored), b"content")
        self.assertEqual(self.store.entries(OTHER), ())
        self.assertEqual(files(self.folder), self.before)
        self.assertEqual(self.store.stats.bytes_on_disk, 8192)
        self.assertEqual(self.store.stats.unsynced, 0)

    def assert_works(self) -> None:
        other = put(self.store, entry(OTHER), b"other")
        self.store.flush()
        self.assertEqual(opened(self.store, other), b"other")
        self.assertIn("storing works again", self.notes[-1])

    def test_write(self) -> None:
        for number in (errno.ENOSPC, errno.EDQUOT, errno.EIO):
            for _ in range(3):
                writing = self.store.begin()
                writing.write(b"what came before")
                patched = self.failing("write", number)
                with self.assertRaises(StoreFailed) as caught:
                    writing.write(b"and this is too much")
                patched.restore()
                self.assertEqual(writing.read(0, 99), b"what came before")
                self.assertRaises(StoreFailed, writing.commit, entry(OTHER))
                writing.close()
            self.assertIn(os.strerror(number), self.notes[-1])
            self.assertEqual(str(caught.exception), self.notes[-1])
        self.assertEqual(len(self.notes), 3)
        self.assertIn("nothing is stored until there is room", self.notes[0])
        self.assertEqual(self.store.stats.failures, 9)
        self.assert_as_before()
        self.assert_works()

    def test_told_once(self) -> None:
        """A full disk fails in one way and then in another, for as long as it is full."""
        for _ in range(3):
            for number in (errno.ENOSPC, errno.EIO):
                writing = self.store.begin()
                patched = self.failing("write", number)
                self.assertRaises(StoreFailed, writing.write, b"x")
                patched.restore()
                writing.close()
        self.assertEqual(len(self.notes), 2)
        self.assert_works()

    def test_part_of_a_write(self) -> None:
        """A full disk takes a part of the bytes first; nobody sees that."""
        writing = self.store.begin()
        writing.write(b"before")
        real = os.write

        def half(descriptor: int, data: bytes) -> int:
            if len(data) < 4:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return real(descriptor, data[: len(data) // 2])

        self.patch(os, "write", half)
        self.assertRaises(StoreFailed, writing.write, b"too much")
        self.assertEqual(writing.read(0, 99), b"before")
        writing.abort()
        writing.close()
        self.assert_as_before()

    def test_begin(self) -> None:
        patched = self.failing("open", errno.ENOSPC)
        self.assertRaises(StoreFailed, self.store.begin)
        patched.restore()
        self.assert_as_before()

    def test_sync_or_name(self) -> None:
        """It was served already: then it is not there any more."""
        for name in ("fsync", "rename"):
            patched = self.failing(name, errno.EIO)
            other = put(self.store, entry(OTHER), b"other")
            self.store.flush()
            self.assertEqual(self.store.entries(OTHER), ())
            self.assertIsNone(self.store.content(other))
            patched.restore()
            self.assert_as_before()
        self.assert_works()

    def test_replacing_fails(self) -> None:
        """The older one was superseded: it does not come back."""
        patched = self.failing("fsync", errno.EIO)
        put(self.store, entry(at=2e9), b"newer")
        self.store.flush()
        self.assertEqual(self.store.entries(KEY), ())
        patched.restore()
        self.assertEqual(self.reopened(self.store).entries(KEY), ())

    def test_index(self) -> None:
        again = self.full_index()
        for number in range(40):
            put(self.store, entry(f"{OTHER}/{number}"), b"%d" % number)
        put(self.store, entry(at=2e9), b"newer")
        self.store.flush()
        self.assertEqual(self.store.entries(KEY), ())
        self.assertGreater(self.store.stats.failures, 0)
        self.assertLess(len(self.notes), 20)
        again()
        self.assert_works()
        store = self.reopened(self.store)
        self.assertEqual(store.entries(KEY), ())

    def test_remove(self) -> None:
        """What is removed is gone, though the index cannot be written; now and later."""
        for remove in (
            lambda: self.store.remove(self.stored),
            lambda: self.store.invalidate(KEY),
        ):
            again = self.full_index()
            remove()
            self.assertEqual(self.store.entries(KEY), ())
            self.store._known.clear()
            self.assertEqual(self.store.entries(KEY), ())
            again()
            self.store.flush()
            self.assertEqual(self.store.stats.entries, 0)
            self.stored = put(self.store, entry())
            self.store.flush()

    def test_remove_before_the_end(self) -> None:
        self.full_index()
        self.store.remove(self.stored)
        self.assertEqual(self.store.entries(KEY), ())
        store = self.reopened(self.store)
        self.assertEqual(store.entries(KEY), ())
        self.assertEqual(files(self.folder), set())

    def test_update(self) -> None:
        """The entry stays; one that became invalid does not."""
        new = replace(self.stored, response_time=2e9)
        again = self.full_index()
        self.store.update(self.stored, new)
        self.assertEqual(self.store.entries(KEY), (new,))
        self.assertEqual(self.store.content(new), b"content")
        self.assertEqual(len(self.notes), 1)
        invalid = replace(new, invalid=True)
        self.store.update(new, invalid)
        self.store._known.clear()
        self.assertEqual(self.store.entries(KEY), ())
        again()

    def test_purge_all(self) -> None:
        again = self.full_index()
        self.assertRaises(StoreFailed, self.store.purge_all)
        again()
        self.assertEqual(self.store.purge_all(), 1)
        self.store.flush()
        self.assertEqual(files(self.folder), set())

    def test_index_broken_while_open(self) -> None:
        """Nothing is given, nothing is stored, what is removed stays removed, no error comes."""
        self.store._shelf.index._db.close()
        self.store._known.clear()
        self.assertEqual(self.store.entries(KEY), ())
        other = put(self.store, entry(OTHER), b"other")
        # It is given until the thread that would store it finds that it cannot.
        self.assertIn(self.store.entries(OTHER), ((other,), ()))
        self.store.flush()
        self.assertEqual(self.store.entries(OTHER), ())
        self.assertEqual(self.store.purge(KEY), 1)
        self.store.close()
        self.assertEqual(self.open().entries(KEY), ())

    def test_too_slow(self) -> None:
        self.patch(type(self.store._shelf.publisher), "full", True)
        writing = self.store.begin()
        with self.assertRaisesRegex(StoreFailed, "does not keep up"):
            writing.commit(entry(OTHER))
        writing.close()
        self.assert_as_before()
