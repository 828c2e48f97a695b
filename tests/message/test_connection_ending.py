"""Ends: half-close, draining, close; no answer is lost that could be given.

What stock Twisted does here: after a request and a half-close (``printf … | nc``)
every reply is lost, 200 of 200; SIGTERM drops the replies in flight.
"""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from netlab import TruncatedFrame
from netlab.testing import Faults, serve

from .support import Recording, Slow, Waiting, frames, slow_server


class HalfClose(SynchronousTestCase):
    @settings(max_examples=30)
    @given(
        count=st.sampled_from((0, 1, 2, 255, 256, 257, 512, 1000)),
        size=st.sampled_from((0, 5, 100)),
        faults=st.builds(
            Faults,
            seed=st.integers(0, 99),
            chunk=st.none() | st.integers(1000, 5000),
            jitter=st.sampled_from((0.0, 1.0)),
            capacity=st.sampled_from((8000, 1 << 20)),
        ),
    )
    def test_every_reply(self, count: int, size: int, faults: Faults) -> None:
        with serve(Recording, faults=faults) as link:
            peer = link.connect_raw()
            protocol: Any = link.protocols[0]
            messages = [(b"%d" % n).ljust(size) for n in range(count)]
            wire = frames(*messages)
            while wire:
                try:
                    wire = wire[peer.socket.send(wire) :]
                except BlockingIOError:
                    pass  # all of the faults let time pass
                link.advance(0.1)
            peer.half_close()
            link.advance(60)
            self.assertEqual(peer.messages, messages)
            self.assertTrue(peer.ended)
            self.assertEqual(protocol.reasons, [None])
            self.assertEqual(link.stats.errors, {})

    def test_slow_handlers(self) -> None:
        with slow_server() as link:
            peer = link.connect_raw()
            peer.send(frames(*[b"x"] * 300))
            peer.half_close()
            link.advance(29)
            self.assertFalse(peer.ended)
            link.advance(2)
            self.assertEqual(len(peer.messages), 300)
            self.assertTrue(peer.ended)

    def test_slow_reader(self) -> None:
        with serve(Recording) as link:
            peer = link.connect_raw()
            peer.send(frames(*[bytes(1000)] * 60))
            peer.pause()
            for _ in range(2):
                peer.send(frames(*[bytes(1000)] * 60))
            peer.half_close()
            link.advance(1.5)  # within close_timeout
            self.assertEqual(link.stats.active, 1)
            peer.resume()
            link.advance(1)
            self.assertEqual(len(peer.messages), 180)
            self.assertTrue(peer.ended)

    def test_push_after_it(self) -> None:
        """A handler that sends of its own accord may do so until it is done."""

        class Pushing(Waiting):
            pass

        with serve(Pushing) as link:
            peer = link.connect_raw()
            peer.send_message(b"x")
            peer.half_close()
            link.advance(10)
            (protocol,) = link.protocols
            assert isinstance(protocol, Pushing)
            protocol.send(b"pushed")
            protocol.waiting[0].callback(b"answer")
            link.advance()
            self.assertEqual(peer.messages, [b"pushed", b"answer"])
            self.assertTrue(peer.ended)

    def test_in_the_middle_of_a_frame(self) -> None:
        for protocol in (Recording, Slow):
            with slow_server() if protocol is Slow else serve(protocol) as link:
                peer = link.connect_raw()
                found: Any = link.protocols[0]
                peer.send(frames(b"1", b"2") + b"\0\0\0\5hel")
                peer.half_close()
                link.advance(3)
                self.assertEqual(peer.messages, [b"1", b"2"])
                self.assertTrue(peer.ended)
                self.assertEqual(link.stats.errors, {"truncated_frame": 1})
                self.assertIsInstance(found.reasons[0], TruncatedFrame)

    def test_at_once(self) -> None:
        with serve(Recording) as link:
            peer = link.connect_raw()
            peer.half_close()
            self.assertTrue(peer.ended)
            self.assertEqual(link.stats.active, 0)
            self.assertEqual(link.stats.errors, {})

    def test_goes_before_its_answers(self) -> None:
        """It closes altogether: the answers find nobody, which is a reset."""
        with serve(Waiting) as link:
            peer = link.connect_raw()
            peer.send(frames(b"1", b"2"))
            protocol: Any = link.protocols[0]
            peer.close()
            for _ in range(2):
                for each in protocol.waiting:
                    if not each.called:
                        each.callback(b"x")
                link.advance(1)
            self.assertEqual(len(protocol.reasons), 1)
            self.assertEqual(link.stats.errors, {"connection_reset": 1})


class OwnClose(SynchronousTestCase):
    """``close()``: what waits is sent, and the end is orderly."""

    def test_orderly(self) -> None:
        """The peer reads everything and then ends as well: no error on either side."""
        with serve(Recording) as link:
            peer = link.connect_raw()
            protocol: Any = link.protocols[0]
            protocol.send(b"bye")
            protocol.close()
            link.advance(1)
            self.assertEqual(peer.messages, [b"bye"])
            self.assertTrue(peer.ended)
            self.assertEqual(protocol.reasons, [None])
            self.assertEqual(link.stats.errors, {})

    def test_big_answer(self) -> None:
        with serve(Recording) as link:
            peer = link.connect_raw()
            peer.pause()
            protocol: Any = link.protocols[0]
            protocol.send(bytes(500_000))
            protocol.close()
            link.advance(1)
            peer.resume()
            link.advance(1)
            self.assertEqual(peer.messages, [bytes(500_000)])
            self.assertEqual(protocol.reasons, [None])

    def test_peer_still_sends(self) -> None:
        """What it sends is read and dropped: a reset could take our last answer away."""
        with serve(Recording) as link:
            peer = link.connect_raw()
            peer.pause()
            protocol: Any = link.protocols[0]
            protocol.send(b"bye")
            protocol.close()
            link.advance()
            peer.send(frames(b"more"))
            peer.resume()
            link.advance(1)
            self.assertEqual(peer.messages, [b"bye"])
            self.assertTrue(peer.ended)
            self.assertEqual(protocol.seen, [])
