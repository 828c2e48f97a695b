"""Deadlines: frame, idle, write and close, all by the monotonic clock.

What stock Twisted does here: ``TimeoutMixin`` starts again at each byte, so a
byte a minute holds a connection for ever; the time-out's ``loseConnection``
never ends while the peer does not read, nor does any other; and all timers
follow the wall clock.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from netlab import Limits
from netlab.testing import MemoryServer, RawPeer, serve
from netlab.transport.limits import TICK

from .support import Recording, Waiting, frames

LATE = 2 * TICK


def errors(link: MemoryServer) -> dict[str, int]:
    return dict(link.stats.errors)


class FrameTimeout(SynchronousTestCase):
    def test_a_part(self) -> None:
        for start in (0.0, 1.0):
            for part in (b"\0", b"\0\0\0\5", b"\0\0\0\5hell"):
                with serve(Recording) as link:
                    link.advance(start)
                    peer = link.connect_raw()
                    peer.send(part)
                    link.advance(29)
                    self.assertFalse(peer.gone)
                    link.advance(1 + LATE)
                    self.assertTrue(peer.was_reset)
                    self.assertEqual(errors(link), {"frame_timeout": 1})

    def test_drip(self) -> None:
        """Each byte is activity, and yet the frame must be there in time."""
        with serve(Recording) as link:
            link.advance(1)
            peer = link.connect_raw()
            frame = frames(b"x" * 100)
            for second in range(40):
                if peer.gone:
                    break
                peer.send(frame[second : second + 1])
                link.advance(1)
            self.assertTrue(30 <= second <= 30 + LATE, second)
            self.assertEqual(errors(link), {"frame_timeout": 1})

    def test_drip_behind_a_message(self) -> None:
        with serve(Recording) as link:
            link.advance(1)
            peer = link.connect_raw()
            peer.send(frames(b"1", b"2") + b"\0")
            while not peer.gone and link.clock.seconds() < 40:
                link.advance(1)
            self.assertTrue(30 <= link.clock.seconds() - 1 <= 30 + LATE)
            self.assertEqual(peer.messages, [b"1", b"2"])

    def test_in_time(self) -> None:
        """The clock starts anew with each frame."""
        with serve(Recording) as link:
            peer = link.connect_raw()
            frame = frames(b"hello")
            for _ in range(5):
                peer.send(frame[:5])
                link.advance(29)
                peer.send(frame[5:] + frame[:1])
                link.advance(0.4)
                peer.send(frame[1:])
            self.assertEqual(peer.messages, [b"hello"] * 10)
            link.advance(100)
            self.assertFalse(peer.gone)

    def test_no_frame_under_way(self) -> None:
        """However many messages came at once, and whatever held them back."""
        for count in (1, 2, 255, 256, 257, 300, 512, 513, 2000):
            for protocol in (Recording, Sync, Ready):
                with serve(protocol) as link:
                    link.advance(1)
                    peer = link.connect_raw()
                    peer.send(frames(*[b"x"] * count))
                    self.assertEqual(len(peer.messages), count)
                    link.advance(100)
                    self.assertFalse(peer.gone, f"cut after {count} messages: {errors(link)}")

    def test_not_while_a_handler_waits(self) -> None:
        with serve(Waiting) as link:
            link.advance(1)
            peer = link.connect_raw()
            (protocol,) = link.protocols
            assert isinstance(protocol, Waiting)
            frame = frames(b"next")
            peer.send(frames(b"slow") + frame[:3])
            link.advance(200)
            protocol.waiting[0].callback(b"done")
            link.advance(29)
            self.assertFalse(peer.gone)
            peer.send(frame[3:])
            protocol.waiting[1].callback(b"done")
            link.advance()
            self.assertEqual(peer.messages, [b"done", b"done"])

    def test_after_a_handler_waited(self) -> None:
        with serve(Waiting) as link:
            link.advance(1)
            peer = link.connect_raw()
            (protocol,) = link.protocols
            assert isinstance(protocol, Waiting)
            peer.send(frames(b"slow") + b"\0")
            link.advance(200)
            protocol.waiting[0].callback(b"done")
            link.advance(31 + LATE)
            self.assertTrue(peer.was_reset)
            self.assertEqual(errors(link), {"frame_timeout": 1})

    def test_not_while_output_is_full(self) -> None:
        """netlab itself does not read: the peer could not send the rest if it wanted to."""
        limits = Limits(high_water=1000, low_water=100, max_buffered=1 << 20)
        with serve(Recording, limits=limits) as link:
            link.advance(1)
            peer = link.connect_raw()
            (protocol,) = link.protocols
            (stream,) = link.server.streams.streams
            frame = frames(b"hello")
            peer.send(frame[:5])
            peer.pause()
            protocol.send(b"x" * 500_000)
            link.advance()
            self.assertTrue(stream.full)
            for _ in range(50):  # it reads, slowly: 64 KiB or less each 6 s
                if stream.full and not peer.gone:
                    peer.readable()
                    link.advance(6)
            self.assertFalse(peer.gone, f"cut: {errors(link)}")
            peer.resume()
            peer.send(frame[5:])
            link.advance()
            self.assertEqual(peer.messages, [b"x" * 500_000, b"hello"])

    def test_none(self) -> None:
        with serve(Recording, limits=Limits(frame_timeout=None, idle_timeout=None)) as link:
            peer = link.connect_raw()
            peer.send(b"\0")
            link.advance(3600)
            self.assertFalse(peer.gone)
            peer.send(frames(b"hello")[1:])
            self.assertEqual(peer.messages, [b"hello"])


class Sync(Recording):
    def message_received(self, message: bytes) -> bytes:
        return message


class Ready(Recording):
    async def message_received(self, message: bytes) -> bytes:
        return message


class IdleTimeout(SynchronousTestCase):
    def test_silence(self) -> None:
        with serve(Recording) as link:
            peer = link.connect_raw()
            link.advance(599)
            self.assertFalse(peer.gone)
            link.advance(1 + LATE)
            self.assertTrue(peer.ended)
            self.assertEqual(errors(link), {"idle_timeout": 1})

    def test_input_counts(self) -> None:
        with serve(Recording) as link:
            peer = link.connect_raw()
            for _ in range(3):
                link.advance(590)
                peer.send_message(b"x")
            link.advance(590)
            self.assertFalse(peer.gone)
            link.advance(10 + LATE)
            self.assertTrue(peer.ended)

    def test_output_counts(self) -> None:
        """A client that only listens is not idle while there is something to hear."""
        for size in (1, 100_000):
            with serve(Recording) as link:
                peer = link.connect_raw()
                (protocol,) = link.protocols
                for _ in range(20):
                    link.advance(400)
                    self.assertFalse(peer.gone, f"cut after {link.clock.seconds()} s")
                    protocol.send(bytes(size))
                link.advance(1)
                self.assertEqual(len(peer.messages), 20)

    def test_not_while_a_handler_waits(self) -> None:
        with serve(Waiting) as link:
            peer = link.connect_raw()
            (protocol,) = link.protocols
            assert isinstance(protocol, Waiting)
            peer.send_message(b"x")
            link.advance(5000)
            protocol.waiting[0].callback(b"at last")
            link.advance()
            self.assertEqual(peer.messages, [b"at last"])
            link.advance(1300)
            self.assertTrue(peer.ended)

    def test_peer_that_does_not_end(self) -> None:
        """The close that follows ends whatever the peer does."""
        with serve(Recording) as link:
            peer = link.connect_raw()
            (protocol,) = link.protocols
            peer.pause()
            link.advance(602 + 2 * LATE)
            self.assertEqual(link.stats.active, 0)
            assert isinstance(protocol, Recording)
            self.assertEqual(
                [getattr(each, "kind", None) for each in protocol.reasons], ["idle_timeout"]
            )
            peer.resume()

    def test_none(self) -> None:
        with serve(Recording, limits=Limits(idle_timeout=None)) as link:
            peer = link.connect_raw()
            link.advance(100_000)
            self.assertFalse(peer.gone)


class WriteTimeout(SynchronousTestCase):
    """A peer that never reads; stock Twisted keeps it, and all it was ever sent, for ever."""

    def stalled(self, link: MemoryServer, size: int = 100_000) -> RawPeer:
        peer = link.connect_raw()
        peer.pause()
        link.protocols[0].send(bytes(size))
        return peer

    def test_never_reads(self) -> None:
        with serve(Recording) as link:
            peer = self.stalled(link)
            link.advance(29)
            self.assertFalse(peer.was_reset)
            link.advance(1 + LATE)
            self.assertTrue(peer.was_reset)
            self.assertEqual(errors(link), {"write_timeout": 1})

    def test_a_little_is_enough(self) -> None:
        """It is for a peer that takes *nothing*; a slow one may be slow."""
        with serve(Recording) as link:
            peer = self.stalled(link, 200_000)
            for _ in range(2):
                link.advance(29)
                self.assertFalse(peer.gone)
                peer.received += peer.socket.recv(10)
                link.advance()
            peer.resume()
            link.advance()
            self.assertEqual(len(peer.messages[0]), 200_000)

    def test_after_it_has_read(self) -> None:
        """The clock starts when the peer last took something."""
        with serve(Recording) as link:
            peer = self.stalled(link)
            link.advance(20)
            peer.resume()
            link.advance(100)
            self.assertFalse(peer.gone)
            peer.pause()
            link.protocols[0].send(bytes(100_000))
            link.advance(29)
            self.assertFalse(peer.gone)
            link.advance(1 + LATE)
            self.assertTrue(peer.was_reset)

    def test_its_activity_does_not_help(self) -> None:
        """It sends all the time, and reads nothing."""
        with serve(Recording) as link:
            peer = self.stalled(link, 70_000)
            while not peer.gone and link.clock.seconds() < 40:
                try:
                    peer.socket.send(b"\0")
                except OSError:
                    pass  # netlab does not read either
                link.advance(1)
            self.assertTrue(30 <= link.clock.seconds() <= 30 + LATE)

    def test_none(self) -> None:
        limits = Limits(write_timeout=None, idle_timeout=None)
        with serve(Recording, limits=limits) as link:
            peer = self.stalled(link)
            link.advance(3600)
            self.assertFalse(peer.gone)
            peer.resume()
            self.assertEqual(len(peer.messages), 1)


class CloseTimeout(SynchronousTestCase):
    """A close ends, whatever the peer does; stock Twisted's may last for ever."""

    def closing(self, link: MemoryServer, size: int) -> tuple[RawPeer, Any]:
        peer = link.connect_raw()
        peer.pause()
        (protocol,) = link.protocols
        if size:
            protocol.send(bytes(size))
        protocol.close()
        link.advance(1.9)
        self.assertEqual(link.stats.active, 1)
        link.advance(0.1 + LATE)
        self.assertEqual(link.stats.active, 0)
        return peer, protocol

    def test_peer_never_ends(self) -> None:
        """It got everything and only keeps the line: that is orderly enough."""
        with serve(Recording) as link:
            peer, protocol = self.closing(link, 10)
            self.assertEqual(protocol.reasons, [None])
            self.assertEqual(errors(link), {})
            peer.resume()
            self.assertEqual(peer.messages, [bytes(10)])

    def test_peer_never_reads(self) -> None:
        with serve(Recording) as link:
            peer, _ = self.closing(link, 100_000)
            self.assertTrue(peer.was_reset)
            self.assertEqual(errors(link), {"close_timeout": 1})

    def test_peer_sends_on(self) -> None:
        with serve(Recording) as link:
            peer = link.connect_raw()
            peer.pause()
            (protocol,) = link.protocols
            protocol.close()
            for _ in range(20):
                try:
                    peer.socket.send(frames(b"x" * 1000))
                except OSError:
                    pass  # it was told that nobody listens
                link.advance(0.2)
            self.assertEqual(link.stats.active, 0)
            assert isinstance(protocol, Recording)
            self.assertEqual(protocol.seen, [])
            peer.resume()

    def test_of_its_own(self) -> None:
        with serve(Recording, limits=Limits(close_timeout=20)) as link:
            peer = link.connect_raw()
            peer.pause()
            link.protocols[0].close()
            link.advance(19)
            self.assertEqual(link.stats.active, 1)
            link.advance(1 + LATE)
            self.assertEqual(link.stats.active, 0)
            peer.resume()
