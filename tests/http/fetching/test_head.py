"""Tests for the heads of responses: what is read, repaired, refused."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from netlab.fields import ProxyError
from netlab.http.fetching import FetchError
from netlab.http.fetching.head import Head, check_part, read_head


def head(*lines: str, first: str = "HTTP/1.1 200 OK", method: str = "GET") -> Head:
    """The head with these lines, as it is read."""
    return read_head("\r\n".join([first, *lines, "", ""]).encode("latin-1"), method, 10)


class Reading(SynchronousTestCase):
    def refused(self, *lines: str, first: str = "HTTP/1.1 200 OK") -> FetchError:
        """Why the head is refused."""
        error: FetchError = self.assertRaises(FetchError, head, *lines, first=first)
        return error

    def test_status_lines(self) -> None:
        """RFC 9112, 4: the reason may be missing, and any three digits are a status."""
        for first, found in [
            ("HTTP/1.1 200 OK", ("1.1", 200, "OK")),
            ("HTTP/1.0 404 Not Found", ("1.0", 404, "Not Found")),
            ("HTTP/1.1 204 ", ("1.1", 204, "")),
            ("HTTP/1.1 302", ("1.1", 302, "")),
            ("HTTP/1.9 799 caf\xe9\t!", ("1.1", 799, "caf\xe9\t!")),
        ]:
            read = head(first=first)
            self.assertEqual((read.version, read.status, read.reason), found)

    def test_status_lines_refused(self) -> None:
        for first in (
            *("HTTP/2 200", "HTTP/2.0 200 OK", "HTTP/1.1  200 OK", "HTTP/1.1 20 OK"),
            *("HTTP/1.1 099 Low", "HTTP/1.1 2000 OK", "HTTP/1.1 200OK", "HTTP/1.1 -10 OK"),
            *("http/1.1 200 OK", " HTTP/1.1 200 OK", "HTTP/1.1 200 O\x00K", "HTTP/1.1 200 a\rb"),
            *("HTTP/1.1 200 a\nb", "HTTP/1.1\t200 OK", "HTTP/1.1 ²00 OK", "HTTP/1.10 200 OK"),
        ):
            error = self.refused(first=first)
            self.assertEqual(
                (error.proxy_status, error.status), (ProxyError.HTTP_PROTOCOL_ERROR, 502)
            )

    def test_fields(self) -> None:
        """All of them are there; white space is repaired (RFC 9112, 5.1 and 5.2)."""
        read = head("A : 1", "B:2", "Connection: close", "C: x\r\n\t y ", "a:")
        self.assertEqual(
            list(read.fields),
            [("A", "1"), ("B", "2"), ("Connection", "close"), ("C", "x y"), ("a", "")],
        )

    def test_fields_refused(self) -> None:
        for line in (
            *("A: \x00", "A: b\x01", "A: b\x7f", "A: b\rc", "A: b\nc", "A\x00: b", "no colon"),
            *(": empty", "A b: c", "\xe9: x", "A: x\r\r\nB: y"),
        ):
            self.assertEqual(self.refused(line).proxy_status, ProxyError.HTTP_PROTOCOL_ERROR)
        self.assertEqual(self.refused(" A: folded onto the status line").status, 502)

    def test_long_white_space(self) -> None:
        """It is read in time that grows with its length, not with the square of that."""
        white = " " * 2_000_000
        read = head(f"A: b{white}c\r\n{white}\r\n d")
        self.assertEqual(read.fields.get("a"), "b" + white + "c d")

    def test_number_of_fields(self) -> None:
        self.assertEqual(len(head(*["A: b"] * 10).fields), 10)
        error = self.refused(*["A: b"] * 11)
        self.assertEqual(error.proxy_status, ProxyError.HTTP_RESPONSE_HEADER_SECTION_SIZE)
        self.assertIn("more than 10 fields", str(error))

    def test_framing(self) -> None:
        """RFC 9112, 6.3: length, chunks, or up to the end."""
        read = head("Content-Length: 12")
        self.assertEqual((read.length, read.chunked, read.bodiless), (12, False, False))
        for lines in (("Content-Length: 7, 7",), ("Content-Length: 7", "content-length: 7")):
            self.assertEqual(head(*lines).length, 7)
        read = head("Transfer-Encoding: Chunked")
        self.assertEqual((read.length, read.chunked, read.keep_alive), (None, True, True))
        read = head()
        self.assertEqual((read.length, read.chunked, read.keep_alive), (None, False, False))

    def test_framing_refused(self) -> None:
        """What could be read in two ways is not read."""
        for lines in (
            ("Content-Length: 5", "Transfer-Encoding: chunked"),
            ("Content-Length : 5", "Transfer-Encoding: chunked"),
            ("Content-Length: 5", "Content-Length: 6"),
            ("Content-Length: 5, 6",),
            ("Content-Length: -1",),
            ("Content-Length: +1",),
            ("Content-Length: 1 2",),
            ("Content-Length: 0x10",),
            ("Content-Length: 1_0",),
            ("Content-Length:",),
            ("Content-Length: \xb2",),
            ("Content-Length: " + "9" * 19,),
            ("Content-Length: " + "9" * 5000,),
        ):
            self.assertEqual(self.refused(*lines).proxy_status, ProxyError.HTTP_PROTOCOL_ERROR)
        for line in ("gzip, chunked", "chunked, chunked", "identity", "xchunked", ""):
            self.assertEqual(
                self.refused(f"Transfer-Encoding: {line}").proxy_status,
                ProxyError.HTTP_RESPONSE_TRANSFER_CODING,
            )
        error = self.refused("Transfer-Encoding: chunked", first="HTTP/1.0 200 OK")
        self.assertIn("HTTP/1.0 has no Transfer-Encoding", str(error))

    def test_bodiless(self) -> None:
        """RFC 9112, 6.3: no body after HEAD, 1xx, 204 and 304, whatever the fields say."""
        self.assertEqual(head("Content-Length: 9", method="HEAD").length, 9)
        self.assertTrue(head("Content-Length: 9", method="HEAD").bodiless)
        self.assertTrue(head("Transfer-Encoding: chunked", method="HEAD").bodiless)
        for status in (100, 103, 204, 304):
            self.assertTrue(head("Content-Length: 9", first=f"HTTP/1.1 {status} X").bodiless)
        self.assertTrue(head("Content-Length: 0").bodiless)
        self.assertFalse(head().bodiless)

    def test_interim(self) -> None:
        self.assertTrue(head(first="HTTP/1.1 103 Early Hints").interim)
        self.assertFalse(head(first="HTTP/1.1 200 OK").interim)
        self.assertIn("another protocol", str(self.refused(first="HTTP/1.1 101 Switching")))

    def test_keep_alive(self) -> None:
        """RFC 9112, 9.3."""
        framed = "Content-Length: 1"
        self.assertTrue(head(framed).keep_alive)
        self.assertFalse(head(framed, "Connection: x, Close").keep_alive)
        self.assertFalse(head(framed, first="HTTP/1.0 200 OK").keep_alive)
        self.assertTrue(head(framed, "Connection: Keep-Alive", first="HTTP/1.0 200 OK").keep_alive)

    @given(st.binary(max_size=60))
    def test_any_bytes(self, data: bytes) -> None:
        """Nothing but ``FetchError`` is raised."""
        for raw in (data, b"HTTP/1.1 200 OK\r\n" + data):
            try:
                check_part(raw, 0)
                read_head(raw + b"\r\n\r\n", "GET", 10)
            except FetchError as error:
                self.assertTrue(str(error).isprintable())


class Parts(SynchronousTestCase):
    def test_beginnings(self) -> None:
        """Any part of a good head may come first."""
        whole = b"HTTP/1.1 200 OK\r\nA: b\r\n\r\n"
        for size in range(1, len(whole)):
            check_part(whole[:size], 0)
            check_part(whole[:size], max(0, size - 3))

    def test_refused(self) -> None:
        """What cannot become a head is refused at once."""
        for part in (b"H2", b"SSH-2.0", b"\x15\x03\x01", b"\r\n", b"HTTP/2", b"<html>"):
            self.assertRaises(FetchError, check_part, part, 0)
        error = self.assertRaises(FetchError, check_part, b"\x15\x03\x01\x00\x02\x02", 0)
        self.assertIn("speaks TLS", str(error))
        for part in (b"HTTP/1.1 200 OK\nA", b"HTTP/1.1 200 OK\r\nA: b\n\n", b"HTTP/1.1 2\rx"):
            self.assertRaises(FetchError, check_part, part, 0)
