"""Netstrings: the length in digits, a colon, the message, a comma."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

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

_EXPECTED = "a netstring, such as '5:hello,'"


@dataclass(frozen=True, slots=True, kw_only=True)
class Netstring(WrappingFraming):
    """Each message as a netstring: ``5:hello,``.

    Easy to read in a capture and to write from any language. The rules are
    those of https://cr.yp.to/proto/netstrings.txt, kept strictly: digits only,
    no leading zeros, and the comma must be there; else ``CorruptedFrame``.

    - ``max_message``: the longest payload in bytes. It also bounds the digits
      of the length: more of them than it has is ``IncomingFrameTooLong``.
    """

    max_message: int = DEFAULT_MAX_MESSAGE

    def __post_init__(self) -> None:
        check_max_message(self.max_message)

    def _around(self, message: bytes) -> tuple[bytes, bytes]:
        check_length(len(message), self.max_message)
        return b"%d:" % len(message), b","

    def decoder(self) -> Decoder:
        """Return a new decoder, for the bytes of one stream from its beginning."""
        return _NetstringDecoder(self.max_message)


class _NetstringDecoder(CountedDecoder):
    __slots__ = ("_digits",)

    _TRAILER: ClassVar[bytes] = b","
    _WHAT: ClassVar[str] = "a netstring"

    def __init__(self, max_message: int) -> None:
        self._digits = len(str(max_message))
        super().__init__(max_message, min_header=2, max_header=self._digits + 1)

    def _header(self, data: bytes, at: int) -> tuple[int, int] | None:
        stop = at + self._max_header
        colon = data.find(b":", at, stop)
        digits = data[at : stop if colon < 0 else colon]
        # The same checks whether the colon has come or not: a bad length is
        # told from its first bad byte on, however the bytes are split.
        if not digits.isdigit():
            raise self._corrupted(data[at : at + WINDOW])
        if digits[0] == ord("0") and len(digits) > 1:
            raise CorruptedFrame(f"a netstring's length has no leading zeros: {quoted(digits)}")
        length = int(digits)
        if length > self._max_message and (colon >= 0 or len(digits) > self._digits):
            hint = explain_length(b"", _EXPECTED, first=self._first)
            raise IncomingFrameTooLong(length, self._max_message, hint)
        return None if colon < 0 else (colon + 1, length)

    def _corrupted(self, opening: bytes) -> CorruptedFrame:
        text = f"a netstring begins with its length in digits and a colon, not {quoted(opening)}"
        if opening[:1] in (b"\r", b"\n") and not self._first:
            return CorruptedFrame(f"{text}; send no line end after the comma")
        return CorruptedFrame(with_hint(text, explain(opening, _EXPECTED, first=self._first)))
