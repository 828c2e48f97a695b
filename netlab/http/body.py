"""A request's body, as a handler reads it: piece by piece, no faster than it wants."""

from __future__ import annotations

from collections import deque
from typing import Protocol

from twisted.internet.defer import Deferred

from netlab.errors import LocalProtocolError, NetlabError
from netlab.fields import Fields

from .errors import BodyTooLong

_DEFAULT_LIMIT = 1024 * 1024
_NOTHING = Fields()


class Source(Protocol):
    """Where a body comes from."""

    def body_wanted(self) -> None:
        """Somebody waits for more of it."""

    def body_taken(self) -> None:
        """Some of what waited has been read."""


class Body:
    """The body of a request.

    ``async for piece in request.body`` gives it as it comes, in pieces of one byte to
    64 KiB; ``await request.body.read(limit)`` gives it whole. While nobody reads, the
    client is made to wait. Both raise ``RequestError`` for what breaks the rules or comes
    too slowly, and ``ConnectionClosed`` when the client is gone: let those pass, and
    the client hears of it, if it can.

    length    in bytes, ``None`` if the client did not say
    trailers  the fields behind it (RFC 9110, 6.5): there once it has been read
    """

    __slots__ = ("_ended", "_error", "_pieces", "_source", "_waiting", "length", "size", "trailers")

    def __init__(self, source: Source | None, length: int | None) -> None:
        self.length = length
        self.trailers = _NOTHING
        self.size = 0  # bytes that wait to be read
        self._source = source
        self._pieces: deque[bytes] = deque()
        self._ended = False
        self._error: NetlabError | None = None
        self._waiting: Deferred[None] | None = None

    @classmethod
    def of(cls, data: bytes) -> Body:
        """A body that is there already."""
        body = cls(None, len(data))
        if data:
            body.add([data])
        body.end(_NOTHING)
        return body

    # -- for the handler

    def __aiter__(self) -> Body:
        return self

    async def __anext__(self) -> bytes:
        while True:
            if self._pieces:
                piece = self._pieces.popleft()
                self.size -= len(piece)
                if self._source is not None:
                    self._source.body_taken()
                return piece
            if self._error is not None:
                raise self._error
            if self._ended or self._source is None:
                raise StopAsyncIteration
            if self._waiting is not None:
                raise LocalProtocolError("two readers of one body: let one of them read it")
            self._waiting = Deferred()
            self._source.body_wanted()
            try:
                await self._waiting
            finally:
                self._waiting = None

    async def read(self, limit: int = _DEFAULT_LIMIT) -> bytes:
        """All that is left of it. Raises ``BodyTooLong`` if that is more than ``limit`` bytes."""
        if self.length is not None and self.length > limit:
            raise BodyTooLong(limit)
        pieces = []
        size = 0
        async for piece in self:
            pieces.append(piece)
            size += len(piece)
            if size > limit:
                raise BodyTooLong(limit)
        return b"".join(pieces)

    # -- for the connection

    def add(self, pieces: list[bytes]) -> None:
        """More of it came."""
        self._pieces += pieces
        self.size += sum(map(len, pieces))
        self._wake()

    def end(self, trailers: Fields) -> None:
        """All of it came."""
        self.trailers = trailers
        self._ended = True
        self._wake()

    def fail(self, error: NetlabError) -> None:
        """No more of it will come."""
        if not self._ended and self._error is None:
            self._error = error
            self._wake()

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.called:
            self._waiting.callback(None)


EMPTY = Body.of(b"")
"""The body of a request that has none."""
