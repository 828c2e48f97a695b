"""Reconnecting: waits that grow, tries that end, messages that are never repeated."""

from __future__ import annotations

import random
from itertools import islice

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import ensureDeferred
from twisted.trial.unittest import SynchronousTestCase

from netlab import (
    Backoff,
    ConfigurationError,
    ConnectFailed,
    ConnectionClosed,
    DeadlineExceeded,
    MessageClient,
)
from netlab.testing import MemoryServer

from .support import Recording, Waiting
from .test_client import Case

PLAIN = Backoff(initial=1, factor=2, maximum=8, jitter=0, attempts=5)


class Delays(SynchronousTestCase):
    def test_plain(self) -> None:
        delays = list(PLAIN.delays(random.Random(1)))
        self.assertEqual(delays, [1, 2, 4, 8, 8])

    @given(
        initial=st.floats(0.01, 10),
        factor=st.floats(1, 10),
        more=st.floats(0, 100),
        jitter=st.floats(0, 1),
        seed=st.integers(),
    )
    def test_bounds(
        self, initial: float, factor: float, more: float, jitter: float, seed: int
    ) -> None:
        backoff = Backoff(initial=initial, factor=factor, maximum=initial + more, jitter=jitter)
        full = initial
        for delay in islice(backoff.delays(random.Random(seed)), 50):
            self.assertTrue(full * (1 - jitter) <= delay <= full, (delay, full))
            full = min(initial + more, full * factor)

    def test_jitter_spreads(self) -> None:
        firsts = {next(Backoff().delays(random.Random(n))) for n in range(100)}
        self.assertGreater(len(firsts), 90)
        self.assertTrue(all(0.25 <= each <= 0.5 for each in firsts))

    def test_attempts(self) -> None:
        for attempts in (0, 1, 7):
            backoff = Backoff(attempts=attempts)
            self.assertEqual(len(list(backoff.delays(random.Random(1)))), attempts)

    def test_cannot_work(self) -> None:
        for options in (
            {"initial": 0.0},
            {"initial": -1.0},
            {"initial": 31.0},
            {"factor": 0.5},
            {"jitter": 1.5},
            {"jitter": -0.1},
            {"initial": float("nan")},
        ):
            error = self.assertRaises(ConfigurationError, Backoff, **options)
            self.assertIn(next(iter(options)), str(error))


class Again(Case):
    def connect(self, link: MemoryServer, backoff: Backoff = PLAIN) -> MessageClient:
        return link.connect(reconnect=backoff, timeout=100)

    def break_off(self, link: MemoryServer) -> None:
        link.sockets[-1].reset()
        link.advance()

    def test_connects_again(self) -> None:
        link = self.serve()
        client = self.connect(link)
        for _ in range(3):
            self.break_off(link)
            self.assertFalse(client.connected)
            link.advance(0.9)
            self.assertFalse(client.connected)
            link.advance(0.2)
            self.assertTrue(client.connected)
            self.assertEqual(link.run(client.request(b"x")), b"x")
        self.assertEqual(link.stats.accepted, 4)
        link.run(client.close())

    def test_waits_grow_and_end(self) -> None:
        link = self.serve()
        client = self.connect(link)
        link.listening = False
        self.break_off(link)
        sending = self.start(link, client.send(b"x"))
        link.advance(22)
        self.assertNoResult(sending)
        link.advance(1.1)
        self.failureResultOf(sending, ConnectFailed)
        for call in (client.send(b"x"), client.request(b"x"), client.receive()):
            self.assertRaises(ConnectFailed, link.run, call)
        link.listening = True
        link.advance(100)
        self.assertFalse(client.connected)
        link.run(client.close())

    def test_tries_count_anew(self) -> None:
        link = self.serve()
        client = self.connect(link)
        for _ in range(3):
            link.listening = False
            self.break_off(link)
            link.advance(16)
            link.listening = True
            link.advance(8)
            self.assertTrue(client.connected)
        link.run(client.close())

    def test_server_closes(self) -> None:
        """An orderly end is no reason not to come back."""
        link = self.serve()
        client = self.connect(link)
        link.protocols[0].close()
        link.advance(3)
        self.assertTrue(client.connected)
        link.run(client.close())

    def test_sends_wait(self) -> None:
        link = self.serve()
        client = self.connect(link)
        self.break_off(link)
        sending = [self.start(link, client.send(b"%d" % n)) for n in range(3)]
        asking = self.start(link, client.request(b"ask"))
        link.advance(0.5)
        for each in (*sending, asking):
            self.assertNoResult(each)
        link.advance(1)
        for each in sending:
            self.successResultOf(each)
        self.assertEqual([link.run(client.receive()) for _ in range(3)], [b"1", b"2", b"ask"])
        self.assertEqual(self.successResultOf(asking), b"0")
        link.run(client.close())

    def test_sends_wait_so_long(self) -> None:
        link = self.serve()
        client = link.connect(reconnect=Backoff(initial=20, jitter=0), timeout=5)
        self.break_off(link)
        error = self.assertRaises(DeadlineExceeded, link.run, client.send(b"x"))
        self.assertEqual(str(error), "not connected again within 5 s")
        cancelled = self.start(link, client.send(b"y"))
        cancelled.cancel()
        self.failureResultOf(cancelled)
        link.advance(20)
        self.assertEqual(link.stats.messages_in, 0)
        link.run(client.close())

    def test_not_repeated(self) -> None:
        """What was sent when it broke may have been acted on: the program must know."""
        link = self.serve(Waiting)
        client = self.connect(link)
        asking = self.start(link, client.request(b"once"))
        receiving = self.start(link, client.receive())
        self.break_off(link)
        self.failureResultOf(asking, ConnectionClosed)
        self.failureResultOf(receiving, ConnectionClosed)
        link.advance(2)
        self.assertTrue(client.connected)
        self.assertEqual(link.stats.messages_in, 1)
        link.run(client.close())

    def test_late_answers_end_with_their_connection(self) -> None:
        """A request given up on an old connection does not take the new one's answer."""
        link = self.serve(Waiting)
        client = self.connect(link)
        self.assertRaises(DeadlineExceeded, link.run, client.request(b"old", timeout=1))
        self.break_off(link)
        link.advance(2)
        asking = self.start(link, client.request(b"new"))
        protocol = link.protocols[0]
        assert isinstance(protocol, Waiting)
        protocol.waiting[0].callback(b"new answer")
        link.advance()
        self.assertEqual(self.successResultOf(asking), b"new answer")
        link.run(client.close())

    def test_messages_of_the_old_connection(self) -> None:
        link = self.serve()
        client = self.connect(link)
        link.protocols[0].send(b"old")
        link.advance()
        self.break_off(link)
        link.advance(2)
        link.protocols[0].send(b"new")
        self.assertEqual([link.run(client.receive()) for _ in range(2)], [b"old", b"new"])
        link.run(client.close())

    def test_close_while_it_waits(self) -> None:
        for seconds in (0, 0.5):
            link = self.serve()
            client = self.connect(link)
            self.break_off(link)
            sending = ensureDeferred(client.send(b"x"))
            link.advance(seconds)
            link.run(client.close())
            self.failureResultOf(sending, ConnectionClosed)
            link.advance(100)
            self.assertFalse(client.connected)
            self.assertEqual(link.stats.accepted, 1)

    def test_abort_while_it_waits(self) -> None:
        """No connection comes about after it, and whoever waits for one is told."""
        link = self.serve()
        client = self.connect(link)
        self.break_off(link)
        sending = self.start(link, client.send(b"x"))
        client.abort()
        link.advance()
        self.failureResultOf(sending, ConnectionClosed)
        link.advance(100)
        self.assertFalse(client.connected)
        self.assertEqual(link.stats.accepted, 1)
        link.run(client.close())

    def test_not_after_close(self) -> None:
        for ending in ("close", "abort"):
            link = self.serve(Recording)
            client = self.connect(link)
            if ending == "close":
                link.run(client.close())
            else:
                client.abort()
            link.advance(100)
            self.assertFalse(client.connected)
            self.assertEqual(link.stats.accepted, 1)
