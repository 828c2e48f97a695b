"""``connect``'s client: requests, messages, back-pressure, the end."""

from __future__ import annotations

import gc
from collections.abc import Coroutine
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, ensureDeferred
from twisted.trial.unittest import SynchronousTestCase

from netlab import (
    ConnectionClosed,
    ConnectionReset,
    DeadlineExceeded,
    Limits,
    LocalProtocolError,
    MessageClient,
    NetlabError,
)
from netlab.errors import ConnectionAborted, IncomingFrameTooLong
from netlab.message.client import CLIENT_LIMITS
from netlab.testing import Faults, MemoryServer, pair, serve

from .support import Recording, Waiting, blank, logged


class Case(SynchronousTestCase):
    """Nothing is left on the clock, and no error unhandled."""

    def setUp(self) -> None:
        gc.collect()  # what other tests left behind is not ours
        watching = logged("Unhandled", "internal error")
        lines = watching.__enter__()

        def check() -> None:
            gc.collect()
            watching.__exit__(None, None, None)
            self.assertEqual(lines, [])

        self.addCleanup(check)

    def serve(self, app: Any = Recording, **options: Any) -> MemoryServer:
        link = serve(app, **options)

        def close() -> None:
            link.close()
            self.assertTrue(blank(link), "something is left")

        self.addCleanup(close)
        return link

    def start(self, link: MemoryServer, call: Coroutine[Any, Any, Any]) -> Deferred[Any]:
        running = ensureDeferred(call)
        link.advance()
        return running


class Requests(Case):
    def test_pairs(self) -> None:
        link = self.serve(faults=Faults(seed=1, chunk=5, jitter=0.2))
        client = link.connect()
        asked = [self.start(link, client.request(b"%d" % n)) for n in range(100)]
        link.advance(100)
        self.assertEqual(
            [self.successResultOf(each) for each in asked], [b"%d" % n for n in range(100)]
        )
        link.run(client.close())

    def test_many_at_once(self) -> None:
        """Every caller waits for its answer: together they are not a peer to be cut off."""
        link = self.serve(faults=Faults(delay=0.1))
        client = link.connect()
        asked = [self.start(link, client.request(bytes(20_000) + b"%d" % n)) for n in range(50)]
        answers: list[Any] = []
        for each in asked:
            each.addBoth(answers.append)
        link.advance(60)
        numbers = [each[20_000:] if isinstance(each, bytes) else each.value for each in answers]
        self.assertEqual(numbers, [b"%d" % n for n in range(50)])
        link.run(client.close())

    def test_timeout_and_late_answer(self) -> None:
        """The answer that comes too late is nobody's: the next request gets its own."""
        link = self.serve(Waiting)
        client = link.connect()
        (protocol,) = link.protocols
        assert isinstance(protocol, Waiting)
        late = self.start(link, client.request(b"late", timeout=5))
        link.advance(4.9)
        self.assertNoResult(late)
        link.advance(0.2)
        error = self.failureResultOf(late, DeadlineExceeded).value
        self.assertEqual(str(error), "no answer came within 5 s")
        self.assertIsInstance(error, TimeoutError)
        next_ = self.start(link, client.request(b"next", timeout=5))
        protocol.waiting[0].callback(b"late answer")
        link.advance()
        self.assertNoResult(next_)
        protocol.waiting[1].callback(b"next answer")
        link.advance()
        self.assertEqual(self.successResultOf(next_), b"next answer")
        link.run(client.close())

    def test_timeout_while_sending(self) -> None:
        """The server does not even read: the request's seconds count all the same."""
        link = self.serve(Waiting, faults=Faults(capacity=1000))
        client = link.connect()
        link.run(client.send(b"keeps it busy"))
        began = link.clock.seconds()
        self.assertRaises(DeadlineExceeded, link.run, client.request(bytes(200_000), timeout=3))
        self.assertLess(link.clock.seconds() - began, 4)
        client.abort()
        link.advance()

    def test_cancelled(self) -> None:
        link = self.serve(Waiting)
        client = link.connect()
        (protocol,) = link.protocols
        assert isinstance(protocol, Waiting)
        given_up = self.start(link, client.request(b"1"))
        kept = self.start(link, client.request(b"2"))
        given_up.cancel()
        self.failureResultOf(given_up, CancelledError)
        for n, answer in enumerate((b"one", b"two")):
            protocol.waiting[n].callback(answer)
            link.advance()
        self.assertEqual(self.successResultOf(kept), b"two")
        link.run(client.close())

    def test_connection_breaks(self) -> None:
        for size in (10, 200_000):
            link = self.serve(Waiting, faults=Faults(capacity=1000))
            client = link.connect()
            asked = [self.start(link, client.request(bytes(size))) for _ in range(2)]
            link.advance(1)
            link.sockets[-1].reset()
            link.advance(1)
            for each in asked:
                self.failureResultOf(each, ConnectionClosed)

    def test_messages_wait(self) -> None:
        """They would be taken for the answer."""
        link = self.serve()
        client = link.connect()
        link.protocols[0].send(b"news")
        link.advance()
        error = self.assertRaises(LocalProtocolError, link.run, client.request(b"x"))
        self.assertIn("1 messages wait", str(error))
        self.assertEqual(link.run(client.receive()), b"news")
        self.assertEqual(link.run(client.request(b"x")), b"x")
        link.run(client.close())

    def test_too_long(self) -> None:
        link = self.serve()
        client = link.connect()
        self.assertRaises(LocalProtocolError, link.run, client.request(bytes((1 << 20) + 1)))
        self.assertEqual(link.run(client.request(b"x")), b"x")
        link.run(client.close())


class Receiving(Case):
    def test_in_order(self) -> None:
        link = self.serve(faults=Faults(seed=3, chunk=3, coalesce=0.5))
        client = link.connect()
        for n in range(50):
            link.protocols[0].send(b"%d" % n)
        self.assertEqual(
            [link.run(client.receive()) for _ in range(50)], [b"%d" % n for n in range(50)]
        )
        link.run(client.close())

    def test_waiters_in_order(self) -> None:
        link = self.serve()
        client = link.connect()
        waiting = [self.start(link, client.receive()) for _ in range(3)]
        waiting[1].cancel()
        self.failureResultOf(waiting[1], CancelledError)
        for message in (b"1", b"2", b"3"):
            link.protocols[0].send(message)
        link.advance()
        self.assertEqual(self.successResultOf(waiting[0]), b"1")
        self.assertEqual(self.successResultOf(waiting[2]), b"2")
        self.assertEqual(link.run(client.receive()), b"3")
        link.run(client.close())

    def test_timeout(self) -> None:
        link = self.serve()
        client = link.connect()
        error = self.assertRaises(DeadlineExceeded, link.run, client.receive(timeout=5))
        self.assertEqual(str(error), "no message came within 5 s")
        link.protocols[0].send(b"later")
        link.advance()
        self.assertEqual(link.run(client.receive(timeout=5)), b"later")
        link.run(client.close())

    def test_iteration(self) -> None:
        link = self.serve()
        client = link.connect()
        got = []

        async def program() -> None:
            async for message in client:
                got.append(message)

        iterating = self.start(link, program())
        protocol = link.protocols[0]
        protocol.send(b"1")
        link.advance()
        protocol.send(b"2")
        protocol.close()
        link.advance(1)
        self.successResultOf(iterating)
        self.assertEqual(got, [b"1", b"2"])

    def test_iteration_is_broken_off(self) -> None:
        link = self.serve()
        client = link.connect()

        async def program() -> None:
            async for _ in client:
                pass

        iterating = self.start(link, program())
        link.sockets[-1].reset()
        link.advance()
        self.failureResultOf(iterating, ConnectionReset)

    def test_what_came_before_the_end(self) -> None:
        link = self.serve()
        client = link.connect()
        protocol = link.protocols[0]
        protocol.send(b"last words")
        protocol.close()
        link.advance(1)
        self.assertFalse(client.connected)
        self.assertEqual(link.run(client.receive()), b"last words")
        self.assertRaises(ConnectionClosed, link.run, client.receive())

    def test_back_pressure(self) -> None:
        """The program does not take its messages: the server is held back."""
        pushed = []

        class Pushing(Recording):
            async def message_received(self, message: bytes) -> None:
                for n in range(1000):
                    await self.send(b"%d".ljust(1000) % n)
                    pushed.append(n)

        link = self.serve(Pushing, faults=Faults(capacity=10_000))
        client = link.connect(limits=Limits(high_water=20_000, low_water=5_000, idle_timeout=None))
        link.run(client.send(b"go"))
        link.advance(20)
        self.assertLess(len(pushed), 200)
        got = [link.run(client.receive()) for _ in range(1000)]
        self.assertEqual([int(each) for each in got], list(range(1000)))
        link.run(client.close())

    def test_close_with_messages_waiting(self) -> None:
        link = self.serve(faults=Faults(capacity=10_000))
        client = link.connect(limits=Limits(high_water=2_000, low_water=500))
        for _ in range(20):
            link.protocols[0].send(bytes(1000))
        link.advance()
        link.run(client.close())
        self.assertFalse(client.connected)
        self.assertEqual(link.run(client.receive()), bytes(1000))


class Ends(Case):
    def check_ended(
        self, link: MemoryServer, client: MessageClient, kind: type[NetlabError]
    ) -> None:
        self.assertFalse(client.connected)
        for call in (client.send(b"x"), client.request(b"x"), client.receive()):
            self.assertRaises(kind, link.run, call)
        link.run(client.close())
        client.abort()

    def test_close(self) -> None:
        link = self.serve()
        client = link.connect()
        server: Any = link.protocols[0]
        self.assertEqual(link.run(client.request(b"last")), b"last")
        link.run(client.close())
        self.assertEqual(server.seen, [b"last"])
        self.assertEqual(server.reasons, [None])
        self.assertEqual(client.stats.errors, {})
        self.check_ended(link, client, ConnectionClosed)

    def test_close_says_so(self) -> None:
        link = self.serve()
        client = link.connect()
        waiting = self.start(link, client.receive())
        link.run(client.close())
        self.failureResultOf(waiting, ConnectionClosed)
        error = self.assertRaises(ConnectionClosed, link.run, client.receive())
        self.assertIs(type(error), ConnectionClosed)
        self.assertIn("the client closed", str(error))

    def test_close_twice(self) -> None:
        link = self.serve(faults=Faults(delay=0.5))
        client = link.connect()
        first, second = (self.start(link, client.close()) for _ in range(2))
        self.assertNoResult(first)
        link.advance(2)
        self.successResultOf(first)
        self.successResultOf(second)
        link.run(client.close())

    def test_close_of_a_silent_server(self) -> None:
        link = self.serve(Waiting)
        client = link.connect()
        asking = self.start(link, client.request(b"x"))
        closing = self.start(link, client.close())
        link.advance(3)
        self.successResultOf(closing)
        self.failureResultOf(asking, ConnectionClosed)

    def test_abort(self) -> None:
        link = self.serve(Waiting)
        client = link.connect()
        server: Any = link.protocols[0]
        waiting = self.start(link, client.receive())
        client.abort()
        link.advance()
        self.failureResultOf(waiting, ConnectionAborted)
        self.assertIsInstance(server.reasons[0], ConnectionReset)
        self.check_ended(link, client, ConnectionAborted)

    def test_abort_and_at_once_request(self) -> None:
        link = self.serve()
        client = link.connect()
        client.abort()
        self.assertRaises(ConnectionClosed, link.run, client.request(b"x"))

    def test_server_closes(self) -> None:
        link = self.serve()
        client = link.connect()
        link.protocols[0].close()
        link.advance(1)
        self.check_ended(link, client, ConnectionClosed)

    def test_server_is_wrong(self) -> None:
        """What is wrong with what it sent is said."""
        link = self.serve()
        client = link.connect()
        waiting = self.start(link, client.receive())
        link.sockets[-1].peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        link.advance(3)
        self.failureResultOf(waiting, IncomingFrameTooLong)
        self.check_ended(link, client, IncomingFrameTooLong)

    def test_many_errors_keep_nothing_alive(self) -> None:
        """The same error is raised at each call; it must not collect their frames."""
        link = self.serve()
        client = link.connect()
        link.run(client.close())
        for _ in range(30):
            error = self.assertRaises(ConnectionClosed, link.run, client.receive())
            depth, traceback = 0, error.__traceback__
            while traceback is not None:
                depth, traceback = depth + 1, traceback.tb_next
            self.assertLess(depth, 40)

    def test_limits(self) -> None:
        """No idle time-out by default: the server hangs up, not the client."""
        self.assertIsNone(CLIENT_LIMITS.idle_timeout)
        link = self.serve(limits=Limits(idle_timeout=None))
        client = link.connect()
        link.advance(10_000)
        self.assertTrue(client.connected)
        link.run(client.close())
        client = link.connect(limits=Limits(idle_timeout=50))
        link.advance(52)
        self.assertFalse(client.connected)

    def test_in_a_handler(self) -> None:
        """The program goes on from within a delivery, and does what it likes there."""
        for ending in ("close", "abort"):
            with pair(Recording) as link:
                client = link.client

                async def program(ending: str = ending, client: MessageClient = client) -> None:
                    await client.send(b"1")
                    await client.send(b"2")
                    self.assertEqual(await client.receive(), b"1")
                    if ending == "close":
                        await client.close()
                    else:
                        client.abort()

                link.run(program())
                link.advance(1)
                self.assertFalse(client.connected)
