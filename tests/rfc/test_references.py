# trial's assertions have no annotations:
# mypy: allow-untyped-calls

from __future__ import annotations

from itertools import pairwise

from hypothesis import example, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from netlab.rfc.pagination import decode, unpaged
from netlab.rfc.references import Link, find_links
from netlab.rfc.sections import Section, find_sections
from tests.rfc.support import text

OWN = (
    *(
        Section(number, "t", f"section-{number}", 1, at, at + 1, at + 1)
        for at, number in enumerate(("1", "2", "2.1", "2.2", "3", "4.2"))
    ),
    Section("B", "t", "appendix-B", 1, 9, 10, 10),
)
WORDS = st.sampled_from(
    (
        *("RFC", "RFCs", "2119", "[RFC2119]", "[1]", "[HTTP]", "BCP 14", "Section", "Sections"),
        *("2.1", "A", "Appendix", "and", "of", "in", ",", "(", ")", "this document", "\n", "   "),
    )
)


def targets(line: str, number: int = 0, references: str = "") -> list[str]:
    """The links in a text, as ``text -> key#anchor``."""
    lines = line.split("\n")
    sections: tuple[Section, ...] = OWN
    if references:
        start = len(lines)
        lines += references.split("\n")
        end = len(lines)
        sections = (*OWN, Section("9", "References", "section-9", 1, start, start, end))
    shown = []
    for link in find_links(lines, sections, number):
        if link.line < line.count("\n") + 1:
            key = link.name.key if link.name else ""
            anchor = f"#{link.anchor}" if link.anchor else ""
            shown.append(f"{lines[link.line][link.start : link.end]} -> {key}{anchor}")
    return shown


class Documents(SynchronousTestCase):
    def test_forms(self) -> None:
        for line, expected in (
            ("see RFC 2119.", ["RFC 2119 -> rfc2119"]),
            ("see [RFC2119].", ["[RFC2119] -> rfc2119"]),
            ("RFC-793 and RFC#822", ["RFC-793 -> rfc793", "RFC#822 -> rfc822"]),
            ("the rfc2119 words", ["rfc2119 -> rfc2119"]),
            ("BCP 14, STD 62, FYI 4", ["BCP 14 -> bcp14", "STD 62 -> std62", "FYI 4 -> fyi4"]),
            ("RFC 0793 and RFC 12345", ["RFC 0793 -> rfc793", "RFC 12345 -> rfc12345"]),
            ("in RFC\n   2119, it", ["RFC -> rfc2119", "2119 -> rfc2119"]),
            (
                "RFCs 7230, 7231, and 7232 are",
                ["7230 -> rfc7230", "7231 -> rfc7231", "7232 -> rfc7232"],
            ),
            ("RFC 123456, RFC 0, XRFC 1, RFC editor", []),
            ("https://www.rfc-editor.org/info/rfc2119 10.17487/RFC2119", []),
            ("Obsoletes: 2616, 2068       R. Fielding", ["2616 -> rfc2616", "2068 -> rfc2068"]),
            ("Updates: 7854          December 2023", ["7854 -> rfc7854"]),
        ):
            self.assertEqual(targets(line), expected, line)

    def test_itself(self) -> None:
        self.assertEqual(targets("RFC 9 and RFC 8", number=9), ["RFC 8 -> rfc8"])
        self.assertEqual(targets("RFC 9, Section 2.1", number=9), ["Section 2.1 -> #section-2.1"])

    def test_header(self) -> None:
        header = "Obsoletes: 7230, 7231,        A. Person\n           7232                2022\n"
        self.assertEqual(targets(header), ["7230 -> rfc7230", "7231 -> rfc7231", "7232 -> rfc7232"])


class Sections(SynchronousTestCase):
    def test_own(self) -> None:
        for line, expected in (
            ("(Section 2.1)", ["Section 2.1 -> #section-2.1"]),
            ("see section 3.", ["section 3 -> #section-3"]),
            ("see Section\n   4.2", ["Section -> #section-4.2", "4.2 -> #section-4.2"]),
            ("Appendix B shows", ["Appendix B -> #appendix-B"]),
            ("Section 2 of this document", ["Section 2 -> #section-2"]),
            (
                "Sections 2.1, 2.2 and 3",
                ["Sections 2.1 -> #section-2.1", "2.2 -> #section-2.2", "3 -> #section-3"],
            ),
            ("\u00a7 2.1", ["\u00a7 2.1 -> #section-2.1"]),
            ("Section 7 is not here, nor Appendix C", []),
            ("Section 4.e of the Trust Legal Provisions", []),
            ("Section 2 of the Trust Legal Provisions", []),
            ("a section 2-way switch", []),
        ):
            self.assertEqual(targets(line), expected, line)

    def test_others(self) -> None:
        for line, expected in (
            (
                "Section 5.6 of RFC 9110",
                ["Section 5.6 -> rfc9110#section-5.6", "RFC 9110 -> rfc9110"],
            ),
            (
                "Appendix A of [RFC5234]",
                ["Appendix A -> rfc5234#appendix-A", "[RFC5234] -> rfc5234"],
            ),
            (
                "[RFC9110], Section 5.6",
                ["[RFC9110] -> rfc9110", "Section 5.6 -> rfc9110#section-5.6"],
            ),
            (
                "RFC-793 Section 3.7, page 41",
                ["RFC-793 -> rfc793", "Section 3.7 -> rfc793#section-3.7"],
            ),
            (
                "[RFC9110] (see Section 2.1)",
                ["[RFC9110] -> rfc9110", "Section 2.1 -> rfc9110#section-2.1"],
            ),
            (
                "Sections 2.1 and 2.2 of RFC 8",
                [
                    *("Sections 2.1 -> rfc8#section-2.1", "2.2 -> rfc8#section-2.2"),
                    "RFC 8 -> rfc8",
                ],
            ),
            (
                "Section 2 and Section 3 of RFC 8",
                [
                    *("Section 2 -> rfc8#section-2", "Section 3 -> rfc8#section-3"),
                    "RFC 8 -> rfc8",
                ],
            ),
            (
                "as in RFC 8.  Section 2 says",
                ["RFC 8 -> rfc8", "Section 2 -> #section-2"],
            ),
        ):
            self.assertEqual(targets(line), expected, line)


class Labels(SynchronousTestCase):
    REFERENCES = (
        '   [HTTP]     Fielding, R., "HTTP Semantics", STD 97, RFC 9110,\n'
        "              June 2022.\n\n"
        "   [1]   Postel, J., RFC 793.\n\n"
        "   [Knuth]    Knuth, D., a book.\n\n"
        "   [BCP14]\n              Bradner, S., BCP 14,\n              RFC 2119.\n"
    )

    def test_labels(self) -> None:
        for line, expected in (
            ("see [HTTP].", ["[HTTP] -> rfc9110"]),
            ("TCP [1] is", ["[1] -> rfc793"]),
            ("[BCP14]", ["[BCP14] -> bcp14"]),
            ("[Knuth] and [Other]", []),
            ("field[1] = f(x)[1];", []),
            (
                "Section 2.1 of [HTTP]",
                ["Section 2.1 -> rfc9110#section-2.1", "[HTTP] -> rfc9110"],
            ),
            ("Section 2.1 of [Knuth]", []),
            ("[Knuth], Section 2.1", []),
        ):
            self.assertEqual(targets(line, references=self.REFERENCES), expected, line)


class Whole(SynchronousTestCase):
    def assert_good(self, lines: list[str], links: tuple[Link, ...]) -> None:
        """Links lie within their lines and do not overlap."""
        for link in links:
            self.assertTrue(0 <= link.start < link.end <= len(lines[link.line]), link)
            self.assertTrue(link.name or link.anchor)
        for one, other in pairwise(links):
            self.assertTrue(one.line < other.line or one.end <= other.start, (one, other))

    def test_document(self) -> None:
        lines = unpaged(decode(text(2324)))
        sections, _ = find_sections(lines)
        links = find_links(lines, sections, 2324)
        self.assert_good(lines, links)
        shown = {lines[link.line][link.start : link.end] for link in links}
        self.assertLessEqual({"[RFC2068]", "[RFC2295]", "Section 4"}, shown)
        # [WEBDAV] was an Internet-Draft.
        self.assertNotIn("[WEBDAV]", shown)

    @given(st.lists(WORDS | st.text(max_size=5), max_size=30), st.booleans())
    @example(["Section 1", ", 1" * 3000], False)
    @example(["RFCs 1", ", 1" * 3000], False)
    @example(["Section" + " " * 5000 + "1"], False)
    def test_any_text(self, words: list[str], spaced: bool) -> None:
        lines = unpaged((" " if spaced else "").join(words))
        self.assert_good(lines, find_links(lines, OWN, 2119))
