"""Sockets served in batches, and what the kernel holds. (Streams themselves: ``test_stream``.)"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from netlab.errors import ConnectionReset, NetlabError
from netlab.transport import Limits, Stats
from netlab.transport.hub import EpollHub
from netlab.transport.sockets import SocketStream, unsent

from .support import Recorder
from .test_hub_batch import QuietReactor


class Answering(Recorder):
    """Answers by returning: what came, or what ``reply`` makes of it."""

    def __init__(self, reply: Callable[[bytes], bytes | None] = bytes) -> None:
        super().__init__()
        self.reply = reply

    def data_received(self, data: bytes) -> bytes | None:  # type: ignore[override]
        super().data_received(data)
        return self.reply(data)


class Batches(SynchronousTestCase):
    """What the hub does with many sockets at once is what it does with each."""

    def setUp(self) -> None:
        self.hub = EpollHub(QuietReactor())
        self.stats = Stats()
        self.lost: list[tuple[Any, NetlabError | None]] = []

    def connect(self, receiver: Recorder, *, stats: Stats | None = None) -> socket.socket:
        """A stream for ``receiver``; the peer's socket."""
        here, there = socket.socketpair()
        here.setblocking(False)
        there.settimeout(5)
        self.addCleanup(there.close)
        stream = SocketStream(
            self.hub,
            here,
            receiver,
            limits=Limits(high_water=1000, low_water=100),
            stats=stats or self.stats,
            peer=None,
        )
        stream.start()
        self.addCleanup(stream.abort)
        return there

    def turn(self) -> None:
        """One turn of the hub."""
        self.hub.doRead()

    def test_each_is_answered(self) -> None:
        """All answers go out in the turn, and everything is counted."""
        peers = [self.connect(Answering()) for _ in range(5)]
        for number, peer in enumerate(peers):
            peer.send(b"message %d" % number)
        self.turn()
        for number, peer in enumerate(peers):
            self.assertEqual(peer.recv(100), b"message %d" % number)
        stats = self.stats
        self.assertEqual((stats.messages_in, stats.messages_out), (5, 5))
        self.assertEqual((stats.bytes_in, stats.bytes_out), (45, 45))
        self.assertGreater(stats.handler_seconds, 0)

    def test_two_servers(self) -> None:
        """Streams of several servers come in one batch; each server counts its own."""
        other = Stats()
        peers = [
            self.connect(Answering(), stats=stats)
            for stats in (self.stats, other, self.stats, other, other)
        ]
        for peer in peers:
            peer.send(b"hello")
        self.turn()
        for peer in peers:
            self.assertEqual(peer.recv(100), b"hello")
        self.assertEqual((self.stats.messages_in, self.stats.bytes_out), (2, 10))
        self.assertEqual((other.messages_in, other.bytes_out), (3, 15))

    def test_nothing_read_is_lost(self) -> None:
        """A stream that fills up, or is paused, for another's sake keeps what was read of it."""
        filled, paused = Answering(), Answering()

        def fill(data: bytes) -> bytes:
            filled.stream.write(bytes(1 << 20))
            paused.stream.pause()
            return data

        peers = [self.connect(each) for each in (Answering(fill), filled, paused)]
        for peer in peers:
            peer.send(b"hello")
        self.turn()
        self.assertTrue(filled.stream.full)
        self.assertEqual([filled.received, paused.received], [b"hello", b"hello"])
        got = b""
        while len(got) < (1 << 20) + 5:
            got += peers[1].recv(1 << 20)
            self.turn()
        self.assertEqual(got[-5:], b"hello")
        self.assertEqual(peers[2].recv(100), b"hello")

    def test_order(self) -> None:
        """What others write to a stream goes out before or behind its answer, as it came."""
        first, last = Answering(), Answering()

        def tell(data: bytes) -> bytes:
            first.stream.write(b" news")
            last.stream.write(b"news ")
            return data

        peers = [self.connect(each) for each in (first, Answering(tell), last)]
        for peer in peers:
            peer.send(b"hello")
        self.turn()
        self.assertEqual(
            [peer.recv(100) for peer in peers], [b"hello news", b"hello", b"news hello"]
        )

    def test_closed_by_another(self) -> None:
        """A close by another's handler sends the answer first; an abort takes it away."""
        closed, aborted = Answering(), Answering()

        def end(data: bytes) -> bytes:
            closed.stream.close()
            aborted.stream.abort()
            return data

        peers = [self.connect(each) for each in (closed, aborted, Answering(end))]
        for peer in peers:
            peer.send(b"hello")
        self.turn()
        self.assertEqual(peers[0].recv(100), b"hello")
        self.assertEqual(peers[0].recv(100), b"")
        self.assertEqual(peers[1].recv(100), b"")
        self.assertTrue(aborted.is_lost)

    def test_last_words(self) -> None:
        """What comes in the turn in which another closes the stream is not wanted."""
        closed = Answering()
        ender = Answering(lambda data: closed.stream.close() or data)  # type: ignore[func-returns-value]
        peers = [self.connect(each) for each in (ender, closed)]
        for peer in peers:
            peer.send(b"hello")
        self.turn()
        self.assertEqual(closed.received, b"")
        self.assertEqual(peers[1].recv(100), b"")

    def test_ends_and_resets(self) -> None:
        """An end and a reset among good ones are theirs alone."""
        each = [Answering() for _ in range(3)]
        peers = [self.connect(one) for one in each]
        with socket.create_server(("127.0.0.1", 0)) as listener:
            here = socket.create_connection(listener.getsockname())
            there, _ = listener.accept()
        here.setblocking(False)
        reset = Answering()
        SocketStream(self.hub, here, reset, limits=Limits(), stats=self.stats, peer=None).start()
        for peer in peers:
            peer.send(b"hello")
        peers[1].shutdown(socket.SHUT_WR)
        there.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        there.close()
        for _ in range(3):
            self.turn()
        self.assertEqual([peer.recv(100) for peer in peers], [b"hello"] * 3)
        self.assertEqual(peers[1].recv(100), b"")
        self.assertTrue(reset.is_lost)
        self.assertIsInstance(reset.reason, ConnectionReset)
        self.assertIn("end", each[1].calls)

    def test_a_reset_between_ready_and_read(self) -> None:
        """The read itself fails: the stream is broken, with its reason, and no other."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            here = socket.create_connection(listener.getsockname())
            there, _ = listener.accept()
        here.setblocking(False)
        reset, good = Answering(), Answering()
        stream = SocketStream(self.hub, here, reset, limits=Limits(), stats=self.stats, peer=None)
        stream.start()
        peer = self.connect(good)
        peer.send(b"hello")
        there.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        there.close()
        self.hub.turning = True
        SocketStream.serve_batch(self.hub, [stream, good.stream])  # type: ignore[list-item]
        self.assertEqual(peer.recv(100), b"hello")
        self.turn()
        self.assertIsInstance(reset.reason, ConnectionReset)

    def test_gone_before_its_batch(self) -> None:
        """A stream that ended earlier in the turn is not read: its descriptor may be another's."""
        gone, good = Answering(), Answering()
        peer, other = self.connect(gone), self.connect(good)
        streams: list[Any] = [gone.stream, good.stream]
        peer.send(b"hello")
        gone.stream.finish()
        self.turn()  # it lingers: what comes is read, and thrown away
        fd = streams[0]._fd
        gone.stream.abort()
        newcomer, sender = socket.socketpair()
        self.addCleanup(sender.close)
        self.addCleanup(newcomer.close)
        self.assertEqual(newcomer.fileno(), fd)
        newcomer.settimeout(5)
        sender.send(b"not for you")
        other.send(b"hello")
        self.hub.turning = True
        SocketStream.serve_batch(self.hub, streams)
        self.assertEqual(newcomer.recv(100), b"not for you")
        self.assertEqual(other.recv(100), b"hello")

    def test_a_broken_receiver(self) -> None:
        """An error in a receiver ends its stream; the others are answered."""

        def fail(data: bytes) -> bytes:
            raise ZeroDivisionError

        each = [Answering(), Answering(fail), Answering()]
        peers = [self.connect(one) for one in each]
        for peer in peers:
            peer.send(b"hello")
        self.turn()
        self.assertEqual([peer.recv(100) for peer in peers], [b"hello", b"", b"hello"])
        self.assertEqual([one.is_lost for one in each], [False, True, False])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_the_kernel_takes_a_part(self) -> None:
        """An answer that does not fit goes out as the peer reads; nothing is repeated."""
        answer = bytes(range(256)) * 4096
        peer = self.connect(Answering(lambda data: answer))
        peer.send(b"hello")
        got = b""
        while len(got) < len(answer):
            self.turn()
            got += peer.recv(1 << 16)
        self.assertEqual(got, answer)
        self.assertEqual(self.stats.bytes_out, len(answer))

    def test_reads_grow(self) -> None:
        """Who sends more than a small message is read in larger pieces from then on."""
        one = Answering(lambda data: None)
        peer = self.connect(one)
        peer.send(bytes(100_000))
        sizes = []
        for _ in range(3):
            self.turn()
            sizes.append(one.stream.read_size)
        self.assertEqual(sizes, sorted(sizes))
        self.assertGreaterEqual(sizes[-1], 65536)


class Unsent(SynchronousTestCase):
    def pair(self) -> tuple[socket.socket, socket.socket]:
        """Two connected TCP sockets."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            here = socket.create_connection(listener.getsockname())
            self.addCleanup(here.close)
            there, _ = listener.accept()
            self.addCleanup(there.close)
        return here, there

    def test_tcp(self) -> None:
        """It grows while the peer does not read, and falls when it does."""
        here, there = self.pair()
        here.setblocking(False)
        self.assertEqual(unsent(here), 0)
        sent = 0
        try:
            while True:
                sent += here.send(bytes(65536))
        except BlockingIOError:
            pass
        full = unsent(here)
        self.assertGreater(full, 0)
        self.assertLessEqual(full, sent)
        there.settimeout(10)
        got = 0
        while got < sent:
            got += len(there.recv(1 << 20))
        self.assertLess(unsent(here), full)

    def test_unix(self) -> None:
        """On a UNIX socket too."""
        here, there = socket.socketpair()
        with here, there:
            here.send(b"x" * 1000)
            self.assertGreater(unsent(here), 0)
            there.recv(1000)
            self.assertEqual(unsent(here), 0)

    def test_not_known(self) -> None:
        """A bridge, or a socket in memory, is no socket of the kernel's."""
        self.assertEqual(unsent(object()), 0)
