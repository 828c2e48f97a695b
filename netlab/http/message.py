"""Requests and responses, as handlers see them."""

from __future__ import annotations

import os
from collections.abc import AsyncIterable, Iterable
from typing import Any, Protocol

from twisted.internet.interfaces import IAddress

from netlab.errors import ConfigurationError, LocalProtocolError
from netlab.escaping import escape
from netlab.fields import Fields

from .body import EMPTY, Body
from .dates import server_line
from .head import Section
from .outgoing import NOT_FOR_HANDLERS, plan, reason_of
from .target import split_target

_WIRE_MOST = 64 * 1024
"""Bytes of a prepared response, up to which it is kept as it is sent, in one piece."""
_PLANNED = frozenset({"connection", "content-length", "date", "server"}) | NOT_FOR_HANDLERS
"""Fields that change more of a response's head than their own lines."""

_PLAIN = Fields([("Content-Type", "text/plain; charset=utf-8")])


class _Connection(Protocol):
    """What a request asks its connection for."""

    @property
    def peer(self) -> IAddress:
        """The client's address."""

    @property
    def scheme(self) -> str:
        """``http``, or ``https`` on TLS."""


class Request:
    """A request. A program may make some too, to try its handlers.

    method     as it was sent, in capitals as a rule; any token is possible
    target     as it was sent: a path with its query, a whole URI, or ``*``
    version    (1, 1) or (1, 0)
    fields     the header section
    body       see ``Body``; empty when there is none
    scheme     ``http`` or ``https``: that of the target if it is a URI, else whether
               the connection is encrypted
    authority  HOST or HOST:PORT: of the target if it is a URI, else of the Host field;
               ''  if there is neither
    peer       the client's address, or ``None``
    """

    __slots__ = ("_connection", "_fields", "_section", "body", "method", "target", "version")

    _section: Section | None
    _connection: _Connection | None

    def __init__(
        self,
        method: str,
        target: str,
        fields: Fields | Iterable[tuple[str, str]] = (),
        body: bytes = b"",
        *,
        version: tuple[int, int] = (1, 1),
    ) -> None:
        self.method = method
        self.target = target
        self.version = version
        self.body = Body.of(body) if body else EMPTY
        self._fields = fields if isinstance(fields, Fields) else Fields(fields)
        self._section = None
        self._connection = None

    @classmethod
    def received(cls, method: str, target: str, section: Section, connection: Any) -> Request:
        """A request as a connection makes it; its body is put in later."""
        request = cls.__new__(cls)
        request.method = method
        request.target = target
        request.version = section.version
        request.body = EMPTY
        request._section = section
        request._connection = connection
        return request

    @property
    def fields(self) -> Fields:
        """The header section."""
        return self._fields if self._section is None else self._section.fields

    @property
    def raw_fields(self) -> bytes:
        """The header section as it came: its lines, and the empty line behind them.

        Clients repeat themselves. While the one on a connection does, this is the same
        object, whose hash is known: what was found out about a header section can be kept
        in a dict under it, and costs one look to be found again. Bound such a dict: in the
        number of its keys, and in their length, which is up to ``max_head``.
        """
        if self._section is None:
            return self._fields.to_bytes() + b"\r\n"
        return self._section.raw

    @property
    def path(self) -> str:
        """The path of the target, as it was sent; ``*`` for that target."""
        if self.target.startswith("/"):
            return self.target.partition("?")[0]
        return split_target(self.target)[2]

    @property
    def query(self) -> str:
        """What is behind the ``?`` of the target, as it was sent; '' if there is nothing."""
        return self.target.partition("?")[2]

    @property
    def scheme(self) -> str:
        """``http`` or ``https`` (RFC 9112, 3.3), or another one that the target names."""
        named = split_target(self.target)[0]
        return named or ("http" if self._connection is None else self._connection.scheme)

    @property
    def authority(self) -> str:
        """The host that is asked, perhaps with a port (RFC 9112, 3.2.2 and 3.3)."""
        if self.target.startswith("/") or self.target == "*":
            if self._section is not None:
                return self._section.host or ""
            return self.fields.get("host") or ""
        return split_target(self.target)[1]

    @property
    def peer(self) -> IAddress | None:
        """The client's address."""
        return None if self._connection is None else self._connection.peer

    def __repr__(self) -> str:
        return f"<Request {escape(self.method)} {escape(self.target)}>"


class FileBody:
    """A range of a file, which is read in pieces as the client takes it.

    file    a path, or the descriptor of an open file, which is closed in the end
    offset  of the first byte
    length  in bytes; to the end of the file unless given

    It can be sent once. The file is looked at now, and opened if need be: ``OSError`` is
    raised when that does not work, ``ConfigurationError`` when the range is not in it.
    """

    __slots__ = ("fd", "length", "offset")

    def __init__(
        self, file: str | os.PathLike[str] | int, offset: int = 0, length: int | None = None
    ) -> None:
        self.fd = file if isinstance(file, int) else os.open(file, os.O_RDONLY | os.O_CLOEXEC)
        try:
            size = os.fstat(self.fd).st_size
            self.offset = offset
            self.length = size - offset if length is None else length
            if offset < 0 or self.length < 0 or offset + self.length > size:
                raise ConfigurationError(
                    f"bytes {offset} to {offset + self.length} of a file that has {size}"
                )
        except BaseException:
            self.close()
            raise

    def read(self, at: int, size: int) -> bytes:
        """Up to ``size`` bytes from ``at`` on, counted from the beginning of the range."""
        return os.pread(self.fd, max(0, min(size, self.length - at)), self.offset + at)

    def close(self) -> None:
        """Closes the file; harmless afterwards."""
        fd, self.fd = self.fd, -1
        if fd >= 0:
            os.close(fd)

    def __del__(self) -> None:
        if getattr(self, "fd", -1) >= 0:  # never sent
            self.close()


Content = bytes | AsyncIterable[bytes] | FileBody | None
"""What a response's body may be."""


class Response:
    """A response.

    status    200 to 999; 1xx are not for handlers
    fields    the header section. How the message is framed is the server's to say: no
              ``Transfer-Encoding``; a ``Content-Length`` only for a body that comes piece
              by piece, or for one that HEAD or 304 leave out. ``Connection: close`` is
              possible. ``Date`` and ``Server`` are added, unless they are there.
    body      bytes; an async iterable of bytes, which is asked for more when the client
              has room; a ``FileBody``; or ``None``
    trailers  fields to send behind a body that comes piece by piece, to a client that
              takes them. The iterable may set them, until it ends.

    Of a response to HEAD, and of those with status 204, 205 and 304, no body is sent.
    Raises ``LocalProtocolError`` for fields that cannot be sent.
    """

    __slots__ = ("_prepared", "body", "fields", "status", "trailers")

    def __init__(
        self,
        status: int = 200,
        fields: Fields | Iterable[tuple[str, str]] = (),
        body: Content = None,
        *,
        trailers: Fields | None = None,
    ) -> None:
        self.status = status
        self.fields = fields if fields.__class__ is Fields else Fields(fields)
        self.body = body
        self.trailers = trailers
        self._prepared: Prepared | None = None

    @classmethod
    def prepared(
        cls, status: int, fields: Fields | Iterable[tuple[str, str]], body: bytes | None = None
    ) -> Response:
        """A response that will be sent many times: its head is written now, once.

        Do not change it any more. Raises ``LocalProtocolError`` for one that cannot be sent.
        """
        response = cls(status, fields, body)
        response._prepared = Prepared(response)
        return response

    def adding(self, *pairs: tuple[str, str]) -> Response:
        """The same response with these field lines after its own.

        A prepared one is prepared again for a part of the price: a cache does this once a
        second with ``Age`` and the like, and adds them each time to what it prepared first.
        Raises ``LocalProtocolError`` for fields that cannot be sent.
        """
        fields = self.fields.adding(*pairs)
        prepared = self._prepared
        if prepared is not None and not _PLANNED.isdisjoint([name.lower() for name, _ in pairs]):
            body = self.body
            assert body is None or isinstance(body, bytes)
            return Response.prepared(self.status, fields, body)
        response = Response(self.status, fields, self.body, trailers=self.trailers)
        if prepared is not None:
            added = list(fields)[len(self.fields) :]
            lines = "".join([f"{name}: {value}\r\n" for name, value in added])
            response._prepared = prepared.adding(lines.encode("latin-1"))
        return response

    def __repr__(self) -> str:
        return f"<Response {self.status}>"


class Prepared:
    """A response as it is sent to the usual request: HTTP/1.1, keep-alive, not HEAD.

    ``renew`` writes it down for a ``Date``. ``wire`` are its bytes for as long as
    ``line`` is that date: a second copy of the body. A body above 64 KiB is not copied,
    it is the ``rest`` behind ``wire``.
    """

    __slots__ = ("_body", "_dated", "_start", "kind", "line", "rest", "wire")

    def __init__(self, response: Response) -> None:
        body = response.body or b""
        if not isinstance(body, bytes):
            raise TypeError(f"a prepared response has bytes, not {type(body).__name__}")
        names = response.fields.names()
        planned = plan(
            response.status,
            response.fields,
            len(body),
            method="GET",
            version=(1, 1),
            keep=True,
            own=b"" if "server" in names else server_line(),
        )
        if not planned.keep:
            raise LocalProtocolError("a prepared response cannot close the connection")
        if not planned.has_body:
            body = b""
        self.kind = kind_of(response.status)
        self.rest = body if len(body) > _WIRE_MOST else None
        self._body = b"" if self.rest is not None else body
        self._start = planned.head[:-2]
        self._dated = "date" in names
        self.line = self.wire = b""

    def adding(self, lines: bytes) -> Prepared:
        """The same with these field lines behind its own."""
        new = Prepared.__new__(Prepared)
        new.kind = self.kind
        new.rest = self.rest
        new._body = self._body
        new._start = self._start + lines
        new._dated = self._dated
        new.line = new.wire = b""
        return new

    def renew(self, line: bytes) -> bytes:
        """The bytes with another ``Date`` line."""
        self.line = line
        shown = b"" if self._dated else line
        self.wire = wire = b"%b%b\r\n%b" % (self._start, shown, self._body)
        return wire


def kind_of(status: int) -> str:
    """The class of a status, as statistics have it: ``2xx``."""
    return f"{status // 100}xx"


def last_words(status: int, text: str, date: bytes) -> tuple[bytes, int]:
    """An ``error_response`` that closes, as bytes with ``date``; and the length of its body."""
    response = error_response(status, text)
    body = response.body
    assert isinstance(body, bytes)
    planned = plan(
        status,
        response.fields,
        len(body),
        method="GET",
        version=(1, 1),
        keep=False,
        own=date + server_line(),
    )
    return planned.head + body, len(body)


def error_response(status: int, text: str) -> Response:
    """An answer that says what is wrong, in plain text: one sentence without its full stop."""
    return Response(status, _PLAIN, error_body(status, text))


def error_body(status: int, text: str) -> bytes:
    """The content of such an answer. What asks something has its question mark."""
    end = "" if text.endswith("?") else "."
    return f"{status} {reason_of(status)}: {text}{end}\n".encode()
