# trial's assertions have no annotations:
# mypy: allow-untyped-calls

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from netlab.rfc.reader import reader_page
from netlab.rfc.text import read
from tests.rfc.support import Page, index, text

NUMBERS = (237, 768, 2324, 9515)


def pressed(text: str) -> str:
    """A text without its blanks."""
    return "".join(text.split())


class Case(SynchronousTestCase):
    def read(self, page: str) -> Page:
        found = Page(page)
        self.assertEqual(found.wrong, [])
        return found


class Documents(Case):
    def test_whole(self) -> None:
        """Everything that a document says is on its page, in order."""
        for number in NUMBERS:
            document = read(text(number), number)
            page = pressed(self.read(reader_page(document, index().entries.get(number), 1)).text)
            headings = {at for each in document.sections for at in range(each.line, each.body)}
            contents = range(document.contents.start, document.contents.end)
            at = 0
            for line, words in enumerate(document.lines):
                if line not in headings and line not in contents:
                    at = page.index(pressed(words), at) + len(pressed(words))
            self.assertNotIn("[Page", page)

    def test_paragraphs(self) -> None:
        page = reader_page(read(text(2324)))
        self.assertIn(
            "<p>There is coffee all over the world. Increasingly, in a world in which\n"
            "computing is ubiquitous, the computists want to make coffee. Coffee\n"
            "brewing is an art, but the distributed intelligence of the web-connected",
            page,
        )

    def test_drawings(self) -> None:
        """Where columns matter they are kept, over empty lines, from the margin on."""
        page = reader_page(read(text(2324)))
        self.assertIn(
            '\nAccept-Additions = "Accept-Additions" ":"\n'
            "                   #( addition-range [ accept-params ] )\n\n"
            ' addition-type   = ( "*"\n'.replace('"', "&quot;"),
            page,
        )

    def test_sections(self) -> None:
        page = reader_page(read(text(2324), 2324))
        found = self.read(page)
        self.assertIn(
            '<h4 id="section-2.1.1"><a href="#section-2.1.1">'
            "2.1.1. The BREW method, and the use of POST</a></h4>",
            page,
        )
        self.assertIn('<li class="l3"><a href="#section-2.1.1">', page)
        self.assertIn("contents", found.ids)
        self.assertEqual(found.links.count("#section-4"), 3)  # contents, heading, text

    def test_links(self) -> None:
        found = self.read(reader_page(read(text(2324), 2324), index().entries[2324], 2))
        self.assertIn("/html/rfc2068", found.links)
        self.assertIn("/rfc/rfc2324.txt", found.links)
        self.assertIn("/info/rfc2324", found.links)
        self.assertIn("/html/rfc7168", found.links)
        self.assertIn("2 errata were reported", found.text)
        other = self.read(reader_page(read(b"Section 5.6 of RFC 9110\n")))
        self.assertEqual(other.links[-2:], ["/html/rfc9110#section-5.6", "/html/rfc9110"])

    def test_own_contents(self) -> None:
        """The document's own table of contents is not there twice."""
        page = self.read(reader_page(read(text(9515), 9515)))
        self.assertNotIn("Table of Contents", page.text)
        self.assertEqual(page.text.count("Normative References"), 2)

    def test_short_contents(self) -> None:
        """Contents that are hardly any stay where they are."""
        source = b"Contents\n\n   1. One ..... 1\n\n1. One\n\n   Text.\n\n2. Two\n\n   Text.\n"
        self.assertIn("1. One ..... 1", self.read(reader_page(read(source))).text)

    def test_terms(self) -> None:
        source = (
            b"1. Terms\n\n   Cache\n      A program's local store of response messages, and what"
            b" controls\n      it.\n"
        )
        page = reader_page(read(source))
        self.assertIn('<p class="term">Cache</p><p class="d1">A program&#x27;s local', page)

    def test_items(self) -> None:
        source = (
            b"1. List\n\n   o  An item of a list that is long enough to go on in the next"
            b" line\n      [RFC2119].\n"
        )
        page = reader_page(read(source))
        self.assertIn('<p class="item d1"><span class="marker">o</span>An item', page)
        self.assertIn('<a href="/html/rfc2119">[RFC2119]</a>.</p>', page)

    def test_label(self) -> None:
        """A label in the references is a link, and hangs before its entry."""
        source = b'1. References\n\n   [RFC2119]  Bradner, S., "Key words", BCP 14, RFC 2119.\n'
        page = reader_page(read(source))
        self.assertIn(
            '<span class="marker"><a href="/html/rfc2119">[RFC2119]</a></span>Bradner', page
        )

    def test_unknown(self) -> None:
        """Without an entry, and without a number."""
        self.assertIn("<title>RFC 2324</title>", reader_page(read(text(2324), 2324)))
        self.assertIn("<title>RFC</title>", reader_page(read(text(2324))))
        self.read(reader_page(read(b"")))

    def test_escaped(self) -> None:
        page = reader_page(read(b"1. <script>alert(1)</script>\n\n   <img src=x onerror=y>\n"))
        self.read(page)
        self.assertNotIn("<script", page)
        self.assertNotIn("<img", page)

    @given(
        st.binary(max_size=500)
        | st.lists(
            st.sampled_from(
                (
                    *("1. One", "2. <b>Two</b>", "", "   text & more text.", "   o  item RFC 1"),
                    *("   Section 1", "   | a |", "\f", "Contents", "   [X]  RFC 2", "      deep"),
                )
            ),
            max_size=30,
        ).map(lambda lines: "\n".join(lines).encode())
    )
    def test_any_text(self, data: bytes) -> None:
        """Any text is a page in which nothing is wrong, and nothing is lost."""
        document = read(data, 1)
        page = self.read(reader_page(document))
        headings = {at for each in document.sections for at in range(each.line, each.body)}
        contents = range(document.contents.start, document.contents.end)
        whole = pressed(page.text)
        for at, line in enumerate(document.lines):
            if at not in headings and at not in contents and line.isprintable():
                self.assertIn(pressed(line), whole)
