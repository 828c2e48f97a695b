# trial's assertions have no annotations:
# mypy: allow-untyped-calls

from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from netlab.escaping import escape

ANY_TEXT = st.text(st.characters(codec=None, categories=None))


def harmless(character: str) -> bool:
    """Printable, or a space of some width (which is not "printable" for Python)."""
    return character.isprintable() or unicodedata.category(character) == "Zs"


class Escape(SynchronousTestCase):
    def test_text(self) -> None:
        for value, shown in (
            ("", ""),
            ("plain text", "plain text"),
            ("Grüße, 世界 🎈", "Grüße, 世界 🎈"),
            ("世\u3000界", "世\u3000界"),
            ("\x1b[31mred\r\n", r"\x1b[31mred\r\n"),
            ("\x00\x07\x7f\x85\x9b", r"\x00\x07\x7f\x85\x9b"),
            ("user\u202exe.txt", r"user\u202exe.txt"),
            ("\u2066\u2028\u2029\ufeff", r"\u2066\u2028\u2029\ufeff"),
            ("\ud800", r"\ud800"),
            ("\ue000\U000e0001", r"\ue000\U000e0001"),
        ):
            self.assertEqual(escape(value), shown)

    def test_bytes(self) -> None:
        for value, shown in (
            (b"", ""),
            (b"plain text", "plain text"),
            (b"\x1b[31m\r\n\t\x7f", r"\x1b[31m\x0d\x0a\x09\x7f"),
            (b"C:\\", "C:\\\\"),
            ("Grüße".encode(), r"Gr\xc3\xbc\xc3\x9fe"),
        ):
            self.assertEqual(escape(value), shown)

    def test_limit(self) -> None:
        self.assertEqual(escape("x" * 200), "x" * 200)
        self.assertEqual(escape("x" * 201), "x" * 200 + "...")
        self.assertEqual(escape(b"abcdef", 3), "abc...")
        self.assertEqual(escape("\r\r\r", 2), r"\r\r...")
        self.assertEqual(escape("x" * 1000, None), "x" * 1000)

    @given(ANY_TEXT | st.binary())
    def test_nothing_harmful_is_left(self, value: str | bytes) -> None:
        for limit in (None, 200, 3):
            shown = escape(value, limit)
            self.assertTrue(all(map(harmless, shown)), shown)
            shown.encode()

    @given(st.binary())
    def test_bytes_can_be_told_apart(self, value: bytes) -> None:
        back = escape(value, None).encode().decode("unicode_escape").encode("latin-1")
        self.assertEqual(back, value)
