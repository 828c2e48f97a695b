"""A store in a folder, which outlives the process."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

from netlab.cache.policy import Entry
from netlab.cache.store.contents import Contents, Damaged
from netlab.cache.store.folder import Folder, unlink
from netlab.cache.store.held import Held
from netlab.cache.store.index import Index
from netlab.cache.store.interface import Stats, Store, StoreFailed, Told, Writing
from netlab.cache.store.recent import Recent
from netlab.cache.store.records import blocks, entry_name, others, seal, weight
from netlab.cache.store.recovery import recover
from netlab.cache.store.shelf import Shelf
from netlab.cache.store.waiting import Pending
from netlab.cache.store.writing import DiskWriting
from netlab.errors import ConfigurationError

SMALL = 1 << 20
"""In bytes: up to here a content is read whole and kept in memory."""

_BUSY = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)

T = TypeVar("T")


class DiskStore(Store):
    """Entries and contents in the folder ``directory``; see ``open_store``.

    What is asked for again and again is answered from memory and takes no lock.
    All else holds the lock for a transaction of the index, tens of microseconds.
    """

    def __init__(self, directory: Path, *, max_bytes: int, memory_bytes: int, told: Told) -> None:
        self._told = told
        self._known: Recent[str, tuple[Entry, ...]] = Recent(memory_bytes // 4)
        self._held = Held()
        self._memory = memory_bytes - memory_bytes // 4
        self._small: Recent[str, bytes] = Recent(self._memory, self._held.add)
        self._most = min(SMALL, memory_bytes // 4)
        self._contents = Contents()
        self._closed = False
        self._folder = Folder(directory)
        try:
            index = _index(self._folder, told)
        except BaseException as error:
            self._folder.close()
            if not isinstance(error, (OSError, sqlite3.Error)):
                raise
            raise ConfigurationError(
                f"{self._folder.name}: {error}; it can be deleted, then it is made anew"
            ) from error
        self._shelf = Shelf(
            self._folder,
            index,
            max_bytes=max_bytes,
            told=told,
            changed=self._known.pop,
            dropped=self._dropped,
        )

    # -- what is asked for

    def entries(self, key: str) -> tuple[Entry, ...]:
        """See ``Store.entries``."""
        found = self._known.get(key)
        if found is None:
            with self._shelf.lock:
                try:
                    found = tuple(self._shelf.read(key))
                except sqlite3.Error as error:
                    self._shelf.report(error)
                    return ()
                self._know(key, found)
        if found:
            self._shelf.touch(key)
        return found

    def _know(self, key: str, variants: Iterable[Entry]) -> None:
        known = tuple(variants)
        self._known.put(key, known, weight(known) + len(key))

    def content(self, entry: Entry) -> bytes | None:
        """See ``Store.content``: from memory, or read and compared with its checksum."""
        digest, size = entry.body_digest, entry.body_size
        found = self._small.get(digest)
        if found is not None or size is None or size > self._most or self._memory_is_held:
            return found
        try:
            found = self._sound(entry, lambda path: self._contents.read(digest, path, size))
        except StoreFailed:
            return None
        if found is not None:
            self._small.put(digest, found, size)
        return found

    @property
    def _memory_is_held(self) -> bool:
        """Whether clients still read so much that has left it: then files do for the others."""
        return self._held.weigh() > self._memory

    def open(self, entry: Entry) -> int | None:
        """See ``Store.open``."""
        digest, size = entry.body_digest, entry.body_size
        if size is None:
            return None
        return self._sound(entry, lambda path: self._contents.open(digest, path, size))

    def verified(self, entry: Entry) -> bool:
        """See ``Store.verified``."""
        return self._contents.known(entry.body_digest)

    def _sound(self, entry: Entry, read: Callable[[str], T]) -> T | None:
        """What ``read`` makes of the file of a content; ``None`` if there is no good one."""
        try:
            return self._first(entry.body_digest, read)
        except (Damaged, OSError) as error:
            if isinstance(error, OSError) and error.errno in _BUSY:
                raise self._shelf.failed(error) from error
        with self._shelf.lock:  # nobody gives or takes names now
            try:
                return self._first(entry.body_digest, read)
            except (Damaged, OSError) as error:
                self._drop(entry, error)
                return None

    def _first(self, digest: str, read: Callable[[str], T]) -> T:
        for item in self._shelf.waiting.with_content(digest):
            try:
                return read(item.aside)
            except FileNotFoundError:  # it has its name now
                pass
        return read(self._folder.content(digest))

    def _drop(self, entry: Entry, error: Damaged | OSError) -> None:
        """Removes all entries of a content that cannot be read."""
        digest = entry.body_digest
        try:
            names, records = self._shelf.with_content(digest)
        except sqlite3.Error as failure:
            self._shelf.report(failure)
            names, records = {entry_name(entry)}, [seal(entry)]
        if not names:  # it was removed in the meantime
            return
        what = "missing" if isinstance(error, FileNotFoundError) else "damaged"
        self._told(f"{self._folder.name}: the content {digest} is {what}: it has to come anew")
        self._shelf.damaged += len(names)
        self._shelf.take_out(names)
        self._shelf.forget(records)
        try:
            unlink(self._folder.content(digest))
        except OSError as failure:
            self._shelf.report(failure)

    def _dropped(self, digest: str) -> None:
        self._small.pop(digest)
        self._contents.forget(digest)

    # -- what is written

    def begin(self, announced: int = 0) -> Writing:
        """See ``Store.begin``."""
        self._shelf.check(announced)
        with self._shelf.lock:
            path = self._folder.aside()
        try:
            return DiskWriting(self._shelf, path, self._commit)
        except OSError as error:
            raise self._shelf.failed(error) from error

    def _commit(self, entry: Entry, path: str, descriptor: int) -> None:
        """Stores a completed entry, whose content is in a file aside."""
        digest, size = entry.body_digest, entry.body_size or 0
        if self._shelf.publisher.full:
            raise self._shelf.refused("the disk does not keep up with what comes")
        record = seal(entry)
        room = blocks(size) + blocks(len(record))
        item = Pending(entry_name(entry), entry, record, path, room)
        if size <= self._most and not self._memory_is_held:
            try:
                self._small.put(digest, os.pread(descriptor, size, 0), size)
            except OSError as error:
                raise self._shelf.failed(error) from error
        with self._shelf.lock:
            kept = others(self.entries(entry.key), entry)
            self._contents.remember(digest, descriptor)
            self._shelf.add(item)
            self._know(entry.key, [*kept, entry])
            self._shelf.touch(entry.key)

    def update(self, old: Entry, new: Entry) -> None:
        """See ``Store.update``."""
        if (old.key, old.body_digest) != (new.key, new.body_digest):
            raise ValueError("an update is of one key and one content")
        with self._shelf.lock:
            current = self.entries(old.key)
            if old not in current:
                return
            before, after = entry_name(old), entry_name(new)
            if not self._shelf.replace(before, after, new) and new.invalid:
                # The old one may come back, and be used as it was; this one must not.
                self._shelf.take_out([before])
            self._know(old.key, [*others(current, old, new), new])

    def remove(self, entry: Entry) -> None:
        """See ``Store.remove``."""
        with self._shelf.lock:
            current = self.entries(entry.key)
            if entry in current:
                self._shelf.take_out([entry_name(entry)])
                self._know(entry.key, others(current, entry))

    def purge(self, key: str) -> int:
        """See ``Store.purge``."""
        with self._shelf.lock:
            names = self._shelf.names(key)
            if names:
                self._shelf.take_out(names)
            self._know(key, ())
            return len(names)

    def purge_all(self) -> int:
        """See ``Store.purge_all``."""
        with self._shelf.lock:
            try:
                return self._shelf.clear()
            finally:
                self._known.clear()
                self._small.clear()

    # -- all of it

    def flush(self) -> None:
        """See ``Store.flush``."""
        self._shelf.publisher.flush()

    def close(self) -> None:
        """See ``Store.close``."""
        if self._closed:
            return
        self._closed = True
        self._shelf.publisher.close()
        try:
            self._shelf.settle(names=True)
            self._shelf.index.close()
        except (OSError, sqlite3.Error) as error:
            self._shelf.report(error)
        self._folder.close()

    @property
    def stats(self) -> Stats:
        """See ``Store.stats``."""
        with self._shelf.lock:
            return Stats(
                entries=self._shelf.index.count + len(self._shelf.waiting),
                bytes_on_disk=self._shelf.size,
                bytes_in_memory=self._known.weight + self._small.weight,
                unsynced=len(self._shelf.waiting),
                evictions=self._shelf.evictions,
                damaged=self._shelf.damaged,
                failures=self._shelf.failures,
            )


def _index(folder: Folder, told: Told) -> Index:
    """The index of a folder, after recovery. Raises ``sqlite3.Error`` and ``OSError``."""
    index = Index(folder.index)
    try:
        recover(folder, index, told)
    except BaseException:
        index.close()
        raise
    return index
