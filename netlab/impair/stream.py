"""One direction of a stream: the same bytes in the same order, later and in other pieces."""

from __future__ import annotations

from collections import deque
from math import inf

from netlab.impair.conditions import Delay, Segment, StreamConditions
from netlab.impair.draws import (
    BEFORE_FIRST,
    Lane,
    Lanes,
    Memory,
    below,
    blocks,
    delays,
    threshold,
)

FULL_SEGMENT = 1460
"""Bytes of a piece when ``segment`` says nothing: a TCP segment's on Ethernet and IPv4."""


_APART = 0.001
"""The least seconds from one piece of ``segment`` to the next: of those that come
together a reader would see but one."""

MOST_PIECES = 4096
"""Pieces under way at which a link takes no more, however small they are."""


class StreamLink:
    """Holds the bytes of one direction of one connection until they are due.

    conditions  what the link does
    seed        two links of one seed do the same to the same bytes
    direction   ``"in"`` for what the client sends, ``"out"`` for what it gets
    host        the client's address

    A stream has no packets, so its bytes are counted off in *pieces*: of ``segment``
    bytes, or else of ``FULL_SEGMENT``. What piece ``i`` meets (its size, its delay,
    a stall, the reset) is a function of the seed, the host, the direction and
    ``i``, computed as ``netlab.impair.draws`` says. So the same byte of every
    connection meets the same, however the bytes are offered. A piece is not
    held back until it is full: of what is offered in parts, parts arrive.

    No byte is lost and none overtakes another, as TCP has it. A piece's delay
    (with its jitter) begins when it is offered; it moves on after that, after the
    piece before it, and then as fast as ``rate`` allows. A ``stall`` is a time in
    which a piece, and so all behind it, does not move. At a ``reset`` the bytes of
    earlier pieces still arrive, and nothing after them.
    """

    def __init__(
        self, conditions: StreamConditions, *, seed: int, direction: str, host: str
    ) -> None:
        delay, stall, reset = conditions.delay, conditions.stall, conditions.reset
        self.next_due = inf
        """When something happens next: bytes are due, or the reset; infinity if nothing is."""
        self._limit = conditions.limit
        self._block = blocks("stream", seed, direction, host)
        self._memory = Memory(self._block(BEFORE_FIRST))
        self._delays = delays(delay or Delay(0.0))[0]
        self._byte_time = 0.0 if conditions.rate is None else conditions.rate.seconds(1)
        self._stall = (threshold(stall.probability), stall.time) if stall else (0, 0.0)
        self._reset = threshold(reset or 0.0)
        self._segment = conditions.segment
        # Without anything that differs between pieces, the whole stream is one.
        self._endless = not (
            conditions.segment or conditions.rate or stall or reset or (delay and delay.jitter)
        )
        self._pieces: deque[tuple[float, bytes]] = deque()
        self._under_way = 0  # bytes
        self._latest = -inf  # when the last byte offered is due
        self._index = 0  # of the next piece
        self._left: float = 0  # bytes, until that begins
        self._delay = 0.0  # of the piece under way
        self._resets_at: float | None = None

    def room(self) -> int:
        """How many bytes to offer now, at most; 0 when the stream will be reset.

        It is 0 as well while the link holds ``MOST_PIECES``: whoever sends byte by byte
        is not to fill the memory with what each piece costs besides.
        """
        if self._resets_at is not None or len(self._pieces) >= MOST_PIECES:
            return 0
        return max(0, self._limit - self._under_way)

    def offer(self, now: float, data: bytes) -> None:
        """Schedules the stream's next bytes.

        ``now`` is the moment in seconds, on any clock that never goes back. More
        than ``room()`` is taken, too, since what was read cannot be given back: whoever
        offers only while there is room goes over the limit by one offer at most.
        Bytes from the place of a reset on are dropped.
        """
        if self._resets_at is not None:
            return
        at, end = 0, len(data)
        while at < end:
            not_before = -inf
            if not self._left:
                if self._segment is not None:
                    not_before = self._latest + _APART
                self._begin(now)
                if self._resets_at is not None:
                    break
            size = int(min(self._left, end - at))
            self._left -= size
            self._latest = max(now + self._delay, self._latest) + size * self._byte_time
            self._latest = max(self._latest, not_before)
            self._pieces.append((self._latest, data[at : at + size]))
            self._under_way += size
            at += size
        self._look_ahead()

    def take(self, now: float) -> list[bytes]:
        """The bytes that are due, in order.

        With ``segment`` each piece is an item; without it, all that is due together.
        """
        pieces = self._pieces
        due = []
        while pieces and pieces[0][0] <= now:
            due.append(pieces.popleft()[1])
        if due and self._segment is None:
            due = [b"".join(due)]
        self._under_way -= sum(map(len, due))
        self._look_ahead()
        return due

    def reset_due(self, now: float) -> bool:
        """Whether to reset the connection: it is time, and all that comes before was taken."""
        return self._resets_at is not None and self._resets_at <= now and not self._pieces

    def __len__(self) -> int:
        """How many bytes are under way."""
        return self._under_way

    def _begin(self, now: float) -> None:
        """Draws what the next piece meets."""
        lanes = self._block(self._index)
        self._index += 1
        self._delay = self._delays(lanes, self._memory)
        if lanes[Lane.PIECE_RESET] < self._reset:
            self._resets_at = max(now + self._delay, self._latest)
            return
        probability, stall = self._stall
        if lanes[Lane.PIECE_STALL] < probability:
            self._latest = max(now + self._delay, self._latest) + stall
        self._left = inf if self._endless else _size(self._segment, lanes)

    def _look_ahead(self) -> None:
        if self._pieces:
            self.next_due = self._pieces[0][0]
        else:
            self.next_due = inf if self._resets_at is None else self._resets_at


def _size(segment: Segment | None, lanes: Lanes) -> int:
    if segment is None:
        return FULL_SEGMENT
    choices = segment.longest - segment.shortest + 1
    return segment.shortest + below(lanes[Lane.PIECE_SIZE], choices)
