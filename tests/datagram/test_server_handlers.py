# trial's assertions have no annotations:
# mypy: allow-untyped-calls
"""Handlers: whatever they return or raise, each reply goes where it should, and all go on."""

from __future__ import annotations

import gc
import sys
import weakref
from collections.abc import Awaitable, Callable, Generator
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.python.failure import Failure

from netlab import DatagramApp, DatagramLimits
from netlab.datagram import Peer
from tests.datagram.support import CLIENT, OTHER, Lines, MemoryCase, Noting, Slow


class Text(bytes):
    """A kind of bytes."""


class Promise(Awaitable[Any]):
    """Something to await that is neither a coroutine nor a Deferred."""

    def __init__(self, deferred: Deferred[Any]) -> None:
        self.deferred = deferred

    def __await__(self) -> Generator[Any, Any, Any]:
        return self.deferred.__await__()


async def at_once(value: Any) -> Any:
    """A coroutine that never waits."""
    return value


class Returned(MemoryCase):
    def app(self, answer: Callable[[bytes], Any]) -> Noting:
        """An application that answers so, on a server."""
        app = Noting(answer)
        self.serve(app)
        return app

    def test_replies(self) -> None:
        """All kinds of bytes, and of promises of them, are sent as bytes."""
        makes: list[Callable[[bytes], Any]] = [
            bytes.upper,
            lambda data: Text(data.upper()),
            lambda data: bytearray(data.upper()),
            lambda data: memoryview(data.upper()),
            lambda data: succeed(data.upper()),
            lambda data: at_once(data.upper()),
            lambda data: at_once(bytearray(data.upper())),
            lambda data: at_once(at_once(data.upper()).send) and succeed(Text(data.upper())),
            lambda data: Promise(succeed(data.upper())),
        ]
        app = self.app(makes[0])
        for make in makes[:7] + makes[8:]:
            app.answer = make
            (reply,) = self.ask(b"hello")
            self.assertEqual((type(reply), reply), (bytes, b"HELLO"))

    def test_none(self) -> None:
        """No reply, said in each way."""
        app = self.app(lambda data: None)
        for make in (
            lambda data: None,
            lambda data: succeed(None),
            lambda data: at_once(None),
            lambda data: Promise(succeed(None)),
        ):
            app.answer = make
            self.assertEqual(self.ask(b"hello"), [])
        self.assertEqual(self.servers[0].stats.dropped, {})

    def test_buffer_of_the_application(self) -> None:
        """What is answered from a buffer does not change with it."""
        buffer = bytearray(b"0")

        def answer(data: bytes) -> bytearray:
            buffer[:] = data
            return buffer

        self.app(answer)
        self.assertEqual(self.ask(b"1", b"2", b"3"), [b"1", b"2", b"3"])

    def test_garbage(self) -> None:
        """What is none of these is logged, in words that say what would be right."""
        log = Lines(self)
        app = self.app(lambda data: None)
        values: list[Any] = ["text", 5, True, [b"x"], object(), {}, b"x".join]
        for value in values:
            for make in (lambda v: v, succeed, at_once):
                app.answer = lambda data, make=make, value=value: make(value)
                self.assertEqual(self.ask(b"hello"), [])
                self.advance(1)
        count = 3 * len(values)
        self.assertEqual(self.servers[0].stats.dropped, {"handler_failed": count})
        self.assertEqual(len(self.flushLoggedErrors(TypeError)), count)
        self.assertIn("Noting: the handler raised an error; no reply is sent", log.lines)

    def test_raised(self) -> None:
        """An error costs its datagram the reply, and nobody anything else.

        Stock Twisted logs a traceback for each, as fast as they come.
        """

        async def later(error: BaseException) -> bytes:
            await succeed(None)
            raise error

        def answer(data: bytes) -> Any:
            if data in (b"1", b"2"):
                raise errors[0]
            if data == b"3":
                return later(errors[0])
            return fail(errors[0]) if data == b"4" else data

        self.app(answer)
        errors: list[BaseException] = [ValueError("bad"), SystemExit(3), GeneratorExit()]
        for count in (1, 2, 3):
            self.assertEqual(self.ask(b"0", b"1", b"2", b"3", b"4", b"5"), [b"0", b"5"])
            self.assertEqual(self.servers[0].stats.dropped, {"handler_failed": 4 * count})
            self.advance(1)
            del errors[0]
        self.assertEqual(len(self.flushLoggedErrors()), 3)  # one line a second

    def test_exit(self) -> None:
        """``sys.exit()`` in a handler does not end the server."""
        self.app(lambda data: sys.exit(1) if data == b"exit" else data)
        self.assertEqual(self.ask(b"exit", b"hello"), [b"hello"])
        self.assertEqual(len(self.flushLoggedErrors(SystemExit)), 1)

    def test_interrupt(self) -> None:
        """Ctrl-C is the user's, and goes up; the next datagram finds the server as it was."""

        def answer(data: bytes) -> bytes:
            if data == b"interrupt":
                raise KeyboardInterrupt
            return data

        self.app(answer)
        self.assertRaises(KeyboardInterrupt, self.arrive, b"interrupt")
        self.assertEqual(self.ask(b"hello"), [b"hello"])

    def test_complains_once_a_second(self) -> None:
        """However many errors there are, a second has one line."""
        log = Lines(self)
        self.app(lambda data: 1 // 0)
        for _ in range(30):
            self.ask(*[b"x"] * 50)
            self.advance(0.1)
        self.assertLessEqual(len(log.lines), 4)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), len(log.lines))
        self.assertEqual(self.servers[0].stats.dropped["handler_failed"], 1500)

    def test_complaints_of_each_kind(self) -> None:
        """One kind of complaint does not hide another: a flood, and an error of the application."""
        log = Lines(self)
        app = Noting(lambda data: 1 // 0 if data == b"bad" else data + b"!")
        self.serve(app, limits=DatagramLimits(source_rate=5))
        self.arrive(*[b"x"] * 9)
        self.arrive(b"bad", b"bad", peer=OTHER)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(len(log.lines), 3)

    def test_log(self) -> None:
        """What a peer sends does not reach a log unescaped, though an error quotes it."""
        log = Lines(self)

        def answer(data: bytes) -> bytes:
            raise ValueError(data.decode())

        self.app(answer)
        self.ask("\x1b[31m\r\N{RIGHT-TO-LEFT OVERRIDE}\nroot logged in".encode())
        (failure,) = self.flushLoggedErrors(ValueError)
        for said in (*log.lines, failure.getTraceback()):
            self.assertFalse({"\x1b", "\r", "\N{RIGHT-TO-LEFT OVERRIDE}"} & set(said))


class Pending(MemoryCase):
    def setUp(self) -> None:
        super().setUp()
        self.app = Slow()

    def test_out_of_order(self) -> None:
        """Others are handed on while an answer is awaited; each answer goes to its peer."""
        server = self.serve(self.app)
        self.arrive(b"1")
        self.arrive(b"2", peer=OTHER, way=b"way")
        self.arrive(b"3")
        self.assertEqual((self.sent(), server.stats.pending), ([], 3))
        self.app.waiting.pop(1).callback(None)
        self.assertEqual(self.socket.sent[0][:3], (b"2", OTHER, b"way"))
        self.app.go_on(b"-")
        self.app.go_on()
        self.assertEqual(self.sent(), [b"2", b"-", b"3"])
        self.assertEqual(server.stats.pending, 0)

    def test_never_longer(self) -> None:
        """A late reply is no longer than its request either, and may be no garbage."""
        server = self.serve(self.app)
        garbage: Any = 5
        for answer in (b"longer", garbage, Failure(ValueError())):
            self.arrive(b"short")
            self.app.go_on(answer)
            self.advance(1)
        self.assertEqual(self.sent(), [])
        self.assertEqual(server.stats.dropped, {"reply_too_long": 1, "handler_failed": 2})
        self.assertEqual(len(self.flushLoggedErrors(ValueError, TypeError)), 2)

    def test_max_pending(self) -> None:
        """More than may be waited for: dropped and counted, and their coroutines let go of."""
        server = self.serve(self.app, limits=DatagramLimits(max_pending=3))
        self.arrive(*[b"x"] * 10)
        self.assertEqual(server.stats.pending, 3)
        self.assertEqual(server.stats.dropped, {"busy": 7})
        self.assertEqual(self.app.cancelled, 7)
        self.app.waiting[3:] = []
        for _ in range(3):
            self.app.go_on()
        self.arrive(b"again")
        self.app.go_on()
        self.assertEqual(self.sent(), [b"x", b"x", b"x", b"again"])

    def test_max_pending_of_coroutines(self) -> None:
        """A coroutine for which there is no room never begins, and nobody complains of that."""
        began: list[bytes] = []

        class App(DatagramApp):
            async def datagram_received(self, data: bytes, peer: Peer) -> bytes:
                began.append(data)
                await waiting
                return data

        waiting: Deferred[None] = Deferred()
        server = self.serve(App, limits=DatagramLimits(max_pending=1))
        self.arrive(b"1", b"2", b"3")
        self.assertEqual((began, server.stats.dropped), ([b"1"], {"busy": 2}))
        gc.collect()  # would warn of a coroutine that was never awaited
        waiting.callback(None)
        self.assertEqual(self.sent(), [b"1"])

    def test_plain_replies_when_busy(self) -> None:
        """What needs no waiting is answered, however many wait."""

        def answer(data: bytes) -> Any:
            return waiting if data == b"wait" else data

        waiting: Deferred[bytes] = Deferred()
        self.serve(Noting(answer), limits=DatagramLimits(max_pending=1))
        self.assertEqual(self.ask(b"wait", b"wait", b"1", b"2"), [b"1", b"2"])

    def test_cancelled(self) -> None:
        """An application that gives an answer up owes nobody an explanation."""
        server = self.serve(self.app)
        self.arrive(b"1", b"2")
        self.app.waiting[0].errback(CancelledError())
        self.app.waiting[1].cancel()
        self.assertEqual((server.stats.pending, server.stats.dropped), (0, {}))

    def test_let_go(self) -> None:
        """What was answered is not kept."""
        self.serve(self.app)
        self.arrive(b"1")
        kept = weakref.ref(self.app.waiting[0])
        self.app.go_on()
        gc.collect()
        self.assertIsNone(kept())

    def test_peer(self) -> None:
        """The peer that a handler sees is the one that asked, in whatever order they come."""

        class App(DatagramApp):
            async def datagram_received(self, data: bytes, peer: Peer) -> bytes:
                await waiting.pop()
                return str(peer[0]).encode()

        waiting: list[Deferred[None]] = [Deferred(), Deferred()]
        first, second = waiting
        self.serve(App)
        self.arrive(b"x" * 20)
        self.arrive(b"x" * 20, peer=OTHER)
        first.callback(None)
        second.callback(None)
        replies = [each[:2] for each in self.socket.sent]
        self.assertEqual(replies, [(b"192.0.2.8", OTHER), (b"192.0.2.7", CLIENT)])
