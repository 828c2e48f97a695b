# trial's assertions have no annotations:
# mypy: allow-untyped-calls

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from netlab.errors import ConfigurationError
from netlab.impair.words import (
    Words,
    check_seed,
    probability,
    write_percentage,
    write_rate,
    write_time,
)


class Units(SynchronousTestCase):
    def test_times(self) -> None:
        for text, nanoseconds in (
            *(("1s", 10**9), ("1sec", 10**9), ("1secs", 10**9), ("1.5S", 15 * 10**8)),
            *(("50ms", 5 * 10**7), ("50msec", 5 * 10**7), ("50MSecs", 5 * 10**7)),
            *(("200us", 200_000), ("200usec", 200_000), ("200usecs", 200_000)),
            *(("7ns", 7), ("7nsec", 7), ("7nsecs", 7), ("0.4ns", 0)),
            *(("250", 250_000), ("0.5", 500), (".5", 500), ("5.", 5000), ("+5", 5000)),
            *(("0", 0), ("3600s", 3600 * 10**9), ("0.1s", 10**8), ("1.000000001s", 10**9 + 1)),
        ):
            self.assertEqual(Words(text).time("delay 5ms"), nanoseconds / 10**9, text)

    def test_not_times(self) -> None:
        for text in ("5x", "5m", "5h", "ms", "1e3", "0x10", "5%", "5msms", "1..2", "9" * 19):
            error = self.assertRaises(ConfigurationError, Words(text).time, "delay 5ms")
            self.assertIn("is not a time; write for example 50ms, 1.5s or 200us", str(error))

    def test_percentages(self) -> None:
        for text, expected in (
            *(("10%", 0.1), ("10", 0.1), ("0", 0.0), ("100", 1.0), ("0.5%", 0.005)),
            *(("7%", 0.07), ("1.1%", 0.011), ("33.333333333%", 0.33333333333)),
            *(("0.000000001%", 1e-11), ("0.0000000001", 0.0)),
        ):
            self.assertEqual(Words(text).percentage("loss 5%"), expected, text)

    def test_rates(self) -> None:
        for text, bits in (
            *(("1", 1), ("8bit", 8), ("1kbit", 1000), ("1Mbit", 10**6), ("1gbit", 10**9)),
            *(("1tbit", 10**12), ("1kibit", 1024), ("1Mibit", 1 << 20), ("1gibit", 1 << 30)),
            *(("1tibit", 1 << 40), ("1bps", 8), ("1kbps", 8000), ("1MBps", 8 * 10**6)),
            *(("1gbps", 8 * 10**9), ("1tbps", 8 * 10**12), ("1kibps", 8192)),
            *(("1.5mbit", 1_500_000), ("0.5bit", 0), ("1000tbit", 10**15)),
        ):
            if bits:
                self.assertEqual(Words(text).rate("rate 1mbit"), bits, text)
            else:
                self.assertRaises(ConfigurationError, Words(text).rate, "rate 1mbit")

    def test_sizes(self) -> None:
        for text, size in (
            *(("1", 1), ("1b", 1), ("64k", 65536), ("64KB", 65536), ("1m", 1 << 20)),
            *(("1mb", 1 << 20), ("1g", 1 << 30), ("1.5kb", 1536), ("4294967295", (1 << 32) - 1)),
        ):
            self.assertEqual(Words(text).size("limit 64k"), size, text)

    @given(st.integers(0, 3600 * 10**9))
    def test_times_back(self, nanoseconds: int) -> None:
        seconds = nanoseconds / 10**9
        self.assertEqual(Words(write_time(seconds)).time(""), seconds)

    @given(st.integers(0, 10**11))
    def test_percentages_back(self, steps: int) -> None:
        p = probability(steps / 10**11)
        text = write_percentage(p)
        self.assertEqual(Words(text).percentage(""), p)
        self.assertEqual(
            Words(write_percentage(probability(1 - p))).percentage(""), round(1 - p, 11)
        )

    @given(st.integers(1, 10**15))
    def test_rates_back(self, bits: int) -> None:
        self.assertEqual(Words(write_rate(bits)).rate(""), bits)

    def test_written(self) -> None:
        for seconds, text in (
            *((0.0, "0ns"), (1e-9, "1ns"), (0.0002, "200us"), (0.05, "50ms"), (0.0735, "73.5ms")),
            *((1.5, "1.5s"), (3600.0, "3600s"), (1.000000001, "1.000000001s")),
        ):
            self.assertEqual(write_time(seconds), text)
        for p, text in ((0.0, "0%"), (0.1, "10%"), (1.0, "100%"), (0.00125, "0.125%")):
            self.assertEqual(write_percentage(p), text)
        for bits, text in ((1, "1bit"), (1500, "1500bit"), (64000, "64kbit"), (10**12, "1tbit")):
            self.assertEqual(write_rate(bits), text)


class Reading(SynchronousTestCase):
    def test_one_by_one(self) -> None:
        words = Words("  Loss 5%\tDELAY\n7 ")
        self.assertEqual([words.at, words.next(), words.at], [-1, "loss", 0])
        self.assertTrue(words.number_follows())
        self.assertEqual(words.percentage(""), 0.05)
        self.assertFalse(words.number_follows())
        self.assertIsNone(words.take("loss", "gap"))
        self.assertEqual(words.take("gap", "delay"), "delay")
        self.assertEqual(words.integer(""), 7)
        self.assertIsNone(words.next())
        self.assertEqual(words.at, 3)
        self.assertFalse(words.number_follows())

    def test_numbers(self) -> None:
        for text in ("5", "-5", "+5", ".5", "-.5", "5x", "nan", "-inf", "infinity", "NaN"):
            self.assertTrue(Words(text).number_follows(), text)
        for text in ("", "loss", "info", "-", "%", "nano", "in"):
            self.assertFalse(Words(text).number_follows(), text)

    def test_points(self) -> None:
        words = Words("loss 10 delay \x1b[31m" + "x" * 100)
        while words.next():
            pass
        error = words.wrong("is odd")
        self.assertTrue(str(error).startswith("impairment 'loss 10 delay \\x1b[31mxxx"))
        self.assertTrue(str(error).endswith("...', is odd"))
        self.assertIn("word 4, '\\x1b[31mx", str(error))
        self.assertIn(": word 1, 'loss', is odd", str(words.wrong("is odd", 0)))
        self.assertNotIn("\n", str(Words("a\nb").broken("it is")))

    def test_nothing_there(self) -> None:
        words = Words("")
        error = self.assertRaises(ConfigurationError, words.time, "delay 5ms")
        self.assertEqual(
            str(error), "impairment '': a time is missing; write for example delay 5ms"
        )


class Seeds(SynchronousTestCase):
    def test_good(self) -> None:
        for seed in (0, 7, (1 << 64) - 1):
            self.assertEqual(check_seed(seed), seed)
            self.assertEqual(Words(str(seed)).seed(), seed)

    def test_bad(self) -> None:
        for seed in (-1, 1 << 64, 1.0, "7", None, True):
            error = self.assertRaises(ConfigurationError, check_seed, seed)
            self.assertIn("seed must be a whole number from 0 to 18446744073709551615", str(error))
        for text in ("-1", str(1 << 64), "1.0", "x", "9" * 5000, "7%"):
            self.assertRaises(ConfigurationError, Words(text).seed)
