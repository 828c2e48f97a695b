"""What is said about heads that cannot be read: at most a guess, and always a sentence."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from netlab.http.complaints import complaint, guess

from .support import get


class Complaints(SynchronousTestCase):
    def test_nothing_found(self) -> None:
        """Then what llhttp said is passed on."""
        error = complaint(get("/", "A: b"), "Some reason")
        self.assertEqual(str(error), "400: the request is not HTTP: Some reason")

    def test_first_line_that_is_wrong(self) -> None:
        error = complaint(b"GET / HTTP/1.1\r\nA: b\r\nC : d\r\nE : f\r\n\r\n")
        self.assertEqual(error.text, "line 3 has white space before the colon (RFC 9112, 5.1)")

    @given(st.binary(max_size=100))
    def test_anything(self, data: bytes) -> None:
        """Printable ASCII, whatever the client sent; none of it is quoted."""
        error = complaint(data)
        self.assertEqual(error.status, 400)
        self.assertTrue(error.text.isascii() and error.text.isprintable())
        self.assertLess(len(error.text), 100)


class Guesses(SynchronousTestCase):
    def test_known(self) -> None:
        self.assertIn("TLS", guess(b"\x16\x03\x01"))
        self.assertIn("SSH", guess(b"SSH-2.0-x\r\n"))
        for data in (b"", b"GET /", b"hello", b"\0"):
            self.assertEqual(guess(data), "")
