"""What is printed on a terminal."""

from __future__ import annotations

import re
import string

import click
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from netlab.errors import ConfigurationError
from netlab.rfc.entries import Entry
from netlab.rfc.errata import REJECTED, Erratum
from netlab.rfc.names import Name, Series
from netlab.rfc.results import Fragment, Hit, Results
from netlab.rfc.terminal import (
    WIDTH,
    document_text,
    entries_text,
    info_text,
    notices,
    results_text,
)
from netlab.rfc.text import read
from tests.rfc.support import index, text

COFFEE = index().entries[2324]
CONTROLS = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
ANYTHING = st.text(st.sampled_from(string.printable + "\x1b\x9b\u202e\xa0\u2028\xe9"), max_size=200)


class Documents(SynchronousTestCase):
    """``document_text``."""

    def test_whole(self) -> None:
        shown = document_text(read(text(2324), 2324))
        self.assertNotIn("\f", shown)
        self.assertNotIn("[Page", shown)
        self.assertTrue(shown.startswith("Network Working Group"))
        self.assertTrue(shown.endswith("\n"))
        self.assertFalse(shown.endswith("\n\n"))

    def test_section(self) -> None:
        shown = document_text(read(text(2324), 2324), "2.3.2")
        self.assertTrue(shown.startswith("2.3.2 418 I'm a teapot\n\n   Any attempt"))
        self.assertTrue(shown.endswith("   stout.\n"))

    def test_subsections(self) -> None:
        """They are a part of a section."""
        self.assertIn("2.3.2 418 I'm a teapot\n", document_text(read(text(2324)), "Section 2.3"))

    def test_no_such_section(self) -> None:
        with self.assertRaisesRegex(ConfigurationError, "there is no section '99'; there are 'St"):
            document_text(read(text(2324)), "99")

    def test_plain(self) -> None:
        """There is nothing but the text, until more is asked for."""
        self.assertNotIn("\x1b", document_text(read(text(2324))))

    def test_styled(self) -> None:
        document = read(text(2324), 2324)
        shown = document_text(document, styled=True)
        self.assertIn(f"\n{click.style('1. Rationale and Scope', bold=True)}\n", shown)
        self.assertIn(click.style("[RFC2068]", underline=True), shown)
        self.assertEqual(click.unstyle(shown), document_text(document))

    def test_styled_section(self) -> None:
        shown = document_text(read(text(2324)), "2.3.2", styled=True)
        self.assertTrue(shown.startswith(click.style("2.3.2 418 I'm a teapot", bold=True)))

    def test_controls(self) -> None:
        """A document does nothing to the terminal."""
        shown = document_text(read("1. a\n\n   \u202eRFC 1 \x1b[2J\x9b2J\n".encode()), styled=True)
        self.assertEqual(click.unstyle(shown), "1. a\n\n   \\u202eRFC 1 [2J2J\n")

    @given(st.text(st.sampled_from("aA1. \n\f\x1b\u202e[]RFC Section\xa0"), max_size=200))
    def test_any_text(self, said: str) -> None:
        document = read(said.encode())
        plain = document_text(document)
        self.assertIsNone(CONTROLS.search(plain))
        self.assertEqual(click.unstyle(document_text(document, styled=True)), plain)


class Notices(SynchronousTestCase):
    """``notices``."""

    def test_nothing(self) -> None:
        self.assertEqual(notices(Entry(1, "Host Software")), "")

    def test_newer(self) -> None:
        entry = Entry(2616, "HTTP", obsoleted_by=(7230, 7231), updated_by=(2817,))
        self.assertEqual(
            notices(entry, 3),
            "RFC 2616 is obsoleted by RFC 7230, RFC 7231.\n"
            "RFC 2616 is updated by RFC 2817.\n"
            "3 errata were reported.\n",
        )
        self.assertIn("One erratum was reported.", notices(entry, 1))

    def test_name_is_whole(self) -> None:
        """No line ends between RFC and its number."""
        entry = Entry(1, "", obsoleted_by=tuple(range(1000, 1040)))
        for line in notices(entry).splitlines():
            self.assertLessEqual(len(line), WIDTH)
            self.assertFalse(line.endswith("RFC"))

    def test_styled(self) -> None:
        said = notices(Entry(1, ""), 2, styled=True)
        self.assertEqual(said, click.style("2 errata were reported.", bold=True) + "\n")


class Found(SynchronousTestCase):
    """``results_text`` and ``entries_text``."""

    HIT = Hit(COFFEE, (Fragment("... diagnosing "), Fragment("coffee", True), Fragment(" pots.")))

    def test_one(self) -> None:
        self.assertEqual(
            results_text(Results((self.HIT,), 1)),
            " 2324   Hyper Text Coffee Pot Control Protocol (HTCPCP/1.0)\n"
            "        L. Masinter; 1 April 1998; Informational\n"
            "        ... diagnosing coffee pots.\n",
        )

    def test_some(self) -> None:
        old = Hit(Entry(7, "Old", status="UNKNOWN", obsoleted_by=(8, 9)), at_hand=True)
        self.assertEqual(
            results_text(Results((old, Hit(Entry(12345, ""))), 1234, every=False), 20),
            "No document has all of these words; these have some.\n"
            "21 to 22 of 1,234\n"
            "\n"
            "    7   Old\n"
            "        at hand\n"
            "        Obsoleted by RFC 8, RFC 9\n"
            "\n"
            "12345\n",
        )

    def test_nothing(self) -> None:
        self.assertEqual(results_text(Results((), 0)), "Nothing was found.\n")
        self.assertEqual(results_text(Results((), 3), 20), "All 3 were shown.\n")

    def test_styled(self) -> None:
        shown = results_text(Results((self.HIT,), 1), styled=True)
        self.assertIn(f"diagnosing {click.style('coffee', bold=True)} pots.", shown)
        self.assertEqual(click.unstyle(shown), results_text(Results((self.HIT,), 1)))

    def test_members(self) -> None:
        shown = entries_text([Entry(3411, "An Architecture"), Entry(3412, "Messages")])
        self.assertEqual(shown, " 3411   An Architecture\n\n 3412   Messages\n")

    @given(ANYTHING, ANYTHING, st.booleans())
    def test_anything(self, said: str, word: str, styled: bool) -> None:
        entry = Entry(1, said, authors=(said, word), status=word)
        hit = Hit(entry, (Fragment(said), Fragment(word, True)))
        shown = click.unstyle(results_text(Results((hit,), 9), styled=styled))
        self.assertIsNone(CONTROLS.search(shown))
        self.assertLessEqual(max(map(len, shown.split("\n"))), WIDTH)


class Info(SynchronousTestCase):
    """``info_text``."""

    def test_known(self) -> None:
        shown = info_text(COFFEE, (), lambda number: f"Title {number}")
        self.assertTrue(shown.startswith("RFC 2324: Hyper Text Coffee Pot"))
        self.assertIn("\nAuthors   L. Masinter\nDate      1 April 1998\n", shown)
        self.assertIn("\nUpdated by\n 7168   Title 7168\n", shown)
        self.assertIn("\n\nThis document describes HTCPCP", shown)

    def test_series(self) -> None:
        shown = info_text(Entry(2119, "Words", is_also=(Name(Series.BCP, 14),)))
        self.assertIn("\nPart of  BCP 14\n", shown)

    def test_errata(self) -> None:
        erratum = Erratum(
            2324, 682, "Verified", "Technical", "2.3.2", "  tea\tpot\n\x1b[m", "", "x"
        )
        rejected = Erratum(2324, 683, REJECTED)
        shown = info_text(COFFEE, (erratum, rejected))
        self.assertIn("One erratum was reported.", shown)
        self.assertIn(
            "\nErrata\n\n  682   Section 2.3.2; Technical; Verified\n\n        It says:\n\n"
            "          tea   pot\n        \\x1b[m\n\n        Notes:\n\n        x\n\n"
            "  683   Rejected\n",
            shown,
        )

    def test_little(self) -> None:
        """What is not known leaves no trace."""
        self.assertEqual(info_text(Entry(1, "Host Software")), "RFC 1: Host Software\n")

    @given(ANYTHING, st.booleans())
    def test_anything(self, said: str, styled: bool) -> None:
        entry = Entry(1, said, authors=(said,), abstract=said, keywords=(said,), updates=(2,))
        errata = (Erratum(1, 2, said, said, said, notes=said),)
        shown = click.unstyle(info_text(entry, (), lambda number: said, styled=styled))
        self.assertIsNone(CONTROLS.search(shown))
        self.assertLessEqual(max(map(len, shown.split("\n"))), WIDTH)
        self.assertIsNone(CONTROLS.search(info_text(entry, errata)))
