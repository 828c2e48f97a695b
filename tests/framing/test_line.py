# trial's assertions have no annotations:
# mypy: allow-untyped-calls

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from netlab.errors import ConfigurationError, IncomingFrameTooLong, LocalProtocolError
from netlab.framing import Line
from netlab.testing.framing import check_framing


class Properties(SynchronousTestCase):
    def test_default(self) -> None:
        check_framing(Line())
        check_framing(Line(), messages=st.text(max_size=30).map(str.encode), max_examples=30)

    def test_short_limit(self) -> None:
        few = st.lists(st.sampled_from([b"\r", b"\n", b"a"]), max_size=8).map(b"".join)
        check_framing(Line(max_message=4), messages=few)

    def test_other_delimiters(self) -> None:
        few = st.lists(st.sampled_from([b"\r", b"\n", b"a", b"b"]), max_size=8).map(b"".join)
        for delimiter in (b"\r\n", b"\0", b"aab", b"aa"):
            check_framing(Line(delimiter, max_message=6), messages=few, max_examples=50)


class Wire(SynchronousTestCase):
    def test_default(self) -> None:
        self.assertEqual(Line().encode(b"hello"), b"hello\n")
        decoder = Line().decoder()
        self.assertEqual(decoder.feed(b"a\nb\r\n\n\r\nc\r\r\nd"), [b"a", b"b", b"", b"", b"c\r"])
        self.assertEqual(decoder.buffered, 1)
        self.assertEqual(decoder.feed(b"\r"), [])
        self.assertEqual(decoder.feed(b"\ne\n"), [b"d", b"e"])

    def test_exact_delimiter(self) -> None:
        decoder = Line(b"\r\n").decoder()
        self.assertEqual(decoder.feed(b"a\nb\r"), [])
        self.assertEqual(decoder.feed(b"\r\n"), [b"a\nb\r"])
        self.assertEqual(Line(b"\0").decoder().feed(b"a\r\0b\0"), [b"a\r", b"b"])

    def test_what_cannot_be_sent(self) -> None:
        for framing, message in (
            (Line(), b"a\nb"),
            (Line(), b"a\n"),
            (Line(), b"a\r"),
            (Line(b"\r\n"), b"a\r\nb"),
            (Line(b"--"), b"a-"),
            (Line(b"aa"), b"a"),
        ):
            error = self.assertRaises(LocalProtocolError, framing.encode, message)
            self.assertIn("a line cannot", str(error))
        self.assertEqual(Line(b"\r\n").encode(b"a\r"), b"a\r\r\n")

    def test_too_long(self) -> None:
        for stream in (b"123456\n", b"123456", b"12345\r\r\n", b"\0" * 1000):
            for pieces in ([stream], [bytes([byte]) for byte in stream]):
                decoder = Line(max_message=5).decoder()
                with self.assertRaises(IncomingFrameTooLong):
                    for piece in pieces:
                        decoder.feed(piece)
                self.assertEqual(decoder.buffered, 0)

    def test_longest(self) -> None:
        for end in (b"\n", b"\r\n"):
            self.assertEqual(Line(max_message=5).decoder().feed(b"12345" + end), [b"12345"])

    def test_hints(self) -> None:
        for stream, said in (
            (b"\x16\x03\x01\x02\0\1", "this is a TLS ClientHello"),
            (b"\0\0\0\5hello", "4-byte big-endian length of 5"),
            (b"hello world", r"does the peer end its lines with '\n'?"),
        ):
            decoder = Line(max_message=5).decoder()
            error = self.assertRaises(IncomingFrameTooLong, decoder.feed, stream)
            self.assertIn(said, str(error))
        decoder = Line(max_message=5).decoder()
        decoder.feed(b"a\nGET / HTTP/1.1\r\n")
        self.assertNotIn("HTTP", str(decoder.error))

    def test_configuration(self) -> None:
        bad: Any
        for bad in (b"", "\n", None, 10, bytearray(b"\n")):
            error = self.assertRaises(ConfigurationError, Line, bad)
            self.assertIn("delimiter must be one or more bytes", str(error))
