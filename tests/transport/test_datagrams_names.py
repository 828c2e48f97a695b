# trial's assertions have no annotations:
# mypy: allow-untyped-calls
"""Names of peers, and any bytes to and from them: what holds for all of them."""

from __future__ import annotations

import ipaddress
import select
import socket
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from netlab.transport import datagrams, has_ipv6
from netlab.transport.datagrams import (
    BATCH,
    BatchSocket,
    Datagram,
    DatagramSocket,
    Peer,
    PlainSocket,
)
from tests.transport.support import DEADLINE

GARBAGE: list[Any] = [
    *((), ("",), ("127.0.0.1",), ("localhost", 1), ("nowhere.invalid", 1), ("", 1), ("x", 1)),
    *(("127.0.0.1", -1), ("127.0.0.1", 65536), ("127.0.0.1", "1"), ("127.0.0.1", 1.5)),
    *(("127.0.0.1", None), (None, 1), (b"127.0.0.1", 1), ("127.0.0.1 and more", 1), ("127.1", 1)),
    *(("127.0.0.1", 1, 2), ("127.0.0.1", 1, 0, 0), ("127.0.0.1%lo", 1), ("127.0.0.1\0", 1)),
    *(("::1", 1, -1, 0), ("::1", 1, 0, -1), ("::1", 1, 0, 1 << 32), ("::1", 1, 1 << 32, 0)),
    *(("::1", 1, None, 0), ("::1", 1, 0, None), ("::1", 1, 0), ("::1\0", 1), ("::1", -1)),
    *(("fe80::1%nowhere", 1), ("fe80::1%²", 1), ("fe80::1%99999999999", 1), ("fe80::1%", 1)),
    *(5, None, "127.0.0.1", {"127.0.0.1": 1}, ["127.0.0.1", 1]),
]
"""What is no address, whatever the family."""


def plain(host: str) -> socket.socket:
    """A socket bound to ``host``."""
    if ":" in host and not has_ipv6():
        raise SkipTest("this machine has no IPv6")
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
    sock.setblocking(False)
    sock.bind((host, 0))
    return sock


class Case(SynchronousTestCase):
    host = "127.0.0.1"

    def setUp(self) -> None:
        sock = plain(self.host)
        self.addCleanup(sock.close)
        self.both: list[DatagramSocket] = [PlainSocket(sock)]
        if datagrams._library is not None:
            self.both.append(BatchSocket(sock, everywhere=False))

    def test_no_names(self) -> None:
        """What is no address is refused as such, and never looked up by name."""
        self.patch(socket, "getaddrinfo", lambda *_, **__: self.fail("it was looked up"))
        for server in self.both:
            for peer in GARBAGE:
                try:
                    name = server.name(peer)
                except (OSError, ValueError):
                    continue
                self.fail(f"{peer!r} became the name {name!r}")


class IPv4(Case):
    @given(st.ip_addresses(v=4), st.integers(0, 65535))
    def test_any_name(self, host: ipaddress.IPv4Address, port: int) -> None:
        """Every address survives being made a name, and other addresses are other names."""
        for server in self.both:
            peer = (str(host), port)
            name = server.name(peer)
            self.assertEqual(server.peer(name), peer)
            self.assertEqual(server.port(name), port)
            neighbour = server.name((str(ipaddress.IPv4Address(int(host) ^ 1)), port))
            other_port = server.name((str(host), port ^ 1))
            self.assertEqual(len({name, neighbour, other_port}), 3)
            self.assertEqual(server.source(name), server.source(other_port))
            self.assertNotEqual(server.source(name), server.source(neighbour))

    @given(st.lists(st.binary(max_size=300), min_size=1, max_size=BATCH))
    def test_any_bytes(self, sent: list[bytes]) -> None:
        """Whatever they hold, datagrams come and go as they are, in their order."""
        for server in self.both:
            with plain(self.host) as peer:
                for each in sent:
                    peer.sendto(each, server.sock.getsockname())
                received: list[Datagram] = []
                while len(received) < len(sent):
                    self.assertTrue(select.select([server.sock], [], [], DEADLINE)[0])
                    received += server.receive()
                self.assertEqual([data for data, _, _ in received], sent)
                self.assertEqual(server.send(received), len(sent))
                peer.settimeout(DEADLINE)
                self.assertEqual([peer.recv(400) for _ in sent], sent)


class IPv6(Case):
    host = "::1"

    @given(st.ip_addresses(v=6), st.integers(0, 65535), st.integers(0, 0xFFFFF), st.integers(0, 99))
    def test_any_name(self, host: ipaddress.IPv6Address, port: int, flow: int, scope: int) -> None:
        """Likewise, with flow and scope; a source is a whole network of 64 bits."""
        for server in self.both:
            name = server.name((str(host), port, flow, scope))
            back: Peer = server.peer(name)
            # A scope may be written behind the host too, as Python does it.
            self.assertEqual(ipaddress.ip_address(back[0].partition("%")[0]), host)
            self.assertEqual(back[1:], (port, flow, scope))
            self.assertEqual(server.name(back), name)
            self.assertEqual(server.name((f"{host}%{scope}", port, flow, 0)), name)
            self.assertEqual(server.port(name), port)
            for bit, same in ((0, True), (63, True), (64, False), (127, False)):
                other = server.name((str(ipaddress.IPv6Address(int(host) ^ 1 << bit)), port))
                self.assertNotEqual(other, name)
                self.assertEqual(server.source(other) == server.source(name), same)
