"""The end of a stream above a detour: closed, reset or aborted, with bytes under way."""

from __future__ import annotations

from typing import Any

from netlab import Limits
from netlab.errors import (
    CloseTimeout,
    ConnectionAborted,
    ConnectionReset,
    IdleTimeout,
    NetlabError,
    ServerStopping,
    WriteTimeout,
)
from netlab.impair import StreamLink, parse_stream
from netlab.transport.limits import TICK
from tests.transport.detours import DetourCase

EVER = 100_000.0
SOMEWHERE = "reset 10% seed 7"
"""Not at the first piece, in either direction, nor far from it."""


class Closing(DetourCase):
    """What was given to the network arrives, whenever that is."""

    def test_under_way_for_long(self) -> None:
        """Longer than ``close_timeout``: the receiver is done, the connection is not."""
        self.impair("delay 10s")
        self.write(2000)
        self.close()
        self.turn(2 + TICK)
        self.assertEqual(self.calls(), ["connected", "lost"])
        self.assertIsNone(self.receiver.reason)
        self.assertEqual(self.lost, [])
        self.assertEqual(self.read(), b"")
        self.turn(10 - 2 - TICK - 0.01)
        self.assertEqual(self.read(), b"")
        self.turn(0.02)
        self.assertEqual(self.read(), bytes(2000))
        self.assertEqual(self.peer.recv(10), b"")
        self.assertEqual(self.lost, [])
        self.peer.close()
        self.turn()
        self.check_lost(None)

    def test_peer_stays(self) -> None:
        """Who got all and does not end is let go after ``close_timeout``, counted from there."""
        self.impair("delay 10s")
        self.write(2000)
        self.close()
        self.turn(11.9)
        self.assertEqual(len(self.read()), 2000)
        self.assertEqual(self.lost, [])
        self.turn(0.1 + TICK)
        self.check_lost(None)
        self.assertEqual(self.peer.recv(10), b"")

    def test_more_than_the_link_holds(self) -> None:
        """The deadline is the peer's: for what has no room on the link it does not run."""
        self.impair("rate 8kbit limit 1k", capacity=1 << 20)
        self.write(10_000)
        self.close()
        self.turn(9.9)
        self.assertFalse("lost" in self.calls())
        self.turn(0.2)
        self.assertEqual(len(self.read()), 10_000)
        self.assertEqual(self.peer.recv(10), b"")
        self.peer.close()
        self.turn()
        self.check_lost(None)

    def test_peer_never_reads(self) -> None:
        """A close ends at its deadline, whatever the peer does."""
        for words, wait in ((None, 0.0), ("segment 1 1000", 0.0), ("delay 1s limit 1k", 1.0)):
            self.impair(words, capacity=500)
            self.write(2000)
            self.close()
            self.turn(1.9)
            self.assertEqual(self.lost, [])
            self.turn(0.2 + wait + 2 * TICK)
            self.check_lost(CloseTimeout)
            self.assertRaises(ConnectionResetError, self.peer.recv, 10)

    def test_peer_never_reads_what_came_late(self) -> None:
        """It is noticed too when the receiver has long been told of its end."""
        self.impair("delay 10s", Limits(write_timeout=None), capacity=500)
        self.write(2000)
        self.close()
        self.turn(9.9)
        self.assertEqual((self.calls(), self.lost), (["connected", "lost"], []))
        self.turn(2.1 + TICK)
        self.assertIsNone(self.receiver.reason)
        self.assertEqual([type(each) for each in self.lost], [CloseTimeout])
        self.assertTrue(self.peer.was_reset)

    def test_finish(self) -> None:
        """``finish`` has no haste: a slow reader gets all, one that stops reading is cut."""
        for words in (None, "delay 3s"):
            for reads in (True, False):
                self.impair(words, Limits(write_timeout=5), capacity=500)
                self.write(5000)
                self.stream.finish()
                self.turn(3)
                got = b""
                for _ in range(30):
                    if reads and len(got) < 5000:
                        got += self.peer.recv(400)
                    self.turn(1)
                self.assertEqual(len(got), 5000 if reads else 0)
                if reads:
                    self.peer.close()
                    self.turn()
                kind = None if reads else WriteTimeout
                self.assertEqual([type(each) for each in self.lost], [kind or type(None)])
                self.assertEqual(self.calls()[-1], "lost")

    def test_half_close(self) -> None:
        """The peer asks and ends; the answer comes, late."""
        self.impair("in delay 1s out delay 3s")
        self.peer.send(b"hello")
        self.peer.shutdown(1)
        self.turn(1.01)
        self.assertEqual(self.calls(), ["connected", "data", "end"])
        self.write(5)
        self.close()
        self.turn(2.9)
        self.assertEqual(self.read(), b"")
        self.turn(0.2)
        self.assertEqual(self.read(), bytes(5))
        self.assertEqual(self.peer.recv(1), b"")
        self.check_lost(None)

    def test_last_words(self) -> None:
        """What the peer says after a close is read, not handed on, and answered by no reset."""
        self.impair("delay 5s")
        self.write(10)
        self.close()
        for _ in range(6):
            self.peer.send(bytes(500))
            self.turn(1)
        self.assertEqual(self.received, b"")
        self.assertEqual(self.read(), bytes(10))
        self.assertFalse(self.peer.was_reset)

    def test_abort(self) -> None:
        """At once: what is under way is lost, in both directions."""
        self.impair("in delay 1s out delay 1s")
        self.give(b"hello")
        self.write(100)
        self.turn(0.5)
        self.receiver.call(self.stream.abort)
        self.turn()
        self.check_lost(ConnectionAborted)
        self.assertEqual(self.calls(), ["connected", "lost"])
        self.assertRaises(ConnectionResetError, self.peer.recv, 10)

    def test_abort_after_the_end(self) -> None:
        """As a server does whose grace is over: the receiver hears of nothing twice."""
        self.impair("delay 100s")
        self.write(100)
        self.close()
        self.turn(10)
        self.assertEqual((self.calls(), self.lost), (["connected", "lost"], []))
        self.stream.abort(ServerStopping("enough"))
        self.turn()
        self.assertEqual(self.calls(), ["connected", "lost"])
        self.assertEqual([type(each) for each in self.lost], [ServerStopping])
        self.assertRaises(ConnectionResetError, self.peer.recv, 10)

    def test_reason(self) -> None:
        """Of a close: the receiver and the server are told the same."""
        self.impair("delay 1s")
        reason = IdleTimeout("nothing came")
        self.close(reason)
        self.turn(1.1)
        self.peer.close()
        self.turn()
        self.assertIs(self.receiver.reason, reason)
        self.check_lost(IdleTimeout)


class Resets(DetourCase):
    """On purpose, by the peer, and by the network."""

    def place(self, direction: str, words: str) -> int:
        """Where the link resets, in bytes; ``words`` with no delay."""
        impairment = parse_stream(f"{direction} {words}")
        conditions: Any = impairment.inward if direction == "in" else impairment.outward
        assert impairment.seed is not None
        link = StreamLink(conditions, seed=impairment.seed, direction=direction, host="127.0.0.1")
        size = 0
        while not link.reset_due(EVER):
            link.offer(0.0, bytes(1000))
            size += sum(map(len, link.take(EVER)))
        return size

    def test_out(self) -> None:
        """All bytes before its place arrive, none after; the same each time."""
        for seed in (1, 2, 3, 1):
            words = f"delay 10ms 5ms reset 5% seed {seed}"
            place = self.place("out", words)
            self.impair(words, capacity=1 << 20)
            got = b""
            for _ in range(200):
                self.write(1000)
                self.turn(0.1)
                got += self.read()
                if self.peer.was_reset:
                    break
            # In memory a reset takes away what the peer has not read yet.
            self.assertLessEqual(len(got), place)
            self.assertRaises(ConnectionResetError, self.peer.recv, 10)
            self.check_lost(ConnectionReset)
            self.assertIn("impairment", str(self.receiver.reason))
            (flow,) = self.tape.flows
            self.assertEqual(len(flow.said["out"]), place)
            self.assertEqual(flow.end, (str(self.receiver.reason), True, "out"))

    def test_in(self) -> None:
        for seed in (1, 2, 3, 1):
            words = f"delay 10ms 5ms reset 5% seed {seed}"
            place = self.place("in", words)
            self.impair(f"in {words}", capacity=1 << 20)
            for _ in range(200):
                self.give(bytes(1000))
                self.turn(0.1)
                if self.peer.was_reset:
                    break
            self.assertEqual(len(self.received), place)
            self.check_lost(ConnectionReset)

    def test_receiver_that_pauses(self) -> None:
        """What came before is for it, if it goes on reading."""
        place = self.place("in", SOMEWHERE)
        self.impair(f"in delay 50ms {SOMEWHERE}", capacity=1 << 20)
        self.stream.pause()
        self.give(bytes(place + 10_000))
        self.turn(1)
        self.assertEqual((self.received, self.stream.closing), (b"", False))
        self.assertTrue(self.peer.was_reset)
        self.stream.resume()
        self.turn()
        self.assertEqual(len(self.received), place)
        self.check_lost(ConnectionReset)

    def test_receiver_that_never_reads(self) -> None:
        """It hears of it after ``close_timeout``."""
        self.impair(f"in delay 50ms {SOMEWHERE}", capacity=1 << 20)
        self.stream.pause()
        self.give(bytes(50_000))
        self.turn(2.04)
        self.assertEqual(self.lost, [])
        self.turn(0.02)
        self.check_lost(ConnectionReset)
        self.assertEqual(self.received, b"")

    def test_receiver_with_nothing_to_read(self) -> None:
        """It hears of it at once, paused or not."""
        self.impair("reset 100%")
        self.stream.pause()
        self.write(1)
        self.turn()
        self.check_lost(ConnectionReset)

    def test_receiver_that_has_read_none_of_it(self) -> None:
        """A reset later than the last bytes before it does not wait for their reader."""
        place = self.place("in", SOMEWHERE)
        self.impair(f"in delay 1s {SOMEWHERE}", capacity=1 << 20)
        self.stream.pause()
        self.give(bytes(place))
        self.turn(0.5)
        self.give(b"!")
        self.turn(0.6)
        self.assertFalse(self.peer.was_reset)
        self.turn(0.5)
        self.assertTrue(self.peer.was_reset)
        self.stream.resume()
        self.turn()
        self.assertEqual(len(self.received), place)
        self.check_lost(ConnectionReset)

    def test_peer_that_reads_late(self) -> None:
        """The reset waits for what comes before it, ``close_timeout`` at most."""
        place = self.place("out", SOMEWHERE)
        for late in (1.0, 2.1):
            self.impair(SOMEWHERE, capacity=500)
            self.write(place + 1460)
            self.turn(late)
            self.assertEqual(self.peer.was_reset, late > 2)
            got = self.read_all()
            self.turn(0.1)
            self.assertEqual(len(got) > place - 500, late < 2)
            self.assertTrue(self.peer.was_reset)
            self.check_lost(ConnectionReset)

    def test_while_closing(self) -> None:
        """The receiver closed in good order; that its last bytes never came is for the record."""
        place = self.place("out", SOMEWHERE)
        self.impair(f"delay 5s {SOMEWHERE}", capacity=1 << 20)
        self.write(place + 1)
        self.close()
        self.turn(4.9)
        self.assertEqual(self.lost, [])
        self.turn(0.2)
        self.assertEqual(len(self.read()), 0)  # memory keeps nothing that a reset follows
        self.assertEqual([type(each) for each in self.lost], [ConnectionReset])

    def test_by_the_peer(self) -> None:
        """It comes behind what the peer had sent, and as late."""
        self.impair("in delay 1s")
        self.give(b"hello")
        self.turn(0.5)
        self.peer.setsockopt(0, 13, b"")
        self.peer.close()
        self.turn(0.49)
        self.assertEqual(self.calls(), ["connected"])
        self.write(10)  # nobody knows yet
        self.turn(0.02)
        self.assertEqual(self.received, b"hello")
        self.assertEqual(self.lost, [])
        self.turn(0.5)
        self.check_lost(ConnectionReset)
        (flow,) = self.tape.flows
        self.assertEqual(flow.end, (str(self.receiver.reason), True, "in"))

    def test_by_the_peer_before_the_end(self) -> None:
        """Who closed in good order is not told: only that bytes were lost is an error."""
        for size in (0, 5):
            self.impair("delay 1s")
            self.write(size)
            self.peer.shutdown(1)
            self.turn()
            self.close()
            self.turn(0.5)
            self.peer.setsockopt(0, 13, b"")
            self.peer.close()
            self.turn(0.1)
            self.assertIsNone(self.receiver.reason)
            kind = ConnectionReset if size else type(None)
            self.assertEqual([type(each) for each in self.lost], [kind])
            self.assertEqual(self.tape.flows[0].end, (str(self.lost[0] or ""), bool(size), "in"))

    def test_by_the_peer_at_once(self) -> None:
        self.impair(None)
        self.peer.setsockopt(0, 13, b"")
        self.peer.close()
        self.turn()
        self.check_lost(ConnectionReset)

    def test_deadlines_while_it_is_under_way(self) -> None:
        """The receiver's own deadlines hold meanwhile."""
        self.impair("in delay 60s")
        self.peer.setsockopt(0, 13, b"")
        self.peer.close()
        self.turn(1)
        self.receiver.due = 3.0
        self.stream.next_check = 2.0
        self.turn(1)
        before = self.receiver.calls.count("check")
        self.turn(10)
        self.assertGreater(self.receiver.calls.count("check"), before)
        self.receiver.call(self.stream.close, NetlabError("overdue"))
        self.turn(2 + TICK)
        self.check_lost(NetlabError)


class Recorded(DetourCase):
    """What the recorder is told: bytes as the peer sees them, and how it ended."""

    def exchange(self) -> None:
        self.give(b"question")
        self.turn(1)
        self.write(700)
        self.turn(1)
        self.read()

    def test_bytes(self) -> None:
        for words in (None, "in segment 1 3 out segment 1 9", "in delay 5ms out rate 1mbit"):
            self.impair(words, capacity=1000)
            self.exchange()
            (flow,) = self.tape.flows
            self.assertEqual(flow.said, {"in": b"question", "out": bytes(700)})
            self.assertEqual(flow.peer, (self.peer.address.host, self.peer.address.port))
            self.assertEqual(flow.host, self.sock.getsockname())

    def test_peer_ends(self) -> None:
        self.impair(None)
        self.exchange()
        self.peer.shutdown(1)
        self.turn()
        self.close()
        self.turn()
        self.assertEqual(self.tape.flows[0].end, ("", False, "in"))

    def test_server_ends(self) -> None:
        self.impair("in delay 1s")
        self.exchange()
        self.close()
        self.turn()
        self.peer.close()
        self.turn(1)
        self.assertEqual(self.tape.flows[0].end, ("", False, "out"))

    def test_abort(self) -> None:
        self.impair(None)
        self.stream.abort(WriteTimeout("the peer read nothing"))
        self.turn()
        self.assertEqual(self.tape.flows[0].end, ("the peer read nothing", True, "out"))
