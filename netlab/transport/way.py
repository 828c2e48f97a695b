"""One direction of a detour: bytes go in, and come out later, in order."""

from __future__ import annotations

from netlab.impair import StreamLink

from .stream import JOIN, NEVER

_FIN = b"\0"
"""Stands for the end of a stream, which has a sequence number (RFC 9293, section 3.4)."""


class Way:
    """One direction: its link, or none, and the end behind all bytes.

    ended  whether the end went in
    over   and whether it has come out
    """

    __slots__ = ("_passing", "ended", "link", "over")

    def __init__(self, link: StreamLink | None) -> None:
        self.link = link
        self.ended = False
        self.over = False
        self._passing: list[bytes] = []  # where there is no link

    def put(self, now: float, data: bytes) -> None:
        """``data`` goes in; look at ``room`` before, or there will be too much in it."""
        if self.link is not None:
            self.link.offer(now, data)
        elif not self.over:
            self._passing.append(data)

    def end(self, now: float) -> None:
        """Nothing comes after this."""
        if not self.ended:
            self.ended = True
            self.put(now, _FIN)

    def take(self, now: float) -> list[bytes]:
        """What comes out at ``now``, piece by piece."""
        if self.link is None:
            pieces, self._passing = self._passing, []
        else:
            pieces = self.link.take(now)
        if self.ended and not self.over and not self.under_way and not self._cut_off():
            self.over = True
            last = pieces.pop()[: -len(_FIN)]
            if last:
                pieces.append(last)
        return pieces

    def _cut_off(self) -> bool:
        """Whether a reset comes next: then there is no room, though nothing is under way."""
        return self.link is not None and not self.link.room()

    @property
    def room(self) -> int:
        """How many bytes to put in at most; 0 as well when the connection will be reset."""
        return JOIN if self.link is None else self.link.room()

    @property
    def under_way(self) -> int:
        """How many bytes are in, the end counted as one."""
        return sum(map(len, self._passing)) if self.link is None else len(self.link)

    @property
    def next_due(self) -> float:
        """When something happens next."""
        return NEVER if self.link is None else self.link.next_due

    def resets(self, now: float) -> bool:
        """Whether the connection is to be reset: all that comes before was taken."""
        return self.link is not None and self.link.reset_due(now)

    def clear(self) -> None:
        """Nothing goes in or comes out any more."""
        self.link = None
        self._passing = []
        self.ended = self.over = True
