"""A response of an upstream: its head is here, its body comes as it is asked for."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Protocol

from twisted.internet.defer import Deferred

from netlab.errors import ConnectionAborted, LocalProtocolError

from .head import Head

HIGH_WATER = 128 * 1024
"""Bytes that nobody has taken yet at which the connection is no longer read."""
LOW_WATER = 32 * 1024
"""Bytes at which it is read again."""


class Source(Protocol):
    """Where a body comes from."""

    def resume(self) -> None:
        """There is room for more of it."""

    def let_go(self) -> None:
        """Nobody wants the rest."""


class Fetched:
    """A final response (RFC 9110, 15): its head at once, its body by ``async for``.

    status   any three digits from 200 on
    reason   the words behind it, perhaps none
    version  of HTTP: ``1.1`` or ``1.0``
    fields   the header section as it was received, hop-by-hop fields too
    uri      where it came from: after redirects, the last one
    length   of the body in bytes, as announced (to HEAD and with 304: of the
             content that GET would have); ``None`` if it is not

    Iterating gives the body as it is on the wire, without its chunks: no
    content coding is undone. It raises ``FetchError`` if the upstream ends it too
    early or sends more than it announced, if it stalls, or is longer than allowed:
    only a body whose iteration ended has come whole. While nobody takes what has
    come, the upstream is made to wait.

    Whoever does not read to the end calls ``abort``, or ``aclose``.
    """

    __slots__ = (
        *("_done", "_ended", "_error", "_pieces", "_source", "_waiting", "fields", "length"),
        *("reason", "size", "status", "uri", "version"),
    )

    def __init__(self, head: Head, uri: str, source: Source) -> None:
        self.status = head.status
        self.reason = head.reason
        self.version = head.version
        self.fields = head.fields
        self.length = head.length
        self.uri = uri
        self.size = 0  # bytes that wait to be taken
        self._source = source
        self._pieces: deque[bytes] = deque()
        self._ended = False
        self._error: Exception | None = None
        self._waiting: Deferred[None] | None = None
        self._done: list[Callable[[], None]] = []

    def __repr__(self) -> str:
        return f"<Fetched {self.status} {self.uri!a}>"

    # -- for the reader

    def __aiter__(self) -> Fetched:
        return self

    async def __anext__(self) -> bytes:
        while not self._pieces:
            if self._error is not None:
                raise self._error
            if self._ended:
                raise StopAsyncIteration
            if self._waiting is not None:
                raise LocalProtocolError("two readers of one body: let one of them read it")
            self._waiting = Deferred()
            try:
                await self._waiting
            finally:
                self._waiting = None
        piece = self._pieces.popleft()
        before, self.size = self.size, self.size - len(piece)
        if self.size < LOW_WATER <= before and not self.over:
            self._source.resume()
        return piece

    def abort(self, reason: Exception | None = None) -> None:
        """Lets go of the rest: the connection is closed, unless the body was whole.

        Whoever iterates after that gets ``reason``, or ``ConnectionAborted``.
        """
        self._pieces.clear()
        self.size = 0
        if not self.over:
            self._source.let_go()
        if self._error is None:
            self._ended = False
            self.fail(reason or ConnectionAborted("the rest of this answer was let go"))

    async def aclose(self) -> None:
        """The same, where something awaitable is wanted."""
        self.abort()

    # -- for the connection

    @property
    def over(self) -> bool:
        """Whether nothing more will come."""
        return self._ended or self._error is not None

    def when_over(self, callback: Callable[[], None]) -> None:
        """Calls ``callback`` once nothing more will come, which may be now."""
        if self.over:
            callback()
        else:
            self._done.append(callback)

    def add(self, piece: bytes) -> None:
        """More of it came."""
        self._pieces.append(piece)
        self.size += len(piece)
        self._wake()

    def end(self) -> None:
        """All of it came."""
        if not self.over:
            self._ended = True
            self._over()

    def fail(self, error: Exception) -> None:
        """No more of it will come."""
        if not self.over:
            self._error = error
            self._over()

    def _over(self) -> None:
        callbacks, self._done = self._done, []
        for callback in callbacks:
            callback()
        self._wake()

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.called:
            self._waiting.callback(None)
