"""Looking names up, and sockets with one peer."""

from __future__ import annotations

import errno
import os
import socket
from typing import Any, cast

from twisted.trial.unittest import SynchronousTestCase

from netlab.datagram.connected import Refused, connect, receive, transmit
from netlab.datagram.destination import Destination
from netlab.datagram.exchange import UsedPorts
from netlab.datagram.lookup import look_up, numeric
from netlab.errors import LocalProtocolError, Unreachable

from .peers import PeerCase, closed_port


class LookingUp(SynchronousTestCase):
    def test_name(self) -> None:
        found = look_up(Destination("localhost", 8007))
        self.assertLessEqual({name[0] for _, name in found}, {"127.0.0.1", "::1"})
        self.assertEqual({name[1] for _, name in found}, {8007})

    def test_numeric(self) -> None:
        expected = [(socket.AF_INET, ("127.0.0.1", 1))]
        self.assertEqual(numeric(Destination("127.0.0.1", 1)), expected)
        self.assertIsNone(numeric(Destination("localhost", 1)))

    def test_unknown(self) -> None:
        error = self.assertRaises(Unreachable, look_up, Destination("no.invalid", 1))
        self.assertEqual(str(error), "cannot reach no.invalid:1: the host name is not known")

    def test_no_name(self) -> None:
        error = self.assertRaises(Unreachable, look_up, Destination("a" * 64 + ".example", 1))
        self.assertIn(": the host name is not one", str(error))

    def test_the_resolver_is_ill(self) -> None:
        def fail(*args: object, **options: object) -> None:
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

        self.patch(socket, "getaddrinfo", fail)
        error = self.assertRaises(Unreachable, look_up, Destination("localhost", 1))
        text = "cannot reach localhost:1: temporary failure in name resolution"
        self.assertEqual(str(error), text)


class FakeSocket:
    """Raises what it is told to."""

    def __init__(self, error: OSError) -> None:
        self.error = error

    def send(self, data: bytes) -> int:
        raise self.error


class Sockets(PeerCase):
    def connect(self, port: int, used: UsedPorts | None = None) -> socket.socket:
        sock = connect((socket.AF_INET, ("127.0.0.1", port)), used)
        self.addCleanup(sock.close)
        sock.settimeout(5)
        return sock

    def test_there_and_back(self) -> None:
        sock = self.connect(self.peer().port)
        for data in (b"hello", b"", bytes(65507)):
            self.assertTrue(transmit(sock, data))
            self.assertEqual(receive(sock), data)

    def test_nothing_there(self) -> None:
        sock = self.connect(self.peer().port)
        for timeout in (0.0, 0.001):
            sock.settimeout(timeout)
            self.assertIsNone(receive(sock))

    def test_refused(self) -> None:
        sock = self.connect(closed_port())
        self.assertTrue(transmit(sock, b"x"))
        error = self.assertRaises(Refused, receive, sock)
        self.assertEqual(error.error.errno, errno.ECONNREFUSED)
        transmit(sock, b"x")
        self.assertRaises(Refused, transmit, sock, b"x")

    def test_no_way(self) -> None:
        error = self.assertRaises(Refused, connect, (socket.AF_INET, ("255.255.255.255", 1)))
        self.assertEqual(error.error.errno, errno.EACCES)

    def test_no_socket(self) -> None:
        error = self.assertRaises(Refused, connect, (12345, ("127.0.0.1", 1)))
        self.assertEqual(error.error.errno, errno.EAFNOSUPPORT)

    def test_new_port(self) -> None:
        """A port that is known to have been used is not used again."""
        port = self.peer().port
        first = self.connect(port).getsockname()[1]
        given: list[int] = []

        class Forgetful(UsedPorts):
            def take(self, port: int) -> bool:
                given.append(port)
                return len(given) > 3

        sock = self.connect(port, Forgetful())
        self.assertEqual(sock.getsockname()[1], given[3])
        self.assertNotIn(first, given)

    def test_no_new_port(self) -> None:
        """Better an old port than none."""

        class Full(UsedPorts):
            def take(self, port: int) -> bool:
                return False

        self.assertTrue(transmit(self.connect(self.peer().port, Full()), b"x"))

    def fails(self, number: int) -> Any:
        fake = FakeSocket(OSError(number, os.strerror(number)))
        return transmit(cast(socket.socket, fake), b"hello")

    def test_no_room(self) -> None:
        for number in (errno.EAGAIN, errno.ENOBUFS):
            self.assertFalse(self.fails(number))

    def test_too_much_for_the_system(self) -> None:
        error = self.assertRaises(LocalProtocolError, self.fails, errno.EMSGSIZE)
        self.assertEqual(str(error), "this system does not send a datagram of 5 bytes")

    def test_other_errors(self) -> None:
        error = self.assertRaises(Refused, self.fails, errno.ENETUNREACH)
        self.assertEqual(error.error.errno, errno.ENETUNREACH)
