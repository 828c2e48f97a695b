"""Messages over connections that are impaired: whole, in order, or the client is told."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import ensureDeferred
from twisted.trial.unittest import SynchronousTestCase

from netlab import ConnectionReset, Limits, MessageProtocol
from netlab.message import Echo
from netlab.message.client import Backoff
from netlab.testing import MemoryServer
from tests.transport.detours import Tape, impaired

from .support import blank, frames

WORDS = (
    "delay 50ms",
    "delay 50ms 40ms 25% distribution normal",
    "rate 100kbit",
    "segment 1 9",
    "stall 20% 300ms",
    "limit 100",
    "reset 0%",
)
"""Each of them, for both directions or for one."""
MESSAGES = [b"", b"x", bytes(range(256)) * 20, b"hello", bytes(3000)]
EVER = 300.0  # less than an idle_timeout


def _first(words: str) -> str:
    return words.split()[0]


class Case(SynchronousTestCase):
    def serve(self, words: str, app: Any = Echo, **options: Any) -> MemoryServer:
        """A server that is closed at the end, with nothing left of it."""
        link = impaired(app, words, **options)

        def close() -> None:
            link.close()
            self.assertTrue(blank(link), "something is left")

        self.addCleanup(close)
        return link


class Whole(Case):
    def test_each_word(self) -> None:
        for word in WORDS:
            for words in (word, f"in {word}", f"in {word} out {word}"):
                link = self.serve(words)
                client = link.connect()
                asked = [ensureDeferred(client.request(each)) for each in MESSAGES]
                link.advance(EVER)
                self.assertEqual([self.successResultOf(each) for each in asked], MESSAGES, words)
                link.run(client.close())
                link.advance(EVER)
                self.assertEqual((link.stats.active, link.stats.errors), (0, {}), words)

    @settings(max_examples=30)
    @given(
        inward=st.lists(st.sampled_from(WORDS), min_size=1, unique_by=_first),
        outward=st.lists(st.sampled_from(WORDS), min_size=1, unique_by=_first),
        messages=st.lists(st.binary(max_size=600), max_size=8),
        seed=st.integers(0, 99),
    )
    def test_words_together(
        self, inward: list[str], outward: list[str], messages: list[bytes], seed: int
    ) -> None:
        """Asked and ended in one go, as ``nc -N`` does: all answers, then the end."""
        tape = Tape()
        words = f"in {' '.join(inward)} out {' '.join(outward)}"
        with impaired(Echo, f"{words} seed {seed}", tape) as link:
            peer = link.connect_raw()
            peer.send(frames(*messages))
            peer.half_close()
            link.advance(EVER)
            self.assertEqual((peer.messages, peer.ended), (messages, True))
            peer.close()
            link.advance(EVER)
            self.assertEqual((link.stats.active, link.stats.errors), (0, {}))
        (flow,) = tape.flows
        self.assertEqual(flow.said, {"in": frames(*messages), "out": frames(*messages)})

    def test_slow_reader(self) -> None:
        """Back-pressure reaches the application, and nothing is lost by it."""
        link = self.serve("delay 10ms limit 1k", limits=Limits(high_water=4096, low_water=100))
        peer = link.connect_raw()
        peer.pause()
        messages = [bytes([number]) * 500 for number in range(40)]
        peer.send(frames(*messages))
        link.advance(1.0)
        peer.resume()
        link.advance(EVER)
        self.assertEqual(peer.messages, messages)


class Fates(Case):
    WORDS = "in delay 10ms 5ms segment 1 300 out delay 20ms 19ms stall 10% 1s segment 5 50"

    def run_once(self, words: str, count: int = 1) -> list[list[tuple[float, int]]]:
        """When how many bytes had come, for each of ``count`` connections."""
        found = []
        with impaired(Echo, words) as link:
            for _ in range(count):
                peer = link.connect_raw()
                peer.send(frames(bytes(2000)))
                begun, came = link.clock.seconds(), [(0.0, 0)]
                while len(peer.received) < 2004:
                    link.advance(0.001)
                    if len(peer.received) != came[-1][1]:
                        came.append((link.clock.seconds() - begun, len(peer.received)))
                found.append([(round(time, 3), size) for time, size in came])
                peer.close()
                link.advance()
        return found

    def test_same_seed(self) -> None:
        """The same to every connection of a client, and in every run."""
        first, second = self.run_once(f"{self.WORDS} seed 7", 2)
        self.assertEqual([size for _, size in first], [size for _, size in second])
        for (time, _), (again, _) in zip(first, second, strict=True):
            self.assertAlmostEqual(time, again, delta=0.0021)
        self.assertEqual(self.run_once(f"{self.WORDS} seed 7", 1), [first])

    def test_another_seed(self) -> None:
        self.assertNotEqual(
            self.run_once(f"{self.WORDS} seed 7"), self.run_once(f"{self.WORDS} seed 8")
        )

    def test_no_seed(self) -> None:
        """Each connection has fates of its own."""
        first, second = self.run_once(self.WORDS, 2)
        self.assertNotEqual([size for _, size in first], [size for _, size in second])


class Keeping(MessageProtocol):
    """Echoes, and keeps why its connections ended."""

    reasons: list[Any]

    def message_received(self, message: bytes) -> bytes:
        """See ``MessageProtocol``."""
        return message

    def disconnected(self, reason: Any) -> None:
        """See ``MessageProtocol``."""
        self.reasons.append(reason)


class Resets(Case):
    def setUp(self) -> None:
        self.reasons: list[Any] = []
        self.app = type("App", (Keeping,), {"reasons": self.reasons})

    def test_told(self) -> None:
        """The answers before it have come; who still waits is told, on both sides."""
        link = self.serve("delay 1ms reset 5% seed 3", self.app)
        client = link.connect()
        answered = []
        while not link.stats.errors:
            asking = ensureDeferred(client.request(bytes(1000)))
            answered.append(asking)
            link.advance(1.0)
            self.assertLess(len(answered), 1000)
        error = self.failureResultOf(answered.pop(), ConnectionReset)
        self.assertIn("reset", str(error.value))
        self.assertGreater(len(answered), 0)
        for each in answered:
            self.assertEqual(self.successResultOf(each), bytes(1000))
        self.assertEqual(link.stats.errors, {"connection_reset": 1})
        self.assertEqual(
            [str(each) for each in self.reasons], ["an impairment reset the connection"]
        )
        self.failureResultOf(ensureDeferred(client.request(b"more")), ConnectionReset)
        link.run(client.close())

    def test_same_place(self) -> None:
        """A seed names the byte."""
        places = []
        for seed in (3, 3, 4):
            link = self.serve(f"in reset 5% seed {seed}")
            peer = link.connect_raw()
            while not peer.was_reset:
                peer.send(frames(bytes(96)))
                link.advance(0.1)
            places.append(link.stats.messages_in)
        self.assertEqual(places[0], places[1])
        self.assertNotEqual(places[0], places[2])

    def test_client_that_comes_back(self) -> None:
        """It is served again, and reset at the same place again."""
        link = self.serve("reset 5% seed 3", self.app)
        client = link.connect(reconnect=Backoff(jitter=0.0))
        for _ in range(3):
            before = len(self.reasons)
            while len(self.reasons) == before:
                ensureDeferred(client.request(bytes(1000))).addErrback(
                    lambda failure: failure.trap(ConnectionReset)
                )
                link.advance(1.0)
            link.advance(10.0)
        self.assertEqual(link.run(client.request(b"hello")), b"hello")
        self.assertEqual(link.stats.errors, {"connection_reset": 3})
        link.run(client.close())

    def test_at_once(self) -> None:
        """100 %: nothing is ever answered."""
        link = self.serve("reset 100%", self.app)
        peer = link.connect_raw()
        peer.send(frames(b"hello"))
        link.advance(1.0)
        self.assertEqual((bytes(peer.received), peer.was_reset), (b"", True))
        self.assertEqual(len(self.reasons), 1)
