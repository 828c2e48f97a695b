"""Contents on the disk: read, and compared with their checksum."""

from __future__ import annotations

import hashlib
import os

from netlab.cache.store.recent import Recent

_CHUNK = 1 << 20  # bytes
_MOST = 100_000  # files that are known to be good

Seen = tuple[int, int, int]
"""Which file it is, and whether it was written to."""


class Damaged(Exception):
    """A file is not what its name says."""


class Contents:
    """Opens files whose name is their SHA-256; remembers which were read and are good."""

    def __init__(self) -> None:
        self._good: Recent[str, Seen] = Recent(_MOST)

    def remember(self, digest: str, descriptor: int) -> None:
        """This process itself has written what is in it."""
        self._good.put(digest, _seen(descriptor), 1)

    def forget(self, digest: str) -> None:
        """The file is deleted."""
        self._good.pop(digest)

    def known(self, digest: str) -> bool:
        """Whether it was read, or written, by this process."""
        return self._good.get(digest) is not None

    def read(self, digest: str, path: str, size: int) -> bytes:
        """All of a file. Raises ``Damaged``, or ``OSError``."""
        descriptor = os.open(path, os.O_RDONLY)
        try:
            data = os.pread(descriptor, size + 1, 0)
        finally:
            os.close(descriptor)
        if len(data) != size or hashlib.sha256(data).hexdigest() != digest:
            raise Damaged
        return data

    def open(self, digest: str, path: str, size: int) -> int:
        """A descriptor of a file that is good. Raises ``Damaged``, or ``OSError``."""
        descriptor = os.open(path, os.O_RDONLY)
        try:
            seen = _seen(descriptor)
            if seen[2] != size:
                raise Damaged
            if self._good.get(digest) != seen:
                if _sum(descriptor) != digest:
                    raise Damaged
                self._good.put(digest, seen, 1)
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor


def _seen(descriptor: int) -> Seen:
    status = os.fstat(descriptor)
    return status.st_ino, status.st_mtime_ns, status.st_size


def _sum(descriptor: int) -> str:
    digest, at = hashlib.sha256(), 0
    while data := os.pread(descriptor, _CHUNK, at):
        digest.update(data)
        at += len(data)
    return digest.hexdigest()
