"""The Language Server Protocol's framing: a Content-Length header before each message."""

from __future__ import annotations

import re
from dataclasses import dataclass

from netlab.errors import CorruptedFrame, IncomingFrameTooLong
from netlab.framing.base import (
    DEFAULT_MAX_MESSAGE,
    Decoder,
    WrappingFraming,
    check_length,
    check_max_message,
)
from netlab.framing.buffered import CountedDecoder
from netlab.framing.diagnose import WINDOW, explain, explain_length, quoted, with_hint

MAX_HEADERS = 4096
"""The longest header block in bytes, its blank line included."""

_EXPECTED = "'Content-Length: N' and a blank line, both ended by CR LF"
_MAX_DIGITS = 20  # of a 64-bit number; int() of thousands of digits is slow, then a ValueError
_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, 5.6.2
_PLAIN = re.compile(rb"Content-Length: ([0-9]{1,20})\r\n\r\n")
_LEGAL = bytes([*b"\t\r\n", *range(0x20, 0x7F), *range(0x80, 0x100)])


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentLength(WrappingFraming):
    r"""Each message after a header block: ``Content-Length: 5\r\n\r\nhello``.

    This is the base protocol of the Language Server Protocol (3.17, "Header
    Part") and of the Debug Adapter Protocol. Header names match in any case.
    ``Content-Type`` and unknown headers are accepted and ignored; they are
    never sent.

    ``CorruptedFrame`` is raised for a missing or second Content-Length, line
    ends other than CR LF, continued lines, control characters, and more than
    4 KiB of headers.

    - ``max_message``: the longest payload in bytes.
    """

    max_message: int = DEFAULT_MAX_MESSAGE

    def __post_init__(self) -> None:
        check_max_message(self.max_message)

    def _around(self, message: bytes) -> tuple[bytes, bytes]:
        check_length(len(message), self.max_message)
        return b"Content-Length: %d\r\n\r\n" % len(message), b""

    def decoder(self) -> Decoder:
        """Return a new decoder, for the bytes of one stream from its beginning."""
        return _ContentLengthDecoder(self.max_message, min_header=0, max_header=MAX_HEADERS)


class _ContentLengthDecoder(CountedDecoder):
    __slots__ = ()

    def _header(self, data: bytes, at: int) -> tuple[int, int] | None:
        plain = _PLAIN.match(data, at)
        if plain is not None:
            start, length = plain.end(), int(plain[1])
        else:
            blank = data.find(b"\r\n\r\n", at, at + MAX_HEADERS)
            try:
                if blank < 0:
                    _check_incomplete(data[at : at + MAX_HEADERS])
                    return None
                start, length = blank + 4, _content_length(data[at:blank])
            except CorruptedFrame as error:
                opening = data[at : at + WINDOW]
                if opening[:8].lower() == b"content-":
                    raise  # the right protocol; the text says it all
                hint = explain(opening, _EXPECTED, first=self._first)
                raise CorruptedFrame(with_hint(str(error), hint)) from None
        if length > self._max_message:
            hint = explain_length(b"", _EXPECTED, first=self._first)
            raise IncomingFrameTooLong(length, self._max_message, hint)
        return start, length


def _check_incomplete(block: bytes) -> None:
    """Raise ``CorruptedFrame`` when the beginning of a header block cannot become a good one.

    It sees the block again with each read, so it looks with a few fast
    searches only; ``_content_length`` does the rest.
    """
    _check_bytes(block)
    line, end, _ = block.partition(b"\r\n")
    if end:
        _split(line)
    if len(block) == MAX_HEADERS:
        raise CorruptedFrame(f"no blank line within {MAX_HEADERS} bytes of headers")


def _check_bytes(block: bytes) -> None:
    """Raise ``CorruptedFrame`` for bytes that no header block has."""
    illegal = block.translate(None, _LEGAL)
    if illegal:
        raise CorruptedFrame(f"control character {quoted(illegal[:1])} in the headers")
    ends = block.count(b"\r\n")
    if block.count(b"\n") != ends:
        raise CorruptedFrame("a header line ends in a bare LF: end each line with CR LF")
    if block.count(b"\r") - block.endswith(b"\r") != ends:
        raise CorruptedFrame("a CR without LF in the headers: end each line with CR LF")


def _split(line: bytes) -> tuple[bytes, bytes]:
    """Return a header line's name in lower case, and its value."""
    if line.startswith((b" ", b"\t")):
        raise CorruptedFrame(
            "a header line begins with white space: put each header on one line (no folding)"
        )
    if not line:
        raise CorruptedFrame("an empty line where a header should be")
    name, colon, value = line.partition(b":")
    if not colon or not _TOKEN.fullmatch(name):
        raise CorruptedFrame(f"{quoted(line)} is not a header: write 'Name: value'")
    return name.lower(), value.strip(b" \t")


def _content_length(block: bytes) -> int:
    """Return the payload's length from a whole header block without its blank line."""
    _check_bytes(block)
    found: bytes | None = None
    for line in block.split(b"\r\n"):
        name, value = _split(line)
        if name != b"content-length":
            continue
        if found is not None:
            raise CorruptedFrame("Content-Length is there twice: send it once")
        found = value
    if found is None:
        raise CorruptedFrame("Content-Length is missing: send it before each message")
    if not found.isdigit():
        raise CorruptedFrame(f"Content-Length must be digits only, not {quoted(found)}")
    digits = found.lstrip(b"0")
    if len(digits) > _MAX_DIGITS:
        raise CorruptedFrame(f"Content-Length has {len(digits)} digits: no length has so many")
    return int(digits or b"0")
