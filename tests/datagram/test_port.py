# trial's assertions have no annotations:
# mypy: allow-untyped-calls
"""A port: it is read in batches, and answers again whatever the system says."""

from __future__ import annotations

import errno
import select
import socket
from collections import Counter
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from netlab.datagram.port import DatagramPort
from netlab.errors import ListenFailed
from netlab.transport import has_ipv6
from netlab.transport.datagrams import BATCH, Datagram
from netlab.transport.hub import EpollHub, ReactorHub
from tests.datagram.support import CLIENT, OTHER, Lines, MemoryCase, trouble
from tests.transport.support import DEADLINE

_READ, _ERROR = 1, 8


class PortCase(MemoryCase):
    def setUp(self) -> None:
        super().setUp()
        self.errors: Counter[str] = Counter()
        self.got: list[list[bytes]] = []
        self.log = Lines(self)

    def listen(self, host: str = "127.0.0.1", port: int = 9000) -> DatagramPort:
        """A port that is closed at the end of the test."""
        made = DatagramPort(self.hub, host, port, self.received, self.errors)
        self.addCleanup(self.advance)
        self.addCleanup(made.close)
        self.advance()
        return made

    def received(self, port: DatagramPort, datagrams: list[Datagram]) -> None:
        self.got.append([data for data, _, _ in datagrams])

    @property
    def data(self) -> list[bytes]:
        """All that was received."""
        return [each for batch in self.got for each in batch]


class Listening(PortCase):
    def test_address(self) -> None:
        """Where it listens; the system chose the number, if nobody else did."""
        self.assertEqual(self.listen().address, IPv4Address("UDP", "127.0.0.1", 9000))
        self.assertEqual(self.listen("::1").address, IPv6Address("UDP", "::1", 9000))
        chosen = self.listen(port=0)
        self.assertEqual(chosen.number, self.socket.address[1])
        self.assertEqual(chosen.address, IPv4Address("UDP", "127.0.0.1", chosen.number))
        self.assertIn("127.0.0.1", repr(chosen))

    def test_busy(self) -> None:
        """What cannot be listened on is said in one line."""
        self.listen()
        for number, host, said in (
            (0, "127.0.0.1", "cannot listen on udp 127.0.0.1:9000: address already in use"),
            (errno.EACCES, "::1", "cannot listen on udp [::1]:9000: permission denied"),
        ):
            self.cannot_bind += [number] if number else []
            error = self.assertRaises(ListenFailed, self.listen, host)
            self.assertEqual(str(error), said)

    def test_close(self) -> None:
        """Closed twice is closed; nothing is received, and nothing sent, any more."""
        port = self.listen()
        port.close()
        port.close()
        self.assertTrue(self.socket.closed)
        self.assertEqual(len(port.send([(b"late", CLIENT, b"")])), 1)
        self.assertEqual((self.socket.sent, self.errors), ([], {}))


class Reading(PortCase):
    def test_batches(self) -> None:
        """Row 10: a batch at a time, and others have their turn in between.

        Stock Twisted's port counts bytes: while empty datagrams come its loop never ends.
        """
        other_port = self.listen(port=9001)
        self.listen()
        self.sockets[1].inbox += [(b"", CLIENT, b"")] * (10 * BATCH)
        self.sockets[0].inbox.append((b"other", OTHER, b""))
        self.hub.poke()
        self.advance()
        self.assertEqual(self.got[0], [b"other"])
        self.assertEqual(self.got[1:], [[b""] * BATCH] * 10)
        other_port.close()

    def test_pause(self) -> None:
        """Paused it reads nothing; what came waits in the system."""
        port = self.listen()
        port.pause()
        self.arrive(b"1")
        self.assertEqual((self.got, self.socket.calls), ([], 0))
        port.readable()
        port.event(_READ | _ERROR)
        self.assertEqual((self.got, self.socket.calls), ([], 0))

    def test_nothing(self) -> None:
        """Ready, and yet nothing is there: a bad checksum does that (udp(7))."""
        port = self.listen()
        port.readable()
        self.assertEqual((self.got, self.errors), ([], {}))


class Errors(PortCase):
    """Row 11. Stock Twisted: one ENOMEM closes the port for good, and the process lives on."""

    def test_again(self) -> None:
        """After an error it answers again within a second, and has lost nothing."""
        self.listen()
        self.arrive(b"1", trouble(errno.ENOMEM), b"2")
        self.assertEqual(self.data, [b"1"])
        self.assertEqual(self.errors, {"ENOMEM": 1})
        self.advance(0.5)
        self.assertEqual(self.data, [b"1", b"2"])
        self.assertEqual(len(self.sockets), 1)
        self.arrive(b"3")
        self.assertEqual(self.data, [b"1", b"2", b"3"])

    def test_no_busy_loop(self) -> None:
        """An error that stays costs some system calls a second, and one line of the log."""
        self.listen()
        for cannot in ([], [errno.ENOMEM] * 1000):
            self.errors.clear()
            self.log.lines.clear()
            self.cannot_bind[:] = cannot
            for _ in range(100):
                self.socket.inbox.appendleft(trouble(errno.ENOMEM))
                self.hub.poke()
                self.advance(0.1)
            self.assertGreater(self.errors["ENOMEM"], 50)
            self.assertLess(self.errors["ENOMEM"], 150)
            self.assertLessEqual(len(self.log.lines), 11)
            self.assertIn("failed: Cannot allocate memory; trying again", self.log.lines[0])

    def test_new_socket(self) -> None:
        """A socket that fails again and again is replaced, at the same place."""
        port = self.listen(port=0)
        address = port.address
        self.arrive(*[trouble(errno.EIO)] * 3)
        self.advance(0.95)
        self.assertEqual([each.closed for each in self.sockets], [True, False])
        self.assertEqual(port.address, address)
        self.assertEqual(self.socket.address, ("127.0.0.1", port.number))
        self.arrive(b"back")
        self.assertEqual(self.data, [b"back"])
        self.assertEqual(port.send([(b"x", CLIENT, b"")]), [])
        self.assertEqual(self.errors, {"EIO": 3})

    def test_not_in_a_row(self) -> None:
        """Errors with good datagrams in between do not cost the socket."""
        self.listen()
        for number in range(10):
            self.arrive(trouble(errno.ENOMEM), b"%d" % number)
            self.advance(0.5)
        self.assertEqual(len(self.sockets), 1)
        self.assertEqual(self.data, [b"%d" % number for number in range(10)])

    def test_cannot_bind(self) -> None:
        """While there is no new socket it is tried again, and what is sent is lost."""
        port = self.listen()
        self.cannot_bind += [errno.ENOBUFS] * 20
        self.arrive(*[trouble(errno.EIO)] * 3)
        self.advance(1)
        self.assertTrue(self.socket.closed)
        self.assertEqual(port.send([(b"lost", CLIENT, b"")]), [(b"lost", CLIENT, b"")])
        self.assertEqual(port.address, IPv4Address("UDP", "127.0.0.1", 9000))
        self.advance(3)
        self.assertEqual(self.errors["ENOBUFS"], 20)
        self.arrive(b"back")
        self.assertEqual(self.data, [b"back"])

    def test_others_while_it_fails(self) -> None:
        """What others wait for is not forgotten when the only socket is replaced."""
        self.listen()
        rung: list[float] = []
        self.hub.call_at(self.hub.time() + 5, lambda: rung.append(self.hub.time()))
        self.cannot_bind += [errno.ENOBUFS] * 3
        self.arrive(*[trouble(errno.EIO)] * 3)
        self.advance(10)
        self.assertFalse(self.socket.closed)
        self.assertEqual(rung, [5.0])

    def test_closed_while_it_fails(self) -> None:
        """A port that is closed does not come back."""
        for errors in (1, 3):
            port = self.listen()
            self.cannot_bind += [errno.ENOBUFS] * (errors - 1)
            self.arrive(*[trouble(errno.EIO)] * errors)
            self.advance(0.45 if errors == 3 else 0)
            port.close()
            count = len(self.sockets)
            self.advance(5)
            self.assertEqual(len(self.sockets), count)
            self.assertTrue(self.socket.closed)
            self.assertEqual(self.clock.getDelayedCalls(), [])
            self.cannot_bind.clear()

    def test_paused_while_it_fails(self) -> None:
        """A port that was paused, as at the end, does not read again by itself."""
        port = self.listen()
        self.arrive(trouble(errno.EIO), b"late")
        port.pause()
        self.advance(5)
        self.assertEqual(self.got, [])

    def test_event(self) -> None:
        """An error that epoll tells of is counted, and cleared; datagrams behind it are read."""
        self.listen()
        self.socket.error = errno.ECONNREFUSED
        self.socket.mask = _READ | _ERROR
        self.arrive(b"1")
        self.assertEqual(self.errors, {"ECONNREFUSED": 1})
        self.assertEqual(self.data, [b"1"])
        self.socket.mask = _ERROR
        self.socket.error = errno.EHOSTUNREACH
        self.hub.poke()
        self.advance()
        self.assertEqual(self.errors, {"ECONNREFUSED": 1, "EHOSTUNREACH": 1})

    def test_unknown(self) -> None:
        """An error that has no name is counted by its number."""
        self.listen()
        self.arrive(trouble(4095))
        self.assertEqual(self.errors, {"4095": 1})

    def test_own_mistake(self) -> None:
        """An exception of netlab's own is logged; the next datagram is another matter."""

        def fail(port: DatagramPort, datagrams: list[Datagram]) -> None:
            self.got.append([])
            raise ZeroDivisionError

        self.patch(self, "received", fail)
        self.listen()
        self.arrive(b"1")
        self.arrive(b"2")
        self.assertEqual(len(self.got), 2)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 2)


class Sending(PortCase):
    def test_all(self) -> None:
        """More than a batch goes out, in order."""
        port = self.listen()
        batch: list[Datagram] = [(b"%d" % number, CLIENT, b"") for number in range(200)]
        self.assertEqual(port.send(batch), [])
        self.assertEqual(self.socket.sent, batch)
        self.assertEqual(len(batch), 200)  # the caller's list is the caller's
        self.assertEqual(port.send([]), [])

    def test_in_part(self) -> None:
        """The system takes a few at a time: all go out."""
        port = self.listen()
        self.socket.room = 3
        batch: list[Datagram] = [(b"%d" % number, CLIENT, b"") for number in range(100)]
        self.assertEqual(port.send(batch), [])
        self.assertEqual(self.socket.sent, batch)

    def test_refused(self) -> None:
        """What the system refuses is lost and counted, and only that."""
        port = self.listen()
        self.socket.room = 2
        batch: list[Datagram] = [(b"%d" % number, CLIENT, b"") for number in range(5)]
        kept = list(batch)
        self.socket.refusals = [errno.EAGAIN, errno.EMSGSIZE]
        self.assertEqual(port.send(batch), batch[:2])
        self.assertEqual(self.socket.sent, batch[2:])
        self.assertEqual(batch, kept)
        self.assertEqual(self.errors, {"EAGAIN": 1, "EMSGSIZE": 1})
        self.socket.refusals = [errno.ENETUNREACH] * 5
        self.assertEqual(port.send(kept), kept)
        self.assertEqual(self.errors["ENETUNREACH"], 5)


class OnEpoll(SynchronousTestCase):
    """The same on a socket of the system's."""

    make: Any = EpollHub

    def setUp(self) -> None:
        if self.make is EpollHub and not hasattr(select, "epoll"):
            raise SkipTest("this system has no epoll")
        self.reactor: Any = MemoryReactorClock()
        self.hub: Any = type(self).make(self.reactor)
        self.errors: Counter[str] = Counter()
        self.got: list[bytes] = []

    def listen(self, host: str = "127.0.0.1", number: int = 0) -> DatagramPort:
        """A port that is closed at the end of the test."""
        port = DatagramPort(self.hub, host, number, self.received, self.errors)
        self.addCleanup(port.close)
        return port

    def received(self, port: DatagramPort, datagrams: list[Datagram]) -> None:
        self.got += [data for data, _, _ in datagrams]
        port.send(datagrams)

    def turn(self) -> None:
        """Waits until something is ready, and lets it have its turn."""
        ready, _, _ = select.select(self.reactor.getReaders(), [], [], DEADLINE)
        self.assertTrue(ready)
        for each in ready:
            each.doRead()

    def client(self, port: DatagramPort) -> socket.socket:
        """A socket that is connected to ``port``."""
        host = port.address.host  # type: ignore[attr-defined]
        sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(sock.close)
        sock.settimeout(DEADLINE)
        sock.connect((host, port.number))
        return sock

    def test_answers(self) -> None:
        """It receives and sends, and leaves nothing in the reactor."""
        ports = [self.listen(host) for host in ("127.0.0.1", *(["::1"] if has_ipv6() else []))]
        for port in ports:
            sock = self.client(port)
            sock.send(b"hello")
            self.turn()
            self.assertEqual(sock.recv(100), b"hello")
        for port in ports:
            port.close()
        self.assertEqual(self.reactor.getReaders(), [])
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_pending_error(self) -> None:
        """A real error that the network reports later does not keep the hub awake."""
        port = self.listen()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as gone:
            gone.bind(("127.0.0.1", 0))
            name = gone.getsockname()
        port.socket.sock.connect(name)
        port.socket.sock.send(b"is anybody there?")
        self.turn()
        self.assertEqual(self.errors, {"ECONNREFUSED": 1})
        self.assertEqual(select.select(self.reactor.getReaders(), [], [], 0)[0], [])

    def test_new_socket(self) -> None:
        """The number of a port stays the same over its sockets."""
        port = self.listen()
        number, first = port.number, port.socket.sock
        for _ in range(3):
            self.patch(port.socket, "receive", self.fail_to_receive)
            port.readable()
            port._again()
        self.assertEqual(first.fileno(), -1)
        self.assertEqual(port.socket.sock.getsockname()[1], number)
        sock = self.client(port)
        sock.send(b"hello")
        self.turn()
        self.assertEqual(sock.recv(100), b"hello")

    def fail_to_receive(self, most: int = 0) -> list[Datagram]:
        raise trouble(errno.ENOMEM)


class OnReactor(OnEpoll):
    """And without epoll."""

    make = ReactorHub
