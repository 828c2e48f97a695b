"""Accepting, with patience: a system that has no room is not asked again and again."""

from __future__ import annotations

import errno
import os
import socket
from itertools import pairwise
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from netlab.testing.network import MemoryHub
from netlab.transport.acceptor import Acceptor
from netlab.transport.hub import READ, WRITE
from tests.transport.support import Lines, TransportCase, advance, dial, eventually, in_thread

MANY = 20000
SHORTAGES = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


class FakeListener:
    """A listening socket that always has somebody waiting: by turns, what ``answers`` says.

    An answer is an error number, or 0 for a connection. The last one is for ever.
    """

    family = socket.AF_INET

    def __init__(self, answers: list[int]) -> None:
        self.answers = answers
        self.calls = 0
        self.options: dict[tuple[int, int], int] = {}
        self.backlog = 0
        self.fd = os.dup(0)

    def fileno(self) -> int:
        return self.fd

    def listen(self, backlog: int) -> None:
        self.backlog = backlog

    def ready(self) -> int:
        return 0 if self.answers[0] == errno.EAGAIN else READ

    def setsockopt(self, level: int, option: int, value: int) -> None:
        self.options[level, option] = value

    def accept(self) -> tuple[Any, tuple[str, int]]:
        self.calls += 1
        if self.calls == MANY:
            self.answers = [errno.EAGAIN]  # an endless loop fails a test, and ends
        number = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if number:
            raise OSError(number, os.strerror(number))
        return FakeConnection(), ("192.0.2.1", self.calls)


class FakeConnection:
    def setblocking(self, blocking: bool) -> None:
        assert not blocking


class Scripted(SynchronousTestCase):
    """A listener that does what it is told, on a clock that the test advances."""

    def make(self, *answers: int) -> FakeListener:
        """An acceptor on a listener that answers so."""
        self.clock = Clock()
        self.hub: Any = MemoryHub(self.clock)
        self.lines = Lines(self)
        self.accepted: list[Any] = []
        self.refused: list[float] = []
        listener: Any = FakeListener(list(answers))
        self.addCleanup(os.close, listener.fd)
        self.hub.add(listener)
        self.acceptor = Acceptor(
            self.hub,
            listener,
            lambda sock, address: self.accepted.append(address),
            lambda: self.refused.append(self.clock.seconds()),
        )
        self.addCleanup(self.assert_clean)
        made: FakeListener = listener
        return made

    def assert_clean(self) -> None:
        """After ``close`` the clock has nothing to do for it."""
        self.acceptor.close()
        self.acceptor.close()
        self.clock.advance(0)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_shortage(self) -> None:
        """A shortage that stays: one try and one log line a second.

        Stock Twisted comes back at once: in 4 seconds 7,356 accepts and 11,000
        lines; on EMFILE it logs a line for each connection that it refuses.
        """
        for number in SHORTAGES:
            listener = self.make(number)
            advance(self.clock, 10)
            lines = self.lines.with_("cannot accept")
            self.assertLessEqual(len(lines), 11)
            self.assertGreaterEqual(len(lines), 5)
            self.assertLessEqual(listener.calls, 11)
            self.assertEqual(len(self.refused), listener.calls)
            pauses = [b - a for a, b in pairwise(self.refused)]
            self.assertGreaterEqual(min(pauses), 1.0)
            self.assertLessEqual(max(pauses), 2.0)
            self.assertIn(os.strerror(number), lines[0])
            self.assertEqual(self.accepted, [])
            listener.answers = [errno.EAGAIN]

    def test_resumes(self) -> None:
        """When there is room again, it goes on within two seconds, for all that wait."""
        for number in SHORTAGES:
            self.make(number, number, *[0] * 1000, errno.EAGAIN)
            advance(self.clock, 4)
            self.assertEqual(len(self.accepted), 1000)
            self.assertEqual(len(self.refused), 2)

    def test_between(self) -> None:
        """What was accepted before a shortage is kept."""
        self.make(0, 0, errno.EMFILE, 0, errno.EAGAIN)
        advance(self.clock, 0)
        self.assertEqual(len(self.accepted), 2)
        advance(self.clock, 2)
        self.assertEqual(len(self.accepted), 3)

    def test_transient(self) -> None:
        """Who hung up while waiting, or is forbidden, keeps nobody else waiting."""
        for number in (errno.ECONNABORTED, errno.EPERM, errno.EPROTO, errno.EINTR):
            self.make(number, 0, number, number, 0, errno.EAGAIN)
            advance(self.clock, 0)
            self.assertEqual(len(self.accepted), 2)
            self.assertEqual(self.refused, [])
            self.assertEqual(self.lines.events, [])

    def test_aborted_for_ever(self) -> None:
        """Even these, one after the other, leave the others their turns."""
        listener = self.make(errno.ECONNABORTED)
        counts: list[int] = []

        def count() -> None:
            counts.append(listener.calls)
            if len(counts) < 20:
                self.hub.soon(count)
            else:
                listener.answers = [errno.EAGAIN]

        self.hub.soon(count)
        advance(self.clock, 0)
        steps = [b - a for a, b in pairwise(counts)]
        self.assertLessEqual(max(steps), 256)

    def test_unknown_errors(self) -> None:
        """Any other error is treated as a shortage is."""
        listener = self.make(errno.EIO)
        advance(self.clock, 5)
        self.assertLessEqual(listener.calls, 6)
        self.assertLessEqual(len(self.lines.with_("cannot accept")), 6)
        listener.answers = [errno.EAGAIN]

    def test_error_event(self) -> None:
        """An error that epoll tells shows itself in ``accept``."""
        listener = self.make(errno.EAGAIN)
        advance(self.clock, 0)
        listener.answers = [errno.EMFILE, errno.EAGAIN]
        self.acceptor.event(READ | WRITE | 8)
        advance(self.clock, 0)
        self.assertEqual(len(self.refused), 1)

    def test_close_takes_the_backlog(self) -> None:
        """Who was connected already is served, not cut off; then no more is accepted."""
        listener = self.make(*[0] * 300, errno.EAGAIN)
        self.acceptor.close()
        self.assertEqual(len(self.accepted), 300)
        calls = listener.calls
        advance(self.clock, 5)
        self.assertEqual(listener.calls, calls)

    def test_close_ends(self) -> None:
        """A crowd that never ends does not keep it from closing."""
        self.make(0)
        self.acceptor.close()
        self.assertLess(len(self.accepted), MANY - 1)

    def test_close_in_a_shortage(self) -> None:
        """Closing while it waits leaves nothing on the clock."""
        listener = self.make(errno.EMFILE)
        advance(self.clock, 0.2)
        self.acceptor.close()
        calls = listener.calls
        advance(self.clock, 5)
        self.assertEqual(listener.calls, calls)

    def test_one_line_when_closing_too(self) -> None:
        """Closing in a shortage is no reason for a second line within the second."""
        self.make(errno.EMFILE)
        advance(self.clock, 0.2)
        self.acceptor.close()
        self.assertEqual(len(self.lines.with_("cannot accept")), 1)

    def test_backlog(self) -> None:
        """The kernel is asked to hold thousands; Twisted's endpoints ask for 50.

        Above that a burst costs each client a second or more: its first packet
        is dropped.
        """
        self.assertGreaterEqual(self.make(errno.EAGAIN).backlog, 1024)

    def test_options(self) -> None:
        """Accepted sockets inherit keep-alive and no delay from the listener."""
        listener = self.make(errno.EAGAIN)
        self.assertEqual(
            listener.options,
            {
                (socket.SOL_SOCKET, socket.SO_KEEPALIVE): 1,
                (socket.IPPROTO_TCP, socket.TCP_NODELAY): 1,
            },
        )


class Real(TransportCase):
    async def test_options_of_accepted(self) -> None:
        """A real connection has them, and does not block."""
        server, port = await self.serve()
        sock = await in_thread(dial, port)
        self.addCleanup(sock.close)
        await eventually(lambda: len(server.streams) == 1)
        (stream,) = server.streams
        handle = stream.get_handle()
        self.assertTrue(handle.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE))
        self.assertTrue(handle.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        self.assertEqual(handle.gettimeout(), 0)

    async def test_many_at_once(self) -> None:
        """More than one turn accepts."""
        server, port = await self.serve()
        for _ in range(200):  # the kernel completes them by itself
            self.addCleanup(dial(port).close)
        await eventually(lambda: len(server.streams) == 200)
        self.assertEqual(server.stats.accepted, 200)

    async def test_shortage_and_recovery(self) -> None:
        """The server counts what the system refused, and serves who waited."""
        server, port = await self.serve()
        (acceptor,) = server._acceptors
        real, lines = acceptor.listener, Lines(self)
        refusing: Any = FakeListener([errno.EMFILE])
        self.addCleanup(os.close, refusing.fd)
        acceptor.listener = refusing
        sock = await in_thread(dial, port)
        self.addCleanup(sock.close)
        await eventually(lambda: server.stats.refused["accept_error"] == 1)
        acceptor.listener = real
        await in_thread(sock.sendall, b"hello")
        self.assertEqual(await in_thread(sock.recv, 5), b"hello")
        self.assertEqual(len(lines.with_("cannot accept")), 1)
        self.assertEqual(refusing.calls, 1)
