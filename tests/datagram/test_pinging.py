"""The loop of ``netlab ping`` on real sockets."""

from __future__ import annotations

import os
import select
import signal
import socket
import sys
import threading
from types import SimpleNamespace
from typing import Any

from netlab.datagram import pinging as module
from netlab.datagram.destination import parse_destination
from netlab.datagram.pinging import Pinging, PingSocket
from netlab.datagram.pings import Fate, Pings, Reply
from netlab.errors import Unreachable

from .peers import Answers, Peer, PeerCase, closed_port, flip, has_ipv6, silence


class Notes:
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.events: list[tuple[Any, ...]] = []
        self.replies: list[Reply] = []

    def replied(self, reply: Reply) -> None:
        self.replies.append(reply)

    def lost(self, sequence: int) -> None:
        self.events.append(("lost", sequence))

    def failed(self, sequence: int | None, error: OSError) -> None:
        self.events.append(("failed", sequence, type(error)))

    def strayed(self, size: int, source: str, sequence: int | None) -> None:
        self.events.append(("strayed", size, source, sequence))


class Case(PeerCase):
    def setUp(self) -> None:
        self.notes = Notes()
        self.pings = Pings(session=1, size=64, wait=2.0)

    def start(self, address: str, **options: Any) -> Pinging:
        sock = PingSocket(parse_destination(address, 8007))
        self.addCleanup(sock.close)
        self.ear, self.mouth = socket.socketpair()
        self.addCleanup(self.ear.close)
        self.addCleanup(self.mouth.close)
        options = {"count": 3, "interval": 0.005, "window": None, **options}
        return Pinging(sock, self.pings, self.notes, stop=self.ear.fileno(), **options)

    def ping(self, address: str, **options: Any) -> None:
        self.start(address, **options).run()

    @property
    def sequences(self) -> list[int]:
        return [reply.sequence for reply in self.notes.replies]


class Replies(Case):
    def test_echo(self) -> None:
        peer = self.peer()
        self.ping(peer.address)
        self.assertEqual(peer.received, [self.pings.packet(number) for number in range(3)])
        self.assertEqual(len(set(peer.sources)), 1, "one socket for all")
        self.assertEqual((self.sequences, self.notes.events), ([0, 1, 2], []))
        self.assertEqual(self.pings.count(Fate.RECEIVED), 3)
        for reply in self.notes.replies:
            self.assertTrue(0 < reply.rtt < 2.0)

    def test_ipv6(self) -> None:
        if not has_ipv6():
            self.skipTest("there is no IPv6 here")
        self.ping(self.peer(host="::1").address)
        self.assertEqual(self.sequences, [0, 1, 2])

    def test_name(self) -> None:
        peer = self.peer()
        self.ping(f"localhost:{peer.port}")
        self.assertEqual(self.pings.sent_count, 3)

    def test_any_address(self) -> None:
        """``0.0.0.0`` is this machine, which answers as 127.0.0.1."""
        self.ping(f"0.0.0.0:{self.peer().port}")
        self.assertEqual((self.sequences, self.notes.events), ([0, 1, 2], []))

    def test_loss(self) -> None:
        self.pings.wait = 0.2

        def script(number: int, data: bytes) -> Answers:
            return [] if number == 1 else [data]

        self.ping(self.peer(script).address)
        self.assertEqual((self.sequences, self.notes.events), ([0, 2], [("lost", 1)]))

    def test_late_and_out_of_order(self) -> None:
        self.pings.wait = 0.05

        def script(number: int, data: bytes) -> Answers:
            return [(0.1, data)] if number == 0 else [data]

        self.ping(self.peer(script).address, count=4, interval=0.04)
        self.assertEqual(self.notes.events[0], ("lost", 0))
        (late,) = [reply for reply in self.notes.replies if reply.sequence == 0]
        self.assertEqual((late.late, late.out_of_order, late.duplicate), (True, True, False))
        self.assertGreater(late.rtt, 0.1)

    def test_the_copy_of_the_last_reply(self) -> None:
        """It is waited for, as long again as a round trip takes."""

        def script(number: int, data: bytes) -> Answers:
            return [(0.05, data), (0.06, data)]

        self.ping(self.peer(script).address, count=2)
        self.assertEqual(sorted(self.sequences), [0, 0, 1, 1])
        self.assertEqual(self.pings.duplicates, 2)

    def test_corrupted(self) -> None:
        def script(number: int, data: bytes) -> Answers:
            return [flip(data, 131 + number)]

        self.ping(self.peer(script).address)
        self.assertEqual(
            [reply.corruption for reply in self.notes.replies],
            ["bit 131 flipped", "bit 132 flipped", "bit 133 flipped"],
        )
        self.assertEqual(self.sequences, [0, 1, 2])


class Strays(Case):
    def test_not_ours(self) -> None:
        other = Pings(session=2).packet(0)

        def script(number: int, data: bytes) -> Answers:
            return [other, b"", data]

        peer = self.peer(script)
        self.ping(peer.address, count=1)
        strays = [("strayed", size, peer.address, None) for size in (64, 0)]
        self.assertEqual((self.notes.events, self.sequences), (strays, [0]))
        self.assertEqual(self.pings.strays, 2)

    def test_from_another_socket(self) -> None:
        """A server's mistake that would look like loss."""
        if not sys.platform.startswith("linux"):
            self.skipTest("a connected socket does not hear of it")

        self.pings.wait = 0.1

        def script(number: int, data: bytes) -> Answers:
            peer.other.sendto(data, peer.sources[-1])
            peer.other.sendto(b"hello", peer.sources[-1])
            return []

        peer = self.peer(script)
        source = f"127.0.0.1:{peer.other.getsockname()[1]}"
        self.ping(peer.address, count=1)
        self.assertEqual(
            self.notes.events,
            [("strayed", 64, source, 0), ("strayed", 5, source, None), ("lost", 0)],
        )
        self.assertEqual((self.pings.strays, self.pings.answered), (2, 0))


class Errors(Case):
    def test_refused(self) -> None:
        self.ping(f"127.0.0.1:{closed_port()}")
        failed = [("failed", number, ConnectionRefusedError) for number in range(3)]
        self.assertEqual(self.notes.events, failed)
        self.assertEqual((self.pings.errors, self.pings.count(Fate.LOST)), (3, 3))

    def test_refused_at_once(self) -> None:
        """Faster than the errors are read: then the next call raises them. None is lost."""
        self.ping(f"127.0.0.1:{closed_port()}", count=50, interval=0.0)
        self.assertEqual(self.pings.errors, 50)
        self.assertEqual([each[1] for each in self.notes.events], list(range(50)))

    def test_where_errors_have_no_queue(self) -> None:
        self.patch(sys, "platform", "darwin")
        self.ping(f"127.0.0.1:{closed_port()}")
        self.assertEqual(self.pings.count(Fate.LOST), 3)
        self.assertEqual(self.notes.events[0], ("failed", 0, ConnectionRefusedError))

    def test_replies_where_errors_have_no_queue(self) -> None:
        self.patch(sys, "platform", "darwin")
        self.ping(self.peer().address)
        self.assertEqual((self.sequences, self.notes.events), ([0, 1, 2], []))

    def test_the_server_comes_back(self) -> None:
        """Errors are not the end."""
        peer: list[Peer] = []
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        pinging = self.start(f"127.0.0.1:{port}", count=2, interval=0.01)
        failed = self.notes.failed

        def listen(sequence: int | None, error: OSError) -> None:
            failed(sequence, error)
            peer.append(self.peer_on(port))

        self.patch(self.notes, "failed", listen)
        pinging.run()
        self.assertEqual((len(peer), self.sequences), (1, [1]))

    def peer_on(self, port: int) -> Peer:
        original = socket.socket.bind
        ports = [port]

        def bind(sock: socket.socket, address: tuple[str, int]) -> None:
            original(sock, (address[0], ports.pop() if ports else 0))

        self.patch(socket.socket, "bind", bind)
        return self.peer()

    def test_cannot_send(self) -> None:
        """The system itself refuses, each time: said of each packet."""
        pinging = self.start(self.peer().address)

        def send(packet: bytes) -> None:
            raise OSError(os.strerror(1))

        self.patch(pinging._socket, "send", send)
        pinging.run()
        self.assertEqual(self.notes.events, [("failed", number, OSError) for number in range(3)])

    def test_cannot_send_for_errors(self) -> None:
        """One error after the other comes out of ``send``: it gives up in the end."""
        pinging = self.start(self.peer().address, count=1)
        tried: list[bytes] = []

        def send(packet: bytes) -> None:
            tried.append(packet)
            raise ConnectionRefusedError

        self.patch(pinging._socket, "send", send)
        pinging.run()
        self.assertEqual(len(tried), module._ATTEMPTS)
        self.assertEqual(self.pings.sent_count, 1)

    def test_no_way(self) -> None:
        for address, words in (
            ("255.255.255.255", "is it a broadcast address?"),
            ("no.invalid", "the host name is not known"),
        ):
            where = parse_destination(address, 8007)
            error = self.assertRaises(Unreachable, PingSocket, where)
            self.assertIn(words, str(error))


class Pace(Case):
    def test_window(self) -> None:
        """A flood waits for replies; one that is lost keeps its place until it is."""
        self.pings.wait = 0.2

        def script(number: int, data: bytes) -> Answers:
            most.append(self.pings.waiting)
            return [] if number % 10 == 0 else [data]

        most: list[int] = []
        peer = self.peer(script)
        self.ping(peer.address, count=200, interval=0.0, window=64)
        self.assertEqual(len(peer.received), 200)
        self.assertLessEqual(max(most), 64)
        self.assertEqual(self.pings.count(Fate.LOST), 20)

    def test_no_busy_loop(self) -> None:
        """It sleeps until there is something to do."""
        self.pings.wait = 0.1
        looked: list[float] = []

        def waiting(*arguments: Any) -> Any:
            looked.append(arguments[-1])
            return select.select(*arguments)

        self.patch(module, "select", SimpleNamespace(select=waiting))
        self.ping(self.peer(silence).address, count=2, interval=0.05)
        self.assertLess(len(looked), 12, looked)

    def test_held_up(self) -> None:
        """What was missed while the process slept is not made up for in a burst."""
        clock = [1000.0]
        sent: list[float] = []

        def waiting(read: list[int], *rest: Any) -> tuple[list[int], list[int], list[int]]:
            clock[0] += 10 if len(sent) == 2 else rest[-1]
            return [], [], []

        self.patch(module, "monotonic", lambda: clock[0])
        self.patch(module, "select", SimpleNamespace(select=waiting))
        pinging = self.start(self.peer(silence).address, count=5, interval=1.0)
        self.patch(pinging._socket, "send", lambda packet: sent.append(clock[0]))
        pinging.run()
        self.assertEqual(sent, [1000.0, 1001.0, 1011.0, 1012.0, 1013.0])


class Stopping(Case):
    def test_told(self) -> None:
        pinging = self.start(self.peer().address, count=None, interval=60.0)
        replied = self.notes.replied

        def stop(reply: Reply) -> None:
            replied(reply)
            self.mouth.send(b"x")

        self.patch(self.notes, "replied", stop)
        pinging.run()
        self.assertEqual(self.sequences, [0])
        self.assertGreater(pinging.duration, 0)

    def test_in_a_flood(self) -> None:
        """Also while there is always something to do."""
        pinging = self.start(self.peer().address, count=None, interval=0.0, window=64)
        timer = threading.Timer(0.05, self.mouth.send, [b"x"])
        timer.start()
        self.addCleanup(timer.join)
        pinging.run()
        self.assertGreater(self.pings.answered, 0)

    def test_signals_do_not_raise(self) -> None:
        """The loop is not torn up between a packet and its being counted."""
        pinging = self.start(self.peer().address, count=None, interval=0.001)
        before = signal.signal(signal.SIGALRM, lambda *_: self.mouth.send(b"x"))
        self.addCleanup(signal.signal, signal.SIGALRM, before)
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        pinging.run()
        self.assertEqual(self.pings.sent_count, len(self.notes.replies) + self.pings.waiting)
