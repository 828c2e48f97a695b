# trial's assertions have no annotations:
# mypy: allow-untyped-calls
"""The guard: who is answered, how often, and what it costs to ask."""

from __future__ import annotations

import socket
import struct
import tracemalloc
from collections import Counter
from collections.abc import Iterable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from netlab.datagram import guard as guard_module
from netlab.datagram.guard import KNOWN, Guard, Recent, Request
from netlab.datagram.limits import DatagramLimits
from netlab.transport import datagrams, has_ipv6
from netlab.transport.datagrams import DROP_BROADCAST, DROP_MULTICAST, BatchSocket, Datagram
from tests.datagram.support import CLIENT, OTHER, MemorySocket

UNLIMITED = DatagramLimits(source_rate=0, total_rate=0)


class GuardCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.names: Any = MemorySocket("127.0.0.1", 9000)
        self.refused: Counter[str] = Counter()
        self.guard = Guard(UNLIMITED)

    def refuse(self, cause: str, datagram: Datagram) -> None:
        self.refused[cause] += 1

    def admit(self, batch: Iterable[Datagram], now: float = 0.0) -> list[Request]:
        """Those of ``batch`` that may pass at ``now``."""
        return self.guard.admit(list(batch), self.names, now, self.refuse)

    def passes(self, name: Any, now: float = 0.0, way: bytes = b"", count: int = 1) -> int:
        """How many of ``count`` datagrams from ``name`` may pass."""
        return len(self.admit([(b"x", name, way)] * count, now))


class Ports(GuardCase):
    """Row 12: a datagram with a forged source makes two servers, or one, talk for ever.

    Stock Twisted answers everybody: one datagram forged from the server's own address
    goes round 340,000 times in 2 s, and each with source port 0 logs a traceback.
    """

    def test_answering_ports(self) -> None:
        """Ports where servers answer by themselves, and the one that cannot be sent to."""
        for port in (0, 7, 19, 53, 123, 8007):
            self.assertEqual(self.passes(("192.0.2.7", port)), 0, port)
        self.assertEqual(self.refused, {"source_port": 6})
        for port in (1, 8, 20, 1023, 1024, 8006, 8008, 65535):
            self.assertEqual(self.passes(("192.0.2.7", port)), 1, port)

    def test_own_ports(self) -> None:
        """Each port that is listened on, also when its peer was known before."""
        self.assertEqual(self.passes(("192.0.2.7", 9000)), 1)
        self.guard.own(9000)
        self.guard.own(9001)
        for port in (9000, 9001, 8007):
            self.assertEqual(self.passes(("192.0.2.7", port)), 0)
            self.assertEqual(self.passes(("127.0.0.1", port)), 0)
        self.assertEqual(self.passes(("192.0.2.7", 9002)), 1)

    def test_low_ports(self) -> None:
        """All ports below 1024, if that is wanted; those that are worse keep their name."""
        self.guard = Guard(DatagramLimits(refuse_low_ports=True))
        for port, passed in ((1, 0), (1023, 0), (1024, 1), (65535, 1), (0, 0), (53, 0)):
            self.assertEqual(self.passes(("192.0.2.7", port)), passed, port)
        self.assertEqual(self.refused, {"low_port": 2, "source_port": 2})

    def test_to_everybody(self) -> None:
        """What was sent to all is answered to nobody, and takes nothing of a rate."""
        self.guard = Guard(DatagramLimits(source_rate=1))
        for way, cause in ((DROP_BROADCAST, "broadcast"), (DROP_MULTICAST, "multicast")):
            self.assertEqual(self.passes(CLIENT, way=way, count=5), 0)
            self.assertEqual(self.refused[cause], 5)
        self.assertEqual(self.passes(CLIENT), 1)

    def test_refused_take_nothing(self) -> None:
        """A flood from a bad port costs honest peers none of the total."""
        self.guard = Guard(DatagramLimits(total_rate=10))
        self.passes(("192.0.2.9", 7), count=1000)
        self.assertEqual(self.passes(CLIENT, count=10), 10)

    def test_what_passes(self) -> None:
        """Data, name, way and peer, in the order in which they came."""
        batch = [(b"%d" % number, (f"192.0.2.{number % 3}", 40000), b"w") for number in range(9)]
        self.assertEqual(self.admit(batch), [(*each, each[1]) for each in batch])
        self.assertEqual(self.admit([]), [])


arrivals = st.lists(
    st.tuples(
        st.floats(0, 0.7, allow_nan=False).map(lambda gap: gap**3),
        st.integers(0, 2),
        st.integers(1, 9),
    ),
    max_size=80,
)
"""What comes: seconds since the last, from which source, and how many."""


class Rates(GuardCase):
    def run_(
        self, limits: DatagramLimits, comes: list[tuple[float, int, int]], begin: float
    ) -> list[tuple[float, int, int, int]]:
        """When, from whom, how many came and how many passed."""
        self.guard = Guard(limits)
        now = begin
        passed = []
        for gap, source, count in comes:
            now += gap
            name = (f"192.0.2.{source}", 40000 + count)  # of many ports
            passed.append((now, source, count, self.passes(name, now, count=count)))
        return passed

    def assert_at_most(self, rate: int, passed: list[tuple[float, int]]) -> None:
        """In no stretch of time more than the rate, and a second's worth at once."""
        for first, (began, _) in enumerate(passed):
            total = 0
            for now, count in passed[first:]:
                total += count
                self.assertLessEqual(total, rate * (now - began) + rate + 0.01)

    @given(arrivals, st.integers(1, 30), st.sampled_from([0.0, 12345.678, 1e7]))
    def test_source(self, comes: list[tuple[float, int, int]], rate: int, begin: float) -> None:
        """No source gets more than its rate, whatever its ports, whenever it sends."""
        passed = self.run_(DatagramLimits(source_rate=rate, total_rate=0), comes, begin)
        for source in range(3):
            self.assert_at_most(rate, [(now, n) for now, who, _, n in passed if who == source])

    @given(arrivals, st.integers(1, 30), st.sampled_from([0.0, 12345.678, 1e7]))
    def test_total(self, comes: list[tuple[float, int, int]], rate: int, begin: float) -> None:
        """Nor do all of them together."""
        passed = self.run_(DatagramLimits(source_rate=0, total_rate=rate), comes, begin)
        self.assert_at_most(rate, [(now, n) for now, _, _, n in passed])

    @given(arrivals, st.integers(1, 30))
    def test_quiet_source(self, comes: list[tuple[float, int, int]], rate: int) -> None:
        """Who keeps within the rate is never refused, however noisy others are."""
        self.guard = Guard(DatagramLimits(source_rate=rate, total_rate=1000 * rate))
        now, next_one = 0.0, 0.0
        for gap, source, count in comes:
            now += gap
            self.passes((f"192.0.2.{source}", 40000), now, count=100 * count)
            if now >= next_one:
                self.assertEqual(self.passes(("198.51.100.1", 40000), now), 1)
                next_one = now + 1 / rate

    @given(arrivals, st.integers(1, 30))
    def test_same(self, comes: list[tuple[float, int, int]], rate: int) -> None:
        """What one source gets does not depend on others, nor on how batches are cut."""
        limits = DatagramLimits(source_rate=rate, total_rate=0)
        together = [each for each in self.run_(limits, comes, 0.0) if each[1] == 0]
        self.guard = Guard(limits)
        for now, source, count, passed in together:
            one_by_one = sum(self.passes((f"192.0.2.{source}", 40000), now) for _ in range(count))
            self.assertEqual(one_by_one, passed)

    def test_exact(self) -> None:
        """A second's worth at once, then one for each step of the rate."""
        for rate in (1, 3, 7, 1000):
            self.guard = Guard(DatagramLimits(source_rate=rate, total_rate=0))
            self.assertEqual(self.passes(CLIENT, 5.0, count=2 * rate), rate)
            self.assertEqual(self.passes(CLIENT, 5.0 + 0.9 / rate, count=10), 0)
            self.assertEqual(self.passes(CLIENT, 5.0 + 1.1 / rate, count=10), 1)
            self.assertEqual(self.passes(CLIENT, 100.0, count=2 * rate), rate)
            self.assertEqual(self.passes(OTHER, 100.0, count=2 * rate), rate)

    def test_over_time(self) -> None:
        """A minute of far too many: the rate, and nothing else."""
        rate = 300
        self.guard = Guard(DatagramLimits(source_rate=rate, total_rate=0))
        passed = sum(self.passes(CLIENT, at / 100, count=10) for at in range(6001))
        self.assertLessEqual(abs(passed - (60 * rate + rate)), 1)

    def test_total_among_sources(self) -> None:
        """The total holds for those who are known and those who are not."""
        self.guard = Guard(DatagramLimits(source_rate=0, total_rate=10))
        self.assertEqual(self.passes(CLIENT, count=8), 8)
        self.assertEqual(self.passes(OTHER, count=8), 2)
        self.assertEqual(self.passes(CLIENT) + self.passes(("192.0.2.9", 40000)), 0)
        self.assertEqual(self.refused, {"total_rate": 8})

    def test_source_before_total(self) -> None:
        """What is refused for its source takes nothing of the total."""
        self.guard = Guard(DatagramLimits(source_rate=5, total_rate=10))
        self.assertEqual(self.passes(CLIENT, count=1000), 5)
        self.assertEqual(self.passes(OTHER, count=5), 5)
        self.assertEqual(self.refused, {"source_rate": 995})

    def test_no_limit(self) -> None:
        """0 is any number, at any time."""
        for now in (0.0, 0.0, 1e7):
            self.assertEqual(self.passes(CLIENT, now, count=5000), 5000)
        self.assertEqual(self.refused, {})


class Sources(GuardCase):
    """Whom a bucket belongs to, with names as real sockets make them."""

    def real(self, host: str) -> None:
        """Names of a real socket from now on."""
        if ":" in host and not has_ipv6():
            raise SkipTest("this machine has no IPv6")
        self.names = datagrams.bind(host, 0)
        self.addCleanup(self.names.sock.close)

    def shares(self, *peers: tuple[Any, ...]) -> list[int]:
        """How many of 10 pass from each, at a rate of 5."""
        self.guard = Guard(DatagramLimits(source_rate=5, total_rate=0))
        return [self.passes(self.names.name(each), count=10) for each in peers]

    def test_ipv4(self) -> None:
        """An address, whatever the port."""
        for library in {None, datagrams._library}:
            self.patch(datagrams, "_library", library)
            self.real("127.0.0.1")
            peers = [("192.0.2.7", 1), ("192.0.2.7", 2), ("192.0.2.6", 1)]
            self.assertEqual(self.shares(*peers), [5, 0, 5])

    def test_ipv6(self) -> None:
        """A network of 64 bits: whoever has one address of it has all of them."""
        for library in {None, datagrams._library}:
            self.patch(datagrams, "_library", library)
            self.real("::1")
            hosts = ("2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff", "2001:db8:0:1::1")
            self.assertEqual(self.shares(*((host, 40000) for host in hosts)), [5, 0, 5])

    def test_both_families(self) -> None:
        """Names of one family are never taken for the other's."""
        self.guard = Guard(DatagramLimits(source_rate=5, total_rate=0))
        four, six = MemorySocket("127.0.0.1", 1), MemorySocket("::1", 1)
        for each in (four, six):
            self.names = each
            self.assertEqual(self.passes(("odd", 1), count=10), 5 if each is four else 0)


class Memory(GuardCase):
    def test_spoofed(self) -> None:
        """Forged addresses, hundreds of thousands: what is kept of them does not grow."""
        if datagrams._library is None:
            raise SkipTest("this system has no recvmmsg")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            self.names = BatchSocket(sock, everywhere=False)
            self.guard = Guard(DatagramLimits(total_rate=0))
            self.flood(0, 3 * KNOWN)
            tracemalloc.start()
            self.addCleanup(tracemalloc.stop)
            before, _ = tracemalloc.get_traced_memory()
            self.flood(3 * KNOWN, 60_000)
            one_round = tracemalloc.get_traced_memory()[0] - before
            self.flood(60_000, 120_000)
            two_rounds = tracemalloc.get_traced_memory()[0] - before
            self.assertLess(one_round, 10 << 20)
            self.assertLess(two_rounds - one_round, 3 << 20)
        self.assertEqual(self.refused, {})

    def flood(self, first: int, last: int) -> None:
        """One datagram from each of so many addresses."""
        head = struct.pack("H", socket.AF_INET) + (40000).to_bytes(2)
        for at in range(first, last, 64):
            names = [head + number.to_bytes(4) + bytes(8) for number in range(at, at + 64)]
            self.admit([(b"", name, b"") for name in names], 1.0)

    def test_total_first(self) -> None:
        """When the total is used up, a stranger is not even asked who he is."""
        self.guard = Guard(DatagramLimits(total_rate=1))
        self.assertEqual(self.passes(CLIENT), 1)
        self.patch(self.names, "source", lambda name: self.fail("he was asked"))
        self.assertEqual(self.passes(OTHER, count=100), 0)
        self.assertEqual(self.refused, {"total_rate": 100})

    def test_forged_crowd(self) -> None:
        """Who sends all the time is not forgotten in a crowd, so he gets no second share."""
        self.guard = Guard(DatagramLimits(source_rate=10, total_rate=0))
        passed = 0
        for number in range(40 * KNOWN // 64):
            passed += self.passes(CLIENT, 1.0)
            for each in range(64):
                self.passes((f"host {number} {each}", 40000), 1.0)
        self.assertEqual(passed, 10)


class Remembering(SynchronousTestCase):
    def setUp(self) -> None:
        self.patch(guard_module, "KNOWN", 4)
        self.recent = Recent()

    def look(self, key: int) -> Any:
        """As the guard looks."""
        return self.recent.get(key) or self.recent.find(key)

    def test_bound(self) -> None:
        """Never more than twice as many as are to be known."""
        for number in range(100):
            self.recent.keep(number, f"{number}")
            self.assertLessEqual(len(self.recent) + len(self.recent.older), 8)
            self.assertEqual(self.look(number), f"{number}")
        self.assertIsNone(self.look(5))

    def test_used(self) -> None:
        """The last ones are there; one that is used stays."""
        self.recent.keep(-1, "used")
        for number in range(100):
            self.recent.keep(number, f"{number}")
            for each in range(max(0, number - 2), number + 1):
                self.assertEqual(self.recent.get(each) or self.recent.older[each], f"{each}")
            self.assertEqual(self.look(-1), "used")
