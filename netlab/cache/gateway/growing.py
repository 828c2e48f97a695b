"""The content of a response while it comes: one writes, any number read."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred

from netlab.cache.store import StoreFailed, Writing
from netlab.http import RequestError

from .bodies import PIECE

_WINDOW = 256 * 1024
"""Bytes that are kept for readers when nothing can be stored; the origin waits for them."""


class Growing:
    """A content that is written aside, and read from its beginning as it grows.

    When it cannot be written (``writing`` is ``None``, or the disk is full) what
    comes goes on to those who read already: the slowest of them sets the pace.
    When the last of those has gone, ``abandoned`` is called.

    ``failure`` says why it cannot be stored any more.
    """

    def __init__(
        self,
        writing: Writing | None,
        failure: StoreFailed | None = None,
        *,
        abandoned: Callable[[], None],
    ) -> None:
        self.writing = writing
        self.failure = failure
        self.size = 0
        self.ended = False
        self.error: RequestError | None = None
        self._abandoned = abandoned
        self._written = 0  # so much can be read from what is written
        self._window = bytearray()  # and what follows from here
        self._window_start = 0
        self._readers: set[Reader] = set()
        self._waiting: dict[Deferred[None], None] = {}
        self._room: Deferred[None] | None = None
        self._closed = False

    @property
    def over(self) -> bool:
        """Whether nothing more comes."""
        return self.ended or self.error is not None

    @property
    def joinable(self) -> bool:
        """Whether one more reader can have all of it, from its beginning."""
        return self.error is None and not self._closed and self._window_start <= self._written

    @property
    def wanted(self) -> bool:
        """Whether it has a use: somebody reads it, or it is being stored."""
        return bool(self._readers) or self.failure is None

    # -- for who writes

    async def add(self, piece: bytes) -> None:
        """Appends ``piece``; waits while it cannot be stored and readers are behind."""
        if self.failure is None and self.writing is not None:
            try:
                self.writing.write(piece)
                self._written = self._window_start = self.writing.size
            except StoreFailed as error:
                self.failure = error
        self.size += len(piece)
        if self.failure is not None:
            self._window += piece
        self._wake()
        while self.failure is not None and self._behind() > _WINDOW:
            self._room = Deferred()
            await self._room

    def end(self, error: RequestError | None = None) -> None:
        """Nothing more comes: it is whole, unless there is an ``error``. Once."""
        self.ended = error is None
        self.error = error
        self._wake()
        self._let_go()

    def _behind(self) -> int:
        """How far the slowest reader is behind; forgets what all readers have."""
        least = min((each.at for each in self._readers), default=self.size)
        if least > self._window_start:
            del self._window[: least - self._window_start]
            self._window_start = least
        return self.size - least

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, {}
        for each in waiting:
            if not each.called:
                each.callback(None)

    # -- for those who read

    def reader(self) -> Reader:
        """One more reader, who begins at the beginning. To be closed."""
        reader = Reader(self)
        self._readers.add(reader)
        return reader

    def read(self, at: int) -> bytes:
        """Some of the bytes from ``at`` on; empty if there are none yet."""
        if at < self._written and self.writing is not None:
            return self.writing.read(at, min(PIECE, self._written - at))
        start = at - self._window_start
        return bytes(self._window[start : start + PIECE])

    async def more(self) -> None:
        """Waits until there is more, or the end."""
        waiting: Deferred[None] = Deferred()
        self._waiting[waiting] = None
        try:
            await waiting
        finally:
            self._waiting.pop(waiting, None)

    def moved(self) -> None:
        """A reader has taken something."""
        room = self._room
        if room is not None and self._behind() <= _WINDOW // 2:
            self._room = None
            room.callback(None)  # which nobody hears if the writer was cancelled

    def left(self, reader: Reader) -> None:
        """A reader has all it wants."""
        if reader in self._readers:
            self._readers.discard(reader)
            if not self.wanted and not self.over:
                self._closed = True
                self._abandoned()
            self.moved()
            self._let_go()

    def _let_go(self) -> None:
        if self.over and not self._readers:
            self._closed = True
            if self.writing is not None:
                self.writing.close()


class Reader:
    """Iterates over a content: all of it, or ``RequestError`` where it broke off."""

    def __init__(self, growing: Growing) -> None:
        self._growing = growing
        self.at = 0
        """How many bytes it has got."""

    def __aiter__(self) -> Reader:
        return self

    async def __anext__(self) -> bytes:
        growing = self._growing
        while self.at >= growing.size:
            if growing.error is not None:
                # Many raise it: it must not gather the traces of them all.
                raise growing.error.with_traceback(None)
            if growing.ended:
                raise StopAsyncIteration
            await growing.more()
        try:
            piece = growing.read(self.at)
        except StoreFailed:
            piece = b""
        if not piece:
            raise RequestError(500, "what is being stored cannot be read back")
        self.at += len(piece)
        growing.moved()
        return piece

    def close(self) -> None:
        """Lets go of it, read to the end or not."""
        self._growing.left(self)

    async def aclose(self) -> None:
        """The same, where something awaitable is wanted."""
        self.close()
