"""The end of a stream: ``close``, ``abort``, and whatever the peer does meanwhile.

What stock Twisted does here: ``loseConnection`` waits for ever for a peer that
does not read.
"""

from __future__ import annotations

from typing import Any

from netlab.errors import CloseTimeout, ConnectionAborted, ConnectionClosed
from netlab.testing import Faults
from netlab.transport.limits import TICK

from .streams import StreamCase


class Closing(StreamCase):
    def test_orderly(self) -> None:
        self.write(2000)
        self.close()
        self.assertTrue(self.stream.closing)
        self.write(1)
        self.assertEqual(len(self.read_all()), 2000)
        self.assertEqual(self.peer.recv(10), b"")
        self.assertNotIn("lost", self.calls())
        self.peer.close()
        self.turn()
        self.check_lost(None)

    def test_reason_is_kept(self) -> None:
        for peer_first in (False, True):
            self.start(Faults())
            reason = ConnectionClosed("for a reason")
            if peer_first:
                self.peer.shutdown(1)
                self.turn()
            self.close(reason)
            self.close(ConnectionClosed("for another"))
            self.turn()
            self.peer.close()
            self.turn()
            self.assertIs(self.receiver.reason, reason)
            self.check_lost(ConnectionClosed)

    def test_last_words_are_dropped(self) -> None:
        """Read, so that the kernel sends no reset, and not handed on."""
        self.close()
        self.turn()
        for _ in range(5):
            self.peer.send(bytes(500))
            self.turn()
        self.assertEqual(self.stats.bytes_in, 2500)
        self.assertEqual(self.calls(), ["connected"])
        self.peer.shutdown(1)
        self.turn()
        self.check_lost(None)
        self.assertEqual(self.peer.recv(10), b"")

    def test_nothing_is_handed_on_after_it(self) -> None:
        self.peer.send(b"hello")
        self.close()
        self.turn()
        self.assertEqual(self.calls(), ["connected"])

    def test_peer_never_ends(self) -> None:
        self.close()
        self.turn(1.9)
        self.assertNotIn("lost", self.calls())
        self.turn(0.1 + TICK)
        self.check_lost(None)

    def test_peer_never_reads(self) -> None:
        self.write(2000)
        self.close()
        self.turn(2 + TICK)
        self.check_lost(CloseTimeout)
        self.assertRaises(ConnectionResetError, self.peer.recv, 10)

    def test_while_full(self) -> None:
        """Whoever waits for room is not told that there is some."""
        self.write(3000)
        self.close()
        self.assertEqual(len(self.read_all()), 3000)
        self.peer.close()
        self.turn()
        self.assertEqual(self.calls(), ["connected", "lost"])

    def test_in_every_call(self) -> None:
        """A receiver may close or abort whenever it is called."""
        for name in ("connected", "data_received", "end_received", "can_write", "check", "lost"):
            for how in ("close", "abort"):
                self.start(Faults(capacity=500))
                receiver: Any = self.receiver
                stream = self.stream
                original = getattr(receiver, name)

                def ending(*arguments: Any, original: Any = original, how: str = how) -> Any:
                    result = original(*arguments)
                    getattr(stream, how)()  # noqa: B023
                    return result

                setattr(receiver, name, ending)
                if name == "connected":
                    stream.receiver.connected(stream)
                self.turn()
                self.stream.write(bytes(2000))
                self.turn()
                self.read_all()
                self.peer_sends(b"hello")
                self.peer_ends()
                self.turn(TICK)
                self.turn(20)
                stream.close()
                self.turn(5)
                self.assertEqual(receiver.calls.count("lost"), 1, (name, how))
                self.assertEqual(len(self.lost), 1)
                receiver.within.clear()

    def peer_sends(self, data: bytes) -> None:
        try:
            self.peer.send(data)
        except OSError:
            pass  # reset already
        self.turn()

    def peer_ends(self) -> None:
        try:
            self.peer.shutdown(1)
        except OSError:
            pass  # reset already
        self.turn()


class Aborting(StreamCase):
    def test_at_once(self) -> None:
        self.write(100)
        self.receiver.call(self.stream.abort)
        self.assertNotIn("lost", self.calls())
        self.turn()
        self.check_lost(ConnectionAborted)
        self.assertRaises(ConnectionResetError, self.peer.recv, 10)

    def test_with_a_reason(self) -> None:
        reason = ConnectionAborted("for a reason")
        self.receiver.call(self.stream.abort, reason)
        self.receiver.call(self.stream.abort, ConnectionAborted("for another"))
        self.turn()
        self.assertIs(self.receiver.reason, reason)

    def test_while_closing(self) -> None:
        self.write(3000)
        self.close()
        self.receiver.call(self.stream.abort)
        self.turn()
        self.check_lost(ConnectionAborted)

    def test_nothing_works_afterwards(self) -> None:
        self.stream.abort()
        for each in (self.stream.pause, self.stream.resume, self.stream.close, self.stream.drain):
            self.receiver.call(each)
        self.write(10)
        self.assertFalse(self.stream.read_more())
        self.turn()
        self.check_lost(ConnectionAborted)

    def test_internal_error(self) -> None:
        """The one connection ends, the hub goes on."""

        def broken(data: bytes) -> None:
            raise ZeroDivisionError

        self.receiver.data_received = broken  # type: ignore[method-assign]
        self.peer.send(b"x")
        self.turn()
        self.check_lost(ConnectionAborted)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(len(self.lines.with_("internal error")), 1)
        self.lines.events.clear()
