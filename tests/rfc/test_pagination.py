# trial's assertions have no annotations:
# mypy: allow-untyped-calls

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from netlab.rfc.pagination import decode, unpaged
from tests.rfc.support import text

LINES = st.text("ab.|+-: \t\f\n[]PageRFC0123456789", max_size=300)

# From RFC 793, pages 2 to 4, with the text between the breaks cut.
RFC793 = """\
  any TCP implementation, both in its interactions with higher level
  protocols and in its interactions with other TCPs.  The rest of this


[Page 2]
\f

September 1981
                                           Transmission Control Protocol
                                                            Introduction


  section offers a very brief view of the protocol interfaces and
  operation.

  The basic operation of the TCP in each of these areas is described in
  the following paragraphs.


                                                                [Page 3]
\f

                                                          September 1981
Transmission Control Protocol
Introduction


  Basic Data Transfer:


[Page 4]
\f

September 1981
                                           Transmission Control Protocol
                                                              Philosophy


  Reliability:


                                                                [Page 5]
\f

                                                          September 1981
Transmission Control Protocol
Philosophy


  Flow Control:


[Page 6]
"""


class Decoding(SynchronousTestCase):
    def test_encodings(self) -> None:
        for data, expected in (
            (b"plain", "plain"),
            (b"\xef\xbb\xbfna\xc3\xafve", "na\xefve"),
            (b"na\xc3\xafve", "na\xefve"),
            (b"Viag\xe9nie", "Viag\xe9nie"),
            (b"\x93quoted\x94", "\u201cquoted\u201d"),
            (b"\x81 \xff", "\ufffd \xff"),
        ):
            self.assertEqual(decode(data), expected)

    def test_documents(self) -> None:
        self.assertIn(
            "Kelly Tardif" if False else "H\xe9l\xe8ne Morin, Viag\xe9nie", decode(text(237))
        )
        self.assertTrue(decode(text(9515)).lstrip("\n").startswith("Internet Engineering"))

    def test_controls(self) -> None:
        self.assertEqual(decode(b"a\0b\x1b[1mc\x7f\td\x0ce"), "ab[1mc\td\x0ce")
        self.assertEqual(decode("a\x85b\x9bc".encode()), "abc")

    def test_line_ends(self) -> None:
        self.assertEqual(decode(b"a\r\nb\n"), "a\nb\n")

    def test_overstruck(self) -> None:
        """Underlined and bold text, from RFC 731, RFC 1379 and RFC 2459."""
        for data, expected in (
            (b"T\b__\bh_\be", "The"),
            (b"____\bT_\bC_\bP__\bA", "___TCP_A"),
            (b"T\bT\bTa\ba\bab\bb", "Tab"),
            (b"The\r___", "The"),
            (b"___\rThe", "The"),
            (b"\b\ba", "a"),
            (b"a\b b", "ab"),
        ):
            self.assertEqual(decode(data), expected, data)

    @given(st.binary())
    def test_any_bytes(self, data: bytes) -> None:
        decoded = decode(data)
        self.assertFalse([c for c in decoded if ord(c) < 32 and c not in "\t\n\f"])
        decoded.encode()


class Pages(SynchronousTestCase):
    def test_pages(self) -> None:
        """A paragraph that goes on over the end of a page is whole; heads and feet are gone."""
        lines = unpaged(decode(text(2324)))
        at = lines.index("   beverages.")
        self.assertEqual(
            lines[at - 3 : at + 3],
            [
                "   This document specifies a Hyper Text Coffee Pot Control Protocol",
                "   (HTCPCP), which permits the full request and responses necessary to",
                "   control all devices capable of making the popular caffeinated hot",
                "   beverages.",
                "",
                "   HTTP 1.1 ([RFC2068]) permits the transfer of web objects from origin",
            ],
        )
        self.assertFalse([line for line in lines if "[Page" in line or line.startswith("RFC 2324")])

    def test_old_heads(self) -> None:
        """Heads of three lines, on changing sides, with the name of a section."""
        self.assertEqual(
            unpaged(RFC793),
            [
                "  any TCP implementation, both in its interactions with higher level",
                "  protocols and in its interactions with other TCPs.  The rest of this",
                "  section offers a very brief view of the protocol interfaces and",
                "  operation.",
                "",
                "  The basic operation of the TCP in each of these areas is described in",
                "  the following paragraphs.",
                "",
                "  Basic Data Transfer:",
                "",
                "  Reliability:",
                "",
                "  Flow Control:",
            ],
        )

    def test_numbers(self) -> None:
        """Feet that are numbers alone, and heads that are the same on each page."""
        pages = [f"John Day      Terminal Option\n\nText {n}.\n\n        -{n}-\n" for n in range(9)]
        self.assertEqual(
            [line for line in unpaged("\f".join(pages)) if line],
            ["John Day      Terminal Option", *(f"Text {n}." for n in range(9))],
        )

    def test_without_form_feeds(self) -> None:
        page = "   Words.\n\n\nX                 [Page {}]\n\nRFC 9   Title   May 1990\n\n"
        lines = unpaged(page.format(1) + page.format(2) + "   The end.\n")
        self.assertEqual(lines, ["   Words.", "", "   Words.", "", "   The end."])

    def test_some_form_feeds(self) -> None:
        """Of which some got lost, as in RFC 2153."""
        page = "   Words.\n\n\nX                 [Page {}]\n{}\nRFC 9   Title   May 1990\n\n"
        lines = unpaged(page.format(1, "\n" * 5) + page.format(2, "\f") + "   The end.\n")
        self.assertEqual(lines, ["   Words.", "", "   Words.", "", "   The end."])

    def test_no_pages(self) -> None:
        lines = unpaged(decode(text(9515)))
        self.assertTrue(lines[0].startswith("Internet Engineering Task Force (IETF)"))
        self.assertEqual(lines[-1].strip(), "Email: jgs@juniper.net")

    def test_table_across(self) -> None:
        """A drawing, and a table of contents, go on over the end of a page."""
        head, foot = "\f\nRFC 9   Title   May 1990\n\n\n", "\n\n\nX      [Page 1]\n"
        for above, below in (
            ("   +---+", "   | a |"),
            ("   1. One ........ 2", "   2. Two ........ 3"),
            ("   UTF8-1 = %x00 UTF8-tail;", "   | UTF8-2  x"),
        ):
            self.assertEqual(unpaged(above + foot + head + below), [above, below])

    def test_new_paragraph(self) -> None:
        head, foot = "\f\nRFC 9   Title   May 1990\n\n\n", "\n\n\nX      [Page 1]\n"
        full = "   The words of this line go on until it is as full as a line can be,"
        for above, below, joined in (
            (full, "   and so on.", True),
            (full, "   Capitals may come in the middle of a sentence.", True),
            (full.replace(",", "."), "   Another sentence.", False),
            (full, "2.  A heading", False),
            (full, "   o  An item", False),
            (full, "      Further right", False),
            ("   Short.", "   Another.", False),
            ("   a short", "   line", True),
            ("   o  " + full[6:], "      and so on.", True),
            ("      " + full[6:], "   and so on.", True),
        ):
            lines = unpaged(above + foot + head + below)
            self.assertEqual(lines, [above, below] if joined else [above, "", below], below)

    def test_empty_pages(self) -> None:
        """A page with nothing on it is none: neither a foot is missing there nor a head."""
        self.assertEqual(unpaged("\f\n\f\n A.\n\f\f \n\f\n B.\n"), [" A.", "", " B."])
        self.assertEqual(unpaged("One page.\n\nPostel   [Page 1]\n\f\n"), ["One page."])
        self.assertEqual(unpaged("\f" * 9), [])

    def test_gaps(self) -> None:
        self.assertEqual(unpaged("\n\n\na  \n\n\n\n\n\tb\n\n"), ["a", "", "", "        b"])
        self.assertEqual(unpaged(""), [])

    @given(LINES | st.text())
    @example("\f" * 20)
    @example("[Page 1]\n\f\n" * 10)
    @example("1\f" * 10)
    def test_any_text(self, text: str) -> None:
        """Any text survives; what it says stays in its order."""
        lines = unpaged(text)
        for line in lines:
            self.assertEqual(line, line.rstrip())
            self.assertNotIn("\t", line)
            self.assertNotIn("\n", line)
        if lines:
            self.assertTrue(lines[0] and lines[-1])
        if "\f" not in text and "]" not in text:
            self.assertEqual("".join("".join(lines).split()), "".join(text.split()))

    @given(LINES)
    def test_settled(self, text: str) -> None:
        """A text without page breaks stays as it is."""
        lines = unpaged(text.replace("\f", "").replace("]", ""))
        self.assertEqual(unpaged("\n".join(lines)), lines)
