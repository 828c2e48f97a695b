"""Protocol Buffers' delimited messages: a base-128 varint before each message."""

from __future__ import annotations

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
from netlab.framing.diagnose import WINDOW, explain, explain_length, with_hint

MAX_VARINT = 10
"""The longest varint in bytes: 64 bits, 7 in each byte."""

_EXPECTED = "a varint length before each message"


@dataclass(frozen=True, slots=True, kw_only=True)
class Varint(WrappingFraming):
    """Each message after its length as an unsigned LEB128 number.

    These are the bytes of ``writeDelimitedTo`` in Java, ``SerializeDelimitedTo``
    in C++ and ``length_prefixed`` streams elsewhere: seven bits in each byte,
    the lowest first, and the top bit set in all but the last
    (https://protobuf.dev/programming-guides/encoding/#varints).

    Lengths are sent in their shortest form. A longer form of the same number
    (``85 00`` for 5) is accepted, as Protocol Buffers accept it; more than 10
    bytes, or a number of more than 64 bits, is ``CorruptedFrame``.

    - ``max_message``: the longest payload in bytes.
    """

    max_message: int = DEFAULT_MAX_MESSAGE

    def __post_init__(self) -> None:
        check_max_message(self.max_message)

    def _around(self, message: bytes) -> tuple[bytes, bytes]:
        check_length(len(message), self.max_message)
        return encode_varint(len(message)), b""

    def decoder(self) -> Decoder:
        """Return a new decoder, for the bytes of one stream from its beginning."""
        return _VarintDecoder(self.max_message, min_header=1, max_header=MAX_VARINT)


def encode_varint(number: int) -> bytes:
    """Return a number from 0 to 2**64 - 1 as a varint, in its shortest form."""
    septets = bytearray()
    while number > 0x7F:
        septets.append(number & 0x7F | 0x80)
        number >>= 7
    septets.append(number)
    return bytes(septets)


class _VarintDecoder(CountedDecoder):
    __slots__ = ()

    def _header(self, data: bytes, at: int) -> tuple[int, int] | None:
        length = shift = 0
        start = at
        for byte in data[at : at + MAX_VARINT]:
            start += 1
            length |= (byte & 0x7F) << shift
            if byte < 0x80:
                break
            shift += 7
        else:
            if len(data) - at < MAX_VARINT:
                return None
            raise self._corrupted("the varint has more than 10 bytes", data[at : at + WINDOW])
        opening = data[at : at + WINDOW]
        if length >= 1 << 64:
            raise self._corrupted(f"the varint {length} has more than 64 bits", opening)
        if length > self._max_message:
            hint = explain_length(opening, _EXPECTED, first=self._first)
            raise IncomingFrameTooLong(length, self._max_message, hint)
        return start, length

    def _corrupted(self, text: str, opening: bytes) -> CorruptedFrame:
        return CorruptedFrame(with_hint(text, explain(opening, _EXPECTED, first=self._first)))
