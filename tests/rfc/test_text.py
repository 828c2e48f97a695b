# trial's assertions have no annotations:
# mypy: allow-untyped-calls

from __future__ import annotations

import doctest

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from netlab.errors import ConfigurationError
from netlab.rfc import text as module
from netlab.rfc.text import find_blocks, read
from tests.rfc.support import text

FULL = "   The words of this paragraph fill its lines, each as far as they can\n"


def blocks(source: str) -> list[tuple[bool, bool, int]]:
    """What the blocks of a text are: prose, item, indent."""
    lines = source.split("\n")
    return [(each.prose, each.item, each.indent) for each in find_blocks(lines, 0, len(lines))]


class Reading(SynchronousTestCase):
    def test_example(self) -> None:
        self.assertEqual(doctest.testmod(module).failed, 0)

    def test_section(self) -> None:
        document = read(text(2324), 2324)
        for wanted in ("2.3.2", "2.3.2.", "Section 2.3.2", "section  2.3.2", "418 i'm a teapot"):
            self.assertEqual(document.section(wanted).number, "2.3.2", wanted)
        self.assertEqual(document.section("name-abstract").title, "Abstract")
        self.assertEqual(document.section("section-2.1").number, "2.1")
        self.assertEqual(document.section("copyright").title, "Copyright Notice")
        self.assertEqual(
            document.text(document.section("2.3.2")),
            "2.3.2 418 I'm a teapot\n\n"
            "   Any attempt to brew coffee with a teapot should result in the error\n"
            '   code "418 I\'m a teapot". The resulting entity body MAY be short and\n'
            "   stout.",
        )

    def test_subsections(self) -> None:
        document = read(text(2324))
        whole = document.text(document.section("2.3"))
        self.assertTrue(whole.startswith("2.3 HTCPCP return codes\n"))
        self.assertTrue(whole.endswith("stout."))
        self.assertIn("\n2.3.1 406 Not Acceptable\n", whole)

    def test_appendix(self) -> None:
        document = read(b"1. A\n\n   t\n\nAppendix B. C\n\n   t\n\nAppendix A. D\n\n   u\n")
        self.assertRaises(ConfigurationError, document.section, "B")
        self.assertEqual(document.section("appendix a").title, "D")
        self.assertEqual(document.section("a").title, "D")

    def test_no_section(self) -> None:
        document = read(text(2324))
        for wanted in ("2.9", "Section 12", "tea", "x" * 1000, "\u202e"):
            error = self.assertRaises(ConfigurationError, document.section, wanted)
            self.assertIn("there are 'Status of this Memo', 'Copyright Notice',", str(error))
            self.assertTrue(str(error).endswith(", ..."))
            self.assertTrue(str(error).isprintable())
        self.assertRaises(ConfigurationError, document.section, " ")
        error = self.assertRaises(ConfigurationError, read(b"Hello.").section, "1")
        self.assertIn("none was found in this document", str(error))

    def test_whole(self) -> None:
        document = read(text(2324))
        whole = document.text()
        self.assertTrue(whole.startswith("Network Working Group"))
        self.assertNotIn("[Page", whole)

    @given(st.binary(max_size=2000), st.text(max_size=10))
    def test_any_bytes(self, data: bytes, wanted: str) -> None:
        document = read(data)
        document.links()
        for section in document.sections:
            self.assertEqual(document.section(section.anchor), section)
            document.text(section)
        try:
            document.section(wanted)
        except ConfigurationError:
            pass


class Blocks(SynchronousTestCase):
    def test_kinds(self) -> None:
        for source, expected in (
            (FULL + FULL + "   and end.", [(True, False, 3)]),
            (
                "      An indented first line is all right if it is as full as this one is,\n"
                + FULL,
                [(True, False, 3)],
            ),
            ("   short\n   lines\n   of a poem", [(False, False, 3)]),
            ("   One sentence.", [(True, False, 3)]),
            ("   GET / HTTP/1.1", [(False, False, 3)]),
            ("   x = y.", [(False, False, 3)]),
            ("   +---+\n   | a |\n   +---+", [(False, False, 3)]),
            ("   o  One item of a list.", [(True, True, 6)]),
            ("   o  " + FULL[3:65] + "\n      and end.", [(True, True, 6)]),
            ("   (1)  " + FULL[3:65] + "\n        and end.", [(True, True, 8)]),
            (
                "   Term\n      " + FULL[3:65] + "\n      and end.",
                [(True, False, 3), (True, False, 6)],
            ),
            ("   ID         " + FULL[3:60] + "\n              and end.", [(True, True, 14)]),
            ("   a    b    c\n   d    e    f", [(False, False, 3)]),
            ("", []),
        ):
            self.assertEqual(blocks(source), expected, source)

    def test_list(self) -> None:
        """Items that no empty line parts are blocks of their own."""
        source = "   1.  The first item of a list here.\n   2.  The second item of the list.\n"
        self.assertEqual(blocks(source), [(True, True, 7), (True, True, 7)])

    def test_references(self) -> None:
        """In an entry of the references, what is kept together leaves lines short."""
        source = (
            '   [HTTP]     Fielding, R., Ed., "HTTP Semantics", STD 97,\n'
            "              DOI 10.17487/RFC9110, June 2022,\n"
            "              <https://www.rfc-editor.org/info/rfc9110>."
        )
        self.assertEqual(blocks(source), [(True, True, 14)])

    def test_document(self) -> None:
        document = read(text(2324))
        section = document.section("2.2.2.1")
        found = document.blocks(section.body, section.end)
        self.assertEqual([block.prose for block in found], [True, False, False])

    @given(st.lists(st.text("ab. -|o1)[]", max_size=30).map(str.rstrip), max_size=30))
    def test_any_lines(self, lines: list[str]) -> None:
        """Blocks have all lines that are not empty, in order, each once."""
        found = find_blocks(lines, 0, len(lines))
        covered = [at for block in found for at in range(block.start, block.end)]
        self.assertEqual(covered, [at for at, line in enumerate(lines) if line])
        for block in found:
            for line in lines[block.start : block.end][block.item :]:
                self.assertGreaterEqual(len(line) - len(line.lstrip()), 0)

    @given(st.integers(0, 5), st.integers(0, 5))
    def test_within(self, start: int, end: int) -> None:
        lines = ["a", "", "   b", "   c", "", "d"]
        found = find_blocks(lines, start, end)
        self.assertTrue(all(start <= block.start < block.end <= end for block in found))
        self.assertEqual(found, sorted(found, key=lambda block: block.start))
