"""The head of a response, and how its body is framed (RFC 9112, 4 and 6.3; RFC 9110, 6.4.1)."""

from __future__ import annotations

from http import HTTPStatus
from typing import NamedTuple

from netlab.errors import LocalProtocolError
from netlab.fields import Fields, connection_options, parse_number

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
LAST_CHUNK = b"0\r\n"

_REASONS = {each.value: each.phrase for each in HTTPStatus} | {
    413: "Content Too Large",  # as RFC 9110 calls them
    414: "URI Too Long",
    416: "Range Not Satisfiable",
    422: "Unprocessable Content",
}
_CLOSE = b"Connection: close\r\n"
_KEEP_ALIVE = b"Connection: keep-alive\r\n"
_CHUNKED = b"Transfer-Encoding: chunked\r\n"
NOT_FOR_HANDLERS = frozenset({"transfer-encoding", "upgrade", "keep-alive", "proxy-connection"})
_WITHOUT_BODY = frozenset({204, 205, 304})


def reason_of(status: int) -> str:
    """The reason phrase of a status code; '' for one that nobody registered."""
    return _REASONS.get(status, "")


class Plan(NamedTuple):
    """How a response is sent.

    head      its head, with the empty line
    has_body  whether a body follows
    length    of that body; ``None``: it is not known
    chunked   whether it is sent in chunks; without length and chunks, the end of
              the connection is its end
    keep      whether the connection can be used again
    """

    head: bytes
    has_body: bool
    length: int | None
    chunked: bool
    keep: bool


def status_line(status: int) -> bytes:
    """The first line. Raises ``LocalProtocolError`` for a status that is not a final one."""
    if status.__class__ is not int or not 200 <= status <= 999:
        raise LocalProtocolError(f"a response's status is from 200 to 999, not {status!r}")
    return f"HTTP/1.1 {status} {reason_of(status)}\r\n".encode()


def plan(
    status: int,
    fields: Fields,
    length: int | None,
    trailers: Fields | None = None,
    *,
    method: str,
    version: tuple[int, int],
    keep: bool,
    own: bytes,
) -> Plan:
    """How to send a response to a request with ``method`` and ``version``.

    length  of the body in bytes, ``None`` for one that comes piece by piece
    keep    whether the connection may be used again, as far as others are concerned
    own     the lines ``Date`` and ``Server``, each for a response that has it not

    Raises ``LocalProtocolError`` for fields that are not the handler's to set, and
    for a ``Content-Length`` that is not the body's.
    """
    names = fields.names()
    if not names.isdisjoint(NOT_FOR_HANDLERS):
        wrong = ", ".join(sorted(names & NOT_FOR_HANDLERS))
        raise LocalProtocolError(f"{wrong}: the server frames its messages itself")
    if "connection" in names:
        fields, close = _without_connection(fields)
        keep = keep and not close
    declared = _declared(fields, length, status, method)
    has_body = method != "HEAD" and status not in _WITHOUT_BODY
    chunked = False
    lines = b""
    if status == 204:  # RFC 9110, 8.6
        fields = fields.without("content-length")
    elif status == 205:  # RFC 9110, 15.3.6
        fields = fields.without("content-length")
        lines = b"Content-Length: 0\r\n"
    elif declared is not None:
        length = declared
    elif length is not None:
        if has_body or (method == "HEAD" and status != 304 and length):
            lines = b"Content-Length: %d\r\n" % length
    elif has_body and version == (1, 1):
        chunked = True
        lines = _CHUNKED
        if trailers is not None and "trailer" not in names:
            listed = ", ".join(sorted(trailers.names()))
            lines += b"Trailer: %b\r\n" % listed.encode("latin-1")
    elif has_body:
        keep = False
    if not keep:
        lines += _CLOSE
    elif version == (1, 0):
        lines += _KEEP_ALIVE
    head = b"%b%b%b%b\r\n" % (status_line(status), fields.to_bytes(), lines, own)
    return Plan(head, has_body, length, chunked, keep)


def _without_connection(fields: Fields) -> tuple[Fields, bool]:
    options = connection_options(fields)
    if not options <= {"close", "keep-alive"}:
        raise LocalProtocolError("Connection: a handler can say close, and nothing else")
    return fields.without("connection"), "close" in options


def _declared(fields: Fields, length: int | None, status: int, method: str) -> int | None:
    """The value of ``Content-Length``, if it has one, and if it can be true."""
    lines = fields.lines("content-length")
    if not lines:
        return None
    number = parse_number(lines[0])
    if len(lines) > 1 or number is None:
        raise LocalProtocolError("Content-Length: one number, in digits")
    # Without a body it may tell how long that of a GET would be (RFC 9110, 8.6).
    bare = not length and (method == "HEAD" or status in _WITHOUT_BODY)
    if length is not None and length != number and not bare:
        raise LocalProtocolError(f"Content-Length is {number}, the body's length {length}")
    return number


def chunk(data: bytes) -> bytes:
    """``data``, which is not empty, as one chunk (RFC 9112, 7.1)."""
    return b"%x\r\n%b\r\n" % (len(data), data)
