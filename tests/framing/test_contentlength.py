# trial's assertions have no annotations:
# mypy: allow-untyped-calls

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from netlab.errors import CorruptedFrame, IncomingFrameTooLong, RemoteProtocolError
from netlab.framing import ContentLength
from netlab.framing.contentlength import MAX_HEADERS
from netlab.testing.framing import check_framing


def bytewise(stream: bytes) -> list[bytes]:
    return [bytes([byte]) for byte in stream]


class Properties(SynchronousTestCase):
    def test_default(self) -> None:
        check_framing(ContentLength())

    def test_short_limit(self) -> None:
        check_framing(ContentLength(max_message=20), max_examples=50)

    @given(
        st.lists(
            st.sampled_from(
                [
                    *(b"Content-Length: 3", b"content-length:0", b"X: y", b"\r\n", b"\r\n\r\n"),
                    *(b"\n", b"\r", b" ", b":", b"\0", b"abc", b"\x16\x03", b"9" * 30, b"\xe9"),
                ]
            )
        )
    )
    def test_header_like_bytes(self, parts: list[bytes]) -> None:
        stream = b"".join(parts)
        outcomes = []
        for pieces in ([stream], bytewise(stream)):
            decoder = ContentLength().decoder()
            messages = []
            error: type[Exception] | None = None
            try:
                for piece in pieces:
                    messages += decoder.feed(piece)
                decoder.eof()
            except RemoteProtocolError as raised:
                error = type(raised)
            outcomes.append((messages, error))
        self.assertEqual(outcomes[0], outcomes[1])


class Wire(SynchronousTestCase):
    def test_example(self) -> None:
        frame = b"Content-Length: 5\r\n\r\nhello"
        self.assertEqual(ContentLength().encode(b"hello"), frame)
        self.assertEqual(ContentLength().decoder().feed(frame * 2), [b"hello"] * 2)

    def test_accepted(self) -> None:
        for headers in (
            b"content-length: 5",
            b"CONTENT-LENGTH:5",
            b"Content-Length: \t5 \t",
            b"Content-Length: 00000000000000000000005",
            b"Content-Type: application/vscode-jsonrpc; charset=utf-8\r\nContent-Length: 5",
            b"Content-Length: 5\r\nX-Unknown:",
            b"X: \xc3\xa9\r\nContent-Length: 5",
        ):
            stream = headers + b"\r\n\r\nhello"
            for pieces in ([stream], bytewise(stream)):
                decoder = ContentLength().decoder()
                messages = [message for piece in pieces for message in decoder.feed(piece)]
                self.assertEqual(messages, [b"hello"])

    def test_refused(self) -> None:
        for stream, said in (
            (b"Content-Type: x\r\n\r\n", "Content-Length is missing"),
            (b"\r\n\r\n", "empty line"),
            (b"Content-Length: 5\r\nContent-Length: 5\r\n\r\n", "twice"),
            (b"Content-Length: 5\r\ncontent-length: 6\r\n\r\n", "twice"),
            (b"Content-Length: 5\n\nhello", "bare LF: end each line with CR LF"),
            (b"Content-Length: 5\rX: y\r\n\r\n", "CR without LF"),
            (b"X: a\r\n b\r\nContent-Length: 5\r\n\r\n", "no folding"),
            (b" Content-Length: 5\r\n\r\n", "white space"),
            (b"Content-Length : 5\r\n\r\n", "is not a header: write 'Name: value'"),
            (b": 5\r\n\r\n", "is not a header"),
            (b"Content-Length: 5\0\r\n\r\n", r"control character '\x00'"),
            (b"Content-Length: \x7f\r\n\r\n", r"control character '\x7f'"),
            (b"Content-Length:\r\n\r\n", "digits only, not ''"),
            (b"Content-Length: -5\r\n\r\n", "digits only, not '-5'"),
            (b"Content-Length: +5\r\n\r\n", "digits only"),
            (b"Content-Length: 5, 5\r\n\r\n", "digits only"),
            (b"Content-Length: 0x5\r\n\r\n", "digits only"),
            (b"Content-Length: 5_0\r\n\r\n", "digits only"),
            ("Content-Length: ٣\r\n\r\n".encode(), "digits only"),
            (b"Content-Length: " + b"9" * 4000 + b"\r\n\r\n", "4000 digits"),
            (b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n", "no blank line within 4096"),
            (b"X: " + b"y" * MAX_HEADERS, "no blank line within 4096"),
            (b"hello\r\n", "'hello' is not a header"),
        ):
            for pieces in ([stream], bytewise(stream)):
                decoder = ContentLength().decoder()
                with self.assertRaises(CorruptedFrame) as caught:
                    for piece in pieces:
                        decoder.feed(piece)
                self.assertIn(said, str(caught.exception))

    def test_longest_headers(self) -> None:
        end = b"\r\nContent-Length: 0\r\n\r\n"
        for size, fits in ((MAX_HEADERS, True), (MAX_HEADERS + 1, False)):
            stream = b"X: ".ljust(size - len(end), b"y") + end
            self.assertEqual(len(stream), size)
            for pieces in ([stream], bytewise(stream)):
                decoder = ContentLength().decoder()
                try:
                    got = [message for piece in pieces for message in decoder.feed(piece)]
                except CorruptedFrame:
                    got = None
                self.assertEqual(got, [b""] if fits else None)

    def test_too_long(self) -> None:
        for digits in (b"1048577", b"99999999999999999999"):
            decoder = ContentLength().decoder()
            stream = b"Content-Length: " + digits + b"\r\n\r\n"
            error = self.assertRaises(IncomingFrameTooLong, decoder.feed, stream)
            self.assertEqual(error.announced, int(digits))


class Hints(SynchronousTestCase):
    def test_protocols(self) -> None:
        for stream, said in (
            (b"GET / HTTP/1.1\r\n", "this is an HTTP request"),
            (b"HTTP/1.1 200 OK\r\n", "this is an HTTP response"),
            (b"\x16\x03\x01\x02\0\1", "this is a TLS ClientHello"),
            (b"\x16", "this is a TLS ClientHello"),
            (b"\0\0\0\5hello", "4-byte big-endian length of 5"),
            (b"hello\r\n", "expected 'Content-Length: N' and a blank line"),
        ):
            decoder = ContentLength().decoder()
            error = self.assertRaises(CorruptedFrame, decoder.feed, stream)
            self.assertIn(said, str(error))

    def test_own_headers_are_not_guessed_at(self) -> None:
        decoder = ContentLength().decoder()
        error = self.assertRaises(CorruptedFrame, decoder.feed, b"Content-Length: x\r\n\r\n")
        self.assertEqual(str(error), "Content-Length must be digits only, not 'x'")

    def test_later_frames(self) -> None:
        decoder = ContentLength().decoder()
        decoder.feed(b"Content-Length: 1\r\n\r\na")
        error = self.assertRaises(CorruptedFrame, decoder.feed, b"GET / HTTP/1.1\r\n")
        self.assertIn("the stream is corrupted", str(error))
