# trial's assertions have no annotations:
# mypy: allow-untyped-calls

from __future__ import annotations

import contextlib

from hypothesis import given
from twisted.trial.unittest import SynchronousTestCase

from netlab.errors import ConfigurationError
from netlab.impair import Conditions, Impairment, StreamConditions, parse, parse_stream
from netlab.impair.conditions import (
    Between,
    Chance,
    Delay,
    FourState,
    GilbertElliott,
    Rate,
    Reorder,
    Segment,
    Slot,
    Stall,
)
from tests.impair.support import NONSENSE, STREAM_TEXTS, TEXTS

DELAY = Delay(0.05)


class Datagrams(SynchronousTestCase):
    def test_words(self) -> None:
        for text, expected in (
            ("limit 5", Conditions(limit=5)),
            ("delay 50ms", Conditions(delay=DELAY)),
            ("delay 50000", Conditions(delay=DELAY)),
            ("delay 0 10ms", Conditions(delay=Delay(0.0, 0.01))),
            ("delay 50ms 10ms", Conditions(delay=Delay(0.05, 0.01))),
            ("delay 50ms 10ms 25%", Conditions(delay=Delay(0.05, 0.01, 0.25))),
            ("delay 50ms 10ms 25", Conditions(delay=Delay(0.05, 0.01, 0.25))),
            (
                "delay 50ms 10ms 25% distribution Normal",
                Conditions(delay=Delay(0.05, 0.01, 0.25, "normal")),
            ),
            (
                "delay 50ms 10ms distribution pareto",
                Conditions(delay=Delay(0.05, 0.01, 0.0, "pareto")),
            ),
            ("delay 5ms 1ms distribution uniform", Conditions(delay=Delay(0.005, 0.001))),
            ("loss 10%", Conditions(loss=Chance(0.1))),
            ("LOSS Random 10%", Conditions(loss=Chance(0.1))),
            ("loss 10 25", Conditions(loss=Chance(0.1, 0.25))),
            ("loss random 10% 25%", Conditions(loss=Chance(0.1, 0.25))),
            ("loss gemodel 1%", Conditions(loss=GilbertElliott(0.01, 0.99, 1.0, 0.0))),
            ("loss gemodel 1% 10%", Conditions(loss=GilbertElliott(0.01, 0.1))),
            ("loss gemodel 1% 10% 70%", Conditions(loss=GilbertElliott(0.01, 0.1, 0.7))),
            ("loss gemodel 1 10 70 0.1", Conditions(loss=GilbertElliott(0.01, 0.1, 0.7, 0.001))),
            ("loss state 1%", Conditions(loss=FourState(0.01, 0.99, 0.0, 1.0, 0.0))),
            ("loss state 1% 10%", Conditions(loss=FourState(0.01, 0.1))),
            ("loss state 1% 10% 5%", Conditions(loss=FourState(0.01, 0.1, 0.05))),
            ("loss state 1 10 5 50", Conditions(loss=FourState(0.01, 0.1, 0.05, 0.5))),
            ("loss state 1 10 5 50 2", Conditions(loss=FourState(0.01, 0.1, 0.05, 0.5, 0.02))),
            ("loss state 70% 30% 70% 1% 30%", Conditions(loss=FourState(0.7, 0.3, 0.7, 0.01, 0.3))),
            ("duplicate 1%", Conditions(duplicate=Chance(0.01))),
            ("duplicate 1% 50%", Conditions(duplicate=Chance(0.01, 0.5))),
            ("corrupt 1%", Conditions(corrupt=Chance(0.01))),
            ("corrupt 0.1% 10%", Conditions(corrupt=Chance(0.001, 0.1))),
            (
                "delay 50ms reorder 25%",
                Conditions(delay=DELAY, reorder=Reorder(Chance(0.25))),
            ),
            (
                "reorder 25% 50% gap 5 delay 50ms",
                Conditions(delay=DELAY, reorder=Reorder(Chance(0.25, 0.5), 5)),
            ),
            ("rate 1mbit", Conditions(rate=Rate(10**6))),
            ("rate 125kbps 28", Conditions(rate=Rate(10**6, 28))),
            ("rate 5kbit 20 100 5", Conditions(rate=Rate(5000, 20, 100, 5))),
            ("rate 5kbit -14 53 -5", Conditions(rate=Rate(5000, -14, 53, -5))),
            ("slot 800us", Conditions(slot=Slot(Between(0.0008, 0.0008)))),
            ("slot 0 10ms", Conditions(slot=Slot(Between(0.0, 0.01)))),
            (
                "slot 20ms 30ms packets 3 bytes 64k",
                Conditions(slot=Slot(Between(0.02, 0.03), 3, 65536)),
            ),
            ("slot 20ms bytes 1 packets 2", Conditions(slot=Slot(Between(0.02, 0.02), 2, 1))),
            (
                "slot distribution paretonormal 20ms 5ms packets 3",
                Conditions(slot=Slot(Delay(0.02, 0.005, 0.0, "paretonormal"), 3)),
            ),
        ):
            self.assertEqual(parse(text), Impairment(None, expected), text)

    def test_directions(self) -> None:
        loss, delay = Conditions(loss=Chance(0.1)), Conditions(delay=DELAY)
        for text, inward, outward in (
            ("loss 10%", None, loss),
            ("out loss 10%", None, loss),
            ("in loss 10%", loss, None),
            ("in loss 10% out delay 50ms", loss, delay),
            ("OUT delay 50ms IN loss 10%", loss, delay),
            ("in loss 10% out loss 10%", loss, loss),
        ):
            self.assertEqual(parse(text), Impairment(inward, outward))

    def test_seed(self) -> None:
        for text in ("seed 7 loss 1%", "loss 1% seed 7", "in loss 1% seed 7 out loss 2%"):
            self.assertEqual(parse(text).seed, 7)
            self.assertEqual(parse(text, seed=9).seed, 9)
            self.assertEqual(parse(text, seed=0).seed, 0)
        self.assertIsNone(parse("loss 1%").seed)
        self.assertEqual(parse("seed 7 in loss 1%").inward, Conditions(loss=Chance(0.01)))
        self.assertRaises(ConfigurationError, parse, "loss 1%", seed=-1)

    def test_refused(self) -> None:
        for text, said in (
            ("", "no conditions; write for example loss 10% delay 50ms"),
            ("seed 7", "no conditions"),
            ("in", "word 1, 'in', has no conditions after it"),
            ("in out loss 1%", "word 1, 'in', has no conditions after it"),
            ("in loss 1% out", "word 4, 'out', has no conditions after it"),
            ("in loss 1% in loss 2%", "word 4, 'in', is given twice"),
            ("loss 1% out loss 2%", "word 3, 'out', comes too late: begin with 'in' or 'out'"),
            ("loss 1% loss 2%", "word 3, 'loss', is given twice"),
            ("seed 1 loss 1% seed 1", "word 5, 'seed', is given twice"),
            ("losss 1%", "word 1, 'losss', is not known (did you mean 'loss'?)"),
            ("loss 1% dealy 5ms", "word 3, 'dealy', is not known (did you mean 'delay'?)"),
            ("xyz", "the known ones are limit, delay, loss, duplicate, corrupt, reorder, rate"),
            ("5ms", "word 1, '5ms', is not known"),
            # numbers
            ("loss", "word 1, 'loss', needs a percentage after it; write for example loss 10%"),
            ("loss random", "word 2, 'random', needs a percentage after it"),
            ("loss much", "word 2, 'much', is not a percentage; write for example 10% or 0.5%"),
            ("loss 5ms", "word 2, '5ms', is not a percentage"),
            ("loss -5%", "word 2, '-5%', must not be negative"),
            ("loss 100.1%", "word 2, '100.1%', is over 100%"),
            ("loss nan", "word 2, 'nan', is not a percentage"),
            ("loss inf", "word 2, 'inf', is not a percentage"),
            ("loss 5% nan", "word 3, 'nan', is not a percentage"),
            ("loss 5% -1%", "word 3, '-1%', must not be negative"),
            (
                "loss 1% 2% 3%",
                "word 4, '3%', is one number too many: write loss [random] P [CORRELATION]",
            ),
            ("loss gemodel", "word 2, 'gemodel', needs a percentage after it"),
            ("loss gemodel 1 2 3 4 5", "word 7, '5', is one number too many"),
            ("loss state", "word 2, 'state', needs a percentage after it"),
            ("loss state 1 2 3 4 5 6", "word 8, '6', is one number too many"),
            ("loss state 60 10 0 0 41", "word 7, '41', is too much: p13 and p14 lead out of the"),
            ("loss state 1 60 41", "word 5, '41', is too much: p31 and p32 lead out of the same"),
            (
                "loss 10 delay 5x",
                "impairment 'loss 10 delay 5x': word 4, '5x', is not a time; write for example",
            ),
            ("delay", "word 1, 'delay', needs a time after it"),
            ("delay -5ms", "word 2, '-5ms', must not be negative"),
            ("delay inf", "word 2, 'inf', is not a time"),
            ("delay 3601s", "word 2, '3601s', is longer than an hour"),
            ("delay 5ms 2e9", "word 3, '2e9', is not a time"),
            ("delay 5ms 1ms 101%", "word 4, '101%', is over 100%"),
            ("delay 5ms distribution normal", "word 3, 'distribution', needs a jitter before it"),
            ("delay 5ms 0 distribution normal", "word 4, 'distribution', needs a jitter"),
            ("delay 5ms 1ms distribution", "word 4, 'distribution', needs a distribution after"),
            (
                "delay 5ms 1ms distribution norml",
                "word 5, 'norml', is not a distribution (did you mean 'normal'?): the known ones",
            ),
            ("reorder 5%", "word 1, 'reorder', needs a delay, since"),
            ("delay 0 5ms reorder 5%", "word 4, 'reorder', needs a delay, since"),
            ("in delay 5ms out reorder 5%", "word 5, 'reorder', needs a delay, since"),
            ("delay 5ms reorder 5% gap", "word 5, 'gap', needs a number after it"),
            ("delay 5ms reorder 5% gap 0", "word 6, '0', must be from 1 to 4294967295"),
            ("limit 0", "word 2, '0', must be from 1 to 4294967295"),
            ("limit -1", "word 2, '-1', must not be negative"),
            ("limit 1.5", "word 2, '1.5', is not a whole number; write for example limit 1000"),
            ("limit 4294967296", "word 2, '4294967296', is out of range: 4294967295 is the most"),
            ("limit " + "9" * 5000, "is out of range"),
            ("rate 0", "word 2, '0', is a rate at which nothing ever arrives"),
            ("rate 0.4bit", "is a rate at which nothing ever arrives"),
            ("rate -1mbit", "word 2, '-1mbit', must not be negative"),
            ("rate 10%", "is not a rate; write for example 1mbit, 64kbit or 125kbps"),
            ("rate 1m", "is not a rate"),
            ("rate 1001tbit", "is more than 1000tbit"),
            ("rate 1mbit 1.5", "word 3, '1.5', is not a whole number"),
            ("rate 1mbit 0 0", "word 4, '0', must be from 1 to"),
            ("rate 1mbit 0 48 -48", "word 5, '-48', leaves nothing of a cell of 48 bytes"),
            ("rate 1mbit 1 2 3 4", "word 6, '4', is one number too many: write rate RATE [PACKETO"),
            ("slot", "word 1, 'slot', needs a time after it"),
            ("slot 0", "word 2, '0', must be more than 0"),
            ("slot 5ms 4ms", "word 3, '4ms', is less than the time before it"),
            ("slot 5ms packets", "word 3, 'packets', needs a number after it"),
            ("slot 5ms packets 0", "word 4, '0', must be from 1 to"),
            ("slot 5ms bytes 1 bytes 2", "word 5, 'bytes', is given twice"),
            ("slot 5ms bytes many", "word 4, 'many', is not a number of bytes"),
            ("slot distribution", "word 2, 'distribution', needs a distribution after it"),
            ("slot distribution normal 5ms", "word 4, '5ms', needs a time after it"),
            ("slot distribution normal 5ms 0", "word 5, '0', must be more than 0"),
            ("seed", "word 1, 'seed', needs a number after it; write for example seed 7"),
            ("seed x", "word 2, 'x', is not a seed: a whole number from 0 to 18446744073709551615"),
            # words of netem and of streams that have no place here
            ("loss 1% ecn", "word 3, 'ecn', marks packets for routers and TCP to act upon"),
            ("latency 5ms", "word 1, 'latency', is written delay here"),
            ("drop 5%", "word 1, 'drop', is written loss here"),
            ("gemodel 1%", "word 1, 'gemodel', belongs to a loss: write loss before it"),
            ("gap 5", "word 1, 'gap', belongs to a reorder: write reorder P gap N"),
            ("packets 5", "word 1, 'packets', belongs to a slot"),
            ("distribution normal", "word 1, 'distribution', belongs to a delay: write delay TIME"),
            ("segment 5", "word 1, 'segment', is for streams"),
            ("stall 1% 5ms", "word 1, 'stall', is for streams"),
            ("reset 1%", "is for streams, where nothing is lost; for datagrams write loss, delay"),
        ):
            error = self.assertRaises(ConfigurationError, parse, text)
            self.assertIn(said, str(error))
            self.assertNotIn("\n", str(error))
            self.assertTrue(str(error).startswith("impairment '"), error)

    @given(NONSENSE)
    def test_anything(self, text: str) -> None:
        with contextlib.suppress(ConfigurationError):
            made = parse(text)
            self.assertEqual(parse(str(made)), made)

    @given(TEXTS)
    def test_right(self, text: str) -> None:
        made = parse(text)
        self.assertEqual(parse(str(made)), made)
        self.assertEqual(str(parse(str(made))), str(made))


class Streams(SynchronousTestCase):
    def test_words(self) -> None:
        for text, expected in (
            ("limit 64k", StreamConditions()),
            ("limit 100", StreamConditions(limit=100)),
            (
                "delay 50ms 10ms 25% distribution normal",
                StreamConditions(delay=Delay(0.05, 0.01, 0.25, "normal")),
            ),
            ("rate 1mbit", StreamConditions(rate=Rate(10**6))),
            ("segment 100", StreamConditions(segment=Segment(100, 100))),
            ("Segment 1 1k", StreamConditions(segment=Segment(1, 1024))),
            ("stall 1% 500ms", StreamConditions(stall=Stall(0.01, 0.5))),
            ("reset 1%", StreamConditions(reset=0.01)),
        ):
            made = parse_stream(text)
            self.assertEqual((made.inward, made.outward, made.seed), (None, expected, None))

    def test_directions_and_seed(self) -> None:
        made = parse_stream("in segment 1 seed 7 out reset 1%")
        self.assertEqual(made.inward, StreamConditions(segment=Segment(1, 1)))
        self.assertEqual(made.outward, StreamConditions(reset=0.01))
        self.assertEqual(made.seed, 7)
        self.assertEqual(parse_stream("reset 1% seed 7", seed=9).seed, 9)

    def test_refused(self) -> None:
        for text, said in (
            ("", "no conditions; write for example delay 50ms"),
            ("in", "word 1, 'in', has no conditions after it; write for example delay 50ms"),
            ("loss 1%", "word 1, 'loss', does not happen to a stream: TCP repairs it"),
            ("drop 1%", "TCP repairs it"),
            ("duplicate 1%", "TCP repairs it"),
            ("corrupt 1%", "Write delay, stall or reset, or impair a datagram service"),
            ("delay 5ms reorder 1%", "word 3, 'reorder', does not happen to a stream"),
            ("slot 5ms", "word 1, 'slot', is for datagrams; for streams write rate, segment"),
            ("ecn", "word 1, 'ecn', marks packets"),
            ("rate 1mbit 20", "word 3, '20', is one number too many: write rate RATE"),
            ("segment", "word 1, 'segment', needs a number of bytes after it"),
            ("segment 0", "word 2, '0', must be from 1 to"),
            ("segment 10 5", "word 3, '5', is less than the size before it"),
            ("segment 5ms", "word 2, '5ms', is not a number of bytes; write for example 1500 or"),
            ("stall 1%", "word 2, '1%', needs a time after it; write for example stall 1% 500ms"),
            ("stall 1% 0", "word 3, '0', must be more than 0"),
            ("reset", "word 1, 'reset', needs a percentage after it"),
            ("reset 1% 5", "word 3, '5', is one number too many: write reset P"),
            ("limit 0", "word 2, '0', must be from 1 to"),
            ("resset 1%", "(did you mean 'reset'?)"),
        ):
            error = self.assertRaises(ConfigurationError, parse_stream, text)
            self.assertIn(said, str(error))

    @given(NONSENSE)
    def test_anything(self, text: str) -> None:
        with contextlib.suppress(ConfigurationError):
            made = parse_stream(text)
            self.assertEqual(parse_stream(str(made)), made)

    @given(STREAM_TEXTS)
    def test_right(self, text: str) -> None:
        made = parse_stream(text)
        self.assertEqual(parse_stream(str(made)), made)
        self.assertEqual(str(parse_stream(str(made))), str(made))
