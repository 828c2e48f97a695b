# trial's assertions have no annotations:
# mypy: allow-untyped-calls

from __future__ import annotations

from math import inf, sqrt

from twisted.trial.unittest import SynchronousTestCase

from tests.impair.support import FLOW, OTHER, SIGMAS, left, link, mean


class Rates(SynchronousTestCase):
    def test_rate(self) -> None:
        """1 byte in 1 ms: packets queue."""
        under_test = link("rate 8kbit")
        made = [under_test.offer(0.0, FLOW, bytes(5)).delays[0] for _ in range(3)]
        for delay, expected in zip(made, (0.005, 0.01, 0.015), strict=True):
            self.assertAlmostEqual(delay, expected)
        (delay,) = under_test.offer(0.012, FLOW, bytes(5)).delays
        self.assertAlmostEqual(delay, 0.008)  # 3 ms of waiting, 5 of sending
        (delay,) = under_test.offer(9.0, FLOW, bytes(5)).delays
        self.assertAlmostEqual(delay, 0.005)

    def test_delay_first(self) -> None:
        """As in netem, the delay passes while earlier packets are still being sent."""
        under_test = link("rate 8kbit delay 8ms")
        made = [under_test.offer(0.0, FLOW, bytes(5)).delays[0] for _ in range(2)]
        self.assertAlmostEqual(made[0], 0.013)
        self.assertAlmostEqual(made[1], 0.018)

    def test_keeps_order(self) -> None:
        under_test = link("rate 1mbit delay 20ms 20ms")
        sent = [b"%03d" % index for index in range(200)]
        for index, data in enumerate(sent):
            under_test.offer(index / 10_000, FLOW, data)
        self.assertEqual(left(under_test, inf), sent)

    def test_copies_are_sent_as_well(self) -> None:
        under_test = link("rate 8kbit duplicate 100%")
        for expected in ((0.001, 0.002), (0.003, 0.004)):
            for delay, each in zip(under_test.offer(0.0, FLOW, b"a").delays, expected, strict=True):
                self.assertAlmostEqual(delay, each)

    def test_reordered_do_not_wait(self) -> None:
        under_test = link("rate 8bit delay 1ms reorder 100% gap 2 slot 1s")
        self.assertGreater(under_test.offer(0.0, FLOW, b"a").delays[0], 1.0)
        self.assertEqual(under_test.offer(0.0, FLOW, b"b").delays, (0.0,))
        self.assertEqual(left(under_test, 0.0), [b"b"])

    def test_others_do_not_wait(self) -> None:
        under_test = link("rate 8kbit slot 20ms packets 1")
        alone = under_test.offer(0.0, FLOW, bytes(5)).delays
        for _ in range(10):
            under_test.offer(0.0, OTHER, bytes(500))
        again = link("rate 8kbit slot 20ms packets 1")
        for _ in range(10):
            again.offer(0.0, OTHER, bytes(500))
        self.assertEqual(again.offer(0.0, FLOW, bytes(5)).delays, alone)

    def test_cells(self) -> None:
        """tc-netem(8): 50 bytes are two cells of ATM, 106 bytes on the wire."""
        (delay,) = link("rate 8kbit 0 48 5").offer(0.0, FLOW, bytes(50)).delays
        self.assertAlmostEqual(delay, 0.106)


class Slots(SynchronousTestCase):
    def test_together(self) -> None:
        under_test = link("slot 10ms")
        sent = [(0.0, 0.01), (0.004, 0.01), (0.01, 0.01), (0.011, 0.021), (0.02, 0.021)]
        for now, due in [*sent, (0.5, 0.51)]:
            (delay,) = under_test.offer(now, FLOW, b"a").delays
            self.assertAlmostEqual(now + delay, due)

    def test_packets(self) -> None:
        under_test = link("slot 10ms packets 2")
        made = [under_test.offer(0.0, FLOW, b"a").delays[0] for _ in range(5)]
        for delay, expected in zip(made, (0.01, 0.01, 0.02, 0.02, 0.03), strict=True):
            self.assertAlmostEqual(delay, expected)

    def test_bytes(self) -> None:
        """As in netem, the packet that exhausts a slot still leaves in it."""
        under_test = link("slot 10ms bytes 10")
        made = [under_test.offer(0.0, FLOW, bytes(6)).delays[0] for _ in range(5)]
        for delay, expected in zip(made, (0.01, 0.01, 0.02, 0.02, 0.03), strict=True):
            self.assertAlmostEqual(delay, expected)
        under_test = link("slot 10ms bytes 10")
        made = [under_test.offer(0.0, FLOW, bytes(5)).delays[0] for _ in range(3)]
        for delay, expected in zip(made, (0.01, 0.01, 0.02), strict=True):
            self.assertAlmostEqual(delay, expected)

    def test_random(self) -> None:
        under_test = link("slot 10ms 20ms packets 1")
        made = [under_test.offer(at, FLOW, b"a").delays[0] for at in range(1000)]
        self.assertTrue(0.01 <= min(made) < 0.0105 < 0.0195 < max(made) <= 0.02)
        self.assertLess(abs(mean(made) - 0.015), SIGMAS * 0.01 / sqrt(12 * 1000))

    def test_distribution(self) -> None:
        under_test = link("slot distribution normal 50ms 10ms packets 1")
        made = [under_test.offer(at, FLOW, b"a").delays[0] for at in range(1000)]
        self.assertLess(abs(mean(made) - 0.05), SIGMAS * 0.01 / sqrt(1000))
        self.assertGreater(max(made) - min(made), 0.04)

    def test_keeps_order(self) -> None:
        under_test = link("slot 5ms packets 3 delay 20ms 20ms")
        sent = [b"%03d" % index for index in range(200)]
        for index, data in enumerate(sent):
            under_test.offer(index / 10_000, FLOW, data)
        self.assertEqual(left(under_test, inf), sent)
