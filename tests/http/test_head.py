"""Heads of requests: every octet in every place, and what is refused says why.

The reference here is written from the grammar of RFC 9112 alone, with regular
expressions over the whole head; ``HeadReader`` must agree with it.
"""

from __future__ import annotations

import re

from hypothesis import example, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from netlab.fields import Fields
from netlab.http.errors import RequestError
from netlab.http.head import END, HeadReader, Section
from netlab.http.incoming import Incoming

from .support import get, request

TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
REG_NAME = r"(?:[A-Za-z0-9\-._~!$&'()*+,;=]|%[0-9A-Fa-f]{2}){1,255}"
HOST = rf"(?:{REG_NAME}|\[[0-9A-Fa-f:.]{{2,45}}\])(?::[0-9]{{0,5}})?"
ORIGIN_FORM = r"/[!-\"$-~]*"
WEB_URI = rf"(?i:https?)://{HOST}(?:[/?][!-\"$-~]*)?"
OTHER_URI = r"(?!(?i:https?):)[A-Za-z][A-Za-z0-9+.\-]*:[!-\"$-~]*"
TARGET = rf"(?:{ORIGIN_FORM}|{WEB_URI}|{OTHER_URI})"
LINE = re.compile(rf"(?!CONNECT )({TOKEN}) (?:{TARGET}|(?<=^OPTIONS )\*) HTTP/1\.([01])")
FIELD = re.compile(rf"({TOKEN}):[ \t]*([\t\x20-\x7e\x80-\xff]*?)[ \t]*")


def reference(head: bytes) -> bool:
    """Whether the head of a request follows the grammar, as far as we go."""
    text = head.decode("latin-1")
    if not text.endswith("\r\n\r\n"):
        return False
    first, *lines = text[:-4].split("\r\n")
    line = LINE.fullmatch(first)
    matches = [FIELD.fullmatch(each) for each in lines]
    if line is None or len(line[1]) > 32 or not all(matches) or len(lines) > 100:
        return False
    values: dict[str, list[str]] = {}
    for match in matches:
        assert match is not None
        values.setdefault(match[1].lower(), []).append(match[2])
    hosts = values.get("host", [])
    if len(hosts) > 1 or (line[2] == "1" and not hosts):
        return False
    lengths, codings = values.get("content-length", []), values.get("transfer-encoding", [])
    if len(lengths) + len(codings) > 1 or (codings and line[2] == "0"):
        return False
    if not all(re.fullmatch("[0-9]{1,18}", each) and int(each) <= 1000 for each in lengths):
        return False
    if not all(each.lower() == "chunked" for each in codings):
        return False
    return all(_is_host(each) for each in hosts) and (
        line[2] == "0" or all(each.lower() == "100-continue" for each in values.get("expect", []))
    )


def _is_host(text: str) -> bool:
    port = text.rpartition("]")[2].partition(":")[2]
    return re.fullmatch(HOST, text) is not None and int(port or 0) <= 65535


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


BASES = (
    get("/a?b=c", "Accept: a, b", "X-Y:\tz \t"),
    request("HEAD", "http://example.org:80/a", "Host: [::1]:8080"),
    request("PATCH", "/", "User-Agent: x", version="1.0"),
    get("/", "Connection: close, x", "Content-Length: 0", "Expect: 100-Continue"),
)


class Octets(SynchronousTestCase):
    """Every single change of a good head is judged as the grammar judges it."""

    def compare(self, judge: HeadReader, head: bytes) -> None:
        if head.find(END) != len(head) - len(END):
            return  # it is not one whole head, which is what a reader is given
        try:
            section = judge.read(head, None)[2]
            if not section.bodiless:
                Incoming(section, max_body=1000, max_overhead=1000, max_fields=10)
            good = True
        except RequestError as error:
            good = False
            self.assertIn(error.status, (400, 413, 417, 501, 505))
            self.assertTrue(error.text.isascii() and error.text.isprintable(), error.text)
        self.assertEqual(good, reference(head), head)

    def test_bases(self) -> None:
        for base in BASES:
            self.assertTrue(reference(base), base)
            self.compare(reader(), base)

    def test_replaced(self) -> None:
        judge = reader()
        for base in BASES:
            for at in range(len(base)):
                for octet in range(256):
                    self.compare(judge, base[:at] + bytes([octet]) + base[at + 1 :])

    def test_inserted(self) -> None:
        judge = reader()
        for base in BASES:
            for at in range(len(base)):
                for octet in b'\0\t\n\r :,;aH1%#"\x7f\x80\xff':
                    self.compare(judge, base[:at] + bytes([octet]) + base[at:])

    def test_removed(self) -> None:
        judge = reader()
        for base in BASES:
            for size in (1, 2, 3):
                for at in range(len(base) - size):
                    self.compare(judge, base[:at] + base[at + size :])

    @settings(max_examples=300)
    @given(
        st.lists(
            st.sampled_from(
                (
                    *(b"Host: x", b"host:y", b"Host:", b"Content-Length: 0", b"content-length:00"),
                    *(b"Connection: close", b"CONNECTION:keep-alive", b"Expect: x", b"A: b", b"A:"),
                    *(b"Upgrade: h2c", b"Connection: upgrade", b": b", b"A", b" A: b", b"A : b"),
                    *(b"Transfer-Encoding: chunked", b"A: \0", b"A: b\rc", b"A: b\nc", b"\tb"),
                )
            ),
            max_size=5,
        ),
        st.sampled_from((b"GET / HTTP/1.1", b"GET / HTTP/1.0", b"FOO http://x HTTP/1.1")),
    )
    def test_lines(self, lines: list[bytes], first: bytes) -> None:
        self.compare(reader(), b"\r\n".join([first, *lines]) + END)

    @settings(max_examples=300)
    @given(st.binary(max_size=200))
    @example(b"")
    def test_anything(self, data: bytes) -> None:
        self.compare(reader(), data.replace(END, b"") + END)


class Doubt(SynchronousTestCase):
    """If llhttp ever saw another end than we do, nothing would be served."""

    def test_head(self) -> None:
        class Deaf(HeadReader):
            def on_message_complete(self) -> None:
                pass

        with self.assertRaises(RequestError) as caught:
            Deaf(100, 8192, None).read(get("/"), None)
        self.assertIn("two ways", caught.exception.text)

    def test_body(self) -> None:
        class Hasty(Incoming):
            def on_headers_complete(self) -> None:
                self.on_message_complete()

        class Deaf(Incoming):
            def on_message_complete(self) -> None:
                pass

        section = read(request("POST", "/", "Host: x", "Content-Length: 3"))[2]
        limits = {"max_body": None, "max_overhead": 100, "max_fields": 10}
        with self.assertRaises(RequestError) as caught:
            Hasty(section, **limits)  # type: ignore[arg-type]
        self.assertIn("two ways", caught.exception.text)
        body = Deaf(section, **limits)  # type: ignore[arg-type]
        with self.assertRaises(RequestError) as caught:
            body.feed(b"abc", 0)
        self.assertIn("two ways", caught.exception.text)


class Reading(SynchronousTestCase):
    """What a good head says."""

    def test_line(self) -> None:
        for head, wanted in (
            (get("/a?b"), ("GET", "/a?b", (1, 1))),
            (request("OPTIONS", "*", "Host: x"), ("OPTIONS", "*", (1, 1))),
            (request("BREW", "/pot-1", "Host: x"), ("BREW", "/pot-1", (1, 1))),
            (request("get", "/", "Host: x"), ("get", "/", (1, 1))),
            (request("GET", "/", version="1.0"), ("GET", "/", (1, 0))),
            (get("http://example.org/?x"), ("GET", "http://example.org/?x", (1, 1))),
            (get("urn:isbn:1"), ("GET", "urn:isbn:1", (1, 1))),
            (get('/"<>\\^`{|}'), ("GET", '/"<>\\^`{|}', (1, 1))),  # browsers send these
        ):
            method, target, section = read(head)
            self.assertEqual((method, target, section.version), wanted)

    def test_fields(self) -> None:
        section = read(get("/", "A:  b c \t", "a: d", "Empty:", "Latin: \xe9"))[2]
        wanted = Fields([("Host", "x"), ("A", "b c"), ("a", "d"), ("Empty", ""), ("Latin", "\xe9")])
        self.assertEqual(section.fields, wanted)
        self.assertIs(section.fields, section.fields)
        self.assertEqual(read(request("GET", "/", version="1.0"))[2].fields, Fields())

    def test_keep_alive(self) -> None:
        for version, lines, wanted in (
            ("1.1", (), True),
            ("1.1", ("Connection: close",), False),
            ("1.1", ("connection: CLOSE",), False),
            ("1.1", ("Connection: keep-alive, Close",), False),
            ("1.1", ("Connection: a ,\tclose , b",), False),
            ("1.1", ("Connection: close", "Connection: keep-alive"), False),
            ("1.1", ("Connection: keep-alive", "Connection: close"), False),
            ("1.1", ("Connection: disclose",), True),
            ("1.1", ("X-Connection: close",), True),
            ("1.0", (), False),
            ("1.0", ("Connection: keep-alive",), True),
            ("1.0", ("Connection: x", "Connection: Keep-Alive"), True),
            ("1.0", ("Connection: keep-alive, close",), False),
        ):
            section = read(get("/", *lines, version=version))[2]
            self.assertEqual(section.keep_alive, wanted, (version, lines))
            self.assertEqual(section.usual, wanted and version == "1.1")

    def test_proxys_client(self) -> None:
        """A proxy does not keep a connection with an HTTP/1.0 client (RFC 9112, 9.3)."""
        head = request("GET", "http://x/", "Connection: keep-alive", version="1.0")
        self.assertFalse(read(head)[2].keep_alive)

    def test_framing(self) -> None:
        for lines, length, bodiless in (
            ((), 0, True),
            (("Content-Length: 0",), 0, True),
            (("Content-Length: 0000",), 0, True),
            (("Content-Length: 5",), 5, False),
            (("content-length:\t 0005 ",), 5, False),
            (("Transfer-Encoding: chunked",), None, False),
            (("transfer-encoding:CHUNKED\t",), None, False),
        ):
            section = read(request("POST", "/", "Host: x", *lines))[2]
            self.assertEqual((section.length, section.bodiless), (length, bodiless), lines)
            self.assertFalse(section.usual and not bodiless)

    def test_expects(self) -> None:
        body = ("Host: x", "Content-Length: 5")
        self.assertTrue(read(request("PUT", "/", *body, "Expect: 100-Continue"))[2].expects)
        self.assertFalse(read(request("PUT", "/", *body))[2].expects)
        # There is no body to wait for; HTTP/1.0 has no expectations (RFC 9110, 10.1.1).
        self.assertFalse(read(get("/", "Expect: 100-continue"))[2].expects)
        old = request("PUT", "/", *body, "Expect: 100-continue", "Expect: x", version="1.0")
        self.assertFalse(read(old)[2].expects)

    def test_host(self) -> None:
        for host in ("a", "a.example:80", "127.0.0.1", "[::1]", "[::1]:1", "a:", "%41", "x_y"):
            self.assertEqual(read(request("GET", "/", f"Host: {host}"))[2].host, host)
        self.assertIsNone(read(request("GET", "/", version="1.0"))[2].host)

    def test_again(self) -> None:
        """A section that repeats is known again; one that differs in anything is not."""
        judge = reader()
        last = judge.read(get("/a", "Accept: x"), None)[2]
        self.assertIs(judge.read(get("/b", "Accept: x"), last)[2], last)
        self.assertIsNot(judge.read(get("/b", "Accept: y"), last)[2], last)
        self.assertIsNot(
            judge.read(request("GET", "/", "Host: x", "Accept: x", version="1.0"), last)[2], last
        )
        with self.assertRaises(RequestError):
            judge.read(get("/b c", "Accept: x"), last)
        with self.assertRaises(RequestError):
            judge.read(get("/b", "Accept: x", "Accept\0: x"), last)

    def test_one_reader_for_all(self) -> None:
        """Whatever a head was, the next one is read as if it were the first."""
        judge = reader()
        heads = [
            get("/"),
            get("/", "Connection: close"),
            get("/", version="1.0"),
            get("/", "A: \0"),
            get("/", "A : b"),
            get("/", "Upgrade: h2c", "Connection: upgrade"),
            request("FOO", "*", "Host: x"),
        ]
        for first in heads:
            for second in heads:
                for head in (first, second):
                    try:
                        judge.read(head, None)
                        good = True
                    except RequestError:
                        good = False
                    self.assertEqual(good, reference(head), (first, second))
