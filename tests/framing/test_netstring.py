# trial's assertions have no annotations:
# mypy: allow-untyped-calls

from __future__ import annotations

from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from netlab.errors import CorruptedFrame, IncomingFrameTooLong, RemoteProtocolError
from netlab.framing import Netstring
from netlab.testing.framing import check_framing


class Properties(SynchronousTestCase):
    def test_default(self) -> None:
        check_framing(Netstring())

    def test_short_limit(self) -> None:
        check_framing(Netstring(max_message=12), messages=st.binary(max_size=13), max_examples=50)


class Wire(SynchronousTestCase):
    def test_examples(self) -> None:
        self.assertEqual(Netstring().encode(b"hello"), b"5:hello,")
        self.assertEqual(Netstring().encode(b""), b"0:,")
        self.assertEqual(Netstring().decoder().feed(b"5:hello,0:,1:a"), [b"hello", b""])

    def bad(self, stream: bytes, max_message: int = 1 << 20) -> RemoteProtocolError:
        errors: list[RemoteProtocolError] = []
        for pieces in ([stream], [bytes([byte]) for byte in stream]):
            decoder = Netstring(max_message=max_message).decoder()
            with self.assertRaises(RemoteProtocolError) as caught:
                for piece in pieces:
                    decoder.feed(piece)
                decoder.feed(b"")
            errors.append(caught.exception)
        self.assertIs(type(errors[0]), type(errors[1]))
        return errors[0]

    def test_strict(self) -> None:
        for stream, said in (
            (b"05:hello,", "no leading zeros"),
            (b"00:,", "no leading zeros"),
            (b":,", "begins with its length in digits"),
            (b"-1:,", "begins with its length in digits"),
            (b"+1:a,", "begins with its length in digits"),
            (b" 1:a,", "begins with its length in digits"),
            (b"1 :a,", "begins with its length in digits"),
            ("٣:abc,".encode(), "begins with its length in digits"),
            (b"5:hello.", "a netstring of 5 bytes must end with ',', not '.'"),
            (b"0:x", "must end with ',', not 'x'"),
            (b"5:hello,\n5:hello,", "send no line end after the comma"),
        ):
            error = self.bad(stream)
            self.assertIsInstance(error, CorruptedFrame)
            self.assertIn(said, str(error))

    def test_too_long(self) -> None:
        for stream, announced in ((b"100:", 100), (b"9999", 999), (b"9" * 5000, 999)):
            error = self.bad(stream, 50 if stream == b"100:" else 99)
            assert isinstance(error, IncomingFrameTooLong)
            self.assertEqual(error.announced, announced)

    def test_longest(self) -> None:
        framing = Netstring(max_message=100)
        self.assertEqual(framing.decoder().feed(framing.encode(bytes(100))), [bytes(100)])

    def test_hints(self) -> None:
        for stream, said in (
            (b"GET / HTTP/1.1\r\n", "this is an HTTP request"),
            (b"\x16\x03\x01\x02\0\1", "this is a TLS ClientHello"),
            (b"\0\0\0\5hello", "4-byte big-endian length of 5"),
            (b"hello\n", "this looks like text"),
            (b"Content-Length: 5\r\n\r\n", "this is a Content-Length header"),
        ):
            self.assertIn(said, str(self.bad(stream)))
