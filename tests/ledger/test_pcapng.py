# trial's assertions have no annotations:
# mypy: allow-untyped-calls

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from netlab.ledger.packets import udp_packet
from netlab.ledger.pcapng import (
    LONGEST_COMMENT,
    Direction,
    enhanced_packet,
    interface_description,
    interface_statistics,
    is_capture,
    section_header,
    whole_blocks,
)
from tests.ledger.reading import blocks, sections

START = section_header("netlab 1.2") + interface_description("netlab")
PACKET = udp_packet(("192.0.2.1", 1), ("192.0.2.2", 2), b"hello")
DIRECTIONS: st.SearchStrategy[Direction] = st.sampled_from(("in", "out"))


class Blocks(SynchronousTestCase):
    def test_section(self) -> None:
        """Byte for byte as in the draft's figure 9, and its interface as in figure 10."""
        self.assertEqual(
            section_header("netlab 1.2").hex(" ", -4),
            "0a0d0d0a 30000000 4d3c2b1a 01000000 ffffffff ffffffff"
            " 04000a00 6e65746c 61622031 2e320000 00000000 30000000",
        )
        self.assertEqual(
            interface_description("netlab").hex(" ", -4),
            "01000000 2c000000 65000000 00000000"
            " 02000600 6e65746c 61620000 09000100 09000000 00000000 2c000000",
        )
        (section,) = sections(START)
        self.assertEqual(section.application, "netlab 1.2")
        self.assertEqual(
            section.interface, {"link": 101, "snap": 0, "name": "netlab", "resolution": 9}
        )

    def test_packet(self) -> None:
        """Figure 11."""
        block = enhanced_packet(0x0102030405060708, b"\x45abc\x01", "out", "lost", 3)
        self.assertEqual(
            block.hex(" ", -4),
            "06000000 48000000 00000000 04030201 08070605 05000000 05000000 45616263 01000000"
            " 01000400 6c6f7374 02000400 02000000 04000800 03000000 00000000 00000000 48000000",
        )

    @given(
        st.integers(0, (1 << 64) - 1),
        st.binary(max_size=70),
        DIRECTIONS,
        st.text(st.characters(exclude_characters="\0"), max_size=60),
        st.integers(0, (1 << 64) - 1),
    )
    def test_any(
        self, time: int, data: bytes, direction: Direction, comment: str, lost: int
    ) -> None:
        ends = ("192.0.2.1", 1), ("192.0.2.2", 2)
        written = enhanced_packet(time, udp_packet(*ends, data), direction, comment, lost)
        (section,) = sections(START + written)
        (packet,) = section.packets
        self.assertEqual((packet.time, packet.direction), (time, direction))
        self.assertEqual((packet.comment, packet.lost), (comment, lost))
        self.assertEqual(packet.data, data)

    def test_comments(self) -> None:
        """Long ones are cut between characters, and what UTF-8 cannot say is escaped."""
        for comment, shown in (
            ("x" * 70_000, "x" * LONGEST_COMMENT),
            ("x" + "ü" * 70_000, "x" + "ü" * (LONGEST_COMMENT // 2 - 1)),
            ("\ud800", "\\ud800"),
        ):
            (section,) = sections(START + enhanced_packet(1, PACKET, "in", comment))
            self.assertEqual(section.packets[0].comment, shown)
        (_, _, block) = blocks(START + enhanced_packet(1, PACKET, "in"))
        self.assertNotIn(1, block.options)

    def test_statistics(self) -> None:
        """Figure 14."""
        (section,) = sections(START + interface_statistics(0x0102030405060708, 10, 3))
        self.assertEqual(
            section.statistics, [{"time": 0x0102030405060708, "received": 10, "dropped": 3}]
        )

    def test_time_before_the_epoch(self) -> None:
        (section,) = sections(START + enhanced_packet(-5, PACKET, "in"))
        self.assertEqual(section.packets[0].time, 0)


class Continuing(SynchronousTestCase):
    def test_is_capture(self) -> None:
        self.assertTrue(is_capture(START[:12]))
        big_endian = bytes.fromhex("0a0d0d0a 0000001c 1a2b3c4d")
        self.assertTrue(is_capture(big_endian))
        for other in (b"", START[:11], b"\xd4\xc3\xb2\xa1" + bytes(8), b"{" * 12, START[4:]):
            self.assertFalse(is_capture(other))

    def test_whole(self) -> None:
        whole = START + enhanced_packet(1, PACKET, "in", "x" * 100)
        self.assertEqual(whole_blocks(whole + START), len(whole + START))
        big_endian = b"".join(
            number.to_bytes(4, "big")
            for number in (0x0A0D0D0A, 28, 0x1A2B3C4D, 0x10000, 0, 0, 28, 5, 12, 12)
        )
        self.assertEqual(whole_blocks(big_endian), 40)
        self.assertEqual(whole_blocks(START + big_endian + whole), len(START + whole) + 40)

    def test_torn(self) -> None:
        """Nowhere within a block does a file look whole, whatever is in the block."""
        fake = enhanced_packet(1, PACKET, "in")
        inner = udp_packet(("192.0.2.1", 1), ("192.0.2.2", 2), fake * 2)
        whole = START + enhanced_packet(1, inner, "in", "received")
        for end in range(len(START) + 1, len(whole)):
            self.assertEqual(whole_blocks(whole[:end]), len(START))
        self.assertEqual(whole_blocks(b""), 0)

    def test_damaged(self) -> None:
        whole = START + enhanced_packet(1, PACKET, "in", "received")
        for at in (4, 5, 7, -1, -4):
            damaged = bytearray(whole[len(START) :])
            damaged[at] ^= 0x81
            self.assertEqual(whole_blocks(START + damaged + whole), len(START))
