"""What a store has on the disk: files and index, and what is on its way to them."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterable
from threading import RLock

from netlab.cache.policy import Entry
from netlab.cache.store.folder import Folder, unlink
from netlab.cache.store.index import Index
from netlab.cache.store.interface import StoreFailed, Told
from netlab.cache.store.publishing import Publisher
from netlab.cache.store.records import key_part, seal, unseal
from netlab.cache.store.waiting import Pending, Waiting

_EVICTED = 32  # at once: others have to wait for it
_SPARE = 64  # of the room: what is made free at least, so that not each write evicts
_TOUCHED = 1000  # keys, until it is written down that they were used


class Shelf:
    """Changes entries and contents in ``folder`` and ``index``, which agree.

    ``changed`` is called with a key under which entries have gone that nobody has asked to
    remove, ``dropped`` with the digest of a content that is deleted. Everything is called
    with ``lock`` held where it is not said otherwise. At most ``max_bytes`` are used.
    """

    def __init__(
        self,
        folder: Folder,
        index: Index,
        *,
        max_bytes: int,
        told: Told,
        changed: Callable[[str], None],
        dropped: Callable[[str], None],
    ) -> None:
        self.lock = RLock()
        self.folder = folder
        self.index = index
        self.waiting = Waiting()
        self.publisher = Publisher(self)
        self.evictions = self.failures = self.damaged = 0
        self._max_bytes = max_bytes
        self._told = told
        self._changed = changed
        self._dropped = dropped
        self._touched: dict[str, None] = {}
        self._gone: set[str] = set()  # removed, and the index could not be written
        self._named: set[str] = set()  # folders with new names
        self._set_aside: list[str] = []
        self._count_lock = RLock()  # a writing may be collected as garbage while it is held
        self._unstored = 0  # bytes that are being written, or synced
        self._failing: set[str] = set()

    # -- how much there is

    @property
    def size(self) -> int:
        """In bytes, what all takes on the disk, the index apart."""
        return self.index.size + self._unstored

    @property
    def _full(self) -> bool:
        return self.size > self._max_bytes

    def grow(self, before: int, size: int) -> None:
        """Counts bytes that are being written; raises ``StoreFailed`` if they are too many.

        Without the lock.
        """
        half = self._max_bytes // 2
        with self._count_lock:
            fits = self._unstored + size <= half
            if fits:
                self._unstored += size
        if not fits:
            self.check(before + size)
            raise self.refused(f"the responses that are coming take {half} bytes already")
        if self._full:
            self.publisher.wake()

    def check(self, size: int) -> None:
        """Raises ``StoreFailed`` if nothing of this size is stored."""
        half = self._max_bytes // 2
        if size > half:
            raise self.refused(f"only responses of up to {half} bytes are stored")

    def uncount(self, size: int) -> None:
        """Bytes are not being written any more; without the lock."""
        with self._count_lock:
            self._unstored -= size

    # -- what is there

    def touch(self, key: str) -> None:
        """The entries under a key are used; without the lock."""
        self._touched[key] = None

    def read(self, key: str) -> list[Entry]:
        """All variants under a key. Raises ``sqlite3.Error``."""
        if len(self._touched) >= _TOUCHED:
            self.publisher.wake()
        pending = self.waiting.under(key)
        variants = [item.entry for item in pending.values()]
        damaged = []
        for name, record in self.index.records(key):
            if name in pending or name in self._gone:
                continue
            try:
                entry = unseal(record)
            except ValueError:
                damaged.append(name)
            else:
                variants += [entry] if entry.key == key else []
        if damaged:
            self.damaged += len(damaged)
            self._told(f"{self.folder.name}: {len(damaged)} damaged entries are removed")
            self.take_out(damaged)
        return variants

    def with_content(self, digest: str) -> tuple[set[str], list[bytes]]:
        """The names and records of all entries with a content. Raises ``sqlite3.Error``."""
        found = self.index.with_content(digest)
        found += [(item.name, item.record) for item in self.waiting.with_content(digest)]
        return {name for name, _ in found}, [record for _, record in found]

    def names(self, key: str) -> set[str]:
        """The names of all variants under a key, whatever state the index is in."""
        names = set(self.waiting.under(key))
        try:
            names.update([name for name, _ in self.index.records(key)])
        except sqlite3.Error as error:
            self.report(error)
            names.update(self.folder.records(key_part(key)))
        return names - self._gone

    # -- what changes it

    def add(self, item: Pending) -> None:
        """Takes an entry to be stored, in the place of the one with its name."""
        self.waiting.cancel(item.name)
        self.waiting.add(item)
        self.uncount(-item.size)
        self.publisher.add(item)

    def replace(self, before: str, after: str, new: Entry) -> bool:
        """Puts an entry in the place of another with its content; whether that went well."""
        item = self.waiting.get(before)
        if item is None:
            return self._rewrite(before, after, new)
        self.waiting.detach(item)
        if before != after:
            self.take_out([before, after])
        item.name, item.entry, item.record = after, new, seal(new)
        self.waiting.attach(item)
        return True

    def _rewrite(self, before: str, after: str, new: Entry) -> bool:
        """Puts an entry in the place of one that is on the disk; whether that went well."""
        record = seal(new)
        try:
            self.folder.write_record(after, record)
            with self.index.writing():
                freed = self.index.delete([before, after])
                self.index.put(after, new.body_digest, new.body_size or 0, record)
            self._gone.discard(after)
            if before != after:
                self.waiting.cancel(after)
                unlink(self.folder.record(before))
        except (OSError, sqlite3.Error) as error:
            self.report(error)
            return False
        self._discard(freed)
        self.publisher.wake()
        return True

    def take_out(self, names: Iterable[str]) -> None:
        """Removes entries from the disk, and from what is to be written to it. Never raises."""
        names = list(names)
        freed: list[str] = []
        try:
            for name in names:
                self.waiting.cancel(name)
            for name in names:  # first, so that no index that is made anew has them again
                unlink(self.folder.record(name))
            with self.index.writing():
                freed = self.index.delete(names)
        except (OSError, sqlite3.Error) as error:
            self.report(error)
            self._gone.update(names)
        self._discard(freed)
        self.publisher.wake()

    def _discard(self, digests: Iterable[str]) -> None:
        """Deletes those of these contents that no entry has, nor one on its way. Never raises."""
        for digest in digests:
            if self.waiting.with_content(digest):
                continue
            try:
                if self.index.refers_to(digest):
                    continue
                self._dropped(digest)
                unlink(self.folder.content(digest))
            except (OSError, sqlite3.Error) as error:  # the next start deletes it
                self.report(error)

    def forget(self, records: Iterable[bytes]) -> None:
        """These entries are removed."""
        for record in records:
            try:
                self._changed(unseal(record).key)
            except ValueError:  # damaged: nobody has ever read it
                pass

    def clear(self) -> int:
        """Removes everything; returns how many entries there were. Raises ``StoreFailed``."""
        try:
            names = {name.hex() for name in self.index.names()} | set(self.waiting.names())
            for name in tuple(self.waiting.names()):
                self.waiting.cancel(name)
            self._set_aside.append(self.folder.set_aside("entries"))
            with self.index.writing():
                self.index.clear()
            self._set_aside.append(self.folder.set_aside("contents"))
        except (OSError, sqlite3.Error) as error:
            raise self.failed(error) from error
        finally:
            self.publisher.wake()
        count = len(names - self._gone)
        self._gone.clear()
        return count

    # -- what the thread does: see ``Publishing``

    def publish(self, items: list[Pending]) -> None:
        """See ``Publishing.publish``."""
        freed: list[str] = []
        failed: list[tuple[Pending, Exception]] = []
        items = [item for item in items if not self._is_cancelled(item)]
        try:
            with self.index.writing():
                for item in items:
                    try:
                        freed += self._store(item)
                    except OSError as error:
                        failed.append((item, error))
        except sqlite3.Error as error:
            failed = [(item, error) for item in items]
        for item, failure in failed:
            self.withdraw(item, failure)
        for item in items:
            if not item.cancelled:
                self._gone.discard(item.name)
                self.waiting.detach(item)
                self._dispose(item)
        self._discard(freed)
        if self._failing and items and not failed:
            self._failing.clear()
            self._told(f"{self.folder.name}: storing works again")

    def _is_cancelled(self, item: Pending) -> bool:
        if item.cancelled:
            self._dispose(item)
        return item.cancelled

    def _store(self, item: Pending) -> list[str]:
        digest = item.entry.body_digest
        path = self.folder.content(digest)
        os.rename(item.aside, path)
        self.folder.write_record(item.name, item.record)
        self._named |= {os.path.dirname(path), os.path.dirname(self.folder.record(item.name))}
        return self.index.put(item.name, digest, item.entry.body_size or 0, item.record)

    def withdraw(self, item: Pending, error: Exception) -> None:
        """See ``Publishing.withdraw``."""
        if not item.cancelled:
            self.failures += 1
            self.report(error)
            self.take_out([item.name])
            self._changed(item.entry.key)
        self._dispose(item)

    def make_room(self) -> bool:
        """See ``Publishing.make_room``."""
        if not self._full:
            return False
        evicted: list[bytes] = []
        freed: list[str] = []
        try:
            self._note_use(len(self._touched))
            with self.index.writing():
                for name, record in self.index.oldest(_EVICTED):
                    if self.size <= self._max_bytes - self._max_bytes // _SPARE:
                        break
                    unlink(self.folder.record(name))
                    freed += self.index.delete([name])
                    evicted.append(record)
        except (OSError, sqlite3.Error) as error:
            self.report(error)
            return False
        self.evictions += len(evicted)
        self.forget(evicted)
        self._discard(freed)
        return bool(evicted)

    def settle(self, *, names: bool) -> None:
        """See ``Publishing.settle``."""
        for _ in range(0, len(self._touched), _TOUCHED // 4):
            with self.lock:
                self._note_use(_TOUCHED // 4)
        with self.lock:
            if self._gone:
                for name in self._gone:
                    unlink(self.folder.record(name))
                with self.index.writing():
                    freed = self.index.delete(self._gone)
                self._gone.clear()
                self._discard(freed)
            set_aside, self._set_aside = self._set_aside, []
            named: set[str] = set()
            if names:
                named, self._named = self._named, named
        self.folder.sync(named)
        self.index.checkpoint()
        for each in set_aside:
            self.folder.delete(each)

    def _note_use(self, count: int) -> None:
        keys = list(self._touched)[:count]
        for key in keys:
            del self._touched[key]
        if keys:
            with self.index.writing():
                self.index.touch(keys)

    def report(self, error: Exception) -> None:
        """Tells that the disk fails; once for each way, until it works again."""
        text = str(self.folder.failed(error))
        if text not in self._failing:
            self._failing.add(text)
            self._told(text)

    def failed(self, error: Exception) -> StoreFailed:
        """What to raise when something could not be stored; it is told as well."""
        with self.lock:
            self.failures += 1
            self.report(error)
        return self.folder.failed(error)

    def refused(self, text: str) -> StoreFailed:
        """What to raise when something is not to be stored."""
        self.failures += 1
        return StoreFailed(text)

    def _dispose(self, item: Pending) -> None:
        """The thread is done with it."""
        self.waiting.done(item)
        self.uncount(item.size)
        if item.cancelled:
            try:
                unlink(item.aside)
            except OSError as error:  # the next start deletes it
                self.report(error)
            self._discard([item.entry.body_digest])
