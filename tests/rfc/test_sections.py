# trial's assertions have no annotations:
# mypy: allow-untyped-calls

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from netlab.rfc.pagination import decode, unpaged
from netlab.rfc.sections import Section, find_sections
from netlab.rfc.toc import Contents
from tests.rfc.support import text

LIST = """\
1. Introduction

   Text of the introduction.

1. An item that is a sentence, and goes on; it is no section.

2. Another one.

3. A third one, of a list.

2. Next

   Text.

2.1 Deeper

   Text.

4.3 Far away

   Text.

Appendix A. More

   Text.

A.1 Still more

   Text.

Author's Address

   Somewhere
"""
TOLD = """\
Table of Contents

   1.  One  . . . . . . . . . . . . . . .   2
     1.1.  One of one, whose title
           takes two lines  . . . . . . .   3
   2.  Two ...............................  4
   Appendix A.  Aye  . . . . . . . . . . .  5
   References  . . . . . . . . . . . . . .  6

1.  One

   Text.

2.  A sentence that happens to have the number

1.1.  One of one, whose title
      takes two lines

   Text.

   Section 2 is about what comes then.

                            2.  TWO

   Text.

Appendix A.  Aye

   Text.

References

   [1]  A book.
"""
CENTRED = "\n".join(f"   {'x' * n}" for n in range(1, 60))


def found(document: str) -> list[tuple[str, str]]:
    """The numbers and titles in a document."""
    sections, _ = find_sections(unpaged(document))
    return [(section.number, section.title) for section in sections]


class Finding(SynchronousTestCase):
    def test_document(self) -> None:
        sections, contents = find_sections(unpaged(decode(text(2324))))
        self.assertEqual(contents, Contents())
        self.assertEqual(
            [(section.number, section.title) for section in sections],
            [
                ("", "Status of this Memo"),
                ("", "Copyright Notice"),
                ("", "Abstract"),
                ("1", "Rationale and Scope"),
                ("2", "HTCPCP Protocol"),
                ("2.1", "HTCPCP Added Methods"),
                ("2.1.1", "The BREW method, and the use of POST"),
                ("2.1.2", "GET method"),
                ("2.1.3", "PROPFIND method"),
                ("2.1.4", "WHEN method"),
                ("2.2", "Coffee Pot Header fields"),
                ("2.2.1", "Recommended header fields"),
                ("2.2.1.1", 'The "safe" response header field.'),
                ("2.2.2", "New header fields"),
                ("2.2.2.1", "The Accept-Additions header field"),
                ("2.2.3", "Omitted Header Fields"),
                ("2.3", "HTCPCP return codes"),
                ("2.3.1", "406 Not Acceptable"),
                ("2.3.2", "418 I'm a teapot"),
                ("3", 'The "coffee" URI scheme'),
                ("4", 'The "message/coffeepot" media type'),
                ("5", "Operational constraints"),
                ("5.1", "Timing Considerations"),
                ("5.2", "Crossing firewalls"),
                ("6", "System management considerations"),
                ("7", "Security Considerations"),
                ("8", "Acknowledgements"),
                ("9", "References"),
                ("10", "Author's Address"),
                ("11", "Full Copyright Statement"),
            ],
        )

    def test_new_document(self) -> None:
        """One without pages, and with contents that have no page numbers."""
        lines = unpaged(decode(text(9515)))
        sections, contents = find_sections(lines)
        self.assertEqual(
            [section.title for section in sections],
            [
                *("Abstract", "Status of This Memo", "Copyright Notice", "Table of Contents"),
                *("Introduction", "IANA Considerations", "Security Considerations"),
                *("Normative References", "Acknowledgements", "Author's Address"),
            ],
        )
        self.assertEqual(lines[contents.start], "Table of Contents")
        self.assertEqual(lines[contents.end - 1].strip(), "Author's Address")
        assert contents.titles is not None
        self.assertEqual(contents.titles["4"], "Normative References")
        self.assertEqual(contents.others, {"acknowledgements", "author's address"})

    def test_extent(self) -> None:
        lines = unpaged(decode(text(2324)))
        sections, _ = find_sections(lines)
        by_number = {section.number: section for section in sections if section.number}
        outer, inner = by_number["2.1"], by_number["2.1.4"]
        self.assertEqual(outer.end, by_number["2.2"].line)
        self.assertEqual(inner.end, outer.end)
        self.assertEqual((outer.level, inner.level), (2, 3))
        self.assertEqual(lines[inner.line], "2.1.4 WHEN method")
        self.assertEqual(by_number["11"].end, len(lines))

    def test_anchors(self) -> None:
        sections, _ = find_sections(unpaged(LIST))
        self.assertEqual(
            [(section.anchor, section.label) for section in sections],
            [
                ("section-1", "Section 1"),
                ("section-2", "Section 2"),
                ("section-2.1", "Section 2.1"),
                ("appendix-A", "Appendix A"),
                ("appendix-A.1", "Appendix A.1"),
                ("name-author-s-address", "Author's Address"),
            ],
        )

    def test_same_title_twice(self) -> None:
        sections, _ = find_sections(["Abstract", "", "   a", "", "Abstract", "", "   b"])
        self.assertEqual([each.anchor for each in sections], ["name-abstract", "name-abstract-2"])

    def test_lists(self) -> None:
        """Items of a list are none, though their numbers would fit."""
        self.assertEqual(
            found(LIST),
            [
                ("1", "Introduction"),
                ("2", "Next"),
                ("2.1", "Deeper"),
                ("A", "More"),
                ("A.1", "Still more"),
                ("", "Author's Address"),
            ],
        )

    def test_contents(self) -> None:
        """The table of contents tells which lines are headings."""
        self.assertEqual(
            found(TOLD),
            [
                ("", "Table of Contents"),
                ("1", "One"),
                ("1.1", "One of one, whose title takes two lines"),
                ("2", "TWO"),
                ("A", "Aye"),
                ("", "References"),
            ],
        )

    def test_contents_say_otherwise(self) -> None:
        """A section whose title is not that in the contents; a list is none all the same."""
        document = (
            "Contents\n\n   1. One ... 1\n   1.1. Kick message ... 1\n   2. Two ... 2\n"
            "   A   Timers .... 3\n\n1. One\n\n   t\n\n1.1. The command to be gone\n\n   t\n\n"
            "2. An item of a list\n\n   t\n\n2. Two\n\n   t\n\n"
            "A name is not\n\n   t\n\nA Timers\n\n   t\n"
        )
        self.assertEqual(
            found(document)[1:],
            [("1", "One"), ("1.1", "The command to be gone"), ("2", "Two"), ("A", "Timers")],
        )

    def test_heading_below_heading(self) -> None:
        """With no line between, as in RFC 2522; but not what is no part of it."""
        document = (
            "Contents\n\n   1. One ... 1\n   2. Two ... 1\n   2.1. Water ... 2\n"
            "   3. Three ... 2\n   4. Four ... 3\n\n1. One\n\n   t\n\n"
            "2. Two\n2.1. Water\n\n   t\n\n3. Three\n4. Four\n\n   t\n"
        )
        numbers = [number for number, _ in found(document)[1:]]
        self.assertEqual(numbers, ["1", "2", "2.1", "3"])

    def test_after_appendices(self) -> None:
        """Numbers that go on behind the letters, as in RFC 5322."""
        document = (
            "1. A\n\n   t\n\nAppendix A. B\n\n   t\n\n2. C\n\n   t\n\nAppendix B. D\n\n   t\n"
        )
        self.assertEqual([number for number, _ in found(document)], ["1", "A", "2", "B"])

    def test_romans(self) -> None:
        document = (
            "I. Introduction\n\n   t\n\nII.  Discussion\n\n   t\n\nIII.  SPECIFICATIONS\n\n   t"
        )
        self.assertEqual([number for number, _ in found(document)], ["1", "2", "3"])

    def test_no_numbers(self) -> None:
        """Lines at the margin, in a document that numbers nothing, as in RFC 792."""
        document = (
            "RFC 1                A. Body\n\n            The Title\n\n\n   Text.\n\n"
            "Message Formats\n\n   Text.\n\nWhat is this, a sentence?\n\n   Text.\n\n"
            "Echo or Echo Reply Message\n\n   Text.\n"
        )
        self.assertEqual(
            [title for _, title in found(document)],
            ["Message Formats", "What is this, a sentence?", "Echo or Echo Reply Message"][::2],
        )

    def test_underlined(self) -> None:
        """A stroke below a line makes it a heading, with no empty line between, as in RFC 768."""
        lines = unpaged(decode(text(768)))
        sections, _ = find_sections(lines)
        self.assertEqual(
            [section.title for section in sections],
            [
                *("Introduction", "Format", "Fields", "User Interface", "IP Interface"),
                *("Protocol Application", "Protocol Number", "References"),
            ],
        )
        self.assertEqual(lines[sections[0].line + 1], "------------")
        self.assertTrue(lines[sections[0].body + 1].startswith("This User Datagram"))

    def test_sentences(self) -> None:
        """That introduce a list are no headings, as in RFC 868."""
        document = (
            "RFC 1                A. Body\n\n            The Title\n\n\n   Text.\n\n"
            "The Time\n\n   Text.\n\nWhen used via TCP the service works so:\n\n   Text.\n\n"
            "For example:\n\n   Text.\n\nSyntax:\n\n   Text.\n"
        )
        self.assertEqual([title for _, title in found(document)], ["The Time", "Syntax"])

    def test_none(self) -> None:
        self.assertEqual(find_sections([]), ((), Contents()))
        self.assertEqual(found("A letter to all of you.\n\nYours"), [])

    @given(
        st.lists(
            st.text("12.AB ()xyzContents", max_size=20)
            | st.sampled_from(("", "Table of Contents", "1. One", "Appendix A", "   text", "I. x")),
            max_size=40,
        )
    )
    def test_any_lines(self, lines: list[str]) -> None:
        """Sections of any text lie within each other and within the text, under one name each."""
        lines = [line.rstrip() for line in lines]
        sections, contents = find_sections(lines)
        self.assertLessEqual(contents.end, len(lines))
        self.assertEqual(len({section.anchor for section in sections}), len(sections))
        ends: list[Section] = []
        for before, section in zip((None, *sections), sections, strict=False):
            self.assertLess(section.line, section.body)
            self.assertLessEqual(section.body, section.end)
            self.assertLessEqual(section.end, len(lines))
            if before is not None:
                self.assertLessEqual(before.body, section.line)
            while ends and ends[-1].end <= section.line:
                ends.pop()
            if ends:
                self.assertLessEqual(section.end, ends[-1].end)
            ends.append(section)
