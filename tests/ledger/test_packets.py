# trial's assertions have no annotations:
# mypy: allow-untyped-calls

from __future__ import annotations

import struct
from ipaddress import ip_address

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from netlab.ledger.packets import (
    ACK,
    FIN,
    SEGMENT,
    SYN,
    longest_datagram,
    tcp_packet,
    udp_packet,
)
from tests.ledger.reading import ip_packet

PORTS = st.integers(0, 65535)
IPV4 = st.tuples(st.ip_addresses(v=4).map(str), PORTS)
IPV6 = st.tuples(st.ip_addresses(v=6).map(str), PORTS)
ENDS = st.tuples(IPV4, IPV4) | st.tuples(IPV6, IPV6)


def plain(endpoint: tuple[str, int]) -> tuple[object, int]:
    """``endpoint`` with an address that can be compared."""
    return ip_address(endpoint[0]), endpoint[1]


class UDP(SynchronousTestCase):
    def test_known(self) -> None:
        """A datagram whose lengths and checksums Wireshark finds right."""
        packet = udp_packet(("127.0.0.1", 4711), ("127.0.0.1", 8007), b"hello")
        self.assertEqual(
            packet.hex(" ", -4),
            "45000021 00004000 40113cca 7f000001 7f000001 12671f47 000d8c51 68656c6c 6f",
        )

    @given(ENDS, st.binary(max_size=100))
    def test_any(self, ends: tuple[tuple[str, int], tuple[str, int]], data: bytes) -> None:
        for each in (data, memoryview(data)):
            packet = ip_packet(udp_packet(*ends, each))
            self.assertEqual(
                (plain(packet.source), plain(packet.target)), (plain(ends[0]), plain(ends[1]))
            )
            self.assertEqual((packet.protocol, packet.data), ("udp", data))

    def test_lengths(self) -> None:
        """The longest ones, and none longer; odd and even."""
        for address, longest in (("192.0.2.1", 65_507), ("2001:db8::1", 65_527)):
            end = (address, 7)
            self.assertEqual(longest_datagram(end, end), longest)
            for size in (0, 1, 2, 65_506, 65_507, longest):
                data = bytes(range(256)) * 256
                self.assertEqual(ip_packet(udp_packet(end, end, data[:size])).data, data[:size])
            with self.assertRaises(struct.error):
                udp_packet(end, end, bytes(longest + 1))

    def test_checksum_of_zero(self) -> None:
        """It is written as all ones: zero would mean that there is none."""
        ends = ("0.0.0.0", 0), ("0.0.0.0", 0)
        found = set()
        for high in range(256):
            packet = udp_packet(*ends, bytes((high, 0xDA)))
            ip_packet(packet)
            found.add(packet[26:28])
        self.assertIn(b"\xff\xff", found)
        self.assertNotIn(b"\0\0", found)

    def test_scope(self) -> None:
        packet = ip_packet(udp_packet(("fe80::1%eth0", 1), ("fe80::2%2", 2), b""))
        self.assertEqual((packet.source, packet.target), (("fe80::1", 1), ("fe80::2", 2)))

    def test_families(self) -> None:
        """Of two families, the older is mapped; text that is no address is the unspecified one."""
        four, six = ("192.0.2.1", 1), ("2001:db8::1", 2)
        mapped, name = ("::ffff:192.0.2.1", 1), ("\x1b[31m/run/x.sock", 3)
        for source, target, shown in (
            (four, six, (mapped, six)),
            (six, four, (six, mapped)),
            (name, four, (("0.0.0.0", 3), four)),
            (six, name, (six, ("::", 3))),
            (name, name, (("0.0.0.0", 3), ("0.0.0.0", 3))),
        ):
            packet = ip_packet(udp_packet(source, target, b"x"))
            self.assertEqual((packet.source, packet.target), shown)


class TCP(SynchronousTestCase):
    @given(
        ENDS,
        st.integers(0, 1 << 40),
        st.integers(0, 1 << 40),
        st.integers(0, 31),
        st.binary(max_size=100),
    )
    def test_any(
        self,
        ends: tuple[tuple[str, int], tuple[str, int]],
        sequence: int,
        acknowledged: int,
        flags: int,
        data: bytes,
    ) -> None:
        packet = ip_packet(tcp_packet(*ends, sequence, acknowledged, flags, data))
        self.assertEqual(
            (plain(packet.source), plain(packet.target)), (plain(ends[0]), plain(ends[1]))
        )
        self.assertEqual((packet.protocol, packet.flags, packet.data), ("tcp", flags, data))
        self.assertEqual(packet.sequence, sequence % (1 << 32))
        self.assertEqual(packet.acknowledged, acknowledged % (1 << 32) if flags & ACK else 0)

    def test_longest(self) -> None:
        data = bytes(range(250)) * (SEGMENT // 250)
        self.assertEqual(len(data), SEGMENT)
        for address in ("192.0.2.1", "2001:db8::1"):
            end = (address, 7)
            self.assertEqual(ip_packet(tcp_packet(end, end, 1, 1, ACK | FIN, data)).data, data)

    def test_options(self) -> None:
        """A SYN says how long segments and how wide windows are: MSS, NOP, window scale."""
        end = ("192.0.2.1", 7)
        self.assertEqual(tcp_packet(end, end, 1, 1, SYN)[40:].hex(" "), "02 04 fd e8 01 03 03 0e")
        self.assertEqual(len(tcp_packet(end, end, 1, 1, ACK)), 40)
