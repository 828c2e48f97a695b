"""One direction of a detour: bytes go in, and come out later, in order."""

from __future__ import annotations

from collections import deque

from netlab.impair import StreamLink

from .stream import JOIN, NEVER

_FIN = b"\0"
"""Stands for the end of a stream, which has a sequence number (RFC 9293, section 3.4)."""


class Way:
    """One direction: its link, what the link has no room for yet, and the end behind all.

    over  whether the end has come out
    """

    __slots__ = ("_before", "_ended", "link", "over")

    def __init__(self, link: StreamLink | None) -> None:
        self.link = link
        self.over = False
        self._before: deque[memoryview] = deque()
        self._ended = False

    def put(self, now: float, data: bytes) -> None:
        """``data`` goes in, or waits before the link if there is too much of it."""
        self._before.append(memoryview(data))
        self._enter(now)

    def end(self, now: float) -> None:
        """Nothing comes after this."""
        if not self._ended:
            self._ended = True
            self.put(now, _FIN)

    def take(self, now: float) -> list[bytes]:
        """What comes out, piece by piece."""
        link = self.link
        if link is None:
            pieces = [bytes(each) for each in self._before]
            self._before.clear()
        else:
            pieces = link.take(now)
            while self._before and link.room() > 0:
                self._enter(now)
                pieces += link.take(now)
        if self._ended and not self.over and not self.under_way and not self._will_reset():
            self.over = True
            last = pieces.pop()[: -len(_FIN)]
            if last:
                pieces.append(last)
        return pieces

    def _enter(self, now: float) -> None:
        link = self.link
        while link is not None and self._before and (room := link.room()) > 0:
            data = self._before.popleft()
            if len(data) > room:
                self._before.appendleft(data[room:])
            link.offer(now, bytes(data[:room]))

    def _will_reset(self) -> bool:
        return self.link is not None and not len(self.link) and not self.link.room()

    @property
    def room(self) -> int:
        """How many bytes go in at once; 0 as well when the connection will be reset."""
        return JOIN if self.link is None else 0 if self._before else self.link.room()

    @property
    def under_way(self) -> int:
        """How many bytes are in, the end counted as one."""
        return sum(map(len, self._before)) + (0 if self.link is None else len(self.link))

    @property
    def next_due(self) -> float:
        """When something comes out."""
        return NEVER if self.link is None else self.link.next_due

    def resets(self, now: float) -> bool:
        """Whether the connection is to be reset: all that comes before was taken."""
        return self.link is not None and self.link.reset_due(now)

    def clear(self) -> None:
        """Nothing comes out any more."""
        self.link = None
        self._before.clear()
        self.over = False
        self._ended = True
