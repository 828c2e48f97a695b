"""Bodies of responses that are not at hand whole: sent as the client takes them."""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from netlab.errors import ConnectionClosed, LocalProtocolError
from netlab.transport import Log, Stream
from netlab.transport.answers import begin

from .message import FileBody, Response
from .outgoing import LAST_CHUNK, Plan, chunk

_PIECE = 64 * 1024
_PER_TURN = 16
"""Pieces of a file that are sent for one connection before the others have their turn."""
_JOIN = 4096
"""Pieces below this are copied into their chunk; of others the chunk is three buffers."""

_NOT_TRAILERS = frozenset({"content-length", "transfer-encoding", "connection", "host", "trailer"})

Done = Callable[[Failure | None], None]


class Sender:
    """Sends one body. ``done`` is called once: with what went wrong, or ``None``.

    ``sent`` counts the bytes of the body that were given to the stream.
    """

    def __init__(self, stream: Stream, done: Done) -> None:
        self.stream = stream
        self.sent = 0
        self._done: Done | None = done

    def start(self) -> None:
        """Sends what can be sent now."""
        raise NotImplementedError

    def can_write(self) -> None:
        """The client took enough: go on."""
        raise NotImplementedError

    def give_up(self) -> None:
        """The connection is gone; ``done`` is not called any more."""
        raise NotImplementedError

    def _finish(self, failure: Failure | None = None) -> None:
        done, self._done = self._done, None
        if done is not None:
            done(failure)


class FileSender(Sender):
    """Sends a range of a file.

    Reading blocks the process for as long as the disk takes for a piece: what is
    read often is in memory, and a disk that needs long stalls others as well.
    """

    def __init__(self, stream: Stream, done: Done, body: FileBody) -> None:
        super().__init__(stream, done)
        self._body = body

    def start(self) -> None:
        """See ``Sender``."""
        self._pump()

    def can_write(self) -> None:
        """See ``Sender``."""
        self._pump()

    def give_up(self) -> None:
        """See ``Sender``."""
        self._done = None
        self._body.close()

    def _pump(self) -> None:
        body, stream = self._body, self.stream
        try:
            for _ in range(_PER_TURN):
                if self._done is None or stream.closing:
                    return
                if stream.full and self.sent < body.length:
                    return  # ``can_write`` goes on
                if self.sent == body.length:
                    body.close()
                    self._finish()
                    return
                piece = body.read(self.sent, _PIECE)
                if not piece:
                    raise LocalProtocolError(
                        f"the file ended {body.length - self.sent} bytes early"
                    )
                self.sent += len(piece)
                stream.write(piece)
        except Exception:
            body.close()
            self._finish(Failure())
            return
        stream.hub.soon(self._pump)


class StreamSender(Sender):
    """Sends what an async iterable gives, in chunks if ``plan`` says so.

    begin     is called before anything is written: it writes the head. That is at the
              first piece, or when the iterable makes us wait for it; one that fails
              at once can be answered with an error.
    trailers  whether the client takes them
    """

    log = Log()

    def __init__(
        self,
        stream: Stream,
        done: Done,
        response: Response,
        plan: Plan,
        *,
        begin: Callable[[], None],
        trailers: bool,
    ) -> None:
        super().__init__(stream, done)
        self._response = response
        self._plan = plan
        self._begin: Callable[[], None] | None = begin
        self._takes_trailers = trailers
        self._running: Deferred[None] | None = None
        self._room: Deferred[None] | None = None

    def start(self) -> None:
        """See ``Sender``."""
        try:
            running = begin(self._send())
        except BaseException:
            self._ended(Failure())
            return
        if isinstance(running, Deferred):
            self._write_head()
            self._running = running
            running.addBoth(self._ended)
        else:
            self._ended(None)

    def can_write(self) -> None:
        """See ``Sender``."""
        room, self._room = self._room, None
        if room is not None:
            room.callback(None)

    def give_up(self) -> None:
        """See ``Sender``."""
        self._done = None
        running, self._running = self._running, None
        if running is not None:
            running.cancel()

    async def _send(self) -> None:
        body: Any = self._response.body
        try:
            async for piece in body:
                if len(piece):
                    self._write(piece if piece.__class__ is bytes else bytes(memoryview(piece)))
                if self.stream.full:
                    self._room = Deferred()
                    await self._room
        finally:
            await close_body(body)
        self._write_end()

    def _write_head(self) -> None:
        begin, self._begin = self._begin, None
        if begin is not None:
            begin()

    def _write(self, piece: bytes) -> None:
        plan, write = self._plan, self.stream.write
        size = len(piece)
        if plan.length is not None and self.sent + size > plan.length:
            raise LocalProtocolError(f"the body has more than the {plan.length} bytes announced")
        self._write_head()
        if self.stream.closing:
            raise ConnectionClosed("the connection is closed")
        self.sent += size
        if not plan.chunked:
            write(piece)
        elif size < _JOIN:
            write(chunk(piece))
        else:
            write(b"%x\r\n" % size)
            write(piece)
            write(b"\r\n")

    def _write_end(self) -> None:
        plan = self._plan
        if plan.length is not None and self.sent < plan.length:
            raise LocalProtocolError(
                f"the body ended after {self.sent} of the {plan.length} bytes announced"
            )
        lines = b""
        trailers = self._response.trailers
        if trailers is not None and self._takes_trailers:
            if not trailers.names().isdisjoint(_NOT_TRAILERS):
                raise LocalProtocolError(f"fields that cannot be trailers: {_NOT_TRAILERS}")
            lines = trailers.to_bytes()
        self._write_head()
        if plan.chunked:
            self.stream.write(b"%b%b\r\n" % (LAST_CHUNK, lines))

    def _ended(self, result: Failure | None) -> None:
        self._running = None
        if self._done is not None:
            self._finish(result)
        elif isinstance(result, Failure) and not result.check(CancelledError, ConnectionClosed):
            # The connection went first. That it was cancelled for that is no news.
            self.log.failure("the body of a response raised an error", result)


async def close_body(body: AsyncIterable[bytes]) -> None:
    """Lets go of an async iterable, whether it was begun or not."""
    close = getattr(body, "aclose", None)
    if close is not None:
        await close()
