"""What was used last, as much of it as there is room for."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Recent(Generic[K, V]):
    """A table that forgets what was not used for longest when its items weigh more than ``limit``.

    Any thread may use it. To ask takes no lock, because each request does. ``forgotten``
    is called with each value that leaves it.
    """

    def __init__(self, limit: int, forgotten: Callable[[V], None] | None = None) -> None:
        self.weight = 0
        self._forgotten = forgotten
        self._limit = limit
        self._items: OrderedDict[K, tuple[V, int]] = OrderedDict()
        self._lock = Lock()

    def get(self, key: K) -> V | None:
        """The value, which is now the last that was used; ``None`` if it is not here."""
        item = self._items.get(key)
        if item is None:
            return None
        try:
            self._items.move_to_end(key)
        except KeyError:  # another thread has removed it just now
            pass
        return item[0]

    def put(self, key: K, value: V, weight: int) -> None:
        """Keeps a value; one that weighs more than all that may be kept is forgotten at once."""
        with self._lock:
            self._pop(key)
            if weight > self._limit:
                return
            self._items[key] = value, weight
            self.weight += weight
            while self.weight > self._limit:
                self._pop(next(iter(self._items)))

    def pop(self, key: K) -> None:
        """Forgets a key, if it is here."""
        with self._lock:
            self._pop(key)

    def clear(self) -> None:
        """Forgets everything."""
        with self._lock:
            for key in tuple(self._items):
                self._pop(key)

    def __len__(self) -> int:
        return len(self._items)

    def _pop(self, key: K) -> None:
        item = self._items.pop(key, None)
        if item is not None:
            self.weight -= item[1]
            if self._forgotten is not None:
                self._forgotten(item[0])
