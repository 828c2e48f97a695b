"""The thread that syncs contents and gives them their names.

It takes what was committed in batches: to sync 64 files costs little more than to
sync one, if the disk begins to write all of them before one is waited for. A file is
named when it is synced, and its entry gets into the index when it is named. Names
and index are synced when there is nothing else to do: what a power cut takes back
of them is missing, never wrong; see ``index``.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from threading import Condition, RLock, Thread
from typing import Protocol

from netlab.cache.store.waiting import Pending

_BATCH = 64
_AT_ONCE = 16  # in one transaction, for which others have to wait
_QUIET = 1.0  # seconds without work until the rest is synced
_BUSY = 64  # batches until some of it is synced all the same
_MOST = 10_000  # that wait: a disk that hangs must not use up the memory


class Publishing(Protocol):
    """What the thread does its work with; the lock is held where not said otherwise."""

    lock: RLock

    def make_room(self) -> bool:
        """Evicts a few entries if there is no room; returns whether to call it again."""

    def publish(self, items: list[Pending]) -> None:
        """Gives contents their names and puts their entries into the index. Never raises."""

    def withdraw(self, item: Pending, error: Exception) -> None:
        """Takes back an entry that cannot be stored. Never raises."""

    def settle(self, *, names: bool) -> None:
        """Syncs the index, and ``names``; without the lock. Raises what the disk does."""

    def report(self, error: Exception) -> None:
        """Tells that the disk fails."""


class Publisher:
    """The thread; it starts when it is needed first."""

    def __init__(self, store: Publishing) -> None:
        self._store = store
        self._changed = Condition(store.lock)
        self._queue: deque[Pending] = deque()
        self._working = False
        self._unsettled = False
        self._hurry = False
        self._closing = False
        self._thread: Thread | None = None

    @property
    def full(self) -> bool:
        """Whether the disk does not keep up."""
        return len(self._queue) >= _MOST

    def add(self, item: Pending) -> None:
        """Takes an entry to be stored."""
        with self._changed:
            self._queue.append(item)
            self.wake()

    def wake(self) -> None:
        """Something was changed that is to be synced, or there is no room."""
        with self._changed:
            self._unsettled = True
            if self._thread is None and not self._closing:
                self._thread = Thread(target=self._run, name="netlab cache", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def flush(self) -> None:
        """Waits until nothing is left to do."""
        with self._changed:
            self._hurry = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: not (self._working or self._queue or self._unsettled))
            self._hurry = False

    def close(self) -> None:
        """Ends the thread when nothing is left to do."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        batches = 0
        while True:
            batch = self._next()
            if batch is None:
                return
            try:
                self._make_room()
                if batch:
                    self._publish(batch)
                    batches += 1
                if not batch or batches == _BUSY:
                    batches = 0
                    self._store.settle(names=not batch)
            except Exception as error:  # the thread must not end: nobody would do its work
                self._store.report(error)
                for item in batch:
                    self._withdraw(item, error)

    def _next(self) -> list[Pending] | None:
        """What to store now; nothing, when the rest is to be synced; ``None`` at the end."""
        with self._changed:
            self._working = False
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._queue or self._unsettled or self._closing)
            if not self._queue:
                self._changed.wait_for(lambda: self._queue or self._hurry or self._closing, _QUIET)
            if self._closing and not (self._queue or self._unsettled):
                return None
            self._working = True
            self._unsettled = bool(self._queue)
            return [self._queue.popleft() for _ in range(min(_BATCH, len(self._queue)))]

    def _publish(self, batch: list[Pending]) -> None:
        synced = _synced(batch, self._withdraw)
        for at in range(0, len(synced), _AT_ONCE):
            with self._store.lock:
                self._store.publish(synced[at : at + _AT_ONCE])

    def _make_room(self) -> None:
        again = True
        while again:
            with self._store.lock:
                again = self._store.make_room()

    def _withdraw(self, item: Pending, error: Exception) -> None:
        with self._store.lock:
            if not item.done:
                self._store.withdraw(item, error)


def _synced(batch: list[Pending], withdraw: Callable[[Pending, Exception], None]) -> list[Pending]:
    """Syncs the contents; returns those for which it went well."""
    begun = []
    for item in batch:
        try:
            descriptor = os.open(item.aside, os.O_RDWR)
            try:
                if hasattr(os, "posix_fadvise"):  # begin to write, and do not wait
                    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            finally:
                os.close(descriptor)
            begun.append(item)
        except OSError as error:
            withdraw(item, error)
    synced = []
    for item in begun:
        try:
            descriptor = os.open(item.aside, os.O_RDWR)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            synced.append(item)
        except OSError as error:
            withdraw(item, error)
    return synced
