# trial's assertions have no annotations:
# mypy: allow-untyped-calls

from __future__ import annotations

import contextlib
import re

from hypothesis import example, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from netlab.rfc import index as module
from netlab.rfc.entries import Date, Entry, Index
from netlab.rfc.index import UnreadableListing, parse_index
from netlab.rfc.names import Name, Series
from tests.rfc.support import index, index_data

HEAD = b'<rfc-index xmlns="https://www.rfc-editor.org/rfc-index">'
ONE = b"<rfc-entry><doc-id>RFC0001</doc-id><title>One</title></rfc-entry>"
TAGS = (
    *("rfc-index", "rfc-entry", "doc-id", "title", "author", "name", "date", "month", "year"),
    *("day", "abstract", "p", "keywords", "kw", "is-also", "obsoletes", "x"),
)


def wrapped(*entries: bytes) -> bytes:
    """An index of ``entries``."""
    return HEAD + b"".join(entries) + b"</rfc-index>"


def one(inside: str) -> Entry:
    """The entry for RFC 1 with some elements in it."""
    data = f"<rfc-entry><doc-id>RFC1</doc-id>{inside}</rfc-entry>".encode()
    return parse_index(wrapped(data)).entries[1]


class Published(SynchronousTestCase):
    def test_entry(self) -> None:
        entry = index().entries[9110]
        self.assertEqual(entry.title, "HTTP Semantics")
        self.assertEqual(
            entry.authors, ("R. Fielding, Ed.", "M. Nottingham, Ed.", "J. Reschke, Ed.")
        )
        self.assertEqual((entry.date, str(entry.date)), (Date(2022, 6), "June 2022"))
        self.assertEqual(entry.status, "INTERNET STANDARD")
        self.assertEqual(entry.pages, 194)
        self.assertIn("HTTP method", entry.keywords)
        self.assertEqual(entry.obsoletes, (2818, 7230, 7231, 7232, 7233, 7235, 7538, 7615, 7694))
        self.assertEqual(entry.updates, (3864,))
        self.assertEqual(entry.is_also, (Name(Series.STD, 97),))
        self.assertEqual(entry.formats, ("html", "txt", "pdf", "xml"))
        self.assertEqual(entry.doi, "10.17487/RFC9110")
        self.assertEqual(entry.draft, "draft-ietf-httpbis-semantics-19")
        first, second = entry.abstract.split("\n\n")
        self.assertTrue(first.startswith("The Hypertext Transfer Protocol (HTTP) is a stateless"))
        self.assertTrue(second.startswith("This document updates RFC 3864"))
        self.assertNotIn("\n", first)
        self.assertEqual(entry.name, Name(Series.RFC, 9110))

    def test_old_entry(self) -> None:
        entry = index().entries[2324]
        self.assertEqual(str(entry.date), "1 April 1998")
        self.assertEqual(entry.errata_url, "https://www.rfc-editor.org/errata/rfc2324")
        self.assertEqual(index().entries[793].keywords, ("TCP",))

    def test_all(self) -> None:
        found = index()
        self.assertEqual(
            list(found.entries),
            [20, 237, 768, 793, 2119, 2324, 2616, 3411, 7168, 7231, 8174, 9110, 9293, 9515],
        )
        self.assertEqual(found.latest, 9515)
        self.assertEqual(len(found.not_issued), 2)
        self.assertIn(14, found.not_issued)

    def test_series(self) -> None:
        found = index()
        self.assertEqual(
            found.documents(Name(Series.STD, 62)),
            (3411, 3412, 3413, 3414, 3415, 3416, 3417, 3418),
        )
        self.assertEqual(found.documents(Name(Series.BCP, 14)), (2119, 8174))
        self.assertEqual(found.documents(Name(Series.FYI, 1)), ())
        self.assertEqual(found.documents(Name(Series.RFC, 793)), (793,))
        self.assertEqual(found.documents(Name(Series.RFC, 14)), ())

    def test_unpadded(self) -> None:
        """Numbers without zeros, and the other namespace, say the same."""
        data = re.sub(rb"<doc-id>(RFC|BCP|STD|FYI)0*", rb"<doc-id>\1", index_data())
        self.assertEqual(parse_index(data), index())
        old = index_data().replace(
            b"https://www.rfc-editor.org/rfc-index", b"http://www.rfc-editor.org/rfc-index"
        )
        self.assertEqual(parse_index(old), index())
        bare = index_data().replace(b'xmlns="https://www.rfc-editor.org/rfc-index"', b"")
        self.assertEqual(parse_index(bare), index())
        prefixed = re.sub(rb"<(/?)(?=[a-z])", rb"<\1i:", index_data()).replace(
            b"xmlns=", b"xmlns:i="
        )
        self.assertEqual(parse_index(prefixed), index())

    def test_five_digits(self) -> None:
        data = wrapped(ONE, ONE.replace(b"RFC0001", b"RFC12345"))
        self.assertEqual(parse_index(data).latest, 12345)


class Relations(SynchronousTestCase):
    def test_completed(self) -> None:
        """What is said on one side only is known on both."""
        found = index()
        self.assertIn(9293, found.entries[793].obsoleted_by)
        self.assertIn(793, found.entries[9293].obsoletes)
        self.assertEqual(found.entries[2324].updated_by, (7168,))
        self.assertEqual(found.entries[7231].obsoleted_by, (9110,))

    def test_successors(self) -> None:
        found = index()
        self.assertEqual(found.successors(793), (9293,))
        self.assertEqual(found.successors(2616), (9110,))
        self.assertEqual(found.successors(9110), ())
        self.assertEqual(found.successors(14), ())

    def test_circle(self) -> None:
        """Two that obsolete each other, which cannot be, have no successor."""
        data = [
            f"<rfc-entry><doc-id>RFC{a}</doc-id><obsoletes><doc-id>RFC{b}</doc-id></obsoletes>"
            "</rfc-entry>".encode()
            for a, b in ((1, 2), (2, 1))
        ]
        self.assertEqual(parse_index(wrapped(*data)).successors(1), ())

    def test_self(self) -> None:
        self.assertEqual(one("<updates><doc-id>RFC1</doc-id></updates>").updated_by, ())

    def test_members(self) -> None:
        """A document that says that it is in a series is in it."""
        data = wrapped(
            ONE.replace(b"</title>", b"</title><is-also><doc-id>FYI0004</doc-id></is-also>")
        )
        self.assertEqual(parse_index(data).documents(Name(Series.FYI, 4)), (1,))


class Lenient(SynchronousTestCase):
    def test_dates(self) -> None:
        for inside, date, shown in (
            ("<month>April</month><year>1998</year><day>1</day>", Date(1998, 4, 1), "1 April 1998"),
            ("<month>sept</month><year>1998</year>", Date(1998, 9), "September 1998"),
            ("<month>Frimaire</month><day>3</day><year>1998</year>", Date(1998), "1998"),
            ("<month></month><year>MCMXCVIII</year>", Date(0), ""),
            ("<month>May</month><day>99</day><year>1998</year>", Date(1998, 5), "May 1998"),
        ):
            found = one(f"<date>{inside}</date>").date
            self.assertEqual((found, str(found)), (date, shown))
        self.assertEqual(one("").date, Date(0))

    def test_fields(self) -> None:
        entry = one(
            "<title> A\n <i>B</i> </title><author><name>X</name><title>Editor</title></author>"
            "<author><name>Y</name><title>Mr</title></author><page-count>many</page-count>"
            "<keywords><kw>[TCP|s]</kw><kw>TCP</kw><kw> </kw><kw>a\n b</kw></keywords>"
            "<format><file-format>ASCII</file-format><file-format>PS</file-format>"
            "<page-count>7</page-count></format>"
            "<abstract><p>One \\%appli-\r\ncation &amp;\n more.\n\n<b>Two</b>.</p><p/></abstract>"
            "<see-also><doc-id>IEN1</doc-id><doc-id>STD3</doc-id><doc-id>RFC2</doc-id></see-also>"
            "<obsoletes><doc-id>RFC9</doc-id><doc-id>RFC8</doc-id><doc-id>NIC7</doc-id></obsoletes>"
            "<area>app</area><wg_acronym>http</wg_acronym><unknown>x</unknown>"
        )
        self.assertEqual(entry.title, "A B")
        self.assertEqual(entry.authors, ("X, Ed.", "Y"))
        self.assertEqual(entry.keywords, ("TCP", "a b"))
        self.assertEqual(entry.formats, ("txt", "ps"))
        self.assertEqual(entry.abstract, "One appli-cation & more.\n\nTwo.")
        self.assertEqual(entry.see_also, (Name(Series.STD, 3), Name(Series.RFC, 2)))
        self.assertEqual(entry.obsoletes, (8, 9))
        self.assertEqual((entry.area, entry.group, entry.pages), ("app", "http", 0))

    def test_old_page_count(self) -> None:
        self.assertEqual(one("<format><page-count>7</page-count></format>").pages, 7)

    def test_unreadable_ids(self) -> None:
        """An entry without a number is left out, and nothing else."""
        for doc_id in (b"", b"RFC", b"RFC0", b"RFC123456", b"XYZ1", b"1", b"RFC\xd9\xa1"):
            data = wrapped(ONE, b"<rfc-entry><doc-id>" + doc_id + b"</doc-id></rfc-entry>")
            self.assertEqual(list(parse_index(data).entries), [1])


class Refused(SynchronousTestCase):
    def assert_refused(self, data: bytes, said: str) -> None:
        error = self.assertRaises(UnreadableListing, parse_index, data)
        self.assertIn(said, str(error))

    def test_not_an_index(self) -> None:
        self.assert_refused(b"", "line 1, column 1: no element found")
        self.assert_refused(b"not xml", "broken at line 1")
        self.assert_refused(b"<html/>", "its root is <html>")
        self.assert_refused(b'<rfc-index xmlns="http://example.org"/>', "its root is <rfc-index>")
        self.assert_refused(wrapped(), "lists no RFC")
        self.assert_refused(wrapped(b"<bcp-entry><doc-id>BCP1</doc-id></bcp-entry>"), "no RFC")

    def test_truncated(self) -> None:
        self.assert_refused(index_data()[:-20], "broken at line")

    def test_entities(self) -> None:
        """No document type, so no entity of its own: neither bombs nor files."""
        bomb = b'<!DOCTYPE r [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>' + wrapped(ONE)
        self.assert_refused(bomb, "document type")
        file = b'<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]>' + wrapped(ONE)
        self.assert_refused(file, "document type")
        self.assert_refused(b'<!DOCTYPE r SYSTEM "http://example.org/">' + wrapped(ONE), "type")
        self.assert_refused(wrapped(ONE.replace(b"One", b"&x;")), "undefined entity")

    def test_encoding(self) -> None:
        """UTF-8 it is, whatever the document says: no codec is ever looked for."""
        self.assert_refused(wrapped(ONE.replace(b"One", b"\xe9")), "not well-formed")
        for name in (b"utf-7", b"rot13", b"undefined", b"nonsense", b"iso-8859-1"):
            data = b'<?xml version="1.0" encoding="' + name + b'"?>' + wrapped(ONE)
            self.assertEqual(parse_index(data).entries[1].title, "One")

    def test_too_long(self) -> None:
        self.patch(module, "LONGEST", 100)
        self.assert_refused(wrapped(ONE, ONE), "more than 100 bytes")

    def test_deep(self) -> None:
        """A name is kept for each element that is open: not for any number of them."""
        self.assertIn(1, parse_index(wrapped(ONE, b"<a>" * 45 + b"</a>" * 45)).entries)
        self.assert_refused(wrapped(ONE, b"<a>" * 100_000), "more than 50 elements")


MARKS = st.lists(
    st.sampled_from((*TAGS, *("/" + tag for tag in TAGS)))
    | st.sampled_from(("RFC2", "STD1", "BCP", "May", "1998", "x &amp; y", "\n\n")),
    max_size=20,
)


def nested(marks: list[str]) -> str:
    """Elements in any order, each closed, with the other marks as their text."""
    written, open_ = [], []
    for mark in marks:
        if mark in TAGS:
            open_.append(mark)
            written.append(f"<{mark}>")
        elif mark[:1] != "/":
            written.append(mark)
        elif open_:
            written.append(f"</{open_.pop()}>")
    return "".join(written + [f"</{tag}>" for tag in reversed(open_)])


class Anything(SynchronousTestCase):
    def assert_read(self, data: bytes) -> Index | None:
        with contextlib.suppress(UnreadableListing):
            found = parse_index(data)
            self.assertTrue(found.entries)
            for number, entry in found.entries.items():
                self.assertEqual(entry.number, number)
                str(entry.date)
                found.successors(number)
            return found
        return None

    @given(st.binary() | st.binary().map(lambda data: wrapped(ONE, data)))
    @example(b"\xff\xfe<\0")
    def test_bytes(self, data: bytes) -> None:
        self.assert_read(data)

    @given(MARKS.map(nested))
    def test_elements(self, inside: str) -> None:
        """Any elements in any order: entries, and never another error."""
        self.assertIsNotNone(self.assert_read(wrapped(ONE, inside.encode())))

    @given(st.integers(0, 22122), st.binary(max_size=3))
    def test_damaged(self, at: int, damage: bytes) -> None:
        data = index_data()
        self.assert_read(data[:at] + damage + data[at + 1 :])
