# trial's assertions have no annotations:
# mypy: allow-untyped-calls

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from netlab.rfc import toc as module
from netlab.rfc.toc import Contents, find_contents, is_known

PAGED = """\
Table of Contents

   1.  One  . . . . . . . . . . . . . . .   2
     1.1.  One of one, whose title
           takes two lines  . . . . . . .   3
   Appendix A.  Aye  . . . . . . . . . . .  5
   References  . . . . . . . . . . . . . .  6

1.  One
"""


class TocTests(SynchronousTestCase):
    def test_entries(self) -> None:
        """Titles by their numbers, those on two lines joined; the rest in small letters."""
        contents = find_contents(PAGED.splitlines(), 0)
        self.assertEqual((contents.start, contents.end), (0, 7))
        self.assertEqual(
            contents.titles,
            {"1": "One", "1.1": "One of one, whose title takes two lines", "A": "Aye"},
        )
        self.assertEqual(contents.others, {"references"})

    def test_article(self) -> None:
        """A title that begins with "A" is not in Appendix A, as in RFC 369."""
        lines = ["Contents", "", "   1. One ... 1", "   A Parameter ... 2", "   B   Bee ... 3"]
        contents = find_contents(lines, 0)
        self.assertEqual(contents.titles, {"1": "One", "B": "Bee"})
        self.assertEqual(contents.others, {"a parameter"})

    def test_none(self) -> None:
        self.assertEqual(find_contents(["Contents", "", "  Text."], 0), Contents())

    def test_known(self) -> None:
        for title in ("Security Considerations", "Authors' Addresses", "IESG Note"):
            self.assertTrue(is_known(title), title)
        self.assertFalse(is_known("Water"))

    def test_many_contents(self) -> None:
        """Not each of many lines that say "Contents" is taken for the beginning of a table."""
        read: list[int] = []

        def reading(lines: list[str], start: int, margin: int) -> Contents:
            read.append(start)
            return Contents()

        self.patch(module, "_read_contents", reading)
        find_contents(["Contents", "  1"] * 500, 0)
        self.assertEqual(len(read), 8)
