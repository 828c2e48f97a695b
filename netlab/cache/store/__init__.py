"""Where a shared HTTP cache keeps its entries and their contents.

    store = open_store(Path("/var/cache/netlab"), told=print)
    writing = store.begin()
    writing.write(b"…")
    entry = writing.commit(entry)      # served from now on; on the disk a moment later
    store.entries(entry.key)           # -> all variants
    store.content(entry)               # -> bytes, or None: then
    store.open(entry)                  # -> a descriptor, or None: gone

Whatever happens, a power cut, ``kill -9``, a full or a failing disk, a damaged file, a
deleted index: what the store gives is what was committed to it, byte for byte, or
nothing. What is lost is a miss. No Twisted here; see ``Store`` for what may be
called from where.
"""

from __future__ import annotations

from pathlib import Path

from netlab.cache.store.disk import DiskStore
from netlab.cache.store.interface import Stats, Store, StoreFailed, Told, Writing
from netlab.cache.store.memory import MemoryStore
from netlab.errors import ConfigurationError

__all__ = ["Stats", "Store", "StoreFailed", "Writing", "open_store"]

_LEAST = 1 << 16


def _silent(_text: str) -> None:
    pass


def open_store(
    directory: Path | None = None,
    *,
    max_bytes: int = 1 << 30,
    memory_bytes: int = 1 << 26,
    told: Told = _silent,
) -> Store:
    """The store in a folder, which is made if it is not there; one in memory for ``None``.

    ``max_bytes`` of the disk are used at most, and as little more as is evicted a
    moment later; ``memory_bytes`` bounds what is kept of it in memory, or all there is
    for ``None``. A response may take half of the one or the other. ``told`` is called
    with a sentence when the disk fails or something was damaged, from any thread.

    To open takes a while if the cache is big, or its index has to be made anew. A
    program that becomes a daemon opens it after that: a fork ends threads and locks.

    Raises ``ConfigurationError`` if the folder cannot be written, has other things in it
    or is used by another process, or if a size is too small to be meant.
    """
    for name, size in (("max_bytes", max_bytes), ("memory_bytes", memory_bytes)):
        if size < _LEAST:
            raise ConfigurationError(f"{name} is {size}: at least {_LEAST} bytes are needed")
    if directory is None:
        return MemoryStore(memory_bytes=memory_bytes)
    return DiskStore(directory, max_bytes=max_bytes, memory_bytes=memory_bytes, told=told)
