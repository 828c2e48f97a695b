# trial's assertions have no annotations:
# mypy: allow-untyped-calls

from __future__ import annotations

import struct

from twisted.trial.unittest import SynchronousTestCase

from netlab.ledger.capture import Capture
from netlab.ledger.pcapng import Direction
from netlab.ledger.records import (
    DATAGRAM,
    ENDED,
    LONGEST_FATE,
    LOST,
    OPENED,
    SEGMENT,
    Connection,
    Record,
)
from tests.ledger.reading import ACK, FIN, PSH, RST, SYN, Packet, packets, sections

PEER, HOST = ("192.0.2.1", 4711), ("192.0.2.2", 8032)
CONNECTION = Connection(PEER, HOST, 0xFFFFFFF0)


def draw(*records: Record, lost: int = 0) -> list[Packet]:
    """The packets that ``records`` become; ``lost`` are missing before the first."""
    capture = Capture("netlab test")
    data = capture.header()
    for record in records:
        data += capture.encode(record, lost)
        lost = 0
    return packets(data)


def datagram(direction: Direction, data: bytes, fate: str, peer: tuple[str, int] = PEER) -> Record:
    return (DATAGRAM, len(data), 5, direction, peer, HOST, data, len(data), fate, {})


def segment(
    direction: Direction, data: bytes, at: int, back: int, comment: str = "", last: bool = True
) -> Record:
    return (SEGMENT, len(data), 5, CONNECTION, direction, data, comment, last, at, back)


class Datagrams(SynchronousTestCase):
    def test_both_ways(self) -> None:
        received, sent = draw(
            datagram("in", b"ping", "received"), datagram("out", b"pong", "dropped: loss")
        )
        self.assertEqual((received.source, received.target), (PEER, HOST))
        self.assertEqual((sent.source, sent.target), (HOST, PEER))
        self.assertEqual((received.direction, received.comment), ("in", "received"))
        self.assertEqual((sent.direction, sent.comment), ("out", "dropped: loss"))
        self.assertEqual((received.data, sent.data), (b"ping", b"pong"))
        self.assertEqual((received.time, received.lost, received.protocol), (5, 0, "udp"))

    def test_comments(self) -> None:
        """Escaped and bounded."""
        for fate, shown in (
            ("", ""),
            ("zu spät", "zu spät"),
            ("\0\x1b\n\u202e", "\\x00\\x1b\\n\\u202e"),
            ("x" * 5000, "x" * LONGEST_FATE + "..."),
            ("\x1b" * 5000, "\\x1b" * LONGEST_FATE + "..."),
        ):
            (packet,) = draw(datagram("in", b"", fate))
            self.assertEqual(packet.comment, shown)

    def test_lost(self) -> None:
        for fate, lost, shown in (
            ("received", 1, "received; 1 record is missing before this one"),
            ("", 70, "70 records are missing before this one"),
        ):
            (packet,) = draw(datagram("in", b"", fate), lost=lost)
            self.assertEqual((packet.comment, packet.lost), (shown, lost))

    def test_too_long(self) -> None:
        """What no packet holds is shown as far as one does."""
        for peer, longest in ((PEER, 65_507), (("2001:db8::1", 1), 65_527)):
            for size in (longest, longest + 1, 100_000):
                (packet,) = draw(datagram("out", bytes(size), "refused: too long", peer))
                self.assertEqual(len(packet.data), longest)
                shown = f"; {longest} of {size} bytes are shown, all that a datagram holds"
                self.assertEqual(
                    packet.comment, "refused: too long" + (shown if size > longest else "")
                )

    def test_impossible(self) -> None:
        with self.assertRaises(struct.error):
            draw(datagram("in", b"", "", ("192.0.2.1", 70_000)))


class Connections(SynchronousTestCase):
    def summary(self, *records: Record, lost: int = 0) -> list[tuple[str, int, int, int, int]]:
        """Direction, flags, sequence and acknowledgement less the first ones, length."""
        first = {"in": 0xFFFFFFF0, "out": 0x3FFFFFF0}
        found = []
        for packet in draw(*records, lost=lost):
            other = "out" if packet.direction == "in" else "in"
            self.assertEqual(packet.source, PEER if packet.direction == "in" else HOST)
            acknowledged = (packet.acknowledged - first[other]) % (1 << 32)
            found.append(
                (
                    packet.direction,
                    packet.flags,
                    (packet.sequence - first[packet.direction]) % (1 << 32),
                    acknowledged if packet.flags & ACK else 0,
                    len(packet.data),
                )
            )
        return found

    def test_opened(self) -> None:
        """The three-way handshake (RFC 9293, section 3.5)."""
        opened = (OPENED, 0, 5, CONNECTION)
        self.assertEqual(
            self.summary(opened),
            [("in", SYN, 0, 0, 0), ("out", SYN | ACK, 0, 1, 0), ("in", ACK, 1, 1, 0)],
        )
        self.assertEqual([packet.time for packet in draw(opened)], [5, 5, 5])
        comment = draw(opened)[0].comment
        self.assertIn("TCP as netlab draws it", comment)

    def test_data(self) -> None:
        self.assertEqual(
            self.summary(
                segment("in", b"hello", 0, 0),
                segment("out", b"HELLO!", 0, 5),
                segment("in", b"more", 5, 6, last=False),
            ),
            [
                ("in", PSH | ACK, 1, 1, 5),
                ("out", PSH | ACK, 1, 6, 6),
                ("in", ACK, 6, 7, 4),
            ],
        )

    def test_acknowledged(self) -> None:
        """Each 16 KiB of a stream is, by the other side."""
        self.assertEqual(
            self.summary(
                segment("in", bytes(16_383), 0, 9),
                segment("in", b"x", 16_383, 9),
                segment("in", b"x", 16_384, 9),
            ),
            [
                ("in", PSH | ACK, 1, 10, 16_383),
                ("in", PSH | ACK, 16_384, 10, 1),
                ("out", ACK, 10, 16_385, 0),
                ("in", PSH | ACK, 16_385, 10, 1),
            ],
        )

    def test_ended(self) -> None:
        """Who ends first finishes first (RFC 9293, section 3.6); a reset is one packet."""
        for direction, other in (("in", "out"), ("out", "in")):
            ended = (ENDED, 0, 5, CONNECTION, direction, "closed", False, 3, 4)
            self.assertEqual(
                self.summary(ended),
                [
                    (direction, FIN | ACK, 4, 5, 0),
                    (other, FIN | ACK, 5, 5, 0),
                    (direction, ACK, 5, 6, 0),
                ],
            )
            reset = (ENDED, 0, 5, CONNECTION, direction, "cut", True, 3, 4)
            self.assertEqual(self.summary(reset), [(direction, RST | ACK, 4, 5, 0)])
            self.assertEqual([each.comment for each in draw(ended)], ["closed", "", ""])

    def test_comment_and_lost(self) -> None:
        """Both are at the first packet of a record."""
        found = draw(segment("in", bytes(20_000), 0, 0, "slow"), lost=2)
        self.assertEqual(
            [(each.comment, each.lost) for each in found],
            [("slow; 2 records are missing before this one", 2), ("", 0)],
        )


class File(SynchronousTestCase):
    def test_around(self) -> None:
        capture = Capture("netlab test")
        (section,) = sections(capture.header() + capture.footer(7, 10, 3))
        self.assertEqual(section.application, "netlab test")
        self.assertEqual(section.interface["name"], "netlab")
        self.assertEqual(section.statistics, [{"time": 7, "received": 13, "dropped": 3}])
        self.assertEqual(capture.ending(3), b"")
        self.assertEqual(capture.missing((LOST, 0, 3, 4)), 7)
        self.assertTrue(capture.is_ours(capture.header()[:16]))
        self.assertEqual(capture.whole(capture.header() + b"\6"), len(capture.header()))
