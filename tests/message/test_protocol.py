"""What an author writes and calls: hooks, ``send``, ``close``, ``abort`` and attributes."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Awaitable
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from netlab import (
    ConnectionAborted,
    ConnectionClosed,
    FrameTooLong,
    LengthPrefix,
    Limits,
    LocalProtocolError,
    MessageFactory,
    MessageProtocol,
)
from netlab.errors import OutgoingFrameTooLong
from netlab.message import Echo
from netlab.testing import pair, serve

from .support import Recording, logged


class Attributes(SynchronousTestCase):
    def test_of_a_connection(self) -> None:
        with pair(Recording) as link:
            protocol = link.protocol
            self.assertIsInstance(protocol.peer, IPv4Address)
            self.assertEqual(protocol.peer, link.socket.address)
            self.assertEqual(protocol.host, link.socket.peer.address)
            self.assertIs(protocol.factory, link.server.factory)
            self.assertIs(protocol.stats, link.server.stats)
            self.assertIs(protocol.get_handle(), link.socket.peer)

    def test_factory_knows_framing_and_stats_when_it_starts(self) -> None:
        class Starting(MessageFactory):
            protocol = Recording

            def started(self) -> None:
                self.known = (self.framing, self.stats)

        factory = Starting()
        with serve(factory, framing=LengthPrefix(2)) as link:
            self.assertEqual(factory.known, (LengthPrefix(2), link.server.stats))

    def test_factory_builds(self) -> None:
        class Numbered(Recording):
            number = 0

        class Counting(MessageFactory):
            count = 0

            def build(self) -> MessageProtocol:
                protocol = Numbered()
                self.count += 1
                protocol.number = self.count
                return protocol

        with serve(Counting) as link:
            for _ in range(3):
                link.connect_raw()
            numbers: list[Any] = link.protocols
            self.assertEqual(sorted(each.number for each in numbers), [1, 2, 3])


class Hooks(SynchronousTestCase):
    def test_defaults(self) -> None:
        protocol = MessageProtocol()
        self.assertIsNone(protocol.connected())
        protocol.disconnected(None)
        error = self.assertRaises(NotImplementedError, protocol.message_received, b"hello")
        self.assertIn("MessageProtocol", str(error))

    def test_no_message_received(self) -> None:
        """The author forgot it: the connection ends, and the log says which class it was."""

        class Forgetful(MessageProtocol):
            pass

        with pair(Forgetful) as link:
            self.assertRaises(ConnectionClosed, link.run, link.client.request(b"hello"))
            (failure,) = self.flushLoggedErrors(NotImplementedError)
            self.assertIn("Forgetful", failure.getErrorMessage())

    def test_echo(self) -> None:
        with pair(Echo) as link:
            for message in (b"", b"hello", b"x" * 100_000):
                self.assertEqual(link.run(link.client.request(message)), message)

    def test_connected_may_send(self) -> None:
        class Greeting(Recording):
            def connected(self) -> Awaitable[None] | None:
                self.send(b"welcome")
                return None

        with pair(Greeting) as link:
            self.assertEqual(link.run(link.client.receive()), b"welcome")
            self.assertEqual(link.run(link.client.request(b"x")), b"x")

    def test_messages_wait_for_connected(self) -> None:
        ready: Deferred[None] = Deferred()

        class Preparing(Recording):
            async def connected(self) -> None:
                await ready
                await self.send(b"ready")

        with pair(Preparing) as link:
            request = Deferred.fromCoroutine(link.client.request(b"early"))
            link.advance(1)
            protocol: Any = link.protocol
            self.assertEqual(protocol.seen, [])
            self.assertNoResult(request)
            ready.callback(None)
            self.assertEqual(link.run(request), b"ready")
            self.assertEqual(link.run(link.client.receive()), b"early")

    def test_connected_fails(self) -> None:
        for awaited in (False, True):

            class Failing(Recording):
                def connected(self) -> Awaitable[None] | None:
                    if awaited:  # noqa: B023
                        return self.later()
                    raise ZeroDivisionError

                async def later(self) -> None:
                    raise ZeroDivisionError

            with serve(Failing) as link:
                self.assertTrue(link.connect_raw().ended)
                self.assertEqual(link.stats.errors, {"handler_failed": 1})
            self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_closing_in_connected(self) -> None:
        class Full(Recording):
            def connected(self) -> Awaitable[None] | None:
                self.send(b"full")
                self.close()
                return None

        with serve(Full) as link:
            peer = link.connect_raw()
            self.assertEqual(peer.messages, [b"full"])
            self.assertTrue(peer.ended)

    def test_disconnected_fails(self) -> None:
        class Failing(Recording):
            def disconnected(self, reason: object) -> None:
                raise ZeroDivisionError

        with logged("internal error") as lines, serve(Failing) as link:
            link.connect_raw().close()
            other = link.connect_raw()
            other.send_message(b"hello")
            self.assertEqual(other.messages, [b"hello"])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 2)
        self.assertEqual(lines, [])

    def test_disconnected_is_told_why(self) -> None:
        with serve(Recording) as link:
            peers = [link.connect_raw() for _ in range(4)]
            protocols: list[Any] = sorted(link.protocols, key=lambda each: str(each.peer))
            peers[0].half_close()
            peers[1].reset()
            protocols[2].abort()
            protocols[3].close()
            link.advance(1)
            kinds = [getattr(each.reasons[0], "kind", None) for each in protocols]
            self.assertEqual(kinds, [None, "connection_reset", "connection_aborted", None])
            self.assertEqual([len(each.reasons) for each in protocols], [1, 1, 1, 1])


class Sends(SynchronousTestCase):
    def test_at_once_or_awaited(self) -> None:
        class Twice(Recording):
            async def message_received(self, message: bytes) -> bytes:
                self.send(message + b"1")
                await self.send(message + b"2")
                return message + b"3"

        with serve(Twice) as link:
            peer = link.connect_raw()
            peer.send_message(b"a")
            self.assertEqual(peer.messages, [b"a1", b"a2", b"a3"])
            self.assertEqual(link.stats.messages_out, 3)

    def test_answers_before_it_go_first(self) -> None:
        class Mixed(Recording):
            def message_received(self, message: bytes) -> bytes | None:
                if message != b"push":
                    return message
                self.send(b"pushed")
                return None

        with serve(Mixed) as link:
            peer = link.connect_raw()
            peer.send(link.server.framing.encode_many([b"1", b"push", b"2", b"push", b"3"]))
            self.assertEqual(peer.messages, [b"1", b"pushed", b"2", b"pushed", b"3"])

    def test_too_long(self) -> None:
        """Stock Twisted's ``sendString`` knows no limit: only the receiver's bites."""
        with pair(Recording, framing=LengthPrefix(max_message=10)) as link:
            for send in (link.protocol.send, lambda each: link.run(link.client.send(each))):
                error = self.assertRaises(FrameTooLong, send, b"x" * 11)
                self.assertIsInstance(error, OutgoingFrameTooLong)
                self.assertIsInstance(error, LocalProtocolError)
                self.assertEqual((error.announced, error.limit), (11, 10))
            self.assertEqual(link.stats.bytes_out, 0)
            self.assertEqual(link.run(link.client.request(b"x" * 10)), b"x" * 10)

    def test_not_bytes(self) -> None:
        wrong: Any = "text"
        with pair(Recording) as link:
            error = self.assertRaises(TypeError, link.protocol.send, wrong)
            self.assertIn("encode it first", str(error))
            self.assertRaises(TypeError, link.run, link.client.send(wrong))
            self.assertEqual(link.run(link.client.request(b"fine")), b"fine")

    def test_mutable(self) -> None:
        """What is sent is what was there when ``send`` was called."""
        with serve(Recording) as link:
            peer = link.connect_raw()
            message: Any = bytearray(b"x" * 40_000)
            link.protocols[0].send(message)
            message[:] = b""
            link.advance()
            self.assertEqual(peer.messages, [b"x" * 40_000])

    def test_after_the_end(self) -> None:
        """Not awaited it is nothing; awaited it raises."""
        with serve(Recording) as link:
            peer = link.connect_raw()
            (protocol,) = link.protocols
            protocol.close()
            protocol.send(b"late")

            async def late() -> None:
                await protocol.send(b"late")

            self.assertRaises(ConnectionClosed, link.run, late())
            link.advance(1)
            self.assertRaises(ConnectionClosed, link.run, late())
            self.assertEqual(peer.messages, [])

    def test_errors_keep_nothing_alive(self) -> None:
        """An error that is raised again and again would collect every frame it went through."""

        class Holding:
            pass

        async def late(protocol: MessageProtocol, holding: Holding) -> None:
            await protocol.send(b"late")

        with serve(Recording) as link:
            link.connect_raw()
            (protocol,) = link.protocols
            protocol.abort()
            held = []
            for _ in range(5):
                holding = Holding()
                held.append(weakref.ref(holding))
                self.assertRaises(ConnectionClosed, link.run, late(protocol, holding))
            del holding
            gc.collect()
            self.assertEqual([each() for each in held], [None] * 5)

    def test_waits_for_room(self) -> None:
        limits = Limits(high_water=1000, low_water=100, max_buffered=5000)
        with serve(Recording, limits=limits) as link:
            peer = link.connect_raw()
            peer.pause()
            (protocol,) = link.protocols

            async def push() -> None:
                await protocol.send(b"x" * 70_000)

            pushing = Deferred.fromCoroutine(push())
            link.advance(1)
            self.assertNoResult(pushing)
            peer.resume()
            link.advance()
            self.successResultOf(pushing)

    def test_waits_for_room_until_the_end(self) -> None:
        limits = Limits(high_water=1000, low_water=100, max_buffered=5000)
        with serve(Recording, limits=limits) as link:
            link.connect_raw().pause()
            (protocol,) = link.protocols

            async def push() -> None:
                await protocol.send(b"x" * 70_000)

            pushing = Deferred.fromCoroutine(push())
            link.advance(1)
            protocol.abort()
            link.advance()
            self.failureResultOf(pushing, ConnectionAborted)
