"""Handlers: called exactly once for each message, in order, never re-entrantly.

What stock Twisted does here: to pause and resume inside ``stringReceived``
delivers messages twice, and can recurse to death; messages arrive after
``loseConnection()``; after an oversize header earlier messages are delivered
again; an ``async def stringReceived`` is never awaited.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any
from unittest import mock

from twisted.internet.defer import Deferred, fail, inlineCallbacks, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from netlab import LengthPrefix, MessageProtocol
from netlab.message.connection import BUDGET
from netlab.testing import Pair, pair, serve

from .support import Broken, Recording, Waiting, frames, handling, logged


class Awaited:
    """Something that can be awaited and is neither a coroutine nor a Deferred."""

    def __init__(self, deferred: Deferred[Any]) -> None:
        self._deferred = deferred

    def __await__(self) -> Any:
        return self._deferred.__await__()


class Kinds(SynchronousTestCase):
    """What a handler may return."""

    def test_bytes_of_any_kind(self) -> None:
        class Mine(bytes):
            pass

        for kind in (bytes, bytearray, memoryview, Mine):
            app: Any = handling(lambda self, message, kind=kind: kind(message))  # type: ignore[misc]
            link: Pair
            with pair(app) as link:
                for message in (b"", b"hello", b"x" * 40_000):
                    self.assertEqual(link.run(link.client.request(message)), message)
                self.assertEqual(link.stats.messages_out, 3)

    def test_nothing(self) -> None:
        async def nothing() -> None:
            return None

        values: list[Callable[[], Any]] = [lambda: None, nothing, lambda: succeed(None)]
        for value in values:
            protocol = handling(
                lambda self, message, value=value: value() if message == b"x" else message  # type: ignore[misc]
            )
            with serve(protocol) as link:
                peer = link.connect_raw()
                peer.send(frames(b"1", b"x", b"x", b"2", b"x"))
                self.assertEqual(peer.messages, [b"1", b"2"])
                self.assertEqual((link.stats.messages_in, link.stats.messages_out), (5, 2))

    def test_awaitables(self) -> None:
        class Later(Waiting):
            def message_received(self, message: bytes) -> Any:
                waiting = super().message_received(message)
                return self.ways[message](self, waiting)

            async def wait(self, waiting: Deferred[Any]) -> Any:
                return await waiting

            @inlineCallbacks
            def generator(self, waiting: Deferred[Any]) -> Any:
                value = yield waiting
                return value

            ways: dict[bytes, Any] = {
                b"deferred": lambda self, waiting: waiting,
                b"coroutine": wait,
                b"generator": generator,
                b"awaitable": lambda self, waiting: Awaited(waiting),
            }

        for kind in Later.ways:
            for answer in (b"yes", bytearray(b"yes"), memoryview(b"yes"), None):
                with serve(Later) as link:
                    peer = link.connect_raw()
                    peer.send_message(kind)
                    (protocol,) = link.protocols
                    assert isinstance(protocol, Later)
                    self.assertEqual(peer.messages, [])
                    protocol.waiting[0].callback(answer)
                    link.advance()
                    self.assertEqual(peer.messages, [] if answer is None else [b"yes"])

    def test_wrong_types(self) -> None:
        async def wrong(value: Any) -> Any:
            return value

        async def wrong_later(value: Any) -> Any:
            await pause
            return value

        for value, name in (("text", "str"), (5, "int"), ([b"x"], "list"), (object, "type")):
            ways: list[Callable[[Any], Any]] = [lambda each: each, wrong, succeed, wrong_later]
            for way in ways:
                pause: Deferred[None] = Deferred()

                def handler(self: Recording, message: bytes, way: Any = way) -> Any:
                    return message if message == b"fine" else way(value)  # noqa: B023

                with serve(handling(handler)) as link:
                    peer = link.connect_raw()
                    peer.send(frames(b"fine", b"x", b"fine"))
                    pause.callback(None)
                    link.advance(1)
                    self.assertEqual(peer.messages, [b"fine"])
                    self.assertTrue(peer.ended)
                    self.assertEqual(link.stats.errors, {"handler_failed": 1})
                (failure,) = self.flushLoggedErrors(TypeError)
                self.assertIn(f"a handler returned {name}", failure.getErrorMessage())


class Errors(SynchronousTestCase):
    """An exception ends its connection with one logged error; earlier answers arrive."""

    def check(self, protocol: type[MessageProtocol], **options: Any) -> None:
        with logged("internal error", "Unhandled") as lines, serve(protocol, **options) as link:
            other = link.connect_raw()
            peer = link.connect_raw()
            peer.send(frames(b"1", b"2", b"bad", b"3"))
            link.advance(1)
            self.assertEqual(peer.messages, [b"1", b"2"])
            self.assertTrue(peer.ended)
            self.assertEqual(link.stats.errors, {"handler_failed": 1})
            other.send_message(b"still there")
            link.advance(1)
            self.assertEqual(other.messages, [b"still there"])
        self.assertEqual(lines, [])

    def test_at_once(self) -> None:
        def handler(self: Recording, message: bytes) -> bytes:
            if message == b"bad":
                raise Broken
            return message

        self.check(handling(handler))
        self.assertEqual(len(self.flushLoggedErrors(Broken)), 1)

    def test_in_a_coroutine(self) -> None:
        async def handler(self: Recording, message: bytes) -> bytes:
            if message == b"bad":
                raise Broken
            return message

        self.check(handling(handler))
        self.assertEqual(len(self.flushLoggedErrors(Broken)), 1)

    def test_after_a_pause(self) -> None:
        async def handler(self: Recording, message: bytes) -> bytes:
            if message == b"bad":
                await pause
                raise Broken
            return message

        pause: Deferred[None] = Deferred()
        with mock.patch.object(Clock, "advance", _fires(pause, Clock.advance)):
            self.check(handling(handler))
        self.assertEqual(len(self.flushLoggedErrors(Broken)), 1)

    def test_failed_deferred(self) -> None:
        def handler(self: Recording, message: bytes) -> Any:
            return fail(Broken()) if message == b"bad" else message

        self.check(handling(handler))
        self.assertEqual(len(self.flushLoggedErrors(Broken)), 1)

    def test_answer_too_long(self) -> None:
        """The limit holds for what is sent, too; stock Twisted sends it."""
        for awaited in (False, True):

            async def ready(message: bytes) -> bytes:
                return message

            def handler(self: Recording, message: bytes, awaited: bool = awaited) -> Any:
                answer = bytes(101) if message == b"bad" else message
                return ready(answer) if awaited else answer

            self.check(handling(handler), framing=LengthPrefix(max_message=100))
            (failure,) = self.flushLoggedErrors()
            self.assertIn("length 101 exceeds 100", failure.getErrorMessage())

    def test_even_an_exit(self) -> None:
        """``sys.exit()`` in a handler is a mistake of that handler, not the server's end."""
        for error in (SystemExit, GeneratorExit):

            def handler(self: Recording, message: bytes, error: Any = error) -> bytes:
                if message == b"bad":
                    raise error
                return message

            self.check(handling(handler))
            self.assertEqual(len(self.flushLoggedErrors(error)), 1)

    def test_log_names_the_application(self) -> None:
        def handler(self: Recording, message: bytes) -> bytes:
            raise Broken

        with logged("raised") as lines, serve(handling(handler)) as link:
            link.connect_raw().send_message(b"x")
        self.assertEqual(len(lines), 1)
        self.assertIn("Handling: the handler raised an error", lines[0])
        self.flushLoggedErrors(Broken)


def _fires(deferred: Deferred[None], advance: Callable[..., None]) -> Callable[..., None]:
    """``Clock.advance``, which fires ``deferred`` as soon as time really passes."""

    def advancing(clock: Clock, seconds: float) -> None:
        if seconds and not deferred.called:
            deferred.callback(None)
        advance(clock, seconds)

    return advancing


class Order(SynchronousTestCase):
    def test_one_at_a_time(self) -> None:
        with serve(Waiting) as link:
            peer = link.connect_raw()
            peer.send(frames(*(b"%d" % n for n in range(600))))
            (protocol,) = link.protocols
            assert isinstance(protocol, Waiting)
            for n in range(600):
                self.assertEqual(len(protocol.seen), n + 1)
                protocol.waiting[n].callback(b"%d!" % n)
                self.assertEqual(len(protocol.seen), n + 1, "delivered from within a callback")
                link.advance()
                self.assertEqual(len(peer.messages), n + 1)
            self.assertEqual(peer.messages, [b"%d!" % n for n in range(600)])

    def test_one_slow_among_many(self) -> None:
        """What was cut before the pause, and what was not yet: all of it goes on after it."""

        class Mixed(Waiting):
            def message_received(self, message: bytes) -> Any:
                return super().message_received(message) if message == b"slow" else message

        for before in (0, 1, BUDGET - 1, BUDGET):
            for after in (1, BUDGET - 1, BUDGET, BUDGET + 1, 3 * BUDGET):
                with serve(Mixed) as link:
                    link.advance(1)
                    peer = link.connect_raw()
                    (protocol,) = link.protocols
                    assert isinstance(protocol, Mixed)
                    peer.send(frames(*[b"x"] * before, b"slow", *[b"y"] * after))
                    protocol.waiting[0].callback(b"done")
                    link.advance()
                    wanted = [*[b"x"] * before, b"done", *[b"y"] * after]
                    self.assertEqual(peer.messages, wanted, f"{before} before, {after} after")

    def test_fired_by_another_connection(self) -> None:
        """A handler answers what another connection waits for: neither runs within the other."""
        stack: list[str] = []

        class Relay(Waiting):
            def message_received(self, message: bytes) -> Any:
                stack.append("in")
                try:
                    if message == b"wait":
                        return super().message_received(message)
                    for other in others:
                        if other.waiting and not other.waiting[-1].called:
                            other.waiting[-1].callback(b"from " + message)
                    stack.append("out")
                    return message
                finally:
                    stack.append("left")

        with serve(Relay) as link:
            first, second = link.connect_raw(), link.connect_raw()
            others: list[Any] = link.protocols
            first.send(frames(b"wait", b"wait", b"1"))
            second.send(frames(b"go", b"go", b"go"))
            link.advance()
            self.assertEqual(first.messages[:1], [b"from go"])
            second.send(frames(b"more"))
            self.assertEqual(first.messages, [b"from go", b"from more", b"1"])
            self.assertEqual(second.messages, [b"go", b"go", b"go", b"more"])
            self.assertNotIn(("in", "in"), list(pairwise(stack)))

    def test_send_to_another_connection(self) -> None:
        class Broadcast(Recording):
            def message_received(self, message: bytes) -> Any:
                for each in everyone:
                    each.send(message)

        with serve(Broadcast) as link:
            peers = [link.connect_raw() for _ in range(5)]
            everyone = link.protocols
            for n, peer in enumerate(peers):
                peer.send(frames(b"%da" % n, b"%db" % n))
            for peer in peers:
                self.assertEqual(peer.messages, [b"%d%c" % (n, c) for n in range(5) for c in b"ab"])

    def test_end_another_connection(self) -> None:
        """From inside a handler; the other one has messages cut and waiting."""
        for how in ("close", "abort"):

            class Ending(Waiting):
                def message_received(self, message: bytes) -> Any:
                    if message != b"end":
                        return super().message_received(message)
                    for each in link.protocols:
                        if each is not self:
                            getattr(each, how)()  # noqa: B023
                    return b"ended"

            with serve(Ending) as link:
                victim, killer = link.connect_raw(), link.connect_raw()
                everyone: list[Any] = link.protocols
                victim.send(frames(b"1", b"2", b"3"))
                killer.send_message(b"end")
                link.advance(5)
                self.assertTrue(victim.gone)
                self.assertEqual(killer.messages, [b"ended"])
                (other,) = [each for each in everyone if each.reasons]
                self.assertEqual(other.seen, [b"1"])
                self.assertEqual(len(other.reasons), 1)


class Cost(SynchronousTestCase):
    """A handler that is ready at once costs no scheduling."""

    def test_same_turn_and_no_deferred(self) -> None:
        async def ready(self: Recording, message: bytes) -> bytes:
            return message

        for handler in (ready, lambda self, message: message):
            with serve(handling(handler)) as link:
                peer = link.connect_raw()
                before = list(link.clock.getDelayedCalls())
                (stream,) = link.server.streams.streams
                peer.pause()
                peer.socket.send(frames(*[b"x"] * 100))
                link.clock.advance(0)  # the bytes arrive
                made: list[Any] = []
                with mock.patch(
                    "netlab.message.connection.Deferred", side_effect=made.append
                ) as deferred:
                    deferred.fromCoroutine.side_effect = made.append
                    stream.readable()
                self.assertEqual(made, [])
                stream.flush()
                self.assertEqual(stream.stats.messages_out, 100)
                self.assertEqual(stream.stats.bytes_out, 500)
                link.advance()
                self.assertEqual(link.clock.getDelayedCalls(), before)
