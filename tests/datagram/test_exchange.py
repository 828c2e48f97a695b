"""When to ask again, when to give up, and what is no answer."""

from __future__ import annotations

import random
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from netlab.datagram import exchange as module
from netlab.datagram.destination import Destination
from netlab.datagram.exchange import LONGEST, Exchange, Match, Retransmission, UsedPorts
from netlab.errors import ConfigurationError, DeadlineExceeded, LocalProtocolError, NoReply

WHERE = Destination("localhost", 8007)


class Steady(random.Random):
    """Chance that never lengthens a wait."""

    def uniform(self, a: float, b: float) -> float:
        return a


def exchange(match: Match | None = None, **options: Any) -> Exchange:
    return Exchange(b"ask", WHERE, Retransmission(**options), match, Steady())


class Schedule(SynchronousTestCase):
    @given(st.floats(0.001, 3600), st.integers(0, 16), st.integers())
    def test_waits(self, timeout: float, retries: int, seed: int) -> None:
        """RFC 7252, section 4.2: a random start, and twice as long each time."""
        waits = Retransmission(timeout=timeout, retries=retries).waits(random.Random(seed))
        self.assertEqual(len(waits), retries + 1)
        self.assertTrue(timeout <= waits[0] <= 1.5 * timeout)
        for one, next_ in pairwise(waits):
            self.assertEqual(next_, 2 * one)

    def test_spread(self) -> None:
        """Clients that begin together do not stay together."""
        rng = random.Random(1)
        first = [Retransmission().waits(rng)[0] for _ in range(1000)]
        self.assertGreater(max(first), 1.45)
        self.assertLess(min(first), 1.05)

    def test_wrong(self) -> None:
        for options in (
            {"timeout": 0},
            {"timeout": -1},
            {"timeout": float("nan")},
            {"timeout": float("inf")},
            {"timeout": 3601},
            {"retries": -1},
            {"retries": 17},
            {"retries": 1.5},
        ):
            (name,) = options
            error = self.assertRaises(ConfigurationError, lambda o=options: Retransmission(**o))
            self.assertTrue(str(error).startswith(f"{name} must be"), error)


class Tries(SynchronousTestCase):
    def test_deadlines(self) -> None:
        asked = exchange(timeout=1.0, retries=2)
        asked.sent(10.0)
        self.assertEqual((asked.deadline, asked.tries), (11.0, 1))
        asked.expired(11.0)
        asked.sent(11.0)
        self.assertEqual((asked.deadline, asked.tries), (13.0, 2))
        asked.expired(13.1)
        asked.sent(13.1)
        self.assertEqual((asked.deadline, asked.tries), (17.1, 3))
        error = self.assertRaises(NoReply, asked.expired, 17.2)
        self.assertEqual(str(error), "no reply from localhost:8007 after 3 tries in 7.2 s")
        self.assertEqual(error.tries, 3)
        self.assertAlmostEqual(error.seconds, 7.2)
        self.assertIsInstance(error, DeadlineExceeded)

    def test_once(self) -> None:
        asked = exchange(timeout=0.5, retries=0)
        asked.sent(0.0)
        error = self.assertRaises(NoReply, asked.expired, 0.5)
        self.assertEqual(str(error), "no reply from localhost:8007 after 1 try in 0.5 s")

    def test_another_address(self) -> None:
        """A name's next address is no retry: the waits stay as long as they were."""
        asked = exchange(timeout=1.0, retries=1)
        asked.sent(0.0)
        asked.sent(0.1)
        self.assertEqual((asked.deadline, asked.tries), (1.1, 2))


class Answers(SynchronousTestCase):
    def test_any(self) -> None:
        self.assertTrue(exchange().accepts(b""))

    def test_match(self) -> None:
        asked = exchange(lambda request, reply: request == reply)
        self.assertEqual((asked.accepts(b"ask"), asked.accepts(b"other")), (True, False))

    def test_length(self) -> None:
        Exchange(bytes(LONGEST), WHERE, Retransmission(), None, Steady())
        error = self.assertRaises(
            LocalProtocolError,
            lambda: Exchange(bytes(LONGEST + 1), WHERE, Retransmission(), None, Steady()),
        )
        text = "a datagram holds at most 65507 bytes, this one would have 65508"
        self.assertEqual(str(error), text)


class Ports(SynchronousTestCase):
    def test_not_again(self) -> None:
        used = UsedPorts()
        self.assertEqual([used.take(each) for each in (1, 2, 1, 3)], [True, True, False, True])

    @given(st.lists(st.integers(1, 12)))
    def test_the_last_ones(self, ports: list[int]) -> None:
        self.patch(module, "PORTS_KEPT", 5)
        used = UsedPorts()
        taken: list[int] = []
        for each in ports:
            free = each not in taken[-5:]
            self.assertEqual(used.take(each), free)
            if free:
                taken.append(each)
