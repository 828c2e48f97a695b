# trial's assertions have no annotations:
# mypy: allow-untyped-calls
"""What the options of all services have in common: each mistake is one line, with its name."""

from __future__ import annotations

import io
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from twisted.logger import LogLevel
from twisted.python import usage
from twisted.trial.unittest import SynchronousTestCase

from netlab import options as options_module
from netlab.errors import ConfigurationError
from netlab.impair import parse, parse_stream
from netlab.options import (
    CommonOptions,
    count,
    impairment,
    parameter,
    recorder,
    seconds,
    whole,
)
from netlab.transport import DEFAULT_GRACE, Log, log


class Some(CommonOptions):
    """Options of each kind."""

    optParameters = [
        parameter("even", 2, "an even number", lambda text: _even(text), "an even number"),
        count("many", None, "from 1 up"),
        whole("some", 5, "from 0 up"),
        seconds("time", 1.5, "or none"),
        ["impair", "i", None, "words"],
        whole("seed", None, "a number"),
    ]


def _even(text: str) -> int:
    if int(text) % 2:
        raise ValueError(text)
    return int(text)


class OptionsCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.patch(log, "_threshold", LogLevel.info)
        self.err = io.StringIO()
        self.patch(sys, "stderr", self.err)

    def parse(self, *words: str, options: Any = None) -> Any:
        """What these words mean."""
        options = options or Some()
        options.parseOptions(list(words))
        return options

    def refused(self, *words: str) -> str:
        """The line that is said of words that mean nothing, with which it ends."""
        self.err.seek(0)
        self.err.truncate()
        with self.assertRaises(SystemExit) as ended:
            self.parse(*words)
        self.assertEqual(ended.exception.code, 1)
        line = self.err.getvalue()
        self.assertRegex(line, r"\Anetlab: [^\n]+ \(see --help\)\n\Z")
        return line


class Kinds(OptionsCase):
    def test_defaults(self) -> None:
        """As they were written, unread."""
        options = self.parse()
        values = [options[name] for name in ("even", "many", "some", "time", "grace")]
        self.assertEqual(values, [2, None, 5, 1.5, DEFAULT_GRACE])

    def test_values(self) -> None:
        """Read, each as its kind; 0 seconds are no limit, a grace of 0 is none at all."""
        for word, name, value in (
            ("--even=4", "even", 4),
            ("--many=1", "many", 1),
            ("--some=0", "some", 0),
            ("--time=0", "time", None),
            ("--time=0.25", "time", 0.25),
            ("--grace=0", "grace", 0.0),
            ("--grace=2.5", "grace", 2.5),
        ):
            found = self.parse(word)[name]
            self.assertEqual((found, type(found)), (value, type(value)), word)

    def test_bad_values(self) -> None:
        """What cannot be read, and what could."""
        for name, good, values in (
            ("even", "an even number", ("3", "two", "")),
            ("many", "a whole number from 1 up", ("0", "-1", "1.5", "many", "")),
            ("some", "a whole number from 0 up", ("-1", "0.5", "x", "")),
            ("seed", "a whole number from 0 up", ("-1", "x", "1e3")),
            ("time", "a number of seconds (0 for no limit)", ("-1", "nan", "inf", "soon")),
            ("grace", "a number of seconds", ("-1", "nan", "inf", "soon")),
        ):
            for value in values:
                line = self.refused(f"--{name}={value}")
                self.assertIn(f"--{name}: {value!r} is not {good}", line)

    def test_escaped(self) -> None:
        """A value that would move the cursor is shown, not obeyed."""
        for value in ("\x1b[31m", "1\n2", "\N{RIGHT-TO-LEFT OVERRIDE}"):
            self.assertTrue(self.refused(f"--some={value}").rstrip("\n").isprintable())

    def test_level(self) -> None:
        """A level is set; one that is none is said."""
        self.parse("--log-level=debug")
        self.assertTrue(log.debugging())
        self.assertIn(
            "--log-level: log level 'loud' is not one of debug", self.refused("--log-level=loud")
        )

    def test_grace_of_the_program(self) -> None:
        """What was said before the service's name holds for it, unless it says otherwise."""
        parent = self.parse("--grace=3")
        for words, grace in (([], 3.0), (["--grace=4"], 4.0)):
            child = Some()
            child.parent = parent
            self.assertEqual(self.parse(*words, options=child)["grace"], grace)

    def test_read(self) -> None:
        """A reader's ``ConfigurationError`` is told with the option's name."""

        def fail(value: Any) -> Any:
            raise ConfigurationError(f"{value} is no good")

        error = self.assertRaises(usage.UsageError, self.parse().read, "some", fail)
        self.assertEqual(str(error), "--some: 5 is no good")


class Impairments(OptionsCase):
    def test_none(self) -> None:
        """Without one there is none, and nothing to seed."""
        self.assertIsNone(impairment(self.parse(), parse))
        error = self.assertRaises(usage.UsageError, impairment, self.parse("--seed=7"), parse)
        self.assertEqual(str(error), "--seed: there is nothing to seed without --impair")

    def test_words(self) -> None:
        """Words and seed, for datagrams and for streams."""
        options = self.parse("--impair=loss 10% delay 50ms", "--seed=7")
        self.assertEqual(impairment(options, parse), parse("loss 10% delay 50ms", seed=7))
        options = self.parse("-i", "delay 50ms stall 1% 2s")
        self.assertEqual(impairment(options, parse_stream), parse_stream("delay 50ms stall 1% 2s"))

    def test_bad_words(self) -> None:
        """What is wrong with them is said with the option's name, in one line."""
        for words in (
            "los 10%",
            "loss",
            "delay 50 lightyears",
            "",
            "loss 10% loss 20%",
            "loss \x1b[31m",
        ):
            options = self.parse("--impair", words)
            error = str(self.assertRaises(usage.UsageError, impairment, options, parse))
            self.assertTrue(error.startswith("--impair: "), error)
            self.assertTrue(error.isprintable(), error)
        self.assertRaises(usage.UsageError, impairment, self.parse("-i", "loss 1%"), parse_stream)


class Recording(OptionsCase):
    def setUp(self) -> None:
        super().setUp()
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name)

    def test_none(self) -> None:
        """No file, no recorder."""
        self.assertIsNone(recorder())
        self.assertIsNone(recorder(ledger="", pcap=None))

    def test_files(self) -> None:
        """Each file that is named is there from the start."""
        made = recorder(str(self.folder / "ledger"), str(self.folder / "pcap"))
        assert made is not None
        self.addCleanup(made.close)
        self.assertTrue(made.capturing)
        self.assertEqual(sorted(os.listdir(self.folder)), ["ledger", "pcap"])

    def test_impossible(self) -> None:
        """A file that cannot be written is said in one line."""
        for name in ("/no/such/folder/x", str(self.folder), "/dev/null/x"):
            error = str(self.assertRaises(usage.UsageError, recorder, name))
            self.assertTrue(error.isprintable() and name in error, error)

    def test_later(self) -> None:
        """What goes wrong later is a line of the log."""
        told: list[str] = []
        self.patch(Log, "warn", lambda self, format, text: told.append(text))
        options_module._tell("the disk is full")
        self.assertEqual(told, ["the disk is full"])
