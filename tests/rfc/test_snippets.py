# trial's assertions have no annotations:
# mypy: allow-untyped-calls

from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from netlab.rfc.pagination import decode
from netlab.rfc.results import Fragment
from netlab.rfc.snippets import WIDTH, count_found, snippet, stem
from tests.rfc.support import text

WORDS = st.lists(st.text("cofeingspts\u0130", min_size=1, max_size=6), max_size=4)


def shown(fragments: tuple[Fragment, ...]) -> str:
    """A snippet as one text, with what was found in brackets."""
    return "".join(f"[{each.text}]" if each.found else each.text for each in fragments)


class Stems(SynchronousTestCase):
    def test_forms(self) -> None:
        for word, begin in (
            ("caching", "cach"),
            ("caches", "cach"),
            ("cache", "cach"),
            ("cookies", "cook"),
            ("security", "secur"),
            ("tcp", "tcp"),
            ("ones", "ones"),
            ("\xe9", "\xe9"),
        ):
            self.assertEqual(stem(word), begin)


class Snippets(SynchronousTestCase):
    def test_short(self) -> None:
        self.assertEqual(shown(snippet("Making coffee.", ["coffee"])), "Making [coffee].")
        self.assertEqual(
            shown(snippet("Two  caches\nand Caching", ["cache"])), "Two [caches] and [Caching]"
        )
        self.assertEqual(shown(snippet("ip, shipping IPs", ["ip"])), "[ip], shipping [IPs]")
        begun = snippet("This memo is on pots. " * 4 + "The one for coffee.", ["coffee", "pot"])
        self.assertTrue(shown(begun).startswith("This memo is on [pots]."))  # all of it has room

    def test_nothing(self) -> None:
        self.assertEqual(snippet("", ["coffee"]), ())
        self.assertEqual(snippet("", []), ())
        self.assertEqual(shown(snippet("Only tea.", ["coffee"])), "Only tea.")

    def test_document(self) -> None:
        """The place where the most of the words are, without page breaks."""
        found = shown(snippet(decode(text(2324)), ["teapot", "stout"]))
        self.assertIn("brew coffee with a [teapot] should result", found)
        self.assertIn("[stout]", found)
        self.assertTrue(found.startswith("... "))
        self.assertTrue(found.endswith(" ..."))
        self.assertLess(len(found), WIDTH + 60)
        across = shown(snippet(decode(text(2324)), ["metadata", "brewed", "caffeine"]))
        self.assertNotIn("Masinter", across)

    def test_count(self) -> None:
        self.assertEqual(count_found("Caches of tea", ["cache", "tea", "coffee"]), 2)

    def test_blanks(self) -> None:
        """Blanks take no room: a first page with wide gaps is more than its first word."""
        said = shown(
            snippet("RFC: 793" + "\n" * 200 + "Coffee" + " " * 60 + "pots, again", ["793"])
        )
        self.assertEqual(said, "RFC: [793] Coffee pots, again")

    def test_whole_words(self) -> None:
        """The last word is whole."""
        said = shown(snippet("coffee " + "machines " * 40, ["coffee"], 30))
        self.assertEqual(said, "[coffee] machines machines ...")

    def test_growing_letters(self) -> None:
        """A capital whose small form is two characters does not move the marks."""
        self.assertEqual(
            shown(snippet("\u0130\u0130\u0130 coffee", ["coffee"])), "\u0130\u0130\u0130 [coffee]"
        )

    @given(
        st.text("cofeings pts.\n\u0130\xdf", max_size=400) | st.text(), WORDS, st.integers(20, 300)
    )
    def test_any_text(self, text: str, words: list[str], width: int) -> None:
        fragments = snippet(text, words, width)
        whole = "".join(each.text for each in fragments)
        self.assertLessEqual(len(whole), width + 60)
        self.assertTrue(all(each.text for each in fragments))
        inside = whole.removeprefix("... ").removesuffix(" ...")
        plain = "".join(
            each for each in " ".join(text.split()) if unicodedata.category(each) != "Cc"
        )
        self.assertIn(inside, plain)

    def test_far_into_a_text(self) -> None:
        """Where a text is parted to be looked through makes no difference."""
        for at in range(15_800, 16_200, 7):
            long = ("tea " * 5000)[: at - 1] + " coffee pots " + "tea " * 5000
            found = shown(snippet(long, ["coffee", "pot"]))
            self.assertIn(" [coffee] [pots] ", found)
            # In the middle of a word nothing begins:
            inner = ("x" * at) + "coffee " + "tea " * 5000 + "some coffee"
            self.assertIn("some [coffee]", shown(snippet(inner, ["coffee"])))

    def test_the_first_of_the_best(self) -> None:
        long = "coffee. " + "tea " * 9000 + "coffee pots, one " + "tea " * 9000 + "coffee pots, two"
        self.assertIn("[coffee] [pots], one", shown(snippet(long, ["coffee", "pot", "milk"])))

    def test_controls(self) -> None:
        self.assertEqual(
            shown(snippet("cof\x1b[1mfee\x9b2J pot\x00", ["pot"])), "cof[1mfee2J [pot]"
        )
