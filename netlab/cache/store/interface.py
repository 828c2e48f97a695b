"""What a store is: the same for one on a disk and one in memory."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable
from types import TracebackType

from msgspec import Struct

from netlab.cache.policy import Entry, completed
from netlab.errors import NetlabError

Told = Callable[[str], None]
"""What is called with a sentence for the log; from any thread, and it must not raise."""


class StoreFailed(NetlabError):
    """A response cannot be stored: no room, or the disk fails. It can still be passed on."""

    kind = "store_failed"


class Stats(Struct, frozen=True, kw_only=True):
    """What a store holds, and what it has done since it was opened."""

    entries: int
    bytes_on_disk: int
    """As files take it, in blocks of 4 KiB; the index comes to it."""
    bytes_in_memory: int
    unsynced: int
    """How many entries are served already and not on the disk yet."""
    evictions: int
    """How many entries had to go because others needed their room."""
    damaged: int
    """How many entries had to go because their content was not what was written."""
    failures: int
    """How many responses could not be stored."""


class Writing(ABC):
    """A content while it comes: written aside, and seen by nobody until it is committed.

    Any thread may ``read``; all else is for one thread at a time. It has to be
    ended by ``commit`` or ``abort``, and be closed when nobody reads any more.
    """

    def __init__(self) -> None:
        self.size = 0
        """How many bytes were written."""
        self._hash = hashlib.sha256()
        self._over = ""

    def digest(self) -> str:
        """The SHA-256 of what was written, in hexadecimal digits: the content's name."""
        return self._hash.hexdigest()

    def write(self, data: bytes) -> None:
        """Appends ``data``. Does not wait for the disk.

        Raises ``StoreFailed`` if there is no room for it, or the disk fails. Then
        nothing can be written any more; what was written before can be read.
        """
        self._check()
        try:
            self._append(data)
        except StoreFailed as error:
            self._over = str(error)
            self._give_up()
            raise
        self._hash.update(data)
        self.size += len(data)

    def commit(self, entry: Entry) -> Entry:
        """Stores ``entry`` with what was written as its content; returns it ``completed``.

        It takes the place of the entry with the same key and selecting fields.
        From now on it is served. Does not wait for the disk: the file gets its
        name when it is synced, a moment later; until then the end of the process
        means that nothing was stored.

        Raises ``LocalProtocolError`` if ``Content-Length`` does not agree, and
        ``StoreFailed``; then all is as if it had been aborted, but for what can
        still be read.
        """
        self._check()
        try:
            entry = completed(entry, self.digest(), self.size)
            self._publish(entry)
        except BaseException:
            self._over = "this content could not be committed"
            self._give_up()
            raise
        self._over = "this content is committed"
        return entry

    def abort(self) -> None:
        """Ends it; nothing remains, neither is it readable. Nothing happens if it has ended."""
        if not self._over:
            self.close()

    def close(self) -> None:
        """Lets go of what was written: only its entry leads to it, if it was committed."""
        if not self._over:
            self._over = "this content was given up"
            self._give_up()
        self._release()

    def _check(self) -> None:
        if self._over:
            raise StoreFailed(self._over)

    @abstractmethod
    def read(self, at: int, size: int) -> bytes:
        """At most ``size`` of the bytes that were written, from offset ``at``; empty at the end.

        It goes on after ``commit``, until ``close``. Raises ``StoreFailed`` if
        it was closed, or the disk fails.
        """

    @abstractmethod
    def _append(self, data: bytes) -> None:
        """Puts all of ``data`` away, or raises ``StoreFailed``."""

    @abstractmethod
    def _publish(self, entry: Entry) -> None:
        """Makes it the content of an entry that is completed."""

    @abstractmethod
    def _give_up(self) -> None:
        """What was written will never be the content of an entry."""

    @abstractmethod
    def _release(self) -> None:
        """Nobody will read it any more. It may be called again."""


class Store(ABC):
    """Entries and their contents: see ``open_store``.

    All calls may come from any thread. None waits for the disk to sync, but for
    ``flush`` and ``close``; ``open`` may read a whole file, see there.
    """

    @abstractmethod
    def entries(self, key: str) -> tuple[Entry, ...]:
        """All variants that are stored under a cache key, in no order."""

    @abstractmethod
    def content(self, entry: Entry) -> bytes | None:
        """The whole content of an entry, if it is small.

        ``None`` if it is to be had from ``open`` only; or if it is gone or was
        damaged, and then so is the entry.
        """

    @abstractmethod
    def open(self, entry: Entry) -> int | None:
        """A descriptor to read the content of an entry from; whoever asks has to close it.

        It stays good whatever happens to the entry. ``None`` if the content is
        gone or was damaged, and then so is the entry. A file that was not read
        since the store was opened is read whole to compare it with its checksum,
        about a second for each GB: see ``verified``. Raises ``StoreFailed`` if
        there is no descriptor to be had, the entry stays.
        """

    @abstractmethod
    def verified(self, entry: Entry) -> bool:
        """Whether ``open`` will take no time; otherwise it may be called in a thread."""

    @abstractmethod
    def begin(self, announced: int = 0) -> Writing:
        """A new content, of ``announced`` bytes if that is known.

        Raises ``StoreFailed`` if none can be written, or none that is so long.
        """

    @abstractmethod
    def update(self, old: Entry, new: Entry) -> None:
        """Puts ``new`` in the place of ``old``, with the same content.

        Nothing happens if ``old`` is not what is stored any more. Raises
        ``ValueError`` if the two are not of one key and content.
        """

    @abstractmethod
    def remove(self, entry: Entry) -> None:
        """Removes an entry. Nothing happens if it is not what is stored any more."""

    def invalidate(self, key: str) -> None:
        """Removes all variants under a cache key (RFC 9111, 4.4)."""
        self.purge(key)

    @abstractmethod
    def purge(self, key: str) -> int:
        """Removes all variants under a cache key; returns how many there were."""

    @abstractmethod
    def purge_all(self) -> int:
        """Removes everything; returns how many entries there were.

        Raises ``StoreFailed`` if the disk fails: then some may still be there.
        """

    @abstractmethod
    def flush(self) -> None:
        """Waits until all that was committed, updated or removed would survive a power cut."""

    @abstractmethod
    def close(self) -> None:
        """Flushes, and lets go of the folder; the store is of no more use."""

    @property
    @abstractmethod
    def stats(self) -> Stats:
        """What it holds, and what it has done."""

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
