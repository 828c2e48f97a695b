# trial's assertions have no annotations:
# mypy: allow-untyped-calls
"""Sockets for datagrams: everything that is sent comes back as it was, and errors by their name.

What both kinds of socket do is tested for both, on loopback.
"""

from __future__ import annotations

import ctypes
import errno
import socket
import sys
from typing import Any

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from netlab.transport import datagrams
from netlab.transport.datagrams import (
    BATCH,
    LONGEST,
    BatchSocket,
    Datagram,
    PlainSocket,
    bind,
)
from tests.transport.datagram_sockets import SocketCase, client, link_local
from tests.transport.support import DEADLINE

LONGEST_IPV6 = 65527


class OneByOne(SocketCase):
    """What both do; here with nothing but Python's own ``socket``."""

    kind: type[Any] = PlainSocket

    # -- bytes

    def test_sizes(self) -> None:
        """Empty, small, of many fragments, the longest: exact both ways."""
        for server, peer in self.each_family():
            longest = LONGEST if server.sock.family == socket.AF_INET else LONGEST_IPV6
            for size in (0, 1, 7, 1400, 1472, 1473, 9000, 65000, longest, 0, 3):
                data = bytes(at * at % 251 for at in range(size))
                peer.send(data)
                ((got, name, way),) = self.receive(server)
                self.assertIs(type(got), bytes)
                self.assertEqual(got, data)
                self.assertEqual(server.send([(got, name, way)]), 1)
                self.assertEqual(peer.recv(65536), data)

    def test_too_long(self) -> None:
        """One byte more is refused by name; stock Twisted raises it into the caller."""
        server = self.bind()
        with client() as peer:
            name = server.name(peer.getsockname())
            error = self.assertRaises(OSError, server.send, [(bytes(LONGEST + 1), name, b"")])
            self.assertEqual(error.errno, errno.EMSGSIZE)
            self.assertEqual(server.send([(b"short", name, b"")]), 1)
            self.assertEqual(peer.recv(100), b"short")

    def test_batches(self) -> None:
        """More than a batch: nothing is lost, doubled or out of order, both ways."""
        for server, peer in self.each_family():
            sent = [b"%d" % number * (number % 5) for number in range(3 * BATCH + 1)]
            for each in sent:
                peer.send(each)
            received = self.receive(server, len(sent))
            self.assertEqual([data for data, _, _ in received], sent)
            self.assertEqual(len({name for _, name, _ in received}), 1)
            while received:
                count = server.send(received[:BATCH])
                self.assertEqual(count, min(BATCH, len(received)))
                del received[:count]
            self.assertEqual([peer.recv(100) for _ in sent], sent)

    def test_empty_ones(self) -> None:
        """Empty datagrams count like others: a batch ends, however many there are.

        Stock Twisted counts bytes, so that its loop never ends while they come.
        """
        for server, peer in self.each_family():
            for _ in range(2 * BATCH):
                peer.send(b"")
            self.assertEqual(len(server.receive()), BATCH)
            self.assertEqual([data for data, _, _ in self.receive(server, BATCH)], [b""] * BATCH)

    def test_nothing(self) -> None:
        """Nothing has come: it does not wait."""
        for server, _ in self.each_family():
            self.assertEqual(server.receive(), [])
            self.assertFalse(server.sock.getblocking())

    def test_kept(self) -> None:
        """What was received does not change when more comes into the same place."""
        server = self.bind()
        with client() as peer:
            peer.sendto(b"a" * 1000, server.sock.getsockname())
            (first,) = self.receive(server)
            peer.sendto(b"b" * 10, server.sock.getsockname())
            (second,) = self.receive(server)
        self.assertEqual((first[0], second[0]), (b"a" * 1000, b"b" * 10))

    # -- addresses

    def test_names(self) -> None:
        """A name is the peer, to be compared, told and sent to."""
        for server, peer in self.each_family():
            peer.send(b"hello")
            ((_, name, _),) = self.receive(server)
            address = peer.getsockname()
            self.assertEqual(server.peer(name), address)
            self.assertEqual(server.name(address), name)
            self.assertEqual(hash(server.name(address)), hash(name))
            self.assertEqual(server.port(name), address[1])
            self.assertEqual(server.peer(server.name(address[:2])), address)

    def test_wrong_family(self) -> None:
        """An address of the other family cannot be sent to."""
        for host, wrong in (("127.0.0.1", "::1"), ("::1", "127.0.0.1")):
            server = self.bind(host)
            with self.assertRaises((OSError, ValueError)):
                server.name((wrong, 1))

    def test_one_address(self) -> None:
        """On one address there is one way to answer, and it is from there."""
        server = self.bind("127.0.0.2")
        with client() as peer:
            peer.sendto(b"hello", server.sock.getsockname())
            received = self.receive(server)
            self.assertEqual(server.host(received[0][2]), "127.0.0.2")
            server.send(received)
            self.assertEqual(peer.recvfrom(100), (b"hello", server.sock.getsockname()))

    def test_scope(self) -> None:
        """A link-local peer is answered on its link, also from a socket for all addresses."""
        found = link_local()
        if found is None:
            raise SkipTest("this machine has no link-local address")
        host, interface = found
        scope = socket.if_nametoindex(interface)
        for address in (f"{host}%{interface}", "::"):
            server = self.bind(address)
            with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as peer:
                peer.settimeout(DEADLINE)
                peer.bind((host, 0, 0, scope))
                port = server.sock.getsockname()[1]
                peer.sendto(b"hello", (host, port, 0, scope))
                received = self.receive(server)
                name = received[0][1]
                self.assertEqual(server.peer(name)[1:], (peer.getsockname()[1], 0, scope))
                with_zone = (f"{host}%{interface}", peer.getsockname()[1])
                for known in (server.peer(name), with_zone):
                    again = server.name(known)
                    self.assertEqual(server.send([(b"again", again, b"")]), 1)
                    self.assertEqual(peer.recv(100), b"again")
                self.assertEqual(server.source(name), socket.inet_pton(socket.AF_INET6, host)[:8])
                self.assertEqual(server.send(received), 1)
                data, source = peer.recvfrom(100)
                self.assertEqual((data, source[1:]), (b"hello", (port, 0, scope)))

    # -- errors

    def test_sent_in_part(self) -> None:
        """The system takes those before a bad one, and then says what is wrong with it."""
        server = self.bind()
        with client() as peer:
            good = server.name(peer.getsockname())
            nowhere = server.name(("127.0.0.1", 0))
            batch: list[Datagram] = [(b"1", good, b""), (b"2", good, b"")]
            batch += [(b"lost", nowhere, b""), (b"3", good, b"")]
            self.assertEqual(server.send(batch), 2)
            error = self.assertRaises(OSError, server.send, batch[2:])
            self.assertEqual(error.errno, errno.EINVAL)
            self.assertEqual(server.send(batch[3:]), 1)
            self.assertEqual([peer.recv(10) for _ in range(3)], [b"1", b"2", b"3"])

    def test_not_allowed(self) -> None:
        """Broadcasts are not sent."""
        server = self.bind("0.0.0.0")
        name = server.name(("255.255.255.255", 9))
        error = self.assertRaises(OSError, server.send, [(b"", name, b"")])
        self.assertIn(error.errno, (errno.EACCES, errno.ENETUNREACH))

    def test_refused(self) -> None:
        """An error that the network reports is raised with its number, once."""
        server = self.bind()
        with client() as peer:
            gone = peer.getsockname()
        server.sock.connect(gone)
        server.sock.send(b"is anybody there?")
        error = self.assertRaises(OSError, server.receive)
        self.assertEqual(error.errno, errno.ECONNREFUSED)
        self.assertEqual(server.receive(), [])

    def test_closed(self) -> None:
        """A socket that is closed has no number any more: another's is not touched."""
        server = self.bind()
        number = server.sock.fileno()
        with client() as peer:
            name = server.name(peer.getsockname())
            server.sock.close()
            here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
            with here, there:
                self.assertIn(number, (here.fileno(), there.fileno()))
                here.send(b"private")
                there.send(b"private")
                for call in (server.receive, lambda: server.send([(b"leak", name, b"")])):
                    self.assertEqual(self.assertRaises(OSError, call).errno, errno.EBADF)
                self.assertEqual((here.recv(100), there.recv(100)), (b"private", b"private"))

    def test_cannot_bind(self) -> None:
        """What cannot be listened on is an ``OSError``, and leaves nothing open."""
        taken = self.bind()
        port = taken.sock.getsockname()[1]
        error = self.assertRaises(OSError, bind, "127.0.0.1", port)
        self.assertEqual(error.errno, errno.EADDRINUSE)
        error = self.assertRaises(OSError, bind, "192.0.2.123", 0)
        self.assertEqual(error.errno, errno.EADDRNOTAVAIL)
        for host in ("localhost", "", "x", "fe80::1%nowhere", "1::2::3"):
            self.assertRaises(OSError, bind, host, 0)

    def test_families(self) -> None:
        """All addresses of one family leave the port of the other free."""
        six = self.bind("::")
        port = six.sock.getsockname()[1]
        four = self.bind("0.0.0.0", port)
        for server, family, host in (
            (six, socket.AF_INET6, "::1"),
            (four, socket.AF_INET, "127.0.0.1"),
        ):
            with client(family) as peer:
                peer.sendto(b"hello", (host, port))
                self.assertEqual([data for data, _, _ in self.receive(server)], [b"hello"])


class InBatches(OneByOne):
    """The same with recvmmsg(2) and sendmmsg(2)."""

    kind = BatchSocket


class Elsewhere(SynchronousTestCase):
    def test_other_systems(self) -> None:
        """Where there is no recvmmsg, or a poor C library, there is the other kind."""
        self.patch(sys, "platform", "darwin")
        self.assertIsNone(datagrams._load())
        self.patch(sys, "platform", "linux")

        class Poor:
            recvmmsg = None

        self.patch(ctypes, "CDLL", lambda *_, **__: Poor())
        self.assertIsNone(datagrams._load())

    def test_lost_error(self) -> None:
        """One by one, an error behind good datagrams leaves them as they are."""

        class Sock:
            answers: list[Any] = [(b"1", ("127.0.0.1", 1)), OSError(errno.ENOMEM, "none left")]

            def recvfrom(self, size: int) -> Any:
                answer = self.answers.pop(0) if self.answers else BlockingIOError()
                if isinstance(answer, OSError):
                    raise answer
                return answer

        sock: Any = Sock()
        server = PlainSocket(sock)
        self.assertEqual(server.receive(), [(b"1", ("127.0.0.1", 1), b"")])
        self.assertEqual(server.receive(), [])
