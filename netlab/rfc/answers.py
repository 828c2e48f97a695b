"""An upstream's answer to a GET, of the bytes of a connection: what llhttp makes of them.

Source: RFC 9112, 4 to 6.
"""

from __future__ import annotations

from typing import NamedTuple

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from netlab.errors import RemoteProtocolError
from netlab.fields import Fields
from netlab.rfc.coding import LONGEST, Unpacking, is_packed, unpacked

_MOST_HEAD = 64 << 10  # bytes that are no content: of heads, trailers, chunk extensions
_PER_CHUNK = 24  # bytes that each chunk may have beside
_MOST_FIELDS = 200
_BODILESS = (204, 304)


class Reply(NamedTuple):
    """An answer: its head, and its content without any compression."""

    status: int
    reason: str
    fields: Fields
    content: bytes


class Answer:
    """An answer that comes; interim ones before it are passed over (RFC 9110, 15.2).

    ``complete`` says whether all of it is there, ``is_last`` whether no other can follow on
    its connection (RFC 9112, 9.3), which is known then. Raises ``RemoteProtocolError`` from any
    method; then it is of no more use.
    """

    def __init__(self) -> None:
        self.complete = False
        self.is_last = True
        self._parser = HttpResponseParser(self)
        self._fed = 0
        self._chunks = 0
        self._status = 0
        self._reason = b""
        self._lines: list[tuple[bytes, bytes]] = []
        self._fields: Fields | None = None  # once the head is there
        self._to_end = False  # whether the end of the connection is that of the content
        self._unpacking: Unpacking | None = None
        self._coming: list[bytes] = []
        self._pieces: list[bytes] = []
        self._size = 0

    # -- for llhttp, to which an error is one in the message

    def on_message_begin(self) -> None:
        """A message begins."""
        if self.complete:
            raise _beyond()

    def on_status(self, reason: bytes) -> None:
        """The words behind the status code."""
        self._reason += reason

    def on_header(self, name: bytes, value: bytes) -> None:
        """A field line, of the head or of the trailers, which nobody asked for."""
        if len(self._lines) == _MOST_FIELDS:
            raise _no_http()
        self._lines.append((name, value))

    def on_headers_complete(self) -> None:
        """The head is there."""
        self._status = self._parser.get_status_code()
        if self._status < 100:
            raise _no_http()
        if self._status < 200:
            return
        self._fields = fields = Fields.received(self._lines)
        self.complete = self._status in _BODILESS  # whatever the fields say (RFC 9112, 6.3)
        self.is_last = not self._parser.should_keep_alive()
        self._to_end = not ("content-length" in fields or "transfer-encoding" in fields)

    def on_chunk_header(self) -> None:
        """A chunk begins."""
        self._chunks += 1

    def on_body(self, piece: bytes) -> None:
        """Content."""
        if self.complete:
            raise _beyond()
        self._coming.append(piece)
        self._size += len(piece)

    def on_message_complete(self) -> None:
        """The message has ended."""
        if self._fields is None:  # it was an interim one
            self._reason = b""
            self._lines.clear()
        else:
            self.complete = True

    # -- for the connection

    @property
    def begun(self) -> bool:
        """Whether anything has come."""
        return self._fed > 0

    def feed(self, data: bytes) -> None:
        """Takes what came."""
        in_head = self._fields is None
        self._fed += len(data)
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade) as error:
            within = error.__context__  # what was raised while llhttp called
            if within is not None and not isinstance(within, Exception):
                raise within from None  # Ctrl-C is no error of the upstream
            raise (_beyond() if self.complete else _no_http()) from error
        if self._fed - self._size - _PER_CHUNK * self._chunks > _MOST_HEAD:
            raise _no_http()
        if in_head and self._fields is not None:
            self._check(self._fields)
        if self._size > LONGEST:
            raise RemoteProtocolError(f"its answer has more than {LONGEST} bytes")
        coming, self._coming = self._coming, []
        if self._unpacking is None:
            self._pieces += coming
        else:
            for piece in coming:
                self._pieces += self._unpacking.feed(piece)

    def end(self, *, clean: bool) -> None:
        """The connection has ended, and, if it is ``clean``, its peer said so."""
        if not self.complete:
            if not (self._to_end and clean):
                raise RemoteProtocolError("its answer breaks off")
            self.complete = True

    def reply(self) -> Reply:
        """What came, once it is complete."""
        fields = self._fields
        assert fields is not None
        if self._unpacking is not None:
            self._pieces += self._unpacking.end()
            fields = unpacked(fields)
        reason = self._reason.decode("latin-1").strip(" \t")
        return Reply(self._status, reason, fields, b"".join(self._pieces))

    def _check(self, fields: Fields) -> None:
        """Looks at how the content is coded."""
        coding = fields.get("transfer-encoding")
        if coding is not None and coding.lower() != "chunked":
            raise RemoteProtocolError("its answer has a transfer coding that nobody asked for")
        if is_packed(fields) and self._status not in _BODILESS:
            self._unpacking = Unpacking()


def _no_http() -> RemoteProtocolError:
    return RemoteProtocolError("what it answers is not HTTP")


def _beyond() -> RemoteProtocolError:
    return RemoteProtocolError("its answer goes on behind its end")
