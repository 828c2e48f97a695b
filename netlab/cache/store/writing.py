"""A content while it is written to a file."""

from __future__ import annotations

import os
from collections.abc import Callable

from netlab.cache.policy import Entry
from netlab.cache.store.folder import unlink, write_all
from netlab.cache.store.interface import StoreFailed, Writing
from netlab.cache.store.shelf import Shelf


class DiskWriting(Writing):
    """A file aside; see ``Writing``. ``commit`` is called with an entry, this file, and open."""

    def __init__(self, shelf: Shelf, path: str, commit: Callable[[Entry, str, int], None]) -> None:
        self._descriptor = -1
        self._counted = 0
        super().__init__()
        self._shelf = shelf
        self._commit = commit
        self._path = path
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)

    def read(self, at: int, size: int) -> bytes:
        """See ``Writing.read``."""
        if self._descriptor < 0:
            raise StoreFailed("this content is closed")
        try:
            # What a write that has failed has left is not part of it.
            return os.pread(self._descriptor, max(0, min(size, self.size - at)), at)
        except OSError as error:
            raise self._shelf.folder.failed(error) from error

    def _append(self, data: bytes) -> None:
        self._shelf.grow(self.size, len(data))
        self._counted += len(data)
        try:
            write_all(self._descriptor, data)
        except OSError as error:
            raise self._shelf.failed(error) from error

    def _publish(self, entry: Entry) -> None:
        self._commit(entry, self._path, self._descriptor)
        self._uncount()

    def _give_up(self) -> None:
        # Its bytes are on the disk, and counted, until nobody reads them any more.
        try:
            unlink(self._path)
        except OSError:  # the next start deletes it
            pass

    def _release(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)
        self._uncount()

    def _uncount(self) -> None:
        counted, self._counted = self._counted, 0
        self._shelf.uncount(counted)

    def __del__(self) -> None:
        if self._descriptor >= 0:
            self.close()
