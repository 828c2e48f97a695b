"""Bodies of requests: chunks octet by octet, any split of the bytes, and what is too much."""

from __future__ import annotations

import re
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from netlab.fields import Fields
from netlab.http.errors import BodyTooLong, RequestError
from netlab.http.head import HeadReader, Section
from netlab.http.incoming import Incoming

from .support import request

CHUNKED = request("POST", "/", "Host: x", "Transfer-Encoding: chunked")
NEXT = b"GET /next HTTP/1.1\r\nHost: x\r\n\r\n"

TOKENS = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]"
QUOTED = rb'"(?:[^\x00-\x08\x0a-\x1f\x7f"\\]|\\[\t\x20-\x7e\x80-\xff])*"'
EXTENSION = rb"(?:;%b+(?:=(?:%b+|%b))?)*" % (TOKENS, TOKENS, QUOTED)
LOOSE = rb"(?:;(?:%b|[;=]|%b)+)?" % (TOKENS, QUOTED)
"""What llhttp accepts beyond the grammar, names and values that are missing: it does no harm."""
SIZE = rb"([0-9A-Fa-f]+)"
CHUNK = re.compile(SIZE + EXTENSION + rb"\r\n")
LOOSE_CHUNK = re.compile(SIZE + LOOSE + rb"\r\n")
TRAILER = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t\x20-\x7e\x80-\xff]*\r\n")


def incoming(head: bytes = CHUNKED, **limits: int | None) -> Incoming:
    section: Section = HeadReader(100, 8192, None).read(head, None)[2]
    options = {"max_body": 1000, "max_overhead": 200, "max_fields": 5} | limits
    return Incoming(section, **options)  # type: ignore[arg-type]


def feed(body: Incoming, data: bytes, cuts: list[int] | None = None) -> tuple[bytes, bytes]:
    """The content of ``data``, cut at ``cuts``, and what is left of it behind the body."""
    places = [0, *sorted({each % (len(data) + 1) for each in cuts or []}), len(data)]
    got = rest = b""
    for start, stop in pairwise(places):
        piece = data[start:stop]
        if body.complete:
            rest += piece
            continue
        # Somewhere in a larger buffer, as a connection has it.
        end = body.feed(b"xy" + piece, 2)
        rest += piece[end - 2 :]
        got += b"".join(body.take())
    return got, rest


def chunks(*pieces: bytes, extension: bytes = b"", trailers: bytes = b"") -> bytes:
    """A body in chunks."""
    parts = [b"%x%b\r\n%b\r\n" % (len(each), extension, each) for each in pieces]
    return b"".join(parts) + b"0" + extension + b"\r\n" + trailers + b"\r\n"


class Chunks(SynchronousTestCase):
    def test_whole(self) -> None:
        body = incoming()
        data = chunks(b"hello ", b"\r\n\r\nworld", extension=b";a=b", trailers=b"A: b\r\nC:\r\n")
        self.assertEqual(feed(body, data + NEXT), (b"hello \r\n\r\nworld", NEXT))
        self.assertTrue(body.complete)
        self.assertEqual(body.size, 15)
        self.assertEqual(body.trailers, Fields([("A", "b"), ("C", "")]))
        self.assertEqual(body.announced, 0)

    def test_empty(self) -> None:
        body = incoming()
        self.assertEqual(feed(body, b"0\r\n\r\n" + NEXT), (b"", NEXT))
        self.assertTrue(body.complete)

    def test_sizes(self) -> None:
        """In either case, with zeros in front (RFC 9112, 7.1)."""
        data = b"0a\r\n0123456789\r\n0A\r\n0123456789\r\n000\r\n\r\n"
        self.assertEqual(feed(incoming(), data), (b"0123456789" * 2, b""))

    @settings(max_examples=200)
    @given(
        pieces=st.lists(
            st.binary(min_size=1, max_size=30)
            | st.sampled_from((b"\r\n\r\n", b"0\r\n\r\n", b"\r\n0\r\n\r\n\r\n", b"\n\r\n")),
            max_size=5,
        ),
        extension=st.sampled_from((b"", b";a", b';a="b;c";d=e')),
        trailers=st.sampled_from((b"", b"A: b\r\n", b"A:\r\nB: \r\n")),
        cuts=st.lists(st.integers(0, 400)),
        every=st.sampled_from((0, 1, 2, 3, 5)),
    )
    def test_any_split(
        self,
        pieces: list[bytes],
        extension: bytes,
        trailers: bytes,
        cuts: list[int],
        every: int,
    ) -> None:
        """However the bytes are cut, the content, the trailers and the end are the same."""
        data = chunks(*pieces, extension=extension, trailers=trailers) + NEXT
        if every:
            cuts = list(range(0, len(data), every))
        body = incoming(max_overhead=1000)
        self.assertEqual(feed(body, data, cuts), (b"".join(pieces), NEXT))
        self.assertTrue(body.complete)
        self.assertEqual(len(body.trailers), trailers.count(b"\n"))

    @settings(max_examples=300)
    @given(data=st.binary(max_size=60), cuts=st.lists(st.integers(0, 60)))
    def test_anything(self, data: bytes, cuts: list[int]) -> None:
        """Any bytes give content, or ``RequestError``; cut or not, the same of both."""
        for prefix in (b"", b"3\r\nabc", b"0\r\n"):
            found = []
            for each in ([], cuts, list(range(100))):
                body = incoming()
                try:
                    found.append((feed(body, prefix + data, each), body.complete))
                except RequestError as error:
                    self.assertEqual(error.status, 400)
                    found.append(((b"error", b""), False))
            self.assertEqual(found, found[:1] * 3)


class Octets(SynchronousTestCase):
    """Every octet in every place of the framing of chunks."""

    def reference(self, data: bytes, chunk: re.Pattern[bytes] = CHUNK) -> bool:
        """Whether ``data`` is a body in chunks and no more."""
        at = 0
        while True:
            match = chunk.match(data, at)
            if match is None:
                return False
            size = int(match[1], 16)
            at = match.end()
            if not size:
                break
            if data[at + size : at + size + 2] != b"\r\n":
                return False
            at += size + 2
        while (match := TRAILER.match(data, at)) is not None:
            at = match.end()
        return data[at:] == b"\r\n"

    def good(self, data: bytes) -> bool:
        body = incoming()
        try:
            _, rest = feed(body, data)
        except RequestError as error:
            self.assertTrue(error.text.isascii() and error.text.isprintable(), error.text)
            return False
        return body.complete and not rest

    def test_replaced(self) -> None:
        for base in (
            b'2;a=b;c\r\nxy\r\n0;q="r s"\r\nA: b\r\nC:\td\r\n\r\n',
            b"1\r\nx\r\n0\r\n\r\n",
        ):
            self.assertTrue(self.reference(base))
            for at in range(len(base)):
                for octet in range(256):
                    data = base[:at] + bytes([octet]) + base[at + 1 :]
                    if self.good(data):
                        self.assertTrue(self.reference(data, LOOSE_CHUNK), data)
                    else:
                        self.assertFalse(self.reference(data), data)

    def test_line_ends(self) -> None:
        for data in (
            b"1\nx\r\n0\r\n\r\n",
            b"1\r\nx\n0\r\n\r\n",
            b"1\r\nx\r\n0\n\r\n",
            b"1\r\nx\r\n0\r\n\n",
            b"1\rx\r\n0\r\n\r\n",
            b"1\r\nx0\r\n\r\n",
            b"1\r\nxy\r\n0\r\n\r\n",
            b"1;a\nb\r\nx\r\n0\r\n\r\n",
            b"1;a\rb\r\nx\r\n0\r\n\r\n",
            b'1;a="\n"\r\nx\r\n0\r\n\r\n',
            b'1;a="\r\n"\r\nx\r\n0\r\n\r\n',
            b"0\r\nA: b\n\r\n",
            b"0\r\nA: b\r\n c\r\n\r\n",
            b"0\r\nA: b\rc\r\n\r\n",
            b"0\r\nA : b\r\n\r\n",
            b"0\r\n A: b\r\n\r\n",
        ):
            self.assertFalse(self.good(data), data)

    def test_sizes(self) -> None:
        for size in (
            *(b"", b"0x1", b"+1", b"-1", b" 1", b"1 ", b"1\t", b"g", b"1_", b"\xb9", b";a"),
            b"1 ;a",  # RFC 9112 allows white space there; nobody sends it
            b"10000000000000001",  # above 64 bits
            b"f" * 400,
        ):
            self.assertFalse(self.good(size + b"\r\nx\r\n0\r\n\r\n"), size)

    def test_framing_in_trailers(self) -> None:
        """They come too late to mean anything (RFC 9110, 6.5.1)."""
        for line in (b"Content-Length: 5", b"Transfer-Encoding: chunked"):
            self.assertFalse(self.good(b"0\r\n" + line + b"\r\n\r\n"), line)


class Lengths(SynchronousTestCase):
    """Bodies with ``Content-Length``."""

    @given(data=st.binary(max_size=50), cuts=st.lists(st.integers(0, 100)))
    def test_any_split(self, data: bytes, cuts: list[int]) -> None:
        if not data:
            return
        head = request("POST", "/", "Host: x", f"Content-Length: {len(data)}")
        body = incoming(head)
        self.assertEqual(body.announced, len(data))
        self.assertEqual(feed(body, data + NEXT, cuts), (data, NEXT))
        self.assertTrue(body.complete)
        self.assertEqual(body.announced, 0)
        self.assertEqual(body.trailers, Fields())

    def test_incomplete(self) -> None:
        body = incoming(request("POST", "/", "Host: x", "Content-Length: 5"))
        self.assertEqual(feed(body, b"1234"), (b"1234", b""))
        self.assertFalse(body.complete)
        self.assertEqual(body.announced, 1)

    def test_upgrade(self) -> None:
        """A body is a body, whatever the client would like to speak behind it (RFC 9110, 7.8).

        llhttp on its own takes the body for another protocol, and the rest would
        be read as the next request.
        """
        for lines in (
            ("Connection: upgrade", "Upgrade: h2c"),
            ("Connection: Upgrade, HTTP2-Settings", "UPGRADE: websocket", "upgrade: x"),
        ):
            head = request("POST", "/", "Host: x", *lines, "Content-Length: 5")
            self.assertEqual(feed(incoming(head), b"12345" + NEXT), (b"12345", NEXT))
            head = request("POST", "/", "Host: x", *lines, "Transfer-Encoding: chunked")
            self.assertEqual(feed(incoming(head), chunks(b"abc") + NEXT), (b"abc", NEXT))

    def test_any_method(self) -> None:
        for method in ("GET", "HEAD", "DELETE", "OPTIONS", "TRACE", "PATCH", "PRI", "SOURCE"):
            head = request(method, "/", "Host: x", "Content-Length: 5")
            self.assertEqual(feed(incoming(head), b"12345" + NEXT), (b"12345", NEXT), method)


class Limits(SynchronousTestCase):
    def refused(self, body: Incoming, data: bytes, status: int) -> RequestError:
        with self.assertRaises(RequestError) as caught:
            feed(body, data)
        self.assertEqual(caught.exception.status, status)
        error: RequestError = caught.exception
        return error

    def test_body(self) -> None:
        self.assertEqual(len(feed(incoming(), chunks(b"x" * 1000))[0]), 1000)
        error = self.refused(incoming(), chunks(b"x" * 1001), 413)
        self.assertIsInstance(error, BodyTooLong)
        self.refused(incoming(), chunks(*[b"x"] * 1001), 413)
        self.assertEqual(len(feed(incoming(max_body=None), chunks(b"x" * 9999))[0]), 9999)

    def test_small_chunks(self) -> None:
        """Chunks may be small; that is no extension."""
        self.assertEqual(len(feed(incoming(), chunks(*[b"x"] * 1000))[0]), 1000)

    def test_extensions(self) -> None:
        """In all, not each: many small ones are as bad as a large one."""
        self.refused(incoming(), b"1;a=" + b"b" * 300, 431)
        self.refused(incoming(), chunks(b"x", extension=b";" + b"a" * 300), 431)
        self.refused(incoming(), chunks(*[b"x"] * 100, extension=b";" + b"a" * 30), 431)
        self.refused(incoming(), b"0" * 300, 431)

    def test_trailers(self) -> None:
        self.refused(incoming(), b"0\r\nA: " + b"b" * 300, 431)
        self.refused(incoming(), chunks(trailers=b"A: b\r\n" * 6), 431)
        self.assertEqual(feed(incoming(), chunks(trailers=b"A: b\r\n" * 5)), (b"", b""))
