# trial's assertions have no annotations:
# mypy: allow-untyped-calls
"""What only sockets with recvmmsg(2) do: they know which address was asked, and answer from it."""

from __future__ import annotations

import ctypes
import errno
import socket
import struct
from typing import Any

from twisted.trial.unittest import SkipTest

from netlab.transport import datagrams
from netlab.transport.datagrams import DROP_BROADCAST, DROP_MULTICAST, BatchSocket
from tests.transport.datagram_sockets import SocketCase, client, link_local


class Ways(SocketCase):
    kind = BatchSocket

    def test_asked_address(self) -> None:
        """A socket for all addresses answers from the one that was asked.

        Stock Twisted's answers come from whatever address the system likes; a client
        that is connected, as most are, never sees them.
        """
        server = self.bind("0.0.0.0")
        port = server.sock.getsockname()[1]
        hosts = ["127.0.0.1", "127.0.0.2", "127.0.0.3", "127.9.9.9"]
        with client() as peer:
            for host in hosts:
                peer.sendto(host.encode(), (host, port))
            received = self.receive(server, len(hosts))
            self.assertEqual([server.host(way) for _, _, way in received], hosts)
            self.assertEqual(server.send(received), len(hosts))
            for host in hosts:
                self.assertEqual(peer.recvfrom(100), (host.encode(), (host, port)))

    def test_asked_address_of_ipv6(self) -> None:
        """Likewise with IPv6."""
        server = self.bind("::")
        port = server.sock.getsockname()[1]
        with client(socket.AF_INET6) as peer:
            peer.connect(("::1", port))
            peer.send(b"hello")
            received = self.receive(server)
            self.assertEqual(server.host(received[0][2]), "::1")
            server.send(received)
            self.assertEqual(peer.recv(100), b"hello")

    def test_no_way(self) -> None:
        """What is no answer goes from the address that the system chooses."""
        for host, family in (("0.0.0.0", socket.AF_INET), ("::", socket.AF_INET6)):
            server = self.bind(host)
            with client(family) as peer:
                asked = (peer.getsockname()[0], server.sock.getsockname()[1])
                # After one that had a way: nothing of it may be left.
                peer.sendto(b"hello", asked)
                server.send(self.receive(server))
                server.send([(b"news", server.name(peer.getsockname()), b"")])
                self.assertEqual([peer.recv(100), peer.recv(100)], [b"hello", b"news"])

    def test_many_ways(self) -> None:
        """Addresses are remembered up to a bound, and answered beyond it."""
        self.patch(datagrams, "_KNOWN_WAYS", 4)
        server = self.bind("0.0.0.0")
        port = server.sock.getsockname()[1]
        with client() as peer:
            for number in range(20):
                host = f"127.1.1.{number % 7 + 1}"
                peer.sendto(b"hello", (host, port))
                server.send(self.receive(server))
                self.assertEqual(peer.recvfrom(100), (b"hello", (host, port)))
            known: Any = server
            self.assertLessEqual(len(known._ways), 4)

    def test_broadcast(self) -> None:
        """What was sent to everybody is marked as such, whoever sent it."""
        server = self.bind("0.0.0.0")
        port = server.sock.getsockname()[1]
        with client() as peer:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            peer.sendto(b"all", ("127.255.255.255", port))
            peer.sendto(b"you", ("127.0.0.1", port))
            (_, _, way), (_, _, other) = self.receive(server, 2)
        self.assertIs(way, DROP_BROADCAST)
        self.assertEqual(server.host(way), "0.0.0.0")
        self.assertNotIn(other, (DROP_BROADCAST, DROP_MULTICAST))

    def test_multicast(self) -> None:
        """Likewise what was sent to a group."""
        server = self.bind("0.0.0.0")
        port = server.sock.getsockname()[1]
        group, loopback = socket.inet_aton("224.0.0.251"), socket.inet_aton("127.0.0.1")
        membership = group + loopback
        server.sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)
        with client() as peer:
            peer.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, loopback)
            peer.sendto(b"group", ("224.0.0.251", port))
            ((data, _, way),) = self.receive(server)
        self.assertEqual(data, b"group")
        self.assertIs(way, DROP_MULTICAST)

    def test_multicast_of_ipv6(self) -> None:
        """All nodes of a link are asked: not even the kernel keeps that from us."""
        found = link_local()
        if found is None:
            raise SkipTest("this machine has no link-local address")
        server = self.bind("::")
        scope = socket.if_nametoindex(found[1])
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as peer:
            peer.sendto(b"all", ("ff02::1", server.sock.getsockname()[1], 0, scope))
            ((data, _, way),) = self.receive(server)
        self.assertEqual(data, b"all")
        self.assertIs(way, DROP_MULTICAST)
        self.assertEqual(server.host(way), "::")


class System(SocketCase):
    kind = BatchSocket

    def test_full(self) -> None:
        """No room in the system's buffer: an error with its number, as any other."""
        server: Any = self.bind()

        class Full:
            def sendmmsg(self, *_: object) -> int:
                return _fails(errno.EAGAIN)

            def recvmmsg(self, *_: object) -> int:
                return _fails(numbers.pop(0))

        self.patch(datagrams, "_library", Full())
        with client() as peer:
            batch = [(b"1", server.name(peer.getsockname()), b"")]
        error = self.assertRaises(OSError, server.send, batch)
        self.assertEqual(error.errno, errno.EAGAIN)
        numbers = [errno.EAGAIN, errno.EINTR]
        self.assertEqual([server.receive(), server.receive()], [[], []])
        for number in (errno.ENOMEM, errno.ENOBUFS, errno.EBADF):
            numbers.append(number)
            self.assertEqual(self.assertRaises(OSError, server.receive).errno, number)

    def test_layout(self) -> None:
        """The structures are the kernel's: a header is as long as cmsg(3) and recvmsg(2) say."""
        word = struct.calcsize("N")
        self.assertEqual(ctypes.sizeof(datagrams._Vector), 2 * word)
        self.assertEqual(ctypes.sizeof(datagrams._Message), 64 if word == 8 else 32)


def _fails(number: int) -> int:
    ctypes.set_errno(number)
    return -1
