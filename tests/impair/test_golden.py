"""Fates computed from the docstring of ``netlab.impair.draws`` alone, as another program would.

Nothing of the package's own drawing is used here, and some results are written
down: they must never change, or a seed in somebody's notes means something else.
"""

# trial's assertions have no annotations:
# mypy: allow-untyped-calls

from __future__ import annotations

import hashlib
from math import erf, floor, pow, sqrt

from twisted.trial.unittest import SynchronousTestCase

from tests.impair.support import FLOW, fates, link, stream

SEED = 7
HOST = FLOW[0]
LAST_BLOCK = 2**64 - 1

BLOCK_0 = [
    *("162822f7be28c9e9", "59a3787015b8343f", "73a81e97acc5dfc5", "a17556792fe677d8"),
    *("b73d33e2f83532b6", "0d71aa4751e88a34", "0cd6d028e78daddc", "8476c707fdb0d9b2"),
]
FATES = [
    *("dropped: loss", "dropped: loss", "delayed 45.7 ms", "delayed 49.1 ms"),
    *("delayed 58.3 ms, duplicated", "delivered, reordered", "dropped: loss", "delayed 52.6 ms"),
    *("dropped: loss", "delivered, reordered", "delivered, corrupted: bit 11, reordered"),
    "delayed 48.7 ms, duplicated",
]
MODELS = {
    "loss 20%": ".........x...x.x.....x..x..x.x...xxx.....x......x........xx.",
    "loss 40% 50%": ".........xx..xxxx.x..xxxxxxxxx...xxx........xxxxx.........xx",
    "loss gemodel 10% 30% 80% 5%": (".....x........xx...x..x..xxx...xx.......x......x..x.xx.....x"),
    "loss state 10% 30% 20% 40% 5%": (
        ".........x...x.x.....x..x..xx...x.x......xx.....xxx.......x."
    ),
}


def block(number: int, kind: str = "datagram", seed: int = SEED) -> list[int]:
    text = f"netlab impair {kind} {seed} out {HOST}"
    key = hashlib.blake2b(text.encode(), digest_size=32).digest()
    message = number.to_bytes(8, "little")
    digest = hashlib.blake2b(message, key=key, digest_size=64).digest()
    return [int.from_bytes(digest[at : at + 8], "little") for at in range(0, 64, 8)]


def u(lane: int) -> float:
    return (lane // 2**11) / 2**53


def normal_entry(k: int) -> int:
    """The nearest whole number to 8192 standard deviations' quantile, by bisection."""
    q, low, high = (k + 0.5) / 4096, -10.0, 10.0
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if (1 + erf(middle / sqrt(2))) / 2 < q else (low, middle)
    return round(8192 * low)


def pareto_entry(k: int) -> int:
    return min(32767, round(8192 * (pow(1 - (k + 0.5) / 4096, -1 / 3) - 1.5) * 4 / 3))


class WrittenDown(SynchronousTestCase):
    def test_block(self) -> None:
        self.assertEqual([f"{lane:016x}" for lane in block(0)], BLOCK_0)

    def test_fates(self) -> None:
        text = "loss 20% delay 50ms 10ms duplicate 20% corrupt 20% reorder 20%"
        self.assertEqual([fate.words() for fate in fates(text, 12)], FATES)

    def test_models(self) -> None:
        for text, expected in MODELS.items():
            made = fates(text, 60, seed=1)
            self.assertEqual("".join("x" if fate.dropped else "." for fate in made), expected)


class Computed(SynchronousTestCase):
    def test_every_lane(self) -> None:
        text = "loss 20% delay 50ms 10ms duplicate 30% corrupt 40% reorder 30%"
        for index, fate in enumerate(fates(text, 300, data=b"hello")):
            lanes = block(index)
            if u(lanes[0]) < 0.2:
                self.assertEqual(fate[1:], ("loss", (), None, False))
                continue
            jumps = u(lanes[7]) < 0.3
            delays = [0.0 if jumps else 0.05 + 0.01 * (2 * u(lanes[2]) - 1)]
            if u(lanes[3]) < 0.3:
                delays.append(0.05 + 0.01 * (2 * u(lanes[4]) - 1))
            self.assertEqual(len(fate.delays), len(delays))
            for made, expected in zip(fate.delays, delays, strict=True):
                self.assertAlmostEqual(made, expected, 12)
            corrupted = u(lanes[5]) < 0.4
            self.assertEqual(fate.flipped, lanes[6] * 40 // 2**64 if corrupted else None)
            self.assertEqual(fate.reordered, jumps)

    def test_correlation(self) -> None:
        made = fates("loss 40% 25% delay 50ms 10ms 50% distribution normal duplicate 50%", 200)
        before = block(LAST_BLOCK)
        loss, delay = u(before[0]), u(before[2])
        for index, fate in enumerate(made):
            lanes = block(index)
            loss = u(lanes[0]) * 0.75 + loss * 0.25
            delay = u(lanes[2]) * 0.5 + delay * 0.5
            self.assertEqual(fate.dropped, "loss" if loss < 0.4 else None)
            if not fate.dropped:
                copy = u(lanes[4]) * 0.5 + delay * 0.5
                twice = u(lanes[3]) < 0.5
                self.assertEqual(len(fate.delays), 1 + twice)
                for each, number in zip(fate.delays, (delay, copy), strict=False):
                    x = normal_entry(floor(4096 * number)) / 8192
                    self.assertAlmostEqual(each, 0.05 + 0.01 * x, 12)

    def test_distributions(self) -> None:
        for name in ("normal", "pareto", "paretonormal"):
            for index, fate in enumerate(fates(f"delay 50ms 10ms distribution {name}", 200)):
                k = floor(4096 * u(block(index)[2]))
                entry = {
                    "normal": normal_entry(k),
                    "pareto": pareto_entry(k),
                    "paretonormal": round((normal_entry(k) + 3 * pareto_entry(k)) / 4),
                }[name]
                self.assertAlmostEqual(fate.delays[0], 0.05 + 0.01 * entry / 8192, 12)

    def test_gilbert_elliott(self) -> None:
        bad = False
        for index, fate in enumerate(fates("loss gemodel 10% 30% 80% 5%", 500)):
            lanes = block(index)
            lost = u(lanes[1]) < (0.8 if bad else 0.05)
            if u(lanes[0]) < (0.3 if bad else 0.1):
                bad = not bad
            self.assertEqual(fate.dropped, "loss" if lost else None)

    def test_four_states(self) -> None:
        state = 1
        for index, fate in enumerate(fates("loss state 10% 30% 20% 40% 5%", 500)):
            number = u(block(index)[0])
            if state == 1:
                state = 4 if number < 0.05 else 3 if number < 0.15 else 1
            elif state == 2:
                state = 3 if number < 0.4 else 2
            elif state == 3:
                state = 2 if number < 0.2 else 1 if number < 0.5 else 3
            else:
                state = 1
            self.assertEqual(fate.dropped, "loss" if state in (3, 4) else None)

    def test_slots(self) -> None:
        under_test = link("slot 10ms 30ms packets 1")
        opens = 0.01 + 0.02 * u(block(2**63)[0])
        for n in range(1, 50):
            (delay,) = under_test.offer(0.0, FLOW, b"x").delays
            self.assertAlmostEqual(delay, opens, 12)
            opens += 0.01 + 0.02 * u(block(2**63 + n)[0])

    def test_stream(self) -> None:
        for seed in range(20):
            under_test = stream("segment 1 9 delay 50ms 10ms stall 10% 1s reset 1%", seed)
            under_test.offer(0.0, bytes(20_000))
            latest = 0.0
            expected: list[tuple[float, int]] = []
            while True:
                lanes = block(len(expected), "stream", seed)
                latest = max(latest, 0.05 + 0.01 * (2 * u(lanes[2]) - 1))
                if u(lanes[4]) < 0.01:
                    break
                if u(lanes[3]) < 0.1:
                    latest += 1.0
                if expected:
                    latest = max(latest, expected[-1][0] + 0.001)
                expected.append((latest, 1 + lanes[0] * 9 // 2**64))
            made = []
            while len(under_test):
                now = under_test.next_due
                made += [(now, len(piece)) for piece in under_test.take(now)]
            self.assertEqual([size for _, size in made], [size for _, size in expected])
            for (now, _), (due, _) in zip(made, expected, strict=True):
                self.assertAlmostEqual(now, due, 9)
            self.assertAlmostEqual(under_test.next_due, latest, 9)
