"""After the end nothing is delivered; a handler that still waits is cancelled.

Stock Twisted goes on delivering messages after ``loseConnection()``.
"""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from netlab import ConnectionReset, MessageProtocol
from netlab.message.connection import BUDGET
from netlab.testing import Faults, serve

from .support import Broken, Recording, Waiting, frames, handling, logged


class AfterTheEnd(SynchronousTestCase):
    """Nothing is delivered after ``close()`` or ``abort()``; the stock receivers go on."""

    @settings(max_examples=30)
    @given(
        before=st.integers(0, 2 * BUDGET + 3),
        after=st.integers(0, 2 * BUDGET + 3),
        awaited=st.booleans(),
        aborting=st.booleans(),
        chunk=st.none() | st.integers(1, 50),
    )
    def test_nothing(
        self, before: int, after: int, awaited: bool, aborting: bool, chunk: int | None
    ) -> None:
        async def ready(message: bytes) -> bytes:
            return message

        def handler(self: Recording, message: bytes) -> Any:
            if message == b"end":
                (self.abort if aborting else self.close)()
            return ready(message) if awaited else message

        with serve(handling(handler), faults=Faults(chunk=chunk)) as link:
            peer = link.connect_raw()
            protocol: Any = link.protocols[0]
            peer.socket.send(frames(*[b"x"] * before, b"end", *[b"y"] * after))
            link.advance(5)
            seen = protocol.seen
            self.assertEqual(seen, [*[b"x"] * before, b"end"])
            self.assertEqual(len(protocol.reasons), 1)
            self.assertTrue(peer.was_reset if aborting else peer.ended)
            if not aborting:  # what is returned after a close is not sent
                self.assertEqual(peer.messages, seen[:-1])

    def test_while_a_handler_waits(self) -> None:
        for how in ("close", "abort"):
            with serve(Waiting) as link:
                peer = link.connect_raw()
                peer.send(frames(b"1", b"2"))
                (protocol,) = link.protocols
                assert isinstance(protocol, Waiting)
                getattr(protocol, how)()
                link.advance(5)
                self.assertEqual(protocol.seen, [b"1"])
                self.assertTrue(protocol.waiting[0].called, "not cancelled")
                self.assertEqual(len(protocol.reasons), 1)
                self.assertEqual(peer.messages, [])

    def test_twice(self) -> None:
        with serve(Recording) as link:
            peer = link.connect_raw()
            (protocol,) = link.protocols
            for _ in range(3):
                protocol.close()
            link.advance(1)
            for each in (protocol.close, protocol.abort):
                each()
            link.advance(1)
            self.assertTrue(peer.ended)
            assert isinstance(protocol, Recording)
            self.assertEqual(protocol.reasons, [None])


class Disconnected(SynchronousTestCase):
    """The connection goes while a handler waits: the handler is cancelled, quietly."""

    def run_until_reset(self, protocol: type[MessageProtocol]) -> Any:
        with logged("internal error", "Unhandled") as lines, serve(protocol) as link:
            peer = link.connect_raw()
            peer.send_message(b"x")
            (found,) = link.protocols
            peer.reset()
            link.advance(1)
            self.assertEqual(lines, [])
            return found

    def test_cancelled(self) -> None:
        class Sleeping(Recording):
            async def message_received(self, message: bytes) -> bytes:
                try:
                    await Deferred()
                except CancelledError:
                    self.seen.append(b"cancelled")
                    raise
                return message

        found = self.run_until_reset(Sleeping)
        self.assertEqual(found.seen, [b"cancelled"])
        self.assertIsInstance(found.reasons[0], ConnectionReset)
        self.assertEqual(len(found.reasons), 1)

    def test_goes_on_all_the_same(self) -> None:
        class Stubborn(Recording):
            async def message_received(self, message: bytes) -> bytes:
                try:
                    await Deferred()
                except CancelledError:
                    self.seen.append(b"cancelled")
                return message

        self.assertEqual(self.run_until_reset(Stubborn).seen, [b"cancelled"])

    def test_error_on_the_way_out(self) -> None:
        class Clumsy(Recording):
            async def message_received(self, message: bytes) -> bytes:
                try:
                    await Deferred()
                finally:
                    raise Broken

        self.assertEqual(len(self.run_until_reset(Clumsy).reasons), 1)
        self.assertEqual(len(self.flushLoggedErrors(Broken)), 1)

    def test_canceller_raises(self) -> None:
        """What the application's own canceller does must not hide the end from it."""

        def canceller(deferred: Deferred[Any]) -> None:
            raise Broken

        found = self.run_until_reset(handling(lambda self, message: Deferred(canceller)))
        self.assertEqual(len(found.reasons), 1)
        self.assertEqual(len(self.flushLoggedErrors(Broken)), 1)
