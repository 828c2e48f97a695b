"""The PROXY header: exactly its bytes, whatever they are, and how they come."""

from __future__ import annotations

import socket
import struct
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from netlab.errors import ConnectionReset, CorruptedFrame, HandshakeTimeout, NetlabError
from netlab.testing.network import MemoryHub
from netlab.transport.hub import READ, WRITE
from netlab.transport.proxyheader import ProxyHeader
from tests.transport.support import advance

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
V4 = socket.inet_aton("192.0.2.7") + socket.inet_aton("192.0.2.1") + struct.pack("!HH", 4007, 8032)
V6 = b"\x20\x01" + bytes(13) + b"\x07" + b"\x20\x01" + bytes(13) + b"\x01" + V4[8:]
UNIX = b"/tmp/client".ljust(108, b"\0") + b"/tmp/server".ljust(108, b"\0")


def v2(command: int, family: int, body: bytes, length: int | None = None) -> bytes:
    """A header of version 2."""
    size = len(body) if length is None else length
    return SIGNATURE + bytes([0x20 | command, family]) + struct.pack("!H", size) + body


class Quiet(MemoryHub):
    """A hub for a socket that is real: the test says when there is something to read."""

    def poke(self) -> None:
        pass


class Reading:
    """A header that is read from a real socket, in pieces."""

    def __init__(self, timeout: float | None = 5.0) -> None:
        self.clock = Clock()
        self.hub = Quiet(self.clock)
        self.here, self.there = socket.socketpair()
        self.here.setblocking(False)
        self.done: list[tuple[Any, Any, NetlabError | None]] = []
        self.header = ProxyHeader(self.hub, self.here, timeout, self._done)

    def _done(self, sock: Any, peer: Any, host: Any, error: NetlabError | None) -> None:
        assert sock is self.here
        self.done.append((peer, host, error))

    def feed(self, data: bytes) -> None:
        """Sends ``data`` and has it read, as long as the header is not done."""
        if data:
            self.there.sendall(data)
        before = -1
        while not self.done and before != len(self.header.buffer):
            before = len(self.header.buffer)
            self.header.readable()

    def end(self) -> None:
        """The peer hangs up."""
        self.there.shutdown(socket.SHUT_WR)
        if not self.done:
            self.header.readable()

    @property
    def rest(self) -> bytes:
        """What is left in the socket."""
        try:
            return self.here.recv(1 << 20)
        except BlockingIOError:
            return b""

    def close(self) -> None:
        """Ends it."""
        self.header.finish(None, None, None)
        self.here.close()
        self.there.close()


def read(pieces: list[bytes], *, end: bool = False) -> tuple[list[Any], bytes]:
    """What comes of ``pieces``: what was told, and what is left in the socket."""
    reading = Reading()
    try:
        for piece in pieces:
            reading.feed(piece)
        if end:
            reading.end()
        return list(reading.done), reading.rest
    finally:
        reading.close()


def outcome(done: list[Any]) -> Any:
    """What can be compared: the addresses, or the kind of error."""
    return [(peer, host, type(error)) for peer, host, error in done]


GOOD: list[tuple[bytes, Any, Any]] = [
    (
        b"PROXY TCP4 192.0.2.7 192.0.2.1 4007 8032\r\n",
        IPv4Address("TCP", "192.0.2.7", 4007),
        IPv4Address("TCP", "192.0.2.1", 8032),
    ),
    (
        b"PROXY TCP6 2001::7 2001::1 4007 8032\r\n",
        IPv6Address("TCP", "2001::7", 4007),
        IPv6Address("TCP", "2001::1", 8032),
    ),
    (b"PROXY UNKNOWN\r\n", None, None),
    (b"PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n", None, None),
    (
        v2(1, 0x11, V4),
        IPv4Address("TCP", "192.0.2.7", 4007),
        IPv4Address("TCP", "192.0.2.1", 8032),
    ),
    (
        v2(1, 0x21, V6),
        None,  # the text of such an address is Twisted's: see test_ipv6
        None,
    ),
    (v2(1, 0x31, UNIX), UNIXAddress(b"/tmp/client"), UNIXAddress(b"/tmp/server")),
    (v2(0, 0x00, b""), None, None),
    (v2(0, 0x11, V4), None, None),
    (v2(1, 0x00, b""), None, None),
]


class Good(SynchronousTestCase):
    def test_kinds(self) -> None:
        """Both versions, each family, LOCAL and UNKNOWN: the addresses that they give."""
        for header, peer, host in GOOD:
            done, rest = read([header])
            self.assertEqual(len(done), 1, header)
            self.assertIsNone(done[0][2], header)
            if header[13:14] != b"\x21":
                self.assertEqual(done[0][:2], (peer, host), header)
            self.assertEqual(rest, b"")

    def test_ipv6(self) -> None:
        """IPv6 in binary."""
        ((peer, host, error),), _ = read([v2(1, 0x21, V6)])
        self.assertIsNone(error)
        self.assertEqual((peer.port, host.port), (4007, 8032))
        self.assertEqual(socket.inet_pton(socket.AF_INET6, peer.host), V6[:16])

    def test_byte_by_byte(self) -> None:
        """However it comes in, it is the same; not one byte more is taken."""
        for header, _, _ in GOOD:
            whole, _ = read([header])
            for follows in (b"", b"\x16\x03\x01 after", b"PROXY TCP4 again\r\n"):
                data = header + follows
                for pieces in ([data], [data[i : i + 1] for i in range(len(data))]):
                    done, rest = read(pieces)
                    self.assertEqual(outcome(done), outcome(whole), header)
                    self.assertEqual(rest, follows)

    def test_every_split(self) -> None:
        """In two, at any place."""
        for header, _, _ in GOOD:
            whole, _ = read([header])
            for at in range(1, len(header)):
                done, rest = read([header[:at], header[at:] + b"after"])
                self.assertEqual(outcome(done), outcome(whole), (header, at))
                self.assertEqual(rest, b"after")

    def test_extensions(self) -> None:
        """TLVs behind the addresses belong to the header and are skipped (section 2.2.5)."""
        tlv = b"\x03\0\x04abcd" + b"\x20\0\x05xxxxx"
        done, rest = read([v2(1, 0x11, V4 + tlv) + b"after"])
        self.assertEqual(outcome(done), outcome(read([v2(1, 0x11, V4)])[0]))
        self.assertEqual(rest, b"after")

    def test_udp_family(self) -> None:
        """Datagrams, the fifth family, and others: an answer, and no exception."""
        for family in (0x12, 0x22, 0x32, 0x13, 0x41, 0xFF):
            done, _ = read([v2(1, family, UNIX)])
            self.assertEqual(len(done), 1)


class Bad(SynchronousTestCase):
    def assert_refused(self, data: bytes, kind: type[NetlabError] = CorruptedFrame) -> str:
        """It is refused, once, whether it comes whole or byte by byte; returns the text."""
        for pieces in ([data], [data[i : i + 1] for i in range(len(data))]):
            done, _ = read(pieces)
            self.assertEqual(len(done), 1, data)
            self.assertIs(type(done[0][2]), kind, data)
        return str(done[0][2])

    def test_garbage(self) -> None:
        """What is no header is refused, with a question that helps."""
        for data in (
            b"GET / HTTP/1.1\r\n",
            b"\0\0\0\x05hello" * 3,
            b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03" * 3,
            b"PROXY\r\n",
            b"PROXY \r\n",
            b"PROXY TCP5 1.2.3.4 1.2.3.4 1 2\r\n",
            b"PROXY TCP4 1.2.3.4\r\n",
            b"PROXY TCP4 1.2.3.4 1.2.3.4 a b\r\n",
            b"PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n",
            b"PROXY TCP4 1.2.3.4 1.2.3.4 1 " + b"9" * 70 + b"x\r\n",
            SIGNATURE + b"\x31\x11\0\x0c" + V4,
            SIGNATURE + b"\x2f\x11\0\x0c" + V4,
            v2(1, 0x11, V4[:5]),
        ):
            self.assertIn("without the load balancer?", self.assert_refused(data))

    def test_wrong_addresses(self) -> None:
        """An address that is none, or a port above 65535, is not passed on as one."""
        for data in (
            b"PROXY TCP4 hello 192.0.2.1 1 2\r\n",
            b"PROXY TCP4 192.0.2.1 192.0.2.1 99999 2\r\n",
            b"PROXY TCP4 192.0.2.1 192.0.2.1 -1 2\r\n",
            b"PROXY TCP6 192.0.2.1 ::1 1 2\r\n",
            b"PROXY TCP6 hello ::1 1 2\r\n",
        ):
            self.assert_refused(data)

    def test_wrong_ipv6(self) -> None:
        """An IPv6 address that is none ends the connection; it is not forgotten."""
        for data in (b"PROXY TCP6 hello ::1 1 2\r\n", b"PROXY TCP6 ::1 hello 1 2\r\n"):
            self.assert_refused(data)

    def test_too_long(self) -> None:
        """A line of more than 107 bytes, a body of more than 2 KiB."""
        self.assert_refused(b"PROXY TCP4 " + b"1" * 200)
        self.assert_refused(b"PROXY UNKNOWN " + b"x" * 200 + b"\r\n")
        self.assert_refused(v2(1, 0x11, V4, length=0xFFFF) + bytes(100))

    def test_longest(self) -> None:
        """107 bytes are not too long (section 2.1)."""
        line = b"PROXY UNKNOWN ".ljust(105, b"f") + b"\r\n"
        self.assertEqual(outcome(read([line])[0]), [(None, None, type(None))])
        self.assertEqual(outcome(read([line[:1], line[1:]])[0]), [(None, None, type(None))])

    def test_hung_up(self) -> None:
        """An end before the end of the header."""
        for data in (b"", b"PRO", b"PROXY TCP4 1.2.3.4", SIGNATURE, v2(1, 0x11, V4)[:20]):
            done, _ = read([data], end=True)
            self.assertEqual(outcome(done), [(None, None, ConnectionReset)], data)

    def test_reset(self) -> None:
        """A broken connection."""
        reading = Reading()
        self.addCleanup(reading.close)
        sock: Any = reading.here
        reading.here.close()
        reading.header.event(READ | WRITE)
        self.assertEqual(outcome(reading.done), [(None, None, ConnectionReset)])
        self.assertIs(reading.header.sock, sock)

    def test_timeout(self) -> None:
        """Nothing, or too little, in time: an absolute deadline, not reset by each byte."""
        for trickle in (b"", b"P", b"PROXY"):
            reading = Reading(2.0)
            self.addCleanup(reading.close)
            for at in range(4):
                reading.feed(trickle[at : at + 1])
                advance(reading.clock, 0.4)
            self.assertEqual(reading.done, [])
            advance(reading.clock, 1)
            self.assertEqual(outcome(reading.done), [(None, None, HandshakeTimeout)])
            self.assertIn("within 2 s", str(reading.done[0][2]))
            self.assertEqual(reading.clock.getDelayedCalls(), [])

    def test_no_timeout(self) -> None:
        """No limit."""
        reading = Reading(None)
        self.addCleanup(reading.close)
        advance(reading.clock, 3600)
        self.assertEqual(reading.done, [])
        reading.feed(GOOD[0][0])
        self.assertEqual(len(reading.done), 1)

    def test_internal_error(self) -> None:
        """A mistake of netlab's own ends the one connection."""
        reading = Reading()
        self.addCleanup(reading.close)
        reading.header.failed()
        reading.header.failed()
        self.assertEqual(outcome(reading.done), [(None, None, ConnectionReset)])


HEADS = [b"", b"P", b"PROXY", b"PROXY TCP4 ", b"PROXY TCP6 ", b"PROXY UNKNOWN", SIGNATURE]
HEADS += [SIGNATURE + bytes([a, b]) for a in (0x20, 0x21, 0x22) for b in (0, 0x11, 0x21, 0x31)]
TAILS = st.sampled_from([b"", b"\r\n", b"\n", b" 1 2\r\n", b" 1.2.3.4 1.2.3.4 1 2\r\n"])


class Anything(SynchronousTestCase):
    @given(st.sampled_from(HEADS), st.binary(max_size=300), TAILS, st.integers(1, 40))
    @example(b"PROXY TCP4 ", b"\xff\xff", b" 1 2\r\n", 1)
    @example(b"PROXY TCP6 ", b"hello ::1", b" 1 2\r\n", 1)
    @example(b"PROXY TCP4 ", b"1.2.3.4 1.2.3.4 ", b" 1 2\r\n", 1)
    def test_done_once(self, head: bytes, body: bytes, tail: bytes, size: int) -> None:
        """Any bytes, in pieces of any size: done or refused, once, and nothing raised.

        In whatever pieces it comes, the outcome is the same.
        """
        data = head + body + tail
        pieces = [data[i : i + size] for i in range(0, len(data), size)]
        whole, rest_of_whole = read([data], end=True)
        done, rest = read(pieces, end=True)
        self.assertEqual(len(whole), 1)
        self.assertEqual(outcome(done), outcome(whole))
        if whole[0][2] is None:
            self.assertEqual(rest, rest_of_whole)
            self.assertTrue(data.endswith(rest))
