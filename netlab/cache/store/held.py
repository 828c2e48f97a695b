"""Contents that were forgotten while they are still being sent: they go on to take memory."""

from __future__ import annotations

from collections.abc import Iterable
from sys import getrefcount
from threading import Lock

_SMALL = 64 * 1024
"""In bytes: below, a content takes no more than what a connection has of its own."""


class Held:
    """Knows how much that is. Any thread may use it.

    A client that reads slowly may hold a content for as long as it likes, and then the
    next one: a store that counts only what it keeps could be made to fill the memory.
    """

    def __init__(self) -> None:
        self._contents: list[bytes] = []
        self._lock = Lock()

    def add(self, content: bytes) -> None:
        """A content that is not kept any more."""
        if len(content) >= _SMALL:
            with self._lock:
                self._contents.append(content)

    def weigh(self) -> int:
        """In bytes, those that somebody still has; the others are forgotten here as well."""
        if not self._contents:
            return 0
        with self._lock:
            self._contents = _referred_to(self._contents)
            return sum(map(len, self._contents))


def _referred_to(contents: Iterable[bytes]) -> list[bytes]:
    """Those that are referred to from elsewhere."""
    return [each for each in contents if getrefcount(each) > _ALONE]


_ALONE = next(getrefcount(each) for each in [bytes(_SMALL)])
"""References to a content in a list that is iterated over, which nobody else has."""
