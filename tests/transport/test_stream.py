"""A stream on a plain socket: reading, flushing, water marks and deadlines, in memory.

What stock Twisted does here: a write buffer without a bound, and a half-close
taken for the end.
"""

from __future__ import annotations

import errno
import socket

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from netlab import ConnectionReset, Limits, Stats
from netlab.errors import ConnectionClosed, WriteTimeout
from netlab.testing import Faults, MemoryHub
from netlab.transport import NEVER
from netlab.transport.limits import TICK
from netlab.transport.sockets import SocketStream
from tests.testing.streams import Polite, StreamCase


class Reading(StreamCase):
    def test_hands_on(self) -> None:
        self.peer.send(b"hello")
        self.turn()
        self.assertEqual(bytes(self.receiver.received), b"hello")
        self.assertEqual(self.calls(), ["connected", "data"])
        self.assertEqual(self.stats.bytes_in, 5)

    def test_pause(self) -> None:
        self.receiver.call(self.stream.pause)
        self.peer.send(b"hello")
        self.turn()
        self.assertEqual(self.calls(), ["connected"])
        self.receiver.call(self.stream.resume)
        self.assertEqual(self.calls(), ["connected"])
        self.turn()
        self.assertEqual(bytes(self.receiver.received), b"hello")

    def test_pause_holds_the_end_back(self) -> None:
        self.stream.pause()
        self.peer.send(b"x")
        self.peer.shutdown(1)
        self.turn()
        self.assertEqual(self.calls(), ["connected"])
        self.stream.resume()
        self.turn()
        self.assertEqual(self.calls(), ["connected", "data", "end"])

    def test_half_close(self) -> None:
        """The peer sends nothing more, and still reads."""
        self.peer.shutdown(1)
        self.turn()
        self.assertEqual(self.calls(), ["connected", "end"])
        self.write(300)
        self.turn()
        self.assertEqual(len(self.read()), 300)
        self.close()
        self.turn()
        self.check_lost(None)

    def test_read_size(self) -> None:
        self.stream.read_size = 3
        self.peer.send(b"hello")
        self.hub._turn()
        self.assertEqual(bytes(self.receiver.received), b"")
        self.turn()
        self.assertEqual(self.calls(), ["connected", "data", "data"])

    def test_read_more(self) -> None:
        self.stream.pause()
        self.peer.send(b"hello")
        self.turn()
        self.assertFalse(self.stream.read_more())
        self.stream.resume()
        self.assertTrue(self.stream.read_more())
        self.assertFalse(self.stream.read_more())
        self.assertEqual(bytes(self.receiver.received), b"hello")

    def test_reset(self) -> None:
        self.peer.reset()
        self.turn()
        self.check_lost(ConnectionReset)

    def test_reset_while_paused(self) -> None:
        self.stream.pause()
        self.turn()
        self.peer.reset()
        self.turn()
        self.check_lost(ConnectionReset)

    def test_other_errors(self) -> None:
        self.sock._error = errno.ETIMEDOUT
        self.hub.poke()
        self.turn()
        self.check_lost(ConnectionClosed)
        self.assertIn("the connection broke", str(self.receiver.reason))


class Writing(StreamCase):
    def test_goes_out_at_the_end_of_the_turn(self) -> None:
        for _ in range(3):
            self.write(10)
        self.assertEqual(self.stream.buffered, 30)
        self.assertEqual(self.stats.bytes_out, 0)
        self.turn()
        self.assertEqual((self.stream.buffered, self.stats.bytes_out), (0, 30))
        self.assertEqual(len(self.read()), 30)

    def test_any_bytes(self) -> None:
        for each in (b"a", bytearray(b"b"), memoryview(b"c"), b""):
            self.stream.write(each)
        self.turn()
        self.assertEqual(self.read(), b"abc")

    def test_water_marks(self) -> None:
        self.write(1500)  # the kernel takes 500
        self.assertFalse(self.stream.full)
        self.write(1)
        self.assertTrue(self.stream.full)
        self.peer.send(b"hello")
        self.turn()
        self.assertEqual(self.calls(), ["connected"])
        self.read(500)
        self.assertEqual(self.stream.buffered, 501)
        self.assertTrue(self.stream.full)
        self.read(300)
        self.assertEqual(self.stream.buffered, 201)
        self.assertEqual(self.calls(), ["connected"])
        self.read(1)
        self.assertEqual(self.stream.buffered, 200)
        self.assertFalse(self.stream.full)
        self.assertEqual(self.calls(), ["connected", "can_write", "data"])

    def test_full_also_behind_a_stalled_socket(self) -> None:
        """A little waits already, below the mark, when more is written."""
        self.write(600)
        self.turn()
        self.assertEqual(self.stream.buffered, 100)
        self.assertFalse(self.stream.full)
        self.write(5000)
        self.assertTrue(self.stream.full)

    @settings(max_examples=60)
    @given(
        sizes=st.lists(st.integers(0, 3000), max_size=15),
        reads=st.lists(st.integers(1, 2000), max_size=15),
        seed=st.integers(0, 1 << 16),
    )
    def test_everything_in_order(self, sizes: list[int], reads: list[int], seed: int) -> None:
        self.start(Faults(seed=seed, capacity=400, chunk=70))
        wanted = got = b""
        for n in range(max(len(sizes), len(reads))):
            if n < len(sizes):
                data = bytes([n]) * sizes[n]
                wanted += data
                self.receiver.call(self.stream.write, data)
                self.assertEqual(self.stream.full or self.stream.buffered <= 1000, True)
            if n < len(reads):
                got += self.read(reads[n])
        got += self.read_all()
        self.assertEqual(got, wanted)
        self.assertFalse(self.stream.full)
        self.assertEqual(self.stats.bytes_out, len(wanted))
        calls = self.calls()
        self.assertLessEqual(calls.count("can_write"), len(sizes))

    def test_writing_in_can_write(self) -> None:
        receiver = self.receiver
        rounds = []

        def can_write() -> None:
            rounds.append(self.stream.buffered)
            if len(rounds) < 5:
                self.stream.write(bytes(3000))

        receiver.can_write = can_write  # type: ignore[method-assign]
        self.write(3000)
        self.assertEqual(len(self.read_all()), 15_000)
        self.assertEqual(len(rounds), 5)

    def test_peer_is_gone(self) -> None:
        self.peer.close()
        self.turn()
        self.write(10)
        self.turn()
        self.write(10)
        self.turn()
        self.check_lost(ConnectionReset)

    def test_activity(self) -> None:
        """Bytes that go count as those that come."""
        for size in (1, 400):
            self.turn(50)
            self.write(size)
            self.turn()
            self.assertEqual(self.stream.last_activity, self.clock.seconds(), size)
            self.read()
            self.turn(50)
            self.peer.send(b"x")
            self.turn()
            self.assertEqual(self.stream.last_activity, self.clock.seconds())


class Deadlines(StreamCase):
    def test_write_timeout(self) -> None:
        self.write(600)
        self.turn(9.9)
        self.assertNotIn("lost", self.calls())
        self.turn(0.1 + TICK)
        self.check_lost(WriteTimeout)
        self.assertIn("read none of 100 bytes for 10 s", str(self.receiver.reason))

    def test_write_timeout_starts_anew(self) -> None:
        self.write(3000)
        for _ in range(5):
            self.turn(9)
            self.assertEqual(len(self.read(10)), 10)
        self.turn(10 + TICK)
        self.check_lost(WriteTimeout)

    def test_receiver_is_asked_when_it_is_due(self) -> None:
        self.receiver.due = 20
        self.turn(TICK)
        self.assertEqual(self.receiver.calls.count("check"), 1)
        self.turn(19)
        self.assertEqual(self.receiver.calls.count("check"), 1)
        self.receiver.due = NEVER
        self.turn(1)
        self.assertEqual(self.receiver.calls.count("check"), 2)
        self.turn(1000)
        self.assertEqual(self.receiver.calls.count("check"), 2)
        self.stream.next_check = 1100
        self.turn(100)
        self.assertEqual(self.receiver.calls.count("check"), 3)

    def test_drain(self) -> None:
        self.receiver.call(self.stream.close)
        self.stream.drain()
        self.assertNotIn("drain", self.calls())
        self.start(Faults())
        self.stream.drain()
        self.assertEqual(self.calls(), ["connected", "drain"])


class Addresses(StreamCase):
    def test_both_ends(self) -> None:
        self.assertEqual(self.stream.peer, self.peer.address)
        self.assertEqual(self.stream.host, self.sock.address)
        self.assertIs(self.stream.get_handle(), self.sock)
        self.assertIn("SocketStream of Polite", repr(self.stream))


class RealSockets(SynchronousTestCase):
    """Big writes in vectors, on a real socket pair."""

    def test_vectors(self) -> None:
        clock = Clock()
        hub = MemoryHub(clock)
        here, there = socket.socketpair()
        self.addCleanup(there.close)
        here.setblocking(False)
        there.setblocking(False)
        receiver = Polite()
        stream = SocketStream(hub, here, receiver, limits=Limits(), stats=Stats(), peer=None)
        wanted = got = b""
        for n in range(200):
            data = bytes([n]) * (10_000 + n)
            wanted += data
            stream.write(data)
            if n % 3 == 0:
                stream._send()
            try:
                got += there.recv(200_000)
            except BlockingIOError:
                pass  # nothing yet
        while stream.buffered:
            stream._send()
            got += there.recv(1 << 20)
        there.setblocking(True)
        while len(got) < len(wanted):
            got += there.recv(1 << 20)
        self.assertEqual(got, wanted)
        stream.hub.descriptors.clear()
        here.close()
