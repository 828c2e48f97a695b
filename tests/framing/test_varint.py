# trial's assertions have no annotations:
# mypy: allow-untyped-calls

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from netlab.errors import CorruptedFrame, IncomingFrameTooLong, TruncatedFrame
from netlab.framing import Varint
from netlab.framing.varint import encode_varint
from netlab.testing.framing import check_framing


class Properties(SynchronousTestCase):
    def test_default(self) -> None:
        check_framing(Varint())

    def test_short_limit(self) -> None:
        check_framing(Varint(max_message=300), messages=st.binary(max_size=301), max_examples=50)


class Numbers(SynchronousTestCase):
    def test_examples(self) -> None:
        # From the Protocol Buffers' documentation of the wire format.
        for number, expected in (
            (0, b"\0"),
            (1, b"\1"),
            (127, b"\x7f"),
            (128, b"\x80\1"),
            (150, b"\x96\1"),
            (300, b"\xac\2"),
            ((1 << 64) - 1, b"\xff" * 9 + b"\1"),
        ):
            self.assertEqual(encode_varint(number), expected)

    @given(st.integers(0, (1 << 64) - 1))
    def test_limit_tells_the_number(self, number: int) -> None:
        decoder = Varint(max_message=1).decoder()
        if number > 1:
            error = self.assertRaises(IncomingFrameTooLong, decoder.feed, encode_varint(number))
            self.assertEqual(error.announced, number)

    def test_longer_forms(self) -> None:
        self.assertEqual(Varint().decoder().feed(b"\x85\0hello"), [b"hello"])
        self.assertEqual(Varint().decoder().feed(b"\x85" + b"\x80" * 8 + b"\0hello"), [b"hello"])

    def test_bad(self) -> None:
        for stream, said in (
            (b"\xff" * 10, "more than 10 bytes"),
            (b"\x85" + b"\x80" * 9, "more than 10 bytes"),
            (b"\xff" * 9 + b"\2", "more than 64 bits"),
        ):
            for pieces in ([stream], [bytes([byte]) for byte in stream]):
                decoder = Varint().decoder()
                for piece in pieces[:-1]:
                    decoder.feed(piece)
                error = self.assertRaises(CorruptedFrame, decoder.feed, pieces[-1])
                self.assertIn(said, str(error))


class Hints(SynchronousTestCase):
    def test_text(self) -> None:
        decoder = Varint(max_message=50).decoder()
        error = self.assertRaises(IncomingFrameTooLong, decoder.feed, b"hello\r\n")
        self.assertIn(r"this looks like text ('hello\r\n'): expected a varint", str(error))

    def test_request_that_ends(self) -> None:
        decoder = Varint().decoder()
        decoder.feed(b"GET / HTTP/1.0\r\n\r\n")
        self.assertRaises(TruncatedFrame, decoder.eof)
        self.assertIn("18 of 72 bytes of a frame; this is an HTTP request", str(decoder.error))
