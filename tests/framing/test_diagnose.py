# trial's assertions have no annotations:
# mypy: allow-untyped-calls

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from netlab.framing.diagnose import (
    explain,
    explain_length,
    guess_framing,
    guess_length_prefix,
    guess_protocol,
    is_text,
    quoted,
    with_hint,
)


class Quoted(SynchronousTestCase):
    def test_escapes(self) -> None:
        self.assertEqual(quoted(b"hello\r\n"), r"'hello\r\n'")
        self.assertEqual(quoted("\u202e\x1b[1m".encode()), r"'\xe2\x80\xae\x1b[1m'")

    @given(st.binary())
    def test_printable_and_short(self, data: bytes) -> None:
        shown = quoted(data)
        self.assertTrue(shown.isascii() and shown.isprintable())
        self.assertLess(len(shown), 140)


class Guess(SynchronousTestCase):
    def test_tls(self) -> None:
        for minor in range(5):
            self.assertIn("TLS", guess_protocol(bytes([22, 3, minor, 2, 0, 1])))
        for data in (b"\x16", b"\x16\x03"):
            self.assertIn("TLS", guess_protocol(data))
        for data in (b"", b"\x16\x04\x01", b"\x16\x03\x05", b"\x17\x03\x01"):
            self.assertEqual(guess_protocol(data), "")

    def test_others(self) -> None:
        for data, said in (
            (b"GET /", "HTTP request"),
            (b"OPTI", "HTTP request"),
            (b"PRI * HTTP/2.0\r\n", "HTTP request"),
            (b"HTTP/1.0 200 OK", "HTTP response"),
            (b"SSH-", "SSH"),
            (b"PROXY TCP4 127.0.0.1", "PROXY"),
            (b"\r\n\r\n\0\r\nQUIT\n\x21", "PROXY"),
        ):
            self.assertIn(said, guess_protocol(data))
        for data in (b"GETS", b"get ", b"GET", b"HTTQ", b"\r\n\r\n", b"hello"):
            self.assertEqual(guess_protocol(data), "")

    def test_framings(self) -> None:
        self.assertIn("netstring", guess_framing(b"12:hello world!,"))
        self.assertIn("content-length", guess_framing(b"content-length: 12\r\n"))
        self.assertEqual(guess_framing(b"hello: world"), "")
        self.assertIn("big-endian length of 5:", guess_length_prefix(b"\0\0\0\5hello"))
        self.assertIn("little-endian length of 5:", guess_length_prefix(b"\5\0\0\0hello"))
        for data in (b"\0\0\0", b"\0\0\0\0", b"hello"):
            self.assertEqual(guess_length_prefix(data), "")

    def test_text(self) -> None:
        for data in (b"hello\r\n", "Grüße".encode(), "Grü".encode()[:-1], b"\t"):
            self.assertTrue(is_text(data))
        for data in (b"", b"\0", b"\xff\xff", "\u202e".encode(), b"a\x1b[1m"):
            self.assertFalse(is_text(data))


class Explain(SynchronousTestCase):
    def test_first(self) -> None:
        self.assertEqual(
            explain(b"hi\n", "digits"), r"this looks like text ('hi\n'): expected digits"
        )
        self.assertEqual(explain(b"\xff\xff\xff\xff", "digits"), "")
        self.assertIn("raise max_message", explain_length(b"\xff\xff\xff\xff", "digits"))

    def test_later(self) -> None:
        for say in (explain, explain_length):
            said = say(b"GET / HTTP/1.1", "digits", first=False)
            self.assertIn("the stream is corrupted", said)
            self.assertNotIn("HTTP", said)

    @given(st.binary(), st.booleans())
    def test_anything(self, data: bytes, first: bool) -> None:
        for say in (explain, explain_length):
            said = say(data, "x", first=first)
            self.assertTrue(said.isascii() and "\n" not in said)

    def test_with_hint(self) -> None:
        self.assertEqual(with_hint("a", ""), "a")
        self.assertEqual(with_hint("a", "b"), "a; b")
