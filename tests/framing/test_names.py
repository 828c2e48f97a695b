# trial's assertions have no annotations:
# mypy: allow-untyped-calls

from __future__ import annotations

import contextlib

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from netlab import framing
from netlab.errors import ConfigurationError
from netlab.framing import (
    FRAMINGS,
    ContentLength,
    LengthPrefix,
    Line,
    Netstring,
    Varint,
    parse_framing,
)


class Parse(SynchronousTestCase):
    def test_names(self) -> None:
        for name, cls in FRAMINGS.items():
            self.assertIs(type(parse_framing(name)), cls)
            self.assertEqual(parse_framing(name, 100).max_message, 100)
            self.assertEqual(parse_framing(f"{name}:max-message=100").max_message, 100)

    def test_options(self) -> None:
        for text, expected in (
            (
                "length-prefix:size=2:byteorder=little:adjustment=-2",
                LengthPrefix(2, "little", adjustment=-2),
            ),
            (
                " length-prefix:size=8:max_message=5000000000 ",
                LengthPrefix(8, max_message=5 * 10**9),
            ),
            ("varint", Varint()),
            ("netstring", Netstring()),
            ("content-length", ContentLength()),
            ("line", Line()),
            (r"line:delimiter=\r\n", Line(b"\r\n")),
            (r"line:delimiter=\x3a\\\0\t", Line(b":\\\0\t")),
            ("line:delimiter==", Line(b"=")),
        ):
            self.assertEqual(parse_framing(text), expected)

    def test_refused(self) -> None:
        for text, said in (
            ("", "the known ones are length-prefix, varint, netstring, content-length, line"),
            ("netstrings", "(did you mean 'netstring'?)"),
            ("length_prefix", "(did you mean 'length-prefix'?)"),
            ("Line", "(did you mean 'line'?)"),
            ("length-prefix:sise=2", "(did you mean 'size'?)"),
            ("length-prefix:byte_ordr=big", "(did you mean 'byteorder'?)"),
            ("varint:size=4", "the known ones are max_message"),
            ("length-prefix:2", "write name=value"),
            ("length-prefix:size=", "size must be a whole number, not ''"),
            ("length-prefix:size=two", "size must be a whole number, not 'two'"),
            ("length-prefix:size=" + "9" * 5000, "size must be a whole number"),
            ("length-prefix:size=3", "1, 2, 4 or 8"),
            ("length-prefix:byteorder=middle", "'big' or 'little'"),
            ("length-prefix:size=2:size=4", "twice"),
            ("line:delimiter=", "one or more bytes"),
            (r"line:delimiter=\q", r"unknown escape '\q'"),
            ("line:delimiter=\\", "unknown escape"),
            ("line:delimiter=€", r"write others than ASCII as \xHH"),
            ("line:max_message=0", "1 or more"),
        ):
            error = self.assertRaises(ConfigurationError, parse_framing, text)
            self.assertIn(said, str(error))

    def test_max_message_twice(self) -> None:
        error = self.assertRaises(ConfigurationError, parse_framing, "line:max_message=5", 6)
        self.assertIn("give it once", str(error))

    @given(st.text(), st.sampled_from(["", *FRAMINGS]), st.sampled_from(["", ":", ":size="]))
    def test_anything(self, text: str, name: str, join: str) -> None:
        with contextlib.suppress(ConfigurationError):
            parse_framing(name + join + text)


class PublicNames(SynchronousTestCase):
    def test_all(self) -> None:
        self.assertEqual(
            framing.__all__,
            [
                *("DEFAULT_MAX_MESSAGE", "FRAMINGS", "ContentLength", "Decoder", "Framing"),
                *("LengthPrefix", "Line", "Netstring", "Varint", "parse_framing"),
            ],
        )
        for name in framing.__all__:
            self.assertTrue(hasattr(framing, name))
