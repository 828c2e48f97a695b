"""A store that is gone when the process ends."""

from __future__ import annotations

import os
import tempfile
from collections import Counter, OrderedDict
from threading import RLock

from netlab.cache.policy import Entry
from netlab.cache.store.held import Held
from netlab.cache.store.interface import Stats, Store, StoreFailed, Writing
from netlab.cache.store.records import others, weight


class MemoryStore(Store):
    """Entries and contents in at most ``memory_bytes`` of memory; see ``open_store``.

    What is being written comes to it, at most half as much again, and what was evicted
    while clients still read it: as much again, before less is kept for that. All contents
    are to be had from ``content``.
    """

    def __init__(self, *, memory_bytes: int) -> None:
        self._limit = memory_bytes
        self._lock = RLock()
        self._variants: OrderedDict[str, tuple[Entry, ...]] = OrderedDict()
        self._contents: dict[str, bytes] = {}
        self._references: Counter[str] = Counter()
        self._weight = 0
        self._held = Held()
        self._growing = 0
        self._evictions = 0
        self._failures = 0

    def entries(self, key: str) -> tuple[Entry, ...]:
        """See ``Store.entries``."""
        with self._lock:
            found = self._variants.get(key)
            if found is None:
                return ()
            self._variants.move_to_end(key)
            return found

    def content(self, entry: Entry) -> bytes | None:
        """See ``Store.content``: the content, of any size."""
        return self._contents.get(entry.body_digest)

    def open(self, entry: Entry) -> int | None:
        """See ``Store.open``: the descriptor of a copy."""
        content = self.content(entry)
        if content is None:
            return None
        try:
            if hasattr(os, "memfd_create"):
                descriptor = os.memfd_create("netlab-cache")
            else:
                with tempfile.TemporaryFile() as file:
                    descriptor = os.dup(file.fileno())
            with os.fdopen(os.dup(descriptor), "wb") as file:
                file.write(content)
            os.lseek(descriptor, 0, os.SEEK_SET)
        except OSError as error:
            raise StoreFailed(f"no descriptor for a content in memory: {error}") from error
        return descriptor

    def verified(self, entry: Entry) -> bool:
        """See ``Store.verified``: always."""
        return True

    def begin(self, announced: int = 0) -> Writing:
        """See ``Store.begin``."""
        if announced > self._limit // 2:
            raise self._too_much()
        return _MemoryWriting(self)

    def update(self, old: Entry, new: Entry) -> None:
        """See ``Store.update``."""
        if (old.key, old.body_digest) != (new.key, new.body_digest):
            raise ValueError("an update is of one key and one content")
        with self._lock:
            current = self.entries(old.key)
            if old in current:
                self._set(old.key, (*others(current, old, new), new))

    def remove(self, entry: Entry) -> None:
        """See ``Store.remove``."""
        with self._lock:
            current = self.entries(entry.key)
            if entry in current:
                self._set(entry.key, others(current, entry))

    def purge(self, key: str) -> int:
        """See ``Store.purge``."""
        with self._lock:
            count = len(self._variants.get(key, ()))
            self._set(key, ())
            return count

    def purge_all(self) -> int:
        """See ``Store.purge_all``."""
        with self._lock:
            return sum([self.purge(key) for key in list(self._variants)])

    def flush(self) -> None:
        """See ``Store.flush``: nothing of it survives anything."""

    def close(self) -> None:
        """See ``Store.close``."""
        self.purge_all()

    @property
    def stats(self) -> Stats:
        """See ``Store.stats``."""
        with self._lock:
            return Stats(
                entries=sum(map(len, self._variants.values())),
                bytes_on_disk=0,
                bytes_in_memory=self._weight + self._growing,
                unsynced=0,
                evictions=self._evictions,
                damaged=0,
                failures=self._failures,
            )

    def grow(self, size: int) -> None:
        """Counts bytes that are being written, or are not any more; see ``Writing.write``."""
        with self._lock:
            if size > 0 and self._growing + size > self._limit // 2:
                raise self._too_much()
            self._growing += size

    def _too_much(self) -> StoreFailed:
        self._failures += 1
        return StoreFailed(
            "responses are stored up to half of memory_bytes, "
            f"{self._limit // 2} bytes, and this would be more"
        )

    def put(self, entry: Entry, content: bytes) -> None:
        """Stores a completed entry."""
        with self._lock:
            current = self.entries(entry.key)
            if entry.body_digest not in self._contents:
                self._contents[entry.body_digest] = content
                self._weight += len(content)
            self._set(entry.key, (*others(current, entry), entry))
            while self._weight > self._room and self._variants:
                oldest = next(iter(self._variants))
                self._evictions += self.purge(oldest)

    @property
    def _room(self) -> int:
        return self._limit - max(0, self._held.weigh() - self._limit)

    def _set(self, key: str, variants: tuple[Entry, ...]) -> None:
        before = self._variants.pop(key, ())
        if variants:
            self._variants[key] = variants
            self._weight += weight(variants)
            self._references.update([entry.body_digest for entry in variants])
        if before:
            self._weight -= weight(before)
            for entry in before:
                self._references[entry.body_digest] -= 1
                if not self._references[entry.body_digest]:
                    del self._references[entry.body_digest]
                    content = self._contents.pop(entry.body_digest)
                    self._weight -= len(content)
                    self._held.add(content)


class _MemoryWriting(Writing):
    def __init__(self, store: MemoryStore) -> None:
        super().__init__()
        self._store = store
        self._data: bytearray | bytes | None = bytearray()
        self._counted = 0

    def read(self, at: int, size: int) -> bytes:
        data = self._data
        if data is None:
            raise StoreFailed("this content is closed")
        return bytes(data[at : at + size])

    def _append(self, data: bytes) -> None:
        if self._data is not None:  # which it never is before its end
            self._store.grow(len(data))
            self._counted += len(data)
            self._data += data

    def _publish(self, entry: Entry) -> None:
        self._data = content = bytes(self._data or b"")
        self._store.put(entry, content)
        self._uncount()

    def _give_up(self) -> None:
        """It takes its room until nobody reads it any more."""

    def _release(self) -> None:
        self._data = None
        self._uncount()

    def _uncount(self) -> None:
        counted, self._counted = self._counted, 0
        self._store.grow(-counted)

    def __del__(self) -> None:
        self._uncount()
