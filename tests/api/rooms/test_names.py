from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from netlab.api.rooms import checked_name, folded


class Names(SynchronousTestCase):
    def test_good(self) -> None:
        for name in ("Ada", "Grace Hopper", "李小龙", "Zoë", "ắ", "नमस्ते", "r2-d2", "😀", "O'Neil"):
            self.assertEqual(checked_name(name), unicodedata.normalize("NFC", name))

    def test_normal_form(self) -> None:
        self.assertEqual(checked_name("Zoe\u0308"), "Zo\u00eb")

    def test_bad(self) -> None:
        for name, why in (
            ("", "empty"),
            (" Ada", "space"),
            ("Ada ", "space"),
            ("A  da", "space"),
            ("A\nda", r"U\+000A"),
            ("A\x1b[31mda", r"U\+001B"),
            ("A\x7fda", r"U\+007F"),
            ("A\x9bda", r"U\+009B"),
            ("\u202eadA", r"U\+202E"),
            ("A\u2066da", r"U\+2066"),
            ("A\u200bda", r"U\+200B"),
            ("A\u00a0da", r"U\+00A0"),
            ("A\u2028da", r"U\+2028"),
            ("A\ud800", r"U\+D800"),
            ("A\ue000", r"U\+E000"),
            ("A\ufe0f", r"U\+FE0F"),
            ("\u3164", r"U\+3164"),
            ("\u0301da", r"U\+0301"),
            ("a \u0301da", r"U\+0301"),
            ("z\u0334\u0335\u0336", r"U\+0336"),
        ):
            with self.assertRaisesRegex(ValueError, why):
                checked_name(name)

    @given(st.text(max_size=8))
    def test_any_text(self, text: str) -> None:
        """It is a name, that is printed on one line from its left to its right, or ValueError."""
        try:
            name = checked_name(text)
        except ValueError:
            return
        self.assertTrue(name.isprintable())
        self.assertEqual(checked_name(name), name)
        for each in name:
            self.assertNotIn(unicodedata.category(each), ("Cc", "Cf", "Cs", "Cn", "Zl", "Zp"))

    def test_folded(self) -> None:
        for one, other in (("Ada", "ADA"), ("Ada", "\uff21da"), ("Straße", "STRASSE")):
            self.assertEqual(folded(one), folded(other))
        self.assertNotEqual(folded("Ada"), folded("Eda"))

    @given(st.text(max_size=8))
    def test_folding_again(self, text: str) -> None:
        self.assertEqual(folded(folded(text)), folded(text))
