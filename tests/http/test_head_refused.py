"""Heads that are refused: with which status, and that the text says where and why."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from netlab.http.errors import BodyTooLong, RequestError
from netlab.http.head import END, HeadReader, Section

from .support import get, request


def reader(*, max_fields: int = 100, max_target: int = 8192) -> HeadReader:
    return HeadReader(max_fields, max_target, 1000)


def read(head: bytes) -> tuple[str, str, Section]:
    return reader().read(head, None)


def error_of(head: bytes) -> RequestError:
    try:
        found = read(head)
    except RequestError as error:
        return error
    raise AssertionError(f"{head!r} was read as {found}")


class Refusing(SynchronousTestCase):
    """What is refused, with which status, and that the text says where and why."""

    def refused(self, head: bytes, status: int, *words: str) -> None:
        error = error_of(head)
        self.assertEqual(error.status, status, (head, error))
        for each in words:
            self.assertIn(each, error.text, head)

    def test_line(self) -> None:
        for line, status, words in (
            (b"GET /", 400, "METHOD TARGET HTTP/1.1"),  # HTTP/0.9
            (b"GET", 400, "METHOD TARGET HTTP/1.1"),
            (b"GET / FTP/1.1", 400, "METHOD TARGET HTTP/1.1"),
            (b"GET / http/1.1", 400, "METHOD TARGET HTTP/1.1"),
            (b"GET / HTTP/1.1 ", 400, "METHOD TARGET HTTP/1.1"),
            (b"GET  / HTTP/1.1", 400, "more than one space"),
            (b"GET /  HTTP/1.1", 400, "more than one space"),
            (b"GET /a b HTTP/1.1", 400, "more than one space"),
            (b"GET  HTTP/1.1", 400, "more than one space"),
            (b" GET / HTTP/1.1", 400, "a method"),
            (b"G\xc9T / HTTP/1.1", 400, "a method"),
            (b"GET\t/ HTTP/1.1", 400, "METHOD TARGET"),
            (b"GET / HTTP/1.10", 400, "version"),
            (b"GET / HTTP/1", 400, "version"),
            (b"GET / HTTP/1.2", 505, "HTTP/1.0 and HTTP/1.1"),
            (b"GET / HTTP/0.9", 505, "HTTP/1.0 and HTTP/1.1"),
            (b"PRI * HTTP/2.0", 505, "HTTP/1.0 and HTTP/1.1"),
            (b"GET /%s HTTP/1.1" % (b"a" * 8192), 414, "8192"),
            (b"%s / HTTP/1.1" % (b"A" * 33), 501, "32"),
            (b"CONNECT x:1 HTTP/1.1", 501, "tunnels"),
            (b"CONNECT / HTTP/1.1", 501, "tunnels"),
            (b"GET * HTTP/1.1", 400, "OPTIONS"),
            (b"GET x HTTP/1.1", 400, "neither a path"),
            (b"GET ?x HTTP/1.1", 400, "neither a path"),
            (b"GET //x#y HTTP/1.1", 400, "percent-encode"),
            (b"GET /\xc3\xa9 HTTP/1.1", 400, "percent-encode"),
            (b"GET /\x7f HTTP/1.1", 400, "percent-encode"),
            (b"GET http:// HTTP/1.1", 400, "authority"),
            (b"GET http:/x HTTP/1.1", 400, "authority"),
            (b"GET http://u:p@x/ HTTP/1.1", 400, "authority"),
            (b"GET https://x:99999/ HTTP/1.1", 400, "authority"),
        ):
            self.refused(line + b"\r\nHost: x\r\n\r\n", status, words)

    def test_lines(self) -> None:
        for line, *words in (
            (b"A: b\n", "line 3", "LF alone"),
            (b"A: b\rc", "line 3", "control character"),
            (b"A: \0", "line 3", "control character"),
            (b"A: \x1b[2J", "line 3", "control character"),
            (b"A: \x7f", "line 3", "control character"),
            (b" A: b", "line 3", "white space"),
            (b"\tA: b", "line 3", "white space"),
            (b"A : b", "line 3", "before the colon"),
            (b"A\t: b", "line 3", "before the colon"),
            (b"A b: c", "line 3", "name"),
            (b"A", "line 3", "no colon"),
            (b": b", "line 3", "name"),
            (b"A\xe9: b", "line 3", "name"),
            (b'A"b": c', "line 3", "name"),
        ):
            self.refused(b"GET / HTTP/1.1\r\nHost: x\r\n" + line + END, 400, *words)
            bodied = b"POST / HTTP/1.1\r\nHost: x\r\n" + line + b"\r\nContent-Length: 0" + END
            self.refused(bodied, 400, *words)

    def test_folded(self) -> None:
        """RFC 9112, 5.2; wherever the fold is."""
        for head in (
            b"GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: x\r\nA:\r\n b\r\n\r\n",
            b"GET / HTTP/1.1\r\n Host: x\r\nHost: x\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: x\r\n\t\r\n\r\n",
        ):
            self.refused(head, 400, "line", "white space")

    def test_host(self) -> None:
        self.refused(request("GET", "/"), 400, "no Host")
        for version in ("1.0", "1.1"):
            self.refused(
                request("GET", "/", "Host: a", "host: a", version=version), 400, "more than one"
            )
            for host in ("", "a b", "a, b", "a:b", "a:99999", "a/b", "http://a", "u@a", "\xe9"):
                head = request("GET", "/", f"Host: {host}", version=version)
                self.refused(head, 400, "HOST or HOST:PORT")
        for host in (":80", "[::1", "::1", "a%4", "[x]", "a" * 256):
            self.refused(request("GET", "/", f"Host: {host}"), 400, "HOST or HOST:PORT")

    def test_framing(self) -> None:
        long = "9" * 5000
        for lines, status, words in (
            (("Content-Length: 5", "Content-Length: 5"), 400, "more than one"),
            (("Content-Length: 0", "Content-Length: 5"), 400, "more than one"),
            (("Content-Length: 5", "Content-Length: 0"), 400, "more than one"),
            (("Content-Length: 0", "Content-Length: 0"), 400, "more than one"),
            (("Content-Length: 5", "Transfer-Encoding: chunked"), 400, "more than one"),
            (("Transfer-Encoding: chunked", "Content-Length: 0"), 400, "more than one"),
            (("Transfer-Encoding: chunked", "Transfer-Encoding: chunked"), 400, "more than one"),
            (("Content-Length: 5, 5",), 400, "not one number"),
            (("Content-Length: +5",), 400, "not one number"),
            (("Content-Length: -5",), 400, "not one number"),
            (("Content-Length: 0x5",), 400, "not one number"),
            (("Content-Length: 5_0",), 400, "not one number"),
            (("Content-Length: 5 0",), 400, "not one number"),
            (("Content-Length: \xb2",), 400, "not one number"),
            (("Content-Length:",), 400, "not one number"),
            ((f"Content-Length: {long}",), 413, "digits"),
            (("Content-Length: 0000000000000000000",), 413, "digits"),
            (("Content-Length: 1001",), 413, "1000"),
            (("Transfer-Encoding: identity",), 400, "chunked"),
            (("Transfer-Encoding: gzip",), 400, "chunked"),
            (("Transfer-Encoding: chunked, gzip",), 400, "chunked"),
            (("Transfer-Encoding: chunked, chunked",), 400, "chunked"),
            (("Transfer-Encoding: gzip, chunked",), 501, "chunked"),
            (("Transfer-Encoding:",), 400, "chunked"),
            (("Transfer-Encoding: chunked;a=b",), 400, "chunked"),
            (('Transfer-Encoding: "chunked"',), 400, "chunked"),
            (("Transfer-Encoding: \x0bchunked",), 400, "line 3"),
            (("Transfer-Encoding: xchunked",), 400, "chunked"),
            (("Transfer-Encoding: chunked,",), 400, "chunked"),
        ):
            self.refused(request("POST", "/", "Host: x", *lines), status, words)
        self.refused(
            request("POST", "/", "Transfer-Encoding: chunked", version="1.0"), 400, "HTTP/1.0"
        )
        self.assertIsInstance(
            error_of(request("PUT", "/", "Host: x", "Content-Length: 1001")), BodyTooLong
        )

    def test_expect(self) -> None:
        for value in ("x", "", "100-continue, x", "100-continue;a", "200-ok"):
            self.refused(get("/", f"Expect: {value}"), 417, "100-continue")

    def test_limits(self) -> None:
        many = [f"A{n}: b" for n in range(99)]
        self.assertEqual(len(read(get("/", *many))[2].fields), 100)
        self.refused(get("/", *many, "One: more"), 431, "100")
        judge = reader(max_fields=2, max_target=10)
        judge.read(get("/23456789x", "A: b"), None)
        with self.assertRaises(RequestError) as caught:
            judge.read(get("/23456789xy"), None)
        self.assertEqual(caught.exception.status, 414)
        with self.assertRaises(RequestError) as caught:
            judge.read(get("http://a.bc"), None)
        self.assertEqual(caught.exception.status, 414)


class Parts(SynchronousTestCase):
    """Heads of which more may come: is it worth waiting?"""

    def refused(self, part: bytes, status: int, words: str, since: int = 0) -> None:
        with self.assertRaises(RequestError) as caught:
            reader(max_target=100).check_part(part, since)
        self.assertEqual(caught.exception.status, status)
        self.assertIn(words, caught.exception.text)

    def test_hopeful(self) -> None:
        whole = get("/abc", "A: b")
        for end in range(1, len(whole)):
            reader().check_part(whole[:end], 0)
            reader().check_part(whole[:end], end - 1)

    def test_hopeless(self) -> None:
        self.refused(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, "TLS ClientHello")
        self.refused(b"\0\0\0\5hello", 400, "not HTTP")
        self.refused(b" GET", 400, "not HTTP")
        self.refused(b"GET / HTTP/1.0\n", 400, "line 1 ends in LF alone")
        self.refused(b"GET / HTTP/1.0\r\nA: b\n", 400, "line 2 ends in LF alone", 20)
        self.refused(b"\n", 400, "not HTTP")
        self.refused(b"GET /" + b"a" * 200, 414, "100")

    def test_split_between_cr_and_lf(self) -> None:
        reader().check_part(b"GET / HTTP/1.1\r\n", 15)

    def test_other_protocols(self) -> None:
        error = error_of(b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n\r\n")
        self.assertIn("haproxy:", error.text)
        self.assertNotIn("HTTP request", error_of(b"GET /\r\n\r\n").text)
