"""Records as packets of a pcapng capture, each with its fate as its comment.

A datagram is one packet, whether or not it ever was on a wire: the comment
says what happened to it. A connection of the message service is drawn as TCP: its
bytes are the ones that were read and written, what TCP does around them
(handshake, acknowledgements, an orderly end) is what a textbook would show.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from netlab.escaping import escape
from netlab.ledger import packets, pcapng
from netlab.ledger.packets import ACK, FIN, LONGEST_DATAGRAM, PSH, RST, SYN, BytesLike, Endpoint
from netlab.ledger.pcapng import Direction
from netlab.ledger.records import (
    DATAGRAM,
    ENDED,
    LONGEST_FATE,
    OPENED,
    SEGMENT,
    Connection,
    Record,
)

if TYPE_CHECKING:
    from mmap import mmap

_DRAWN = "TCP as netlab draws it: the bytes are real, headers and acknowledgements are not"
_TO_HOST = 0x40000000
"""How far apart the first sequence numbers of the two directions are."""
_ACKNOWLEDGE = 16 * 1024
"""After so many bytes of one direction the other acknowledges, if it sent nothing itself.

Without any, Wireshark would hold megabytes as not acknowledged, and slow down.
"""


class Capture:
    """See ``netlab.ledger.records.Format``; ``application`` is named as the writer."""

    what = "capture"
    kinds = frozenset((DATAGRAM, OPENED, SEGMENT, ENDED))

    def __init__(self, application: str) -> None:
        self._header = pcapng.section_header(application) + pcapng.interface_description("netlab")

    def header(self) -> bytes:
        """A section of its own."""
        return self._header

    def encode(self, record: Record, lost: int) -> bytes:
        """One packet, or those that TCP needs."""
        kind = record[0]
        if kind == DATAGRAM:
            return _datagram(record, lost)
        if kind == OPENED:
            return _opened(record, lost)
        return _segment(record, lost) if kind == SEGMENT else _ended(record, lost)

    def missing(self, record: Record) -> int:
        """Datagrams and others."""
        count: int = record[2] + record[3]
        return count

    def ending(self, lost: int) -> bytes:
        """Nothing: the statistics at the end count them."""
        return b""

    def footer(self, time: int, written: int, lost: int) -> bytes:
        """Statistics of the interface."""
        return pcapng.interface_statistics(time, written + lost, lost)

    def is_ours(self, head: bytes) -> bool:
        """Whether it begins as a section does."""
        return pcapng.is_capture(head)

    def whole(self, data: bytes | mmap) -> int:
        """Whole blocks."""
        return pcapng.whole_blocks(data)


def _datagram(record: Record, lost: int) -> bytes:
    _, _, time, direction, peer, host, data, size, fate, _ = record
    source, target = (peer, host) if direction == "in" else (host, peer)
    if size > LONGEST_DATAGRAM:
        longest = packets.longest_datagram(source, target)
        if size > longest:  # tried, and refused by the kernel
            fate = f"{fate}; {longest} of {size} bytes are shown, all that a datagram holds"
            data = data[:longest]
    packet = packets.udp_packet(source, target, data)
    return pcapng.enhanced_packet(time, packet, direction, _comment(fate, lost), lost)


def _comment(text: str, lost: int) -> str:
    if not lost:
        plain = len(text) <= LONGEST_FATE and text.isascii() and text.isprintable()
        return text if plain else escape(text, LONGEST_FATE)
    before = f"{lost} {'record is' if lost == 1 else 'records are'} missing before this one"
    return f"{escape(text, LONGEST_FATE)}; {before}" if text else before


class _Drawing:
    """The blocks of one record of a connection."""

    def __init__(self, time: int, connection: Connection, comment: str, lost: int) -> None:
        self._time = time
        self._connection = connection
        self._comment = _comment(comment, lost)  # of the first packet
        self._lost = lost
        self._blocks: list[bytes] = []

    def packet(
        self, direction: Direction, flags: int, at: int, acknowledged: int, data: BytesLike = b""
    ) -> None:
        """One packet; ``at`` and ``acknowledged`` are positions in the two streams, from 0.

        A SYN comes before position 0.
        """
        connection = self._connection
        source: Endpoint
        target: Endpoint
        if direction == "in":
            source, target = connection.peer, connection.host
            first, other = connection.first, connection.first + _TO_HOST
        else:
            source, target = connection.host, connection.peer
            first, other = connection.first + _TO_HOST, connection.first
        packet = packets.tcp_packet(
            source, target, first + 1 + at, other + 1 + acknowledged, flags, data
        )
        self._blocks.append(
            pcapng.enhanced_packet(self._time, packet, direction, self._comment, self._lost)
        )
        self._comment, self._lost = "", 0

    def blocks(self) -> bytes:
        """All of them."""
        return b"".join(self._blocks)


def _opened(record: Record, lost: int) -> bytes:
    _, _, time, connection = record
    drawing = _Drawing(time, connection, _DRAWN, lost)
    drawing.packet("in", SYN, -1, 0)
    drawing.packet("out", SYN | ACK, -1, 0)
    drawing.packet("in", ACK, 0, 0)
    return drawing.blocks()


def _segment(record: Record, lost: int) -> bytes:
    _, _, time, connection, direction, data, comment, last, at, acknowledged = record
    drawing = _Drawing(time, connection, comment, lost)
    end = at + len(data)
    drawing.packet(direction, PSH | ACK if last else ACK, at, acknowledged, data)
    if end // _ACKNOWLEDGE > at // _ACKNOWLEDGE:
        drawing.packet(_other(direction), ACK, acknowledged, end)
    return drawing.blocks()


def _ended(record: Record, lost: int) -> bytes:
    _, _, time, connection, direction, comment, reset, at, acknowledged = record
    drawing = _Drawing(time, connection, comment, lost)
    if reset:
        drawing.packet(direction, RST | ACK, at, acknowledged)
        return drawing.blocks()
    back = _other(direction)
    drawing.packet(direction, FIN | ACK, at, acknowledged)
    drawing.packet(back, FIN | ACK, acknowledged, at + 1)
    drawing.packet(direction, ACK, at + 1, acknowledged + 1)
    return drawing.blocks()


def _other(direction: str) -> Direction:
    return "out" if direction == "in" else "in"
