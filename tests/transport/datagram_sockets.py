# trial's assertions have no annotations:
# mypy: allow-untyped-calls
"""What the tests of datagram sockets share: both kinds of them, and clients."""

from __future__ import annotations

import ipaddress
import select
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from netlab.transport import datagrams, has_ipv6
from netlab.transport.datagrams import (
    BATCH,
    Datagram,
    DatagramSocket,
    PlainSocket,
    bind,
)
from tests.transport.support import DEADLINE


def link_local() -> tuple[str, str] | None:
    """A link-local address of this machine and its interface, if it has one."""
    try:
        with open("/proc/net/if_inet6") as lines:
            rows = [line.split() for line in lines]
    except OSError:
        return None
    for address, *_, interface in rows:
        if address.startswith("fe80"):
            return str(ipaddress.IPv6Address(bytes.fromhex(address))), interface
    return None


@contextmanager
def client(family: int = socket.AF_INET) -> Iterator[socket.socket]:
    """A client's socket on loopback; it waits for ``DEADLINE`` at most."""
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.settimeout(DEADLINE)
        sock.bind(("::1" if family == socket.AF_INET6 else "127.0.0.1", 0))
        yield sock


class SocketCase(SynchronousTestCase):
    """A case with sockets of one ``kind``, which are closed at its end."""

    kind: type[Any]

    def setUp(self) -> None:
        if self.kind is PlainSocket:
            self.patch(datagrams, "_library", None)
        elif datagrams._library is None:
            raise SkipTest("this system has no recvmmsg")

    def bind(self, host: str = "127.0.0.1", port: int = 0) -> DatagramSocket:
        """A socket that is closed at the end of the test."""
        if ":" in host and not has_ipv6():
            raise SkipTest("this machine has no IPv6")
        bound = bind(host, port)
        self.addCleanup(bound.sock.close)
        self.assertIsInstance(bound, self.kind)
        return bound

    def receive(self, bound: DatagramSocket, count: int = 1) -> list[Datagram]:
        """The next ``count`` datagrams, in no more than a batch a call."""
        received: list[Datagram] = []
        while len(received) < count:
            self.assertTrue(select.select([bound.sock], [], [], DEADLINE)[0], received)
            batch = bound.receive()
            self.assertLessEqual(len(batch), BATCH)
            received += batch
        self.assertEqual(len(received), count)
        return received

    def each_family(self) -> Iterator[tuple[DatagramSocket, socket.socket]]:
        """A server's socket and a client's, for IPv4, and IPv6 where it is."""
        hosts = ["127.0.0.1", *(["::1"] if has_ipv6() else [])]
        for host in hosts:
            server = self.bind(host)
            with client(server.sock.family) as peer:
                peer.connect(server.sock.getsockname())
                yield server, peer
