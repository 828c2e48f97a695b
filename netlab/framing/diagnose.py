"""What may the peer be speaking? Hints for error messages, from a stream's first bytes.

Everything here guesses, and says so. It only ever adds a hint to an error that
a decoder has found by its own rules; it never decides that something is one.
"""

from __future__ import annotations

import codecs
import re

WINDOW = 64
"""The bytes of a stream's beginning that are looked at."""

_SHOWN = 32  # bytes of the peer quoted in an error, before escaping

_METHODS = (  # RFC 9110, 9.1, and the preface of RFC 9113, 3.4
    *(b"GET ", b"HEAD ", b"POST ", b"PUT ", b"DELETE ", b"CONNECT ", b"OPTIONS ", b"TRACE "),
    *(b"PATCH ", b"PRI "),
)
_HTTP_REQUEST = "this is an HTTP request: is the peer a browser or an HTTP client?"
_PROXY = "this is a PROXY protocol header: is 'haproxy:' missing before the endpoint?"
# How a stream begins, how many bytes of that are enough to tell, and what it is then.
_BEGINNINGS = (
    *((method, 4, _HTTP_REQUEST) for method in _METHODS),
    (b"HTTP/", 4, "this is an HTTP response: is this a connection to an HTTP server?"),
    (b"SSH-", 4, "this is an SSH banner: is the other side an SSH server or client?"),
    (b"PROXY ", 4, _PROXY),
    (b"\r\n\r\n\0\r\nQUIT\n", 5, _PROXY),
)


def quoted(data: bytes) -> str:
    r"""Return bytes from a peer in quotes, safe to print: ``'hello\r\n'``.

    Control, bidi and all other characters outside ASCII come out escaped, and
    after 32 bytes it is cut.
    """
    shown = repr(data[:_SHOWN])[1:]
    return shown + "..." if len(data) > _SHOWN else shown


def guess_protocol(data: bytes) -> str:
    """Return which well-known protocol a stream that begins with ``data`` is, or ''.

    The first few bytes are enough: an error is raised as soon as a header is
    complete, and that may be all there is.
    """
    # RFC 8446, 5.1: handshake (22), then version 3.0 to 3.4.
    if data and b"\x16\x03".startswith(data[:2]) and data[2:3] <= b"\x04":
        return "this is a TLS ClientHello: is the peer speaking TLS to a plain port?"
    for beginning, enough, hint in _BEGINNINGS:
        if len(data) >= enough and data[: len(beginning)] == beginning[: len(data)]:
            return hint
    return ""


def guess_framing(data: bytes) -> str:
    """Return which framing in text a stream that begins with ``data`` has, or ''."""
    if re.match(rb"content-length *:", data, re.IGNORECASE):
        return "this is a Content-Length header: is the peer's framing content-length?"
    if re.match(rb"[1-9][0-9]{0,8}:", data):
        return f"this looks like a netstring ({quoted(data)}): is the peer's framing netstring?"
    return ""


def guess_length_prefix(data: bytes) -> str:
    """Return whether a stream that begins with ``data`` has binary lengths, or ''."""
    for order in ("big", "little"):
        length = int.from_bytes(data[:4], "big" if order == "big" else "little")
        if len(data) >= 4 and 0 < length < 1 << 20:
            return (
                f"this looks like a 4-byte {order}-endian length of {length}:"
                " is the peer's framing length-prefix?"
            )
    return ""


def is_text(data: bytes) -> bool:
    """Return whether ``data`` looks like the beginning of some text in UTF-8."""
    try:
        # An incremental decoder: the last character may be cut in the middle.
        text = codecs.getincrementaldecoder("utf-8")().decode(data)
    except UnicodeDecodeError:
        return False
    return bool(text) and all(c.isprintable() or c in "\r\n\t" for c in text)


def explain(data: bytes, expected: str, *, first: bool = True) -> str:
    """Return a hint about ``data``, where a frame should begin but does not, or ''.

    ``expected`` says what is right ("digits and a colon"). Only at the
    beginning of a stream (``first``) is another protocol guessed at.
    """
    if not first:
        return "the stream is corrupted: bytes were lost or added, or an earlier length was wrong"
    return _guess(data[:WINDOW], expected) or guess_length_prefix(data)


def explain_length(data: bytes, expected: str, *, first: bool = True) -> str:
    """Return a hint about a frame at ``data`` that announces more than is allowed."""
    if first:
        return _guess(data[:WINDOW], expected) or "if the peer means it, raise max_message"
    return "either the peer means it (then raise max_message), or the stream is corrupted"


def _guess(data: bytes, expected: str) -> str:
    guess = guess_protocol(data) or guess_framing(data)
    if not guess and is_text(data):
        return f"this looks like text ({quoted(data)}): expected {expected}"
    return guess


def with_hint(text: str, hint: str) -> str:
    """Return ``text`` and, if there is one, the hint after it."""
    return f"{text}; {hint}" if hint else text
