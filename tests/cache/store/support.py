"""Stores and entries for the tests."""

from __future__ import annotations

import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from netlab.cache.policy import Entry
from netlab.cache.store import Store, open_store
from netlab.fields import Fields

KEY = "http://example.org/a"


def entry(
    key: str = KEY,
    *,
    selecting: tuple[tuple[str, str | None], ...] = (),
    at: float = 1_000_000_000.0,
    fields: Fields = Fields([("Content-Type", "text/plain")]),  # noqa: B008
    invalid: bool = False,
) -> Entry:
    """An entry whose content has not come yet."""
    return Entry(
        key=key,
        selecting=selecting,
        status=200,
        reason="OK",
        fields=fields,
        request_time=at - 1,
        response_time=at,
        invalid=invalid,
    )


def put(store: Store, new: Entry, content: bytes = b"content") -> Entry:
    """Stores an entry; returns it completed."""
    writing = store.begin()
    writing.write(content)
    try:
        return writing.commit(new)
    finally:
        writing.close()


def opened(store: Store, stored: Entry) -> bytes | None:
    """What is read from ``Store.open``'s descriptor."""
    descriptor = store.open(stored)
    if descriptor is None:
        return None
    with os.fdopen(descriptor, "rb") as file:
        return file.read()


def files(folder: Path) -> set[str]:
    """The paths of all files of entries and contents, and of what is aside."""
    return {
        str(path.relative_to(folder))
        for kind in ("entries", "contents", "tmp")
        for path in (folder / kind).rglob("*")
        if path.is_file()
    }


class StoreCase(SynchronousTestCase):
    """A test with a folder; its stores are closed when it ends, ``notes`` is what they tell."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.notes: list[str] = []

    def open(
        self, *, memory: bool = False, max_bytes: int = 1 << 24, memory_bytes: int = 1 << 22
    ) -> Store:
        """A store that tells nothing to anybody but ``notes``."""
        store = open_store(
            None if memory else self.folder,
            max_bytes=max_bytes,
            memory_bytes=memory_bytes,
            told=self.notes.append,
        )
        self.addCleanup(store.close)
        return store

    def reopened(self, store: Store) -> Store:
        """The same after a restart."""
        store.close()
        return self.open()
