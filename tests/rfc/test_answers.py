from __future__ import annotations

import gzip
from unittest import mock

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from netlab.errors import RemoteProtocolError
from netlab.rfc import answers as module
from netlab.rfc.answers import Answer, Reply

OK = b"HTTP/1.1 200 OK\r\n"
COUNTED = OK + b"Content-Length: 3\r\n\r\ntea"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nte\r\n1;x\r\na\r\n0\r\nX: y\r\n\r\n"
PACKED = gzip.compress(b"tea")
ANSWERS = (
    COUNTED,
    CHUNKED,
    OK + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%b" % (len(PACKED), PACKED),
    b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + COUNTED,
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n" + CHUNKED,
)


def answered(data: bytes, *, clean: bool | None = None) -> Reply:
    """What ``data`` is, at the end of the connection too if ``clean`` is given."""
    answer = Answer()
    answer.feed(data)
    if clean is not None:
        answer.end(clean=clean)
    assert answer.complete
    return answer.reply()


class Answers(SynchronousTestCase):
    def refused(self, data: bytes, what: str) -> None:
        error = self.assertRaises(RemoteProtocolError, answered, data)
        self.assertIn(what, str(error))

    def test_contents(self) -> None:
        for data in ANSWERS:
            reply = answered(data)
            self.assertEqual((reply.status, reply.reason, reply.content), (200, "OK", b"tea"))
            self.assertNotIn("content-encoding", reply.fields)
            self.assertNotIn("link", reply.fields)

    @given(st.sampled_from(ANSWERS), st.lists(st.integers(1, 200), max_size=20))
    def test_in_pieces(self, data: bytes, sizes: list[int]) -> None:
        answer = Answer()
        for size in [*sizes, len(data)]:
            piece, data = data[:size], data[size:]
            if piece:
                self.assertFalse(answer.complete)
                answer.feed(piece)
        self.assertEqual(answer.reply().content, b"tea")
        self.assertFalse(answer.is_last)

    @given(st.binary(max_size=300))
    def test_any_bytes(self, data: bytes) -> None:
        for begin in (b"", b"HTTP/1.1 ", OK, OK + b"Transfer-Encoding: chunked\r\n\r\n"):
            answer = Answer()
            try:
                answer.feed(begin + data)
                answer.end(clean=True)
                answer.reply()
            except RemoteProtocolError as error:
                self.assertTrue(str(error).isprintable())

    def test_bodiless(self) -> None:
        """RFC 9112, 6.3, 1: whatever the fields say."""
        for fields in (b"", b"Content-Length: 9\r\n", b"Transfer-Encoding: chunked\r\n"):
            for status in (b"304 Not Modified", b"204 No Content"):
                answer = Answer()
                answer.feed(b"HTTP/1.1 " + status + b'\r\nETag: "a"\r\n' + fields + b"\r\n")
                self.assertTrue(answer.complete)
                self.assertEqual(answer.reply().content, b"")
        packed = b'HTTP/1.1 304 x\r\nContent-Encoding: gzip\r\nETag: "a"\r\n\r\n'
        self.assertEqual(answered(packed).fields.get("etag"), '"a"')

    def test_which_is_the_last(self) -> None:
        """RFC 9112, 9.3."""
        for data, last in (
            (COUNTED, False),
            (CHUNKED, False),
            (OK + b"Connection: close\r\nContent-Length: 0\r\n\r\n", True),
            (b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", True),
            (b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n", False),
            (b"HTTP/1.1 304 x\r\n\r\n", False),
        ):
            answer = Answer()
            answer.feed(data)
            self.assertEqual((answer.complete, answer.is_last), (True, last), data)

    def test_to_the_end(self) -> None:
        """RFC 9112, 6.3, 8; with TLS the end must be said."""
        data = OK + b"\r\ntea"
        self.assertEqual(answered(data, clean=True).content, b"tea")
        error = self.assertRaises(RemoteProtocolError, answered, data, clean=False)
        self.assertIn("breaks off", str(error))

    def test_truncated(self) -> None:
        for data in ANSWERS:
            for size in range(1, len(data)):
                answer = Answer()
                answer.feed(data[:size])
                self.assertFalse(answer.complete)
                self.assertRaises(RemoteProtocolError, answer.end, clean=True)

    def test_not_http(self) -> None:
        for data in (
            *(b"SSH-2.0-x\r\n", b"HTTP/1.1 abc\r\n\r\n", b"<html>", b"\x16\x03\x01"),
            OK + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
            OK + b"Content-Length: -1\r\n\r\n",
            OK + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\n",
            OK + b"Content-Length: 99999999999999999999999\r\n\r\n",
            OK + b"X y: z\r\n\r\n",
            OK + b"X: \x1b[2J\r\n\r\n",
            OK + b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
            b"HTTP/1.1 000 x\r\n\r\n",
            b"HTTP/1.1 101 x\r\nConnection: upgrade\r\nUpgrade: y\r\n\r\n",
        ):
            self.refused(data, "is not HTTP")

    def test_heads_without_end(self) -> None:
        many = b"".join(b"X-%d: y\r\n" % n for n in range(202))
        self.refused(OK + many, "is not HTTP")
        self.refused(OK + b"X: " + b"y" * 70_000, "is not HTTP")
        self.refused(b"HTTP/1.1 100 Continue\r\n\r\n" * 3000, "is not HTTP")
        chunked = OK + b"Transfer-Encoding: chunked\r\n\r\n"
        self.refused(chunked + b"0\r\n" + many, "is not HTTP")
        self.refused(chunked + b"0\r\nX: " + b"y" * 70_000, "is not HTTP")
        self.refused(chunked + b"1;x=" + b"y" * 70_000, "is not HTTP")
        self.refused(OK + b"X: " + b"y" * 70_000 + b"\r\nContent-Length: 0\r\n\r\n", "is not HTTP")
        small = chunked + b"1\r\nx\r\n" * 100_000 + b"0\r\n\r\n"
        self.assertEqual(answered(small).content, b"x" * 100_000)

    def test_more_than_was_announced(self) -> None:
        for data in (
            COUNTED + b"!",
            COUNTED + COUNTED,
            CHUNKED + b"HTTP/1.1 200",
            b"HTTP/1.1 304 x\r\nContent-Length: 3\r\n\r\ntea",
            OK + b"Connection: close\r\nContent-Length: 3\r\n\r\ntea!",
        ):
            self.refused(data, "goes on behind its end")

    def test_too_long(self) -> None:
        self.patch(module, "LONGEST", 1000)
        self.refused(OK + b"\r\n" + bytes(1001), "more than 1000 bytes")

    def test_ctrl_c(self) -> None:
        """It may come while the parser calls, and is no fault of the answer."""
        for name in ("on_message_begin", "on_header", "on_headers_complete", "on_body"):
            with mock.patch.object(Answer, name, side_effect=KeyboardInterrupt):
                self.assertRaises(KeyboardInterrupt, answered, COUNTED)

    def test_codings(self) -> None:
        self.refused(OK + b"Content-Encoding: br\r\nContent-Length: 1\r\n\r\nx", "nobody asked")
        bad = OK + b"Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\ntea"
        self.refused(bad, "cannot be uncompressed")
        for coding in (b"gzip, chunked", b"deflate, chunked"):
            coded = OK + b"Transfer-Encoding: %b\r\n\r\n0\r\n\r\n" % coding
            self.refused(coded, "transfer coding that nobody asked for")
        empty = OK + b"Content-Encoding: gzip\r\nContent-Length: 0\r\n\r\n"
        self.refused(empty, "ends in the middle")
        cut = OK + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%b"
        self.refused(cut % (len(PACKED) - 3, PACKED[:-3]), "ends in the middle")
