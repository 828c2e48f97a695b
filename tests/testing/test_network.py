"""Sockets in memory: what they do is what sockets do, and one seed does it again."""

from __future__ import annotations

import errno
import select
import socket
import struct
import time
from collections.abc import Callable
from typing import Any, Protocol

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from netlab.testing import Faults, MemoryHub, MemorySocket, socket_pair

READ, WRITE, ERROR, HANGUP = 1, 4, 8, 16
RESET = struct.pack("ii", 1, 0)


class Link(Protocol):
    """Two connected non-blocking sockets, in memory or real."""

    here: Any
    there: Any

    def settle(self) -> None: ...

    def ready(self, end: Any) -> int: ...


class InMemory:
    def __init__(self, faults: Faults | None = None) -> None:
        self.clock = Clock()
        self.hub = MemoryHub(self.clock)
        self.here, self.there = socket_pair(self.hub, faults or Faults())

    def settle(self) -> None:
        """Everything under way arrives."""
        while self.clock.getDelayedCalls():
            self.clock.advance(1)

    def ready(self, end: MemorySocket) -> int:
        return end.ready()


class Real:
    """TCP on the loopback interface."""

    def __init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.here = socket.create_connection(listener.getsockname())
            self.there, _ = listener.accept()
        for each in (self.here, self.there):
            each.setblocking(False)

    def settle(self) -> None:
        time.sleep(0.01)  # the kernel's time cannot be faked

    def ready(self, end: socket.socket) -> int:
        with select.epoll() as poll:
            poll.register(end, READ | WRITE)
            return dict(poll.poll(0)).get(end.fileno(), 0)


def code_of(call: Callable[..., Any], *arguments: Any) -> Any:
    """What ``call`` returned, or its error number."""
    try:
        return call(*arguments)
    except OSError as error:
        return error.errno


class AsRealOnes(SynchronousTestCase):
    """Each of these is done to a pair in memory and to one of real TCP sockets."""

    def both(self, scene: Callable[[Link], list[Any]]) -> list[Any]:
        real, memory = Real(), InMemory()
        try:
            expected = scene(real)
        finally:
            real.here.close()
            real.there.close()
        self.assertEqual(scene(memory), expected)
        return expected

    def test_nothing_to_read(self) -> None:
        def scene(link: Link) -> list[Any]:
            return [code_of(link.here.recv, 10), link.ready(link.here)]

        self.assertEqual(self.both(scene), [errno.EAGAIN, WRITE])

    def test_read(self) -> None:
        def scene(link: Link) -> list[Any]:
            sent = [link.here.send(b"hello"), link.here.sendmsg([b"a", b"bc"])]
            link.settle()
            ready = link.ready(link.there)
            first = link.there.recv(2)
            received = first
            while isinstance(more := code_of(link.there.recv, 100), bytes):
                received += more
            return [*sent, ready, first, received, more, link.ready(link.there)]

        self.assertEqual(
            self.both(scene), [5, 3, READ | WRITE, b"he", b"helloabc", errno.EAGAIN, WRITE]
        )

    def test_full(self) -> None:
        """The last send takes a part; then none is taken, until the peer has read."""

        def scene(link: Link) -> list[Any]:
            total, parts = 0, set()
            data = bytes(50_001)
            while isinstance(sent := code_of(link.here.send, data), int) and sent > errno.ENOTCONN:
                total += sent
                parts.add(sent == len(data))
                link.settle()
            full = link.ready(link.here) & WRITE
            read = 0
            while isinstance(got := code_of(link.there.recv, 1 << 20), bytes):
                read += len(got)
                link.settle()
            again = link.ready(link.here) & WRITE
            return [sent, full, read == total, total > 0, False in parts, again]

        self.assertEqual(self.both(scene), [errno.EAGAIN, 0, True, True, True, WRITE])

    def test_shutdown(self) -> None:
        """The end comes behind the data, again and again; the other direction stays open."""

        def scene(link: Link) -> list[Any]:
            link.here.send(b"bye")
            link.here.shutdown(socket.SHUT_WR)
            link.settle()
            seen = [link.there.recv(10), link.there.recv(10), link.there.recv(10)]
            ready = link.ready(link.there)
            link.there.send(b"and you")
            link.settle()
            return [*seen, ready, link.here.recv(10), code_of(link.here.send, b"x")]

        expected = [b"bye", b"", b"", READ | WRITE, b"and you", errno.EPIPE]
        self.assertEqual(self.both(scene), expected)

    def test_both_shut(self) -> None:
        def scene(link: Link) -> list[Any]:
            link.here.shutdown(socket.SHUT_WR)
            link.settle()
            link.there.shutdown(socket.SHUT_WR)
            link.settle()
            hung_up = READ | HANGUP
            ready = [link.ready(each) & hung_up for each in (link.here, link.there)]
            errors = [
                each.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                for each in (link.here, link.there)
            ]
            return [*ready, *errors, link.here.recv(10), link.there.recv(10)]

        self.assertEqual(self.both(scene), [READ | HANGUP] * 2 + [0, 0, b"", b""])

    def test_closed(self) -> None:
        def scene(link: Link) -> list[Any]:
            link.here.send(b"bye")
            link.settle()
            link.here.close()
            link.settle()
            return [link.there.recv(10), link.there.recv(10), link.ready(link.there)]

        self.assertEqual(self.both(scene), [b"bye", b"", READ | WRITE])

    def test_send_after_peer_closed(self) -> None:
        """The first is taken; the peer's system answers with a reset."""

        def scene(link: Link) -> list[Any]:
            link.here.close()
            link.settle()
            first = link.there.send(b"x")
            link.settle()
            ready = link.ready(link.there) & (READ | ERROR | HANGUP)
            second = code_of(link.there.send, b"x")
            return [first, ready, second in (errno.EPIPE, errno.ECONNRESET)]

        self.assertEqual(self.both(scene), [1, READ | ERROR | HANGUP, True])

    def test_closed_with_data_unread(self) -> None:
        def scene(link: Link) -> list[Any]:
            link.there.send(b"unread")
            link.settle()
            link.here.close()
            link.settle()
            ready = link.ready(link.there) & (READ | ERROR | HANGUP)
            return [ready, code_of(link.there.recv, 10)]

        self.assertEqual(self.both(scene), [READ | ERROR | HANGUP, errno.ECONNRESET])

    def test_reset(self) -> None:
        def scene(link: Link) -> list[Any]:
            link.here.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            link.here.close()
            link.settle()
            ready = link.ready(link.there) & (READ | ERROR | HANGUP)
            code = link.there.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            return [ready, code, code_of(link.here.recv, 10), code_of(link.here.send, b"x")]

        expected = [READ | ERROR | HANGUP, errno.ECONNRESET, errno.EBADF, errno.EBADF]
        self.assertEqual(self.both(scene), expected)

    def test_shutdown_of_a_reset_one(self) -> None:
        def scene(link: Link) -> list[Any]:
            link.here.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            link.here.close()
            link.settle()
            return [isinstance(code_of(link.there.shutdown, socket.SHUT_WR), int)]

        self.assertEqual(self.both(scene), [True])

    def test_names(self) -> None:
        def scene(link: Link) -> list[Any]:
            host, port = link.here.getsockname()
            return [host, 0 < port < 65536, port != link.there.getsockname()[1]]

        self.both(scene)


seeds = st.integers(0, 1 << 20)


class Network(SynchronousTestCase):
    @given(
        seed=seeds,
        chunk=st.none() | st.integers(1, 20),
        coalesce=st.sampled_from((0.0, 0.5, 1.0)),
        delay=st.floats(0, 1),
        jitter=st.floats(0, 5),
        pauses=st.lists(st.floats(0, 2), min_size=1, max_size=30),
    )
    def test_never_overtake(
        self,
        seed: int,
        chunk: int | None,
        coalesce: float,
        delay: float,
        jitter: float,
        pauses: list[float],
    ) -> None:
        """However long each piece is under way; and the end comes last."""
        link = InMemory(
            Faults(seed=seed, chunk=chunk, coalesce=coalesce, delay=delay, jitter=jitter)
        )
        sent = b""
        for n, pause in enumerate(pauses):
            data = bytes([n]) * (n % 5 + 1)
            sent += data
            link.here.send(data)
            link.clock.advance(pause)
        link.here.shutdown(1)
        received = b""
        while True:
            part = code_of(link.there.recv, 7)
            if part == b"":
                break
            if part == errno.EAGAIN:
                self.assertTrue(link.clock.getDelayedCalls(), "bytes are lost")
                link.clock.advance(0.1)
            else:
                received += part
        self.assertEqual(received, sent)
        link.settle()
        self.assertEqual(code_of(link.there.recv, 7), b"")

    def pieces(self, faults: Faults) -> list[tuple[float, bytes]]:
        link = InMemory(faults)
        for n in range(20):
            link.here.send(bytes([n]) * 10)
        seen = []
        for _ in range(100):
            link.clock.advance(0.1)
            while isinstance(part := code_of(link.there.recv, 1000), bytes):
                seen.append((round(link.clock.seconds(), 3), part))
        self.assertEqual(len(b"".join(part for _, part in seen)), 200)
        return seen

    @settings(max_examples=20)
    @given(seed=seeds)
    def test_seed_does_it_again(self, seed: int) -> None:
        faults = Faults(seed=seed, chunk=7, coalesce=0.3, delay=0.1, jitter=1)
        self.assertEqual(self.pieces(faults), self.pieces(faults))
        other = Faults(seed=seed + 1, chunk=7, coalesce=0.3, delay=0.1, jitter=1)
        self.assertNotEqual(self.pieces(faults), self.pieces(other))

    def test_directions_differ(self) -> None:
        link = InMemory(Faults(seed=4, chunk=9))
        cuts = []
        for sender, reader in ((link.here, link.there), (link.there, link.here)):
            sender.send(bytes(200))
            link.settle()
            sizes = []
            while isinstance(part := code_of(reader.recv, 100), bytes):
                sizes.append(len(part))
            cuts.append(sizes)
        self.assertNotEqual(cuts[0], cuts[1])

    def test_chunk(self) -> None:
        sizes = [len(part) for _, part in self.pieces(Faults(chunk=3))]
        self.assertEqual(set(sizes), {1, 2, 3})

    def test_coalesce(self) -> None:
        self.assertEqual(len(self.pieces(Faults(coalesce=1.0))), 1)
        self.assertEqual(len(self.pieces(Faults())), 20)

    def test_delay(self) -> None:
        link = InMemory(Faults(delay=2))
        link.here.send(b"x")
        link.here.shutdown(1)
        link.clock.advance(1.99)
        self.assertEqual(code_of(link.there.recv, 10), errno.EAGAIN)
        link.clock.advance(0.02)
        self.assertEqual([link.there.recv(10), link.there.recv(10)], [b"x", b""])

    def test_jitter(self) -> None:
        arrivals = []
        for seed in range(50):
            link = InMemory(Faults(seed=seed, delay=1, jitter=2))
            link.here.send(b"x")
            while code_of(link.there.recv, 10) == errno.EAGAIN:
                link.clock.advance(0.05)
            arrivals.append(link.clock.seconds())
        self.assertTrue(all(0.95 <= each <= 3.1 for each in arrivals), arrivals)
        self.assertGreater(max(arrivals) - min(arrivals), 1)

    def test_capacity(self) -> None:
        """It counts what is under way as well, and each direction by itself."""
        link = InMemory(Faults(capacity=10, delay=1))
        self.assertEqual(link.here.send(bytes(8)), 8)
        self.assertEqual(link.here.send(bytes(8)), 2)
        self.assertEqual(code_of(link.here.send, b"x"), errno.EAGAIN)
        self.assertEqual(link.there.send(bytes(8)), 8)
        link.clock.advance(1)
        self.assertEqual(code_of(link.here.send, b"x"), errno.EAGAIN)
        link.there.recv(3)
        self.assertEqual(link.here.send(bytes(8)), 3)

    def test_network_breaks(self) -> None:
        link = InMemory(Faults(delay=1))
        link.here.send(b"under way")
        link.here.reset()
        link.settle()
        for each in (link.here, link.there):
            self.assertEqual(code_of(each.recv, 10), errno.ECONNRESET)
            self.assertEqual(code_of(each.send, b"x"), errno.ECONNRESET)
