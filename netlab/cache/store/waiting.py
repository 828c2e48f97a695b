"""Entries that are committed, and not on the disk yet."""

from __future__ import annotations

from collections.abc import KeysView, Mapping

from msgspec import Struct

from netlab.cache.policy import Entry


class Pending(Struct, eq=False):
    """An entry on its way to the disk."""

    name: str
    entry: Entry
    record: bytes
    aside: str
    """The path of its content."""
    size: int
    """In bytes, what it takes on the disk."""
    cancelled: bool = False
    """Whether it was removed or replaced in the meantime: then it is nothing but a file."""
    done: bool = False
    """Whether its content is where it belongs, or deleted."""


class Waiting:
    """All that are on their way; those that are not cancelled by name and by key."""

    def __init__(self) -> None:
        self._items: dict[str, Pending] = {}
        self._of_key: dict[str, dict[str, Pending]] = {}
        self._of_content: dict[str, list[Pending]] = {}

    def __len__(self) -> int:
        return len(self._items)

    def names(self) -> KeysView[str]:
        """The names of all."""
        return self._items.keys()

    def get(self, name: str) -> Pending | None:
        """The one with this name."""
        return self._items.get(name)

    def under(self, key: str) -> Mapping[str, Pending]:
        """Those under a cache key, by their names."""
        return self._of_key.get(key, {})

    def with_content(self, digest: str) -> list[Pending]:
        """Those with this content. Any thread may ask."""
        return [item for item in tuple(self._of_content.get(digest, ())) if not item.cancelled]

    def add(self, item: Pending) -> None:
        """One more."""
        self.attach(item)
        self._of_content.setdefault(item.entry.body_digest, []).append(item)

    def cancel(self, name: str) -> None:
        """That one is not wanted any more, if it is there; its content still has to go."""
        item = self._items.get(name)
        if item is not None:
            self.detach(item)
            item.cancelled = True

    def attach(self, item: Pending) -> None:
        """It can be found by name and key."""
        self._items[item.name] = item
        self._of_key.setdefault(item.entry.key, {})[item.name] = item

    def detach(self, item: Pending) -> None:
        """It cannot."""
        del self._items[item.name]
        of_key = self._of_key[item.entry.key]
        del of_key[item.name]
        if not of_key:
            del self._of_key[item.entry.key]

    def done(self, item: Pending) -> None:
        """It is not on its way any more."""
        item.done = True
        digest = item.entry.body_digest
        items = self._of_content[digest]
        items.remove(item)
        if not items:
            del self._of_content[digest]
