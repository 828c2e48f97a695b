"""A request's body on its way in: what llhttp makes of the bytes after the head.

llhttp is given each byte of the message and decides where it ends; with a
``Content-Length`` that must be where the number says. It offers no way to stop
there, and would go on with the next request. But a body in chunks ends in an empty
line (RFC 9112, 7.1), so llhttp is given the bytes up to one empty line after the
other, and asked in between.
"""

from __future__ import annotations

from httptools import HttpParserError, HttpRequestParser

from netlab.fields import Fields

from .complaints import complaint
from .errors import BodyTooLong, RequestError
from .head import END, Section, without_upgrade

_PER_CHUNK = 24
"""Bytes that a chunk may cost beside its data: sixteen digits, two ends of lines, and some more."""


_LINES = {(1, 0): b"POST / HTTP/1.0\r\n", (1, 1): b"POST / HTTP/1.1\r\n"}
"""First lines for llhttp: of the methods that it knows, some mean something to it."""


class Incoming:
    """The body that follows the head whose header section is ``section``.

    max_body      bytes of content, or ``None``
    max_overhead  bytes of chunk extensions and trailers, in all
    max_fields    lines of the trailers

    ``complete`` says whether all has come, ``trailers`` what came last. Raises
    ``RequestError``, in ``feed`` too; then it is of no more use.
    """

    __slots__ = (
        *("_chunks", "_fed", "_in_head", "_left", "_max_body", "_max_fields", "_max_overhead"),
        *("_parser", "_pieces", "_tail", "_trailers", "complete", "size"),
    )

    def __init__(
        self,
        section: Section,
        *,
        max_body: int | None,
        max_overhead: int,
        max_fields: int,
    ) -> None:
        self._max_body = max_body
        self._max_overhead = max_overhead
        self._max_fields = max_fields
        self._left = section.length
        self._in_head = True
        self._chunks = 0
        self._fed = 0
        self._tail = b""
        self._pieces: list[bytes] = []
        self._trailers: list[tuple[bytes, bytes]] = []
        self.size = 0
        self.complete = False
        self._parser = HttpRequestParser(self)
        told = without_upgrade(_LINES[section.version] + section.raw, section)
        try:
            self._parser.feed_data(told)
        except HttpParserError as error:
            raise complaint(told, f"{error}") from None
        if self.complete or self._in_head:
            raise _ambiguous()

    # -- for llhttp

    def on_headers_complete(self) -> None:
        """The head has ended."""
        self._in_head = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """A field line, of the head or of the trailers."""
        if not self._in_head:
            self._trailers.append((name, value))

    def on_chunk_header(self) -> None:
        """A chunk begins."""
        self._chunks += 1

    def on_body(self, piece: bytes) -> None:
        """Content."""
        self._pieces.append(piece)
        self.size += len(piece)

    def on_message_complete(self) -> None:
        """The message has ended."""
        self.complete = True

    # -- for the connection

    def feed(self, data: bytes, at: int) -> int:
        """Takes what belongs to the body of ``data`` from ``at`` on; returns where that ends."""
        if self._left is None:
            return self._feed_chunks(data, at)
        size = min(self._left, len(data) - at)
        self._left -= size
        self._give(data, at, at + size)
        if self.complete != (not self._left):
            raise _ambiguous()
        return at + size

    @property
    def announced(self) -> int:
        """Bytes that are still to come, as far as that is known."""
        return self._left or 0

    def take(self) -> list[bytes]:
        """The content since the last call."""
        pieces, self._pieces = self._pieces, []
        return pieces

    @property
    def trailers(self) -> Fields:
        """The trailer section (RFC 9110, 6.5). It stays apart from the header section."""
        return Fields.received(self._trailers)

    def _feed_chunks(self, data: bytes, at: int) -> int:
        seam = (self._tail + data[at : at + len(END) - 1]).find(END)
        begin = at
        stop = at - len(self._tail) + seam + len(END) if seam >= 0 else _after(data, at)
        self._give(data, at, stop)
        while not self.complete and stop < len(data):
            at, stop = stop, _after(data, stop)
            self._give(data, at, stop)
        self._tail = (self._tail + data[max(begin, stop - len(END)) : stop])[1 - len(END) :]
        if self._max_body is not None and self.size > self._max_body:
            raise BodyTooLong(self._max_body)
        if self._fed - self.size - _PER_CHUNK * self._chunks > self._max_overhead:
            raise RequestError(431, "there are too many chunk extensions, or trailers")
        if len(self._trailers) > self._max_fields:
            raise RequestError(431, f"there may be {self._max_fields} trailer fields")
        return stop

    def _give(self, data: bytes, at: int, stop: int) -> None:
        self._fed += stop - at
        try:
            self._parser.feed_data(memoryview(data)[at:stop])
        except HttpParserError as error:
            raise RequestError(
                400, f"the body is not in chunks as HTTP has them: {error}"
            ) from None


def _after(data: bytes, at: int) -> int:
    """Where the next empty line ends, or the data."""
    end = data.find(END, at)
    return end + len(END) if end >= 0 else len(data)


def _ambiguous() -> RequestError:
    return RequestError(400, "the request's framing can be read in two ways")
