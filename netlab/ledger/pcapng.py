"""Blocks of a capture file in the pcapng format, which Wireshark reads.

draft-ietf-opsawg-pcapng: a file is a row of blocks, each with its length before
and after it. A *section* is a Section Header Block and what follows it; a file
may have several. All numbers are little-endian here, times are nanoseconds.
"""

from __future__ import annotations

from functools import lru_cache
from struct import Struct
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from mmap import mmap

Direction: TypeAlias = Literal["in", "out"]

LINKTYPE_RAW = 101
"""Packets that begin with their IPv4 or IPv6 header."""

LONGEST_COMMENT = 16_000
"""The most bytes of a comment; an option's length has 16 bits."""

_SECTION, _INTERFACE, _STATISTICS, _PACKET = 0x0A0D0D0A, 1, 5, 6
_COMMENT = 1
_USER_APPLICATION = 4  # of a section
_NAME, _TIME_RESOLUTION = 2, 9  # of an interface
_FLAGS, _DROP_COUNT = 2, 4  # of a packet
_END_TIME, _RECEIVED, _DROPPED = 3, 4, 5  # of statistics

_NANOSECONDS = b"\x09"  # ten to the power of minus nine
_INBOUND, _OUTBOUND = 1, 2
_UNKNOWN_LENGTH = -1
_ORDER = 0x1A2B3C4D

_BLOCK, _BIG_BLOCK = Struct("<II"), Struct(">II")
_LENGTH = Struct("<I")
_SECTION_BODY = Struct("<IHHq")
_INTERFACE_BODY = Struct("<HHI")
_STATISTICS_BODY = Struct("<III")
_PACKET_START = Struct("<IIIIIII")
_OPTION = Struct("<HH")
_NUMBER = Struct("<Q")
_END = _OPTION.pack(0, 0)
_SHORTEST = 12  # bytes of a block without a body
_SECTION_TYPE, _MAGIC = _LENGTH.pack(_SECTION), _LENGTH.pack(_ORDER)


def section_header(application: str) -> bytes:
    """The block that begins a section (section 4.1); ``application`` is who writes it."""
    body = _SECTION_BODY.pack(_ORDER, 1, 0, _UNKNOWN_LENGTH)
    return _block(_SECTION, body + _option(_USER_APPLICATION, application.encode()) + _END)


def interface_description(name: str) -> bytes:
    """The block that describes interface 0: raw IP packets, times in nanoseconds (section 4.2)."""
    options = _option(_NAME, name.encode()) + _option(_TIME_RESOLUTION, _NANOSECONDS) + _END
    return _block(_INTERFACE, _INTERFACE_BODY.pack(LINKTYPE_RAW, 0, 0) + options)


def enhanced_packet(
    time: int, packet: bytes, direction: Direction, comment: str = "", lost: int = 0
) -> bytes:
    """The block of one IP packet on interface 0 (section 4.3).

    ``time`` is in nanoseconds since 1970; ``lost`` is how many packets are missing
    before this one. Of a comment above ``LONGEST_COMMENT`` bytes the end is cut off.
    """
    size = len(packet)
    options = _packet_options(direction, comment, lost)
    padding = -size % 4
    total = _PACKET_START.size + size + padding + len(options) + _LENGTH.size
    high, low = _halves(time)
    start = _PACKET_START.pack(_PACKET, total, 0, high, low, size, size)
    return b"".join((start, packet, bytes(padding), options, _LENGTH.pack(total)))


def interface_statistics(time: int, received: int, dropped: int) -> bytes:
    """The block that counts what interface 0 saw until ``time`` (section 4.6).

    ``received`` packets came since the capture began; ``dropped`` of them are missing.
    """
    high, low = _halves(time)
    options = (
        _option(_END_TIME, _BLOCK.pack(high, low)),
        _option(_RECEIVED, _NUMBER.pack(received)),
        _option(_DROPPED, _NUMBER.pack(dropped)),
        _END,
    )
    return _block(_STATISTICS, _STATISTICS_BODY.pack(0, high, low) + b"".join(options))


def is_capture(head: bytes) -> bool:
    """Whether a file that begins with ``head``, 12 bytes of it, is a pcapng capture."""
    return head[:4] == _SECTION_TYPE and head[8:12] in (_MAGIC, _MAGIC[::-1])


def whole_blocks(data: bytes | mmap) -> int:
    """How many bytes at the start of ``data``, a capture, are whole blocks.

    That they are shows in their lengths, which are before and after each of them,
    here in the byte order of any section.
    """
    at, size, little = 0, len(data), True
    while at + _SHORTEST <= size:
        kind, total = (_BLOCK if little else _BIG_BLOCK).unpack_from(data, at)
        if kind == _SECTION:
            little = data[at + 8 : at + 12] == _MAGIC
            _, total = (_BLOCK if little else _BIG_BLOCK).unpack_from(data, at)
        end = at + total
        if total < _SHORTEST or total % 4 or end > size:
            break
        if data[end - 4 : end] != data[at + 4 : at + 8]:
            break
        at = end
    return at


@lru_cache(maxsize=1024)
def _packet_options(direction: Direction, comment: str, lost: int) -> bytes:
    options = []
    if comment:
        # What is cut through at the end is no valid UTF-8 any more, and goes too.
        text = comment.encode(errors="backslashreplace")[:LONGEST_COMMENT]
        options.append(_option(_COMMENT, text.decode(errors="ignore").encode()))
    flags = _INBOUND if direction == "in" else _OUTBOUND
    options.append(_option(_FLAGS, _LENGTH.pack(flags)))
    if lost:
        options.append(_option(_DROP_COUNT, _NUMBER.pack(lost)))
    return b"".join((*options, _END))


def _option(code: int, value: bytes) -> bytes:
    return _OPTION.pack(code, len(value)) + value + bytes(-len(value) % 4)


def _block(kind: int, body: bytes) -> bytes:
    total = _SHORTEST + len(body)
    return _BLOCK.pack(kind, total) + body + _LENGTH.pack(total)


def _halves(time: int) -> tuple[int, int]:
    time = max(0, time)
    return time >> 32 & 0xFFFFFFFF, time & 0xFFFFFFFF
